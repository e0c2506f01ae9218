"""Scores of every method and test set as the numbers of the tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.accuracy.cases import MAIN, Case, Cases
from benchmarks.accuracy.methods import LABELS, Methods
from benchmarks.accuracy.parts import HEADLINE, Part
from slipcast.evaluation.bootstrap import Scores, ratio, resample_counts, scores_of, stated
from slipcast.metrics import interval_coverage, weight_mse

__all__ = ["BY_MAGNITUDE", "MAGNITUDE_BINS", "RATIOS", "SHIFTED", "WITHOUT", "Tables"]

MAGNITUDE_BINS = ((7.8, 8.2), (8.2, 8.6), (8.6, 9.0), (9.0, 9.2))
"""Ranges of Mw that are scored apart."""

RATIOS = ("weight_mse_m2", "max_amplitude_mse_m2", "slip_width_90_m", "max_amplitude_width_90_m")
"""Scores whose ratio to those on the main set is reported."""

WITHOUT = ("weight_mse_m2", "max_amplitude_explained_variance", "slip_coverage_90", "max_amplitude_coverage_90")
"""Scores that are reported where a DART is missing."""

BY_MAGNITUDE = (*WITHOUT, "magnitude_error_absolute", "max_amplitude_bias_m")
"""Scores that are reported by magnitude."""

SHIFTED = (*RATIOS[:2], *(f"{what}_coverage_{share}" for what in ("slip", "max_amplitude") for share in (50, 90)))
"""Scores that are reported of shifted sets, their ratios to those on the main set besides."""

_LEAST_IN_BIN = 5
_NOMINAL = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2).tolist())


class Tables:
    """Scores of all parts of a benchmark, as they come in."""

    def __init__(self, methods: Methods, cases: Cases):
        self.methods, self.cases = methods, cases
        self.scores: dict[Part, Scores] = {}
        self._reference: dict[str, Scores] = {}
        self._by_magnitude: dict[str, dict[str, Any]] = {}
        self._reliability: dict[str, dict[str, list[float]]] = {}
        self._first_weights: dict[str, np.ndarray] = {}
        self._variance: dict[str, float] = {}
        self._variance_count: dict[str, int] = {}
        self._counts: dict[int, np.ndarray] = {}

    def add(self, part: Part, scored: xr.Dataset, truth: xr.Dataset) -> None:
        """Take up what a method made of a set, with the truth."""
        config = self.methods.config
        self.scores[part] = self._scores(scored, truth)
        if truth.sizes["scenario"] > self._variance_count.get(part.case, 0):
            self._variance_count[part.case] = truth.sizes["scenario"]
            self._variance[part.case] = float(truth["weights_true"].var())
        if truth.sizes["scenario"] >= config.other_count:
            self._first_weights[part.case] = truth["weights_true"].to_numpy()[: config.other_count]
        if part.case != MAIN or part.without:
            return
        if part.method == "sampler":
            self._reliability[f"{part.window_min:g}"] = _reliability(scored, truth)
        if part.window_min == config.table_window_min:
            first = slice(0, config.other_count)
            self._reference[part.method] = self._scores(scored.isel(scenario=first), truth.isel(scenario=first))
            self._add_magnitudes(part.method, scored, truth)

    def _scores(self, scored: xr.Dataset, truth: xr.Dataset) -> Scores:
        """Compute scores with resamples that depend on the number of scenarios alone."""
        count, config = truth.sizes["scenario"], self.methods.config
        if count not in self._counts:
            self._counts[count] = resample_counts(count, config.resamples, config.seed)
        return scores_of(scored, truth, self._counts[count])

    def _add_magnitudes(self, method: str, scored: xr.Dataset, truth: xr.Dataset) -> None:
        """Score a method on the events of each range of magnitude."""
        magnitude = truth["magnitude_true"].to_numpy()
        for low, high in MAGNITUDE_BINS:
            within = np.flatnonzero((magnitude >= low) & (magnitude < high))
            if within.size >= _LEAST_IN_BIN:
                found = self._scores(scored.isel(scenario=within), truth.isel(scenario=within))
                of_bin = self._by_magnitude.setdefault(f"{low} to {high}", {})
                of_bin[method] = {"count": int(within.size)} | _stated(found, BY_MAGNITUDE)

    def about(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """Say what the scores are of."""
        return {**more, "gauges": self.methods.gauges, "labels": dict(LABELS), "counts": self._count_by_method()}

    def results(self) -> dict[str, Any]:
        """Put all scores but those over several test sets into one structure for JSON."""
        config = self.methods.config
        return {
            "slip_variance_m2": round(self._variance[MAIN], 4),
            "windows": self._windows(""),
            "without": {name: found for name in self.methods.gauges if (found := self._windows(name))},
            "by_magnitude": self._by_magnitude,
            "shifted": {
                name: {"label": case.label} | self._shifted(case)
                for name, case in self.cases.all.items()
                if name != MAIN
            },
            "target_mse_m2": weight_mse(self._first_weights[MAIN], self._first_weights["target"]),
            "reliability": {
                "nominal": list(_NOMINAL),
                "windows": dict(sorted(self._reliability.items(), key=lambda item: float(item[0]))),
            },
            "ratios": self._ratios(config.table_window_min),
        }

    def _count_by_method(self) -> dict[str, int]:
        """Return how many scenarios of the main set each method is scored on, and all where a DART is missing."""
        config = self.methods.config
        counts = {name: config.bayes_count if name == "bayes" else config.count for name in LABELS}
        return counts | {"without": config.other_count}

    def _windows(self, without: str) -> dict[str, dict[str, Any]]:
        """State the scores on the main set, by window and method."""
        found: dict[str, dict[str, Any]] = {}
        for part in sorted(self.scores, key=lambda part: (part.window_min, list(LABELS).index(part.method))):
            if part.case == MAIN and part.without == without:
                found.setdefault(f"{part.window_min:g}", {})[part.method] = _stated(
                    self.scores[part], WITHOUT if without else None
                )
        return found

    def _shifted(self, case: Case) -> dict[str, Any]:
        """State the scores on a shifted set, and how they compare with those on the main set."""
        window_min = self.methods.config.table_window_min
        methods = {}
        for part, scores in self.scores.items():
            if part.case == case.name:
                main = (
                    self._reference if case.paired else {part.method: self.scores[Part(MAIN, part.method, window_min)]}
                )
                ratios = {
                    f"{key}_ratio": stated(ratio(scores[key], main[part.method][key]))
                    for key in RATIOS
                    if key in scores
                }
                methods[part.method] = _stated(scores, SHIFTED) | ratios
        return {"slip_variance_m2": round(self._variance[case.name], 4), "methods": methods}

    def headline(self) -> dict[str, dict[str, Any]]:
        """State the scores of each test set that is in distribution, by window and method: their mean and spread."""
        config, found = self.methods.config, {}
        names = [MAIN, *self.cases.repeats]
        for window_min in config.headline_windows_min:
            of_window: dict[str, dict[str, Any]] = {}
            for method in HEADLINE:
                sets = [self.scores.get(Part(name, method, window_min)) for name in names]
                if not any(scores is None for scores in sets):
                    of_window[method] = _over_sets(sets)
            own = [self.scores[Part(name, "sampler", window_min)] for name in names]
            for other in of_window.keys() - {"sampler"}:
                for key in ("weight_mse_m2", "max_amplitude_mse_m2"):
                    shares = [
                        scores[key][0] / self.scores[Part(name, other, window_min)][key][0]
                        for name, scores in zip(names, own, strict=True)
                    ]
                    of_window["sampler"][f"{key}_of_{other}"] = _spread(shares)
            found[f"{window_min:g}"] = of_window
        return found

    def _ratios(self, window_min: float) -> dict[str, Any]:
        """State the errors of the neural posterior as shares of those of others, resample by resample."""
        own = self.scores[Part(MAIN, "sampler", window_min)]
        return {
            f"{key}_of_{name}": stated(ratio(own[key], other[key]))
            for name in ("network", "linear", "gaussian")
            if (other := self.scores.get(Part(MAIN, name, window_min))) is not None
            for key in ("weight_mse_m2", "max_amplitude_mse_m2")
        }


def _over_sets(sets: Sequence[Scores]) -> dict[str, Any]:
    """State the mean and the spread of all scores of a method over test sets."""
    return {name: _spread([scores[name][0] for scores in sets]) for name in sets[0]}


def _spread(values: Sequence[float]) -> dict[str, Any]:
    """State the mean of values, their standard deviation (None of one), and the values."""
    rounded = [float(f"{value:.5g}") for value in values]
    if not np.isfinite(values).all():
        return {"mean": None, "sd": None, "sets": [value if np.isfinite(value) else None for value in rounded]}
    sd = float(f"{np.std(values, ddof=1):.3g}") if len(values) > 1 else None
    return {"mean": float(f"{np.mean(values):.5g}"), "sd": sd, "sets": rounded}


def _stated(scores: Scores, names: Collection[str] | None = None) -> dict[str, Any]:
    """State scores of a method: some of them, or all."""
    return {name: stated(score) for name, score in scores.items() if names is None or name in names}


def _reliability(scored: xr.Dataset, truth: xr.Dataset) -> dict[str, list[float]]:
    """Compute how often central intervals of every share hold the truth, of slip and of maxima at forecast points."""
    points = truth["gauge"].to_numpy()[truth["gauge_kind"].to_numpy() == "forecast"]
    pits = {"slip": scored["weights_pit"], "max_amplitude": scored["max_amplitude_pit"].sel(gauge=points)}
    return {name: [round(interval_coverage(pit, share), 4) for share in _NOMINAL] for name, pit in pits.items()}
