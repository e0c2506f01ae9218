"""Joint principal components of slip and waveforms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.physics.fault_segments import fault_segments
from slipcast.physics.ruptures import RuptureSettings
from slipcast.physics.unit_sources import Subfaults
from slipcast.scenarios.kinematics import rupture_records, slip_by_lag

__all__ = ["EventAnalysis", "JointComponents"]

_CHUNK = 250


@dataclass(frozen=True)
class JointComponents:
    """Joint principal components of slip and waveforms.

    Attributes
    ----------
    amplitude_sd : array, shape (n_modes,)
        Root mean square of the amplitudes of ruptures whose root mean square slip on unit sources is 1 m; falling.
    to_sources : array, shape (n_modes, n_sources)
        Slip on unit sources, m, for one of each amplitude.
    to_subfaults : array, shape (n_modes, n_subfaults)
        Slip on subfaults, m.
    waves : mapping of gauge name to array, shape (n_modes, n_times)
        What gauges sense every minute from the origin, m.
    displacement : mapping of gauge name to array, shape (n_modes,)
        What they sense of the displacement of the floor alone, before any wave, m.

    Raises
    ------
    InputError
        If the numbers of modes differ.
    """

    amplitude_sd: np.ndarray
    to_sources: np.ndarray
    to_subfaults: np.ndarray
    waves: Mapping[str, np.ndarray]
    displacement: Mapping[str, np.ndarray]

    def __post_init__(self):
        parts = {"to_sources": self.to_sources, "to_subfaults": self.to_subfaults}
        parts |= {f"waves at {gauge}": wave for gauge, wave in self.waves.items()}
        parts |= {f"displacement at {gauge}": level for gauge, level in self.displacement.items()}
        for name, part in parts.items():
            if len(part) != self.n_modes:
                raise InputError(f"{name} must have {self.n_modes} modes, got {len(part)}")

    @property
    def n_modes(self) -> int:
        """Number of amplitudes."""
        return len(self.amplitude_sd)

    def first(self, n_modes: int) -> JointComponents:
        """Keep the leading components alone."""
        waves, displacement = (
            {gauge: part[:n_modes] for gauge, part in of_gauges.items()}
            for of_gauges in (self.waves, self.displacement)
        )
        parts = (self.amplitude_sd[:n_modes], self.to_sources[:n_modes], self.to_subfaults[:n_modes])
        return JointComponents(*parts, waves, displacement)


@dataclass(frozen=True)
class EventAnalysis:
    r"""Analysis of ruptures into amplitudes of joint components.

    Attributes
    ----------
    by_lag : array, shape (n_lags, n_subfaults, n_modes)
        Amplitudes of 1 m of slip on each subfault that acts 0, 1, 2, ... minutes after the origin.
    modes : JointComponents
        What follows from amplitudes.

    Notes
    -----
    Principal components not of slip but of what it does: slip on unit sources, and the waves of kinematic ruptures at
    every gauge of a bank. Each gauge counts the same, however high its waves are, and all unit sources together as much
    as all gauges. Slip that makes no wave costs nothing. What follows from amplitudes is found by regression over the
    ruptures, so delays of slip are in the waves, as far as waves tell of them.
    """

    by_lag: np.ndarray = field(repr=False)
    modes: JointComponents

    @classmethod
    def from_ruptures(
        cls, bank: GreensBank, slip_m, onset_s, rise_time_s, *, n_modes: int, settings: RuptureSettings | None = None
    ) -> EventAnalysis:
        """Find the directions from ruptures.

        Parameters
        ----------
        bank : GreensBank
            Whose unit sources and gauges count.
        slip_m, onset_s : array, shape (n_ruptures, n_subfaults)
            Slip, m, none without any, and its onset, s; many more ruptures than directions.
        rise_time_s : array, shape (n_ruptures,)
            s.
        n_modes : int
            Directions wanted, >= 1, at most the number of ruptures and of subfaults.
        settings : RuptureSettings, optional
            How ruptures are drawn that will be analysed; says how late slip can be.

        Returns
        -------
        analysis : EventAnalysis

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
        waves = _waves(bank, slip, np.asarray(onset_s), np.asarray(rise_time_s))
        n_lags = _most_lags(bank.subfaults, settings or RuptureSettings())
        weights = slip @ averaging.T
        by_lag = _analysis(bank, weights, averaging, waves, n_modes, n_lags)
        amplitudes = _amplitudes(by_lag, slip, np.asarray(onset_s), np.asarray(rise_time_s)).astype(float)
        regression = np.linalg.pinv(amplitudes.T @ amplitudes, rcond=1e-10, hermitian=True) @ amplitudes.T
        regression = regression.astype(np.float32)
        to_subfaults = regression @ slip
        at_once = dict(zip(bank.gauges, bank.dataset["response"].to_numpy()[:, 0], strict=True))
        return cls(
            by_lag,
            JointComponents(
                np.sqrt(np.square(amplitudes).mean(axis=0)).astype(np.float32),
                regression @ weights,
                to_subfaults,
                {gauge: regression @ wave for gauge, wave in waves.items()},
                {gauge: to_subfaults @ response for gauge, response in at_once.items()},
            ),
        )

    def amplitudes(self, slip_m, onset_s, rise_time_s) -> np.ndarray:
        """Compute the amplitudes of ruptures, shape (n_ruptures, n_modes), float32; arguments as for the class."""
        return _amplitudes(self.by_lag, np.asarray(slip_m), np.asarray(onset_s), np.asarray(rise_time_s))


def _most_lags(subfaults: Subfaults, settings: RuptureSettings) -> int:
    """Count the delays that slip can have, min."""
    longest_km = max(np.hypot(*np.multiply(part.cells.shape[::-1], part.cell_km)) for part in fault_segments(subfaults))
    latest_s = longest_km / settings.speed_km_s[0] + settings.rise_time_s[1]
    return int(latest_s / 60) + 5 if settings.kinematic else 4


def _waves(bank: GreensBank, slip: np.ndarray, onset: np.ndarray, rise: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the waves of ruptures at each gauge, shape (n_ruptures, n_times)."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in bank.gauges}
    counts = np.isfinite(bank.dataset["response"].to_numpy()[:, :, 0]).sum(axis=1)
    for first in range(0, len(slip), _CHUNK):
        part = slice(first, first + _CHUNK)
        records = rupture_records(bank, slip[part], onset[part], rise[part])
        for gauge, name in enumerate(bank.gauges):
            parts[name].append(records[:, gauge, : counts[gauge]])
    return {name: np.concatenate(of_gauge) for name, of_gauge in parts.items()}


def _analysis(
    bank: GreensBank,
    weights: np.ndarray,
    averaging: np.ndarray,
    waves: Mapping[str, np.ndarray],
    n_modes: int,
    n_lags: int,
) -> np.ndarray:
    """Find the directions, and what slip on each subfault at each delay contributes to them."""
    every = 2
    scale = {name: np.sqrt(np.square(wave[:, ::every]).sum(axis=1).mean()) for name, wave in waves.items()}
    slip_scale = np.sqrt(np.square(weights).sum(axis=1).mean() / len(waves))
    actions = [wave[:, ::every] / scale[name] for name, wave in waves.items()]
    effect = np.concatenate([*actions, weights / slip_scale], axis=1)
    directions = np.linalg.eigh((effect.T @ effect).astype(float))[1][:, ::-1][:, :n_modes].T.astype(np.float32)
    of_slip = directions[:, -weights.shape[1] :] @ averaging / slip_scale
    by_lag = np.repeat(of_slip.T[np.newaxis], n_lags, axis=0)
    first = 0
    for gauge, (name, wave) in enumerate(waves.items()):
        times = np.arange(0, wave.shape[1], every)
        seen = directions[:, first : first + len(times)] / scale[name]
        first += len(times)
        response = bank.dataset["response"].to_numpy()[gauge]
        for lag in range(n_lags):
            late = times >= lag
            by_lag[lag] += (seen[:, late] @ response[times[late] - lag]).T
    return by_lag


def _amplitudes(by_lag: np.ndarray, slip: np.ndarray, onset: np.ndarray, rise: np.ndarray) -> np.ndarray:
    """Compute amplitudes of ruptures."""
    amplitudes = np.zeros((len(slip), by_lag.shape[2]), np.float32)
    for first in range(0, len(slip), _CHUNK):
        part = slice(first, first + _CHUNK)
        lagged = slip_by_lag(slip[part], onset[part], rise[part], 60.0)
        if lagged[len(by_lag) :].any():
            raise InputError(f"slip must not be later than {len(by_lag) - 4} min, got a rupture with later slip")
        for lag, late in enumerate(lagged[: len(by_lag)]):
            used = np.flatnonzero(late.any(axis=0))
            amplitudes[part] += late[:, used] @ by_lag[lag, used]
    return amplitudes
