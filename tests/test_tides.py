"""Tides: those made from the tables of Schureman are foretold within the errors that are stated; gaps in knowledge."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.errors import InputError
from slipcast.records import TideFit, fit_harmonic, fit_short
from slipcast.records.tides import _CONSTITUENTS, _equilibrium, rough_tide
from tide_fixtures import CONSTITUENTS, ORIGIN, argument_deg, tide_m

PLACE = {"origin": ORIGIN, "lat_deg": 40.0}
NOISE_M = 0.002
AHEAD_S = np.arange(60.0, 5401.0, 60.0)


def before(hours: float, *, step_s: float = 60.0) -> np.ndarray:
    """Return the times of samples up to the origin."""
    return -np.arange(0.0, 3600 * hours, step_s)[::-1]


def chi_square(fit: TideFit, truth_m: np.ndarray) -> float:
    """Return how far samples are from a fit by its own account, a sample: 1 is what is expected of an honest one."""
    covariance = fit.column_m @ fit.column_m.T + NOISE_M**2 * np.eye(truth_m.size)
    left = truth_m - fit.level_m
    return float(left @ np.linalg.solve(covariance, left)) / truth_m.size


@pytest.mark.parametrize(("hours", "largest_m"), [(6, 0.03), (30, 0.015)])
def test_ninety_minutes_ahead(hours, largest_m):
    time_s, both = before(hours), np.append(before(hours), AHEAD_S)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        lags = rng.uniform(0, 360, 2)
        height = 5600 + tide_m(both, lag_deg=lags) + NOISE_M * rng.standard_normal(both.size)
        fit = fit_short(time_s, height[: time_s.size], AHEAD_S, **PLACE)
        assert 0.2 < chi_square(fit, height[time_s.size :]) < 2
        truth = 5600 + tide_m(AHEAD_S, lag_deg=lags)
        assert np.abs(fit.level_m - truth).max() < largest_m


def weather(time_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a drift of 40 mm and 8 h with a covariance (1 + d) exp(-d)."""
    lag = np.sqrt(3) * np.abs(time_s[:, np.newaxis] - time_s) / (8 * 3600)
    covariance = 0.04**2 * (1 + lag) * np.exp(-lag) + 1e-10 * np.eye(time_s.size)
    return np.linalg.cholesky(covariance) @ rng.standard_normal(time_s.size)


@pytest.mark.slow
def test_errors_are_as_large_as_stated():
    """Draw tides and weather as they are expected; the error of an honest fit over its size is 1 in the mean square."""
    time_s, ahead_s = before(10, step_s=450.0), np.array([1800.0, 3600.0, 7200.0, 14400.0])
    both = np.append(time_s, ahead_s)
    errors = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        tide = np.zeros(both.size)
        of_species = {species: 0.3 * rng.standard_normal(2) for species in (1, 2)}
        for name, (species, *_, coefficient) in CONSTITUENTS.items():
            in_phase, out_of_phase = of_species[species] + 0.3 * 0.3 * rng.standard_normal(2)
            angle = np.radians(argument_deg(name, both))
            tide += coefficient * (in_phase * np.cos(angle) + out_of_phase * np.sin(angle))
        height = 4000 + tide + weather(both, rng) + NOISE_M * rng.standard_normal(both.size)
        fit = fit_short(time_s, height[: time_s.size], ahead_s, **PLACE)
        said = np.sqrt((fit.column_m**2).sum(axis=1) + NOISE_M**2)
        errors.append((height[time_s.size :] - fit.level_m) / said)
    # 40 squares of a normal number scatter by 0.22; nodal corrections, 10 % of K1, are left out of the truth
    npt.assert_allclose(np.mean(np.square(errors), axis=0), 1.0, atol=0.5)
    assert (np.diff(said) > 0).all()  # the farther ahead, the less sure


def test_more_hours_know_more():
    spread = []
    for hours in (1, 3, 6, 12, 30):
        time_s = before(hours)
        fit = fit_short(time_s, tide_m(time_s), np.array([5400.0]), **PLACE)
        spread.append(float(np.sqrt((fit.column_m**2).sum())))
    assert (np.diff(spread) < 0).all()
    assert spread[0] > 2 * spread[-1]


def test_a_constant_goes_to_the_level_and_the_rest_is_linear():
    time_s = before(6)
    rng = np.random.default_rng(3)
    first, second = tide_m(time_s), rng.standard_normal(time_s.size)

    def level(height):
        return fit_short(time_s, height, AHEAD_S, **PLACE).level_m

    # heights of 5,000 m are exact to 1e-12 m; a covariance from 10 m to 2 mm loses 7 of 16 digits
    npt.assert_allclose(level(first + 5000.0), level(first) + 5000.0, rtol=0, atol=1e-9)
    zero = level(np.zeros(time_s.size))
    npt.assert_allclose(zero, 0.0, atol=1e-12)
    npt.assert_allclose(level(2 * first - 3 * second), 2 * level(first) - 3 * level(second), rtol=0, atol=1e-6)
    npt.assert_allclose(level(1e-6 * first), 1e-6 * level(first), rtol=0, atol=1e-12)


def test_columns_depend_on_times_alone_and_last_a_day():
    time_s, at_s = before(6), np.array([-3600.0, -60.0, 0.0, 3600.0, 86400.0, 86460.0, 2 * 86400.0])
    one, other = (fit_short(time_s, height, at_s, **PLACE) for height in (tide_m(time_s), np.zeros(time_s.size)))
    npt.assert_array_equal(one.column_m, other.column_m)
    size = np.sqrt((one.column_m**2).sum(axis=1))
    npt.assert_array_equal(size > 0, [False, False, True, True, True, False, False])
    # more than a day and a half from all samples only the constant is known, but the level stays finite
    assert np.isfinite(one.level_m).all()


def test_the_last_three_days_count():
    time_s = before(96, step_s=900.0)
    height = tide_m(time_s)
    spoilt = np.where(time_s < -72 * 3600, 100.0, height)
    one, other = (fit_short(time_s, values, AHEAD_S, **PLACE) for values in (height, spoilt))
    npt.assert_array_equal(one.level_m, other.level_m)


def test_harmonic_analysis_finds_four_constituents():
    four = dict.fromkeys(("N2", "K2", "P1", "Q1"), 0.0)
    time_s, ahead_s = before(20 * 24, step_s=900.0), np.arange(0.0, 86400.0, 900.0)
    noise = NOISE_M * np.random.default_rng(4).standard_normal(time_s.size)
    fit = fit_harmonic(time_s, 5000 + tide_m(time_s, uneven=four) + noise, np.append(time_s, ahead_s), **PLACE)
    truth = 5000 + tide_m(np.append(time_s, ahead_s), uneven=four)
    # white noise leaves 2 mm sqrt(60 unknowns / 640 bins of two samples) / sqrt(2), in the middle less than at the ends
    assert np.sqrt(np.mean((fit.level_m - truth)[: time_s.size] ** 2)) < 0.001
    npt.assert_allclose(fit.level_m, truth, rtol=0, atol=0.004)
    assert (fit.method, fit.column_m.shape) == ("harmonic", (truth.size, 0))


@pytest.mark.parametrize(("days", "without"), [(10, ("N2", "K2", "P1", "Q1")), (16, ("K2", "P1"))])
def test_harmonic_analysis_bridges_a_tsunami(days, without):
    """Samples from before and after tell the tide between; N2 and Q1 take 28 days to tell, K2 and P1 half a year."""
    time_s = np.arange(-days * 86400.0, days * 86400.0, 900.0)
    outside = (time_s < 0) | (time_s > 1.5 * 86400)
    inside = np.arange(0.0, 1.5 * 86400, 900.0)
    uneven = dict.fromkeys(without, 0.0)
    fit = fit_harmonic(time_s[outside], tide_m(time_s, uneven=uneven)[outside], inside, **PLACE)
    npt.assert_allclose(fit.level_m, tide_m(inside, uneven=uneven), rtol=0, atol=0.002)


def test_too_little_to_fit():
    for time_s in (np.array([]), before(0.25), np.array([-7000.0, -3000.0, -10.0])):
        with pytest.raises(InputError, match=f"half an hour at least without tsunami, got {time_s.size} samples"):
            fit_short(time_s, np.zeros(time_s.size), AHEAD_S, **PLACE)
    half_an_hour_s = 60.0 * np.arange(-30, 0)
    npt.assert_allclose(fit_short(half_an_hour_s, np.zeros(30), AHEAD_S, **PLACE).level_m, 0.0, atol=1e-9)
    for time_s, span in ((np.array([]), "0.0"), (before(30), "30.0"), (np.array([-60.0]), "0.0")):
        with pytest.raises(InputError, match=f"needs samples of 2 days or more, got {span} h; use tide short"):
            fit_harmonic(time_s, np.zeros(time_s.size), AHEAD_S, **PLACE)
    with pytest.raises(InputError, match="tide must be one of short, harmonic, got 'long'"):
        TideFit("long", AHEAD_S, np.zeros((AHEAD_S.size, 0)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(CONSTITUENTS))
def test_constituents_have_the_phase_of_their_argument(name):
    time_s = np.arange(0.0, 86400.0, 3600.0)
    basis = _equilibrium(time_s, ORIGIN, 40.0)
    column = _CONSTITUENTS.index(name)
    potential = basis[:, column] + 1j * basis[:, column + len(_CONSTITUENTS)]
    apart = (np.degrees(np.angle(potential)) - argument_deg(name, time_s) + 180) % 360 - 180
    # the sign of a species is that of its admittance, so it is the same for all of a species: here once a day is turned
    apart = (apart + 180 * (CONSTITUENTS[name][0] == 1) + 180) % 360 - 180
    # nodal corrections turn them by up to 13 degrees (K2: 18), and change in 18.6 years
    npt.assert_allclose(apart, 0, atol=20 if name == "K2" else 15)
    assert np.ptp(apart) < 0.1


@pytest.mark.parametrize(("days", "step_s", "largest_m"), [(30, 900.0, 0.01), (3, 900.0, 0.01), (0.25, 60.0, 0.01)])
def test_a_rough_tide_of_a_record_with_faults(days, step_s, largest_m):
    time_s = before(24 * days, step_s=step_s)
    rng = np.random.default_rng(5)
    faults = np.where(rng.random(time_s.size) < 0.1, rng.uniform(-20, 20, time_s.size), 0.0)
    faults += 13.0 * (time_s > time_s[time_s.size // 3]) - 0.5 * (time_s > time_s[time_s.size // 2])
    height = 4800 + tide_m(time_s) + NOISE_M * rng.standard_normal(time_s.size)
    left = tide_m(time_s) - rough_tide(time_s, height + faults)
    assert np.abs(np.diff(left)).max() < largest_m
    # a drift of hours may be left, no tide
    assert np.ptp(left) < 0.2


def test_a_rough_tide_of_nothing():
    npt.assert_array_equal(rough_tide(np.array([0.0]), np.array([5000.0])), [0.0])
    assert rough_tide(np.array([]), np.array([])).size == 0
