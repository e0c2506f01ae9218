"""Labelled Zarr folders, with a list of the bytes of every array."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import xarray as xr

from slipcast.errors import InputError
from slipcast.io.atomic import atomic_path, check_target, read_json
from slipcast.io.identity import FILE_KINDS, checked_kind, labelled, require

__all__ = ["labelled_zarr", "read_zarr", "seal_zarr", "write_zarr"]

_SIZES = "sizes.json"
_SETTLE_S = 1.0


def write_zarr(dataset: xr.Dataset, path: str | os.PathLike, kind: str) -> None:
    """Write a dataset as a Zarr folder, whole or not at all (arguments as in :func:`write_netcdf`).

    The folder gets a file ``sizes.json`` with the bytes of every array, since Zarr reads a lost file as fill values.
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
    dataset = checked_kind(dataset, target, kind)
    incomplete = f"{target} is an incomplete {FILE_KINDS[kind].removeprefix('a ')}"
    require(dataset, variables, attributes, incomplete)
    if not (target / _SIZES).is_file():
        raise InputError(f"{incomplete}: it lacks {_SIZES}")
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
