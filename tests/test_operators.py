"""The dot-product test, and every linear map of the package by it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.testing as npt
import pytest
import torch
import xarray as xr
from scipy.fft import irfft

from slipcast.errors import InputError
from slipcast.greens.bank import GreensBank
from slipcast.inversion import GaussianPosterior, JointMoments
from slipcast.learning.posterior.modes import EventAnalysis
from slipcast.learning.posterior.scaled_linear import ScaledMoments, _Operator
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.humps import HumpMap, hump_box, lay_humps
from slipcast.physics.operators import dot_test
from slipcast.physics.projection import SubfaultProjection
from slipcast.physics.shallow_water import LongWaves
from slipcast.physics.shallow_water_torch import TorchLongWaves, _UpliftOnDevice, device_named
from slipcast.physics.slip_field import SlipField, _colour
from slipcast.physics.unit_sources import subdivide, unit_source
from slipcast.physics.uplift_map import UpliftMap
from slipcast.records.correlated_noise import CorrelatedNoise
from slipcast.scenarios.kinematics import KinematicResponse, slip_by_lag

SOURCE = Path(__file__).parents[1] / "src" / "slipcast"
GRID = Grid.over((224.0, 240.0), (39.0, 54.0), 12.0)
GAUGE = (231.264, 45.857)
EVERY = 60.0 * np.arange(1, 31)


class Maps(NamedTuple):
    """A linear map and its transpose, with the shapes of model and data and how exact they are."""

    forward: Callable
    adjoint: Callable
    domain: int | tuple[int, ...]
    data: int | tuple[int, ...]
    rtol: float = 1e-10


def by_columns(forward: Callable, domain: int) -> Callable:
    """Return the transpose of a map from what it does to unit vectors: then the test is of its linearity."""
    columns = np.stack([np.ravel(forward(unit)) for unit in np.eye(domain)]).astype(float)
    return lambda data: columns @ np.ravel(data)


@pytest.fixture(scope="module")
def waves() -> LongWaves:
    return LongWaves(GRID, Bathymetry.etopo1().depth_on(GRID), dtype=np.float64)


@pytest.fixture(scope="module")
def projection(waves) -> SubfaultProjection:
    return SubfaultProjection(waves, subdivide([unit_source("acsza58"), unit_source("acszb60")], 25.0), kajiura=True)


# --- physics


def fine_uplift() -> UpliftMap:
    """Return a map with a fine grid and a coarse one."""
    grid = Grid.over((226.0, 240.0), (40.0, 50.0), 6.0)
    fine = LongWaves(grid, Bathymetry.etopo1().depth_on(grid), dtype=np.float64)
    return SubfaultProjection(fine, subdivide([unit_source("acszb60")], 25.0), kajiura=False).uplift


def uplift_map(request) -> Maps:
    uplift = fine_uplift()
    assert len(uplift.levels) == 2
    return Maps(
        uplift.forward, lambda field: uplift.adjoint(field[np.newaxis])[0], uplift.n_subfaults, uplift.wet.shape
    )


def uplift_map_on_device(request) -> Maps:
    uplift = fine_uplift()
    there = _UpliftOnDevice(uplift, torch.float64, torch.device("cpu"))
    return Maps(
        uplift.forward,
        lambda field: there.adjoint(torch.from_numpy(field[np.newaxis])).numpy()[0],
        uplift.n_subfaults,
        uplift.wet.shape,
    )


def hump_map(request) -> Maps:
    waves, humps = request.getfixturevalue("waves"), lay_humps((-126.5, 46.5), radius_km=120.0, spacing_km=50.0)
    levels = HumpMap(waves, hump_box(waves, humps), humps)
    return Maps(levels.forward, lambda field: levels.adjoint(field[np.newaxis])[0], len(humps), levels.wet.shape)


def kajiura_filter(request) -> Maps:
    made = request.getfixturevalue("projection")
    return Maps(made.smooth, made.smooth, made.uplift.wet.shape, made.uplift.wet.shape)


def from_box(field: np.ndarray, box) -> np.ndarray:
    """Put a field on a box into a grid at rest."""
    start = np.zeros(GRID.shape)
    start[box.slices] = field
    return start


def long_waves(request) -> Maps:
    """Sea level in a box at time zero to the record of a gauge, by a forward and by a reciprocal run."""
    waves, box = request.getfixturevalue("waves"), request.getfixturevalue("projection").box
    gauge, run = waves.stencil(*GAUGE), {"interval_s": 60.0, "count": 25}

    def adjoint(series):
        states = waves.gauge_sensitivity(gauge, **run, box=box)
        return sum(level * state for level, state in zip(series, states, strict=True))

    shape = request.getfixturevalue("projection").uplift.wet.shape
    return Maps(lambda field: waves.gauge_series(from_box(field, box), [gauge], **run)[0], adjoint, shape, 26)


def long_waves_by_torch(request) -> Maps:
    waves, box = request.getfixturevalue("waves"), request.getfixturevalue("projection").box
    gauges, run = [waves.stencil(*GAUGE), waves.stencil(235.4, 46.9)], {"interval_s": 60.0, "count": 10}
    solver = TorchLongWaves(waves, device_named("cpu"))

    def forward(field):
        states = solver.propagate(from_box(field, box)[np.newaxis], **run)
        return np.stack([[g.weights @ eta[0].numpy()[g.rows, g.columns] for g in gauges] for eta in states], axis=-1)

    def adjoint(series):
        states = solver.gauge_sensitivities(gauges, **run, box=box)
        return sum(np.tensordot(levels, state.numpy(), 1) for levels, state in zip(series.T, states, strict=True))

    return Maps(forward, adjoint, request.getfixturevalue("projection").uplift.wet.shape, (2, 11))


def subfault_projection(request) -> Maps:
    """Slip to the record of a gauge: uplift, smoothing and a forward run, and the responses of a reciprocal one."""
    projection, waves = request.getfixturevalue("projection"), request.getfixturevalue("waves")
    gauge, run = waves.stencil(*GAUGE), {"interval_s": 60.0, "count": 25}
    response = projection.response(gauge, **run)

    def forward(slip):
        start = from_box(projection.smooth(projection.uplift.forward(slip)), projection.box)
        return waves.gauge_series(start, [gauge], **run)[0]

    return Maps(forward, lambda series: series @ response, projection.uplift.n_subfaults, 26, 1e-5)


def averaging(request) -> Maps:
    """Slip on subfaults to slip on unit sources, by a sum over the subfaults of each."""
    subfaults = subdivide([unit_source("acsza58"), unit_source("acszb60")], 30.0)
    area, index = subfaults.area_m2, subfaults.source_index
    return Maps(
        lambda slip: np.bincount(index, area * slip) / np.bincount(index, area),
        lambda weights: subfaults.averaging_matrix().T @ weights,
        len(subfaults),
        2,
    )


def slip_field(request) -> Maps:
    """White noise to the logarithm of slip."""
    field = SlipField.of_size(4, 2, (20.0, 20.0), (40.0, 25.0), 0.75)
    shape = (2, field.n_down, field.factor.shape[1])

    def forward(noise):
        return irfft(_colour(field.factor, noise.reshape(shape)), n=field.period, axis=1)[:, : field.n_along]

    size = int(np.prod(shape))
    return Maps(forward, by_columns(forward, size), size, (2, 4))


# --- responses, scenarios, forecasts


def bank_of_sources(request) -> Maps:
    bank = request.getfixturevalue("small_bank")
    return _bank(bank, "source", bank.sources[::-1], ["46419", "newport"])


def bank_of_subfaults(request) -> Maps:
    bank = request.getfixturevalue("small_bank")
    return _bank(bank, "subfault", list(range(len(bank.subfaults))), ["newport", "46404", "46419"])


def _bank(bank: GreensBank, on: str, names: list, gauges: list[str]) -> Maps:
    coords = {"source": names} if on == "source" else {}
    times = bank.source_response(gauges, window_min=45)["time"]

    def forward(slip):
        return bank.forward(xr.DataArray(slip, dims=on, coords=coords), gauges=gauges, window_min=45).to_numpy()

    def adjoint(level):
        labelled = xr.DataArray(level, dims=("gauge", "time"), coords={"gauge": gauges, "time": times})
        back = bank.adjoint(labelled, on=on)
        return (back.sel(source=names) if on == "source" else back).to_numpy()

    return Maps(forward, adjoint, len(names), (len(gauges), 45))


def late_slip(bank) -> tuple[np.ndarray, np.ndarray]:
    """Return onsets and a rise time."""
    return np.random.default_rng(3).uniform(0.0, 150.0, (1, len(bank.subfaults))), np.array([25.0])


def kinematic_response(request) -> Maps:
    """Slip with given onsets to the records of all gauges."""
    bank = request.getfixturevalue("small_bank")
    kinematic, size = KinematicResponse.of(bank), len(bank.subfaults)

    def forward(slip):
        return kinematic.records(slip[np.newaxis], *late_slip(bank))[0].astype(float)

    return Maps(forward, by_columns(forward, size), size, (len(bank.gauges), len(bank.time_s)), 1e-4)


def slip_in_time(request) -> Maps:
    """Slip to slip by delay; what comes back of a sum over delays is the slip."""
    bank = request.getfixturevalue("small_bank")
    onset, rise_time = late_slip(bank)

    def forward(slip):
        return slip_by_lag(np.abs(slip)[np.newaxis], onset, rise_time, 60.0)[:, 0] * np.sign(slip)

    shares = forward(np.ones(len(bank.subfaults)))
    npt.assert_allclose(shares.sum(axis=0), 1.0, atol=1e-6)
    return Maps(forward, lambda parts: (parts * shares).sum(axis=0), len(bank.subfaults), shares.shape, 1e-4)


def joint_components(request) -> Maps:
    """Slip with given onsets to amplitudes."""
    bank = request.getfixturevalue("small_bank")
    rng = np.random.default_rng(5)
    size = len(bank.subfaults)
    slip = rng.gamma(1.0, 2.0, (150, size))
    analysis = EventAnalysis.from_ruptures(bank, slip, np.zeros_like(slip), np.zeros(150), n_modes=6)
    onset, rise_time = late_slip(bank)
    shares = slip_by_lag(np.ones((1, size)), onset, rise_time, 60.0)[:, 0]

    def adjoint(amplitudes):
        return np.einsum("ls,lsk,k->s", shares, analysis.by_lag[: len(shares)], amplitudes)

    def forward(slip):
        parts = [np.maximum(sign * slip, 0.0)[np.newaxis] for sign in (1, -1)]
        up, down = (analysis.amplitudes(part, onset, rise_time)[0] for part in parts)
        return up.astype(float) - down

    return Maps(forward, adjoint, size, 6, 1e-4)


# --- records and inversion


def noise_columns() -> CorrelatedNoise:
    columns = np.random.default_rng(2).standard_normal((2, 3, EVERY.size))
    coords = {"gauge": ["46404", "46407"], "time": EVERY}
    return CorrelatedNoise(xr.DataArray(columns, dims=("gauge", "column", "time"), coords=coords))


def correlated_noise(request) -> Maps:
    """Amplitudes of each gauge's own columns to noise, gauges in another order than the columns have them."""
    noise = noise_columns()
    gauges = ["46407", "46404"]

    def forward(amplitudes):
        columns = noise.columns.sel(gauge=gauges).to_numpy()
        return np.einsum("gc,gct->gt", amplitudes, columns)

    def adjoint(level):
        return (noise.matrix(gauges, EVERY).T @ level.ravel()).reshape(2, 3)

    return Maps(forward, adjoint, (2, 3), (2, EVERY.size))


def whitening(request) -> Maps:
    """A symmetric root of the inverse of a covariance."""
    matrix = noise_columns().matrix(["46404", "46407"], EVERY)

    def whiten(rows):
        return CorrelatedNoise.whitened(matrix, 0.4, rows[np.newaxis])[0]

    twice = np.stack([whiten(whiten(unit)) for unit in np.eye(len(matrix))])
    npt.assert_allclose(twice, np.linalg.inv(np.eye(len(matrix)) + matrix @ matrix.T / 0.4**2), atol=1e-10)
    return Maps(whiten, whiten, len(matrix), len(matrix))


def gaussian_gain(request) -> Maps:
    """Records to the mean of a Gaussian posterior, but for its constant, with samples missing at one gauge."""
    rng = np.random.default_rng(4)
    both = (root := rng.standard_normal((15, 15))) @ root.T
    moments = JointMoments(
        ["46404", "46407"],
        ["a", "b", "c"],
        EVERY[:6],
        np.ones(3),
        both[:3, :3],
        np.ones(12),
        both[3:, 3:],
        both[:3, 3:],
    )
    posterior = GaussianPosterior(moments, noise_sd_m=0.5)
    known = np.ones(12, bool)
    known[[2, 7, 8]] = False

    def forward(records):
        rows = np.where(known, [records, np.zeros(12)], np.nan).reshape(2, 2, 6)
        mean = posterior.posterior(rows)[0]
        return mean[0] - mean[1]

    def adjoint(slip):
        inner = both[3:, 3:][np.ix_(known, known)] + 0.25 * np.eye(known.sum())
        back = np.zeros(12)
        back[known] = np.linalg.solve(inner, both[:3, 3:][:, known].T @ slip)
        return back

    return Maps(forward, adjoint, 12, 3)


def scaled_linear(request) -> Maps:
    """Records to principal directions of some samples, whitened, and back by the inverse of both."""
    rng = np.random.default_rng(6)
    root = rng.standard_normal((10, 10))
    moments = ScaledMoments(root @ root.T, rng.standard_normal((3, 10)), np.ones(3))
    known = np.arange(10) != 4
    columns = rng.standard_normal((2, 9))
    operator = _Operator.of(moments, columns, known)
    inverse = np.linalg.inv(operator.turn.astype(float)) @ np.linalg.inv(np.eye(9) + columns.T @ columns)
    return Maps(lambda records: records @ operator.turn, lambda turned: turned @ inverse, 9, 9, 1e-4)


MAPS = [
    uplift_map,
    uplift_map_on_device,
    hump_map,
    kajiura_filter,
    long_waves,
    long_waves_by_torch,
    subfault_projection,
    averaging,
    slip_field,
    bank_of_sources,
    bank_of_subfaults,
    kinematic_response,
    slip_in_time,
    joint_components,
    correlated_noise,
    whitening,
    gaussian_gain,
    scaled_linear,
]


@pytest.mark.parametrize("make", MAPS, ids=lambda make: make.__name__)
def test_every_linear_map_passes(make, request):
    maps = make(request)
    for seed in (1, 2):
        dot_test(maps.forward, maps.adjoint, maps.domain, maps.data, np.random.default_rng(seed), maps.rtol)


@pytest.mark.parametrize("make", MAPS, ids=lambda make: make.__name__)
def test_no_map_has_a_threshold(make, request):
    # a micrometre of slip makes its millionth part
    maps = make(request)
    model = np.random.default_rng(3).standard_normal(maps.domain)
    whole, part = (np.asarray(maps.forward(scale * model), float) for scale in (1.0, 1e-6))
    assert np.abs(whole).max() > 0
    npt.assert_allclose(1e6 * part, whole, rtol=0, atol=max(maps.rtol, 1e-9) * np.abs(whole).max())


def test_every_adjoint_of_the_package_is_listed():
    text = Path(__file__).read_text(encoding="utf-8")
    for path in SOURCE.rglob("*.py"):
        for name in re.findall(
            r"^class (\w+)(?:\((?!Protocol)[^\n]*)?:\n(?:(?!^class ).*\n)*?    def adjoint", path.read_text(), re.M
        ):
            assert re.search(rf"import .*\b{name}\b", text), f"{path.name}: {name} has an adjoint and no dot test"


# --- the test itself


def rows(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape)


def test_a_matrix_and_its_transpose():
    matrix = rows((5, 3))
    found = dot_test(lambda x: matrix @ x, lambda y: matrix.T @ y, 3, 5, np.random.default_rng(2))
    assert 0 <= found < 1e-12


@pytest.mark.parametrize(
    "adjoint",
    [
        lambda matrix: lambda y: matrix.T @ y * (1 + 1e-8),
        lambda matrix: lambda y: matrix.T @ y + 1.0,
        lambda matrix: lambda y: np.linalg.pinv(matrix) @ y,
        lambda matrix: lambda y: np.full(3, np.nan),
        lambda matrix: lambda y: np.zeros(3),
    ],
    ids=["scaled", "offset", "inverse", "not a number", "nothing"],
)
def test_what_is_no_transpose_fails(adjoint):
    matrix = rows((5, 3))
    with pytest.raises(
        InputError, match="adjoint must be the transpose of forward to a relative difference of 1e-10, got"
    ):
        dot_test(lambda x: matrix @ x, adjoint(matrix), 3, 5, np.random.default_rng(2))


def test_the_tolerance_is_that_given():
    matrix = rows((5, 3))
    forward, back = (lambda x: matrix @ x), (lambda y: matrix.T @ y * (1 + 1e-6))
    npt.assert_allclose(dot_test(forward, back, 3, 5, np.random.default_rng(2), 1e-5), 1e-6, rtol=1e-3)
    with pytest.raises(InputError, match="difference of 1e-07, got 1e-06"):
        dot_test(forward, back, 3, 5, np.random.default_rng(2), 1e-7)
    with pytest.raises(InputError, match="rtol must be > 0, got 0"):
        dot_test(forward, back, 3, 5, np.random.default_rng(2), 0)


def test_shapes_that_do_not_fit():
    matrix = rows((5, 3))
    with pytest.raises(InputError, match=r"forward must return shape \(4,\), got \(5,\)"):
        dot_test(lambda x: matrix @ x, lambda y: matrix[:4].T @ y, 3, 4, np.random.default_rng(1))
    with pytest.raises(InputError, match=r"adjoint must return shape \(3,\), got \(1, 3\)"):
        dot_test(lambda x: matrix @ x, lambda y: (matrix.T @ y)[np.newaxis], 3, 5, np.random.default_rng(1))


def test_maps_to_nothing_are_transposes():
    assert dot_test(lambda x: np.zeros((2, 2)), lambda y: np.zeros(3), 3, (2, 2), np.random.default_rng(1)) == 0.0
