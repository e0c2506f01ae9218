"""The folder beside a target where the parts of a long task are kept, and its lock against other processes."""

from __future__ import annotations

import json
import os
import platform
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from slipcast.errors import InputError
from slipcast.io.atomic import write_error, write_json

__all__ = ["lock", "parts_folder"]

_LOCK, _OWNER = ".lock", ".lock.json"

_File = tuple[int, int]
"""Device and number of a file."""


def parts_folder(target: str | os.PathLike) -> Path:
    """Return the folder of the parts of a file or folder that takes long to make: ``bank.nc.parts`` of ``bank.nc``."""
    target = Path(target)
    return target.with_name(f"{target.name}.parts")


@contextmanager
def lock(folder: str | os.PathLike) -> Iterator[Path]:
    """Lock a folder, made if need be, against other processes and other uses in this one.

    Parameters
    ----------
    folder : path
        To be locked.

    Yields
    ------
    folder : Path
        The same, absolute. Removed at the end where nothing is in it.

    Raises
    ------
    InputError
        If it is locked already, by whom the message says, or cannot be made or written to.

    Notes
    -----
    The lock is the operating system's, on a file in the folder: it is free as soon as its process ends, however that
    ends. The file is deleted while it is still locked, and a lock counts only on the file that has the name after it
    was locked, so that a process which waits with the deleted file gets nothing.
    """
    folder = Path(folder).absolute()
    try:
        taken, file = _take(folder)
    except OSError as error:
        raise write_error(folder, error) from error
    try:
        yield folder
    finally:
        _free(folder, taken, file)


def _take(folder: Path) -> tuple[FileLock, _File]:
    """Lock a folder; return the lock and the file that it is on."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            found = _lock_file(folder)
        except (FileNotFoundError, FileExistsError):
            if _is_other(folder):
                raise
            continue  # another process has just removed the folder
        if found is not None:
            break
    try:
        _write_owner(folder)
    except BaseException:
        _free(folder, *found)
        raise
    return found


def _lock_file(folder: Path) -> tuple[FileLock, _File] | None:
    """Lock the file in a folder; None where it has lost its name meanwhile."""
    # open until the file is known to have its name still: no other can have its number meanwhile
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        file = _file_of(os.fstat(descriptor))
        taken = FileLock(folder / _LOCK, timeout=0, thread_local=False)
        try:
            taken.acquire()
        except Timeout:
            raise InputError(f"{folder} is locked by {_owner(folder)}; wait for it") from None
        if _has_name(folder, file):
            return taken, file
        taken.release()
        return None
    finally:
        os.close(descriptor)


def _is_other(folder: Path) -> bool:
    """Tell whether something else than a folder has the name of a folder."""
    try:
        return not stat.S_ISDIR(folder.lstat().st_mode)
    except FileNotFoundError:
        return False


def _free(folder: Path, taken: FileLock, file: _File) -> None:
    """Free a folder, unless its lock file was deleted and another process has locked a new one."""
    if _has_name(folder, file):
        for name in (_OWNER, _LOCK):
            with suppress(OSError):  # Windows deletes no file that is open: filelock does it
                (folder / name).unlink()
    taken.release()
    with suppress(OSError):  # parts are in it, or another process came
        folder.rmdir()


def _has_name(folder: Path, file: _File) -> bool:
    """Tell whether a file is the one that has the name of the lock."""
    try:
        return _file_of((folder / _LOCK).stat()) == file
    except OSError:
        return False


def _file_of(status: os.stat_result) -> _File:
    return status.st_dev, status.st_ino


def _write_owner(folder: Path) -> None:
    """Write down who locked a folder, for the messages to others."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / _OWNER, {"process": os.getpid(), "machine": platform.node(), "since": now})


def _owner(folder: Path) -> str:
    """Say who locked a folder, as far as that is known."""
    try:
        owner = json.loads((folder / _OWNER).read_text(encoding="utf-8"))
        return f"process {owner['process']} on {owner['machine']} since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it is being written or deleted
        return "another process"
