"""Ruptures: sizes after the scaling law, exact magnitudes, correlations recovered, fronts that travel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest
from scipy.special import gamma, kv
from scipy.stats import ks_2samp, kstest

from slipcast.errors import InputError
from slipcast.physics.moment import moment_magnitude, seismic_moment
from slipcast.physics.ruptures import (
    RuptureGenerator,
    RuptureSettings,
    _cut,
    _place,
    correlation_lengths_km,
    draw_dimensions,
    max_plausible_slip,
)
from slipcast.physics.unit_sources import expand_names, subdivide, unit_source

CASCADIA = expand_names(["acsza54..65", "acszb55..65", "acszz55..62"])


def fault(names=CASCADIA, size_km: float = 10.0):
    """Divide unit sources."""
    return subdivide([unit_source(name) for name in names], size_km)


@pytest.fixture(scope="module")
def generator():
    return RuptureGenerator(fault(size_km=20.0))


@pytest.fixture(scope="module")
def draws(generator):
    return [generator.draw(np.random.default_rng([7, number])) for number in range(2000)]


def test_length_and_width_follow_blaser(draws):
    # log10 L = N(-2.37 + 0.57 Mw, 0.18), log10 W = N(-1.86 + 0.46 Mw, 0.17); the median of n draws of a normal scatters
    # by 1.2533 sd / sqrt(n)
    magnitude = np.array([draw.magnitude for draw in draws])
    for key, intercept, slope, sd in (("length_km", -2.37, 0.57, 0.18), ("width_km", -1.86, 0.46, 0.17)):
        size = np.log10([getattr(draw, key) for draw in draws])
        left = size - (intercept + slope * magnitude)
        scatter = 1.2533 * sd / np.sqrt(len(draws))
        assert abs(np.median(left)) < 4 * scatter, key
        npt.assert_allclose(np.std(left), sd, rtol=0.08)
        below, above = (np.median(left[part]) for part in (magnitude < 8.5, magnitude >= 8.5))
        assert abs(below - above) < 8 * scatter  # at both ends of the range, too


def test_dimensions_without_a_fault():
    length, width = draw_dimensions(np.full(20_000, 8.0), np.random.default_rng(1))
    assert kstest((np.log10(length) - (-2.37 + 0.57 * 8.0)) / 0.18, "norm").pvalue > 0.001
    assert kstest((np.log10(width) - (-1.86 + 0.46 * 8.0)) / 0.17, "norm").pvalue > 0.001
    assert abs(np.corrcoef(np.log(length), np.log(width))[0, 1]) < 0.03


def test_magnitudes_are_exact_and_uniform(draws, generator):
    area = generator.subfaults.area_m2
    found = np.array([moment_magnitude(seismic_moment(draw.slip_m, area)) for draw in draws])
    asked = np.array([draw.magnitude for draw in draws])
    npt.assert_allclose(found, asked, rtol=0, atol=1e-6)
    assert kstest(asked, "uniform", args=(7.8, 1.4)).pvalue > 0.001
    exact = generator.draw(np.random.default_rng(1), magnitude=8.25)
    npt.assert_allclose(moment_magnitude(seismic_moment(exact.slip_m, area)), 8.25, atol=1e-6)


def test_slip_is_plausible(draws):
    for draw in draws:
        assert (draw.slip_m >= 0).all()
        assert 0 < draw.slip_m.max() <= max_plausible_slip(draw.magnitude)
    npt.assert_allclose(max_plausible_slip(9.0), 3 * 10**1.45)


def test_slip_lies_on_a_patch_of_the_size_drawn(draws, generator):
    subfaults = generator.subfaults
    sizes = subfaults.length_m[0] / 1e3, subfaults.width_m[0] / 1e3
    for draw in draws[::20]:
        slips = draw.slip_m > 0
        for index, cell, drawn in zip(
            (subfaults.along, subfaults.down), sizes, (draw.length_km, draw.width_km), strict=True
        ):
            extent = cell * (np.ptp(index[slips]) + 1)
            assert extent <= max(cell, drawn + cell / 2)


def test_both_hurst_exponents_are_drawn(draws):
    share = np.mean([draw.hurst == 0.4 for draw in draws])
    assert {draw.hurst for draw in draws} == {0.4, 0.75}
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(len(draws))


# --- correlation


def test_lengths_of_mai_and_beroza():
    npt.assert_allclose(correlation_lengths_km(200.0, 80.0), (85.7, 38.0))


def test_a_rupture_has_the_correlation_lengths_of_its_size(generator):
    # pairs of cells of the generator's own patterns; the mean of the logarithm is zero, so products estimate it
    length_km, width_km, hurst = 300.0, 100.0, 0.75
    along_km, down_km = 17.7 + 0.34 * length_km, 6 + 0.4 * width_km  # Mai and Beroza (2002)
    subfaults = generator.subfaults
    rng = np.random.default_rng(8)
    logarithm = generator._slip_field(generator._segments[0], length_km, width_km, hurst)
    fields = np.array([logarithm.sample(rng) for _ in range(1500)])
    dx, dy = subfaults.length_m[0] / 1e3, subfaults.width_m[0] / 1e3
    assert (dx, dy) == (20.0, 25.0)
    assert fields.shape[1:] == (4, 15)
    for i, j in ((0, 0), (3, 0), (8, 0), (0, 1), (0, 3), (4, 2)):
        rows, columns = fields.shape[1:]
        products = fields[:, j:, i:] * fields[:, : rows - j, : columns - i]
        r = np.hypot(i * dx / along_km, j * dy / down_km)
        correlation = 1.0 if r == 0 else r**hurst * kv(hurst, r) * 2 ** (1 - hurst) / gamma(hurst)
        # each of the 1,500 patterns holds a few independent values: 0.05 is four standard errors
        npt.assert_allclose(products.mean(), np.log1p(0.9**2 * correlation), rtol=0, atol=0.05)


def draw_directly(subfaults, settings: RuptureSettings, rng: np.random.Generator):
    """Draw a rupture the plain way: all pairs of cells, eigenvectors, one try after the other."""
    along, down = subfaults.along - subfaults.along.min(), subfaults.down - subfaults.down.min()
    dx, dy = subfaults.length_m[0] / 1e3, subfaults.width_m[0] / 1e3
    magnitude = rng.uniform(*settings.magnitude)
    while True:
        length = 10 ** (-2.37 + 0.57 * magnitude + 0.18 * rng.standard_normal())
        width = 10 ** (-1.86 + 0.46 * magnitude + 0.17 * rng.standard_normal())
        hurst = rng.choice(settings.hurst)
        n_along = int(np.clip(round(length / dx), 1, along.max() + 1))
        n_down = int(np.clip(round(width / dy), 1, down.max() + 1))
        j, i = (index.ravel() for index in np.mgrid[:n_down, :n_along])
        r = np.hypot(
            np.subtract.outer(i, i) * dx / (17.7 + 0.34 * length), np.subtract.outer(j, j) * dy / (6 + 0.4 * width)
        )
        safe = np.where(r == 0, 1.0, r)
        correlation = np.where(r == 0, 1.0, safe**hurst * kv(hurst, safe) * 2 ** (1 - hurst) / gamma(hurst))
        values, vectors = np.linalg.eigh(np.log1p(0.9**2 * correlation))
        for _ in range(30):
            centre = rng.integers(len(subfaults))
            starts = [
                rng.choice([first for first in range(edge - count + 1) if first <= at[centre] < first + count])
                for at, count, edge in ((along, n_along, along.max() + 1), (down, n_down, down.max() + 1))
            ]
            pattern = np.exp(vectors @ (np.sqrt(np.clip(values, 0, None)) * rng.standard_normal(len(values))))
            slip = np.zeros(len(subfaults))
            for cell_i, cell_j, value in zip(i + starts[0], j + starts[1], pattern, strict=True):
                slip[(along == cell_i) & (down == cell_j)] = value
            slip *= 10 ** (1.5 * magnitude + 9.1) / (40e9 * subfaults.area_m2 * slip).sum()
            if slip.max() <= 3 * 10 ** (-4.94 + 0.71 * magnitude):
                slips = np.flatnonzero(slip)
                start = rng.choice(slips)
                distance = np.hypot((along - along[start]) * dx, (down - down[start]) * dy)
                onset = np.where(slip > 0, distance / rng.uniform(*settings.speed_km_s), 0)
                return slip, onset, rng.uniform(*settings.rise_time_s)


@pytest.mark.slow
def test_ruptures_are_distributed_as_if_drawn_directly():
    # two zones of unequal length, so that patches stick out of the fault and are cut
    subfaults = fault([*(f"acsza{n}" for n in range(55, 59)), "acszb56", "acszb57"], 25.0)
    settings = RuptureSettings(magnitude=(7.6, 8.5))
    count = 3000
    generator = RuptureGenerator(subfaults, settings)
    found = [generator.draw(np.random.default_rng([1, number])) for number in range(count)]
    direct = [draw_directly(subfaults, settings, np.random.default_rng([2, number])) for number in range(count)]
    slips = [np.array([draw.slip_m for draw in found]), np.array([draw[0] for draw in direct])]
    onsets = [np.array([draw.onset_s for draw in found]), np.array([draw[1] for draw in direct])]
    # how often, how much and when each subfault slips, and how all pairs of them do so together
    for values in ([slip > 0 for slip in slips], slips, [np.log1p(slip) for slip in slips], onsets):
        means = [of.mean(axis=0) for of in values]
        scatter = np.sqrt(sum(of.var(axis=0) for of in values) / count)
        assert np.abs((means[0] - means[1]) / scatter).max() < 4.5
    centred = [np.log1p(slip) - np.log1p(slip).mean(axis=0) for slip in slips]
    products = [np.einsum("ka,kb->kab", of, of) for of in centred]
    scatter = np.sqrt(sum(of.var(axis=0) for of in products) / count)
    apart = (products[0].mean(axis=0) - products[1].mean(axis=0)) / scatter
    assert np.abs(apart).max() < 5
    # marginals: the greatest slip, the roughness, the size, the duration
    for of in (
        lambda slip, onset: slip.max(axis=1),
        lambda slip, onset: slip.std(axis=1) / slip.mean(axis=1),
        lambda slip, onset: (slip > 0).sum(axis=1) + 1e-6 * slip.max(axis=1),
        lambda slip, onset: onset.max(axis=1),
    ):
        assert ks_2samp(of(slips[0], onsets[0]), of(slips[1], onsets[1])).pvalue > 0.001
    assert ks_2samp([draw.rise_time_s for draw in found], [draw[2] for draw in direct]).pvalue > 0.001


# --- time


def test_the_front_travels_at_its_speed(draws, generator):
    subfaults = generator.subfaults
    for draw in draws[::40]:
        slips = draw.slip_m > 0
        assert (draw.onset_s[~slips] == 0).all()
        hypocentre = int(np.flatnonzero(slips)[np.argmin(draw.onset_s[slips])])
        assert draw.onset_s[hypocentre] == 0.0
        distance = np.hypot(
            subfaults.length_m[0] / 1e3 * (subfaults.along - subfaults.along[hypocentre]),
            subfaults.width_m[0] / 1e3 * (subfaults.down - subfaults.down[hypocentre]),
        )
        others = slips & (distance > 0)
        if others.any():
            speed = distance[others] / draw.onset_s[others]
            npt.assert_allclose(speed, speed[0])
            assert 2.0 <= speed[0] <= 3.0
        assert 10.0 <= draw.rise_time_s <= 40.0


def test_speed_and_rise_time_are_what_was_asked():
    settings = RuptureSettings(magnitude=(8.5, 8.5), speed_km_s=(2.8, 2.8), rise_time_s=(25.0, 25.0))
    subfaults = fault(size_km=25.0)
    draw = RuptureGenerator(subfaults, settings).draw(np.random.default_rng(3))
    slips = draw.slip_m > 0
    (first,) = np.flatnonzero(slips & (draw.onset_s == 0))
    steps = np.hypot(subfaults.along - subfaults.along[first], subfaults.down - subfaults.down[first])
    npt.assert_allclose(draw.onset_s, np.where(slips, 25.0 * steps / 2.8, 0.0), rtol=1e-12)
    assert draw.rise_time_s == 25.0


def test_a_static_rupture_has_no_onset():
    draw = RuptureGenerator(fault(), RuptureSettings(kinematic=False)).draw(np.random.default_rng(1))
    assert not draw.onset_s.any()
    assert draw.rise_time_s == 0.0


def test_the_same_randomness_gives_the_same_rupture(generator):
    first, again, other = (generator.draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    npt.assert_array_equal(first.slip_m, again.slip_m)
    npt.assert_array_equal(first.onset_s, again.onset_s)
    assert not np.array_equal(first.slip_m, other.slip_m)


@pytest.mark.slow
def test_all_parts_of_the_fault_slip_alike():
    # on a fault much longer than its ruptures, cells away from the ends slip in about as many of them
    long = RuptureGenerator(fault([f"acsza{n}" for n in range(20, 40)], 25.0), RuptureSettings(magnitude=(7.8, 7.8)))
    slipped = np.zeros(len(long.subfaults))
    rng = np.random.default_rng(11)
    for _ in range(12_000):
        slipped += long.draw(rng).slip_m > 0
    along = np.bincount(long.subfaults.along - long.subfaults.along.min(), slipped)
    middle = along[15:-15]
    # both rows slip together in about 700 of them, so that counts scatter by 4 %
    npt.assert_allclose(middle, middle.mean(), rtol=0.15)


# --- wrong input


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"magnitude": (9.0, 8.0)}, r"magnitude must be a rising range from 5 up, got \(9.0, 8.0\)"),
        ({"magnitude": (4.0, 8.0)}, r"magnitude must be a rising range from 5 up, got \(4.0, 8.0\)"),
        ({"magnitude": (8.0, 9.9)}, "magnitude must be at most 9.7, got 9.9"),
        ({"speed_km_s": (0.0, 2.0)}, r"speed_km_s must be a rising range from 0.1 up"),
        ({"rise_time_s": (-1.0, 2.0)}, r"rise_time_s must be a rising range from 0 up"),
        ({"hurst": ()}, r"hurst must hold exponents in \(0, 1\], got \(\)"),
        ({"hurst": (0.4, 1.5)}, r"hurst must hold exponents in \(0, 1\], got \(0.4, 1.5\)"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(InputError, match=message):
        RuptureSettings(**settings)


def test_faults_that_cannot_rupture():
    with pytest.raises(InputError, match="ruptures need unit sources of the plate interface, got acszc58"):
        RuptureGenerator(fault(["acszc58"]))
    divided = subdivide([unit_source("acsza58"), replace(unit_source("acszb58"), width_m=70e3)], 10.0)
    with pytest.raises(InputError, match=r"subfaults of a zone must be of one size, got divisions \{\(10, [57]\)"):
        RuptureGenerator(divided)


def test_a_fault_too_small_for_its_magnitude():
    with pytest.raises(
        InputError, match=r"the fault is too small for magnitude 9.50: slip passes the plausible maximum"
    ):
        RuptureGenerator(fault(["acsza58"])).draw(np.random.default_rng(1), magnitude=9.5)


# --- places and sizes


@pytest.mark.parametrize(("at", "firsts"), [(5, {3, 4, 5}), (9, {7}), (0, {0}), (1, {0, 1}), (8, {6, 7})])
def test_a_run_of_cells_holds_its_cell_and_stays_on_the_fault(at, firsts):
    rng = np.random.default_rng(1)
    assert {_place(at, 3, 10, rng) for _ in range(200)} == firsts


def test_sizes_are_rounded_to_whole_cells_of_the_fault():
    assert [_cut(cells, 4) for cells in (0.2, 1.4, 1.6, 2.7, 9.0)] == [1, 1, 2, 3, 4]


def test_hypocentres_are_anywhere_on_a_rupture(generator):
    at = []
    for number in range(300):
        draw = generator.draw(np.random.default_rng([7, number]))
        slipping = np.flatnonzero(draw.slip_m)
        at.append((np.argmin(draw.onset_s[slipping]) + 0.5) / slipping.size)
    # uniform: the mean of 300 scatters by 0.29 / 17, and each half has about half of them
    assert abs(np.mean(at) - 0.5) < 0.07
    assert kstest(at, "uniform").pvalue > 0.001
