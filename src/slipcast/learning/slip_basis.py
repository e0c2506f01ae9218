"""A few numbers for slip on many subfaults: the directions that unit sources and waves can tell apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slipcast.errors import InputError
from slipcast.greens import GreensBank

__all__ = ["SlipBasis"]


@dataclass(frozen=True)
class SlipBasis:
    r"""Directions of slip on subfaults, the most telling first.

    Attributes
    ----------
    analysis : array, shape (n_modes, n_subfaults)
        From slip, m, to amplitudes.
    synthesis : array, shape (n_modes, n_subfaults)
        From amplitudes back to slip, m: the patterns.
    amplitude_sd : array, shape (n_modes,)
        Root mean square of the amplitudes of ruptures whose root mean square slip on unit sources is 1 m.

    Notes
    -----
    Principal components not of slip but of what it does: its means over unit sources, and the waves of all slip at time
    zero at every gauge of a bank. Each gauge counts the same, however high its waves are, and all unit sources together
    as much as all gauges. Slip that makes no wave costs nothing. The patterns are the regression of slip on the
    amplitudes over ruptures.
    """

    analysis: np.ndarray
    synthesis: np.ndarray
    amplitude_sd: np.ndarray

    def __post_init__(self):
        shape = self.analysis.shape
        if self.synthesis.shape != shape or self.amplitude_sd.shape != shape[:1]:
            raise InputError(
                f"analysis, synthesis and amplitude_sd must have shapes (k, n), (k, n) and (k,), got {shape}, "
                f"{self.synthesis.shape} and {self.amplitude_sd.shape}"
            )

    @property
    def n_modes(self) -> int:
        """Number of directions."""
        return len(self.amplitude_sd)

    @classmethod
    def from_slip(cls, bank: GreensBank, slip_m, *, n_modes: int = 128, every: int = 2) -> SlipBasis:
        """Find the directions from ruptures.

        Parameters
        ----------
        bank : GreensBank
            Whose unit sources and gauges count.
        slip_m : array, shape (n_ruptures, n_subfaults)
            m, none without slip; many more ruptures than directions.
        n_modes : int, optional
            Directions wanted, >= 1, at most the number of ruptures and of subfaults.
        every : int, optional
            Every how manieth sample of a wave counts, >= 1.

        Returns
        -------
        basis : SlipBasis

        Raises
        ------
        InputError
            If the slip has another shape, a rupture has none, or there are too few ruptures.
        """
        slip = np.asarray(slip_m, dtype=np.float32)
        n_subfaults = len(bank.subfaults)
        if slip.ndim != 2 or slip.shape[1] != n_subfaults:
            raise InputError(f"slip_m must have shape (n_ruptures, {n_subfaults}), got {slip.shape}")
        if not 1 <= n_modes <= min(slip.shape):
            raise InputError(f"n_modes must be in [1, {min(slip.shape)}], got {n_modes}")
        averaging = bank.subfaults.averaging_matrix().astype(np.float32)
        size = np.sqrt(np.square(slip @ averaging.T).mean(axis=1, keepdims=True))
        if not (size > 0).all():
            raise InputError(f"slip_m must not be zero throughout, got rupture {int(np.argmin(size))} without slip")
        slip = slip / size
        actions = _actions(bank, averaging, slip, every)
        directions = np.linalg.svd(slip @ actions.T, full_matrices=False)[2][:n_modes]
        analysis = directions @ actions
        amplitudes = slip @ analysis.T
        synthesis = np.linalg.lstsq(amplitudes, slip, rcond=1e-6)[0]
        return cls(analysis, synthesis, np.sqrt(np.square(amplitudes).mean(axis=0)))


def _actions(bank: GreensBank, averaging: np.ndarray, slip: np.ndarray, every: int) -> np.ndarray:
    """Stack what slip does, each part scaled to its energy over ruptures, shape (n_actions, n_subfaults)."""
    parts = []
    for response in bank.dataset["response"].to_numpy():
        rows = response[np.isfinite(response[:, 0])][::every]
        parts.append(rows / np.sqrt(np.square(slip @ rows.T).sum(axis=1).mean()))
    energy = np.square(slip @ averaging.T).sum(axis=1).mean()
    parts.append(averaging * np.sqrt(len(parts) / energy))
    return np.concatenate(parts).astype(np.float32)
