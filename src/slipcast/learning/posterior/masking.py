"""Observation masks: random gauges, windows and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

__all__ = ["ObservationMasks"]


@dataclass(frozen=True)
class ObservationMasks:
    """Draw which samples there are.

    Attributes
    ----------
    n_gauges : int
        Gauges.
    usual : sequence of int
        Those that there are as a rule: a share of the masks is of all of these, half of the others of these with one
        missing or of all gauges, and the rest of any.
    windows_min : sequence of int
        Windows, minutes after the origin, one of which is drawn; the last is the longest.
    gap_share : float
        Share of the masks in which further samples of one gauge are missing, in [0, 1].
    window_weights : sequence of float, optional
        How often each window is drawn, in any unit. None: all alike.
    usual_share : float, optional
        Share of the masks that are of all the usual gauges and no others, besides those of any.
    """

    n_gauges: int
    usual: Sequence[int]
    windows_min: Sequence[int]
    gap_share: float
    window_weights: Sequence[float] | None = None
    usual_share: float = 1 / 3

    @cached_property
    def _subsets(self) -> list[tuple[int, ...]]:
        """All choices of gauges."""
        return [s for n in range(1, self.n_gauges + 1) for s in combinations(range(self.n_gauges), n)]

    @cached_property
    def _chances(self) -> np.ndarray:
        """How often each choice is drawn."""
        usual = {*self.usual}
        rest = (1 - self.usual_share) / 2
        chance = np.full(len(self._subsets), rest / len(self._subsets))
        near = [n for n, s in enumerate(self._subsets) if {*s} < usual and len(s) == len(usual) - 1]
        near.append(len(self._subsets) - 1)  # all gauges
        chance[near] += rest / len(near)
        chance[self._subsets.index(tuple(sorted(usual)))] += self.usual_share
        return chance

    @cached_property
    def _window_chances(self) -> np.ndarray | None:
        """How often each window is drawn, if not all alike."""
        if self.window_weights is None:
            return None
        return np.asarray(self.window_weights, float) / np.sum(self.window_weights)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draw a mask, array of bool, shape (n_gauges * n_times,), at least one of them true."""
        n_times = self.windows_min[-1]
        known = np.zeros((self.n_gauges, n_times), dtype=bool)
        subset = self._subsets[rng.choice(len(self._subsets), p=self._chances)]
        known[list(subset), : rng.choice(self.windows_min, p=self._window_chances)] = True
        if rng.random() < self.gap_share:
            gauge = int(rng.choice(subset))
            first = int(rng.integers(0, n_times))
            gappy = known.copy()
            gappy[gauge, first : first + int(rng.integers(1, 30))] = False
            known = gappy if gappy.any() else known
        return known.ravel()
