"""Files and folders written whole or not at all, and text and JSON written so.

A writer works on a hidden temporary beside the target. At the end it is synced to the disk and renamed, so a killed
run, or a power cut, leaves the old file or none.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slipcast.errors import InputError

__all__ = [
    "atomic_path",
    "check_target",
    "put_in_place",
    "read_json",
    "remove",
    "write_error",
    "write_json",
    "write_text",
]

_REMOVALS, _REMOVAL_WAIT_S = 20, 0.05
_SPECIAL = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}
# what systems say that cannot sync a folder, or do not let it be opened
_NO_FOLDER_SYNC = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.EISDIR, errno.EBADF, errno.ENOTSUP, errno.ENOSYS}


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside the target that takes the target's place on success.

    Parameters
    ----------
    path : path
        The target, a file or a folder; its parents are made. The body of the ``with`` creates the temporary.

    Yields
    ------
    temporary : Path
        Hidden, in the target's folder. Removed when the body raises, so the old target stays whole.

    Raises
    ------
    InputError
        If the folder cannot be made or written to, the disk is full, or the target is neither a file nor a folder
        (a device, a named pipe, a socket, a symbolic link); the message names the target.
    """
    target = Path(path)
    _refuse_special(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear_stale(target)
        remove(temporary)
    except OSError as error:
        raise write_error(target, error) from error
    try:
        yield temporary
        put_in_place(temporary, target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        remove(temporary)


def put_in_place(temporary: Path, target: Path) -> None:
    """Sync a finished temporary and rename it over its target; a folder is swapped, since it cannot be replaced."""
    _sync(temporary)
    if temporary.is_dir() and target.is_dir():
        old = temporary.with_suffix(".old.partial")
        os.rename(target, old)
        os.rename(temporary, target)
        _sync_folder(target.parent)
        remove(old)
    else:
        os.replace(temporary, target)
        _sync_folder(target.parent)


def _sync(path: Path) -> None:
    """Have the system write a file to the disk; of a folder, every file and folder in it."""
    if not path.is_dir():
        _sync_file(path)
        return
    for folder, _, names in os.walk(path):
        for name in names:
            _sync_file(Path(folder, name))
        _sync_folder(Path(folder))


def _sync_file(path: Path) -> None:
    """Have the system write a file to the disk."""
    # Windows syncs what is open for writing alone; elsewhere a file that is read-only is synced, too
    descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    """Have the system write the names in a folder to the disk, where it can."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def check_target(path: str | os.PathLike, *, folder: bool = False) -> None:
    """Refuse, before the work, a target that could not be written after it; nothing is made.

    Parameters
    ----------
    path : path
        Where something is to be written.
    folder : bool, optional
        Whether it will be a folder (a scenario set) and not a file.

    Raises
    ------
    InputError
        If the target cannot be made or written, is neither a file nor a folder (a device, a named pipe, a socket, a
        symbolic link), is a folder where a file is to be, a file where a folder is to be, or a folder with something
        else in it, which would be lost.
    """
    target = Path(path)
    _refuse_special(target)
    try:
        if target.is_dir() and not folder:
            raise InputError(f"cannot write {target}: it is a folder")
        if target.is_dir() and any(target.iterdir()) and not _is_labelled(target):
            raise InputError(f"cannot write {target}: it is a folder with other files, which would be lost")
        if target.is_file() and folder:
            raise InputError(f"cannot write {target}: it is a file, and a folder is to be written")
        nearest = next(parent for parent in target.absolute().parents if parent.exists())
        probe = nearest / f".{target.name}.{os.getpid()}.probe.partial"
        probe.mkdir(exist_ok=True)
        probe.rmdir()
    except OSError as error:
        raise write_error(target, error) from error


def _refuse_special(target: Path) -> None:
    """Refuse a target that is there and would be replaced, but is neither a file nor a folder."""
    try:
        kind = stat.S_IFMT(target.lstat().st_mode)
    except OSError:  # there is none, or what is wrong is said when it is written
        return
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        raise InputError(f"cannot write {target}: it is {_SPECIAL.get(kind, 'no regular file')}")


def _is_labelled(folder: Path) -> bool:
    """Tell whether a folder is a Zarr group that slipcast wrote."""
    try:
        return "slipcast" in json.loads((folder / ".zattrs").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def write_error(target: Path, error: OSError) -> InputError:
    """Word an operating-system error about writing to a target."""
    reasons = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EFBIG: "the file would be larger than this system allows",
        errno.EACCES: "no permission to write there",
        errno.EROFS: "the file system is read-only",
        errno.ENOTDIR: "a part of its path is a file, not a folder",
        errno.EEXIST: "a part of its path is a file, not a folder",
    }
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return InputError(f"cannot write {target}: {reason}")


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file (UTF-8), whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Write JSON, indented, whole or not at all; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike) -> Any:
    """Read JSON; InputError where the file is missing or is none."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error


def remove(path: Path) -> None:
    """Delete a file or a folder, whichever it is, if it is there."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    for _ in range(_REMOVALS):  # threads of a writer that failed may still put files into its folder
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
        time.sleep(_REMOVAL_WAIT_S)


def _is_running(pid: int) -> bool:
    """Tell whether a process with this number runs; one that has ended and whose parent does not ask does not."""
    if sys.platform == "win32":  # where signal 0 is Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not every system has this
        return True
    return state.rpartition(")")[2].split()[:1] != ["Z"]


def _clear_stale(target: Path) -> None:
    """Delete temporaries of this target that a killed process left behind."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.(\d+)(?:\.old|\.probe)?\.partial")
    for path in target.parent.iterdir():
        if (found := pattern.fullmatch(path.name)) and not _is_running(int(found.group(1))):
            remove(path)
