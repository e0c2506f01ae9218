"""Noise that is not white: one large system with tide and slip, covariances in full, the door ``invert``."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import scipy.linalg
import scipy.optimize
import xarray as xr

from inversion_fixtures import invert_by
from record_fixtures import DARTS, TRUE_M, label_records
from slipcast.errors import InputError
from slipcast.inversion import GaussianPosterior, JointMoments, LeastSquaresSolver
from slipcast.records import Records
from slipcast.records.correlated_noise import CorrelatedNoise

GAUGES, SOURCES = ["46404", "46407"], ["acsza57", "acsza58", "acsza59"]
BEFORE_S, DURING_S = np.arange(-2 * 3600.0, 1.0, 900.0), 60.0 * np.arange(1, 41)
NOISE_M, SLIP_M = 0.004, 3.0
TIDE_M = np.array([10.0, 0.05, 0.4, 0.4])  # offset, trend over a day, cosine and sine of M2: what is known beforehand


def tide_basis(time_s: np.ndarray) -> np.ndarray:
    """Return offset, trend and a tide of 12.42 h."""
    angle = 2 * np.pi * time_s / (12.42 * 3600)
    return np.stack([np.ones(time_s.size), time_s / 86400, np.cos(angle), np.sin(angle)], axis=1)


def responses() -> xr.DataArray:
    """Return slow waves that look like tide, from three sources at two gauges."""
    peak = np.array([[10.0, 18.0, 25.0], [28.0, 20.0, 35.0]])[:, np.newaxis, :]
    wave = 0.05 * np.exp(-(((DURING_S[:, np.newaxis] / 60 - peak) / 12.0) ** 2))
    return xr.DataArray(
        wave, coords={"gauge": GAUGES, "time": DURING_S, "source": SOURCES}, dims=("gauge", "time", "source")
    )


def heights(slip_m, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Draw heights before and during waves, shape (2 gauges, n_times)."""
    rng = np.random.default_rng(seed)
    tides = TIDE_M * rng.standard_normal((2, 4))
    before, during = (tides @ tide_basis(time).T for time in (BEFORE_S, DURING_S))
    during = during + responses().to_numpy() @ slip_m
    return tuple(level + NOISE_M * rng.standard_normal(level.shape) for level in (before, during))  # type: ignore[return-value]


def tide_from_before(before_m: np.ndarray) -> tuple[np.ndarray, CorrelatedNoise]:
    """Fit the tides to samples before the waves: their mean during them, and what is not known as columns."""
    early, late = tide_basis(BEFORE_S), tide_basis(DURING_S)
    covariance = np.linalg.inv(np.diag(TIDE_M**-2) + early.T @ early / NOISE_M**2)
    mean = before_m @ early @ covariance / NOISE_M**2
    columns = (late @ np.linalg.cholesky(covariance)).T
    coords = {"gauge": GAUGES, "time": DURING_S}
    return mean @ late.T, CorrelatedNoise(
        xr.DataArray(np.stack([columns, columns]), dims=("gauge", "column", "time"), coords=coords)
    )


def large_system(before_m: np.ndarray, during_m: np.ndarray, slip_prior=None) -> tuple[np.ndarray, np.ndarray]:
    """Stack all samples, in units of their noise, on slip and two tides; then what is known beforehand."""
    early, late, zero = tide_basis(BEFORE_S), tide_basis(DURING_S), np.zeros((BEFORE_S.size, 4))
    empty, wave = np.zeros((BEFORE_S.size, 3)), responses().to_numpy()
    rows = [
        np.hstack([empty, early, zero]) / NOISE_M,
        np.hstack([empty, zero, early]) / NOISE_M,
        np.hstack([wave[0], late, 0 * late]) / NOISE_M,
        np.hstack([wave[1], 0 * late, late]) / NOISE_M,
        np.hstack([np.zeros((8, 3)), np.diag(np.tile(1 / TIDE_M, 2))]),
    ]
    known = [*(before_m / NOISE_M), *(during_m / NOISE_M), np.zeros(8)]
    if slip_prior is not None:
        root, mean = slip_prior
        rows.append(np.hstack([root, np.zeros((3, 8))]))
        known.append(root @ mean)
    matrix, values = np.vstack(rows), np.concatenate(known)
    there = np.isfinite(values)
    return matrix[there], values[there]


FREE_TIDE = (np.r_[np.zeros(3), np.full(8, -np.inf)], np.full(11, np.inf))


@pytest.mark.parametrize("slip_sd_m", [None, SLIP_M])
@pytest.mark.parametrize("true_m", [(4.0, 2.0, 5.0), (6.0, -1.0, 0.5)])
def test_least_squares_as_one_large_system(slip_sd_m, true_m):
    """Tide and slip together, from samples before and during the waves, with a bound on the slip alone."""
    before, during = heights(np.array(true_m))
    during[1, 5:9] = np.nan
    prior = None if slip_sd_m is None else (np.eye(3) / slip_sd_m, np.zeros(3))
    matrix, values = large_system(before, during, prior)
    expected = scipy.optimize.lsq_linear(matrix, values, bounds=FREE_TIDE, method="bvls", tol=1e-14).x[:3]
    level, noise = tide_from_before(before)
    solver = LeastSquaresSolver(responses(), noise_sd_m=NOISE_M, slip_sd_m=slip_sd_m, correlated=noise)
    found = solver.solve(during - level)
    # tides of 10 m and noise of 4 mm leave 9 of 16 digits
    npt.assert_allclose(found, expected, atol=1e-6)
    if min(true_m) < 0:
        assert found.min() == 0  # the bound holds
    # a tide taken for exact gives another slip
    assert np.abs(LeastSquaresSolver(responses(), NOISE_M, slip_sd_m).solve(during - level) - expected).max() > 0.05


def test_the_posterior_as_one_large_system():
    before, during = heights(np.array([4.0, 2.0, 5.0]))
    during[0, 11] = np.nan
    mean = np.array([3.0, 4.0, 2.0])
    covariance = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, -0.5], [0.0, -0.5, 5.0]])
    root = np.linalg.cholesky(np.linalg.inv(covariance)).T
    matrix, values = large_system(before, during, (root, mean))
    precision = matrix.T @ matrix
    expected, spread = np.linalg.solve(precision, matrix.T @ values)[:3], np.linalg.inv(precision)[:3, :3]
    level, noise = tide_from_before(before)
    posterior = GaussianPosterior(moments(mean, covariance), noise_sd_m=NOISE_M, correlated=noise)
    found, left = posterior.posterior(during - level)
    npt.assert_allclose(found, expected, atol=1e-6)
    npt.assert_allclose(left, spread, atol=1e-6)
    exact = GaussianPosterior(moments(mean, covariance), noise_sd_m=NOISE_M).posterior(during - level)[1]
    assert (np.diag(exact) < np.diag(left)).all()  # what is not known of the tide widens


def moments(mean: np.ndarray, covariance: np.ndarray) -> JointMoments:
    """Return the exact moments of slip and its waves."""
    matrix = responses().to_numpy().reshape(-1, 3)
    return JointMoments(
        gauges=GAUGES,
        sources=SOURCES,
        times_s=DURING_S,
        slip_mean=mean,
        slip_covariance=covariance,
        record_mean=matrix @ mean,
        record_covariance=matrix @ covariance @ matrix.T,
        cross_covariance=covariance @ matrix.T,
    )


def some_noise(seed: int = 2, *, gauges=GAUGES, columns: int = 3) -> CorrelatedNoise:
    """Return noise of any shape."""
    values = 0.01 * np.random.default_rng(seed).standard_normal((len(gauges), columns, DURING_S.size))
    return CorrelatedNoise(
        xr.DataArray(values, dims=("gauge", "column", "time"), coords={"gauge": list(gauges), "time": DURING_S})
    )


def test_the_posterior_with_the_covariance_in_full():
    """Add the covariance of all noise as a matrix, gauge by gauge; use the form with precisions."""
    noise, mean, covariance = some_noise(), np.array([3.0, 4.0, 2.0]), np.diag([4.0, 3.0, 5.0])
    records = np.random.default_rng(4).standard_normal((5, 2, DURING_S.size))
    found, spread = GaussianPosterior(moments(mean, covariance), noise_sd_m=0.1, correlated=noise).posterior(records)
    blocks = [columns.T @ columns + 0.1**2 * np.eye(DURING_S.size) for columns in noise.columns.to_numpy()]
    weight = np.linalg.inv(scipy.linalg.block_diag(*blocks))
    matrix = responses().to_numpy().reshape(-1, 3)
    precision = np.linalg.inv(covariance) + matrix.T @ weight @ matrix
    pull = np.linalg.inv(covariance) @ mean + records.reshape(5, -1) @ weight @ matrix
    npt.assert_allclose(found, pull @ np.linalg.inv(precision), rtol=1e-9)
    npt.assert_allclose(spread, np.broadcast_to(np.linalg.inv(precision), (5, 3, 3)), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("columns", [0, 2, 60])
def test_whitened_noise_is_white(columns):
    """Compare with the covariance, and with the inverse root of the matrix."""
    matrix = 0.02 * np.random.default_rng(5).standard_normal((40, columns))
    covariance = NOISE_M**2 * np.eye(40) + matrix @ matrix.T
    white = CorrelatedNoise.whitened(matrix, NOISE_M, np.eye(40))
    npt.assert_allclose(white @ covariance @ white.T, NOISE_M**2 * np.eye(40), rtol=0, atol=1e-9 * NOISE_M**2)
    npt.assert_allclose(white, NOISE_M * np.linalg.inv(scipy.linalg.sqrtm(covariance)).real, atol=1e-9)
    rows = np.random.default_rng(6).standard_normal((3, 40))
    npt.assert_allclose(CorrelatedNoise.whitened(matrix, NOISE_M, rows), rows @ white, atol=1e-12)


def test_columns_are_laid_out_by_gauge():
    noise = some_noise()
    matrix = noise.matrix(GAUGES[::-1], DURING_S).reshape(2, DURING_S.size, 2, 3)
    columns = noise.columns.to_numpy()
    npt.assert_array_equal(matrix[0, :, 0], columns[1].T)
    npt.assert_array_equal(matrix[1, :, 1], columns[0].T)
    npt.assert_array_equal(matrix[0, :, 1], 0)
    npt.assert_array_equal(matrix[1, :, 0], 0)


def test_covariances_of_independent_noises_add():
    first, second = some_noise(2), some_noise(3, columns=5)
    one, other, both = (each.matrix(GAUGES, DURING_S) for each in (first, second, first + second))
    npt.assert_allclose(both @ both.T, one @ one.T + other @ other.T, rtol=1e-12, atol=1e-18)


def test_what_a_bank_gets_wrong_is_correlated_over_ten_minutes():
    level = np.zeros((2, DURING_S.size))
    level[0] = -2 * np.sin(DURING_S / 600)
    level[0, 3:6] = np.nan
    records = xr.DataArray(level, coords={"gauge": GAUGES, "time": DURING_S}, dims=("gauge", "time"))
    matrix = CorrelatedNoise.of_model(records, 0.1).matrix(GAUGES, DURING_S)
    lag = np.abs(DURING_S[:, np.newaxis] - DURING_S)
    largest = np.nanmax(np.abs(level[0]))
    covariance = (matrix @ matrix.T).reshape(2, DURING_S.size, 2, DURING_S.size)
    npt.assert_allclose(covariance[0, :, 0], (0.1 * largest) ** 2 * np.exp(-lag / 600), atol=1e-12)
    npt.assert_array_equal(covariance[1, :, 1], 0)  # a silent gauge
    npt.assert_array_equal(covariance[0, :, 1], 0)
    matrix = CorrelatedNoise.of_model(records, 0.2, correlation_s=60.0).matrix(GAUGES, DURING_S)
    covariance = (matrix @ matrix.T).reshape(2, DURING_S.size, 2, DURING_S.size)
    npt.assert_allclose(covariance[0, :, 0], (0.2 * largest) ** 2 * np.exp(-lag / 60), atol=1e-12)


# the door


def twin(bank, *, tide_sd_m: float = 0.0, seed: int = 1) -> tuple[Records, np.ndarray]:
    """Make records of slip whose tide is off by columns that are known, as reading leaves them: checked."""
    rng = np.random.default_rng(seed)
    hours = bank.time_s / 3600
    columns = tide_sd_m * np.stack([np.ones(hours.size), hours])
    level = bank.source_response(DARTS).to_numpy() @ TRUE_M + rng.standard_normal((3, 2)) @ columns
    records = label_records(bank, bank.time_s, level)
    dataset = records.dataset.assign(tide_column=(("gauge", "column", "time"), np.stack([columns] * 3)))
    dataset["flag"] = (("gauge", "time"), np.zeros(level.shape, np.uint8))
    return Records(dataset.assign_attrs(tide_method="short")), TRUE_M


@pytest.mark.parametrize("method", ["nnls", "tikhonov"])
def test_a_tide_that_is_off_is_fitted_jointly(small_bank, method):
    records, slip = twin(small_bank, tide_sd_m=0.5)
    options = {"method": method, "window_min": 120, "noise_sd_m": 1e-4}
    joint = invert_by(records, small_bank, joint_tide=True, **options)
    plain = invert_by(records, small_bank, joint_tide=False, **options)
    where_known = invert_by(records, small_bank, **options)
    npt.assert_array_equal(where_known.slip, joint.slip)
    # half a metre known to 0.1 mm beside waves of decimetres
    npt.assert_allclose(joint.slip, slip, atol=0.05)
    assert np.abs(plain.slip - slip).max() > 1
    assert (joint.dataset.attrs["tide"], plain.dataset.attrs["tide"]) == ("joint", "short")
    response = small_bank.source_response(records.gauges, window_min=120)
    times = response["time"].to_numpy()
    by_hand = LeastSquaresSolver(response, 1e-4, 5.0 if method == "tikhonov" else None, records.tide_columns(times))
    npt.assert_allclose(joint.slip, by_hand.solve(records.resample(times).to_numpy()), atol=1e-9)


def test_a_posterior_with_a_joint_tide(small_bank, small_set):
    records, _ = twin(small_bank, tide_sd_m=0.1)
    options = {"method": "gaussian", "window_min": 60, "scenarios": small_set.with_split((1.0, 0.0, 0.0), 1)}
    both = invert_by(records, small_bank, joint_tide=True, model_error=0.2, **options)
    times = small_bank.source_response(records.gauges, window_min=60)["time"].to_numpy()
    noise = records.tide_columns(times) + CorrelatedNoise.of_model(records.resample(times), 0.2)
    moments = JointMoments.from_scenarios(options["scenarios"], records.gauges, 60)
    by_hand = GaussianPosterior(
        moments.through(small_bank.source_response(records.gauges, window_min=60)), correlated=noise
    )
    npt.assert_allclose(both.slip, by_hand.solve(records.resample(times).to_numpy()), atol=1e-6)


def test_columns_follow_records_that_are_retimed(small_bank):
    records, _ = twin(small_bank, tide_sd_m=0.5)
    later = records.retimed(stretch=0.02, shift_s={"46407": 120.0})
    at_s = np.array([600.0, 3000.0])
    found = later.tide_columns(at_s, ["46407", "46404"]).columns
    for gauge, delay in (("46407", 120.0), ("46404", 0.0)):
        npt.assert_allclose(found.sel(gauge=gauge)[0], 0.5)
        npt.assert_allclose(found.sel(gauge=gauge)[1], 0.5 * (1.02 * at_s + delay) / 3600, rtol=1e-12)


def test_what_does_not_fit(small_bank):
    noise = some_noise()
    with pytest.raises(InputError, match=r"columns must have dimensions \(gauge, column, time\), got \('gauge', "):
        CorrelatedNoise(noise.columns.transpose("gauge", "time", "column"))
    with pytest.raises(InputError, match="columns must be finite"):
        CorrelatedNoise(noise.columns.where(noise.columns["time"] > 600))
    with pytest.raises(InputError, match="unknown gauge '46408' in the correlated noise; nearest: 4640"):
        noise.matrix(["46408"], DURING_S)
    for times_s in (DURING_S[1:], DURING_S + 1):
        with pytest.raises(InputError, match="times of correlated noise must be those of the inversion"):
            noise.matrix(GAUGES, times_s)
    for share in (0.0, -0.1, np.nan):
        with pytest.raises(InputError, match=f"model_error must be > 0, got {share:g}"):
            CorrelatedNoise.of_model(responses()[..., 0], share)
    records, _ = twin(small_bank)
    bare = Records(records.dataset.drop_vars("tide_column"))
    options = {"method": "nnls", "window_min": 60}
    with pytest.raises(InputError, match="records say nothing of how well their tide is known; read them with tide sh"):
        invert_by(bare, small_bank, joint_tide=True, **options)
    with pytest.raises(InputError, match="unknown gauge '46411' in records"):
        records.tide_columns(DURING_S, ["46411"])
    with pytest.raises(InputError, match=r"model_error must be >= 0, got -0.1"):
        invert_by(records, small_bank, model_error=-0.1, **options)
    several = Records(xr.concat([records.dataset.drop_vars("tide_column")] * 2, dim="event", data_vars=["sea_level"]))
    with pytest.raises(InputError, match="records must hold one event, got 2"):
        invert_by(several, small_bank, model_error=0.1, **options)


def test_noises_of_other_gauges_are_not_added():
    noise = CorrelatedNoise(
        xr.DataArray(
            np.ones((2, 1, 3)), dims=("gauge", "column", "time"), coords={"gauge": ["a", "b"], "time": range(3)}
        )
    )
    with pytest.raises(InputError, match="correlated noises to be added must have the same gauges"):
        noise + CorrelatedNoise(noise.columns.assign_coords(gauge=["a", "c"]))
    npt.assert_array_equal((noise + noise).matrix(["a", "b"], np.arange(3)).shape, (6, 4))
