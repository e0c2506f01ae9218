"""Ruptures of a magnitude near an epicentre: of the families of the mixture, and of the generator of training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.physics.moment import moment_magnitude, seismic_moment
from slipcast.physics.ruptures import RuptureGenerator
from slipcast.physics.slip_families import N_PARAMETERS, FamilyPrior
from slipcast.physics.unit_sources import Subfaults
from slipcast.scenarios.kinematics import KinematicResponse

__all__ = ["Ruptures", "delayed", "family_ruptures", "generator_ruptures", "waves_of"]

_PATTERNS = 96
_TRIES = 20
_FAMILY_MW, _DRAWS = 0.7, 8


@dataclass(frozen=True, eq=False)
class Ruptures:
    """Ruptures on the subfaults of a fault.

    Attributes
    ----------
    magnitude : array, shape (n,)
        Mw.
    slip_m, onset_s : array, shape (n, n_subfaults)
        Slip, m, and when it begins, s after the origin.
    rise_time_s : array, shape (n,)
        How long each subfault takes, s.
    delay_s : array, shape (n,)
        By how much all waves are later beside that, s; negative where earlier.
    """

    magnitude: np.ndarray
    slip_m: np.ndarray
    onset_s: np.ndarray
    rise_time_s: np.ndarray
    delay_s: np.ndarray


def family_ruptures(
    prior: FamilyPrior,
    epicentre: tuple[float, float] | None,
    magnitude: tuple[float, float],
    count: int,
    rng: np.random.Generator,
) -> Ruptures:
    """Draw ruptures of families.

    Parameters
    ----------
    prior : FamilyPrior
        Of a fault.
    epicentre : (float, float) or None
        Longitude and latitude, degrees, as :meth:`FamilyPrior.family` takes it.
    magnitude : (float, float)
        Range of Mw.
    count : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ruptures : Ruptures
        With slip at once. Those of a family have its magnitude on average alone; families are drawn from a wider range,
        and ruptures taken whose own magnitude is in that wanted.

    Raises
    ------
    InputError
        If the fault is too small.
    """
    low, high = prior.settings.magnitude
    wide = max(magnitude[0] - _FAMILY_MW, low), min(magnitude[1] + _FAMILY_MW, high)
    found: list[tuple[float, np.ndarray, float]] = []
    for _ in range(_TRIES * max(count, _TRIES)):
        family = prior.family(rng.random(N_PARAMETERS), epicentre=epicentre, magnitude=wide)
        if family is None:
            continue
        slip = np.zeros((_DRAWS, len(prior.subfaults)))
        slip[:, family.subfaults] = family.slip(rng.standard_normal((_DRAWS, family.modes.shape[1])))
        moment_nm = seismic_moment(slip[:, family.subfaults], prior.subfaults.area_m2[family.subfaults])
        for row, mw in zip(slip, moment_magnitude(moment_nm / family.more_slip).tolist(), strict=True):
            if magnitude[0] <= mw <= magnitude[1]:
                found.append((mw, row, family.delay_s))
        if len(found) >= count:
            break
    else:
        raise InputError(f"the fault is too small for magnitudes {magnitude[0]:g} to {magnitude[1]:g}")
    own, rows, delay_s = zip(*found[:count], strict=True)
    slip = np.stack(rows)
    return Ruptures(np.array(own), slip, np.zeros_like(slip), np.zeros(count), np.array(delay_s))


def generator_ruptures(
    subfaults: Subfaults,
    epicentre: tuple[float, float] | None,
    magnitude: tuple[float, float],
    count: int,
    rng: np.random.Generator,
) -> Ruptures:
    """Draw ruptures of the generator that networks are trained on, under the same condition.

    Parameters
    ----------
    subfaults : Subfaults
        Of a fault.
    epicentre, magnitude, count, rng
        As :func:`family_ruptures` takes them.

    Returns
    -------
    ruptures : Ruptures
        A subfault is drawn on which a rupture may begin, as of families; of ruptures of one size the first that slips
        there is taken, so that large ones are not favoured.

    Raises
    ------
    InputError
        If the fault is too small.
    """
    generator, prior = RuptureGenerator(subfaults), FamilyPrior(subfaults)
    drawn = []
    for _ in range(_TRIES + 2 * count):
        mw, begins = rng.uniform(*magnitude), rng.choice(len(subfaults), p=prior.hypocentre_probability(epicentre))
        try:
            alike = generator.draw_alike(rng, 1 if epicentre is None else _PATTERNS, magnitude=float(mw))
        except InputError:  # the fault is too small for it
            continue
        drawn += [rupture for rupture in alike if epicentre is None or rupture.slip_m[begins] > 0][:1]
        if len(drawn) == count:
            break
    else:
        raise InputError(f"the fault is too small for magnitudes {magnitude[0]:g} to {magnitude[1]:g}")
    return Ruptures(
        magnitude=np.array([rupture.magnitude for rupture in drawn]),
        slip_m=np.stack([rupture.slip_m for rupture in drawn]),
        onset_s=np.stack([rupture.onset_s for rupture in drawn]),
        rise_time_s=np.array([rupture.rise_time_s for rupture in drawn]),
        delay_s=np.zeros(count),
    )


def waves_of(ruptures: Ruptures, bank: GreensBank) -> dict[str, np.ndarray]:
    """Compute the waves of ruptures at the gauges of a bank, without what they are late by, shape (n, n_times), m."""
    records = KinematicResponse.of(bank).records(ruptures.slip_m, ruptures.onset_s, ruptures.rise_time_s)
    return {gauge: records[:, row] for row, gauge in enumerate(bank.gauges)}


def delayed(level_m: np.ndarray, sample_s: float, at_s: np.ndarray, delay_s: np.ndarray) -> np.ndarray:
    """Interpolate waves that are late to times of a record.

    Parameters
    ----------
    level_m : array, shape (n, n_times)
        Waves from the origin on, m; NaN after the end of a run.
    sample_s : float
        Their sampling interval, s.
    at_s : array, shape (n_at,)
        Times, s after the origin.
    delay_s : array, shape (n,)
        By how much each wave is later, s.

    Returns
    -------
    level_m : array, shape (n, n_at)
        m; zero before the origin, NaN after the end.
    """
    place = (at_s - delay_s[:, np.newaxis]) / sample_s
    last = level_m.shape[1] - 1
    below = np.clip(np.floor(place).astype(int), 0, last - 1)
    part = place - below
    found = (
        np.take_along_axis(level_m, below, axis=1) * (1 - part) + np.take_along_axis(level_m, below + 1, axis=1) * part
    )
    return np.where(place < 0, 0.0, np.where(place > last, np.nan, found))
