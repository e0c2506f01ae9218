"""Intermediate files of a bank that is being built, one per gauge."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.io.atomic import remove
from slipcast.io.identity import fingerprint, package_version
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.physics.bathymetry import Bathymetry
from slipcast.regions.region import Region

__all__ = ["ResponseParts"]

_FORMAT = 5
_PART = re.compile(r"\.?[0-9a-f]{16}\.nc(\.\d+\.partial)?")


@dataclass(frozen=True)
class ResponseParts:
    """A folder of responses.

    Attributes
    ----------
    folder : Path
        Where they are; to be locked by the one process that computes them (:func:`slipcast.io.lock.lock`).
    keys : mapping of gauge name to str
        Fingerprints of all that a response depends on, which its file is named by.
    """

    folder: Path
    keys: Mapping[str, str]

    @classmethod
    def of(
        cls,
        folder: str | os.PathLike,
        region: Region,
        bathymetry: Bathymetry,
        *,
        min_depth_m: float,
        kajiura: bool,
        elastic: bool,
        dispersion: bool,
        losses: bool,
        device: str = "cpu",
    ) -> ResponseParts:
        """Name the parts of a bank (arguments as in :meth:`slipcast.greens.bank.GreensBank.build`)."""
        subfaults, sea_floor = region.subfaults(), bathymetry.digest
        sources = fingerprint(region.sources, *(getattr(subfaults, f.name) for f in fields(subfaults)[1:]))
        keys = {
            gauge.name: fingerprint(
                _FORMAT,
                package_version(),
                gauge.model_dump(mode="json"),
                region.grids[gauge.grid].model_dump(mode="json"),
                sources,
                sea_floor,
                float(min_depth_m),
                bool(kajiura),
                bool(elastic),
                bool(dispersion),
                bool(losses),
                device,
            )
            for gauge in region.gauges
        }
        return cls(Path(folder), keys)

    def find(self, gauge: str, shape: tuple[int, int]) -> np.ndarray | None:
        """Read the response at a gauge, shape (n_times, n_subfaults); None where there is none that is complete."""
        path = self._path(gauge)
        if not path.is_file():
            return None
        try:
            part = read_netcdf(path, "response")
            response = part["response"].to_numpy()
            matches = part.attrs["key"] == self.keys[gauge] and part.attrs["checksum"] == fingerprint(response)
        except (InputError, KeyError):
            return None
        return response if matches and response.shape == shape else None

    def keep(self, gauge: str, response: np.ndarray) -> None:
        """Write the response at a gauge, whole or not at all."""
        about = {"gauge": gauge, "key": self.keys[gauge], "checksum": fingerprint(response)}
        part = xr.Dataset({"response": (("time", "subfault"), response, {"units": "m m-1"})}, attrs=about)
        write_netcdf(part, self._path(gauge), "response")

    def remove(self) -> None:
        """Delete all responses in the folder, also those of other settings; other files stay."""
        for path in self.folder.iterdir():
            if _PART.fullmatch(path.name):
                remove(path)

    def _path(self, gauge: str) -> Path:
        return self.folder / f"{self.keys[gauge]}.nc"
