"""Records: gaps stay gaps, names count, the packaged record is what was observed."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from slipcast.errors import InputError
from slipcast.records import Records, packaged_records, simulated_records
from slipcast.records.first_wave import first_wave

TIME_S = np.array([0.0, 60.0, 120.0, 300.0, 360.0, 420.0])
LEVEL_M = np.array([[0.0, 1.0, 2.0, 5.0, np.nan, 7.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]])


def make(time_s=TIME_S, level_m=LEVEL_M, gauges=("46404", "46407"), **options) -> Records:
    """Label two short records."""
    return Records.from_arrays(
        time_s, level_m, gauges=list(gauges), lon_deg=[-128.7, 231.2], lat_deg=[45.9, 42.7], **options
    )


def test_interpolation_never_bridges_a_gap():
    records = make(time_s=np.array([0.0, 60.0, 120.0, 420.0, 480.0, 540.0]))
    found = records.resample([-1.0, 0.0, 30.0, 120.0, 200.0, 420.0, 450.0, 480.0, 540.0, 541.0])
    # five minutes without a sample are too many, two around a missing one are not
    expected = [np.nan, 0.0, 0.5, 2.0, np.nan, 5.0, 5.5, 6.0, 7.0, np.nan]
    npt.assert_allclose(found.sel(gauge="46404"), expected)
    npt.assert_allclose(found.sel(gauge="46407")[[4]], [np.nan])


@pytest.mark.parametrize(("period_min", "most"), [(12, 0.2), (15, 0.15), (20, 0.08), (30, 0.04)])
def test_three_missing_minutes_are_bridged_by_a_curve(period_min, most):
    time_s = 60.0 * np.arange(200) + 28.0

    def wave(at_s):
        return np.sin(2 * np.pi * at_s / 60 / period_min + 0.4)

    lost = np.isin(np.arange(200) % 8, (3, 4, 5))
    level = np.array([np.where(lost, np.nan, wave(time_s))])
    records = Records.from_arrays(time_s, level, gauges=["a"], lon_deg=[1.0], lat_deg=[2.0])
    at_s = 60.0 * np.arange(1, 199)
    off = np.abs(records.resample(at_s).to_numpy()[0] - wave(at_s))
    assert 0.5 * most < off.max() < most
    # one more is a gap
    level[0, np.flatnonzero(lost)[:3].max() + 1] = np.nan
    wider = Records.from_arrays(time_s, level, gauges=["a"], lon_deg=[1.0], lat_deg=[2.0])
    assert np.isnan(wider.resample(at_s).to_numpy()[0]).sum() == 5


def test_a_silent_gauge_stays_silent():
    level = LEVEL_M.copy()
    level[0] = np.nan
    assert np.isnan(make(level_m=level).resample(TIME_S, ["46404"])).all()


def test_gauges_by_name_in_any_order():
    found = make().resample([60.0], ["46407", "46404"])
    npt.assert_allclose(found[:, 0], [1.0, 1.0])
    assert found["gauge"].to_numpy().tolist() == ["46407", "46404"]
    with pytest.raises(InputError, match="unknown gauge '46405' in records; nearest: 4640"):
        make().resample([60.0], ["46405"])


def test_several_events():
    level = np.stack([LEVEL_M, 2 * LEVEL_M])
    records = make(level_m=level)
    assert records.sea_level.dims == ("event", "gauge", "time")
    found = records.resample([30.0, 60.0])
    npt.assert_allclose(found[1], 2 * found[0])
    with pytest.raises(InputError, match="records must hold one event, got 2"):
        records.one_event()
    assert make(level_m=level[:1]).one_event().sea_level.dims == ("gauge", "time")


def test_a_file_comes_back(tmp_path):
    records = make(origin_time="2010-02-27T06:34:14Z", tide_removed=False, title="two")
    records.save(tmp_path / "r.nc")
    opened = Records.open(tmp_path / "r.nc")
    npt.assert_array_equal(opened.sea_level, records.sea_level)
    assert opened.gauges == ["46404", "46407"]
    npt.assert_allclose(opened.dataset["gauge_lon"], [231.3, 231.2])
    assert opened.dataset.attrs["origin_time"] == "2010-02-27T06:34:14Z"
    assert opened.dataset.attrs["tide_removed"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time_s": [0.0, 60.0, 60.0, 300.0, 360.0, 420.0]}, "times of records must rise, they do not after 60.0 s"),
        ({"gauges": ("46404", "46404")}, "gauge 46404 comes twice in records"),
        ({"level_m": np.where(LEVEL_M == 5.0, np.inf, LEVEL_M)}, "sea_level must be finite or NaN, got an infinite"),
    ],
)
def test_records_that_cannot_be(change, message):
    with pytest.raises(InputError, match=message):
        make(**change)


def test_datasets_that_are_no_records():
    with pytest.raises(InputError, match="records need a variable sea_level"):
        Records(xr.Dataset())
    with pytest.raises(InputError, match=r"sea_level must have dimensions \(\[event,\] gauge, time\), got \('time',\)"):
        Records(xr.Dataset({"sea_level": ("time", [1.0])}))


def test_the_packaged_record_of_chile_2010():
    records = packaged_records("chile2010")
    assert records.gauges == ["32412"]
    level = records.sea_level.sel(gauge="32412")
    # the first wave reached this buoy some three hours after the earthquake, with a crest of about 24 cm
    crest = level.sel(time=slice(10_000, 13_500))
    assert 0.2 < float(crest.max()) < 0.27
    assert 185 < float(crest["time"][crest.argmax("time")]) / 60 < 205
    before = level.sel(time=slice(3600, 10_000))
    assert float(np.abs(before).max()) < 0.03  # the tide is out
    with pytest.raises(InputError, match="unknown packaged record 'chile'; nearest: chile2010"):
        packaged_records("chile")


def test_the_packaged_simulation():
    records = packaged_records("cascadia-simulation")
    about = records.dataset.attrs
    assert (about["simulation"], about["tide_removed"]) == (1, 1)
    assert abs(about["magnitude"] - 8.9) < 0.05
    assert set(records.gauges) == {"46404", "46407", "46419", "46411"}
    quiet = records.sea_level.sel(time=slice(60, 360)).to_numpy()[:, :3]
    assert 0 < np.abs(quiet).max() < 0.05
    assert records.sea_level.to_numpy().max() > 0.2


def test_a_scenario_as_records(small_set):
    records = simulated_records(small_set, 7, ["46419", "46404"], window_min=45, noise_sd_m=0.005)
    expected = small_set.load_records(["46419", "46404"], 45, [7], noise_sd_m=0.005)[0]
    npt.assert_array_equal(records.sea_level, expected)
    npt.assert_allclose(records.dataset["gauge_lon"], [230.381, 231.264])
    assert records.dataset.attrs["tide_removed"] == 1
    with pytest.raises(InputError, match=r"scenario must be in \[0, 40\), got 40"):
        simulated_records(small_set, 40, ["46404"], window_min=45)


def test_a_number_that_stands_for_a_missing_sample_is_no_wave(tmp_path):
    level = np.zeros((2, 5))
    level[1, 3] = 9999.0
    places = {"gauges": ["a", "b"], "lon_deg": [230.0, 231.0], "lat_deg": [45.0, 46.0]}
    times = 60.0 * np.arange(1, 6)
    with pytest.raises(InputError, match="within 100 m of zero, got 9999 m at gauge b, 4 min after the origin"):
        Records.from_arrays(times, level, **places)
    # with the tide, a record may be the height of the water column
    Records.from_arrays(times, level - 4000.0, tide_removed=False, **places)


# --- the first wave, and records taken back in time


def test_a_first_wave_may_begin_with_the_first_sample_that_counts():
    time_s = 60.0 * np.arange(6)
    level = np.array([1.0, 0.05, 0.5, -0.2, 0.1, 0.0])
    assert first_wave(time_s, level) == (0.0, 240.0)
    assert first_wave(time_s, level, after_s=120.0) == (120.0, 240.0)
    assert first_wave(time_s, level, after_s=121.0) == (180.0, 300.0)


def test_records_without_a_delay_keep_their_minutes():
    times = 60.0 * np.arange(1, 91)
    level = np.sin(times / 700.0)[np.newaxis]
    records = Records.from_arrays(times, level, gauges=["a"], lon_deg=[230.0], lat_deg=[45.0])
    found = records.retimed()
    npt.assert_array_equal(found.time_s, times)
    npt.assert_array_equal(found.sea_level, level)
    # what lies between minutes is kept within the minutes around
    later = Records.from_arrays(times + 30, level, gauges=["a"], lon_deg=[230.0], lat_deg=[45.0]).retimed()
    assert (later.time_s[0], later.time_s[-1]) == (60.0, 5460.0)


def test_labels_of_records_carry_their_units():
    found = make()
    units = {"sea_level": "m", "time": "s", "gauge_lon": "degrees_east", "gauge_lat": "degrees_north"}
    assert {name: found.dataset[name].attrs["units"] for name in units} == units
    assert found.resample([0.0, 60.0]).attrs["units"] == "m"
    assert found.resample([0.0, 60.0]).dims == ("gauge", "time")


def test_windows_hide_their_first_minute_and_show_their_last():
    found = make().windowed({"46407": (1.0, 5.0)}).sea_level
    npt.assert_array_equal(found.sel(gauge="46407").notnull(), [False, False, True, True, False, False])
    npt.assert_array_equal(found.sel(gauge="46404"), LEVEL_M[0])


@pytest.mark.parametrize(("height_m", "start_min"), [(0.45, 95), (0.55, 15)])
def test_a_wave_of_half_the_highest_is_the_first(height_m, start_min):
    # more than an hour before the highest one
    minutes = np.arange(200.0)
    level = np.zeros(200)
    for middle, height in ((20, height_m), (100, 1.0)):
        phase = (minutes - middle) / 10 + 0.5
        level += np.where((phase > 0) & (phase < 1), height * np.sin(np.pi * phase), 0.0)
    assert first_wave(60 * minutes, level)[0] == 60 * start_min


def test_a_lone_sample_counts_at_the_nearest_time():
    time_s = np.array([10.0, 912.0, 1812.0, 1872.0])
    records = Records.from_arrays(time_s, [[0.1, 0.2, 0.3, 0.4]], gauges=["a"], lon_deg=[1.0], lat_deg=[2.0])
    found = records.resample(60.0 * np.arange(32)).to_numpy()[0]
    npt.assert_array_equal(np.flatnonzero(np.isfinite(found)), [0, 15, 31])
    npt.assert_allclose(found[[0, 15, 31]], [0.1, 0.2, 0.38])
    # one that is farther from all of them is left out
    assert np.isnan(records.resample(np.array([950.0])).to_numpy()).all()
