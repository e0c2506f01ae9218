"""Files that others were refused or misread with, and buoys that must not stop the others."""

from __future__ import annotations

import gzip
import json
import warnings

import numpy as np
import numpy.testing as npt
import pytest

from case_fixtures import beside, case
from slipcast.errors import InputError, SlipcastWarning
from slipcast.records import MASKS, DartSeries, Records, read_dart, read_records, records_of
from tide_fixtures import EPICENTRE, ORIGIN, ndbc_text, raw_record, tide_m, wave_m

JAPAN = {"origin": "2011-03-11T05:46:24Z", "epicentre": (142.37, 38.30), "region": "japan"}
OPTIONS = {"origin": "2011-03-11T05:46:24Z", "region": "japan", "epicentre": EPICENTRE}
PLACES = {"5401001": (182.292, -36.049), "NZE": (182.292, -36.049)}


def crest(records: Records, gauge: str, *, after_min: float) -> tuple[float, float]:
    """Return the highest level after a minute, m, and when it is, min."""
    later = records.sea_level.sel(gauge=gauge, time=records.time_s[records.time_s > 60 * after_min])
    at = int(np.nanargmax(later))
    return float(later[at]), float(later["time"][at]) / 60


def series(station: str = "21418", **changes) -> DartSeries:
    """Return a raw series."""
    raw = raw_record()
    parts = {
        "time": ORIGIN + np.round(raw["time_s"]).astype("timedelta64[s]"),
        "height_m": raw["height_m"],
        "interval_s": np.where(raw["kind"] == 2, 60, 900).astype(np.int16),
    } | changes
    return DartSeries(station, **parts)


def write(path, station_lines=""):
    """Write a raw record."""
    raw = raw_record()
    path.write_text(ndbc_text(raw["time_s"], raw["height_m"], raw["kind"]) + station_lines)
    return path


# one bad buoy beside good ones


def without_samples() -> dict[str, DartSeries]:
    """Return series that cannot be used, by what is wrong with them."""
    whole = series()
    early, late = whole.time < ORIGIN, whole.time > ORIGIN

    def part(kept):
        return series("21401", time=whole.time[kept], height_m=whole.height_m[kept], interval_s=whole.interval_s[kept])

    return {
        "holds no height": series("21401", height_m=np.full(whole.time.size, np.nan)),
        "ends before the origin": part(early),
        "begins after the origin": part(late),
        "are these metres of a water column": series("21401", height_m=whole.height_m / 0.3048),
        "no position of station nowhere is known": series("nowhere"),
    }


@pytest.mark.parametrize("wrong", list(without_samples()))
def test_a_buoy_that_cannot_be_used_does_not_stop_the_others(wrong, tmp_path):
    bad = without_samples()[wrong]
    alone = records_of([series()], **OPTIONS)
    with pytest.warns(SlipcastWarning, match=f"station {bad.station} is left out: .*{wrong}"):
        found = records_of([bad, series()], **OPTIONS)
    assert found.gauges == ["21418"]
    npt.assert_array_equal(found.sea_level, alone.sea_level)
    assert list(found.gauges_left_out) == [bad.station]
    assert wrong in found.gauges_left_out[bad.station]
    assert f"left out  {bad.station}: " in " ".join(repr(found).split("\n")).replace("   ", " ")
    found.save(tmp_path / "records.nc")
    assert Records.open(tmp_path / "records.nc").gauges_left_out == found.gauges_left_out
    assert found.windowed({"21418": (0.0, 60.0)}).retimed(stretch=0.01).gauges_left_out == found.gauges_left_out
    assert alone.gauges_left_out == {}
    # where none is left it is an error, and of one buoy the same as ever
    with pytest.raises(InputError, match=wrong):
        records_of([bad], **OPTIONS)
    silent = series("21413", height_m=np.full(bad.time.size, np.nan), time=bad.time, interval_s=bad.interval_s)
    with pytest.raises(InputError, match=f"^none of 2 stations can be used: {bad.station}: .*{wrong}.*; 21413: record"):
        records_of([bad, silent], **OPTIONS)


def test_files_that_cannot_be_read_do_not_stop_the_others(tmp_path):
    good = write(tmp_path / "21418.txt")
    (tmp_path / "21401.txt").write_text("<html>404</html>")
    (tmp_path / "my notes.txt").write_text("not a record\n")
    with pytest.warns(SlipcastWarning) as told:
        found = read_records(tmp_path / "21401.txt", good, tmp_path / "my notes.txt", tmp_path / "no.nc", **OPTIONS)
    assert found.gauges == ["21418"]
    reasons = found.gauges_left_out
    assert list(reasons) == ["21401", "my notes.txt", "no.nc"]
    assert "is a web page" in reasons["21401"]
    assert "no file " in reasons["no.nc"]
    (message,) = (str(each.message) for each in told)
    assert message.startswith("station 21401 is left out: ")
    assert "; station my notes.txt is left out: " in message
    with pytest.raises(InputError, match=r"^none of 2 stations can be used: 21401: .* is a web page .*; no.nc: no fi"):
        read_records(tmp_path / "21401.txt", tmp_path / "no.nc", **OPTIONS)


def test_a_file_of_two_that_cannot_be_read_is_said(tmp_path):
    good = write(tmp_path / "21418.txt")
    (tmp_path / "21418_more.txt").write_text("<html>404</html>")
    found = read_records(good, tmp_path / "21418_more.txt", **OPTIONS)
    assert found.gauges_left_out == {}
    assert "21418_more.txt is a web page" in found.dataset["left_out"].item()
    # and it stays so when the records are read again
    found.save(tmp_path / "records.nc")
    again = read_records(tmp_path / "records.nc", **OPTIONS)
    assert again.dataset["left_out"].item() == found.dataset["left_out"].item()


def test_arguments_are_refused_whatever_the_files(tmp_path):
    good = write(tmp_path / "21418.txt")
    for options, message in (
        ({"station": 21418}, "station must be the name of a station, got 21418"),
        ({"station": "a b"}, "station must be letters, digits, _ and -, got 'a b'"),
        (
            {"positions": {"21418": (148.0, 138.0)}},
            r"lat_deg must be in \[-90, 90\], got 138 \(position of station 21418",
        ),
    ):
        with pytest.raises(InputError, match=message):
            read_records(good, **OPTIONS | options)


def test_a_file_in_feet_does_not_stop_the_other_of_its_station(tmp_path):
    good, raw = write(tmp_path / "21418.txt"), raw_record()
    (tmp_path / "21418_feet.txt").write_text(ndbc_text(raw["time_s"], raw["height_m"] / 0.3048, raw["kind"]))
    found = read_records(tmp_path / "21418_feet.txt", good, **OPTIONS)
    npt.assert_array_equal(found.sea_level, read_records(good, **OPTIONS).sea_level)
    assert "are these metres of a water column?" in found.dataset["left_out"].item()


# names of stations


@pytest.mark.parametrize("name", ["5401001.txt", "5401001t2011.txt.gz", "NZE.txt", "nze_raw.csv"])
def test_names_that_are_not_five_digits(tmp_path, name):
    raw = raw_record()
    text = ndbc_text(raw["time_s"], raw["height_m"], raw["kind"]).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    station = name.partition(".")[0].removesuffix("t2011")
    options = OPTIONS | {"epicentre": None}
    found = read_records(tmp_path / name, **options, positions={station: PLACES["NZE"]})
    assert found.gauges == [station]
    renamed = read_records(tmp_path / name, **options, station="D-125", positions={"D-125": PLACES["NZE"]})
    assert renamed.gauges == ["D-125"]
    npt.assert_array_equal(renamed.sea_level, found.sea_level)
    # by date: a table of one's own, and the packaged one
    table = tmp_path / "stations.csv"
    table.write_text(f"station,lon_deg,lat_deg,start,end\n{station},180.0,-30.0,2010-01-01,2012-01-01\n")
    assert read_records(tmp_path / name, **options, deployments=table).dataset["gauge_lon"].item() == 180.0


def test_a_station_of_records_is_chosen(tmp_path):
    records_of([series(), series("21401")], **OPTIONS).save(tmp_path / "records.nc")
    assert read_records(tmp_path / "records.nc", **OPTIONS, station="21401").gauges == ["21401"]
    with pytest.raises(InputError, match=r"unknown station '21413' in .*records.nc; nearest: 2141"):
        read_records(tmp_path / "records.nc", **OPTIONS, station="21413")


# records whose tide is gone already


def detided(*, before_h: float = 3.0) -> str:
    """Return pairs of seconds since the origin and a level without tide, which has the wave."""
    time_s = np.arange(-before_h * 3600, 3 * 3600, 60.0)
    noise = 0.001 * np.random.default_rng(3).standard_normal(time_s.size)
    return "".join(f"{t:.1f} {level:.5f}\n" for t, level in zip(time_s, wave_m(time_s) + noise))


@pytest.mark.parametrize("before_h", [3.0, -0.1])
@pytest.mark.parametrize("tide", ["short", "harmonic"])
def test_no_tide_is_fitted_to_a_record_without(tmp_path, before_h, tide):
    path = tmp_path / "21418_notide.txt"
    path.write_text(detided(before_h=before_h))
    raw = write(tmp_path / "21401.txt")
    found = read_records(path, **OPTIONS, tide=tide)
    held = found.dataset
    npt.assert_array_equal(held["tide"], 0.0)
    npt.assert_array_equal(found.sea_level.where(held["flag"] == 0), held["height"].where(held["flag"] == 0))
    good = np.isfinite(found.sea_level.to_numpy()[0])
    npt.assert_allclose(found.sea_level.to_numpy()[0][good], wave_m(found.time_s)[good], atol=0.005)
    assert good.sum() > 100
    assert (held["detided"].item(), held.attrs["tide_removed"]) == (1, 1)
    # read again it still is, and beside another it says so alone
    found.save(tmp_path / "records.nc")
    npt.assert_array_equal(read_records(tmp_path / "records.nc", **OPTIONS, tide=tide).sea_level, found.sea_level)
    if tide == "short":
        both = read_records(path, raw, **OPTIONS)
        assert both.dataset["detided"].to_numpy().tolist() == [1, 0]
        columns = both.tide_columns(60.0 * np.arange(60)).columns
        npt.assert_array_equal(columns.sel(gauge="21418"), 0.0)
        assert columns.sel(gauge="21401").any()
    assert series().tide_removed is False


def test_a_station_with_and_without_tide(tmp_path):
    write(tmp_path / "21418.txt")
    (tmp_path / "21418_notide.txt").write_text(detided())
    with pytest.raises(InputError, match="parts of station 21418 must all have their tide or none, got both"):
        read_records(tmp_path / "21418.txt", tmp_path / "21418_notide.txt", **OPTIONS)


def test_a_table_that_is_mixed_and_rounded(tmp_path):
    """A table of others: 15 min, 1 min and 15 s mixed, without the interval, rounded twice where samples meet."""
    rng = np.random.default_rng(8)
    rows = []
    for step_s, first_h, last_h in ((900, -30, 6), (60, -1, 4), (15, 0, 0.5)):
        time_s = np.arange(first_h * 3600.0, last_h * 3600.0, step_s) - 24.0
        height = 5662 + tide_m(time_s) + wave_m(time_s) + rng.uniform(-0.004, 0.004, time_s.size)
        rows += [f"{ORIGIN + np.timedelta64(int(t), 's')}Z;{h:.2f}" for t, h in zip(time_s, height)]
    rng.shuffle(rows)
    path = tmp_path / "21418.csv"
    path.write_text("\n".join(["time_utc;sealevel_m", *rows, ""]))
    read = read_dart(path)
    assert read.time.size == np.unique(read.time).size
    assert "times differ, by 0.0" in read.left_out[0]
    found = read_records(path, **OPTIONS, shaking="keep")
    level, seen = found.sea_level.to_numpy()[0], (found.time_s > 1800) & (found.time_s < 2 * 3600)
    npt.assert_allclose(level[seen & np.isfinite(level)], wave_m(found.time_s)[seen & np.isfinite(level)], atol=0.03)


# the files themselves


def test_repeated_rows_do_no_harm():
    options = {"origin": "2014-04-01T23:46:47Z", "epicentre": (-70.77, -19.61)}
    table = beside("reference", "dart_deployments.csv")
    both = [
        read_records(case(name, "32412.txt"), **options, deployments=table) for name in ("A1-shadow", "A1-shadow-clean")
    ]
    for name in ("height", "sea_level", "flag", "shaking_start", "shaking_end"):
        npt.assert_array_equal(both[0].dataset[name], both[1].dataset[name], err_msg=name)
    assert both[0].dataset["left_out"].item().startswith("120 rows from 2014-04-02T00:00:45 to 2014-04-02T01:59:45")
    assert both[1].dataset["left_out"].item() == ""


def test_a_name_of_seven_digits():
    options = {"origin": "2021-03-04T19:28:33Z", "epicentre": (-177.28, -29.72)}
    found = read_records(case("D1-seven-digits", "5401001.txt"), **options, positions={"5401001": (-177.708, -36.049)})
    height, minute = crest(found, "5401001", after_min=30)
    npt.assert_allclose(height, 0.149, atol=0.003)
    npt.assert_allclose(minute, 60.5, atol=1.5)


@pytest.mark.parametrize(
    ("name", "station"),
    [("H1-station-column", "21419"), ("H2-erddap-units-row", "21418"), ("H5-detided-two-columns", "21418")],
)
def test_tables_of_others(name, station):
    (path,) = case(name).iterdir()
    found = read_records(path, **JAPAN)
    assert found.gauges == [station]
    assert np.isfinite(found.sea_level).sum() > 400
    assert bool(found.dataset["detided"].item()) == (name == "H5-detided-two-columns")
    assert not (found.dataset["flag"] & MASKS["flat_line"]).any()


def test_heights_in_feet():
    with pytest.raises(
        InputError, match=r"none of its 765 heights is from 100 to 11000 m, .*: are these metres of a wa"
    ):
        read_records(case("H4-all-flagged-feet", "21418.csv"), **JAPAN)


def test_the_detided_record_of_the_package():
    path = beside("events", "chile2010", "32412_notide.txt")
    found = read_records(path, origin="2010-02-27T06:34:14Z", region="chile", epicentre=(-72.9, -36.12))
    assert found.dataset["detided"].item() == 1
    height, minute = crest(found, "32412", after_min=150)
    npt.assert_allclose(height, 0.23, atol=0.01)
    assert 190 < minute < 215


@pytest.mark.slow
def test_all_files_of_events_are_read():
    origins = {
        "samoa2009": ("2009-09-29T17:48:10Z", (-172.10, -15.49)),
        "chile2010": ("2010-02-27T06:34:11Z", (-72.90, -36.12)),
        "tohoku2011": ("2011-03-11T05:46:24Z", (142.37, 38.30)),
    }
    for event, (origin, epicentre) in origins.items():
        files = sorted(beside("events", event, "ndbc").glob("*.txt"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SlipcastWarning)
            found = read_records(*files, origin=origin, epicentre=epicentre)
        assert found.gauges == [path.stem for path in files]
        assert json.loads(found.dataset.attrs.get("gauges_left_out", "{}")) == {}


# files that went wrong, through the reader

CHILE = {"origin": "2015-09-16T22:54:32Z", "epicentre": (-71.67, -31.57)}
OTHER_CHILE = {"origin": "2014-03-07T12:00:00Z", "epicentre": (-70.77, -19.61)}


def read_quietly(name: str, station: str, **options) -> Records:
    """Read a file of the cases."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlipcastWarning)
        return read_records(case(name, f"{station}.txt"), **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["B-clean", "B1-burst", "B3-spike-doubled", "C1-small-spikes"])
def test_what_is_left_is_the_wave(name):
    records = read_quietly(name, "32402", **CHILE)
    time_s = records.time_s
    level, flag = (records.dataset[key].to_numpy()[0] for key in ("sea_level", "flag"))
    early = (time_s > 0) & (time_s < 5 * 3600) & np.isfinite(level)
    assert early.sum() > 200
    assert np.abs(level - 0.15 * np.exp(-(((time_s - 3600) / 400) ** 2)))[early].max() < 0.05
    bad = {"B-clean": 0, "B1-burst": 30}
    if name in bad:
        assert np.count_nonzero(flag[np.abs(time_s) < 5 * 3600]) == bad[name]


def test_only_the_deployment_around_the_origin_counts_in_a_file():
    records = read_quietly("F1-relocated", "32401", **OTHER_CHILE)
    height_m, at_min = crest(records, "32401", after_min=0)
    assert abs(height_m - 0.149) < 0.003
    assert abs(at_min - 60) < 1.5
    assert "another deployment, flagged level" in records.dataset["left_out"].to_numpy()[0]


def test_a_real_step_is_named_and_leaves_the_crest():
    crests = {}
    for name in ("F3-clean-real", "F3-step-30cm-real"):
        records = read_quietly(name, "32402", **CHILE)
        crests[name] = crest(records.windowed({"32402": (-np.inf, 120.0)}), "32402", after_min=0)[0]
        named = "step of +0.30 m" in records.dataset["left_out"].to_numpy()[0]
        assert named == (name == "F3-step-30cm-real")
    assert abs(crests["F3-step-30cm-real"] - 0.134) < 0.02
    npt.assert_allclose(crests["F3-step-30cm-real"], crests["F3-clean-real"], atol=0.002)


def test_quarters_of_an_hour_have_samples_in_a_window():
    records = read_quietly("G1-fifteen-minutes", "32402", **CHILE)
    sampled = records.resample(60.0 * np.arange(1, 151)).to_numpy()[0]
    assert np.isfinite(sampled).sum() == 10


def test_shaking_is_found_beside_rows_of_a_false_time():
    records = read_quietly("A1-shadow", "32412", origin="2014-04-01T23:46:47Z", epicentre=(-70.77, -19.61))
    shaken = records.time_s[records.dataset["flag"].to_numpy()[0] & MASKS["shaking"] > 0] / 60
    npt.assert_allclose([shaken.min(), shaken.max()], [11, 64], atol=2)
    assert "120 rows" in records.dataset["left_out"].to_numpy()[0]


def test_lines_without_a_height_are_no_samples():
    found = read_dart(case("J1-right-MM", "46413.dart"))
    known = np.isfinite(found.height_m)
    assert np.count_nonzero(known) == 237


def test_the_scatter_of_a_record_with_lines_without_a_height(slipcast, tmp_path):
    """J1 stays as it was: 237 samples, 0.3 mm."""
    place = ("--origin", "2026-07-25T06:00:00Z", "--epicentre", -170, 52, "--out", tmp_path / "r.nc", "--json")
    code, out, err = slipcast("records", "read", case("J1-right-MM", "46413.dart"), *place)
    assert code == 0, err
    (told,) = json.loads(out)
    assert told["samples"] == 237
    assert told["scatter_mm"] == pytest.approx(0.3, abs=0.05)


@pytest.mark.slow
def test_no_wave_of_illapel_is_taken_for_tide():
    """R9: a tide that ends before any rupture of Mw 8.3 can be there, against one of a month by harmonic analysis."""
    for station in ("32401", "32402", "32412"):
        file = beside("events", "illapel2015", "ndbc") / f"{station}.txt"
        options = {**CHILE, "magnitude": 8.3}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SlipcastWarning)
            short, month = (read_records(file, tide=tide, **options) for tide in ("short", "harmonic"))
        inside = (short.time_s > 0) & (short.time_s < 6 * 3600)
        off_m = short.sea_level.to_numpy()[0] - np.interp(short.time_s, month.time_s, month.sea_level.to_numpy()[0])
        off_m = off_m[inside & np.isfinite(off_m)]
        assert off_m.size > 200, station
        assert np.abs(off_m).max() < 0.05, station  # 5 cm and more, with no word, when a wave was fitted as tide
