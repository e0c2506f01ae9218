"""Evaluation of inversion methods on the same scenarios with the same noise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from slipcast import metrics
from slipcast.errors import InputError, check_kind
from slipcast.evaluation.scoring import Truth, score_method
from slipcast.inversion import Inverter, SamplingInverter, centroid_latitude, magnitude_of_slip
from slipcast.inversion.inverter import check_senses
from slipcast.inversion.least_squares import NOISE_SD_M, LeastSquares
from slipcast.io.summary import Summarised, Summary, shortened
from slipcast.learning.inverters import Network, open_inverter
from slipcast.scenarios.scenario_set import ScenarioSet

if TYPE_CHECKING:
    from slipcast.learning.checkpoint import Checkpoint

__all__ = ["Evaluation", "evaluate", "evaluate_with_baselines"]


@dataclass(frozen=True, repr=False)
class Evaluation(Summarised):
    """Results of methods on a part of a scenario set.

    Attributes
    ----------
    dataset : xarray.Dataset
        ``weights_true(scenario, source)`` and ``weights(method, scenario, source)``, m; ``max_amplitude_true(scenario,
        gauge)`` and ``max_amplitude(method, scenario, gauge)``, m; ``arrival_true`` and ``arrival`` likewise, s;
        ``dart_fit(method, scenario)``, the energy of the noise-free DART records over ``fit_min`` minutes that is
        explained; ``magnitude_true(scenario)``; ``gauge_kind(gauge)``. If a method draws slip that fits (NaN for those
        that do not): ``weights_quantile(method, quantile, scenario, source)`` and ``max_amplitude_quantile(method,
        quantile, scenario, gauge)``, m; ``weights_crps(method, scenario, source)`` and ``max_amplitude_crps(method,
        scenario, gauge)``, the continuous ranked probability score, m; ``weights_pit`` and ``max_amplitude_pit``
        likewise, the randomised probability integral transform.
    """

    dataset: xr.Dataset

    @property
    def methods(self) -> list[str]:
        """Names of the methods, in order."""
        return [str(name) for name in self.dataset["method"].to_numpy()]

    @property
    def forecast_points(self) -> list[str]:
        """Names of the forecast points, in order."""
        kinds = self.dataset["gauge_kind"].to_numpy()
        return [
            str(name) for name, kind in zip(self.dataset["gauge"].to_numpy(), kinds, strict=True) if kind == "forecast"
        ]

    @property
    def darts(self) -> list[str]:
        """Names of the DARTs that the methods used, in order."""
        return self.dataset.attrs["gauges"].split()

    def _summary(self) -> Summary:
        about, sizes = self.dataset.attrs, self.dataset.sizes
        facts = [
            ("scenarios", f"{sizes['scenario']} of the {about.get('split', '')} part"),
            ("unit sources", str(sizes["source"])),
            ("DARTs", shortened(self.darts)),
            ("forecast points", shortened(self.forecast_points)),
        ]
        true = self.dataset["weights_true"].to_numpy()
        error = ((self.dataset["weights"].to_numpy() - true) ** 2).mean(axis=(1, 2)).tolist()
        windows = self.dataset["window_min"].to_numpy().tolist()
        rows = [[name, f"{minutes:g}", f"{value:.3g}"] for name, minutes, value in zip(self.methods, windows, error)]
        return Summary("Evaluation", facts, ["method", "window (min)", "slip MSE (m²)"], rows)

    def max_amplitude_arrays(self) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, list[float | None]]]:
        """Return maximum amplitude at the forecast points, for a scatter plot.

        Returns
        -------
        true : array, shape (n_scenarios, n_points)
            m.
        predicted : dict of method to array of that shape
            m.
        explained_variance : dict of method to list
            One for each point.
        """
        points = self.forecast_points
        return (
            self.dataset["max_amplitude_true"].sel(gauge=points).to_numpy(),
            {
                name: self.dataset["max_amplitude"].sel({"method": name, "gauge": points}).to_numpy()
                for name in self.methods
            },
            {
                name: [self.scores[name]["max_amplitude"][point]["explained_variance"] for point in points]
                for name in self.methods
            },
        )

    def errors(self) -> xr.Dataset:
        """Compute errors scenario by scenario.

        Returns
        -------
        errors : xarray.Dataset
            ``magnitude(method, scenario)``; ``weight_rms(method, scenario)``, m; ``latitude(method, scenario)`` of the
            centroid, degrees north; each found minus true, but for the root mean square. NaN where there is no slip.
            Coordinates ``magnitude_true(scenario)``, ``latitude_true(scenario)``.
        """
        sources = [str(name) for name in self.dataset["source"].to_numpy()]
        true, found = self.dataset["weights_true"].to_numpy(), self.dataset["weights"].to_numpy()
        latitude, dims = centroid_latitude(true, sources), ("method", "scenario")
        magnitude = magnitude_of_slip(found, sources) - self.dataset["magnitude_true"].to_numpy()
        return xr.Dataset(
            {
                "magnitude": (dims, np.where(np.isfinite(magnitude), magnitude, np.nan)),
                "weight_rms": (dims, np.sqrt(np.mean((found - true) ** 2, axis=-1)), {"units": "m"}),
                "latitude": (dims, centroid_latitude(found, sources) - latitude, {"units": "degrees"}),
            },
            coords={
                "method": self.methods,
                "scenario": self.dataset["scenario"],
                "magnitude_true": self.dataset["magnitude_true"],
                "latitude_true": ("scenario", latitude, {"units": "degrees_north"}),
            },
        )

    @cached_property
    def scores(self) -> dict[str, dict]:
        """Scores by method, as plain numbers ready for JSON; None where a score is undefined."""
        return {name: self._scores_of(name) for name in self.methods}

    def _scores_of(self, method: str) -> dict:
        """Compute the scores of one method."""
        data = self.dataset.sel({"method": method})  # a keyword would mean how to look up
        sources = [str(name) for name in data["source"].to_numpy()]
        true, found = data["weights_true"].to_numpy(), data["weights"].to_numpy()
        magnitude = magnitude_of_slip(found, sources)
        error = (magnitude - data["magnitude_true"].to_numpy())[np.isfinite(magnitude)]
        points = {name: self._scores_at(data.sel(gauge=name)) for name in self.forecast_points}
        uncertain = "weights_crps" in data and bool(np.isfinite(data["weights_crps"]).all())
        return {
            "window_min": float(data["window_min"]),
            "weight_mse_m2": metrics.weight_mse(true, found),
            "weight_variance_m2": float(np.var(true)),
            "source_bias_m": dict(zip(sources, metrics.bias(true, found).round(4).tolist())),
            "magnitude_error": {
                "mean": _number(error.mean()) if error.size else None,
                "mean_absolute": _number(np.abs(error).mean()) if error.size else None,
                "without_slip": int(np.sum(~np.isfinite(magnitude))),
            },
            "dart_fit": {
                "median": _number(np.median(data["dart_fit"])),
                "lower_quartile": _number(np.quantile(data["dart_fit"], 0.25)),
            },
            "max_amplitude": points,
            "max_amplitude_mean": {
                key: _number(np.mean([score[key] for score in points.values()]))
                for key in ("explained_variance", "r2")
                if points and all(score[key] is not None for score in points.values())
            },
            "uncertainty": self._scores_of_spread(data) if uncertain else None,
        }

    def _scores_of_spread(self, data: xr.Dataset) -> dict:
        """Compute how well one method knows its own uncertainty."""
        at_points = data.sel(gauge=self.forecast_points)
        true, amplitude = (part.to_numpy() for part in (data["weights_true"], at_points["max_amplitude_true"]))
        slips = true > 0
        scores: dict[str, float | None] = {
            "slip_crps_m": _number(data["weights_crps"].mean()),
            "max_amplitude_crps_m": _number(at_points["max_amplitude_crps"].mean()),
        }
        for share, (low, high) in {"50": (0.25, 0.75), "90": (0.05, 0.95)}.items():
            ends = [data["weights_quantile"].sel(quantile=p).to_numpy() for p in (low, high)]
            scores[f"slip_coverage_{share}"] = _number(metrics.coverage(true, *ends))
            covered = metrics.interval_coverage(data["weights_pit"], int(share) / 100)
            scores[f"slip_randomised_coverage_{share}"] = _number(covered)
            where = [part[slips] for part in (true, *ends)]
            scores[f"slip_coverage_{share}_where_it_slips"] = _number(metrics.coverage(*where))
            ends = [at_points["max_amplitude_quantile"].sel(quantile=p).to_numpy() for p in (low, high)]
            scores[f"max_amplitude_coverage_{share}"] = _number(metrics.coverage(amplitude, *ends))
        return scores

    @staticmethod
    def _scores_at(data: xr.Dataset) -> dict:
        """Compute the scores of one method at one forecast point."""
        true, found = data["max_amplitude_true"].to_numpy(), data["max_amplitude"].to_numpy()
        late = data["arrival"].to_numpy() - data["arrival_true"].to_numpy()
        late = late[np.isfinite(late)]
        return {
            "explained_variance": _number(metrics.explained_variance(true, found)),
            "r2": _number(metrics.r2(true, found)),
            "bias_m": _number(metrics.bias(true, found)),
            "top_decile_bias": _number(metrics.top_decile_bias(true, found)),
            "arrival_error_s": {
                "mean": _number(late.mean()) if late.size else None,
                "mean_absolute": _number(np.abs(late).mean()) if late.size else None,
            },
        }


def evaluate(
    scenarios: ScenarioSet,
    methods: Mapping[str, Inverter | Checkpoint | str | os.PathLike],
    *,
    split: str = "test",
    noise_sd_m: float = 0.005,
    fit_min: float | None = None,
    n_draws: int = 200,
) -> Evaluation:
    """Score methods on a part of a scenario set.

    Parameters
    ----------
    scenarios : ScenarioSet
        With true weights, records and responses of unit sources.
    methods : mapping of str to Inverter, Checkpoint, str or path
        By label; a method, or a model by name or folder. A unit source that one does not know
        counts as one without slip. A :class:`~slipcast.inversion.WaveInverter` is scored by its own waves, others by
        those of unit sources.
    split : {"test", "validation", "train"}, optional
        Which part; choices belong on validation, the test part is for the final word.
    noise_sd_m : float, optional
        Noise on the records that methods see, the same for all, m.
    fit_min : float, optional
        Minutes over which the fit at the DARTs is scored; by default the longest window of the methods.
    n_draws : int, optional
        Draws of slip by which methods that give intervals are scored.

    Returns
    -------
    evaluation : Evaluation

    Raises
    ------
    InputError
        If there is no method, the part is empty, or the set lacks a source of a method.
    """
    check_kind(scenarios, ScenarioSet, "scenarios", "a ScenarioSet")
    check_kind(methods, Mapping, "methods", "a mapping of labels to methods")
    if not methods:
        raise InputError("methods must hold at least one method")
    opened = {label: open_inverter(method) for label, method in methods.items()}
    indices = scenarios.indices(split)
    if not indices.size:
        raise InputError(f"the scenario set has no scenario in its {split} part")
    fit_min = fit_min or max(_window_min(method) for method in opened.values())
    truth = Truth(scenarios, indices)
    n_draws = n_draws if any(isinstance(method, SamplingInverter) for method in opened.values()) else 0
    parts = []
    for method in opened.values():
        if not set(method.gauges) - set(scenarios.gauges):  # else the records say so
            check_senses(method, scenarios.senses, of="the scenario set")
        records = scenarios.load_records(method.gauges, _window_min(method), indices, noise_sd_m=noise_sd_m)
        part = score_method(method, truth, records, fit_min=fit_min, n_draws=n_draws)
        parts.append(part.assign(window_min=_window_min(method)))
    dataset = xr.concat(parts, dim=xr.DataArray(list(methods), dims="method", name="method"))
    return Evaluation(
        dataset.merge(truth.dataset).assign_attrs(
            split=split,
            noise_sd_m=noise_sd_m,
            fit_min=float(fit_min),
            scenarios=scenarios.id,
            gauges=" ".join(dict.fromkeys(name for method in opened.values() for name in method.gauges)),
        )
    )


def evaluate_with_baselines(
    scenarios: ScenarioSet, inverter: Inverter | Checkpoint | str | os.PathLike, *, split: str = "test"
) -> Evaluation:
    """Score a method beside least squares on its window and on the whole of the records of its DARTs.

    Parameters
    ----------
    scenarios : ScenarioSet
        If a network was trained with a split of its own, that one counts.
    inverter : Inverter, Checkpoint, str or path
        The method; a network sees the noise that it was trained with.
    split : {"test", "validation", "train"}, optional
        Which part.

    Returns
    -------
    evaluation : Evaluation
        Methods ``"network"`` (or the name of the method), ``"least squares 45 min"`` and ``"least squares 4 h"``, or as
        long as the windows are.
    """
    method = open_inverter(inverter)
    noise_sd_m = float(getattr(method, "noise_sd_m", NOISE_SD_M))
    if isinstance(method, Network):
        config = method.checkpoint.config
        noise_sd_m = config.noise_sd_m
        if config.split_fractions is not None:
            scenarios = scenarios.with_split(config.split_fractions, config.split_seed)
    hours = [float(scenarios.dataset["gauge_hours"][scenarios.gauges.index(name)]) for name in method.gauges]
    methods: dict[str, Inverter] = {method.method: method}
    for window_min in dict.fromkeys((_window_min(method), 60 * min(hours))):
        whole_hours = window_min >= 120 and window_min % 60 == 0
        length = f"{window_min / 60:g} h" if whole_hours else f"{window_min:g} min"
        methods[f"least squares {length}"] = LeastSquares(scenarios, window_min, gauges=tuple(method.gauges))
    return evaluate(scenarios, methods, split=split, noise_sd_m=noise_sd_m)


def _window_min(method: Inverter) -> float:
    """Return where the window of a method ends, minutes after the origin."""
    return float(method.times_s[-1]) / 60


def _number(value) -> float | None:
    """Turn a score into a plain number, None where it is undefined."""
    number = float(value)
    return round(number, 5) if np.isfinite(number) else None
