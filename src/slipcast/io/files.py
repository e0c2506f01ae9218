"""Labelled files written whole or not at all: netCDF, Zarr, JSON and text.

A writer works on a hidden temporary beside the target and renames it at the end, so a killed run leaves the
old file or none. Every slipcast file says what it is in its attribute ``slipcast``.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError

__all__ = [
    "atomic_path",
    "check_target",
    "fingerprint",
    "is_running",
    "labelled_zarr",
    "package_version",
    "put_in_place",
    "read_json",
    "read_netcdf",
    "read_zarr",
    "remove",
    "require",
    "seal_zarr",
    "write_error",
    "write_json",
    "write_netcdf",
    "write_text",
    "write_zarr",
]

_SIZES = "sizes.json"
_REMOVALS, _REMOVAL_WAIT_S = 20, 0.05
_SETTLE_S = 1.0
_FILE_KINDS = {
    "bank": "a bank of Green's functions",
    "scenarios": "a scenario set",
    "records": "records",
    "slip": "a slip estimate",
    "forecast": "a forecast",
    "replay": "a replay",
    "judgement": "what a method makes of scenarios",
    "response": "the response at one gauge",
}


def package_version() -> str:
    """Return the installed version of slipcast, or ``"unknown"`` where it is run uninstalled."""
    try:
        return version("slipcast")
    except PackageNotFoundError:
        return "unknown"


def fingerprint(*parts: Any) -> str:
    """Hash arrays, numbers and text into 16 hexadecimal digits.

    Parameters
    ----------
    *parts : array, or anything that JSON can hold
        Hashed in order; an array by its type, shape and bytes.

    Returns
    -------
    digest : str
        The first 16 digits of a SHA-256.

    Examples
    --------
    >>> fingerprint("cascadia", 2.0) == fingerprint("cascadia", 2.0)
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


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


def is_running(pid: int) -> bool:
    """Tell whether a process with this number runs; one that has ended and whose parent does not ask does not."""
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
        if (found := pattern.fullmatch(path.name)) and not is_running(int(found.group(1))):
            remove(path)


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside the target that takes the target's place on success.

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
        If the folder cannot be made or written to, or the disk is full; the message names the target.
    """
    target = Path(path)
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
    """Rename a finished temporary over its target; a folder is swapped, since it cannot be replaced."""
    if temporary.is_dir() and target.is_dir():
        old = temporary.with_suffix(".old.partial")
        os.rename(target, old)
        os.rename(temporary, target)
        remove(old)
    else:
        os.replace(temporary, target)


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
        If the target cannot be made or written, is a folder where a file is to be, a file where a folder is to be,
        or a folder with something else in it, which would be lost.
    """
    target = Path(path)
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
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error


def _labelled(dataset: xr.Dataset, kind: str) -> xr.Dataset:
    """Return the dataset with the attributes that say what the file is; the version is of who computed it."""
    about = {"slipcast_version": package_version(), "Conventions": "CF-1.11"}
    return dataset.assign_attrs(about | dataset.attrs | {"slipcast": kind})


def write_netcdf(
    dataset: xr.Dataset, path: str | os.PathLike, kind: str, *, chunks: Mapping[str, tuple[int, ...]] | None = None
) -> None:
    """Write a dataset as netCDF4, compressed, whole or not at all.

    Parameters
    ----------
    dataset : xarray.Dataset
        With units in the attributes of its variables.
    path : path
        The target.
    kind : {"bank", "records", "slip", "forecast", "judgement", "response"}
        What the file holds; a reader refuses another kind.
    chunks : mapping of variable name to shape, optional
        Pieces in which a large variable is stored; by default the library's.
    """
    target = Path(path)
    encoding: dict[Any, dict[str, Any]] = {
        name: {"zlib": True, "complevel": 1, "shuffle": True, "fletcher32": True}
        for name, variable in dataset.variables.items()
        if variable.dtype.kind == "f" and variable.size > 1000
    }
    for name in encoding.keys() & (chunks or {}).keys():
        encoding[name]["chunksizes"] = (chunks or {})[name]
    check_target(target)
    with atomic_path(target) as temporary:
        try:
            _labelled(dataset, kind).to_netcdf(temporary, engine="netcdf4", encoding=encoding)
        except RuntimeError as error:  # the HDF5 library reports a full disk this way
            raise OSError(errno.ENOSPC, f"{error}") from error


def read_netcdf(path: str | os.PathLike, kind: str) -> xr.Dataset:
    """Read a netCDF4 file of a kind into memory.

    Parameters
    ----------
    path : path
        A file written by :func:`write_netcdf`.
    kind : str
        What it must hold.

    Returns
    -------
    dataset : xarray.Dataset
        In memory; the file is closed.

    Raises
    ------
    InputError
        If the file is missing, truncated, not netCDF, or of another kind.
    """
    target = Path(path)
    if not target.is_file():
        raise InputError(f"no file {target}")
    try:
        with xr.open_dataset(target, engine="netcdf4", decode_times=False) as dataset:
            dataset.load()
    except (OSError, RuntimeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"{target} cannot be read as netCDF: it is truncated or of another format") from error
    return _checked_kind(dataset, target, kind)


def write_zarr(dataset: xr.Dataset, path: str | os.PathLike, kind: str) -> None:
    """Write a dataset as a Zarr folder, whole or not at all (arguments as in :func:`write_netcdf`).

    The folder gets a file ``sizes.json`` with the bytes of every array, since Zarr reads a lost file as fill values.
    """
    check_target(path, folder=True)
    with atomic_path(path) as temporary:
        try:
            labelled_zarr(dataset, temporary, kind)
        except OSError:
            time.sleep(_SETTLE_S)  # other threads of the writer are still at work, and would make the folder anew
            raise
        seal_zarr(temporary)


def labelled_zarr(
    dataset: xr.Dataset, folder: Path, kind: str, *, encoding: dict[str, dict[str, Any]] | None = None
) -> None:
    """Write a dataset of a kind as a Zarr folder, in the open, with chunks by variable in its encoding."""
    _labelled(dataset, kind).to_zarr(folder, mode="w", zarr_format=2, consolidated=True, encoding=encoding)


def seal_zarr(folder: Path) -> None:
    """Write down the bytes of every array of a Zarr folder that is complete, as :func:`read_zarr` wants them."""
    (folder / _SIZES).write_text(json.dumps(_array_bytes(folder), indent=1), encoding="utf-8")


def read_zarr(
    path: str | os.PathLike, kind: str, *, variables: Collection[str] = (), attributes: Collection[str] = ()
) -> xr.Dataset:
    """Open a Zarr folder of a kind, lazily.

    Parameters
    ----------
    path : path
        A folder written by :func:`write_zarr`.
    kind : str
        What it must hold.
    variables, attributes : collection of str, optional
        Names that it must have.

    Returns
    -------
    dataset : xarray.Dataset
        Arrays are read when used.

    Raises
    ------
    InputError
        If the folder is missing, not Zarr, of another kind, or a file in it is missing or of another size.
    """
    target = Path(path)
    if not target.is_dir():
        raise InputError(f"no folder {target}")
    try:
        dataset = xr.open_zarr(target, zarr_format=2, consolidated=True, chunks=None, decode_times=False)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"{target} cannot be read as Zarr: it is incomplete or of another format") from error
    dataset = _checked_kind(dataset, target, kind)
    require(dataset, variables, attributes, f"{target} is no whole {_FILE_KINDS[kind].removeprefix('a ')}")
    found, sizes = _array_bytes(target), read_json(target / _SIZES)
    for name in sorted(found.keys() | sizes.keys()):
        if found.get(name) != sizes.get(name):
            raise InputError(f"{target} is damaged: array {name} has {found.get(name)} bytes, not {sizes.get(name)}")
    return dataset


def _array_bytes(folder: Path) -> dict[str, int]:
    """Add up the sizes of the files of every array in a Zarr folder."""
    return {
        array.name: sum(chunk.stat().st_size for chunk in array.iterdir())
        for array in sorted(folder.iterdir())
        if array.is_dir()
    }


def require(dataset: xr.Dataset, variables: Collection[str], attributes: Collection[str], what: str) -> None:
    """Refuse a dataset that lacks variables or attributes; InputError with ``what`` and the names that are missing."""
    lost = set(variables) - {str(name) for name in dataset.variables}
    if missing := sorted(lost) + sorted(set(attributes) - set(dataset.attrs)):
        raise InputError(f"{what}: it lacks {', '.join(missing)}")


def _checked_kind(dataset: xr.Dataset, path: Path, kind: str) -> xr.Dataset:
    """Return the dataset if its label is the kind wanted."""
    found = dataset.attrs.get("slipcast")
    if found != kind:
        what = _FILE_KINDS.get(found or "", "no slipcast file")
        raise InputError(f"{path} holds {what}, not {_FILE_KINDS[kind]}")
    return dataset
