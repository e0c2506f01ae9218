"""Forecasts of sea level at gauges from slip, with arrival times and maxima."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from slipcast.errors import InputError, check_kind
from slipcast.forecasting.carrying import Level, carry, respond, with_errors
from slipcast.forecasting.coastal_transfer import CoastalTransfer
from slipcast.forecasting.surface_waves import surface_waves
from slipcast.greens.bank import GreensBank
from slipcast.greens.reciprocity import SAMPLE_S
from slipcast.greens.responses import SourceResponses
from slipcast.greens.surface_bank import SurfaceBank
from slipcast.inversion.estimate import QUANTILES, SlipEstimate, check_probability
from slipcast.inversion.inverter import Inverter, WaveInverter
from slipcast.inversion.restricted import RestrictedPosterior
from slipcast.inversion.surface_estimate import SurfaceEstimate
from slipcast.inversion.timing import Timing
from slipcast.io.identity import require
from slipcast.io.labels import align, one_event, positions_of
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.io.summary import Summarised, Summary, shortened
from slipcast.learning.inverters import open_inverter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Forecast", "arrival_time", "forecast", "wave_draws", "wave_source"]

_ARRIVAL_M = 0.01
_ARRIVAL_FRACTION = 0.05
_MOST_ROWS = 8
_NEEDED = ("sea_level", "max_amplitude", "arrival_time", "max_time", "gauge", "time")
_INTERVALS = ("90 % interval (m)", "the same at the coast (m)")
_FROM_SLIP = ("method", "window_min", "start_min", "region", "gauges", "model")  # what a forecast says of its slip


@dataclass(frozen=True, repr=False)
class Forecast(Summarised):
    """Sea level to come at gauges.

    Attributes
    ----------
    dataset : xarray.Dataset
        ``sea_level([event,] gauge, time)``, what gauges sense, m, NaN after the end of a gauge's run;
        ``max_amplitude([event,] gauge)``, the highest of it, m; ``arrival_time``, of the wave and not of the
        displacement (:func:`arrival_time`), and ``max_time``, s since the origin (NaN where no wave arrives).
        From slip with posterior samples also quantiles: ``sea_level_quantile([event,] quantile, gauge, time)``,
        ``max_amplitude_quantile([event,] quantile, gauge)``, m. Beside offshore points, those in water of 500 m at
        most, the highest wave at the coast: ``coast_height([event,] gauge)``, its median, and
        ``coast_height_quantile([event,] quantile, gauge)``, m, NaN elsewhere
        (:class:`slipcast.forecasting.coastal_transfer.CoastalTransfer`).

    Notes
    -----
    Linear waves over the bank's grid: at an offshore point, not at the coast (``docs/limits.md``).
    """

    dataset: xr.Dataset

    @classmethod
    def open(cls, path: str | os.PathLike) -> Forecast:
        """Read a forecast; InputError if the file is missing, damaged or holds something else."""
        dataset = read_netcdf(path, "forecast")
        require(dataset, _NEEDED, (), f"{path} is an incomplete forecast file")
        return cls(dataset)

    def save(self, path: str | os.PathLike) -> None:
        """Write the forecast as netCDF4, whole or not at all."""
        write_netcdf(self.dataset, Path(path), "forecast")

    def one_event(self) -> Forecast:
        """Return the same without a dimension of events; InputError if there are several."""
        return Forecast(one_event(self.dataset, what="the forecast"))

    @property
    def gauges(self) -> list[str]:
        """Names of the gauges, in order."""
        return [str(name) for name in self.dataset["gauge"].to_numpy()]

    @property
    def sea_level(self) -> xr.DataArray:
        """Sea level, m, dims ([event,] gauge, time)."""
        return self.dataset["sea_level"]

    @property
    def max_amplitude(self) -> xr.DataArray:
        """Highest sea level, m, dims ([event,] gauge)."""
        return self.dataset["max_amplitude"]

    @property
    def arrival_time(self) -> xr.DataArray:
        """First arrival, s since the origin, dims ([event,] gauge)."""
        return self.dataset["arrival_time"]

    def interval(self, probability: float = 0.9, *, of: str = "max_amplitude") -> xr.DataArray:
        """Return the central prediction interval of maxima, of sea level or of heights at the coast.

        Parameters
        ----------
        probability : {0.9, 0.5}, optional
            That the interval holds the truth; a forecast keeps the quantiles of these two alone.
        of : {"max_amplitude", "sea_level", "coast_height"}, optional
            Which of them.

        Returns
        -------
        interval : xarray.DataArray
            m, dims ([event,] bound, gauge) or ([event,] bound, gauge, time), ``bound`` "low" and "high".

        Raises
        ------
        InputError
            If the forecast keeps no such quantiles, is of slip without posterior samples, or ``of`` is unknown.

        Examples
        --------
        >>> quantiles = ("quantile", [0.05, 0.25, 0.5, 0.75, 0.95])
        >>> levels = (("quantile", "gauge"), [[0.1], [0.2], [0.3], [0.4], [0.5]])
        >>> made = Forecast(
        ...     xr.Dataset({"max_amplitude_quantile": levels}, coords={"quantile": quantiles, "gauge": ["newport"]})
        ... )
        >>> made.interval(0.5).sel(gauge="newport").values.tolist()
        [0.2, 0.4]
        """
        if of not in ("max_amplitude", "sea_level", "coast_height"):
            raise InputError(f"of must be max_amplitude, sea_level or coast_height, got {of!r}")
        half = check_probability(probability) / 2
        if f"{of}_quantile" not in self.dataset:
            raise InputError(
                f"method {self.dataset.attrs.get('method', '')!r} gives no posterior samples, so its forecast has no "
                "intervals; methods gaussian and bayes and neural posteriors do"
            )
        quantiles = self.dataset[f"{of}_quantile"]
        kept = quantiles["quantile"].to_numpy()
        places = [np.flatnonzero(np.isclose(kept, end, rtol=0, atol=1e-9)) for end in (0.5 - half, 0.5 + half)]
        if not all(place.size for place in places):
            known = " or ".join(f"{high - low:g}" for low, high in zip(kept, kept[::-1]) if high > low)
            raise InputError(
                f"probability must be {known} (the forecast keeps no other quantiles), got {probability:g}"
            )
        found = quantiles.isel(quantile=[int(place[0]) for place in places]).rename(quantile="bound")
        found = found.assign_coords(bound=["low", "high"]).rename(f"{of}_interval")
        return found.assign_attrs(units="m", probability=float(probability))

    def plot(self, gauge: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the forecast of one event, with its prediction intervals where it has them.

        Parameters
        ----------
        gauge : str, optional
            By :func:`slipcast.plots.plot_prediction_interval` at this gauge; by default by
            :func:`slipcast.plots.plot_forecast` at all, the largest maximum first.
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        ax : Axes

        Raises
        ------
        InputError
            If there are several events, or the gauge is unknown.

        Examples
        --------
        >>> level = (("gauge", "time"), [[0.0, 0.1, 0.3]])
        >>> made = Forecast(xr.Dataset({"sea_level": level}, coords={"gauge": ["newport"], "time": [0.0, 60.0, 120.0]}))
        >>> made.plot("newport").get_ylabel()
        'sea level (m)'
        """
        from slipcast import plots

        one = self.one_event()
        time_s, spread = one.dataset["time"].to_numpy(), "sea_level_quantile" in one.dataset
        if gauge is None:
            return plots.plot_forecast(
                time_s,
                one.sea_level.to_numpy(),
                one.gauges,
                one.max_amplitude.to_numpy(),
                arrival_time_s=one.arrival_time.to_numpy(),
                interval_m=one.interval(of="sea_level").to_numpy() if spread else None,
                max_interval_m=one.interval().to_numpy() if spread else None,
                ax=ax,
            )
        positions_of([gauge], one.gauges, dim="gauge", where="in the forecast")
        here = one.dataset.sel(gauge=gauge)
        return plots.plot_prediction_interval(
            time_s,
            here["sea_level"].to_numpy(),
            here["sea_level_quantile"].to_numpy() if spread else None,
            label="mean" if spread else "forecast",
            window_min=here.attrs.get("window_min"),
            title=f"{gauge}, {here.attrs.get('method', '')}".rstrip(", "),
            ax=ax,
        )

    def _summary(self) -> Summary:
        about, events = self.dataset.attrs, self.dataset.sizes.get("event")
        title = f"Forecast: {about.get('region') or 'no region'}, {len(self.gauges)} gauges"
        last_min = float(self.dataset["time"][-1]) / 60
        facts = [
            ("from", f"{about.get('method', '')}, window to {float(about.get('window_min', 0.0)):g} min"),
            ("to", f"{last_min:g} min after the origin"),
        ]
        if events is not None:
            return Summary(f"{title}, {events} events", [*facts, ("gauges", shortened(self.gauges))])
        columns = ["gauge", "arrival (min)", "highest after (min)", "maximum (m)"]
        spread = self.interval().to_numpy() if "max_amplitude_quantile" in self.dataset else None
        rows = []
        for place in np.argsort(-self.max_amplitude.to_numpy(), kind="stable")[:_MOST_ROWS].tolist():
            arrival = float(self.arrival_time[place]) / 60
            row = [self.gauges[place], f"{arrival:.0f}" if np.isfinite(arrival) else "-"]
            peak = float(self.dataset["max_time"][place]) / 60
            row.append(f"{peak:.0f}" if np.isfinite(peak) else "-")
            row.append(f"{float(self.max_amplitude[place]):.2f}")
            if spread is not None:
                row.append(f"{spread[0, place]:.2f} to {spread[1, place]:.2f}")
                low, high = self.interval(of="coast_height").to_numpy()[:, place]
                row.append(f"{low:.2f} to {high:.2f}" if np.isfinite(high) else "-")
            rows.append(row)
        return Summary(title, facts, [*columns, *(_INTERVALS if spread is not None else [])], rows)


def arrival_time(sea_level_m, time_s, displacement_m=0.0) -> np.ndarray:
    """Find when a wave arrives: the first change from the level after the displacement.

    Parameters
    ----------
    sea_level_m : array, shape (..., n_times)
        What a gauge senses, m; NaN counts as no wave.
    time_s : array, shape (n_times,)
        s.
    displacement_m : float or array, shape (...), optional
        What the gauge senses of the displacement of the floor alone, m: zero far from the source, and for pressure. The
        sea comes to that level as the fault slips; until it has, what lies between zero and it is no wave.

    Returns
    -------
    arrival_s : array, shape (...)
        When the change, up or down, first exceeds 1 cm or 5 % of its own extreme, whichever is more; NaN if never.

    Examples
    --------
    >>> arrival_time(np.array([0.0, 0.005, -0.02, 0.1]), np.array([0.0, 60.0, 120.0, 180.0])).item()
    120.0
    """
    level = np.nan_to_num(sea_level_m)
    displaced = np.broadcast_to(displacement_m, level.shape[:-1])[..., np.newaxis]
    change = np.where(np.isnan(sea_level_m), 0.0, level - displaced)
    outside = level - np.clip(level, np.minimum(displaced, 0.0), np.maximum(displaced, 0.0))
    reached = (np.abs(change) <= _threshold(outside)) | (change * displaced > 0)
    size = np.abs(np.where(np.logical_or.accumulate(reached, axis=-1), change, outside))
    over = size > _threshold(size)
    return np.where(over.any(axis=-1), np.asarray(time_s, dtype=float)[over.argmax(axis=-1)], np.nan)


def _threshold(change_m: np.ndarray) -> np.ndarray:
    """Return the change that is a wave, m, with an axis of length one for time."""
    return np.maximum(_ARRIVAL_M, _ARRIVAL_FRACTION * np.abs(change_m).max(axis=-1, keepdims=True))


def forecast(
    slip: SlipEstimate | SurfaceEstimate,
    waves: SourceResponses | SurfaceBank | Inverter | str | os.PathLike,
    *,
    gauges: Iterable[str] | None = None,
    coast: CoastalTransfer | None = None,
) -> Forecast:
    """Forecast sea level at gauges from slip, or from a sea surface.

    Parameters
    ----------
    slip : SlipEstimate or SurfaceEstimate
        Slip on all or some of the bank's unit sources; where it has none, there is no slip. Its posterior samples, if
        it has any, are carried to the gauges one by one; then sea level and its maximum are the means over the samples.
        Delays that were found with it are put back. A sea surface needs the bank of its humps.
    waves : GreensBank, SurfaceBank, ScenarioSet, Inverter, str or path
        Responses of the sea: a bank's, to draws on subfaults where there are any and to slip on unit sources else, all
        at time zero; the model that drew the slip, or its name or folder, which also knows how late it was, at the
        gauges of its bank; or a method with a bank.
    gauges : iterable of str, optional
        By default all.
    coast : CoastalTransfer, optional
        From maxima at offshore points to heights at the coast; by default ``CoastalTransfer()``.

    Returns
    -------
    forecast : Forecast

    Raises
    ------
    InputError
        If an argument is of a wrong kind, the slip is on a source, or a gauge is asked for, that the bank does not
        have, or the slip is of another model.
    """
    check_kind(slip, (SlipEstimate, SurfaceEstimate), "slip", "a SlipEstimate or SurfaceEstimate")
    if isinstance(gauges, str):
        raise InputError(f"gauges must be a sequence of names, got {gauges!r}")
    wanted = list(gauges) if gauges is not None else None
    lead: tuple[str, ...] = ()
    source: Any = waves
    magnitude = {}
    if isinstance(slip, SurfaceEstimate):
        made = surface_waves(slip, waves, wanted)
    else:
        source = wave_source(waves)
        lead = ("event",) * (slip.slip.ndim - 1)
        made = _waves_of(slip, source, wanted)
        magnitude = {"magnitude": (lead, slip.dataset["magnitude"].to_numpy())}
    draws, levels, time, names, origin, displacement = made
    depth_m = [source.gauge_depth_m[name] for name in names]
    uncertain = slip.samples is not None
    sea_level, carried = carry(draws, levels, lead, len(time), depth_m, coast or CoastalTransfer(), uncertain=uncertain)
    dims = (*lead, "gauge")
    displaced = draws.mean(axis=-2) @ displacement
    arrival = arrival_time(sea_level, time, displaced)
    peak = np.where(np.isnan(arrival), np.nan, time[_no_gap(sea_level).argmax(axis=-1)])
    return Forecast(
        xr.Dataset(
            carried
            | magnitude
            | {
                "sea_level": ((*dims, "time"), sea_level.astype(np.float32), {"units": "m"}),
                "arrival_time": (dims, arrival, {"units": "s", "long_name": "arrival after the earthquake"}),
                "max_time": (
                    dims,
                    peak,
                    {"units": "s", "long_name": "time of the maximum after the earthquake"},
                ),
            },
            coords={
                "gauge": names,
                "gauge_depth": ("gauge", depth_m, {"units": "m", "long_name": "depth of the sea"}),
                "time": ("time", time, {"units": "s"}),
            }
            | ({"quantile": list(QUANTILES)} if uncertain else {}),
            attrs={key: slip.dataset.attrs[key] for key in _FROM_SLIP if key in slip.dataset.attrs} | {"bank": origin},
        )
    )


def wave_source(waves: Any) -> SourceResponses | WaveInverter:
    """Return the source of waves: a bank, a scenario set, or a model with waves of its own.

    Parameters
    ----------
    waves : GreensBank, ScenarioSet, Inverter, str or path
        As :func:`forecast` takes it.

    Returns
    -------
    waves : SourceResponses or WaveInverter

    Raises
    ------
    InputError
        If it is of another kind, or a method that knows neither.
    """
    if hasattr(waves, "source_response"):
        return waves
    inverter = open_inverter(waves, argument="waves", wanted="a bank, an Inverter, or the name or folder of a model")
    if isinstance(inverter, RestrictedPosterior):
        inverter = inverter.posterior
    if isinstance(inverter, WaveInverter):
        return inverter
    bank: Any = getattr(inverter, "bank", None)
    if not hasattr(bank, "source_response"):
        raise InputError(f"a forecast needs a bank; method {inverter.method} knows no waves")
    return bank


def wave_draws(
    slip: SlipEstimate | SurfaceEstimate,
    waves: SourceResponses | SurfaceBank | Inverter | str | os.PathLike,
    gauge: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the wave of each posterior sample at a gauge.

    Parameters
    ----------
    slip : SlipEstimate or SurfaceEstimate
        Of one event; without samples its slip counts as one.
    waves : GreensBank, SurfaceBank, ScenarioSet, Inverter, str or path
        As :func:`forecast` takes it.
    gauge : str
        By name.

    Returns
    -------
    time_s : array, shape (n_times,)
        s since the origin.
    level_m : array, shape (n_samples, n_times)
        What the gauge senses, m: what quantiles of forecasts are made of.

    Raises
    ------
    InputError
        As :func:`forecast`.
    """
    if isinstance(slip, SurfaceEstimate):
        draws, (level,), time_s, *_ = surface_waves(slip, waves, [gauge])
    else:
        draws, (level,), time_s, *_ = _waves_of(slip.one_event(), wave_source(waves), [gauge])
    level_m = level(draws)
    return time_s[: level_m.shape[1]], level_m


def _waves_of(
    slip: SlipEstimate, waves: SourceResponses | WaveInverter, names: list[str] | None
) -> tuple[np.ndarray, list[Level], np.ndarray, list[str], str, np.ndarray]:
    """Return draws, at each gauge what makes waves of them, times, gauges, what waves are from, and displacement."""
    if isinstance(waves, WaveInverter):
        draws, levels, time, names, origin = _from_model(slip, waves, names)
        displacement = np.stack([waves.displacement[name] for name in names], axis=-1)
    else:
        values = align(slip.slip, "source", slip.sources, what="slip").to_numpy()
        response = waves.source_response(names, sources=slip.sources)
        time, names, origin = response["time"].to_numpy(), [str(n) for n in response["gauge"].to_numpy()], waves.id
        draws, levels, displacement = _from_bank(slip, values, waves, response)
    timing = Timing.of(slip)
    levels = [partial(_delayed, level=level, gauge=name, timing=timing) for level, name in zip(levels, names)]
    if "wave_error" in slip.dataset and draws.ndim == 2:
        about = [slip.dataset[name].to_numpy() for name in ("wave_error", "wave_factor", "wave_delay")]
        levels = [partial(with_errors, level=level, gauge=name, about=about) for level, name in zip(levels, names)]
    return draws, levels, time, names, origin, displacement


def _from_model(
    slip: SlipEstimate, model: Any, gauges: list[str] | None
) -> tuple[np.ndarray, list[Level], np.ndarray, list[str], str]:
    """Return the amplitudes that a model drew, what makes waves of them, times, gauges and the model's bank."""
    if "amplitude_sample" not in slip.dataset or slip.dataset.attrs.get("model") != model.id:
        raise InputError(
            f"model {model.id} forecasts the slip that it drew, got slip of "
            f"{slip.dataset.attrs.get('model') or slip.dataset.attrs.get('method')}; give a bank for that"
        )
    found = list(model.waves)
    if gauges is not None and not gauges:
        raise InputError("gauges must name at least one gauge, got none")
    names = [found[i] for i in positions_of(gauges, found, dim="gauge", where=f"in model {model.region}")]
    levels: list[Level] = [partial(model.sea_level, gauge=name) for name in names]
    time = 60.0 * np.arange(max(model.waves[name].shape[1] for name in names))
    return slip.dataset["amplitude_sample"].to_numpy(), levels, time, names, model.bank


def _from_bank(
    slip: SlipEstimate, values: np.ndarray, bank: SourceResponses, response: xr.DataArray
) -> tuple[np.ndarray, list[Level], np.ndarray]:
    """Return draws of slip, or slip alone, at each gauge what makes waves of them, and what makes its displacement."""
    draws, by_gauge = values[..., np.newaxis, :], response.to_numpy()
    if slip.samples is not None:
        draws = align(slip.samples, "source", slip.sources, what="slip").to_numpy()
    if "subfault_sample" in slip.dataset and isinstance(bank, GreensBank):
        of_slip = [name for name in bank.sources if name in set(slip.sources)]
        if slip.sources != of_slip:
            raise InputError(f"draws on subfaults are of other unit sources, or in another order, than bank {bank.id}")
        draws = slip.dataset["subfault_sample"].to_numpy()
        wanted = [place for place, name in enumerate(bank.sources) if name in set(of_slip)]
        subfaults = np.flatnonzero(np.isin(bank.subfaults.source_index, wanted))
        if draws.shape[-1] != subfaults.size:
            raise InputError(f"slip is on {draws.shape[-1]} subfaults, the bank has {subfaults.size} on these sources")
        places = [bank.gauges.index(str(name)) for name in response["gauge"].to_numpy()]
        by_gauge = bank.dataset["response"].to_numpy()[places][..., subfaults]
    levels: list[Level] = [partial(respond, response=one[np.isfinite(one[:, 0])]) for one in by_gauge]
    return draws, levels, np.stack([one[0] for one in by_gauge], axis=-1)


def _delayed(draws: np.ndarray, *, level: Level, gauge: str, timing: Timing) -> np.ndarray:
    """Turn draws into waves at a gauge, as late as real ones."""
    return timing.delayed(level(draws), gauge, SAMPLE_S)


def _no_gap(sea_level: np.ndarray) -> np.ndarray:
    """Replace what is not forecast, for the search of the highest level."""
    return np.where(np.isnan(sea_level), -np.inf, sea_level)
