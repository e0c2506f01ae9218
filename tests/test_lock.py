"""The lock of a folder: one process at a time, free when that ends, and no other frees it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import textwrap
from contextlib import contextmanager

import filelock
import pytest

from slipcast.errors import InputError
from slipcast.io import lock as locking
from slipcast.io.lock import lock, parts_folder

HOLD = """
    import sys
    from slipcast.io.lock import lock
    with lock(sys.argv[1]):
        print("locked", flush=True)
        sys.stdin.read()
"""


@contextmanager
def locked_elsewhere(folder):
    """Have another process lock a folder; yield that process."""
    command = [sys.executable, "-c", textwrap.dedent(HOLD), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        try:
            yield process
        finally:
            process.kill()


def refused(folder) -> str:
    """Return the words in which a lock is refused."""
    with pytest.raises(InputError) as told, lock(folder):
        pass
    return str(told.value)


def test_the_folder_of_the_parts_is_beside_the_target(tmp_path):
    assert parts_folder(tmp_path / "bank.nc") == tmp_path / "bank.nc.parts"


def test_a_folder_is_locked_by_one(tmp_path):
    folder = tmp_path / "new" / "bank.nc.parts"
    with lock(folder) as locked:
        assert locked == folder
        said = refused(folder)
    who = rf"process {os.getpid()} on {re.escape(platform.node())} since 2\d{{3}}-\S+\+00:00"
    assert re.fullmatch(rf"\S+bank.nc.parts is locked by {who}; wait for it", said)
    assert not folder.exists()
    with lock(folder):
        (folder / "part").touch()
    assert [path.name for path in folder.iterdir()] == ["part"]


def test_another_process_is_named_and_frees_the_folder_when_it_is_killed(tmp_path):
    folder = tmp_path / "parts"
    with locked_elsewhere(folder) as process:
        assert f"is locked by process {process.pid} on {platform.node()} since 2" in refused(folder)
        process.kill()
        process.wait()
        assert (folder / ".lock").exists()  # the file stays, the lock does not
        with lock(folder):
            assert f"process {os.getpid()} on" in refused(folder)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("note", [None, "{", "[]", "{}"])
def test_an_owner_that_is_not_known(tmp_path, note):
    with lock(tmp_path):
        owner = tmp_path / ".lock.json"
        owner.unlink() if note is None else owner.write_text(note)
        assert refused(tmp_path) == f"{tmp_path} is locked by another process; wait for it"


def test_one_process_does_not_free_the_lock_of_another(tmp_path):
    with lock(tmp_path):
        (tmp_path / ".lock").unlink()  # by hand
        elsewhere = locked_elsewhere(tmp_path)
        other = elsewhere.__enter__()
    try:
        assert f"is locked by process {other.pid} on" in refused(tmp_path)
    finally:
        elsewhere.__exit__(None, None, None)


def test_a_lock_on_a_file_that_was_deleted_does_not_count(tmp_path, monkeypatch):
    # the holder goes just before this process locks the file that both have open, and a third process is next
    third = filelock.FileLock(tmp_path / ".lock", timeout=0)
    tried = []

    class Late(filelock.FileLock):
        def acquire(self):
            super().acquire()
            if not tried:
                (tmp_path / ".lock").unlink()
                third.acquire()
            tried.append(self)

    monkeypatch.setattr(locking, "FileLock", Late)
    assert "is locked by another process" in refused(tmp_path)
    assert len(tried) == 1
    assert third.is_locked
    third.release()
    with lock(tmp_path):
        pass


def test_a_folder_that_goes_while_it_is_locked_is_made_again(tmp_path, monkeypatch):
    folder, opened = tmp_path / "parts", []
    system_open = os.open

    def open_late(path, *arguments):
        if str(path).endswith(".lock") and not opened:
            opened.append(path)
            folder.rmdir()
        return system_open(path, *arguments)

    monkeypatch.setattr(locking.os, "open", open_late)
    with lock(folder):
        assert (folder / ".lock").exists()
    assert opened


TAKE_TURNS = """
    import os, sys, time
    from pathlib import Path
    from slipcast.errors import InputError
    from slipcast.io.lock import lock
    folder, inside = Path(sys.argv[1]), Path(sys.argv[2])
    turns, end = 0, time.monotonic() + 2.0
    while time.monotonic() < end:
        try:
            with lock(folder):
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # FileExistsError: two are here
                inside.unlink()
                turns += 1
        except InputError as error:
            if "is locked by" not in str(error):
                raise
    print(turns)
"""


@pytest.mark.slow
def test_no_two_of_three_processes_are_inside(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(TAKE_TURNS), str(tmp_path / "parts"), str(tmp_path / "inside")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert int(out) > 0
    assert not list(tmp_path.iterdir())


def test_what_fails_after_the_lock_frees_it(tmp_path, monkeypatch):
    def full(path, content):
        raise InputError("cannot write: the disk is full")

    monkeypatch.setattr(locking, "write_json", full)
    assert refused(tmp_path / "parts") == "cannot write: the disk is full"
    assert not (tmp_path / "parts").exists()
    monkeypatch.undo()
    with lock(tmp_path / "parts"):
        pass


def test_a_folder_that_cannot_be_locked(tmp_path):
    (tmp_path / "file").touch()
    assert re.match(r"cannot write .*parts: a part of its path is a file", refused(tmp_path / "file" / "parts"))
