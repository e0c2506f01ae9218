"""Tide and background of a record sample by sample: a Kalman filter that never looks ahead."""

from __future__ import annotations

import numpy as np

__all__ = ["SAMPLE_SD_M", "WAVES_SD_M", "TideFilter"]

_HOUR_S = 3600.0
# constituents: periods, h, and the standard deviation of their two amplitudes, m
_TIDES = (
    *((12.4206012, 0.5), (12.0, 0.2), (12.6583475, 0.12), (11.9672361, 0.06)),  # M2, S2, N2, K2
    *((12.6260051, 0.03), (12.8717576, 0.03), (12.1916202, 0.03)),  # NU2, MU2, L2
    *((23.9344721, 0.25), (25.8193387, 0.2), (24.0658877, 0.08), (26.8683500, 0.05), (23.0984815, 0.02)),  # K1 to J1
    *((6.2103006, 0.005), (6.1033390, 0.003), (8.2804008, 0.004)),  # M4, MS4, M3
)
# so long that changes do not follow a wave
_TIDE_LIFE_S = 300 * 365 * 86400.0
_LEVEL_SD_M = 2.0
# weather and eddies (Matern 3/2, as in slipcast.records.tides), and internal and infragravity waves
_DRIFT_SD_M, _DRIFT_S = 0.05, 14 * _HOUR_S
WAVES_SD_M, _WAVES_S = 0.0012, 1500.0
SAMPLE_SD_M = 0.0004


class TideFilter:
    """A Gaussian process of tide, drift and background waves, conditioned on one sample after another.

    Parameters
    ----------
    time_s, height_m : float
        First sample.
    detided : bool, optional
        Whether the tide has been removed already.

    Notes
    -----
    Constituents with amplitudes that hardly change, a level, a drift of 5 cm and 14 h, and background waves of 1.2 mm
    that forget in 25 min: fitted to the likelihood of quiet DARTs. The background keeps a tsunami out of the tide: an
    innovation is divided between it and the drift as their spectra are at its period.
    """

    def __init__(self, time_s: float, height_m: float, *, detided: bool = False):
        tides = () if detided else _TIDES
        self._omega = 2 * np.pi / (_HOUR_S * np.array([hours for hours, _ in tides]))
        self._tide_var = np.repeat([sd**2 for _, sd in tides], 2) if tides else np.empty(0)
        count = 2 * len(tides)
        rate = np.sqrt(3.0) / _DRIFT_S
        stationary = [*self._tide_var, _LEVEL_SD_M**2, _DRIFT_SD_M**2, (rate * _DRIFT_SD_M) ** 2, WAVES_SD_M**2]
        self._level, self._drift, self._waves = count, count + 1, count + 3
        self._tide = np.zeros(count + 4)
        self._tide[[*range(0, count, 2), self._level, self._drift]] = 1.0
        self._all = self._tide.copy()
        self._all[self._waves] = 1.0
        self._stationary = np.diag(stationary)
        self._mean, self._covariance = np.zeros(count + 4), self._stationary.copy()
        self._steps: dict[float, tuple[np.ndarray, np.ndarray]] = {}
        self._datum, self.time_s = height_m, time_s

    def predict(self, time_s: float) -> tuple[float, float, float]:
        """Move to a time; return the height without waves, m, its variance, and that with waves, m2."""
        step = round(time_s - self.time_s, 3)
        if step > 0:
            transition, added = self._step(step)
            self._mean = transition @ self._mean
            self._covariance = transition @ self._covariance @ transition.T + added
            self.time_s = time_s
        self._gain = self._covariance @ self._all
        tide_var = float(self._tide @ self._covariance @ self._tide)
        return self._datum + float(self._tide @ self._mean), tide_var, float(self._all @ self._gain)

    def background(self) -> float:
        """Return the expected background waves at the time moved to, m."""
        return float(self._mean[self._waves])

    def update(self, height_m: float, noise_sd_m: float) -> None:
        """Take in the sample at the time moved to, with the standard deviation of its own noise, m."""
        variance = float(self._all @ self._gain) + SAMPLE_SD_M**2 + noise_sd_m**2
        innovation = height_m - self._datum - float(self._all @ self._mean)
        self._mean = self._mean + self._gain * (innovation / variance)
        self._covariance = self._covariance - np.outer(self._gain, self._gain / variance)

    def _step(self, step_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the transition over a step, and the covariance that it adds."""
        if step_s not in self._steps:
            size = self._mean.size
            transition = np.eye(size)
            life = np.exp(-step_s / _TIDE_LIFE_S)
            for i, omega in enumerate(self._omega):
                cos, sin = life * np.cos(omega * step_s), life * np.sin(omega * step_s)
                transition[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[cos, sin], [-sin, cos]]
            lag = np.sqrt(3.0) / _DRIFT_S
            drift = np.array([[1 + lag * step_s, step_s], [-(lag**2) * step_s, 1 - lag * step_s]])
            at = slice(self._drift, self._drift + 2)
            transition[at, at] = np.exp(-lag * step_s) * drift
            transition[self._waves, self._waves] = np.exp(-step_s / _WAVES_S)
            added = self._stationary - transition @ self._stationary @ transition.T
            if len(self._steps) > 64:
                self._steps.clear()
            self._steps[step_s] = transition, added
        return self._steps[step_s]
