"""Estimates of the sea surface at time zero: elevation, its posterior samples, evidence beside that of a fault."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError
from slipcast.inversion.estimate import QUANTILES, check_probability
from slipcast.inversion.invert import N_SAMPLES, until_windows
from slipcast.inversion.inverter import check_senses
from slipcast.inversion.surface_posterior import SurfacePosterior
from slipcast.io.identity import require
from slipcast.io.labels import reasons_in, with_reasons
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.io.summary import Summarised, Summary, shortened
from slipcast.records import Records
from slipcast.records.level_checks import examined, notes_on_samples

__all__ = ["SurfaceEstimate", "invert_surface"]

_NEEDED = ("elevation", "elevation_sd", "elevation_sample", "wave_error", "hump_lon", "hump_lat", "hump_area")


@dataclass(frozen=True, repr=False)
class SurfaceEstimate(Summarised):
    """Elevation of the sea surface at time zero.

    Attributes
    ----------
    dataset : xarray.Dataset
        ``elevation(hump)``, its mean at the middles of humps, m, positive up; ``elevation_sd(hump)``, m;
        ``elevation_sample(sample, hump)``, m; ``wave_error(sample)``, the standard deviation of the logarithm of what
        modelled waves are wrong by; coordinates ``hump_lon``, ``hump_lat``, degrees, and ``hump_area``, m^2.

    Notes
    -----
    A sea surface has no magnitude; its size is told by its highest and lowest level and its volume.
    """

    dataset: xr.Dataset

    @classmethod
    def open(cls, path: str | os.PathLike) -> SurfaceEstimate:
        """Read an estimate; InputError if the file is missing, damaged or holds something else."""
        dataset = read_netcdf(path, "surface")
        require(dataset, _NEEDED, ("log_evidence", "bank"), f"{path} is an incomplete file of a sea surface")
        return cls(dataset)

    def save(self, path: str | os.PathLike) -> None:
        """Write the estimate as netCDF4, whole or not at all."""
        write_netcdf(self.dataset, Path(path), "surface")

    @property
    def elevation(self) -> xr.DataArray:
        """Mean elevation at the middles of humps, m, dims (hump)."""
        return self.dataset["elevation"]

    @property
    def samples(self) -> xr.DataArray:
        """Posterior samples of elevation, m, dims (sample, hump)."""
        return self.dataset["elevation_sample"]

    @property
    def log_evidence(self) -> float:
        """Natural logarithm of the evidence of a sea surface of any cause."""
        return float(self.dataset.attrs["log_evidence"])

    @property
    def fault_log_evidence(self) -> float | None:
        """The same of slip on the fault, of the same samples with the same errors; None where none was compared."""
        found = self.dataset.attrs.get("fault_log_evidence")
        return None if found is None else float(found)

    @property
    def gauges_left_out(self) -> dict[str, str]:
        """Gauges of the records that were not used, and why."""
        return reasons_in(self.dataset)

    def interval(self, probability: float = 0.9) -> xr.DataArray:
        """Compute the central interval of elevation.

        Parameters
        ----------
        probability : float, optional
            That the interval holds the elevation, in (0, 1).

        Returns
        -------
        interval : xarray.DataArray
            m, dims (bound, hump), ``bound`` "low" and "high".

        Raises
        ------
        InputError
            If the probability is not in (0, 1).
        """
        found = self.samples.astype(float).quantile(_ends(probability), dim="sample").rename(quantile="bound")
        return found.assign_coords(bound=["low", "high"]).rename("elevation_interval").assign_attrs(units="m")

    def size_intervals(self, probability: float = 0.9) -> dict[str, tuple[float, float]]:
        """Compute central intervals of the size.

        Parameters
        ----------
        probability : float, optional
            That each holds it, in (0, 1).

        Returns
        -------
        intervals : dict of str to (float, float)
            ``highest_m`` and ``lowest_m``, the extremes of the sea surface, m; ``volume_m3``, its net volume, m^3.
        """
        ends = _ends(probability)
        found = {name: np.quantile(values, ends).tolist() for name, values in self._sizes().items()}
        return {name: (low, high) for name, (low, high) in found.items()}

    @property
    def size(self) -> dict[str, float]:
        """Medians of what :meth:`size_intervals` has."""
        return {name: float(np.median(values)) for name, values in self._sizes().items()}

    def _sizes(self) -> dict[str, np.ndarray]:
        """Return the size of each sample."""
        draws = self.samples.to_numpy().astype(float)
        volume = draws @ self.dataset["hump_area"].to_numpy()
        return {"highest_m": draws.max(axis=1), "lowest_m": draws.min(axis=1), "volume_m3": volume}

    @property
    def evidence_words(self) -> str:
        """Evidence of the sea surface and of the fault, in words."""
        if self.fault_log_evidence is None:
            return f"ln evidence of a sea surface of any cause {self.log_evidence:.1f}"
        more = self.log_evidence - self.fault_log_evidence
        verdict = f"the {'sea surface' if more > 0 else 'fault'} by {abs(more):.1f}"
        return (
            f"ln evidence of a sea surface of any cause {self.log_evidence:.1f}, of slip on the fault "
            f"{self.fault_log_evidence:.1f}: for {verdict}"
        )

    @property
    def size_words(self) -> str:
        """Highest and lowest level and net volume, medians of the samples with their 90 % intervals, in words."""
        highest, lowest, volume = self.size.values()
        (highest_low, highest_high), (lowest_low, lowest_high), (low, high) = self.size_intervals(0.9).values()
        return (
            f"highest level {highest:.2f} m (90 %: {highest_low:.2f} to {highest_high:.2f}), lowest {lowest:.2f} m "
            f"({lowest_low:.2f} to {lowest_high:.2f}), net volume {1e-9 * volume:.2f} km3 "
            f"({1e-9 * low:.2f} to {1e-9 * high:.2f})"
        )

    def _summary(self) -> Summary:
        about = self.dataset.attrs
        facts = [
            ("size", self.size_words),
            ("magnitude", "none: a sea surface of any cause has none"),
            ("evidence", self.evidence_words),
            ("window", f"0 to {float(about['window_min']):g} min after the origin"),
            ("gauges", shortened(str(about.get("gauges", "")).split())),
            *([("left out", shortened(list(self.gauges_left_out)))] if self.gauges_left_out else []),
        ]
        return Summary(f"SurfaceEstimate: {about.get('region') or 'no region'}, {self.elevation.size} humps", facts)


def _ends(probability: float) -> list[float]:
    """Return which quantiles are the ends of a central interval."""
    half = check_probability(probability) / 2
    return [round(0.5 - half, 12), round(0.5 + half, 12)]


def invert_surface(
    records: Records,
    posterior: SurfacePosterior,
    *,
    window_min: float | Mapping[str, float] | None = None,
    gauges: Sequence[str] | None = None,
    examine: bool = True,
    seed: int = 0,
    count: int = N_SAMPLES,
) -> SurfaceEstimate:
    """Find the sea surface at time zero that made records.

    Parameters
    ----------
    records : Records
        Of one event, tide removed.
    posterior : SurfacePosterior
        The method, with its options.
    window_min : float or mapping of gauge to float, optional
        Samples up to it are used, minutes after the origin, for all gauges or, where named, each; by default the
        method's own window.
    gauges : sequence of str, optional
        Gauges used; by default those of the records that the method knows. None is held against the others.
    examine : bool, optional
        Leave out samples that cannot be the sea, of records that no reader has checked
        (:func:`~slipcast.records.level_checks.examined`).
    seed, count : int, optional
        What posterior samples are drawn from, and how many.

    Returns
    -------
    estimate : SurfaceEstimate

    Raises
    ------
    InputError
        If an argument is of a wrong kind, the records are of several events, a name is unknown, the window is too long,
        a gauge senses something else than in the bank, or no gauge has a sample in the window.
    """
    records = records.one_event()
    records, longest_min = until_windows(records, window_min)
    if isinstance(gauges, str):
        raise InputError(f"gauges must be a sequence of names, got {gauges!r}")
    chosen = posterior.restricted(gauges=gauges, window_min=longest_min)
    if gauges is not None and (missing := [name for name in gauges if name not in set(records.gauges)]):
        raise InputError(f"records lack gauge {', '.join(missing)}")
    until_s, humps = 60.0 * chosen.window_min, chosen.bank.humps
    if examine:
        places = zip(humps.lon_deg.tolist(), humps.lat_deg.tolist(), strict=True)
        records = examined(records, until_s, list(places))
    chosen = chosen.prepared(records)
    check_senses(chosen, records.senses, of="records")  # type: ignore[arg-type]  # it has all that this looks at
    sampled = records.resample(chosen.times_s, list(chosen.gauges)).to_numpy()
    has = np.isfinite(sampled).any(axis=1)
    notes = notes_on_samples(records, until_s)
    none = f"no sample in the window of {chosen.window_min:g} min"
    reasons = {
        name: ": ".join(filter(None, (none, notes.get(name, ""))))
        for name, some in zip(chosen.gauges, has, strict=True)
        if not some
    }
    if not has.any():
        raise InputError(f"no gauge has a sample in the window: {'; '.join(f'{k}: {v}' for k, v in reasons.items())}")
    of_surface, fault_log_evidence = chosen.posterior(sampled)
    draws, errors = of_surface.draws(count, np.random.default_rng(seed))
    mean, sd = of_surface.moments
    metres = {"units": "m"}
    used = [name for name in chosen.gauges if name not in reasons]
    variables: dict[str, Any] = {
        "elevation": ("hump", mean, metres | {"long_name": "elevation of the sea surface at time zero"}),
        "elevation_sd": ("hump", sd, metres),
        "elevation_quantile": (("quantile", "hump"), np.quantile(draws, QUANTILES, axis=0), metres),
        "elevation_sample": (("sample", "hump"), draws.astype(np.float32), metres),
        "wave_error": (
            "sample",
            np.hypot(chosen.error_shares[errors], chosen.path_error),
            {"units": "1", "long_name": "standard deviation of ln of the error of modelled waves"},
        ),
    }
    coords = {name: chosen.bank.dataset[name] for name in ("hump", "hump_lon", "hump_lat", "hump_area")}
    about = chosen.bank.dataset.attrs
    attributes: dict[str, Any] = {
        "method": chosen.method,
        "window_min": float(chosen.window_min),
        "start_min": 0.0,
        "gauges": " ".join(used),
        **chosen.provenance,
        "centre": about["centre"],
        "half_widths": about["half_widths"],
        "log_evidence": of_surface.log_evidence,
        "samples_left_out": json.dumps({name: note for name, note in notes.items() if name in used}),
    }
    if fault_log_evidence is not None and chosen.fault is not None:
        attributes |= {"fault_log_evidence": fault_log_evidence, "fault_bank": chosen.fault.id}
    dataset = xr.Dataset(variables, coords={**coords, "quantile": list(QUANTILES)}, attrs=attributes)
    return SurfaceEstimate(with_reasons(dataset, records.gauges_left_out | reasons))
