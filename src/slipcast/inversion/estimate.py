"""Slip estimates: slip on unit sources with magnitude, intervals and provenance."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError, check_kind
from slipcast.io.identity import require
from slipcast.io.labels import one_event, reasons_in
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.io.summary import Summarised, Summary, shortened
from slipcast.physics.moment import moment_magnitude, seismic_moment
from slipcast.physics.unit_sources import unit_source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "QUANTILES",
    "SlipEstimate",
    "centroid_latitude",
    "check_probability",
    "magnitude_of_slip",
    "magnitude_words",
]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Probabilities of the quantiles of a probabilistic result: ends of its 90 % and 50 % intervals, and the median."""

_MOST_ROWS = 5
_MAGNITUDE_DIGITS = 0.01
_OF_WAVES = {"wave_error": 0.0, "wave_factor": 0.0, "wave_delay": -3600.0}  # and the least each may be


def magnitude_of_slip(slip_m, sources: Sequence[str]):
    """Compute the moment magnitude of slip on unit sources.

    Parameters
    ----------
    slip_m : array, shape (..., n_sources)
        Slip, m, >= 0.
    sources : sequence of str
        Names of the unit sources, in order.

    Returns
    -------
    magnitude : array, shape (...)
        Mw; -inf without slip.

    Examples
    --------
    >>> print(f"{magnitude_of_slip([1.0], ['acsza58']):.2f}")
    7.47
    """
    return moment_magnitude(seismic_moment(slip_m, np.array([unit_source(name).area_m2 for name in sources])))


def centroid_latitude(slip_m, sources: Sequence[str]) -> np.ndarray:
    """Compute the latitude of the middle of slip on unit sources, weighted by moment.

    Parameters
    ----------
    slip_m : array, shape (..., n_sources)
        Slip, m, >= 0.
    sources : sequence of str
        Names of the unit sources, in order.

    Returns
    -------
    latitude_deg : array, shape (...)
        Degrees north; NaN without slip.

    Examples
    --------
    >>> print(f"{centroid_latitude([1.0, 1.0], ['acsza58', 'acsza59']):.2f}")
    46.89
    """
    faults = [unit_source(name) for name in sources]
    latitude = np.array([fault.point(0.0, fault.width_m / 2)[1] for fault in faults])
    moment = np.asarray(slip_m, dtype=float) * np.array([fault.area_m2 for fault in faults])
    with np.errstate(invalid="ignore"):
        return (moment @ latitude) / moment.sum(axis=-1)


def check_probability(probability: float) -> float:
    """Return the probability of an interval as a float.

    Raises
    ------
    InputError
        If it is no number in (0, 1).

    Examples
    --------
    >>> check_probability(0.9)
    0.9
    """
    check_kind(probability, (int, float, np.floating), "probability", "a number in (0, 1)")
    if not 0 < probability < 1:
        raise InputError(f"probability must be a number in (0, 1), got {probability:g}")
    return float(probability)


@dataclass(frozen=True, repr=False)
class SlipEstimate(Summarised):
    """Slip on unit sources, of one event or several.

    Attributes
    ----------
    dataset : xarray.Dataset
        ``slip([event,] source)`` m, >= 0; ``magnitude([event])``; attributes ``method``, ``window_min``, ``region``,
        ``model``, ``bank``. From a probabilistic method also ``slip_sample([event,] sample, source)`` m, posterior
        samples; ``slip_sd([event,] source)`` m, ``slip_quantile([event,] quantile, source)`` m and
        ``magnitude_quantile([event,] quantile)`` of these samples. From a neural posterior, the same samples as
        ``subfault_sample([event,] sample, subfault)`` m, slip on the subfaults of the region, and as
        ``amplitude_sample([event,] sample, mode)``, from which the model computes the waves. From a mixture of
        ruptures, ``subfault_sample``; ``wave_error([event,] sample)``: how wrong modelled waves are, as a standard
        deviation of the logarithm, which forecasts add to the spread of their draws; ``wave_factor([event,] sample)``:
        how high waves are over those that the bank makes of the slip; and ``wave_delay([event,] sample)``: by how much
        they are later than those of slip at once, s.

    Examples
    --------
    >>> slip = SlipEstimate.from_slip(
    ...     [2.0, 8.0], ["acsza58", "acszb58"], method="nnls", window_min=45, region="cascadia", gauges=["46404"]
    ... )
    >>> slip
    <SlipEstimate: cascadia, 2 unit sources>
      magnitude  Mw 8.13
      method     nnls
      window     0 to 45 min after the origin
      gauges     46404
      unit source  slip (m)
      acszb58      8.00
      acsza58      2.00
    """

    dataset: xr.Dataset

    @classmethod
    def from_slip(
        cls,
        slip_m,
        sources: Sequence[str],
        *,
        method: str,
        window_min: float,
        region: str,
        start_min: float = 0.0,
        gauges: Sequence[str] = (),
        model: str = "",
        bank: str = "",
        samples_m=None,
        subfault_samples_m=None,
        amplitude_samples=None,
        wave_error=None,
        wave_factor=None,
        wave_delay_s=None,
    ) -> SlipEstimate:
        """Label plain slip.

        Parameters
        ----------
        slip_m : array, shape ([n_events,] n_sources)
            m, >= 0.
        sources : sequence of str
            Names of the unit sources, in order.
        method : str
            How it was found.
        window_min, start_min : float
            End and start of the window used, minutes after the origin.
        region : str
            Name of the region.
        gauges : sequence of str, optional
            Gauges used.
        model, bank : str, optional
            Identity of the checkpoint and of the bank.
        samples_m : array, shape ([n_events,] n_samples, n_sources), optional
            Posterior samples of slip, m, >= 0.
        subfault_samples_m : array, shape ([n_events,] n_samples, n_subfaults), optional
            The same samples on subfaults, m.
        amplitude_samples : array, shape ([n_events,] n_samples, n_modes), optional
            The same samples as the model's amplitudes.
        wave_error : array, shape ([n_events,] n_samples), optional
            For each sample: standard deviation of the logarithm of what modelled waves are wrong by.
        wave_factor : array, shape ([n_events,] n_samples), optional
            For each sample: how high its waves are over those that the bank makes of it.
        wave_delay_s : array, shape ([n_events,] n_samples), optional
            For each sample: by how much its waves are later than those of slip at once, s.

        Returns
        -------
        estimate : SlipEstimate

        Raises
        ------
        InputError
            If a slip is negative or not finite, or the number of sources or events differs.
        """
        slip = np.asarray(slip_m, dtype=float)
        if slip.shape[-1] != len(sources):
            raise InputError(f"slip_m must have {len(sources)} sources, got {slip.shape[-1]}")
        lead = ("event",) * (slip.ndim - 1)
        variables = {
            "slip": ((*lead, "source"), slip, {"units": "m"}),
            "magnitude": (lead, magnitude_of_slip(slip, sources), {"units": "1", "long_name": "Mw"}),
        }
        coords: dict[str, Any] = {"source": list(sources)}
        if samples_m is not None:
            variables |= _spread(np.asarray(samples_m, dtype=float), slip.shape, lead, sources)
            coords["quantile"] = list(QUANTILES)
        for name, of_what, draws in (("subfault", "m", subfault_samples_m), ("amplitude", "1", amplitude_samples)):
            if draws is not None:
                dims = (*lead, "sample", "subfault" if name == "subfault" else "mode")
                variables[f"{name}_sample"] = (dims, np.asarray(draws, dtype=np.float32), {"units": of_what})
        for name, unit, told, values in (
            ("wave_error", "1", "standard deviation of ln of the error of modelled waves", wave_error),
            ("wave_factor", "1", "how high waves are over those that the bank makes of the slip", wave_factor),
            ("wave_delay", "s", "by how much waves are later than those of slip at once", wave_delay_s),
        ):
            if values is not None:
                about = {"units": unit, "long_name": told}
                variables[name] = ((*lead, "sample"), np.asarray(values, dtype=float), about)
        return cls(
            xr.Dataset(
                variables,
                coords=coords,
                attrs={
                    "method": method,
                    "window_min": float(window_min),
                    "start_min": float(start_min),
                    "region": region,
                    "gauges": " ".join(gauges),
                    "model": model,
                    "bank": bank,
                },
            )
        )

    @classmethod
    def open(cls, path: str | os.PathLike) -> SlipEstimate:
        """Read a slip estimate; InputError if the file is missing, damaged or holds something else.

        One that another program wrote, with ``slip([event,] source)`` alone, gets its magnitude; where it has one, it
        must be that of the slip.
        """
        dataset = read_netcdf(path, "slip", check=_check_magnitude)
        _check_form(dataset, Path(path))
        if "magnitude" in dataset:
            return cls(dataset)
        slip, sources = dataset["slip"], [str(name) for name in dataset["source"].to_numpy()]
        magnitude = (slip.dims[:-1], magnitude_of_slip(slip.to_numpy(), sources), {"units": "1", "long_name": "Mw"})
        return cls(dataset.assign(magnitude=magnitude))

    def save(self, path: str | os.PathLike) -> None:
        """Write the estimate as netCDF4, whole or not at all."""
        write_netcdf(self.dataset, Path(path), "slip")

    def one_event(self) -> SlipEstimate:
        """Return the same without a dimension of events; InputError if there are several."""
        return SlipEstimate(one_event(self.dataset, what="the slip estimate"))

    @property
    def slip(self) -> xr.DataArray:
        """Slip, m, dims ([event,] source)."""
        return self.dataset["slip"]

    @property
    def sources(self) -> list[str]:
        """Names of the unit sources, in order."""
        return [str(name) for name in self.dataset["source"].to_numpy()]

    @property
    def magnitude(self):
        """Moment magnitude: a float for one event, an array for several; -inf without slip."""
        values = self.dataset["magnitude"].to_numpy()
        return float(values) if values.ndim == 0 else values

    @property
    def gauges_left_out(self) -> dict[str, str]:
        """Gauges of the records that were not used, and why."""
        return reasons_in(self.dataset)

    @property
    def samples(self) -> xr.DataArray | None:
        """Posterior samples of slip, m, dims ([event,] sample, source); None if the method has none."""
        return self.dataset.get("slip_sample")

    @property
    def put_aside(self) -> dict[str, float]:
        """Gauges that were left out, and by how many standard deviations the record of each contradicts the others."""
        parts = (part.rpartition("=") for part in str(self.dataset.attrs.get("put_aside", "")).split())
        return {name: float(by) for name, _, by in parts}

    @property
    def samples_left_out(self) -> dict[str, str]:
        """What was left out of the records of gauges that were used: samples, with the test, and steps."""
        notes = json.loads(self.dataset.attrs.get("samples_left_out", "{}"))
        return {str(name): str(note) for name, note in notes.items()}

    @property
    def explained(self) -> dict[str, float]:
        """Which share of the record of each gauge the slip explains, at most 1; NaN where it has seen no wave."""
        shares = json.loads(self.dataset.attrs.get("explained", "{}"))
        return {str(name): float("nan") if share is None else float(share) for name, share in shares.items()}

    @property
    def note(self) -> str:
        """How it stands to the first magnitude of the event, in words; empty if that says nothing."""
        return str(self.dataset.attrs.get("note", ""))

    def interval(self, probability: float = 0.9) -> xr.DataArray:
        """Compute the central interval of slip.

        Parameters
        ----------
        probability : float, optional
            That the interval holds the slip, in (0, 1).

        Returns
        -------
        interval : xarray.DataArray
            m, dims ([event,] bound, source), ``bound`` "low" and "high".

        Raises
        ------
        InputError
            If the probability is not in (0, 1), or the method gives no posterior samples.

        Examples
        --------
        >>> slip = SlipEstimate.from_slip(
        ...     [2.0], ["acsza58"], method="gaussian", window_min=45, region="cascadia", samples_m=[[1.0], [2.0], [3.0]]
        ... )
        >>> slip.interval(0.5).sel(source="acsza58").values.tolist()
        [1.5, 2.5]
        """
        samples, ends = self._samples_and_ends(probability)
        found = samples.astype(float).quantile(ends, dim="sample").rename(quantile="bound")
        found = found.assign_coords(bound=["low", "high"]).transpose(..., "bound", "source")
        return found.rename("slip_interval").assign_attrs(units="m", probability=float(probability))

    def magnitude_interval(self, probability: float = 0.9) -> tuple[Any, Any]:
        """Compute the central interval of the moment magnitude.

        Parameters
        ----------
        probability : float, optional
            That the interval holds the magnitude, in (0, 1).

        Returns
        -------
        low, high : float, or array of shape (n_events,) for several events
            Mw; each is the magnitude of a posterior sample (the next lower one), -inf where that has no slip.

        Raises
        ------
        InputError
            If the probability is not in (0, 1), or the method gives no posterior samples.

        Examples
        --------
        >>> slip = SlipEstimate.from_slip(
        ...     [2.0], ["acsza58"], method="gaussian", window_min=45, region="cascadia", samples_m=[[1.0], [2.0], [3.0]]
        ... )
        >>> print("{:.2f} to {:.2f}".format(*slip.magnitude_interval(0.9)))
        7.47 to 7.67
        """
        samples, ends = self._samples_and_ends(probability)
        magnitude = magnitude_of_slip(samples.transpose(..., "sample", "source").to_numpy().astype(float), self.sources)
        low, high = np.quantile(magnitude, ends, axis=-1, method="lower")
        return (float(low), float(high)) if magnitude.ndim == 1 else (low, high)

    def _samples_and_ends(self, probability: float) -> tuple[xr.DataArray, list[float]]:
        """Return the posterior samples, and which quantiles are the ends of an interval."""
        half = check_probability(probability) / 2
        if self.samples is None:
            raise InputError(
                f"method {self.dataset.attrs.get('method', '')!r} gives no posterior samples, so no intervals; methods "
                "gaussian and bayes and neural posteriors do"
            )
        return self.samples, [round(0.5 - half, 12), round(0.5 + half, 12)]

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the slip of one event as a map (:func:`slipcast.plots.plot_slip`).

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        ax : Axes

        Raises
        ------
        InputError
            If there are several events.

        Examples
        --------
        >>> slip = SlipEstimate.from_slip([2.0], ["acsza58"], method="nnls", window_min=45, region="cascadia")
        >>> slip.plot().get_title()
        'cascadia, nnls: $M_w$ 7.67'
        """
        from slipcast import plots

        one = self.one_event()
        subtitle = _magnitude_interval_words(one.dataset)
        title = ", ".join(filter(None, (one.dataset.attrs.get("region"), one.dataset.attrs.get("method"))))
        return plots.plot_slip(
            one.sources, one.slip.to_numpy(), magnitude=one.magnitude, title=title, subtitle=subtitle, ax=ax
        )

    def _summary(self) -> Summary:
        about, events = self.dataset.attrs, self.dataset.sizes.get("event")
        title = f"SlipEstimate: {about.get('region') or 'no region'}, {len(self.sources)} unit sources"
        start, end = (f"{float(about.get(name, 0.0)):g}" for name in ("start_min", "window_min"))
        facts = [
            ("method", str(about.get("method", ""))),
            ("window", f"{start} to {end} min after the origin"),
            ("gauges", shortened(str(about.get("gauges", "")).split())),
            *([("left out", shortened(list(self.gauges_left_out)))] if self.gauges_left_out else []),
            *([("samples left out of", shortened(list(self.samples_left_out)))] if self.samples_left_out else []),
        ]
        if events is None:
            return Summary(
                title,
                [("magnitude", magnitude_words(self.dataset)), *facts],
                ["unit source", "slip (m)", *(["90 % interval (m)"] if self.samples is not None else [])],
                _largest_slips(self.dataset),
            )
        rows = [[str(i), magnitude_words(self.dataset.isel(event=i))] for i in range(min(events, _MOST_ROWS))]
        return Summary(f"{title}, {events} events", facts, ["event", "magnitude"], rows)


def _check_form(dataset: xr.Dataset, path: Path) -> None:
    """Refuse what has no slip on known unit sources."""
    require(dataset, ("slip", "source"), (), f"{path} is an incomplete slip file")
    dims = dataset["slip"].dims
    if dims not in (("source",), ("event", "source")):
        raise InputError(f"{path}: slip must have dimensions ([event,] source), got {dims}")
    if any(name in dataset for name in _OF_WAVES):
        require(dataset, (*_OF_WAVES, "slip_sample"), (), f"{path} is an incomplete slip file")
        for name, least in _OF_WAVES.items():
            values = dataset[name].to_numpy()
            if dataset[name].dims != dataset["slip_sample"].dims[:-1] or not (values >= least).all():
                raise InputError(f"{path}: {name} must be a number >= {least:g} for each sample")
    for name in dataset["source"].to_numpy():
        try:
            unit_source(str(name))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


def _check_magnitude(dataset: xr.Dataset, path: Path) -> None:
    """Refuse a magnitude that is not that of the slip."""
    _check_form(dataset, path)
    if "magnitude" not in dataset:
        return
    found = dataset["magnitude"].to_numpy()
    own = magnitude_of_slip(dataset["slip"].to_numpy(), [str(name) for name in dataset["source"].to_numpy()])
    if found.shape != own.shape or not np.isclose(found, own, rtol=0, atol=_MAGNITUDE_DIGITS, equal_nan=True).all():
        raise InputError(f"{path} is damaged: its magnitude {found} is not that of its slip, {np.round(own, 2)}")


def magnitude_words(dataset: xr.Dataset) -> str:
    """Word the magnitude of one event, with its 90 % interval where there is one.

    Parameters
    ----------
    dataset : xarray.Dataset
        With ``magnitude()``, -inf or NaN without slip, and perhaps ``magnitude_quantile(quantile)``.

    Returns
    -------
    words : str

    Examples
    --------
    >>> magnitude_words(xr.Dataset({"magnitude": 8.5, "magnitude_quantile": ("quantile", [8.4, 8.5, 8.62])}))
    'Mw 8.50 (90 %: 8.40 to 8.62)'
    """
    magnitude, interval = float(dataset["magnitude"]), _magnitude_interval_words(dataset)
    if not np.isfinite(magnitude):
        return "no slip"
    return f"Mw {magnitude:.2f}" + (f" ({interval})" if interval else "")


def _magnitude_interval_words(dataset: xr.Dataset) -> str:
    """Word the 90 % interval of the magnitude of one event; empty where there is none."""
    if "magnitude_quantile" not in dataset:
        return ""
    ends = dataset["magnitude_quantile"].to_numpy()[[0, -1]]
    return "90 %: " + " to ".join(f"{end:.2f}" if np.isfinite(end) else "no slip" for end in ends)


def _largest_slips(dataset: xr.Dataset) -> list[list[str]]:
    """Tabulate the largest slips of one event, with the 90 % interval where there is one."""
    slip, rows = dataset["slip"].to_numpy(), []
    for place in np.argsort(-slip, kind="stable")[:_MOST_ROWS].tolist():
        row = [str(dataset["source"].to_numpy()[place]), f"{slip[place]:.2f}"]
        if "slip_quantile" in dataset:
            low, high = dataset["slip_quantile"].to_numpy()[[0, -1], place]
            row.append(f"{low:.2f} to {high:.2f}")
        rows.append(row)
    return rows


def _spread(samples: np.ndarray, shape: tuple[int, ...], lead: tuple[str, ...], sources: Sequence[str]) -> dict:
    """Summarise posterior samples of slip as variables of a dataset."""
    if samples.ndim != len(shape) + 1 or (*samples.shape[:-2], samples.shape[-1]) != shape:
        expected = ", ".join(str(size) for size in (*shape[:-1], "n_samples", shape[-1]))
        raise InputError(f"samples_m must have shape ({expected}), got {samples.shape}")
    magnitude = np.quantile(magnitude_of_slip(samples, sources), QUANTILES, axis=-1, method="lower")
    return {
        "slip_sample": ((*lead, "sample", "source"), samples.astype(np.float32), {"units": "m"}),
        "slip_sd": ((*lead, "source"), samples.std(axis=-2), {"units": "m"}),
        "slip_quantile": (
            (*lead, "quantile", "source"),
            np.moveaxis(np.quantile(samples, QUANTILES, axis=-2), 0, -2),
            {"units": "m"},
        ),
        "magnitude_quantile": ((*lead, "quantile"), np.moveaxis(magnitude, 0, -1), {"units": "1", "long_name": "Mw"}),
    }
