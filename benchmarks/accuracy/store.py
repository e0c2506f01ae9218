"""Kept parts of a benchmark: files in a folder, each written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.io.atomic import check_target, read_json, write_json
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["Store"]

_ABOUT = "about.json"


@dataclass(frozen=True)
class Store:
    """A folder of parts.

    Attributes
    ----------
    folder : Path
        Where it is; :meth:`begin` makes it.
    """

    folder: Path

    @classmethod
    def begin(cls, folder: Path, about: Mapping[str, Any]) -> Store:
        """Take up a folder, or begin it.

        Parameters
        ----------
        folder : Path
            Of this benchmark, empty, or to be made.
        about : mapping
            What its parts depend on, the digest of the code among it: parts of other code are refused, not mixed in.

        Returns
        -------
        store : Store

        Raises
        ------
        InputError
            If the folder holds something else, or parts that depend on other things; the first is named.
        """
        path, about = folder / _ABOUT, json.loads(json.dumps(about))
        if path.is_file():
            begun = read_json(path)
            if begun != about:
                keys = [key for key in about if not isinstance(begun, dict) or begun.get(key) != about[key]]
                key = keys[0] if keys else "more"
                got = begun.get(key) if isinstance(begun, dict) else begun
                raise InputError(
                    f"{folder} holds a benchmark of {key} {got}, not {about.get(key)}; choose another folder"
                )
        elif folder.is_dir() and any(folder.iterdir()):
            raise InputError(f"{folder} is no folder of this benchmark, and not empty; choose another folder")
        check_target(path)
        write_json(path, about)
        return cls(folder)

    def scored(self, name: str, make: Callable[[], xr.Dataset]) -> xr.Dataset:
        """Read a dataset by name, or make and keep it."""
        path = self.folder / f"{name}.nc"
        if not path.is_file():
            write_netcdf(_single(make()), path, "judgement")
        return read_netcdf(path, "judgement")

    def numbers(self, name: str, make: Callable[[], Any]) -> Any:
        """Read plain numbers by name, or make and keep them."""
        path = self.folder / f"{name}.json"
        if not path.is_file():
            write_json(path, make())
        return read_json(path)

    def scenarios(self, name: str, make: Callable[[], ScenarioSet]) -> ScenarioSet:
        """Open a scenario set by name, or make and keep it."""
        path = self.folder / f"{name}.zarr"
        if not path.is_dir():
            make().save(path)
        return ScenarioSet.open(path)

    def bank(self, name: str, make: Callable[[], GreensBank]) -> GreensBank:
        """Open a bank by name, or make and keep it."""
        path = self.folder / f"{name}.nc"
        if not path.is_file():
            make().save(path)
        return GreensBank.open(path)


def _single(dataset: xr.Dataset) -> xr.Dataset:
    """Return the same with variables in single precision, which no score can tell from double."""
    return dataset.assign(
        {
            name: variable.astype(np.float32)
            for name, variable in dataset.data_vars.items()
            if variable.dtype.kind == "f"
        }
    )
