"""Labelled netCDF4 files, sealed as they are written, and the careful reading of those that have no seal."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from slipcast.errors import InputError
from slipcast.io.atomic import atomic_path, check_target
from slipcast.io.identity import checked_kind, labelled
from slipcast.io.probe import bears_reading
from slipcast.io.ranges import check_ranges
from slipcast.io.seal import is_sealed, seal_file

__all__ = ["mark_and_seal", "read_netcdf", "write_netcdf"]

_GROUP = "sealed"


def write_netcdf(
    dataset: xr.Dataset, path: str | os.PathLike, kind: str, *, chunks: Mapping[str, tuple[int, ...]] | None = None
) -> None:
    """Write a dataset as netCDF4, compressed and sealed (:mod:`slipcast.io.seal`), whole or not at all.

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
            labelled(dataset, kind).to_netcdf(temporary, engine="netcdf4", encoding=encoding)
            mark_and_seal(temporary)
        except RuntimeError as error:  # the HDF5 library reports a full disk this way
            raise OSError(errno.ENOSPC, f"{error}") from error


def mark_and_seal(path: Path) -> None:
    """Seal a netCDF file, with an empty group in it that says so: a file that has lost its seal is then known."""
    import netCDF4

    with netCDF4.Dataset(path, "a") as file:
        file.createGroup(_GROUP)
    seal_file(path)


def _has_lost_its_seal(path: Path) -> bool:
    """Tell whether a file without a seal had one."""
    import netCDF4

    with netCDF4.Dataset(path) as file:
        return _GROUP in file.groups


def read_netcdf(
    path: str | os.PathLike, kind: str, *, check: Callable[[xr.Dataset, Path], None] | None = None
) -> xr.Dataset:
    """Read a netCDF4 file of a kind into memory.

    Parameters
    ----------
    path : path
        A file written by :func:`write_netcdf`, or by another program in the documented form.
    kind : str
        What it must hold.
    check : callable, optional
        Called with dataset and path of a file without a seal, after a check of ranges; refuses what contradicts itself.

    Returns
    -------
    dataset : xarray.Dataset
        In memory; the file is closed.

    Raises
    ------
    InputError
        If the file is missing, truncated, damaged, not netCDF, or of another kind; or, in one without a seal, a number
        is out of its range.

    Notes
    -----
    A file that is not as it was sealed never reaches the netCDF library. One without a seal does so first in a process
    of its own, which takes a moment.
    """
    target = Path(path)
    if not target.is_file():
        raise InputError(f"no file {target}")
    try:
        sealed = is_sealed(target)
        if not sealed and not bears_reading(target):
            raise OSError
        if not sealed and _has_lost_its_seal(target):
            raise InputError(f"{target} is damaged, or was changed in place: its seal is gone")
        with xr.open_dataset(target, engine="netcdf4", decode_times=False) as dataset:
            dataset.load()
    except InputError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, AttributeError, TypeError, IndexError, MemoryError) as error:
        raise InputError(f"{target} cannot be read as netCDF: it is truncated or of another format") from error
    dataset = checked_kind(dataset, target, kind)
    if not sealed:
        check_ranges(dataset, target)
        if check is not None:
            check(dataset, target)
    return dataset
