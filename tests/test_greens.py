"""The bank: reciprocal responses against forward runs, its linear maps, its file, and what it refuses."""

from __future__ import annotations

import dataclasses
import threading
import warnings
from datetime import UTC, datetime

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from conftest import SMALL_SOURCES, build_quietly, small_region
from slipcast.errors import InputError, SlipcastWarning
from slipcast.greens.bank import GreensBank
from slipcast.greens.checks import bank_id
from slipcast.greens.reciprocity import check_region, warn_if_coarse
from slipcast.physics.bathymetry import Bathymetry
from slipcast.physics.okada import unit_source_uplift
from slipcast.physics.projection import uplift_box
from slipcast.physics.shallow_water import LongWaves
from slipcast.physics.travel_paths import TravelPaths
from slipcast.physics.unit_sources import unit_source
from slipcast.regions.region import Region


def one_dart(**grid) -> Region:
    """Return the small region with one DART."""
    region = small_region().with_gauges(["46404"])
    plan = region.grids["near"].model_dump() | {"spacing_arcmin": 12.0, "hours": 0.5} | grid
    return Region.model_validate(region.model_dump() | {"grids": {"near": plan}})


def test_a_response_is_that_of_a_forward_run(small_bank):
    # the truth of the whole chain: Okada's uplift of a whole unit source on the grid, propagated to a gauge
    grid = small_bank.region.grids["near"].grid()
    waves = LongWaves(grid, Bathymetry.etopo1().depth_on(grid), elastic=True)
    box = uplift_box(waves, small_bank.subfaults)
    bank = build_quietly(small_bank.region, dispersion=False, losses=False)
    lon, lat = np.meshgrid(grid.lon_deg, grid.lat_deg)
    gauges = [waves.stencil(gauge.lon, gauge.lat) for gauge in small_bank.region.gauges]
    for name in ("acszb58", "acszz59"):
        start = np.zeros(grid.shape)
        start[box.slices] = unit_source_uplift(lon, lat, unit_source(name))[..., 0][box.slices]
        forward = waves.gauge_series(start, gauges, interval_s=60.0, count=120)
        response = bank.source_response(sources=[name])[..., 0].to_numpy()
        for gauge, found, expected in zip(bank.gauges, response, forward, strict=True):
            expected = expected - expected[0] if bank.senses[gauge] == "pressure" else expected
            npt.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_losses_are_those_of_the_coast_and_of_a_day_from_the_first_wave_on(small_bank):
    grid = small_bank.region.grids["near"].grid()
    depth_m = Bathymetry.etopo1().depth_on(grid)
    waves = LongWaves(grid, depth_m, elastic=True, coast_reflection=0.8)
    box = uplift_box(waves, small_bank.subfaults)
    bank = build_quietly(small_bank.region.with_gauges(["46404"]), dispersion=False)
    lon, lat = np.meshgrid(grid.lon_deg, grid.lat_deg)
    start = np.zeros(grid.shape)
    start[box.slices] = unit_source_uplift(lon, lat, unit_source("acszb58"))[..., 0][box.slices]
    dart = bank.region.gauge("46404")
    stencil = waves.stencil(dart.lon, dart.lat)
    undecayed = waves.gauge_series(start, [stencil], interval_s=60.0, count=120)[0]
    source = unit_source("acszb58")
    paths = TravelPaths(waves).means(stencil, np.array([source.lon_deg]), np.array([source.lat_deg]))
    since_h = np.maximum(np.arange(121) / 60 - paths.travel_time_s / 3600, 0)
    expected = undecayed * np.exp(-since_h / (2 * 24.6))
    found = bank.source_response(sources=["acszb58"])[0, :, 0].to_numpy()
    assert 1000 < paths.travel_time_s < 2400
    npt.assert_allclose(found, expected - expected[0], rtol=0, atol=1.5e-3 * np.abs(expected).max())
    # a decay from the origin on would be off by more
    from_origin = undecayed * np.exp(-np.arange(121) / 60 / (2 * 24.6))
    assert np.abs(from_origin - from_origin[0] - found).max() > 3e-3 * np.abs(expected).max()


def test_a_unit_source_is_the_sum_of_its_subfaults(small_bank):
    response = small_bank.dataset["response"].to_numpy().astype(float)
    labels = small_bank.dataset["subfault_source"].to_numpy()
    for source in SMALL_SOURCES:
        expected = response[:, :, labels == source].sum(axis=2)
        npt.assert_allclose(small_bank.source_response(sources=[source])[..., 0], expected, atol=1e-12)


# --- linear maps


@pytest.mark.parametrize("on", ["source", "subfault"])
def test_forward_and_adjoint_are_transposes(small_bank, on):
    rng = np.random.default_rng(1)
    count = len(small_bank.sources) if on == "source" else len(small_bank.subfaults)
    coords = {"source": small_bank.sources} if on == "source" else {}
    slip = xr.DataArray(rng.normal(size=(3, count)), dims=("event", on), coords=coords)
    made = small_bank.forward(slip, gauges=["46419", "46404"], window_min=45)
    level = made.copy(data=rng.normal(size=made.shape))
    back = small_bank.adjoint(level, on=on)
    npt.assert_allclose((made * level).sum(("gauge", "time")), (slip * back).sum(on), rtol=1e-10)


@pytest.mark.parametrize("slip_m", [1e-6, 1.0, -3.0])
def test_linear_at_a_micrometre_of_slip(small_bank, slip_m):
    unit = xr.DataArray(np.ones(9), dims="source", coords={"source": small_bank.sources})
    npt.assert_allclose(small_bank.forward(slip_m * unit) / slip_m, small_bank.forward(unit), rtol=1e-12)
    weak = xr.zeros_like(unit)
    weak.loc["acszb58"] = slip_m
    expected = slip_m * small_bank.source_response(sources=["acszb58"])[..., 0]
    npt.assert_allclose(small_bank.forward(weak), expected, rtol=1e-12, atol=0)


def test_slip_in_another_order_gives_the_same_sea(small_bank):
    slip = xr.DataArray(np.arange(9.0), dims="source", coords={"source": small_bank.sources})
    turned = small_bank.forward(slip[::-1], gauges=["westport", "46404"])
    npt.assert_array_equal(turned, small_bank.forward(slip).sel(gauge=["westport", "46404"]))


def test_responses_by_name(small_bank):
    whole = small_bank.source_response()
    some = small_bank.source_response(["newport", "46407"], sources=["acszz58", "acsza57"], window_min=60)
    assert some.dims == ("gauge", "time", "source")
    npt.assert_array_equal(some["time"], 60.0 * np.arange(1, 61))
    expected = whole.sel(gauge=["newport", "46407"], source=["acszz58", "acsza57"]).isel(time=slice(1, 61))
    npt.assert_array_equal(some, expected)


def test_names_and_windows_that_do_not_fit(small_bank):
    cases = [
        (lambda: small_bank.source_response(["46405"]), r"unknown gauge '46405' in bank cascadia; nearest: 4640"),
        (lambda: small_bank.source_response(sources=["acsza54"]), "unknown source 'acsza54' in bank cascadia; nearest"),
        (
            lambda: small_bank.source_response(window_min=121),
            "window of 121 min is longer than the 120 min of bank cascadia at gauge 46404",
        ),
        (lambda: small_bank.source_response(window_min=0), "window must be > 0 minutes, got 0"),
        (lambda: small_bank.source_response(window_min=0.5), "window of 0.5 min holds no sample of bank cascadia"),
    ]
    for call, message in cases:
        with pytest.raises(InputError, match=message):
            call()
    slip = xr.DataArray(np.ones(8), dims="source", coords={"source": small_bank.sources[1:]})
    with pytest.raises(InputError, match="slip lacks source acsza57"):
        small_bank.forward(slip)
    with pytest.raises(InputError, match=r"slip must have 72 subfaults, got 3"):
        small_bank.forward(xr.DataArray(np.ones(3), dims="subfault"))
    level = small_bank.forward(xr.DataArray(np.ones(9), dims="source", coords={"source": small_bank.sources}))
    with pytest.raises(InputError, match="times of sea_level must be those of a window of the bank"):
        small_bank.adjoint(level)
    with pytest.raises(InputError, match="slip is on 'source' or 'subfault', got 'fault'"):
        small_bank.adjoint(level, on="fault")


# --- building


def test_what_a_bank_says_of_itself(small_bank):
    assert small_bank.gauges == ["46404", "46407", "46419", "westport", "newport"]
    assert small_bank.gauge_names("dart") == ["46404", "46407", "46419"]
    assert small_bank.sources == list(SMALL_SOURCES)
    npt.assert_array_equal(small_bank.time_s, 60.0 * np.arange(121))
    assert len(small_bank.subfaults) == 72
    depth = small_bank.dataset["gauge_depth"].to_numpy()
    assert 2000 < depth[0] < 3500
    assert depth[3] < 300
    created = datetime.fromisoformat(small_bank.dataset.attrs["created"])
    assert (created.microsecond, created.tzinfo) == (0, UTC)
    small_bank.check()


def test_one_thread_or_several_give_the_same_numbers(small_bank):
    again = build_quietly(small_region(), workers=1)
    npt.assert_array_equal(again.dataset["response"], small_bank.dataset["response"])
    assert again.id == small_bank.id


def test_grids_of_their_own_for_near_and_far_gauges():
    region = one_dart()
    far = {"name": "far", "kind": "forecast", "lon": 226.0, "lat": 43.0, "grid": "wide"}
    wide = {"lon": (220.0, 240.0), "lat": (36.0, 54.0), "spacing_arcmin": 20.0, "hours": 1.0}
    content = region.model_dump()
    content["gauges"] = [*content["gauges"], far]
    content["grids"]["wide"] = wide
    bank = build_quietly(Region.model_validate(content))
    assert bank.time_s[-1] == 3600.0
    hours = bank.dataset["gauge_hours"].to_numpy()
    npt.assert_array_equal(hours, [0.5, 1.0])
    near, other = bank.dataset["response"].to_numpy()
    assert np.isfinite(near[:31]).all()
    assert np.isnan(near[31:]).all()  # the near run has ended
    assert np.isfinite(other).all()
    with pytest.raises(InputError, match="window of 45 min is longer than the 30 min of bank cascadia at gauge 46404"):
        bank.source_response(window_min=45)
    assert bank.source_response(["far"], window_min=45).shape == (1, 45, 9)


def test_kajiura_lessens_a_near_wave():
    plain, smooth = (build_quietly(one_dart(spacing_arcmin=6.0), kajiura=kajiura) for kajiura in (False, True))
    first, second = (bank.source_response(sources=["acszb58"])[0, :, 0].to_numpy() for bank in (plain, smooth))
    assert 0.5 < second.max() / first.max() < 1.0
    assert smooth.id != plain.id
    assert smooth.dataset.attrs["kajiura"] == 1


def test_a_coarse_bank_warns():
    with pytest.warns(SlipcastWarning, match="DART 46404 is near the sources, and its grid near of 12 arc-minutes is"):
        GreensBank.build(one_dart())


def test_a_sea_floor_of_the_users_own(tmp_path):
    lon, lat = np.arange(222.0, 242.0, 0.5), np.arange(36.0, 56.0, 0.5)
    values = np.full((lat.size, lon.size), -2500.0)
    xr.Dataset({"z": (("lat", "lon"), values)}, coords={"lat": lat, "lon": lon}).to_netcdf(tmp_path / "flat.nc")
    flat = build_quietly(one_dart(), bathymetry=tmp_path / "flat.nc")
    real = build_quietly(one_dart())
    assert flat.dataset.attrs["bathymetry"] == "flat.nc"
    npt.assert_allclose(flat.dataset["gauge_depth"], 2500.0)
    assert np.abs(flat.dataset["response"] - real.dataset["response"]).max() > 1e-3
    small = xr.Dataset({"z": (("lat", "lon"), values[:20])}, coords={"lat": lat[:20], "lon": lon})
    small.to_netcdf(tmp_path / "small.nc")
    with pytest.raises(InputError, match=r"bathymetry small.nc spans latitudes 36 to 45.5 and does not"):
        build_quietly(one_dart(), bathymetry=tmp_path / "small.nc")


def test_regions_that_cannot_be_computed():
    with pytest.raises(InputError, match="unknown region 'cascadai'; nearest: cascadia"):
        GreensBank.build("cascadai")
    with pytest.raises(InputError, match=r"unknown gauge '46040' in region cascadia; nearest: .*46404"):
        GreensBank.build("cascadia", gauges=["46040"])
    with pytest.raises(InputError, match="unknown grid 'far' in region cascadia"):
        GreensBank.build("cascadia", spacing_arcmin={"far": 4})
    with pytest.raises(InputError, match="workers must be >= 1, got -1"):
        build_quietly(one_dart(), workers=-1)
    content = one_dart().model_dump()
    content["gauges"] = [content["gauges"][0] | {"lon": 236.5, "lat": 46.5}]
    ashore = Region.model_validate(content)
    message = r"gauge 46404 on grid near: point \(236.5, 46.5\) is on land; the nearest wet point is \(23\d\.\d{3}, 4"
    for refuse in (build_quietly, check_region):
        with pytest.raises(InputError, match=message):
            refuse(ashore)
    content = one_dart(lon=(224.0, 236.0)).model_dump()
    with pytest.raises(InputError, match=r"unit source acs.* reaches outside the grid or into its absorbing margin"):
        check_region(Region.model_validate(content))


@pytest.mark.parametrize("name", ["alaska", "cascadia", "chile", "japan", "kamchatka", "tonga"])
def test_the_built_in_regions_are_well(name):
    check_region(Region.open(name))


# --- the file


def test_save_and_open_give_the_same_numbers(small_bank, tmp_path):
    small_bank.save(tmp_path / "bank.nc")
    opened = GreensBank.open(tmp_path / "bank.nc")
    npt.assert_array_equal(opened.dataset["response"], small_bank.dataset["response"])
    assert (opened.id, opened.gauges, opened.sources) == (small_bank.id, small_bank.gauges, small_bank.sources)
    assert opened.region == small_bank.region
    opened.check()


def changed(bank: GreensBank, **arrays) -> GreensBank:
    """Return a bank with some arrays replaced, its fingerprint left as it was."""
    return GreensBank(bank.dataset.assign({name: bank.dataset[name].copy(data=data) for name, data in arrays.items()}))


def test_a_check_finds_what_was_changed(small_bank):
    response = small_bank.dataset["response"].to_numpy()
    flipped, lost, silent = (response.copy() for _ in range(3))
    flipped[1, 30, 5] *= 1.000001
    lost[2, 7, 3] = np.nan
    silent[0] = 0.0
    labels = small_bank.dataset["subfault_source"].to_numpy().copy()
    labels[0] = "acsza58"
    for bank, message in (
        (
            changed(small_bank, response=flipped),
            "the response at gauge 46407 does not match its checksum .*; it was changed or damaged",
        ),
        (changed(small_bank, response=lost), "the response at gauge 46419 is not finite"),
        (changed(small_bank, response=silent), "no wave reaches gauge 46404 in 2 hours"),
        (changed(small_bank, subfault_source=labels), "its subfaults are not those of its region"),
        (changed(small_bank, gauge=["a", "b", "c", "d", "e"]), "its gauges are not those of its region"),
    ):
        with pytest.raises(InputError, match=f"bank cascadia: {message}"):
            bank.check()


@pytest.mark.slow
def test_files_that_are_no_bank(small_bank, small_set, tmp_path):
    small_bank.save(tmp_path / "bank.nc")
    content = (tmp_path / "bank.nc").read_bytes()
    for name, part in (("cut", content[: len(content) // 2]), ("empty", b""), ("text", b"no bank\n")):
        (tmp_path / f"{name}.nc").write_bytes(part)
        with pytest.raises(InputError, match=rf"{name}.nc cannot be read as netCDF: it is truncated or"):
            GreensBank.open(tmp_path / f"{name}.nc")
    with pytest.raises(InputError, match=r"no file .*nowhere.nc"):
        GreensBank.open(tmp_path / "nowhere.nc")
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "foreign.nc")
    with pytest.raises(InputError, match=r"foreign.nc holds no slipcast file, not a bank of Green's functions"):
        GreensBank.open(tmp_path / "foreign.nc")
    xr.Dataset({"a": ("x", [1.0])}, attrs={"slipcast": "bank"}).to_netcdf(tmp_path / "half.nc")
    with pytest.raises(
        InputError, match=r"half.nc is an incomplete bank file: it lacks gauge_hours, response, subfault_source"
    ):
        GreensBank.open(tmp_path / "half.nc")
    xr.Dataset({"a": ("x", [1.0])}, attrs={"slipcast": "slip"}).to_netcdf(tmp_path / "slip.nc")
    with pytest.raises(InputError, match=r"slip.nc holds a slip estimate, not a bank"):
        GreensBank.open(tmp_path / "slip.nc")


def test_a_bank_of_other_sources(small_set, small_bank):
    small_set.check_bank(small_bank)
    other = dataclasses.replace(small_bank)
    content = small_bank.region.model_dump() | {"sources": SMALL_SOURCES[:8]}
    attrs = small_bank.dataset.attrs | {"region_json": Region.model_validate(content).json_text()}
    other = GreensBank(small_bank.dataset.isel(subfault=slice(0, 64)).assign_attrs(attrs))
    with pytest.raises(InputError, match="bank cascadia lacks source acszz59"):
        small_set.check_bank(other)


# --- arguments of a build


def test_a_grid_and_gauges_on_another_branch_of_longitude_are_the_same():
    content = one_dart().model_dump()
    content["gauges"][0]["lon"] -= 360.0
    west = one_dart(lon=(-136.0, -120.0)).model_dump() | {"gauges": content["gauges"]}
    first, second = (build_quietly(region) for region in (one_dart(), Region.model_validate(west)))
    npt.assert_allclose(second.dataset["response"], first.dataset["response"], rtol=0, atol=1e-6)


def test_spacing_and_hours_of_a_build():
    bank = build_quietly(one_dart(), spacing_arcmin=10, hours={"near": 0.25})
    assert bank.region.grids["near"].spacing_arcmin == 10.0
    npt.assert_array_equal(bank.time_s, 60.0 * np.arange(16))
    assert bank.dataset.attrs["grids"] == "near 10 arc-minutes"
    assert bank.id != build_quietly(one_dart(), hours=0.25).id


def test_what_is_sea_follows_the_least_depth():
    region = small_region().with_gauges(["westport"])
    build = {"spacing_arcmin": 12.0, "hours": 0.25}
    assert build_quietly(region, **build).dataset.attrs["min_depth_m"] == 10.0
    with pytest.raises(InputError, match=r"gauge westport on grid near: point \(235.4, 46.9\) is on land"):
        build_quietly(region, **build, min_depth_m=500.0)
    with pytest.raises(InputError, match="min_depth_m must be > 0 m, got 0"):
        build_quietly(region, **build, min_depth_m=0)


def test_progress_counts_every_gauge():
    told = []
    build_quietly(small_region(), spacing_arcmin=12, hours=0.5, progress=lambda *of: told.append(of))
    assert [(done, total) for done, total, _ in told] == [(k, 5) for k in range(1, 6)]
    assert sorted(name for _, _, name in told) == sorted(small_region().gauge_names())


def test_an_interrupt_stops_all_runs():
    def interrupt(done, total, name):
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        build_quietly(small_region(), workers=1, progress=interrupt)
    assert threading.active_count() == before


@pytest.mark.parametrize("workers", [0, -1])
def test_no_worker_is_none(workers):
    with pytest.raises(InputError, match=f"workers must be >= 1, got {workers}"):
        build_quietly(one_dart(), workers=workers)


def test_no_gauge_is_no_bank():
    with pytest.raises(InputError, match="a region needs at least one gauge"):
        GreensBank.build("cascadia", gauges=[])


# --- damaged files


def test_an_adjoint_by_name(small_bank):
    slip = xr.DataArray(np.arange(9.0), dims="source", coords={"source": small_bank.sources})
    level = small_bank.forward(slip, gauges=["46404", "westport"], window_min=30)
    npt.assert_allclose(small_bank.adjoint(level[::-1]), small_bank.adjoint(level), rtol=1e-12)
    with pytest.raises(InputError, match="unknown gauge '46405' in bank cascadia; nearest"):
        small_bank.adjoint(level.assign_coords(gauge=["46405", "westport"]))
    with pytest.raises(InputError, match="times of sea_level must be those of a window of the bank"):
        small_bank.adjoint(level[:, 1:])


@pytest.mark.parametrize("change", [{"time": 61.0 * np.arange(121)}, {"gauge_hours": np.full(5, 1.0)}])
def test_a_check_finds_times_that_were_changed(small_bank, change):
    with pytest.raises(InputError, match="bank cascadia: "):
        changed(small_bank, **change).check()


@pytest.mark.parametrize("lost", ["region_json", "id"])
def test_a_bank_that_does_not_say_what_it_is(small_bank, tmp_path, lost):
    attrs = {key: value for key, value in small_bank.dataset.attrs.items() if key != lost} | {"slipcast": "bank"}
    small_bank.dataset.drop_attrs().assign_attrs(attrs).to_netcdf(tmp_path / "bank.nc")
    with pytest.raises(InputError, match=rf"bank.nc is an incomplete bank file: it lacks {lost}"):
        GreensBank.open(tmp_path / "bank.nc")


@pytest.mark.slow
def test_a_file_with_a_flipped_bit_is_refused_or_whole(small_bank, tmp_path):
    small_bank.save(tmp_path / "bank.nc")
    content = (tmp_path / "bank.nc").read_bytes()
    refused = []
    # of the responses and what is beside them: damage to HDF5's own tables can bring its library down
    for place in np.random.default_rng(1).integers(int(0.06 * len(content)), int(0.95 * len(content)), size=60):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        (tmp_path / "bank.nc").write_bytes(damaged)
        try:
            opened = GreensBank.open(tmp_path / "bank.nc")
            opened.check()
        except InputError as error:
            refused.append(str(error))
        else:
            npt.assert_array_equal(opened.dataset["response"], small_bank.dataset["response"])
            npt.assert_array_equal(opened.time_s, small_bank.time_s)
            assert (opened.gauges, opened.region) == (small_bank.gauges, small_bank.region)
    assert len(refused) > 40
    assert "\n" not in "".join(refused)


@pytest.mark.slow
def test_a_file_cut_anywhere_is_refused(small_bank, tmp_path):
    small_bank.save(tmp_path / "bank.nc")
    content = (tmp_path / "bank.nc").read_bytes()
    for length in [1, 8, 100, *np.linspace(1000, len(content) - 1, 15).astype(int)]:
        (tmp_path / "bank.nc").write_bytes(content[:length])
        with pytest.raises(InputError, match=r"bank.nc cannot be read as netCDF: it is truncated or of another"):
            GreensBank.open(tmp_path / "bank.nc")


@pytest.mark.parametrize(
    ("spacing_arcmin", "place", "kind", "warns"),
    [
        (3.0, (231.264, 45.857), "dart", True),
        (2.0, (231.264, 45.857), "dart", False),  # fine enough, to the last digit
        (3.0, (231.264, 45.857), "forecast", False),
        (3.0, (225.5, 39.5), "dart", False),  # 1,000 km off
    ],
)
def test_only_darts_near_the_sources_on_coarse_grids_are_warned_of(spacing_arcmin, place, kind, warns):
    region = one_dart(spacing_arcmin=spacing_arcmin)
    gauge = region.gauges[0].model_dump() | {"lon": place[0], "lat": place[1], "kind": kind}
    region = Region.model_validate(region.model_dump() | {"gauges": [gauge], "observers": ()})
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        warn_if_coarse(region)
    assert len(given) == warns


# --- what a bank is identified by


@pytest.mark.parametrize(
    "name",
    ["response", "gauge_lon", "gauge_lat", "gauge_depth", "gauge_hours", "subfault_lon", "subfault_area", "time"],
)
def test_the_identity_follows_every_number(small_bank, name):
    values = small_bank.dataset[name].to_numpy().copy()
    values.flat[-1] = np.nextafter(values.flat[-1], np.inf, dtype=values.dtype)
    assert bank_id(small_bank.dataset.assign({name: (small_bank.dataset[name].dims, values)})) != small_bank.id


@pytest.mark.parametrize("name", ["gauge", "gauge_kind", "gauge_grid", "subfault_source"])
def test_the_identity_follows_every_label(small_bank, name):
    values = small_bank.dataset[name].to_numpy().astype(object)
    values[-1] = "another"
    assert bank_id(small_bank.dataset.assign_coords({name: (small_bank.dataset[name].dims, values)})) != small_bank.id


def test_the_identity_follows_the_region_and_nothing_else(small_bank):
    about = small_bank.dataset.attrs
    other = small_bank.dataset.assign_attrs(region_json=about["region_json"].replace("cascadia", "cascadie"))
    assert bank_id(other) != small_bank.id
    assert bank_id(small_bank.dataset.assign_attrs(created="2001-01-01T00:00:00+00:00")) == small_bank.id


def test_a_smaller_bank_says_where_its_numbers_are_from(small_bank):
    for smaller in (
        small_bank.with_window(["newport", "46419"], 30),
        small_bank.with_sources(["acszb58", "acsza57"]),
    ):
        about, whole = smaller.dataset.attrs, small_bank.dataset.attrs
        for key in ("grids", "bathymetry", "bathymetry_digest", "min_depth_m", "kajiura"):
            assert about[key] == whole[key]
        depths = dict(zip(small_bank.gauges, small_bank.dataset["gauge_depth"].to_numpy()))
        npt.assert_array_equal(smaller.dataset["gauge_depth"], [depths[name] for name in smaller.gauges])
        smaller.check()
    assert smaller.sources == ["acsza57", "acszb58"]
    expected = small_bank.source_response(sources=["acsza57", "acszb58"])
    npt.assert_array_equal(smaller.source_response(), expected)


def test_a_region_is_checked_against_the_sea_floor_given():
    region = small_region().with_gauges(["westport"])
    check_region(region)
    with pytest.raises(InputError, match=r"gauge westport on grid near: point \(235.4, 46.9\) is on land"):
        check_region(region, min_depth_m=500.0)
    lon, lat = np.arange(222.0, 242.0, 0.5), np.arange(36.0, 56.0, 0.5)
    shallow = Bathymetry(lon, lat, np.full((lat.size, lon.size), -5.0, np.float32), title="shallow")
    with pytest.raises(InputError, match=r"depth_m must reach min_depth_m = 10.0 m somewhere, got 5 m"):
        check_region(region, bathymetry=shallow)
