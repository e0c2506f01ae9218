"""The folder beside a target where the parts of a long task are kept, and its use by one process at a time."""

from __future__ import annotations

import json
import os
import platform
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slipcast.errors import InputError
from slipcast.io.atomic import is_running, remove, write_error

__all__ = ["lock", "parts_folder"]

_LOCK, _OWNER = "held", "owner.json"
# a process number alone cannot tell this process from an earlier one of the same number
_HELD_HERE: set[Path] = set()


def parts_folder(target: str | os.PathLike) -> Path:
    """Return the folder of the parts of a file or folder that takes long to make: ``bank.nc.parts`` of ``bank.nc``."""
    target = Path(target)
    return target.with_name(f"{target.name}.parts")


@contextmanager
def lock(folder: str | os.PathLike) -> Iterator[Path]:
    """Hold a folder, made if need be, against other processes.

    Parameters
    ----------
    folder : path
        To be held. What a killed process of this machine held is taken over.

    Yields
    ------
    folder : Path
        The same. Removed at the end where nothing is in it.

    Raises
    ------
    InputError
        If another process holds it, which the message names, or the folder cannot be made or written to.

    Notes
    -----
    The lock is a folder with a file in it, renamed into place: a rename onto a folder that is not empty fails on
    every system, and what says who holds it is whole from the beginning.
    """
    folder = Path(folder).absolute()
    lock = folder / _LOCK
    mine = {
        "process": os.getpid(),
        "machine": platform.node(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "key": uuid.uuid4().hex,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _take(lock, mine)
    except OSError as error:
        raise write_error(folder, error) from error
    _HELD_HERE.add(folder)
    try:
        yield folder
    finally:
        _HELD_HERE.discard(folder)
        _free(lock, mine)
        with suppress(OSError):  # parts are in it, or another process came
            folder.rmdir()


def _take(lock: Path, mine: dict[str, Any]) -> None:
    """Put a lock in its place, over that of a process that is no more."""
    ready = lock.with_name(f".{_LOCK}.{mine['key']}")
    try:
        ready.mkdir()
        (ready / _OWNER).write_text(json.dumps(mine), encoding="utf-8")
        if (owner := _owner(lock)) is not None:
            if _is_alive(owner, lock.parent):
                raise _held_by(owner, lock)
            _free(lock, owner)
        try:
            os.rename(ready, lock)
        except OSError:
            if (owner := _owner(lock)) is not None:  # another process was quicker
                raise _held_by(owner, lock) from None
            raise
    finally:
        remove(ready)


def _free(lock: Path, owner: dict[str, Any]) -> None:
    """Remove the lock of an owner, and no other that came in between."""
    aside = lock.with_name(f".{_LOCK}.{uuid.uuid4().hex}")
    with suppress(FileNotFoundError):
        os.rename(lock, aside)
        if _owner(aside) != owner:
            os.rename(aside, lock)
        remove(aside)


def _owner(lock: Path) -> dict[str, Any] | None:
    """Read who holds a lock; None where nobody does, an empty mapping where it does not say."""
    try:
        found = json.loads((lock / _OWNER).read_text(encoding="utf-8"))
    except OSError:
        return None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_alive(owner: dict[str, Any], folder: Path) -> bool:
    """Tell whether the process that holds a folder runs; one of another machine may."""
    process, machine = owner.get("process"), owner.get("machine")
    if not isinstance(process, int):
        return False
    if machine != platform.node():
        return True
    return folder in _HELD_HERE if process == os.getpid() else is_running(process)


def _held_by(owner: dict[str, Any], lock: Path) -> InputError:
    """Say who holds a folder."""
    who = f"process {owner.get('process')} on {owner.get('machine')} since {owner.get('since')}"
    return InputError(f"{lock.parent} is held by {who}; wait for it, or delete {lock} if it is no more")
