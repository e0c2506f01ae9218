"""Sea surface at time zero from records: humps, their bank, posterior and evidence; twins and refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from scipy.stats import multivariate_normal

import slipcast as sc
from conftest import small_region
from slipcast.errors import InputError
from slipcast.greens.surface_bank import SurfaceBank
from slipcast.inversion.gaussian_field import (
    SURFACE_PRIOR,
    FieldPrior,
    GaugeSamples,
    field_log_evidence,
    field_posterior,
)
from slipcast.inversion.surface_estimate import SurfaceEstimate
from slipcast.inversion.surface_posterior import SurfacePosterior
from slipcast.physics.bathymetry import Bathymetry, Grid
from slipcast.physics.humps import HumpMap, hump_box, lay_humps, wet_areas_m2
from slipcast.physics.operators import dot_test
from slipcast.physics.projection import HumpProjection
from slipcast.physics.shallow_water import LongWaves
from slipcast.records import Records

GRID = Grid.over((224.0, 240.0), (39.0, 54.0), 12.0)
PLACE = (232.5, 47.0)  # off the trench, with the fault in reach
DARTS = ("46404", "46407", "46419")
WINDOW_MIN = 60.0


@pytest.fixture(scope="module")
def waves() -> LongWaves:
    return LongWaves(GRID, Bathymetry.etopo1().depth_on(GRID), dtype=np.float64)


@pytest.fixture(scope="module")
def bank() -> SurfaceBank:
    return SurfaceBank.build(small_region(), centre=PLACE, radius_km=300, spacing_km=40)


@pytest.fixture(scope="module")
def exact(bank) -> SurfacePosterior:
    """A method that is told how large errors are, for simulations, with a prior of one kind."""
    prior = FieldPrior(scale_m=(0.5,), correlation_km=(60.0,), extent_km=(150.0,))
    return SurfacePosterior(bank, WINDOW_MIN, noise_sd_m=0.002, model_error=0.0, prior=prior)


def level_of(bank, elevation_m, gauges=DARTS, window_min=WINDOW_MIN) -> xr.DataArray:
    """Return what gauges sense of elevations, shape (..., n_humps), in a window."""
    response = bank.hump_response(gauges, window_min=window_min)
    values = np.tensordot(elevation_m, response.to_numpy(), axes=(-1, -1))
    return xr.DataArray(values, dims=("gauge", "time"), coords={"gauge": list(gauges), "time": response["time"].values})


def smooth_hump(bank, lon, lat, height_m, size_km) -> np.ndarray:
    humps = bank.humps
    east = (humps.lon_deg - lon) * np.cos(np.radians(lat)) * 111.2
    return height_m * np.exp(-0.5 * (east**2 + ((humps.lat_deg - lat) * 111.2) ** 2) / size_km**2)


def observed(bank, level, *, noise_m=0.001, seed=0) -> Records:
    names = [str(name) for name in level["gauge"].to_numpy()]
    at = [bank.gauges.index(name) for name in names]
    noise = noise_m * np.random.default_rng(seed).standard_normal(level.shape)
    return Records.from_arrays(
        level["time"].to_numpy(),
        level.to_numpy() + noise,
        gauges=names,
        lon_deg=bank.dataset["gauge_lon"].to_numpy()[at],
        lat_deg=bank.dataset["gauge_lat"].to_numpy()[at],
        senses=[bank.senses[name] for name in names],
        title="a twin",
    )


# --- humps


def test_humps_of_one_height_are_a_flat_surface_and_heights_are_levels():
    grid = Grid.over((200.0, 220.0), (-10.0, 10.0), 5.0)
    waves = LongWaves(grid, np.full(grid.shape, 4000.0), dtype=np.float64)
    humps = lay_humps((210.0, 0.0), radius_km=400, spacing_km=50)
    box = hump_box(waves, humps)
    flat = HumpMap(waves, box, humps).forward(np.ones(len(humps)))
    lon, lat = np.meshgrid(grid.lon_deg[box.slices[1]], grid.lat_deg[box.slices[0]])
    inside = np.hypot((lon - 210.0) * 111.2, lat * 111.2) < 300
    npt.assert_allclose(flat[inside], 1.0, atol=1e-12)
    heights = np.random.default_rng(0).standard_normal(len(humps))
    middle = int(np.argmin(humps.distance_m))
    row, column = (int(index) for index in grid.position(210.0, 0.0))
    level = HumpMap(waves, box, humps).forward(heights)[row - box.row_start, column - box.column_start]
    npt.assert_allclose(level, heights[middle], rtol=1e-12)
    # the integral of a hump is that of its lattice cell
    npt.assert_allclose(wet_areas_m2(waves, humps)[middle], 50e3**2, rtol=2e-3)


def test_heights_and_levels_are_transposes(waves):
    humps = lay_humps(PLACE, radius_km=200, spacing_km=60)
    box = hump_box(waves, humps)
    map_ = HumpMap(waves, box, humps)
    shape = map_.wet.shape
    dot_test(
        map_.forward, lambda field: map_.adjoint(field[np.newaxis])[0], len(humps), shape, np.random.default_rng(1)
    )
    assert (map_.forward(np.ones(len(humps)))[~map_.wet] == 0).all()


def test_the_response_to_humps_is_that_of_a_forward_run(waves):
    humps = lay_humps(PLACE, radius_km=150, spacing_km=60)
    box = hump_box(waves, humps)
    heights = np.random.default_rng(2).standard_normal(len(humps))
    start = np.zeros(GRID.shape)
    start[box.slices] = HumpMap(waves, box, humps).forward(heights)
    gauge = waves.stencil(231.264, 45.857)
    expected = waves.gauge_series(start, [gauge], interval_s=60.0, count=70)[0]
    found = HumpProjection(waves, humps).response(gauge, interval_s=60.0, count=70) @ heights
    npt.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())  # float32 at the end


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"centre": (0.0, 85.0)}, "centre must be"),
        ({"spacing_km": 2.0}, r"spacing_km must be in \[5, 200\]"),
        ({"radius_km": 30.0}, "radius_km must be in .40"),
        ({"radius_km": 2000.0, "spacing_km": 20.0}, "at most 4000 humps"),
    ],
)
def test_humps_out_of_range_are_refused(options, match):
    wanted = {"centre": PLACE, "radius_km": 300.0, "spacing_km": 40.0} | options
    with pytest.raises(InputError, match=match):
        lay_humps(wanted.pop("centre"), **wanted)


def test_a_grid_must_hold_and_resolve_humps(waves):
    with pytest.raises(InputError, match="reach outside the grid"):
        hump_box(waves, lay_humps((226.0, 45.0), radius_km=200, spacing_km=60))
    with pytest.raises(InputError, match="need a grid of at most"):
        hump_box(waves, lay_humps(PLACE, radius_km=200, spacing_km=20))


# --- bank


def test_a_bank_is_what_gauges_sense_of_a_forward_run(bank):
    plain = SurfaceBank.build(
        small_region(),
        centre=PLACE,
        radius_km=200,
        spacing_km=50,
        gauges=["46404", "newport"],
        dispersion=False,
        losses=False,
    )
    grid = small_region().grids["near"].grid()
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid), elastic=True, dtype=np.float64)
    box = hump_box(waves, plain.humps)
    heights = np.random.default_rng(3).standard_normal(len(plain.humps))
    start = np.zeros(grid.shape)
    start[box.slices] = HumpMap(waves, box, plain.humps).forward(heights)
    stencils = [waves.stencil(one.lon, one.lat) for one in plain.region.gauges]
    level = waves.gauge_series(start, stencils, interval_s=60.0, count=60)
    found = plain.dataset["response"].to_numpy()[:, :61] @ heights
    assert abs(level[0, 0]) > 1e-3  # the DART is inside: it senses what the level changes after the floor has risen
    npt.assert_allclose(found[0], level[0] - level[0, 0], rtol=0, atol=1e-5 * np.abs(level).max())
    npt.assert_allclose(found[1], level[1], rtol=0, atol=1e-5 * np.abs(level).max())


def test_humps_on_land_are_left_out(bank):
    everywhere = lay_humps(PLACE, radius_km=300, spacing_km=40)
    assert 0.5 * len(everywhere) < len(bank.humps) < len(everywhere)
    assert (bank.hump_area_m2 > 0).all()
    with pytest.raises(InputError, match=r"no hump around .* is at sea"):
        SurfaceBank.build(small_region(), centre=(237.2, 46.0), radius_km=40, spacing_km=40)


def test_a_bank_is_written_and_read(bank, tmp_path):
    bank.save(tmp_path / "surface.nc")
    again = SurfaceBank.open(tmp_path / "surface.nc")
    npt.assert_array_equal(again.dataset["response"].to_numpy(), bank.dataset["response"].to_numpy())
    assert again.id == bank.id
    assert again.humps.names == bank.humps.names
    assert (again.senses, again.gauge_depth_m, again.region) == (bank.senses, bank.gauge_depth_m, bank.region)
    assert "humps" in repr(again)
    with pytest.raises(InputError, match="holds a bank of humps of the sea surface, not a bank of Green's functions"):
        sc.GreensBank.open(tmp_path / "surface.nc")


# --- posterior


def dense(gauge: GaugeSamples, prior: FieldPrior, centre, lon, lat):
    """Return mean and covariance of a record, and its covariance with the source, the slow way."""
    (factor,) = prior.factors(centre, lon, lat)
    covariance = prior.scale_m[0] ** 2 * factor @ factor.T
    noise = gauge.factors[0] @ gauge.factors[0].T
    return covariance, gauge.rows @ covariance, gauge.rows @ covariance @ gauge.rows.T + noise


@pytest.mark.parametrize("count", [9, 20])  # fewer samples than points, and more
def test_posterior_and_evidence_are_those_of_the_closed_form(count):
    rng = np.random.default_rng(4)
    lon, lat = 230 + rng.uniform(-2, 2, 12), 45 + rng.uniform(-2, 2, 12)
    factor = np.linalg.cholesky(0.01 * np.exp(-np.abs(np.subtract.outer(range(count), range(count))) / 2.0))
    gauge = GaugeSamples(rng.standard_normal(count), rng.standard_normal((count, 12)), [factor])
    prior = FieldPrior(scale_m=(0.7,), correlation_km=(80.0,), extent_km=(200.0,))
    found = field_posterior([gauge], prior, np.zeros(1), centre=(230.0, 45.0), lon_deg=lon, lat_deg=lat)
    covariance, cross, inner = dense(gauge, prior, (230.0, 45.0), lon, lat)
    expected = multivariate_normal(cov=inner).logpdf(gauge.level_m)
    npt.assert_allclose(found.log_evidence, expected, rtol=1e-9)
    gain = np.linalg.solve(inner, cross).T
    mean, sd = found.moments
    npt.assert_allclose(mean, gain @ gauge.level_m, rtol=1e-8, atol=1e-10)
    left = covariance - gain @ cross
    npt.assert_allclose(sd, np.sqrt(np.diag(left)), rtol=1e-6)
    draws, errors = found.draws(40_000, rng)
    npt.assert_allclose(np.cov(draws.T), left, atol=5 * np.diag(left).max() / np.sqrt(40_000))
    assert (errors == 0).all()
    options = {"centre": (230.0, 45.0), "lon_deg": lon, "lat_deg": lat}
    assert field_log_evidence([gauge], prior, np.zeros(1), **options) == pytest.approx(expected)


def test_the_prior_is_the_covariance_it_says():
    lon, lat = np.array([230.0, 230.5, 232.0]), np.array([45.0, 45.0, 45.5])
    prior = FieldPrior(scale_m=(1.0,), correlation_km=(50.0,), extent_km=(100.0,))
    (factor,) = prior.factors((230.0, 45.0), lon, lat)
    found = factor @ factor.T
    npt.assert_allclose(found[0, 0], 1.0, rtol=1e-5)
    apart_km = 6371.0 * np.radians(0.5) * np.cos(np.radians(45.0))
    npt.assert_allclose(found[0, 1], np.exp(-0.5 * (apart_km / 100) ** 2) / (1 + (apart_km / 50) ** 2), rtol=1e-3)


def test_candidates_weigh_as_their_evidence():
    rng = np.random.default_rng(5)
    lon, lat = 230 + rng.uniform(-2, 2, 8), 45 + rng.uniform(-2, 2, 8)
    factors = [size * np.eye(6) for size in (0.1, 1.0)]
    gauge = GaugeSamples(rng.standard_normal(6), rng.standard_normal((6, 8)), factors)
    both = FieldPrior(scale_m=(0.2, 2.0), correlation_km=(30.0, 90.0), extent_km=(150.0,))
    options = {"centre": (230.0, 45.0), "lon_deg": lon, "lat_deg": lat}
    found = field_posterior([gauge], both, np.log([0.3, 0.7]), **options)
    logs = np.empty((2, 2, 2))
    for at in np.ndindex(2, 2, 2):
        one = FieldPrior((both.scale_m[at[2]],), (both.correlation_km[at[0]],), (150.0,))
        alone = field_posterior([gauge._replace(factors=[factors[at[1]]])], one, np.zeros(1), **options)
        logs[at] = alone.log_evidence + np.log((0.3, 0.7)[at[1]]) - np.log(4)
    npt.assert_allclose(found.log_weights, logs, rtol=1e-9)
    npt.assert_allclose(found.weights.sum(), 1.0)


def test_without_a_sample_that_tells_the_posterior_is_the_prior(exact):
    silent = np.full((3, len(exact.times_s)), np.nan)
    of_surface, of_fault = exact.posterior(silent)
    mean, sd = of_surface.moments
    npt.assert_allclose(mean, 0.0, atol=1e-12)
    nearest = int(np.argmin(exact.bank.humps.distance_m))
    npt.assert_allclose(sd[nearest], 0.5, rtol=1e-3)
    assert of_fault is None


def test_forecast_intervals_hold_as_many_truths_as_they_say(bank, exact):
    rng = np.random.default_rng(6)
    humps = bank.humps
    (factor,) = exact.prior.factors(humps.centre, humps.lon_deg, humps.lat_deg)
    at_coast = bank.hump_response(["westport", "newport"], window_min=110).to_numpy()[:, 40::20]
    held = []
    for _ in range(80):
        truth = 0.5 * factor @ rng.standard_normal(factor.shape[1])
        record = level_of(bank, truth).to_numpy()
        of_surface, _ = exact.posterior(record + 0.002 * rng.standard_normal(record.shape))
        draws, _ = of_surface.draws(400, rng)
        low, high = np.quantile(draws @ at_coast.reshape(-1, len(humps)).T, [0.05, 0.95], axis=0)
        level = at_coast.reshape(-1, len(humps)) @ truth
        held.append((low <= level) & (level <= high))
    # 80 events, of which the levels are correlated: a standard error of at most 0.034
    npt.assert_allclose(np.mean(held), 0.9, atol=0.08)


def test_a_hump_is_found_where_it_was(bank):
    truth = smooth_hump(bank, 230.8, 46.6, 1.5, 50.0)
    records = observed(bank, level_of(bank, truth))
    found = sc.invert(records, sc.SurfacePosterior(bank, WINDOW_MIN, model_error=0.0, noise_sd_m=0.001))
    assert isinstance(found, SurfaceEstimate)
    largest = int(np.argmax(found.elevation.to_numpy()))
    assert np.hypot(bank.humps.lon_deg[largest] - 230.8, bank.humps.lat_deg[largest] - 46.6) < 0.6
    left = found.elevation.to_numpy() - truth
    assert np.sum(left**2) < 0.25 * np.sum(truth**2)
    low, high = found.interval(0.9)
    assert np.mean((low.to_numpy() <= truth) & (truth <= high.to_numpy())) > 0.8
    bounds = found.size_intervals(0.9)["volume_m3"]
    assert bounds[0] < truth @ bank.hump_area_m2 < bounds[1]
    made = sc.forecast(found, bank, gauges=["westport"])
    expected = level_of(bank, truth, ("westport",), 110).to_numpy()[0]
    explained = 1 - np.var(made.sea_level.to_numpy()[0, 1:111] - expected) / np.var(expected)
    assert explained > 0.8
    assert "magnitude" not in made.dataset


def test_a_calm_sea_gives_no_surface(bank):
    still = xr.zeros_like(level_of(bank, np.zeros(len(bank.humps))))
    found = sc.invert(observed(bank, still), sc.SurfacePosterior(bank, WINDOW_MIN))
    assert np.abs(found.elevation).max() < 0.1


# --- evidence


def test_evidence_is_for_the_fault_where_it_slipped(bank, small_bank):
    slip = xr.DataArray([2.0, 3.0], dims="source", coords={"source": ["acszb58", "acszb59"]})
    slip = slip.reindex(source=small_bank.sources, fill_value=0.0)
    level = small_bank.forward(slip, gauges=DARTS, window_min=WINDOW_MIN)
    method = sc.SurfacePosterior(bank, WINDOW_MIN, fault=small_bank, noise_sd_m=0.001, model_error=0.0)
    found = sc.invert(observed(bank, level), method)
    assert found.fault_log_evidence > found.log_evidence + 3
    assert "for the fault by" in found.evidence_words


def test_evidence_is_for_the_surface_200_km_away_from_the_fault(bank, small_bank):
    level = level_of(bank, smooth_hump(bank, 230.6, 46.4, 1.5, 45.0))
    method = sc.SurfacePosterior(bank, WINDOW_MIN, fault=small_bank, noise_sd_m=0.001, model_error=0.0)
    found = sc.invert(observed(bank, level), method)
    assert found.log_evidence > found.fault_log_evidence + 3
    assert "for the sea surface by" in found.evidence_words
    assert "none" in repr(found)


def test_an_unknown_error_of_waves_is_weighed(bank, small_bank):
    level = level_of(bank, smooth_hump(bank, 230.6, 46.4, 1.5, 45.0))
    found = sc.invert(observed(bank, level), sc.SurfacePosterior(bank, WINDOW_MIN, fault=small_bank))
    assert found.log_evidence > found.fault_log_evidence
    assert (found.dataset["wave_error"] > 0.2).all()  # no forecast is better than that (Tang et al. 2009)


# --- files, mixing, refusals


def test_an_estimate_is_written_and_read(bank, exact, tmp_path):
    found = sc.invert(observed(bank, level_of(bank, smooth_hump(bank, 230.8, 46.6, 1.0, 50.0))), exact)
    found.save(tmp_path / "surface.nc")
    again = SurfaceEstimate.open(tmp_path / "surface.nc")
    xr.testing.assert_identical(again.dataset["elevation_sample"], found.dataset["elevation_sample"])
    assert (again.log_evidence, again.fault_log_evidence) == (found.log_evidence, None)
    npt.assert_array_equal(sc.forecast(again, bank).sea_level, sc.forecast(found, bank).sea_level)
    with pytest.raises(InputError, match="holds an estimate of the initial sea surface, not a slip estimate"):
        sc.SlipEstimate.open(tmp_path / "surface.nc")
    xr.Dataset(attrs={"slipcast": "surface"}).to_netcdf(tmp_path / "empty.nc")
    with pytest.raises(InputError, match="incomplete file of a sea surface"):
        SurfaceEstimate.open(tmp_path / "empty.nc")


def test_banks_of_slip_and_of_humps_are_not_mixed(bank, small_bank, exact):
    with pytest.raises(InputError, match="bank must be"):
        sc.LeastSquares(bank, window_min=30)
    with pytest.raises(InputError, match="bank must be a GreensBank"):
        sc.RuptureMixture(bank, window_min=30)
    with pytest.raises(InputError, match="bank must be a SurfaceBank"):
        sc.SurfacePosterior(small_bank, 30)
    with pytest.raises(InputError, match="fault must be a GreensBank"):
        sc.SurfacePosterior(bank, 30, fault=bank)
    found = sc.invert(observed(bank, level_of(bank, smooth_hump(bank, 230.8, 46.6, 1.0, 50.0))), exact)
    with pytest.raises(InputError, match="waves must be a SurfaceBank"):
        sc.forecast(found, small_bank)
    slip = sc.SlipEstimate.from_slip([1.0], ["acszb58"], method="nnls", window_min=30, region="cascadia")
    with pytest.raises(InputError, match="waves must be"):
        sc.forecast(slip, bank)
    other = SurfaceBank.from_series(
        bank.region,
        replace(bank.humps, lat_deg=bank.humps.lat_deg + 0.1),
        dict(zip(bank.gauges, bank.dataset["response"].to_numpy(), strict=True)),
        bank.hump_area_m2,
    )
    with pytest.raises(InputError, match="of other humps than bank"):
        sc.forecast(found, other)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"window_min": "60"}, "window_min must be a number"),
        ({"window_min": 600.0}, "longer than the 120 min"),
        ({"noise_sd_m": 0.0}, "noise_sd_m must be > 0"),
        ({"model_error": -0.1}, "model_error must be >= 0"),
        ({"gauges": ("nowhere",)}, "unknown gauge"),
        ({"prior": None}, "prior must be a FieldPrior"),
    ],
)
def test_options_are_checked(bank, options, match):
    with pytest.raises(InputError, match=match):
        SurfacePosterior(bank, **({"window_min": 30.0} | options))


def test_arguments_are_checked(bank, exact):
    records = observed(bank, level_of(bank, np.zeros(len(bank.humps))))
    with pytest.raises(InputError, match="a sea surface has none"):
        sc.invert(records, exact, magnitude=8.0)
    with pytest.raises(InputError, match="unknown gauge"):
        sc.invert(records, exact, gauges=["westport"])
    with pytest.raises(InputError, match=r"window_min must be in \(0, 60\]"):
        sc.invert(records, exact, window_min=90)
    with pytest.raises(InputError, match="record must have shape"):
        exact.posterior(np.zeros((2, 3)))
    with pytest.raises(InputError, match="centre must be longitude and latitude"):
        SurfaceBank.build(small_region(), centre="Samoa")
    with pytest.raises(InputError, match="radius_km must be a number"):
        SurfaceBank.build(small_region(), centre=PLACE, radius_km="300")
    with pytest.raises(InputError, match="scale_m must be numbers > 0"):
        FieldPrior(scale_m=())
    assert len(SURFACE_PRIOR.shapes) == 12


def test_the_command_line(bank, small_bank, slipcast, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bank.save("humps.nc")
    small_bank.save("bank.nc")
    observed(bank, level_of(bank, smooth_hump(bank, 230.6, 46.4, 1.5, 45.0))).save("records.nc")
    command = "surface invert records.nc --bank humps.nc --fault bank.nc --window 60 --model-error 0 --noise 0.001"
    code, out, err = slipcast(*command.split())
    assert (code, err) == (0, "")
    assert "highest level" in out
    assert "for the sea surface by" in out
    assert "no magnitude" in out
    code, out, _ = slipcast(*command.split(), "--json")
    assert json.loads(out)["magnitude"] is None
    assert min(json.loads(out)["explained"].values()) > 0.9
    # with noise as high as the wave there is nothing that it must explain
    code, out, err = slipcast(*command.replace("--noise 0.001", "--noise 5").split())
    assert code == 0
    assert "explained: " in out
    assert "no record is explained by half" in err
    code, out, _ = slipcast("surface", "forecast", "surface.nc", "--bank", "humps.nc", "--json")
    assert code == 0
    assert {row["gauge"] for row in json.loads(out)} == set(bank.gauges)
    code, _, err = slipcast("surface", "forecast", "surface.nc", "--bank", "bank.nc")
    assert (code, err.count("\n")) == (2, 1)
    assert "not a bank of humps" in err
    code, _, err = slipcast("invert", "records.nc", "--bank", "humps.nc", "--method", "nnls", "--window", "60")
    assert (code, err.count("\n")) == (2, 1)
