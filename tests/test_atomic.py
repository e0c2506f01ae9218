"""What is written is on the disk before it has its name; what is neither a file nor a folder is not replaced."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from slipcast.errors import InputError
from slipcast.io import atomic
from slipcast.io.atomic import atomic_path, check_target, write_text
from slipcast.io.identity import fingerprint
from slipcast.io.netcdf import write_netcdf
from slipcast.io.zarr import read_zarr, write_zarr

DATASET = xr.Dataset({"slip": ("source", np.arange(3.0), {"units": "m"})}, coords={"source": ["a", "b", "c"]})


@pytest.fixture
def steps(monkeypatch):
    """Return the syncs and renames by the system, in order: what was done, and to which file or folder."""
    done: list[tuple[str, Path]] = []
    names: dict[int, Path] = {}
    system_open, sync = os.open, os.fsync

    def open_named(path, *arguments, **options):
        descriptor = system_open(path, *arguments, **options)
        names[descriptor] = Path(path)
        return descriptor

    def record_sync(descriptor):
        done.append(("sync", names[descriptor]))
        sync(descriptor)

    def record(name):
        rename = getattr(os, name)
        monkeypatch.setattr(atomic.os, name, lambda old, new: done.append(("rename", Path(new))) or rename(old, new))

    monkeypatch.setattr(atomic.os, "open", open_named)
    monkeypatch.setattr(atomic.os, "fsync", record_sync)
    record("rename")
    record("replace")
    return done


def hidden(target: Path) -> Path:
    """Return the temporary of a target."""
    return target.with_name(f".{target.name}.{os.getpid()}.partial")


@pytest.mark.parametrize(
    "write", [lambda path: write_text(path, "new"), lambda path: write_netcdf(DATASET, path, "slip")]
)
def test_a_file_is_synced_then_renamed_then_its_folder_is_synced(tmp_path, steps, write):
    target = tmp_path / "new" / "target"
    write(target)
    assert steps == [("sync", hidden(target)), ("rename", target), ("sync", target.parent)]


def test_all_of_a_folder_is_synced_before_it_is_renamed(tmp_path, steps):
    target = tmp_path / "set.zarr"
    write_zarr(DATASET, target, "scenarios")
    renamed = steps.index(("rename", target))
    before = [path for step, path in steps[:renamed] if step == "sync" and path.is_relative_to(hidden(target))]
    written = {hidden(target) / path.relative_to(target) for path in target.rglob("*")}
    assert {hidden(target) / "checksums.json", hidden(target) / "slip" / "0", hidden(target) / "slip"} <= written
    assert set(before) == written | {hidden(target)}
    assert steps[renamed + 1 :] == [("sync", tmp_path)]


def test_a_folder_that_is_swapped_is_synced_before_the_old_one_goes(tmp_path, steps, monkeypatch):
    target = tmp_path / "set.zarr"
    write_zarr(DATASET, target, "scenarios")
    steps.clear()
    delete = shutil.rmtree
    monkeypatch.setattr(
        atomic.shutil, "rmtree", lambda path, **options: steps.append(("delete", path)) or delete(path, **options)
    )
    write_zarr(DATASET, target, "scenarios")
    old = hidden(target).with_suffix(".old.partial")
    assert steps[-4:] == [("rename", old), ("rename", target), ("sync", tmp_path), ("delete", old)]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EACCES])
def test_a_system_that_cannot_sync_folders(tmp_path, monkeypatch, number):
    sync = os.fsync

    def files_alone(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", files_alone)
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_disk_that_fails_at_the_sync_leaves_the_old_file(tmp_path, monkeypatch):
    write_text(tmp_path / "a.txt", "old")

    def fail(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(InputError, match=r"^cannot write .*a\.txt: Input/output error$"):
        write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_disk_that_fails_at_the_sync_of_the_folder_is_told(tmp_path, monkeypatch):
    sync = os.fsync

    def fail(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(InputError, match=r"^cannot write .*a\.txt: Input/output error$"):
        write_text(tmp_path / "a.txt", "new")


# --- targets that are neither a file nor a folder


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    where = os.getcwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(where)


def link_to_a_file(path: Path) -> None:
    path.with_name("elsewhere").write_text("old")
    path.symlink_to("elsewhere")


def link_to_a_folder(path: Path) -> None:
    path.with_name("elsewhere").mkdir()
    path.symlink_to("elsewhere", target_is_directory=True)


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (make_pipe, "a named pipe"),
        (make_socket, "a socket"),
        (link_to_a_file, "a symbolic link"),
        (link_to_a_folder, "a symbolic link"),
        (link_to_nothing, "a symbolic link"),
    ],
)
@pytest.mark.parametrize(
    "write",
    [
        check_target,
        lambda path: check_target(path, folder=True),
        lambda path: write_text(path, "new"),
        lambda path: write_netcdf(DATASET, path, "slip"),
        lambda path: write_zarr(DATASET, path, "scenarios"),
    ],
)
def test_a_target_that_is_no_file_is_left_alone(tmp_path, make, kind, write):
    target = tmp_path / "out"
    make(target)
    before = {path.name: path.lstat().st_mode for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match=rf"^cannot write \S+out: it is {kind}$"):
        write(target)
    assert {path.name: path.lstat().st_mode for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["/dev/full", "/dev/null"])
def test_a_device_is_left_alone(name):
    if not Path(name).is_char_device():
        pytest.skip(f"this system has no {name}")
    before = os.lstat(name)
    for write in (check_target, lambda path: write_text(path, "new"), lambda path: write_netcdf(DATASET, path, "slip")):
        with pytest.raises(InputError, match=rf"^cannot write {name}: it is a device$"):
            write(name)
    after = os.lstat(name)
    assert (after.st_mode, after.st_rdev, after.st_ino) == (before.st_mode, before.st_rdev, before.st_ino)


def test_a_kind_of_file_that_has_no_name(tmp_path, monkeypatch):
    (tmp_path / "out").touch()
    monkeypatch.setattr(atomic.stat, "S_IFMT", lambda mode: 0o150000)
    with pytest.raises(InputError, match="out: it is no regular file"):
        check_target(tmp_path / "out")


def test_a_link_on_the_way_to_the_target_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "work").symlink_to("disk", target_is_directory=True)
    write_text(tmp_path / "work" / "a.txt", "new")
    assert (tmp_path / "disk" / "a.txt").read_text() == "new"


# --- what a killed writer left, identity, missing arrays


def test_no_signal_is_sent_where_it_would_be_ctrl_c(tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr(atomic.os, "kill", lambda *arguments: sent.append(arguments))
    left = tmp_path / f".a.txt.{2**22 + 1}.partial"
    left.touch()
    monkeypatch.setattr(atomic.sys, "platform", "win32")
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.touch()
    assert left.exists()
    assert not sent


def test_parts_of_a_fingerprint_do_not_run_together():
    assert fingerprint(1, 2) != fingerprint(12)
    assert fingerprint("a", [1]) != fingerprint(["a", 1])
    assert fingerprint(np.arange(2), np.arange(3)) != fingerprint(np.arange(3), np.arange(2))


def test_an_array_that_is_gone_is_named(tmp_path):
    write_zarr(DATASET, tmp_path / "set.zarr", "scenarios")
    shutil.rmtree(tmp_path / "set.zarr" / "slip")
    with pytest.raises(InputError, match=r"set\.zarr is damaged: it lacks slip/\.zarray"):
        read_zarr(tmp_path / "set.zarr", "scenarios")


def test_a_folder_without_its_checksums_is_incomplete(tmp_path):
    write_zarr(DATASET, tmp_path / "set.zarr", "scenarios")
    (tmp_path / "set.zarr" / "checksums.json").unlink()
    with pytest.raises(InputError, match=r"set\.zarr is an incomplete scenario set: it lacks checksums\.json"):
        read_zarr(tmp_path / "set.zarr", "scenarios")
