"""On-the-fly scenario stream, drawn from a bank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.physics.ruptures import Rupture, RuptureGenerator, RuptureSettings
from slipcast.scenarios.kinematics import KinematicResponse

__all__ = ["ScenarioBatch", "ScenarioStream"]


@dataclass(frozen=True)
class ScenarioBatch:
    """Some scenarios.

    Attributes
    ----------
    slip : array, shape (n, n_subfaults)
        m, float32, in the order of the bank.
    onset : array, shape (n, n_subfaults)
        When a subfault begins to slip, s after the origin.
    rise_time : array, shape (n,)
        How long each takes, s.
    weights : array, shape (n, n_sources)
        Area-averaged slip of every unit source, m, float32.
    records : array, shape (n, n_gauges, n_times)
        Sea level without noise, m, float32, from the first minute after the origin.
    """

    slip: np.ndarray
    onset: np.ndarray
    rise_time: np.ndarray
    weights: np.ndarray
    records: np.ndarray


@dataclass(frozen=True)
class ScenarioStream:
    """Draw scenarios of a bank, a batch at a time.

    Attributes
    ----------
    bank : GreensBank
        Of a region on the plate interface.
    gauges : sequence of str
        Whose records are wanted, in order.
    window_min : float
        How long they are, minutes after the origin.
    settings : RuptureSettings, optional
        How ruptures are drawn.
    alike : int, optional
        Ruptures of one size in a row (:meth:`slipcast.physics.ruptures.RuptureGenerator.draw_alike`): 1 draws as
        :class:`~slipcast.scenarios.scenario_set.ScenarioSet` does, more is faster.

    Raises
    ------
    InputError
        If a gauge is unknown, the window too long, or ``alike`` less than one.
    """

    bank: GreensBank
    gauges: Sequence[str]
    window_min: float
    settings: RuptureSettings = field(default_factory=RuptureSettings)
    alike: int = 24

    def __post_init__(self):
        if self.alike < 1:
            raise InputError(f"alike must be >= 1, got {self.alike}")
        if len(self._window.gauges) != len(self.gauges):
            raise InputError(f"gauges must differ from one another, got {', '.join(self.gauges)}")

    @cached_property
    def _window(self) -> GreensBank:
        """The part of the bank that is needed."""
        return self.bank.with_window(self.gauges, self.window_min)

    @cached_property
    def times_s(self) -> np.ndarray:
        """Times of the samples, s since the origin, shape (n_times,)."""
        return self._window.time_s[1:]

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[ScenarioBatch]:
        """Draw batches without end.

        Parameters
        ----------
        size : int
            Scenarios in a batch, >= 1.
        rng : numpy.random.Generator
            Source of randomness.

        Yields
        ------
        batch : ScenarioBatch
        """
        if size < 1:
            raise InputError(f"size must be >= 1, got {size}")
        order = [self._window.gauges.index(name) for name in self.gauges]
        shares = self._window.subfaults.averaging_matrix().T.astype(np.float32)
        response = KinematicResponse.of(self._window)
        generator = RuptureGenerator(self._window.subfaults, self.settings)
        ruptures: list[Rupture] = []
        while True:
            while len(ruptures) < size:
                ruptures += generator.draw_alike(rng, self.alike)
            batch, ruptures = ruptures[:size], ruptures[size:]
            slip = np.stack([rupture.slip_m for rupture in batch]).astype(np.float32)
            onset = np.stack([rupture.onset_s for rupture in batch])
            rise_time = np.array([rupture.rise_time_s for rupture in batch])
            records = response.records(slip, onset, rise_time)[:, order, 1:]
            yield ScenarioBatch(slip, onset, rise_time, slip @ shares, records)
