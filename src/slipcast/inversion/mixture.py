"""Posterior of a rupture as a mixture over sizes and places, with the errors of modelled waves learned from records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np

from slipcast.errors import InputError, check_kind
from slipcast.greens.bank import GreensBank
from slipcast.greens.reciprocity import SAMPLE_S
from slipcast.inversion.family_search import explore, tempered
from slipcast.inversion.family_update import FamilyPosterior, Part, evidence, family_posterior
from slipcast.inversion.first_magnitude import FirstMagnitude
from slipcast.inversion.inverter import RuptureDraws, noise_of_records, recorded_gauges
from slipcast.inversion.least_squares import NOISE_SD_M
from slipcast.inversion.unknown_rupture import record_moments
from slipcast.inversion.wave_error import PATH_ERROR, error_factors, informative_samples
from slipcast.physics.slip_families import FamilyPrior, FamilySettings, SlipFamily
from slipcast.records import Records
from slipcast.records.correlated_noise import CorrelatedNoise

__all__ = ["RIGIDITY_SD", "SLIP_SCATTER", "RuptureMixture"]

RIGIDITY_SD = 0.35
"""Of the natural logarithm of the moment of given waves where rigidity is not known (Bilek and Lay 1999)."""

_DIP_SD = 0.59  # of ln of the slip that makes given waves: benchmarks.studies.interface_dips

SLIP_SCATTER = float(np.hypot(_DIP_SD, RIGIDITY_SD))
"""Of the slip that makes given waves, where dips and rigidity are not those of the bank: of its natural logarithm."""

_SMALLER = 0.75  # than the first magnitude, Mw
_SCREENED_LOG = 15.0  # families less likely than the best by this, at first sight, are left out
_MOST_KEPT = 16
_LEAST_NUMBER = 6.0  # of families that count: the search leaves many out that are as likely
_LATER = 8  # samples after the window, for waves that are early


@dataclass(frozen=True)
class RuptureMixture:
    r"""Posterior of slip on subfaults as a mixture over families of ruptures.

    Attributes
    ----------
    bank : GreensBank
        Responses of a region on the plate interface.
    window_min : float
        The longest window, minutes after the origin.
    gauges : tuple of str
        Gauges used; by default all DARTs of the bank.
    noise_sd_m : float
        Standard deviation of white noise, m, > 0.
    joint_tide : bool or None
        As :class:`~slipcast.inversion.gaussian.GaussianPosterior` takes it.
    settings : FamilySettings
        What ruptures may be like.
    families : int
        How many families are tried all over, before others beside the best.
    slip_scatter : float
        Standard deviation of the natural logarithm of the slip that makes given waves, >= 0: 0 where dips, rakes and
        rigidity are those of the bank, as in a simulation.
    correlated : CorrelatedNoise, optional
        Noise beside the white one; :meth:`prepared` finds it from records.
    event : tuple
        Epicentre (longitude and latitude, degrees) and range of Mw, or None for either; :meth:`prepared` finds them.

    Raises
    ------
    InputError
        If an argument is of a wrong kind or out of range, a gauge is unknown, or the window is too long.

    Notes
    -----
    Ruptures of a family share magnitude, size, place and delay; their slip is a lognormal field on subfaults
    (:class:`~slipcast.physics.slip_families.FamilyPrior`), all at one time. Within a family the most likely slip is
    found by Gauss and Newton's steps, and draws are made about it by Laplace's approximation
    (:mod:`slipcast.inversion.family_update`); families are looked for and weighed by the evidence that the records give
    them (:mod:`slipcast.inversion.family_search`).

    What a bank gets wrong of a wave is a part of its level, the same over some minutes; how large a part, and over how
    many minutes, is unknown at each gauge and integrated out on a grid (:mod:`slipcast.inversion.wave_error`), beside
    errors of travel times and of the way to a gauge. What was learned goes with each draw, for forecasts elsewhere.

    How much slip and moment given waves need is known to a factor of two: the plate interface does not dip as unit
    sources do (Slab2, Hayes et al. 2018, doi:10.1126/science.aat4723, has half their dip off Japan and the same off
    Cascadia), and rigidity is not 40 GPa (it grows from 10 to 60 GPa with depth: Bilek and Lay 1999, Nature 400, 443).
    Slip of draws has that scatter, about what the bank says in the median, their waves not.
    Slip of tsunami earthquakes, too, is that of their moment at 40 GPa, and their waves are higher than its.

    All magnitudes of the range are as likely as one another: that of the settings, or from 0.75 below a first
    magnitude to the largest that it leaves likely. :class:`~slipcast.inversion.first_magnitude.FirstMagnitude` weighs
    draws afterwards. Of no use where no thrust of the plate interface broke, and for records of several events.
    """

    bank: GreensBank = field(repr=False)
    window_min: float
    gauges: Sequence[str] = ()
    noise_sd_m: float = NOISE_SD_M
    joint_tide: bool | None = None
    settings: FamilySettings = field(default_factory=FamilySettings)
    families: int = 192
    slip_scatter: float = SLIP_SCATTER
    correlated: CorrelatedNoise | None = field(default=None, repr=False)
    event: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None)

    def __post_init__(self):
        check_kind(self.bank, GreensBank, "bank", "a GreensBank")
        check_kind(self.window_min, (int, float, np.integer, np.floating), "window_min", "a number of minutes")
        check_kind(self.noise_sd_m, (int, float, np.integer, np.floating), "noise_sd_m", "a number")
        if not (np.isfinite(self.noise_sd_m) and self.noise_sd_m > 0):
            raise InputError(f"noise_sd_m must be > 0 m, got {self.noise_sd_m}")
        check_kind(self.slip_scatter, (int, float, np.integer, np.floating), "slip_scatter", "a number")
        if not 0 <= self.slip_scatter < np.inf:
            raise InputError(f"slip_scatter must be finite and >= 0, got {self.slip_scatter}")
        names = list(self.gauges) or self.bank.gauge_names("dart")
        object.__setattr__(self, "gauges", tuple(names))
        _ = self.times_s  # refuses an unknown gauge and a window that is too long

    @property
    def method(self) -> str:
        """Its name."""
        return "mixture"

    @property
    def sources(self) -> list[str]:
        """Names of the unit sources, in order."""
        return self.bank.sources

    @property
    def times_s(self) -> np.ndarray:
        """Times of the samples, s since the origin."""
        return self.bank.source_response(self.gauges, sources=self.sources[:1], window_min=self.window_min)[
            "time"
        ].to_numpy()

    @property
    def gaps(self) -> Literal["whole gauges"]:
        """Any sample may be missing, if one is there."""
        return "whole gauges"

    @property
    def provenance(self) -> Mapping[str, str]:
        """Region and identity of the bank."""
        return {"region": self.bank.region.name, "bank": self.bank.id}

    @property
    def senses(self) -> list[str]:
        """What each of the gauges senses in the bank."""
        return [self.bank.senses[name] for name in self.gauges]

    @property
    def window_range_min(self) -> tuple[float, float]:
        """From the first sample to the last one, minutes after the origin."""
        return float(self.times_s[0]) / 60, float(self.times_s[-1]) / 60

    def restricted(self, *, gauges: Sequence[str] | None = None, window_min: float | None = None) -> RuptureMixture:
        """Return the same for some of its gauges, in this order, and a window that is not longer."""
        names = tuple(self.gauges if gauges is None else gauges)
        if not names:
            raise InputError("gauges must name at least one gauge, got none")
        if unknown := [name for name in names if name not in self.gauges]:
            raise InputError(f"unknown gauge {unknown[0]!r}; method {self.method} has {', '.join(self.gauges)}")
        window = self.window_min if window_min is None else window_min
        if window > self.window_min:
            raise InputError(f"window_min must be in (0, {self.window_min:g}] and hold a sample, got {window:g}")
        return replace(self, gauges=names, window_min=window)

    def prepared(self, records: Records) -> RuptureMixture:
        """Return the same for the gauges, the noise and the earthquake of records; InputError if it cannot use them."""
        records = records.one_event()
        known = recorded_gauges(records, self.gauges, where=f"known to method {self.method}")
        noise = noise_of_records(records, known, self.times_s, joint_tide=self.joint_tide, model_error=0.0)
        about, first = records.dataset.attrs, records.first_magnitude
        epicentre = None
        if "epicentre" in about:
            epicentre = (float(about["epicentre"][0]), float(about["epicentre"][1]))
        low, high = self.settings.magnitude
        if first is not None:
            high = min(max(FirstMagnitude(first).largest, low + 0.1), high)
            low = min(max(first - _SMALLER, low), high - 0.1)
        return replace(self, gauges=tuple(known), correlated=noise, event=(epicentre, (low, high)))

    def record_moments(self) -> np.ndarray:
        """Return the second moments of records for a root mean square slip of 1 m on unit sources, m^2."""
        return record_moments(self.bank, self.times_s, gauges=self.gauges, sources=self.sources)

    def posterior(self, record: np.ndarray) -> list[tuple[float, FamilyPosterior]]:
        """Weigh families, and the errors of waves at each gauge, by a record, shape (n_gauges, n_times), m.

        Returns
        -------
        weighed : list of (float, FamilyPosterior)
            Logarithm of how likely each family is, but for a constant, and what the record says of it.
        """
        epicentre, magnitude = self.event
        gauges = self._gauges(record)

        def parts(family: SlipFamily) -> list[Part]:
            return [Part(_rows(family, *of[:2]), *of[2:]) for of in gauges]

        prior = FamilyPrior(self.bank.subfaults, self.settings)
        make = partial(prior.family, epicentre=epicentre, magnitude=magnitude)
        at_first = (lambda family: evidence(family, parts(family))) if gauges else None
        found = explore(make, at_first, prior.points(self.families))
        if not found.families:
            raise InputError(f"the fault of {self.bank.region.name} is too small for any of these magnitudes")
        kept = found.best(_MOST_KEPT, _SCREENED_LOG) if gauges else range(len(found.families))
        weighed = []
        for place in kept:
            of = family_posterior(found.families[place], parts(found.families[place]))
            weighed.append((float(found.log_prior[place]) + of.log_evidence, of))
        return weighed

    def _gauges(self, record: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]]:
        """Return by gauge with a sample that tells: its responses, places of samples, these, and noise and errors."""
        columns, parts = None, []
        if self.correlated is not None:
            columns = self.correlated.matrix(list(self.gauges), self.times_s)
        for place, (name, level) in enumerate(zip(self.gauges, record, strict=True)):
            response = self.bank.dataset["response"].sel(gauge=name).to_numpy()[: len(self.times_s) + _LATER]
            response = response[np.isfinite(response[:, 0])]
            known = informative_samples(level, response[1 : len(self.times_s) + 1])
            if known.size:
                tide = None if columns is None else columns[place * record.shape[1] + known]
                factors = error_factors(level[known], self.times_s[known], self.noise_sd_m, tide)
                parts.append((response, known + 1, level[known], factors))
        return parts

    def draws(self, records, count: int, rng: np.random.Generator) -> RuptureDraws:
        """Draw ruptures that fit records, shape (n_gauges, n_times), m; NaN samples are left out."""
        found = self.posterior(np.asarray(records, dtype=float))
        weights = tempered(np.array([log for log, _ in found]), _LEAST_NUMBER)
        slip = np.zeros((count, len(self.bank.subfaults)))
        delay_s, error, more, first = np.empty(count), np.empty(count), np.empty(count), 0
        for (_, of), number in zip(found, rng.multinomial(count, weights).tolist(), strict=True):
            here = slice(first, first + number)
            slip[here, of.family.subfaults], error[here] = of.draws(number, rng)
            delay_s[here], more[here] = of.family.delay_s, 1.0 / of.family.more_slip
            first += number
        order = rng.permutation(count)
        # slip of the same moment at the unit sources' rigidity, for the same waves
        more *= np.exp(self.slip_scatter * rng.standard_normal(count))
        slip *= more[:, np.newaxis]
        return RuptureDraws(
            slip_m=slip[order] @ self.bank.subfaults.averaging_matrix().T,
            subfault_slip_m=slip[order],
            wave_error=np.hypot(error[order], PATH_ERROR),
            wave_factor=1.0 / more[order],
            wave_delay_s=delay_s[order],
        )

    def sample(self, records, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw slip on unit sources that fits, shape (..., count, n_sources), m, >= 0; NaN samples are missing."""
        records = np.asarray(records, dtype=float)
        rows = [self.draws(record, count, rng).slip_m for record in records.reshape(-1, *records.shape[-2:])]
        return np.reshape(rows, (*records.shape[:-2], count, len(self.sources)))

    def solve(self, records) -> np.ndarray:
        """Find the expected slip, shape (..., n_sources), m, >= 0, from records, shape (..., n_gauges, n_times)."""
        return self.sample(records, 200, np.random.default_rng(0)).mean(axis=-2)


def _rows(family: SlipFamily, response: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return what a gauge senses of slip on the subfaults of a family, as late as its waves are, at some samples."""
    at = np.clip(places - family.delay_s / SAMPLE_S, 0.0, len(response) - 1.0)
    below = np.minimum(at.astype(int), len(response) - 2)
    part = (at - below).astype(np.float32)[:, np.newaxis]
    low, high = (response[below + by][:, family.subfaults] for by in (0, 1))
    return low + (high - low) * part
