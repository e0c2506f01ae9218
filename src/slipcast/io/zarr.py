"""Labelled Zarr folders, with a list of the size and the checksum of every file in them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from slipcast.errors import InputError
from slipcast.io.atomic import atomic_path, check_target, read_json
from slipcast.io.identity import FILE_KINDS, checked_kind, labelled, require
from slipcast.io.ranges import check_ranges
from slipcast.io.seal import SEAL, Checksum, check_json, checksum, sealed_json

__all__ = ["labelled_zarr", "read_zarr", "seal_zarr", "write_zarr"]

_CHECKSUMS, _SIZES = "checksums.json", "sizes.json"
_SETTLE_S = 1.0


def write_zarr(dataset: xr.Dataset, path: str | os.PathLike, kind: str) -> None:
    """Write a dataset as a Zarr folder, whole or not at all (arguments as in :func:`write_netcdf`).

    The folder gets a file ``checksums.json`` (:func:`seal_zarr`), since Zarr reads a lost file as fill values and a
    damaged one as other numbers.
    """
    check_target(path, folder=True)
    with atomic_path(path) as temporary:
        try:
            labelled_zarr(dataset, temporary, kind)
        except OSError:
            time.sleep(_SETTLE_S)  # other threads of the writer are still at work, and would make the folder again
            raise
        seal_zarr(temporary)


def labelled_zarr(
    dataset: xr.Dataset, folder: Path, kind: str, *, encoding: dict[str, dict[str, Any]] | None = None
) -> None:
    """Write a dataset of a kind as a Zarr folder, in the open, with chunks by variable in its encoding."""
    labelled(dataset, kind).to_zarr(folder, mode="w", zarr_format=2, consolidated=True, encoding=encoding)


def seal_zarr(folder: Path, known: Mapping[str, Checksum] | None = None) -> None:
    """Write down the size and the checksum of every file of a Zarr folder that is complete.

    Parameters
    ----------
    folder : path
        The folder.
    known : mapping of str to (int, int), optional
        Checksums of files by their path in the folder, which are then not read.
    """
    known = known or {}
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    found = {name: known[name] if name in known else checksum((folder / name).read_bytes()) for name in names}
    (folder / _CHECKSUMS).write_text(json.dumps(sealed_json({"files": found})), encoding="utf-8")


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
        Arrays are read when used; InputError then, if a file is not as it was written.

    Raises
    ------
    InputError
        If the folder is missing, not Zarr, of another kind, or a file in it is missing or of another size.
    """
    target = Path(path)
    if not target.is_dir():
        raise InputError(f"no folder {target}")
    from slipcast.io.checked_store import CheckedStore  # Zarr takes long to import

    checksums = _checksums_of(target)
    try:
        store = CheckedStore(target, checksums=checksums)
        dataset = xr.open_zarr(store, zarr_format=2, consolidated=True, chunks=None, decode_times=False)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, IndexError) as error:
        raise InputError(f"{target} cannot be read as Zarr: it is incomplete or of another format") from error
    dataset = checked_kind(dataset, target, kind)
    incomplete = f"{target} is an incomplete {FILE_KINDS[kind].removeprefix('a ')}"
    require(dataset, variables, attributes, incomplete)
    if not checksums:
        _check_sizes(target, incomplete)
        check_ranges(dataset, target)
    return dataset


def _checksums_of(target: Path) -> dict[str, Checksum]:
    """Read the checksums of a folder, and check that all files are there with their sizes; empty where it has none."""
    path = target / _CHECKSUMS
    if not path.is_file():
        return {}
    content = read_json(path)
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict) or SEAL not in content:
        raise InputError(f"{path} is damaged: it is no list of checksums")
    check_json(content, path)
    for name, (size, _) in files.items():
        try:
            found = (target / name).stat().st_size
        except OSError:
            raise InputError(f"{target} is damaged: it lacks {name}") from None
        if found != size:
            raise InputError(f"{target} is damaged: {name} has {found} bytes, not {size}")
    return files


def _check_sizes(target: Path, incomplete: str) -> None:
    """Compare arrays with the list of their sizes that folders had before they had checksums."""
    if not (target / _SIZES).is_file():
        raise InputError(f"{incomplete}: it lacks {_CHECKSUMS}; what xarray opens of a set, ScenarioSet.save writes")
    sizes = read_json(target / _SIZES)
    if not isinstance(sizes, dict):
        raise InputError(f"{target / _SIZES} is damaged: it is no list of sizes")
    found = {
        array.name: sum(chunk.stat().st_size for chunk in array.iterdir())
        for array in sorted(target.iterdir())
        if array.is_dir()
    }
    for name in sorted(found.keys() | sizes.keys()):
        if found.get(name) != sizes.get(name):
            raise InputError(f"{target} is damaged: array {name} has {found.get(name)} bytes, not {sizes.get(name)}")
