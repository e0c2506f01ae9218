"""Gaussian fields of slip: the covariance they should have, entry by entry, for rectangles of all sizes."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
from scipy.special import gamma, kv

from slipcast.physics import slip_field
from slipcast.physics.ruptures import correlation_lengths_km, draw_dimensions
from slipcast.physics.slip_field import SlipField, von_karman_correlation

CELL_KM = (10.0, 12.0)


def von_karman(distance, hurst: float) -> np.ndarray:
    """Write the correlation as Mai and Beroza (2002) do."""
    r = np.where(distance == 0, 1.0, distance)
    return np.where(distance == 0, 1.0, r**hurst * kv(hurst, r) * 2 ** (1 - hurst) / gamma(hurst))


def dense_covariance(n_along: int, n_down: int, lengths, hurst: float) -> np.ndarray:
    """Write the covariance of every pair of cells; slip has a coefficient of variation of 0.9."""
    j, i = (index.ravel() for index in np.mgrid[:n_down, :n_along])
    x, y = (cell * np.subtract.outer(k, k) / length for cell, k, length in zip(CELL_KM, (i, j), lengths, strict=True))
    return np.log1p(0.9**2 * von_karman(np.hypot(x, y), hurst))


class Unit:
    """A generator of one unit vector, to read the linear map out of a sampler."""

    def __init__(self, number: int):
        self.number = number

    def standard_normal(self, shape):
        values = np.zeros(shape)
        values.ravel()[self.number] = 1.0
        return values


def covariance_of_samples(field: SlipField) -> np.ndarray:
    """Compute the covariance of what a field draws: of a linear map of white noise, without drawing any."""
    noise = 2 * field.n_down * field.factor.shape[1]
    map_ = np.array([field.sample(Unit(number)).ravel() for number in range(noise)])
    return map_.T @ map_


@pytest.mark.parametrize("hurst", [0.4, 0.5, 0.75, 1.0])
def test_von_karman_is_what_its_formula_says(hurst):
    r = np.linspace(0.01, 8, 50)
    npt.assert_allclose(von_karman_correlation(r, hurst), von_karman(r, hurst))
    assert von_karman_correlation(0.0, hurst) == 1.0
    npt.assert_allclose(von_karman_correlation(1e-7, hurst), 1.0, atol=1e-4)


@pytest.mark.parametrize("hurst", [0.2, 0.4, 0.75, 1.0])
@pytest.mark.parametrize(
    ("n_along", "n_down", "lengths"),
    [(13, 6, (55.0, 30.0)), (12, 2, (700.0, 40.0)), (4, 11, (38.0, 130.0)), (7, 1, (40.0, 18.0)), (1, 1, (20.0, 9.0))],
)
def test_samples_have_the_dense_covariance(n_along, n_down, lengths, hurst):
    field = SlipField.of_size(n_along, n_down, CELL_KM, lengths, hurst)
    assert field.sample(np.random.default_rng(1)).shape == (n_down, n_along)
    # cubic interpolation in a table of 4,096 steps is what is not exact
    npt.assert_allclose(
        covariance_of_samples(field), dense_covariance(n_along, n_down, lengths, hurst), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("hurst", [0.4, 0.75])
@pytest.mark.parametrize("magnitude", [7.0, 7.8, 8.5, 9.2, 9.7])
def test_no_variance_is_lost_whatever_the_size(magnitude, hurst):
    rng = np.random.default_rng([int(10 * magnitude), int(100 * hurst)])
    for _ in range(4):
        length_km, width_km = (float(size) for size in draw_dimensions(magnitude, rng))
        # as on a fault of 1200 x 180 km, which cuts the largest
        n_along, n_down = max(1, min(120, round(length_km / 10))), max(1, min(15, round(width_km / 12)))
        lengths = correlation_lengths_km(length_km, width_km)
        field = SlipField.of_size(n_along, n_down, CELL_KM, lengths, hurst)
        lower = np.zeros((n_down, n_down, field.factor.shape[1]))
        lower[np.tril_indices(n_down)] = field.factor
        between = np.fft.irfft(np.einsum("ikw,jkw->ijw", lower, lower), n=field.period)[..., :n_along]
        rows = np.arange(n_down)
        x = CELL_KM[0] * np.arange(n_along) / lengths[0]
        y = CELL_KM[1] * np.subtract.outer(rows, rows)[..., np.newaxis] / lengths[1]
        npt.assert_allclose(between, np.log1p(0.9**2 * von_karman(np.hypot(x, y), hurst)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("hurst", [0.4, 0.75])
def test_correlation_lengths_are_recovered_from_the_samples(hurst):
    # the correlation of slip itself, at one correlation length along strike and down dip, from many samples
    lengths = (55.0, 30.0)
    field = SlipField.of_size(13, 6, CELL_KM, lengths, hurst)
    rng = np.random.default_rng(3)
    slip = np.exp([field.sample(rng) for _ in range(20_000)])
    cell = slip[:, 2, 2]
    npt.assert_allclose(cell.std() / cell.mean(), 0.9, rtol=0.08)
    for steps in (1, 3, 5):
        along = np.corrcoef(cell, slip[:, 2, 2 + steps])[0, 1]
        npt.assert_allclose(along, von_karman(CELL_KM[0] * steps / lengths[0], hurst), atol=0.04)
    for steps in (1, 2, 3):
        down = np.corrcoef(cell, slip[:, 2 + steps, 2])[0, 1]
        npt.assert_allclose(down, von_karman(CELL_KM[1] * steps / lengths[1], hurst), atol=0.04)


def test_samples_are_normal_and_follow_the_generator():
    field = SlipField.of_size(5, 3, CELL_KM, (55.0, 30.0), 0.4)
    first, again, other = (field.sample(np.random.default_rng(seed)) for seed in (1, 1, 2))
    npt.assert_array_equal(first, again)
    assert np.abs(first - other).min() > 0
    # twice the noise, twice the field: normal noise makes a normal field
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((2, 3, field.factor.shape[1]))

    class Given:
        def __init__(self, values):
            self.values = values

        def standard_normal(self, shape):
            assert self.values.shape == shape
            return self.values

    npt.assert_allclose(field.sample(Given(2 * noise)), 2 * field.sample(Given(noise)), rtol=1e-12)


def test_what_is_no_covariance_loses_its_negative_part(monkeypatch):
    # one within two correlation lengths and nothing beyond: a box, whose transform is negative here and there
    box = np.where(np.linspace(0, np.sqrt(slip_field._FARTHEST), slip_field._STEPS + 1) ** 2 < 2.03, 1.0, 0.0)
    monkeypatch.setattr(slip_field, "_covariance_table", lambda hurst: box)
    field = SlipField.of_size(6, 3, CELL_KM, (10.0, 12.0), 0.5)
    rows, steps = np.arange(3), np.minimum(np.arange(field.period), field.period - np.arange(field.period))
    distance = np.hypot(np.subtract.outer(rows, rows)[..., np.newaxis], steps)
    values, vectors = np.linalg.eigh(np.moveaxis(np.fft.rfft(np.where(distance < 2.03, 1.0, 0.0)).real, -1, 0))
    assert values.min() < -0.5
    positive = np.einsum("wik,wk,wjk->ijw", vectors, np.clip(values, 0, None), vectors)
    by_lag = np.fft.irfft(positive, n=field.period)
    j, i = (index.ravel() for index in np.mgrid[:3, :6])
    expected = by_lag[j[:, np.newaxis], j, np.abs(np.subtract.outer(i, i))]
    npt.assert_allclose(covariance_of_samples(field), expected, rtol=0, atol=1e-9)
