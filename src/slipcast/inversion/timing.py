"""Delays of real waves: half the duration of the rupture, a stretch of all travel times, a shift at each gauge."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from slipcast.errors import InputError
from slipcast.greens.responses import SourceResponses
from slipcast.inversion.estimate import SlipEstimate
from slipcast.inversion.least_squares import LeastSquaresSolver
from slipcast.records import Records

__all__ = ["LARGEST_SHIFT_S", "Timing", "check_half_duration", "fit_timing"]

LARGEST_SHIFT_S = 180.0
"""How far a record is shifted at most, s."""

_SHIFT_STEP_S = 15.0
_STRETCHES = np.arange(0.0, 0.0201, 0.0025)
_ROUNDS = 3
_LONGEST_S = 600.0


@dataclass(frozen=True)
class Timing:
    """Delays of real waves relative to modelled ones.

    Attributes
    ----------
    stretch : float
        By what part all travel times are longer.
    shift_s : dict of str to float
        By how much, s, those to a gauge are longer besides.
    half_duration_s : float
        By how much waves of the rupture are later than those of slip at once, s.
    misfit_before, misfit_after : float
        Share of the variance of the records in the window that least squares leave without and with it.
    """

    stretch: float = 0.0
    shift_s: dict[str, float] = field(default_factory=dict)
    half_duration_s: float = 0.0
    misfit_before: float = math.nan
    misfit_after: float = math.nan

    def applied(self, records: Records) -> Records:
        """Take the delays out of records."""
        shift_s = {name: self._shift(name) for name in records.gauges}
        return records.retimed(stretch=self.stretch, shift_s={name: shift for name, shift in shift_s.items() if shift})

    def noted(self, estimate: SlipEstimate) -> SlipEstimate:
        """Record the delays in an estimate from such records, for its forecasts to put back."""
        about = {"stretch": self.stretch, "shifted": " ".join(self.shift_s), "shift_s": list(self.shift_s.values())}
        about["half_duration_s"] = self.half_duration_s
        return SlipEstimate(estimate.dataset.assign_attrs({key: value for key, value in about.items() if value}))

    @classmethod
    def of(cls, estimate: SlipEstimate) -> Timing:
        """Read the delays that :meth:`noted` recorded; none where there are none."""
        about = estimate.dataset.attrs
        shifts = np.atleast_1d(about.get("shift_s", [])).astype(float).tolist()
        names = str(about.get("shifted", "")).split()
        half_duration_s = float(about.get("half_duration_s", 0.0))
        return cls(float(about.get("stretch", 0.0)), dict(zip(names, shifts, strict=True)), half_duration_s)

    def delayed(self, sea_level_m: np.ndarray, gauge: str, step_s: float) -> np.ndarray:
        """Apply the delays to modelled waves at a gauge, shape (n, n_times), from time zero, the last level held."""
        shift_s = self._shift(gauge)
        if not (self.stretch or shift_s):
            return sea_level_m
        times_s = step_s * np.arange(sea_level_m.shape[-1])
        at_s = (times_s - shift_s) / (1 + self.stretch)
        return np.array([np.interp(at_s, times_s, level) for level in sea_level_m])

    def _shift(self, gauge: str) -> float:
        """Return by how much travel times to a gauge are longer, s, but for the stretch."""
        return self.half_duration_s + self.shift_s.get(gauge, 0.0)


def check_half_duration(half_duration_s: float) -> None:
    """Refuse half a duration that cannot be."""
    if not 0 <= half_duration_s <= _LONGEST_S:
        raise InputError(f"half_duration_s must be in [0, {_LONGEST_S:g}] s, got {half_duration_s:g}")


def fit_timing(
    records: Records,
    bank: SourceResponses,
    *,
    window_min: float | Mapping[str, float],
    gauges: Iterable[str] | None = None,
    stretch: bool = True,
    shifts: bool = False,
    half_duration_s: float = 0.0,
) -> Timing:
    """Find the delays with which least squares explain records best.

    Parameters
    ----------
    records : Records
        Of one event.
    bank : GreensBank or ScenarioSet
        Responses of unit sources.
    window_min : float or mapping of gauge to float
        Minutes after the origin that are to be explained.
    gauges : iterable of str, optional
        By default all of the records.
    stretch, shifts : bool, optional
        What is looked for: a stretch of all travel times within 0 and 2 %, and then a shift at each gauge within three
        minutes.
    half_duration_s : float, optional
        By how much waves are later because the rupture takes time, s, >= 0; known, and not looked for.

    Returns
    -------
    timing : Timing

    Raises
    ------
    InputError
        If neither is looked for, there are several events, a name is unknown, or no gauge has a sample.

    Notes
    -----
    The elastic sea floor, the compression of sea water and dispersion slow waves over an ocean by about 1 % against
    long waves on a rigid Earth (Watada, Kusumoto and Satake 2014, JGR Solid Earth 119, 4287); a bank that counts them
    leaves little to find. A shift of one gauge
    cannot be told from slip that is nearer to it: shifts fit better what they are fitted to, and not always the rest.
    """
    if not (stretch or shifts):
        raise InputError("timing needs stretch or shifts, got neither")
    check_half_duration(half_duration_s)
    records = Records(records.one_event().dataset[["sea_level"]])  # what is known of the tide takes long to retime
    names = records.gauges if gauges is None else list(gauges)
    windows = window_min if isinstance(window_min, Mapping) else dict.fromkeys(names, window_min)
    if not windows:
        raise InputError("window_min must name at least one gauge, got none")
    solver = LeastSquaresSolver(bank.source_response(names, window_min=max(windows.values())))
    matrix = solver.response.to_numpy()

    def misfit(stretch_by: float, shift_s: Mapping[str, float]) -> float:
        retimed = Timing(stretch_by, dict(shift_s), half_duration_s).applied(records)
        retimed = retimed.windowed({name: (-np.inf, end) for name, end in windows.items()})
        observed = retimed.resample(solver.times_s, names).to_numpy()
        left = observed - matrix @ solver.solve(observed)
        variance = np.nansum(observed**2)
        return float(np.nansum(left**2) / variance) if variance else 0.0

    none = dict.fromkeys(names, 0.0)
    before = misfit(0.0, none)
    by, shift_s, best = 0.0, none, before
    if stretch:
        found = {value: misfit(value, none) for value in _STRETCHES.round(6).tolist()}
        by = min(found, key=lambda value: (found[value], abs(value)))
        best = found[by]
    for _ in range(_ROUNDS if shifts else 0):
        previous = dict(shift_s)
        for name in names:
            steps = np.arange(-LARGEST_SHIFT_S, LARGEST_SHIFT_S + 1, _SHIFT_STEP_S).tolist()
            tried = {step: misfit(by, shift_s | {name: step}) for step in steps}
            step = min(tried, key=lambda value: (tried[value], abs(value)))
            shift_s, best = shift_s | {name: step}, tried[step]
        if shift_s == previous:
            break
    shift_s = {name: shift for name, shift in shift_s.items() if shift}
    return Timing(by, shift_s, half_duration_s, misfit_before=before, misfit_after=best)
