"""Families of ruptures near the trench: tsunami earthquakes, and slip that fades there or not."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.errors import InputError
from slipcast.inversion.mixture import RuptureMixture
from slipcast.physics.moment import RIGIDITY_PA, moment_magnitude, rigidity_at_depth, seismic_moment
from slipcast.physics.slip_families import N_PARAMETERS, FamilyPrior, FamilySettings, _extent
from slipcast.physics.unit_sources import subdivide, unit_source

EPICENTRE = (-125.6, 47.2)  # within acszb58


def mean_slip(family) -> np.ndarray:
    return family.middle_m * np.exp(0.5 * np.square(family.modes).sum(axis=1))


def test_rigidity_grows_with_depth():
    npt.assert_allclose(rigidity_at_depth([0.0, 7.5e3, 15e3, 35e3, 60e3]) / 1e9, [10.0, 10.0, 30.0, 67.0, 67.0])
    npt.assert_allclose(rigidity_at_depth(25e3), np.sqrt(30e9 * 67e9))  # halfway: the geometric mean


def test_moment_of_faults_of_several_rigidities():
    rigidity_pa = np.array([10e9, 40e9])
    npt.assert_allclose(seismic_moment([2.0, 1.0], 1e9, rigidity_pa=rigidity_pa), 6e19)


def test_slow_earthquakes_are_shallow_slip_more_and_come_later(small_bank):
    subfaults = small_bank.subfaults
    slow, usual = (FamilyPrior(subfaults, FamilySettings(slow=share)) for share in (1.0, 0.0))
    for point in slow.points(16):
        family = slow.family(point, epicentre=EPICENTRE, magnitude=(6.4, 6.6))
        assert {subfaults.sources[source].row for source in subfaults.source_index[family.subfaults]} == {"b"}
        slip_m, area_m2 = mean_slip(family), subfaults.area_m2[family.subfaults]
        rigidity_pa = rigidity_at_depth(subfaults.depth_m[family.subfaults])
        moment_nm = seismic_moment(slip_m, area_m2, rigidity_pa=rigidity_pa)
        npt.assert_allclose(moment_magnitude(moment_nm), family.magnitude, atol=1e-5)
        npt.assert_allclose(seismic_moment(slip_m, area_m2) / moment_nm, family.more_slip, rtol=1e-5)
        assert 1.0 < family.more_slip <= RIGIDITY_PA / 10e9
        other = usual.family(point, epicentre=EPICENTRE, magnitude=(6.4, 6.6))
        assert other.more_slip == 1.0
    middle = np.full(N_PARAMETERS, 0.5)
    late, early = (prior.family(middle, magnitude=(7.5, 7.5)).delay_s for prior in (slow, usual))
    assert late == pytest.approx(3 * early)


def test_slip_fades_towards_the_trench_or_not():
    kept, faded = (_extent(0, 10.0, 20, 0.5, tapered=tapered)[1] for tapered in (False, True))
    npt.assert_allclose(kept[:3], 1.0)
    npt.assert_allclose(faded[:3], np.sin(0.5 * np.pi * np.array([0.5, 1.5, 2.5]) / 3) ** 2)  # over 3 cells
    npt.assert_allclose(faded[3:], kept[3:])
    away = [_extent(10, 4.0, 20, 0.0, tapered=tapered) for tapered in (False, True)]
    npt.assert_allclose(away[0][1], away[1][1])  # it does not reach the trench


def test_a_share_of_families_is_slow_and_one_fades(small_bank):
    prior = FamilyPrior(small_bank.subfaults, FamilySettings(slow=0.25, tapered=0.5))
    families = [prior.family(point, epicentre=EPICENTRE, magnitude=(6.5, 6.6)) for point in prior.points(256)]
    slow = np.mean([family.more_slip > 1 for family in families if family is not None])
    assert slow == pytest.approx(0.25, abs=0.04)
    point = np.full(N_PARAMETERS, 0.5)
    point[2] = 0.99  # from the trench down
    ratios = []
    for at in (0.3, 0.9):
        point[9] = at
        family = prior.family(point, epicentre=EPICENTRE, magnitude=(7.6, 7.6))
        shallow = small_bank.subfaults.down[family.subfaults] == small_bank.subfaults.down.min()
        ratios.append(mean_slip(family)[shallow].max() / mean_slip(family).max())
    assert ratios[0] < 0.8 * ratios[1]


@pytest.mark.parametrize("options", [{"slow": 1.2}, {"tapered": -0.1}])
def test_shares_are_checked(options):
    with pytest.raises(InputError, match=f"{next(iter(options))} must be a share, in"):
        FamilySettings(**options)


def test_draws_of_slow_earthquakes_have_the_moment_and_the_higher_waves(small_bank):
    found = {}
    for slow in (0.0, 1.0):
        settings = FamilySettings(magnitude=(7.5, 7.5), slow=slow)
        mixture = RuptureMixture(small_bank, 60.0, settings=settings, slip_scatter=0.0)
        found[slow] = mixture.draws(np.full((3, 60), np.nan), 400, np.random.default_rng(0))
    area_m2 = small_bank.subfaults.area_m2
    for drawn in found.values():
        mw = moment_magnitude(seismic_moment(drawn.subfault_slip_m, area_m2))
        assert np.median(mw) == pytest.approx(7.5, abs=0.12)
    more = np.median(found[1.0].wave_factor) / np.median(found[0.0].wave_factor)
    assert 1.5 < more < 4.0


def test_no_tsunami_earthquake_is_where_the_fault_begins_deeper():
    subfaults = subdivide([unit_source(name) for name in ("acsza54", "acsza55", "acszb55", "acsza56", "acszb56")], 10.0)
    prior, deep = FamilyPrior(subfaults, FamilySettings(slow=1.0)), unit_source("acsza54")
    families = [
        prior.family(point, epicentre=(deep.lon_deg, deep.lat_deg), magnitude=(7.0, 7.2)) for point in prior.points(64)
    ]
    assert any(family is None for family in families)
    names = np.array(subfaults.source_names)
    broken = [names[subfaults.source_index[family.subfaults]] for family in families if family]
    assert set(np.concatenate(broken)) <= {"acszb55", "acszb56"}
