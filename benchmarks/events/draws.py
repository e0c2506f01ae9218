"""Draws of waves at gauges: of an inversion, or of ruptures that a first bulletin allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.events.event import Event
from slipcast.errors import InputError
from slipcast.forecasting.forecast import wave_draws
from slipcast.greens.bank import GreensBank
from slipcast.inversion.candidates import candidate_sources, reached_sources
from slipcast.inversion.first_magnitude import FirstMagnitude
from slipcast.physics.ruptures import Rupture, RuptureGenerator
from slipcast.scenarios.kinematics import KinematicResponse

__all__ = ["Ensemble", "at_times", "draw_ensemble", "misfit_of", "wave_draws"]

_SMALLEST_MW = 6.0
_LARGEST_MW = 9.6
_BATCH = 250
_TRIES = 200


@dataclass(frozen=True)
class Ensemble:
    """Ruptures that fit a first bulletin, and their waves at times of records.

    Attributes
    ----------
    magnitude : array, shape (n_draws,)
        Mw.
    time_s : dict of str to array
        Times by gauge, s since the origin.
    level_m : dict of str to array, shape (n_draws, n_times)
        Waves at these times, m, float32.
    """

    magnitude: np.ndarray
    time_s: dict[str, np.ndarray] = field(default_factory=dict)
    level_m: dict[str, np.ndarray] = field(default_factory=dict)


def draw_ensemble(
    event: Event,
    bank: GreensBank,
    time_s: dict[str, np.ndarray],
    *,
    count: int,
    rng: np.random.Generator,
) -> Ensemble:
    """Draw ruptures by first magnitude and epicentre alone, and their waves.

    Parameters
    ----------
    event : Event
        Says both.
    bank : GreensBank
        With its gauges.
    time_s : dict of str to array
        By gauge, s since the origin.
    count : int
        Draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ensemble : Ensemble
        Magnitudes as likely as the first one makes them (:meth:`FirstMagnitude.quantiles`); a rupture is drawn anew
        until it lies on unit sources that one of its magnitude can reach from the epicentre.
    """
    reach = _Reach(event, bank)
    last_min = float(np.ceil(max(at_s[-1] for at_s in time_s.values()) / 60))
    near = bank.with_sources(reach.sources).with_window(list(time_s), last_min)
    generator = RuptureGenerator(near.subfaults)
    waves = KinematicResponse.of(near)
    magnitudes: list[float] = []
    parts: dict[str, list[np.ndarray]] = {gauge: [] for gauge in time_s}
    while len(magnitudes) < count:
        batch = [_draw(generator, reach, event, rng) for _ in range(min(_BATCH, count - len(magnitudes)))]
        records = waves.records(
            np.stack([rupture.slip_m for rupture in batch]),
            np.stack([rupture.onset_s for rupture in batch]),
            [rupture.rise_time_s for rupture in batch],
        )
        for gauge, at_s in time_s.items():
            parts[gauge].append(at_times(near.time_s, records[:, near.gauges.index(gauge)], at_s).astype(np.float32))
        magnitudes += [rupture.magnitude for rupture in batch]
    levels = {gauge: np.concatenate(part) for gauge, part in parts.items()}
    return Ensemble(np.array(magnitudes), dict(time_s), levels)


def at_times(time_s: np.ndarray, level_m: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Interpolate waves, shape (n, n_times), to other times, linearly; NaN beyond their end."""
    known = np.isfinite(level_m[0])
    time_s, level_m = time_s[known], level_m[:, known]
    place = np.clip(np.searchsorted(time_s, at_s, side="right") - 1, 0, len(time_s) - 2)
    part = (at_s - time_s[place]) / (time_s[place + 1] - time_s[place])
    found = level_m[:, place] * (1 - part) + level_m[:, place + 1] * part
    return np.where((at_s >= time_s[0]) & (at_s <= time_s[-1]), found, np.nan)


class _Reach:
    """Unit sources that earthquakes of a magnitude reach from the epicentre, as subfaults."""

    def __init__(self, event: Event, bank: GreensBank):
        largest = min(FirstMagnitude(event.first_magnitude).largest, _LARGEST_MW)
        self.sources = candidate_sources(bank.sources, event.epicentre, largest)
        self._event, self._subfaults = event, bank.with_sources(self.sources).subfaults
        self._kept: dict[float, np.ndarray] = {}

    def subfaults_of(self, magnitude: float) -> np.ndarray:
        """Tell of each subfault whether an earthquake of a magnitude, rounded up to 0.05, reaches it."""
        level = float(np.ceil(20 * np.clip(magnitude, _SMALLEST_MW, _LARGEST_MW - 0.01)) / 20)
        if level not in self._kept:
            try:
                names = reached_sources(self.sources, self._event.epicentre, min(level, _LARGEST_MW))
            except InputError:  # none is as near
                names = []
            near = np.isin(self.sources, names)
            self._kept[level] = near[self._subfaults.source_index]
        return self._kept[level]


def _draw(generator: RuptureGenerator, reach: _Reach, event: Event, rng: np.random.Generator) -> Rupture:
    """Draw a rupture that the first bulletin allows."""
    first = FirstMagnitude(event.first_magnitude)
    for _ in range(_TRIES):
        magnitude = float(np.clip(first.quantiles(rng.uniform()), _SMALLEST_MW, _LARGEST_MW))
        allowed = reach.subfaults_of(magnitude)
        if not allowed.any():
            continue
        for _ in range(_TRIES):  # the magnitude stays, so that rejection does not favour large ones
            try:
                rupture = generator.draw(rng, magnitude=magnitude)
            except InputError:  # the fault is too small for it
                break
            if not (rupture.slip_m > 0)[~allowed].any():
                return rupture
    raise InputError(f"event {event.name}: no rupture of its first magnitude fits on the unit sources")


def misfit_of(level_m: Sequence[np.ndarray], observed_m: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sum of squares that waves of each draw leave of records, gauge by gauge, shape (n_draws,)."""
    parts = [np.square(level - observed).sum(axis=1) for level, observed in zip(level_m, observed_m, strict=True)]
    return np.sum(parts, axis=0)
