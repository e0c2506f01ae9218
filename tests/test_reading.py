"""From what buoys sent to records: a wave that is known comes out of the tide, and nothing is seen before its time."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.errors import InputError
from slipcast.geodesy import destination
from slipcast.records import MASKS, DartSeries, Records, earliest_arrival, parse_origin, read_records, records_of
from slipcast.records.arrival import earliest_arrivals
from slipcast.records.quality import QualitySettings
from slipcast.records.read import _check_span
from slipcast.regions.region import Region
from tide_fixtures import EPICENTRE, ORIGIN, ndbc_text, raw_record, tide_m, wave_m

OPTIONS = {"origin": "2011-03-11T05:46:24Z", "region": "japan"}
PLACE = (148.698, 38.718)  # 21418


def write(folder: Path, *, station: str = "21418", keep=slice(None), **options) -> Path:
    """Write a raw record, or the part of it that is kept."""
    raw = raw_record(**options)
    kept = np.zeros(raw["time_s"].size, bool)
    kept[keep if isinstance(keep, slice) else np.flatnonzero(keep(raw["time_s"]))] = True
    path = folder / f"{station}.txt"
    path.write_text(ndbc_text(*(raw[name][kept] for name in ("time_s", "height_m", "kind"))))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("raw")


@pytest.fixture(scope="module")
def whole(folder) -> Path:
    """Return a file with a whole record."""
    return write(folder)


@pytest.fixture(scope="module")
def records(whole) -> Records:
    """Return the records of it."""
    return read_records(whole, **OPTIONS, epicentre=EPICENTRE)


def test_the_wave_comes_out_of_the_tide(records):
    raw, held = raw_record(), records.dataset
    npt.assert_allclose(records.time_s, raw["time_s"])
    level, wave = records.sea_level.to_numpy()[0], wave_m(raw["time_s"])
    # tides of a decimetre in these hours; a fit to 30 h of noise of 1 mm foretells them to millimetres
    calm = (raw["time_s"] > -6 * 3600) & (raw["time_s"] < 0)
    soon = np.isfinite(level) & (raw["time_s"] > earliest_arrival(EPICENTRE, *PLACE)) & (raw["time_s"] < 2 * 3600)
    assert soon.sum() > 90
    for span, most_m in ((calm, 0.002), (soon, 0.006)):
        left = (level - wave)[span]
        assert np.sqrt(np.mean(left**2)) < most_m
    npt.assert_allclose(held["tide"][0][soon], 5662.0 + tide_m(raw["time_s"])[soon], rtol=0, atol=0.012)
    # what is not known of it says so
    said = np.sqrt((held["tide_column"][0].to_numpy() ** 2).sum(axis=0))
    assert (np.abs(level - wave)[soon] < 4 * np.hypot(said[soon], 0.001)).all()
    assert 0.001 < said[soon].max() < 0.02
    assert (records.dataset.attrs["tide_method"], records.dataset.attrs["origin_time"]) == ("short", OPTIONS["origin"])
    npt.assert_allclose(records.dataset.attrs["epicentre"], EPICENTRE)
    assert (held["position_from"].item(), held["left_out"].item()) == ("deployment 2009-07-09 to 2011-07-13", "")
    npt.assert_allclose([held["gauge_lon"].item(), held["gauge_lat"].item()], PLACE, atol=1e-3)


def test_samples_that_are_not_the_sea(records):
    raw, held = raw_record(), records.dataset
    flag, level = held["flag"].to_numpy()[0], records.sea_level.to_numpy()[0]
    start, end = held["shaking_start"].item(), held["shaking_end"].item()
    shaken = (flag & MASKS["shaking"]) > 0
    npt.assert_array_equal(shaken, (raw["time_s"] >= start) & (raw["time_s"] <= end))
    npt.assert_array_equal(((flag & MASKS["spike"]) > 0)[~shaken], raw["spike"][~shaken])
    assert shaken[raw["shaking"]].all()
    # it is found in windows of five samples
    first, last = raw["time_s"][raw["shaking"]][[0, -1]]
    assert first - 240 <= start <= first
    assert last <= end <= last + 240
    npt.assert_array_equal(np.isnan(level), flag != 0)
    assert set(flag.tolist()) - {MASKS["spike"] | MASKS["shaking"]} == {0, MASKS["spike"], MASKS["shaking"]}
    assert dict(zip(held["flag"].attrs["flag_meanings"].split(), held["flag"].attrs["flag_masks"])) == MASKS


def test_heights_are_kept_to_the_last_digit(records):
    held = records.dataset
    npt.assert_array_equal(held["height"][0], raw_record()["height_m"])
    good = held["flag"] == 0
    npt.assert_array_equal(records.sea_level.where(good), (held["height"] - held["tide"]).where(good))


@pytest.mark.parametrize("epicentre", [EPICENTRE, None])
def test_nothing_is_seen_before_its_time(whole, tmp_path, epicentre):
    options = OPTIONS | {"epicentre": epicentre}
    until = read_records(whole, **options, until_min=60)
    cut = read_records(write(tmp_path, keep=lambda time_s: time_s <= 3600), **options)
    assert 3540 <= until.time_s[-1] <= 3600
    for name, values in cut.dataset.variables.items():
        npt.assert_array_equal(until.dataset[name].to_numpy(), values.to_numpy(), err_msg=str(name))
    # all shaking is over by then, so an hour more changes nothing but how matrices are multiplied
    later = read_records(whole, **options, until_min=120)
    known = later.time_s <= 3600
    npt.assert_allclose(later.dataset["tide"][:, known], until.dataset["tide"], rtol=0, atol=1e-8)
    npt.assert_allclose(later.sea_level[:, known], until.sea_level, rtol=0, atol=1e-8)


def test_before_a_wave_could_arrive(whole):
    """A record may end there if it was cut on purpose; its tide comes from what there is."""
    early = read_records(whole, **OPTIONS, epicentre=EPICENTRE, until_min=10)
    assert early.time_s[-1] <= 600
    npt.assert_allclose(early.sea_level[0, early.time_s > -3600][:30], 0.0, atol=0.006)


def test_without_an_epicentre_the_tide_ends_at_the_origin(whole, tmp_path):
    """Put a step of a metre between the origin and the first possible arrival."""
    raw = raw_record()
    moved = raw["height_m"] + np.where((raw["time_s"] > 60) & (raw["time_s"] < 1380), 1.0, 0.0)
    path = tmp_path / "21418.txt"
    path.write_text(ndbc_text(raw["time_s"], moved, raw["kind"]))
    options = OPTIONS | {"shaking": "keep"}
    plain, stepped = (read_records(file, **options) for file in (whole, path))
    npt.assert_array_equal(plain.dataset["tide"], stepped.dataset["tide"])
    # a level that the sensor came back from is flagged, and does not count either
    plain, stepped = (read_records(file, **options, epicentre=EPICENTRE, magnitude=7.0) for file in (whole, path))
    assert np.abs(plain.dataset["tide"] - stepped.dataset["tide"]).max() < 0.01


def test_shaking_kept_found_or_given(whole):
    raw, options = raw_record(), OPTIONS | {"epicentre": EPICENTRE}
    kept = read_records(whole, **options, shaking="keep")
    assert not (kept.dataset["flag"] & MASKS["shaking"]).any()
    assert np.isnan(kept.dataset["shaking_start"].item())
    given = read_records(whole, **options, shaking={"21418": 20.0})
    shaken = (given.dataset["flag"].to_numpy()[0] & MASKS["shaking"]) > 0
    npt.assert_array_equal(shaken, (raw["time_s"] >= 0) & (raw["time_s"] <= 1200))


def test_a_gauge_that_a_mapping_does_not_name_is_searched(whole, tmp_path, records):
    other = write(tmp_path, station="21401", seed=2)
    both = read_records(whole, other, **OPTIONS, epicentre=EPICENTRE, shaking={"21401": 5.0})
    npt.assert_allclose(both.dataset["shaking_start"], [records.dataset["shaking_start"].item(), 0.0])
    npt.assert_allclose(both.dataset["shaking_end"], [records.dataset["shaking_end"].item(), 300.0])


def test_gauges_with_other_times_stay_apart(whole, tmp_path, records):
    """Join a record of quarters of an hour alone, a minute off."""
    time_s = np.arange(-86400.0, 4 * 3600, 900.0) + 36.0
    path = tmp_path / "21413.txt"
    path.write_text(ndbc_text(time_s, 5800 + tide_m(time_s), np.ones(time_s.size, int)))
    both = read_records(path, whole, **OPTIONS, epicentre=EPICENTRE)
    assert both.gauges == ["21413", "21418"]
    own = np.isin(both.time_s, records.time_s)
    for name in ("height", "tide", "sea_level", "flag"):
        npt.assert_array_equal(both.dataset[name][1, own], records.dataset[name][0], err_msg=name)
    assert np.isnan(both.dataset["height"][1, ~own]).all()
    sent = np.isfinite(both.dataset["height"][0])
    npt.assert_allclose(both.time_s[sent], time_s)
    # columns are those of its own samples, at all times
    at_s = np.array([630.0, 4000.0])
    alone = records.tide_columns(at_s).columns.to_numpy()[0]
    joined = both.tide_columns(at_s, ["21418"]).columns.to_numpy()[0]
    npt.assert_allclose(joined.T @ joined, alone.T @ alone, rtol=1e-5)


def test_files_of_one_station_are_joined(whole, tmp_path, records):
    early, late = tmp_path / "early", tmp_path / "late"
    for each in (early, late):
        each.mkdir()
    parts = [
        write(early, keep=lambda time_s: time_s < 1800),
        write(late, keep=lambda time_s: time_s >= 900),
    ]
    joined = read_records(*parts, **OPTIONS, epicentre=EPICENTRE)
    npt.assert_array_equal(joined.sea_level, records.sea_level)


def test_a_csv_serves_as_well(tmp_path, records):
    raw = raw_record()
    moments = ORIGIN + np.round(raw["time_s"]).astype("timedelta64[s]")
    interval = np.where(raw["kind"] == 2, 60, 900)
    rows = [f"{m}Z,{h:.3f},{i}\n" for m, h, i in zip(moments, raw["height_m"], interval, strict=True)]
    (tmp_path / "21418.csv").write_text("time,height_m,interval_s\n" + "".join(rows))
    found = read_records(tmp_path / "21418.csv", **OPTIONS, epicentre=EPICENTRE)
    npt.assert_array_equal(found.sea_level, records.sea_level)


def test_records_are_read_again(whole, tmp_path, records):
    other = write(tmp_path, station="21401", seed=2)
    first = read_records(whole, other, **OPTIONS, epicentre=EPICENTRE)
    first.save(tmp_path / "records.nc")
    again = read_records(tmp_path / "records.nc", **OPTIONS, epicentre=EPICENTRE)
    assert set(again.dataset.variables) == set(first.dataset.variables)
    for name, values in first.dataset.variables.items():
        npt.assert_array_equal(again.dataset[name].to_numpy(), values.to_numpy(), err_msg=str(name))
    # they are what they were before they were written
    opened = Records.open(tmp_path / "records.nc")
    npt.assert_array_equal(opened.sea_level, first.sea_level)
    npt.assert_array_equal(opened.dataset["height"], first.dataset["height"])
    # another origin moves the clock, not the heights
    moved = read_records(tmp_path / "records.nc", **OPTIONS | {"origin": "2011-03-11T05:36:24Z"})
    npt.assert_allclose(moved.time_s, first.time_s + 600)
    npt.assert_array_equal(moved.dataset["height"], first.dataset["height"])


def test_records_without_heights_are_refused(tmp_path, records):
    for bare in (
        records.dataset.drop_vars("height"),
        records.dataset.assign_attrs(origin_time=""),
    ):
        Records(bare).save(tmp_path / "bare.nc")
        with pytest.raises(InputError, match="holds records without raw heights; it can be inverted as it is"):
            read_records(tmp_path / "bare.nc", **OPTIONS)


def test_a_gauge_of_a_file_that_has_no_height(tmp_path, records):
    height = np.full_like(records.dataset["height"], np.nan)
    silent = records.dataset.assign(height=(("gauge", "time"), height))
    Records(silent).save(tmp_path / "silent.nc")
    with pytest.raises(InputError, match="record of 21418 holds no height"):
        read_records(tmp_path / "silent.nc", **OPTIONS)


def test_harmonic_tides(tmp_path):
    time_s = np.arange(-12 * 86400.0, 6 * 86400.0, 900.0)
    height = 5600 + tide_m(time_s, uneven=dict.fromkeys(("N2", "K2", "P1", "Q1"), 0.0)) + 0.1 * wave_m(time_s)
    path = tmp_path / "21418.txt"
    path.write_text(ndbc_text(time_s, height, np.ones(time_s.size, int)))
    records = read_records(path, **OPTIONS, epicentre=EPICENTRE, tide="harmonic")
    npt.assert_allclose(records.sea_level[0], 0.1 * wave_m(time_s), rtol=0, atol=0.004)
    assert records.dataset.attrs["tide_method"] == "harmonic"
    assert records.dataset.sizes["column"] == 0
    records.save(tmp_path / "records.nc")
    with pytest.raises(InputError, match="records say nothing of how well their tide is known"):
        Records.open(tmp_path / "records.nc").tide_columns([60.0])


def test_where_a_station_stood(whole, tmp_path):
    table = "station,lon_deg,lat_deg,start,end\n21418,148.5,38.5,2010-01-01,2012-01-01\n"
    (tmp_path / "stations.csv").write_text(table)
    by = {
        "given": {"positions": {"21418": (-211.0, 38.0)}, "deployments": tmp_path / "stations.csv"},
        "deployment 2010-01-01 to 2012-01-01": {"deployments": tmp_path / "stations.csv"},
        "deployment 2009-07-09 to 2011-07-13": {"region": Region.open("japan")},
    }
    places = ((149.0, 38.0), (148.5, 38.5), PLACE)
    for (origin, options), place in zip(by.items(), places, strict=True):
        found = read_records(whole, **OPTIONS | options).dataset
        assert found["position_from"].item() == origin
        npt.assert_allclose([found["gauge_lon"].item(), found["gauge_lat"].item()], place, atol=1e-3)


def test_an_epicentre_beside_the_buoy(whole):
    """Shaking is rough, a wave is not; the tide ends at the origin."""
    near = read_records(whole, **OPTIONS, epicentre=(148.0, 38.5))
    assert 0 < near.dataset["shaking_start"].item() < 300
    assert 600 < near.dataset["shaking_end"].item() < 1200
    none = read_records(whole, **OPTIONS)
    npt.assert_array_equal(near.sea_level, none.sea_level)


def test_the_earliest_arrival():
    lon, lat = (float(each) for each in destination(142.4, 38.3, 90.0, 2_000e3))
    # two standard deviations above the mean of Strasser et al. (2010), table 1: 10^(-2.477 + 0.585 M +- 0.18) km
    for magnitude, length_km in (
        (7.5, 186.4),
        (8.3, 547.6),
        (9.0, 1406.0),
        (5.0, 100.0),
        (9.9, 1600.0),
        (None, 1600.0),
    ):
        found = earliest_arrival((142.4, 38.3), lon, lat, magnitude)
        npt.assert_allclose(found, (2_000e3 - 1e3 * length_km) / 250.0, rtol=2e-4)
        npt.assert_allclose(earliest_arrival((142.4 - 360, 38.3), lon + 360, lat, magnitude), found, rtol=1e-9)
    assert earliest_arrival((142.4, 38.3), 143.0, 38.3, 8.0) == 0
    with pytest.raises(InputError, match="magnitude must be between 0 and 10, got 11"):
        earliest_arrival((142.4, 38.3), lon, lat, 11.0)


def test_the_magnitude_bounds_what_is_tide(whole):
    """A wave that can come from the far end of a great rupture is no tide."""
    ends = {}
    for magnitude in (7.0, 9.0, None):
        found = read_records(whole, **OPTIONS, epicentre=EPICENTRE, magnitude=magnitude)
        ends[magnitude] = float(earliest_arrivals(found)[0])
        assert found.dataset.attrs.get("magnitude") == magnitude
    assert ends[7.0] > 1500 > ends[9.0] == ends[None] == 0
    bare = read_records(whole, **OPTIONS)
    npt.assert_array_equal(earliest_arrivals(bare), 0.0)


def test_origins():
    for text in ("2011-03-11T05:46:24Z", "2011-03-11 14:46:24+09:00", "2011-03-11T05:46:24", "2011-03-11T05:46:24.9Z"):
        assert parse_origin(text) == ORIGIN
    with warnings.catch_warnings():  # numpy warns of times with a zone
        warnings.simplefilter("error")
        assert parse_origin("2011-03-11T05:46:24+00:00") == ORIGIN
    assert parse_origin("2011-03-11").dtype == ORIGIN.dtype
    for text in ("", "yesterday", "2011-02-30", "2011-03-11T25:00", "0001-01-01T00:00:00+09:00"):
        with pytest.raises(InputError, match="origin must be a time such as 2011-03-11T05:46:24Z, got "):
            parse_origin(text)


def test_an_origin_as_a_moment(whole, records):
    found = read_records(whole, **OPTIONS | {"origin": ORIGIN.astype("datetime64[ns]")}, epicentre=EPICENTRE)
    npt.assert_array_equal(found.sea_level, records.sea_level)
    assert found.dataset.attrs["origin_time"] == OPTIONS["origin"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"origin": "2011-03-09T23:00:00Z"},
            "of 21418 from .* begins after the origin, 2011-03-09T23:00:00 UTC",
        ),
        ({"origin": "2011-03-12T00:00:00Z"}, "record of 21418 from .* ends before the origin, 2011-03-12T00:00:00 UTC"),
        ({"origin": "2010-03-11T05:46:24Z"}, "the origin 2010-03-11T05:46:24 is 1.0 years away; is its year right?"),
        ({"origin": "2012-03-11T05:46:24Z"}, "the origin 2012-03-11T05:46:24 is 1.0 years away; is its year right?"),
        (
            {"origin": "2011-03-11T11:30:00Z", "epicentre": EPICENTRE, "magnitude": 7.5},
            r"ends before a wave could arrive there, at 2011-03-11T11:54:14 UTC at the earliest",
        ),
        ({"until_min": -1e6}, "ends before the origin"),
        ({"positions": {"21481": PLACE}}, "unknown station '21481' in positions; nearest: 21418"),
        ({"shaking": {"21481": 20.0}}, "unknown station '21481' in shaking; nearest: 21418"),
        ({"shaking": {"21418": 0.0}}, "shaking must be > 0 minutes, got 0 for 21418"),
        ({"tide": "shrot"}, "tide must be one of short, harmonic, got 'shrot'"),
        ({"tide": "harmonic"}, "record of 21418: harmonic analysis needs samples of 2 days or more, got 30.0 h"),
        ({"shaking": "finds"}, "shaking must be find, keep or minutes by station, got 'finds'"),
        ({"magnitude": -1.0}, "magnitude must be between 0 and 10, got -1"),
        ({"epicentre": (38.3, 142.4)}, "epicentre must be longitude and latitude, degrees, got 38.3 142.4"),
        ({"epicentre": (np.nan, 38.3)}, "epicentre must be longitude and latitude, degrees, got nan 38.3"),
        ({"region": "japna"}, "unknown region 'japna'; nearest: japan"),
        ({"deployments": "none.csv"}, "cannot read none.csv: No such file or directory"),
    ],
)
def test_what_does_not_fit(whole, options, message):
    with pytest.raises(InputError, match=message):
        read_records(whole, **OPTIONS | options)


def test_too_little_before_the_origin(tmp_path):
    path = write(tmp_path, keep=lambda time_s: time_s > -1200)
    with pytest.raises(InputError, match="record of 21418: a tide needs samples of half an hour at least"):
        read_records(path, **OPTIONS)


def test_files_and_series_that_do_not_fit(tmp_path, whole):
    with pytest.raises(InputError, match="records need at least one file, got none"):
        read_records(**OPTIONS)
    with pytest.raises(InputError, match=r"cannot read .*21418.txt: No such file"):
        read_records(tmp_path / "21418.txt", **OPTIONS)
    with pytest.raises(InputError, match=r"no file .*nothing.nc"):
        read_records(tmp_path / "nothing.nc", **OPTIONS)
    (tmp_path / "21418.txt").write_text("2011 03 11 05 45 00 1 9999.000\n2011 03 11 06 00 00 1 9999.000\n")
    with pytest.raises(InputError, match="holds no height, in 2 samples"):
        read_records(tmp_path / "21418.txt", **OPTIONS)
    moments = ORIGIN + np.arange(-10, 10) * np.timedelta64(900, "s")
    series = DartSeries("21418", moments, np.full(20, 5000.0), np.full(20, 900, np.int16))
    with pytest.raises(InputError, match="station 21418 is given twice; join its parts first"):
        records_of([series, series], **OPTIONS)
    for silent in (
        DartSeries("21418", moments, np.full(20, np.nan), series.interval_s),
        DartSeries("21418", moments[:0], np.zeros(0), series.interval_s[:0]),
    ):
        with pytest.raises(InputError, match="record of 21418 holds no height"):
            records_of([silent], **OPTIONS)
    with pytest.raises(InputError, match="records need at least one series, got none"):
        records_of([], **OPTIONS)


def test_a_harmonic_tide_leaves_out_what_is_not_the_sea():
    # a sensor that is stuck for a week after the tsunami, at a height that no tide reaches so long
    time_s = np.arange(-20 * 86400, 12 * 86400, 900.0) - 24.0
    height = 5662.0 + tide_m(time_s)
    stuck = (time_s > 3 * 86400) & (time_s < 10 * 86400)
    height[stuck] = 5662.0 + 1.5
    moments = ORIGIN + time_s.astype("timedelta64[s]")
    series = DartSeries("21418", moments, height, np.full(time_s.size, 900, np.int16))
    found = records_of([series], origin=ORIGIN, region="japan", epicentre=EPICENTRE, tide="harmonic").dataset
    assert (found["flag"].to_numpy()[0][stuck] != 0).mean() > 0.9
    near = np.abs(time_s) < 86400
    npt.assert_allclose(found["tide"].to_numpy()[0][near], 5662.0 + tide_m(time_s)[near], rtol=0, atol=0.05)


def test_thresholds_of_quality_control_reach_the_records(whole, records):
    # the noise is 1 mm: with a spike of 2 mm some of it is flagged
    strict = read_records(
        whole,
        **OPTIONS,
        epicentre=EPICENTRE,
        quality=QualitySettings(spike_m=0.001, spike_scatters=1.0, spike_growth=1.0),
    )
    spikes = [(found.dataset["flag"] & MASKS["spike"] > 0).sum() for found in (records, strict)]
    assert spikes[1] > spikes[0] + 5


@pytest.mark.parametrize(
    ("time_s", "may_arrive_s", "message"),
    [
        ([-60.0, -1.0], None, "ends before the origin"),
        ([-60.0, 0.0], None, None),
        ([0.0, 60.0], None, "begins after the origin"),
        ([-1.0, 60.0], None, None),
        ([-60.0, 60.0], 61.0, "ends before a wave could arrive there"),
        ([-60.0, 60.0], 60.0, None),  # with the last sample
        ([], None, "ends before the origin"),
    ],
)
def test_a_record_is_around_the_origin(time_s, may_arrive_s, message):
    moments = ORIGIN + np.array([-60, 60]).astype("timedelta64[s]")
    series = DartSeries("21418", moments, np.full(2, 5000.0), np.full(2, 900, np.int16))
    if message is None:
        _check_span(series, np.array(time_s), ORIGIN, may_arrive_s)
        return
    with pytest.raises(InputError, match=message):
        _check_span(series, np.array(time_s), ORIGIN, may_arrive_s)


# --- a step, another deployment, 15 minutes


def series_of(time_s, height_m, interval_s) -> DartSeries:
    """Make a series of times since the origin."""
    moments = ORIGIN + np.round(time_s).astype("timedelta64[s]")
    return DartSeries("21418", moments, height_m, np.asarray(interval_s, np.int16))


def test_a_step_of_the_sensor_leaves_the_wave():
    raw = raw_record()
    interval = np.where(raw["kind"] == 2, 60, 900)
    stepped = raw["height_m"] + 0.3 * (raw["time_s"] > -3 * 3600)
    options = {"origin": ORIGIN, "region": "japan", "epicentre": EPICENTRE, "magnitude": 8.8}
    plain, found = (records_of([series_of(raw["time_s"], h, interval)], **options) for h in (raw["height_m"], stepped))
    npt.assert_allclose(found.sea_level, plain.sea_level, rtol=0, atol=0.01)
    assert found.dataset["left_out"].item() == "step of +0.30 m at 2011-03-11T03:01:00 UTC, counted as tide"
    npt.assert_array_equal(found.dataset["height"][0], stepped)


def test_only_the_deployment_around_the_origin_counts():
    raw = raw_record()
    later = np.arange(10 * 86400.0, 30 * 86400.0, 900.0) - 24.0
    time_s = np.append(raw["time_s"], later)
    height = np.append(raw["height_m"], 5676.0 + tide_m(later))
    interval = np.append(np.where(raw["kind"] == 2, 60, 900), np.full(later.size, 900))
    options = {"origin": ORIGIN, "region": "japan", "epicentre": EPICENTRE, "magnitude": 8.8}
    plain = records_of([series_of(raw["time_s"], raw["height_m"], interval[: raw["time_s"].size])], **options)
    found = records_of([series_of(time_s, height, interval)], **options)
    npt.assert_allclose(found.sea_level[:, : plain.time_s.size], plain.sea_level, rtol=0, atol=1e-3)
    flag = found.dataset["flag"].to_numpy()[0]
    npt.assert_array_equal(flag[-later.size :], MASKS["level"])
    assert "another deployment, flagged level" in found.dataset["left_out"].item()


def test_quarters_of_an_hour_alone_keep_the_wave():
    time_s = np.arange(-3 * 86400.0, 6 * 3600.0, 900.0) + 36.0
    height = 5662.0 + tide_m(time_s) + 0.2 * wave_m(time_s)
    found = records_of([series_of(time_s, height, np.full(time_s.size, 900))], origin=ORIGIN, region="japan")
    npt.assert_array_equal(found.dataset["flag"], 0)
    soon = (time_s > 0) & (time_s < 2 * 3600)
    npt.assert_allclose(found.sea_level[0, soon], 0.2 * wave_m(time_s)[soon], rtol=0, atol=0.01)


def test_a_still_sea_without_tide_is_no_stuck_sensor():
    minutes, origin = np.arange(-60, 120), np.datetime64("2026-01-26T21:00:00")
    level = np.where(minutes > 30, 0.3 * np.sin((minutes - 30) / 8), 0.0)
    made = DartSeries(
        "46404",
        origin + minutes.astype("timedelta64[m]"),
        level,
        np.full(minutes.size, 60, np.int16),
        tide_removed=True,
    )
    records = records_of([made], origin=origin, region="cascadia")
    npt.assert_array_equal(records.dataset["flag"].to_numpy(), 0)
    npt.assert_array_equal(records.sea_level.to_numpy()[0], level)
