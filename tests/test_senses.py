"""What a gauge senses, pressure or sea level, from the region to the answer."""

import numpy as np
import numpy.testing as npt
import pytest

import slipcast as sc
from conftest import build_quietly, small_region
from learning_fixtures import make_checkpoint, scenario_set
from slipcast.errors import InputError
from slipcast.evaluation.evaluation import evaluate
from slipcast.forecasting.forecast import arrival_time, forecast
from slipcast.greens.bank import GreensBank
from slipcast.inversion import GaussianPosterior, LeastSquares, RestrictedPosterior
from slipcast.learning.inverters import Network
from slipcast.records import Records, simulated_records
from slipcast.regions.region import Gauge, Region
from slipcast.scenarios.kinematics import rupture_records
from slipcast.scenarios.scenario_set import ScenarioSet

DARTS = ["46404", "46407", "46419"]


def of_sea_level(region: Region, *names: str) -> Region:
    """Return a region in which some gauges sense sea level."""
    content = region.model_dump()
    for gauge in content["gauges"]:
        if gauge["name"] in names:
            gauge["senses"] = "sea_level"
    return Region.model_validate(content)


@pytest.fixture(scope="module")
def sea_bank() -> GreensBank:
    """The small bank with DARTs of sea level."""
    return build_quietly(of_sea_level(small_region(), *DARTS))


# --- regions


def test_a_dart_senses_pressure_and_a_forecast_point_sea_level():
    gauge = {"name": "one", "lon": 230.0, "lat": 45.0, "grid": "near"}
    assert Gauge(kind="dart", **gauge).senses == "pressure"
    assert Gauge(kind="forecast", **gauge).senses == "sea_level"
    assert Gauge(kind="dart", senses="sea_level", **gauge).senses == "sea_level"
    region = of_sea_level(small_region(), "46407")
    assert Region.from_json(region.json_text()).gauge("46407").senses == "sea_level"


def test_a_region_names_what_it_does_not_know():
    text = """
name = "a"
sources = ["acsza58"]
grids.near = {lon = [224, 240], lat = [38, 54], spacing_arcmin = 6, hours = 1}
gauges = [{name = "1", kind = "dart", lon = 230, lat = 45, grid = "near", senses = "height"}]
"""
    with pytest.raises(InputError, match="senses"):
        Region.parse(text)
    assert Region.parse(text.replace("height", "sea_level")).gauge("1").senses == "sea_level"


# --- banks and scenarios


def test_pressure_is_the_response_less_its_value_at_time_zero(small_bank, sea_bank):
    assert small_bank.senses == dict.fromkeys(DARTS, "pressure") | dict.fromkeys(["westport", "newport"], "sea_level")
    pressure, level = (bank.dataset["response"].to_numpy() for bank in (small_bank, sea_bank))
    for index, name in enumerate(small_bank.gauges):
        expected = level[index] - level[index, 0] if name in DARTS else level[index]
        npt.assert_allclose(pressure[index], expected, atol=1e-7)
    assert np.abs(level[:3, 0]).max() > 5e-5  # there is an uplift to be seen
    assert not pressure[:3, 0].any()


def test_pressure_of_a_rupture_lacks_the_uplift_as_it_happens(small_bank, sea_bank):
    rng = np.random.default_rng(1)
    n = len(small_bank.subfaults)
    slip, onset = rng.uniform(0.5, 5, (2, n)), rng.uniform(0, 200, (2, n))
    rise = np.array([40.0, 150.0])
    pressure, level = (rupture_records(bank, slip, onset, rise) for bank in (small_bank, sea_bank))
    uplift = sea_bank.dataset["response"].to_numpy()[:3, 0]
    share = np.clip((small_bank.time_s[:, None, None] - onset) / rise[:, None], 0, 1)
    moved = np.einsum("gs,tns->ngt", uplift, share * slip)
    npt.assert_allclose(pressure[:, :3], level[:, :3] - moved, atol=2e-5 * np.abs(level).max())
    npt.assert_array_equal(pressure[:, 3:], level[:, 3:])


def test_scenarios_and_their_records_say_what_they_sense(small_set, sea_bank):
    assert small_set.senses["46404"] == "pressure"
    records = simulated_records(small_set, 1, ["46404", "westport"], window_min=30)
    assert records.senses == {"46404": "pressure", "westport": "sea_level"}
    of_level = ScenarioSet.build(sea_bank, count=2, seed=1)
    assert simulated_records(of_level, 0, DARTS, window_min=30).senses == dict.fromkeys(DARTS, "sea_level")


def test_files_of_an_older_slipcast_are_refused_with_the_remedy(small_bank, small_set, tmp_path):
    GreensBank(small_bank.dataset.drop_vars("gauge_senses")).save(tmp_path / "bank.nc")
    with pytest.raises(InputError, match=r"bank.nc is a bank of sea level at all gauges, .* build it again"):
        GreensBank.open(tmp_path / "bank.nc")
    ScenarioSet(small_set.dataset.drop_vars("gauge_senses")).save(tmp_path / "set.zarr")
    with pytest.raises(InputError, match=r"set.zarr is a scenario set of sea level at all gauges, .* build it again"):
        ScenarioSet.open(tmp_path / "set.zarr")


# --- records


def test_records_are_of_pressure_unless_they_say_otherwise(tmp_path):
    where = {"gauges": ["a", "b"], "lon_deg": [1.0, 2.0], "lat_deg": [3.0, 4.0]}
    times, level = [0.0, 60.0], np.zeros((2, 2))
    records = Records.from_arrays(times, level, **where)
    assert records.senses == {"a": "pressure", "b": "pressure"}
    bare = Records(records.dataset.drop_vars("gauge_senses"))
    assert bare.senses == records.senses
    mixed = Records.from_arrays(times, level, **where, senses=["pressure", "sea_level"])
    mixed.save(tmp_path / "r.nc")
    assert Records.open(tmp_path / "r.nc").senses == {"a": "pressure", "b": "sea_level"}
    assert mixed.retimed(stretch=0.01).senses == mixed.senses
    assert mixed.windowed({"a": (0, 1)}).senses == mixed.senses
    assert "pressure, sea level" in repr(mixed)
    with pytest.raises(InputError, match="gauges sense pressure or sea_level, got 'height' at a"):
        Records.from_arrays(times, level, **where, senses="height")
    with pytest.raises(InputError, match="senses must be one word for each of 2 gauges, got 1"):
        Records.from_arrays(times, level, **where, senses=["pressure"])


# --- inversion


def test_records_of_something_else_are_refused_in_one_line(small_bank, sea_bank, small_set):
    pressure = simulated_records(small_set, 1, DARTS, window_min=60)
    level = Records(pressure.dataset.assign_coords(gauge_senses=("gauge", ["sea_level"] * 3)))
    gaussian = GaussianPosterior.from_bank(small_bank, 60)
    for made_for_pressure in (LeastSquares(small_bank, 60), gaussian, RestrictedPosterior(gaussian, 30)):
        sc.invert(pressure, made_for_pressure)
        with pytest.raises(InputError, match=r"46404 of records senses sea level, and method .* for pressure there"):
            sc.invert(level, made_for_pressure)
    with pytest.raises(InputError, match=r"46404 of records senses pressure, and method nnls .* for sea level"):
        sc.invert(pressure, LeastSquares(sea_bank, 60))
    sc.invert(level, LeastSquares(sea_bank, 60))
    only = LeastSquares(sea_bank, 60, gauges=("westport",))
    assert only.senses == ["sea_level"]


def test_a_service_refuses_what_was_made_for_sea_level(small_bank, sea_bank, tmp_path):
    pytest.importorskip("fastapi", reason="the service needs slipcast[serve]")
    from slipcast.service.running import load_nowcasts

    for name, bank in (("pressure", small_bank), ("level", sea_bank)):
        bank.save(tmp_path / f"{name}.nc")
    assert list(load_nowcasts([], [], [tmp_path / "pressure.nc"])) == [small_bank.region.name]
    message = "gauge 46404 of the live network senses pressure, and method tikhonov was made for sea level there"
    with pytest.raises(InputError, match=message) as caught:
        load_nowcasts([], [], [tmp_path / "level.nc"])
    assert "\n" not in str(caught.value)


def test_networks_know_what_they_were_trained_on():
    assert Network(make_checkpoint()).senses == ("pressure", "pressure", "pressure")
    network = make_checkpoint(senses=("pressure", "sea_level", "pressure"))
    with pytest.raises(InputError, match="gauge 46407 of the scenario set senses pressure, and method network"):
        evaluate(scenario_set(), {"net": network})


# --- arrival


def test_an_arrival_is_that_of_the_wave_and_not_of_the_displacement():
    minutes = 60.0 * np.arange(8)
    # down at once, and a wave from minute 4
    at_once = np.array([-0.5, -0.5, -0.5, -0.5, -0.4, 0.3, 0.1, 0.0])
    assert arrival_time(at_once, minutes) == 0
    assert arrival_time(at_once, minutes, -0.5) == 240
    # the same over three minutes
    slowly = np.array([0.0, -0.2, -0.4, -0.5, -0.5, -0.4, 0.3, 0.0])
    assert arrival_time(slowly, minutes, -0.5) == 300
    # a wave before the floor has come to rest shows where it leaves what lies between
    early = np.array([0.0, -0.2, 0.3, 0.4, 0.1, 0.0, 0.0, 0.0])
    assert arrival_time(early, minutes, -0.5) == 120
    assert arrival_time(np.array([early, slowly]), minutes, np.array([-0.5, -0.5])).tolist() == [120, 300]
    # without a wave the displacement alone is none
    assert np.isnan(arrival_time(np.full(8, -0.5), minutes, -0.5))


def test_a_forecast_counts_from_the_displaced_level(small_bank):
    slip = sc.SlipEstimate.from_slip(
        np.full(len(small_bank.sources), 5.0), small_bank.sources, method="x", window_min=60, region="cascadia"
    )
    made = forecast(slip, small_bank)
    level = made.sea_level.sel(gauge="westport").to_numpy()
    assert abs(level[0]) > 0.1
    arrival = float(made.arrival_time.sel(gauge="westport"))
    assert 60 < arrival < 1800
    change = np.abs(level - level[0])
    assert arrival == 60 * np.argmax(change > 0.05 * change.max())
