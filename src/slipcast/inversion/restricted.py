"""Posteriors restricted to fewer gauges or a shorter window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from slipcast.errors import InputError
from slipcast.inversion.inverter import (
    Gaps,
    PreparedInverter,
    WaveInverter,
    longest_window_min,
    provenance_of,
    recorded_gauges,
    window_range_min,
)
from slipcast.io.labels import positions_of
from slipcast.records import Records

__all__ = ["RestrictedPosterior"]


@dataclass(frozen=True)
class RestrictedPosterior:
    """A posterior for part of the samples that it takes; the others are NaN to it.

    Attributes
    ----------
    posterior : WaveInverter
        Of any samples of its gauges and window.
    window_min : float, optional
        Minutes after the origin that it is given, at most its own window; by default that.
    gauges : sequence of str, optional
        Gauges that it is given, in the order of the records; by default all of its own.

    Raises
    ------
    InputError
        If the window holds no sample, is shorter or longer than any that the posterior knows, or a gauge is unknown.
    """

    posterior: WaveInverter
    window_min: float = float("nan")
    gauges: Sequence[str] = ()

    def __post_init__(self):
        longest = longest_window_min(self.posterior)
        if np.isnan(self.window_min):
            object.__setattr__(self, "window_min", longest)
        if not 0 < self.window_min <= longest or not self.times_s.size:
            raise InputError(f"window_min must be in (0, {longest:g}] and hold a sample, got {self.window_min:g}")
        object.__setattr__(self, "gauges", tuple(self.gauges) or tuple(self.posterior.gauges))
        positions_of(self.gauges, self.posterior.gauges, dim="gauge", where="of the posterior")

    @property
    def method(self) -> str:
        """Name of the posterior."""
        return self.posterior.method

    @property
    def sources(self) -> Sequence[str]:
        """Names of the unit sources, in order."""
        return self.posterior.sources

    @property
    def senses(self) -> Sequence[str]:
        """What each of the gauges senses, where the posterior says it."""
        of_all = dict(zip(self.posterior.gauges, getattr(self.posterior, "senses", ()), strict=False))
        return [of_all[name] for name in self.gauges if of_all]

    @property
    def times_s(self) -> np.ndarray:
        """Times of the samples, s since the origin."""
        return self.posterior.times_s[self.posterior.times_s <= 60 * self.window_min + 1e-6]

    @property
    def gaps(self) -> Gaps:
        """What else may be missing."""
        return self.posterior.gaps

    @property
    def provenance(self) -> Mapping[str, str]:
        """Provenance of the posterior."""
        return provenance_of(self.posterior)

    @property
    def window_range_min(self) -> tuple[float, float]:
        """Shortest window of the posterior, and this window."""
        return window_range_min(self.posterior)[0], self.window_min

    @property
    def waves(self) -> Mapping[str, np.ndarray]:
        """Sea level at gauges for one of each amplitude, m, shape (n_modes, n_times), every minute from the origin."""
        return self.posterior.waves

    @property
    def displacement(self) -> Mapping[str, np.ndarray]:
        """What the gauges sense of the displacement alone for one of each amplitude, m, shape (n_modes,)."""
        return self.posterior.displacement

    @property
    def gauge_depth_m(self) -> Mapping[str, float]:
        """Depth of the sea at the gauges of the waves, m."""
        return self.posterior.gauge_depth_m

    def restricted(
        self, *, gauges: Sequence[str] | None = None, window_min: float | None = None
    ) -> RestrictedPosterior:
        """Return the posterior for fewer of these gauges, or a shorter window."""
        names = self.gauges if gauges is None else gauges
        positions_of(names, self.gauges, dim="gauge", where="of the posterior")
        return replace(self, gauges=names, window_min=self.window_min if window_min is None else window_min)

    def prepared(self, records: Records) -> RestrictedPosterior:
        """Return the posterior for the gauges that records have; InputError if they have none, or hold the tide."""
        if isinstance(self.posterior, PreparedInverter):
            self.posterior.prepared(records)
        if set(self.gauges) == set(self.posterior.gauges):
            return replace(self, gauges=recorded_gauges(records, self.gauges, where="known to the model"))
        return self

    def record_moments(self) -> np.ndarray:
        """Return the second moments of records of its gauges and window, as the posterior knows them, m^2."""
        posterior: Any = self.posterior
        n_times = len(posterior.times_s)
        places = positions_of(self.gauges, posterior.gauges, dim="gauge", where="of the posterior")
        kept = (n_times * np.asarray(places)[:, np.newaxis] + np.arange(len(self.times_s))).ravel()
        return posterior.record_moments()[np.ix_(kept, kept)]

    def solve(self, records) -> np.ndarray:
        """Find slip, as the posterior does, from records of shape (..., n_gauges, n_times), m."""
        return self.posterior.solve(self._padded(records))

    def sample(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw slip on unit sources, as the posterior does."""
        return self.posterior.sample(self._padded(records), count, rng)

    def draw(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw amplitudes, as the posterior does."""
        return self.posterior.draw(self._padded(records), count, rng)

    def slip(self, amplitudes) -> np.ndarray:
        """Turn amplitudes into slip on unit sources, as the posterior does."""
        return self.posterior.slip(amplitudes)

    def sea_level(self, amplitudes, gauge: str) -> np.ndarray:
        """Turn amplitudes into waves, as the posterior does."""
        return self.posterior.sea_level(amplitudes, gauge)

    def subfault_slip(self, amplitudes) -> np.ndarray:
        """Turn amplitudes into slip on subfaults, as the posterior does."""
        return self.posterior.subfault_slip(amplitudes)

    def _padded(self, records) -> np.ndarray:
        """Put records in their places among all that the posterior can take."""
        records = np.asarray(records, dtype=np.float32)
        shape = (len(self.gauges), len(self.times_s))
        if records.shape[-2:] != shape:
            raise InputError(f"records must have shape (..., {shape[0]}, {shape[1]}), got {records.shape}")
        whole = (*records.shape[:-2], len(self.posterior.gauges), len(self.posterior.times_s))
        padded = np.full(whole, np.nan, np.float32)
        places = positions_of(self.gauges, self.posterior.gauges, dim="gauge", where="of the posterior")
        padded[..., places, : shape[1]] = records
        return padded
