"""A folder that one process at a time holds."""

from __future__ import annotations

import json
import os
import platform

import pytest

from slipcast.errors import InputError
from slipcast.io.lock import lock


def test_a_folder_is_held_by_one(tmp_path):
    folder = tmp_path / "bank.nc.parts"
    message = rf"bank.nc.parts is held by process {os.getpid()} on "
    with lock(folder), pytest.raises(InputError, match=message), lock(folder):
        pass
    assert not folder.exists()
    with lock(folder):
        (folder / "part").touch()
    assert [path.name for path in folder.iterdir()] == ["part"]


@pytest.mark.parametrize(
    ("owner", "free"),
    [
        ({"process": os.getppid(), "machine": platform.node(), "since": "today"}, False),
        ({"process": 1, "machine": "another", "since": "today"}, False),
        ({"process": os.getpid(), "machine": platform.node(), "since": "before the last start"}, True),
        ({"process": 2**22 + 1, "machine": platform.node(), "since": "today"}, True),
        ([], True),
        ("damaged", True),
    ],
)
def test_what_a_dead_process_held_is_free(tmp_path, owner, free):
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "owner.json").write_text("{" if owner == "damaged" else json.dumps(owner))
    if free:
        with lock(tmp_path):
            assert json.loads((tmp_path / "held" / "owner.json").read_text())["process"] == os.getpid()
        return
    message = rf"held by process {owner['process']} on {owner['machine']} since today; wait for it, or delete .*held"
    with pytest.raises(InputError, match=message), lock(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["held"]


def test_a_folder_that_cannot_be_held(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"cannot write .*parts: a part of its path is a file"),
        lock(tmp_path / "file" / "parts"),
    ):
        pass
