"""Ruptures: sizes after the scaling law, exact magnitudes, correlations recovered, fronts that travel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest
from scipy.special import gamma, kv
from scipy.stats import kstest

from slipcast.errors import InputError
from slipcast.physics.moment import moment_magnitude, seismic_moment
from slipcast.physics.ruptures import (
    RuptureGenerator,
    RuptureSettings,
    _karhunen_loeve_modes,
    correlation_lengths_km,
    draw_dimensions,
    max_plausible_slip,
    von_karman_correlation,
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


@pytest.mark.parametrize("hurst", [0.4, 0.5, 0.75, 1.0])
def test_von_karman_is_what_its_formula_says(hurst):
    r = np.linspace(0.01, 8, 50)
    npt.assert_allclose(von_karman_correlation(r, hurst), r**hurst * kv(hurst, r) * 2 ** (1 - hurst) / gamma(hurst))
    assert von_karman_correlation(0.0, hurst) == 1.0
    npt.assert_allclose(von_karman_correlation(1e-7, hurst), 1.0, atol=1e-4)


def test_lengths_of_mai_and_beroza():
    npt.assert_allclose(correlation_lengths_km(200.0, 80.0), (85.7, 38.0))


N_ALONG, N_DOWN, SIZE, LENGTHS = 13, 6, (10.0, 12.0), (55.0, 30.0)


def dense_correlation(hurst: float) -> np.ndarray:
    """Write the correlation of every pair of cells, one by one."""
    j, i = (index.ravel() for index in np.mgrid[:N_DOWN, :N_ALONG])
    x, y = SIZE[0] * (i[:, np.newaxis] - i) / LENGTHS[0], SIZE[1] * (j[:, np.newaxis] - j) / LENGTHS[1]
    r = np.hypot(x, y)
    return np.where(r == 0, 1.0, von_karman_correlation(r, hurst))


@pytest.mark.parametrize("hurst", [0.4, 0.75])
def test_the_expansion_has_the_dense_covariance(hurst):
    modes = _karhunen_loeve_modes(N_ALONG, N_DOWN, *SIZE, *LENGTHS, hurst)

    class Unit:
        """A generator of the unit vectors, one after the other, to read the linear map out of a sampler."""

        def __init__(self, number):
            self.number = number
            self.seen = 0

        def standard_normal(self, shape):
            values = np.zeros(shape)
            at = self.number - self.seen
            if 0 <= at < values.size:
                values.ravel()[at] = 1.0
            self.seen += values.size
            return values

    count = N_ALONG * N_DOWN
    columns = []
    for number in range(count):
        unit = Unit(number)
        columns.append(sum(part.sample(N_DOWN, N_ALONG, unit) for part in modes).ravel())
        assert unit.seen == count
    map_ = np.array(columns).T
    # lognormal slip of a coefficient of variation of 0.9: the logarithm has the covariance log(1 + 0.81 C)
    expected = np.log1p(0.9**2 * dense_correlation(hurst))
    values, vectors = np.linalg.eigh(expected)
    expected = (vectors * np.clip(values, 0, None)) @ vectors.T
    npt.assert_allclose(map_ @ map_.T, expected, rtol=0, atol=2e-3 * expected[0, 0])


@pytest.mark.parametrize("hurst", [0.4, 0.75])
def test_correlation_lengths_are_recovered_from_the_samples(hurst):
    # the correlation of slip itself, at one correlation length along strike and down dip, from many samples
    modes = _karhunen_loeve_modes(N_ALONG, N_DOWN, *SIZE, *LENGTHS, hurst)
    rng = np.random.default_rng(3)
    slip = np.exp([sum(part.sample(N_DOWN, N_ALONG, rng) for part in modes) for _ in range(20_000)])
    cell = slip[:, 2, 2]
    npt.assert_allclose(cell.std() / cell.mean(), 0.9, rtol=0.08)
    for steps in (1, 3, 5):
        along = np.corrcoef(cell, slip[:, 2, 2 + steps])[0, 1]
        expected = von_karman_correlation(SIZE[0] * steps / LENGTHS[0], hurst)
        npt.assert_allclose(along, expected, atol=0.04)
    for steps in (1, 2, 3):
        down = np.corrcoef(cell, slip[:, 2 + steps, 2])[0, 1]
        npt.assert_allclose(down, von_karman_correlation(SIZE[1] * steps / LENGTHS[1], hurst), atol=0.04)


def test_a_rupture_has_the_correlation_lengths_of_its_size(generator):
    # pairs of subfaults of the generator's own patterns; the mean of the logarithm is zero, so products estimate it
    length_km, width_km, hurst = 300.0, 100.0, 0.75
    along_km, down_km = 17.7 + 0.34 * length_km, 6 + 0.4 * width_km  # Mai and Beroza (2002)
    subfaults = generator.subfaults
    place = np.full((np.ptp(subfaults.down) + 1, np.ptp(subfaults.along) + 1), -1)
    place[subfaults.down - subfaults.down.min(), subfaults.along - subfaults.along.min()] = np.arange(len(subfaults))
    rng = np.random.default_rng(8)
    fields = []
    for _ in range(1500):
        slip = np.append(generator._draw_slip(length_km, width_km, hurst, rng), 0.0)[place]
        fields.append(np.log(slip, where=slip > 0, out=np.full(slip.shape, np.nan)))
    fields = np.array(fields)
    dx, dy = subfaults.length_m[0] / 1e3, subfaults.width_m[0] / 1e3
    assert (dx, dy) == (20.0, 25.0)
    for i, j in ((0, 0), (3, 0), (8, 0), (0, 1), (0, 3), (4, 2)):
        rows, columns = fields.shape[1:]
        products = fields[:, j:, i:] * fields[:, : rows - j, : columns - i]
        r = np.hypot(i * dx / along_km, j * dy / down_km)
        correlation = 1.0 if r == 0 else r**hurst * kv(hurst, r) * 2 ** (1 - hurst) / gamma(hurst)
        # each of the 1,500 patterns holds a few independent values: 0.05 is four standard errors
        npt.assert_allclose(np.nanmean(products), np.log1p(0.9**2 * correlation), rtol=0, atol=0.05)


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


def test_all_parts_of_the_fault_slip_alike():
    # on a fault much longer than its ruptures, cells away from the ends slip in about as many of them
    long = RuptureGenerator(fault([f"acsza{n}" for n in range(20, 40)], 25.0), RuptureSettings(magnitude=(7.8, 7.8)))
    slipped = np.zeros(len(long.subfaults))
    for number in range(1500):
        slipped += long.draw(np.random.default_rng(number)).slip_m > 0
    along = np.bincount(long.subfaults.along - long.subfaults.along.min(), slipped)
    middle = along[15:-15]
    npt.assert_allclose(middle, middle.mean(), rtol=0.25)


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
    with pytest.raises(InputError, match="ruptures need unit sources of one zone, got acsz, cssz"):
        RuptureGenerator(fault(["acsza58", "cssza90"]))
    with pytest.raises(InputError, match="ruptures need unit sources of the plate interface, got acszc58"):
        RuptureGenerator(fault(["acszc58"]))
    divided = subdivide([unit_source("acsza58"), replace(unit_source("acszb58"), width_m=70e3)], 10.0)
    with pytest.raises(InputError, match=r"ruptures need subfaults of one size, got divisions \{\(10, [57]\)"):
        RuptureGenerator(divided)


def test_a_fault_too_small_for_its_magnitude():
    with pytest.raises(
        InputError, match=r"the fault is too small for magnitude 9.50: slip passes the plausible maximum"
    ):
        RuptureGenerator(fault(["acsza58"])).draw(np.random.default_rng(1), magnitude=9.5)
