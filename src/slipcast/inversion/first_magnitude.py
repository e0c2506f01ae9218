"""First magnitude of an earthquake as prior knowledge of its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from slipcast.inversion.estimate import SlipEstimate, magnitude_of_slip
from slipcast.physics.moment import RIGIDITY_PA, moment_of_magnitude
from slipcast.physics.unit_sources import unit_source
from slipcast.records.arrival import check_magnitude

__all__ = ["FirstMagnitude"]

_TOO_LARGE_SD = 0.25
_TOO_SMALL_SD = (0.25, 0.6)  # at the magnitudes below
_SATURATING = (7.0, 7.8)
_WITHIN_SD = 2.0
_IN_REACH = 0.02  # of the density at its peak
_LOWEST_BIN = 0.4  # of magnitudes, over which the density of samples at the lowest is taken
_SAMPLES = {
    "slip_sample": "samples_m",
    "subfault_sample": "subfault_samples_m",
    "amplitude_sample": "amplitude_samples",
}
_OF_WAVES = {"wave_error": "wave_error", "wave_factor": "wave_factor", "wave_delay": "wave_delay_s"}
_UNEVEN = 2.0  # mean square of slip over the square of its mean


@dataclass(frozen=True)
class FirstMagnitude:
    """A magnitude as it was first reported, minutes after the earthquake.

    Attributes
    ----------
    magnitude : float
        Mw, in [0, 10].

    Raises
    ------
    InputError
        If it is no number or out of range.

    Notes
    -----
    Taken for too large with a standard deviation of 0.25, and for too small with one of 0.25 at Mw 7.0, which grows to
    0.6 at 7.8 and beyond: great earthquakes are first reported too small (2011: Mw 7.9 after three minutes, 9.1 in the
    end; Hoshiba and Ozaki 2014, Early Warning for Geological Disasters, 1-28), and slow ones, too (1992 off Nicaragua:
    Ms 7.2, Mw 7.6; Kanamori and Kikuchi 1993, Nature 361, 714). The numbers are a judgement from such cases, no fit.
    """

    magnitude: float

    def __post_init__(self):
        check_magnitude(self.magnitude)

    @property
    def too_small_sd(self) -> float:
        """By how much it may be too small, standard deviation, Mw."""
        return float(np.interp(self.magnitude, _SATURATING, _TOO_SMALL_SD))

    @property
    def largest(self) -> float:
        """As large as the earthquake can be, Mw: two standard deviations more.

        Examples
        --------
        >>> FirstMagnitude(7.0).largest, FirstMagnitude(7.9).largest
        (7.5, 9.1)
        """
        return float(np.round(self.magnitude + _WITHIN_SD * self.too_small_sd, 6))

    def density(self, magnitude) -> np.ndarray:
        """Return the density of true magnitudes, shape (...), over that of the reported one, in (0, 1]."""
        off = np.asarray(magnitude, dtype=float) - self.magnitude
        return np.exp(-0.5 * np.square(off / np.where(off < 0, _TOO_LARGE_SD, self.too_small_sd)))

    def quantiles(self, probability) -> np.ndarray:
        """Return quantiles of the true magnitude, Mw, for probabilities in [0, 1], shape (...)."""
        probability = np.asarray(probability, dtype=float)
        share = _TOO_LARGE_SD / (_TOO_LARGE_SD + self.too_small_sd)  # that it was too large
        below = _TOO_LARGE_SD * norm.ppf(np.minimum(probability / share, 1.0) / 2)
        above = self.too_small_sd * norm.ppf(0.5 + 0.5 * np.clip((probability - share) / (1 - share), 0.0, 1 - 1e-12))
        return self.magnitude + np.where(probability < share, below, above)

    def largest_size_m(self, sources: Sequence[str]) -> float:
        """Return the root mean square slip on unit sources of an earthquake as large as can be, m.

        Notes
        -----
        The area that breaks is :math:`10^{-3.476 + 0.952 M_w}` km^2 (Strasser et al. 2010, Seismological Research
        Letters 81, 941, interface events), and slip scatters on it by as much as its mean.
        """
        area_m2 = np.array([unit_source(name).area_m2 for name in sources])
        broken_m2 = min(1e6 * 10 ** (-3.476 + 0.952 * self.largest), float(area_m2.sum()))
        mean_m = float(moment_of_magnitude(self.largest)) / (RIGIDITY_PA * broken_m2)
        return mean_m * float(np.sqrt(_UNEVEN * broken_m2 / area_m2.sum()))

    def hold_against(
        self,
        slip: SlipEstimate,
        count: int,
        rng: np.random.Generator,
        *,
        wave_seen: bool,
        supported: bool,
        lowest: float = 0.0,
    ) -> tuple[SlipEstimate, str]:
        """Hold a slip estimate against the first magnitude.

        Parameters
        ----------
        slip : SlipEstimate
            Of one event, on records alone.
        count : int
            Posterior samples that are kept.
        rng : numpy.random.Generator
            Chooses them.
        wave_seen : bool
            Whether a wave has been seen.
        supported : bool
            Whether it has at more than one gauge that the slip explains: only then can it be out of reach of the first
            magnitude.
        lowest : float, optional
            Mw of the smallest earthquakes that the method knows.

        Returns
        -------
        slip : SlipEstimate
            Posterior samples weighed by the density of their magnitudes, as if all magnitudes that the method knows had
            been as likely to it. Until a wave is seen, those below them are as likely as the lowest, and have the slip
            of small samples, scaled. Where hardly any sample is within reach, and this is not supported, all are scaled
            to it; slip without samples to one standard deviation above it at most.
        note : str
            What qualifies it, in words; empty if nothing does.
        """
        limited = f"limited by the first magnitude, Mw {self.magnitude:g}: no two gauges show that it is larger"
        beyond = f"larger than the first magnitude, Mw {self.magnitude:g}, suggests"
        if slip.samples is None:
            above = slip.magnitude - self.magnitude - self.too_small_sd
            if not above > 0:
                return slip, ""
            if supported:
                return slip, beyond if slip.magnitude > self.largest else ""
            return _scaled(slip, 10 ** (-1.5 * above)), limited
        magnitude = magnitude_of_slip(slip.samples.to_numpy().astype(float), slip.sources)
        weight = np.where(np.isfinite(magnitude), self.density(magnitude), 0.0)
        in_reach, larger = weight.mean() >= _IN_REACH, bool(np.median(magnitude) > self.magnitude)
        if not in_reach and (supported or not larger):
            note = beyond if larger else f"smaller than the first magnitude, Mw {self.magnitude:g}, suggests"
            return _scaled(slip, 1.0, np.sort(rng.permutation(len(weight))[:count])), note
        n_scaled = 0 if in_reach else count
        if in_reach and not wave_seen:
            at_lowest = (~(magnitude >= lowest + _LOWEST_BIN)).mean() / _LOWEST_BIN
            below = at_lowest * self.area_below(lowest)
            n_scaled = int(rng.binomial(count, below / (below + weight.mean())))
        chosen = (
            rng.choice(len(weight), size=count - n_scaled, p=weight / weight.sum()) if in_reach else np.empty(0, int)
        )
        small = np.argsort(np.where(np.isfinite(magnitude), magnitude, np.inf))[: max(len(weight) // 4, 1)]
        scaled = rng.choice(small, size=n_scaled)
        most = self.probability_below(lowest) if in_reach else 1.0
        wanted = self.quantiles(most * (rng.permutation(n_scaled) + 0.5) / max(n_scaled, 1))
        factor = 10 ** (1.5 * np.minimum(wanted - np.where(np.isfinite(magnitude), magnitude, np.inf)[scaled], 0.0))
        draws, factors = np.concatenate([chosen, scaled]), np.concatenate([np.ones(len(chosen)), factor])
        note = "" if in_reach else limited
        return _scaled(slip, factors, draws.astype(int)), note

    def probability_below(self, magnitude: float) -> float:
        """Return how likely the true magnitude is below another, in [0, 1]."""
        off, share = magnitude - self.magnitude, _TOO_LARGE_SD / (_TOO_LARGE_SD + self.too_small_sd)
        if off < 0:
            return float(2 * share * norm.cdf(off / _TOO_LARGE_SD))
        return float(share + (1 - share) * (2 * norm.cdf(off / self.too_small_sd) - 1))

    def area_below(self, magnitude: float) -> float:
        """Return the area under the density, which is 1 at the magnitude reported, below another magnitude."""
        whole = np.sqrt(np.pi / 2) * (_TOO_LARGE_SD + self.too_small_sd)
        return float(whole * self.probability_below(magnitude))


def _scaled(slip: SlipEstimate, factor, draws: np.ndarray | None = None) -> SlipEstimate:
    """Return an estimate of one event with some of its samples, and all slip times a factor, >= 0, or one a sample."""
    dataset, factor = slip.one_event().dataset, np.asarray(factor, dtype=float)
    kept = slice(None) if draws is None else draws
    parts = {
        argument: dataset[name].to_numpy().astype(float)[kept] * factor[..., np.newaxis]
        for name, argument in _SAMPLES.items()
        if name in dataset
    }
    of_waves = {name: argument for name, argument in _OF_WAVES.items() if name in dataset}
    parts |= {argument: dataset[name].to_numpy()[kept] for name, argument in of_waves.items()}
    slip_m = parts["samples_m"].mean(axis=0) if "samples_m" in parts else dataset["slip"].to_numpy() * factor
    made = SlipEstimate.from_slip(slip_m, slip.sources, method="", window_min=0.0, region="", **parts)
    return SlipEstimate(made.dataset.assign_attrs(dataset.attrs))
