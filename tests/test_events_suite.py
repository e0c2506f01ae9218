"""The suite of real events: what is told of them, cases by rule, scores, and an event from raw files to tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.testing as npt
import pytest
import tomli_w
from benchmarks.events.__main__ import main
from benchmarks.events.banks import event_region, has_what_is_wanted
from benchmarks.events.cases import cases_of
from benchmarks.events.draws import at_times, misfit_of
from benchmarks.events.event import Event
from benchmarks.events.remembered import remembered_checks
from benchmarks.events.scores import crps, holds, minutes_until_steady, pit, uniformity
from benchmarks.events.tables import pooled_table
from benchmarks.events.waves import FirstWave, first_waves, impossible
from scipy.stats import norm

from conftest import SMALL_SOURCES, small_region
from slipcast.errors import InputError
from slipcast.realtime import event_slip, waves_seen
from slipcast.records import Records

FACTS = {
    "name": "made-up",
    "title": "Made up",
    "origin": "2016-03-01T00:00:00Z",
    "epicentre": [-126.0, 45.5],
    "magnitude": 8.6,
    "first_magnitude": 8.3,
    "first_magnitude_source": "the test",
    "region": "region.toml",
    "files": ["*.csv"],
}
PLACED = {"46404": (231.275, 45.86), "46407": (231.17, 42.678), "46419": (230.4, 48.77)}


def written(folder: Path, /, **changes) -> Path:
    facts = {key: value for key, value in (FACTS | changes).items() if value is not None}
    (folder / "event.toml").write_text(tomli_w.dumps(facts))
    return folder


def test_event_is_read_with_its_defaults(tmp_path):
    event = Event.open(written(tmp_path, gauges={"46404": {"lon": -128.7, "lat": 45.9}}))
    assert event.epicentre == (-126.0, 45.5)
    assert event.interface
    assert event.gauges["46404"].lat == 45.9
    assert event.folder == tmp_path


@pytest.mark.parametrize("name", ["samoa2009", "chile2010", "tohoku2011", "illapel2015"])
def test_events_of_the_suite_are_whole(name):
    event = Event.open(Path(__file__).parents[1] / "benchmarks" / "events" / name)
    assert event.name == name
    assert event.first_magnitude < event.magnitude
    assert event.region_settings().sources


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"magnitud": 8.1}, r"unknown key 'magnitud'.*magnitude"),
        ({"gauges": {"a": {"lon": 1.0, "lat": 2.0, "depth": 3.0}}}, r"unknown key 'depth'"),
        ({"origin": None}, r"event.toml: origin Field required"),
        ({"origin": "yesterday"}, r"event.toml: origin .*yesterday"),
        ({"epicentre": [10.0, 95.0]}, r"epicentre must be longitude and latitude, degrees"),
        ({"first_magnitude": 11.0}, r"first_magnitude must be less than or equal to 9.6, got 11"),
        ({"files": []}, r"files "),
        ({"folder": "elsewhere"}, r"folder is where the file lies"),
    ],
)
def test_event_refuses_what_breaks_a_rule_in_one_line(tmp_path, changes, match):
    with pytest.raises(InputError, match=match) as refused:
        Event.open(written(tmp_path, **changes))
    assert "\n" not in str(refused.value)


def test_event_refuses_what_is_no_toml_or_not_there(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*event.toml: No such file"):
        Event.open(tmp_path)
    (tmp_path / "event.toml").write_text("name = ")
    with pytest.raises(InputError, match=r"event.toml is not valid TOML"):
        Event.open(tmp_path)


def test_files_are_those_of_the_event_or_else_of_raw_data(tmp_path):
    folder, raw = tmp_path / "event", tmp_path / "raw"
    for each in (folder, raw):
        each.mkdir()
    event = Event.open(written(folder))
    with pytest.raises(InputError, match=r"files '\*.csv' matches nothing in .*event and .*raw"):
        event.raw_files(raw)
    (raw / "a.csv").touch()
    assert event.raw_files(raw) == [raw / "a.csv"]
    (folder / "b.csv").touch()
    assert event.raw_files(raw) == [folder / "b.csv"]


def made_waves() -> list[FirstWave]:
    return [
        FirstWave("far", 12000.0, 12600.0, 13800.0, 0.1),
        FirstWave("near", 1500.0, 1800.0, 3000.0, 1.0),
        FirstWave("middle", 4800.0, 5401.0, 6600.0, 0.5),
    ]


def test_cases_use_what_has_crested_and_hold_out_the_rest():
    cases = {case.name: case for case in cases_of(made_waves())}
    assert cases["30 min"].used == ("near",)  # its crest is at 30 min
    assert cases["90 min"].held_out == ("middle", "far")  # the crest comes a second later
    assert cases["120 min"].used == ("near", "middle")
    assert cases["first wave at second buoy"].window_min == 110.0
    assert "first wave at third buoy" not in cases  # nothing is left to hold out
    assert cases["near left out"].window_min == {"middle": 110.0, "far": 230.0}
    assert cases["near left out"].held_out == ("near",)
    assert cases["near left out"].last_min == 230.0


def test_one_buoy_is_never_left_out_of_none():
    assert [case.kind for case in cases_of(made_waves()[:1])] == ["window"] * 4
    assert all(not case.used for case in cases_of(made_waves()[:1]))


def made_records(crests_m: dict[str, float]) -> Records:
    minutes = np.arange(-400.0, 300.0)
    noise = 1e-3 * np.sin(minutes)
    levels = [noise + crest * np.exp(-(((minutes - 100) / 10) ** 2)) for crest in crests_m.values()]
    places = [PLACED["46404"]] * len(crests_m)
    lon, lat = zip(*places)
    return Records.from_arrays(60 * minutes, levels, gauges=list(crests_m), lon_deg=lon, lat_deg=lat)


def test_first_waves_are_those_that_stand_out():
    waves, left_out = first_waves(made_records({"high": 0.2, "low": 0.008, "none": 0.0}))
    assert [wave.gauge for wave in waves] == ["high"]
    assert waves[0].crest_s == 6000.0
    npt.assert_allclose(waves[0].crest_m, 0.2, atol=2e-3)
    assert "highest wave is 9 mm, less than 10 mm" in left_out["low"]
    assert set(left_out) == {"low", "none"}


def test_a_wave_before_any_can_arrive_is_none_of_the_tsunami(small_bank):
    waves = [FirstWave("46407", 60.0, 120.0, 300.0, 0.1), FirstWave("46419", 3000.0, 3600.0, 4800.0, 0.1)]
    found = impossible(waves, small_bank, small_bank.sources)
    assert list(found) == ["46407"]
    assert "crests at 2 min, before a wave can arrive at" in found["46407"]


def test_gauges_get_the_finest_grid_that_runs_long_enough():
    region = small_region()
    coarse = {"lon": (215.0, 240.0), "lat": (35.0, 55.0), "spacing_arcmin": 12.0, "hours": 3.0}
    region = type(region).model_validate(
        region.model_dump() | {"grids": region.model_dump()["grids"] | {"far": coarse}}
    )
    names = ["short", "long", "land"]
    records = Records.from_arrays(
        np.arange(0.0, 600.0, 60.0),
        np.zeros((3, 10)),
        gauges=names,
        lon_deg=[231.275, 231.17, 239.0],
        lat_deg=[45.86, 42.678, 46.0],
    )
    ends_s = (6000.0, 9000.0, 6000.0)
    waves = [FirstWave(name, 1.0, 2.0, end_s, 0.1) for name, end_s in zip(names, ends_s, strict=True)]
    made, left_out = event_region(region, records, waves)
    assert {gauge.name: gauge.grid for gauge in made.gauges} == {"short": "near", "long": "far"}
    assert {plan.hours for plan in made.grids.values()} == {3.0}  # 150 min and a quarter of an hour
    assert "land" in left_out["land"]
    with pytest.raises(InputError, match="no station with a first wave lies on a grid of region"):
        event_region(region, records, waves[2:])


@pytest.mark.parametrize("observed", [-1.5, 0.0, 0.4, 3.0])
def test_crps_of_many_draws_is_that_of_a_gaussian(observed):
    draws = norm.ppf((np.arange(4000) + 0.5) / 4000)
    exact = observed * (2 * norm.cdf(observed) - 1) + 2 * norm.pdf(observed) - 1 / np.sqrt(np.pi)
    npt.assert_allclose(crps(draws, observed), exact, atol=1e-3)


def test_crps_is_fair_for_few_draws():
    rng = np.random.default_rng(1)
    found = np.mean([crps(rng.standard_normal(3), 0.4) for _ in range(40_000)])
    exact = 0.4 * (2 * norm.cdf(0.4) - 1) + 2 * norm.pdf(0.4) - 1 / np.sqrt(np.pi)
    npt.assert_allclose(found, exact, atol=0.01)  # 4 standard errors


def test_crps_is_the_sum_over_pairs():
    draws = np.array([0.3, 1.7, 0.2, 0.9])
    pairs = np.abs(draws[:, None] - draws).sum() / (2 * 4 * 3)
    npt.assert_allclose(crps(draws, 0.5), np.abs(draws - 0.5).mean() - pairs, rtol=1e-12)
    with pytest.raises(InputError, match="at least one draw"):
        crps([], 0.5)


def test_pit_and_intervals_of_calibrated_draws():
    rng = np.random.default_rng(2)
    draws, truth = rng.standard_normal((600, 199)), rng.standard_normal(600)
    values = [pit(one, at) for one, at in zip(draws, truth, strict=True)]
    assert uniformity(values) > 0.01
    assert uniformity([0.5 * value for value in values]) < 1e-6
    assert abs(np.mean([holds(one, at, 0.9) for one, at in zip(draws, truth, strict=True)]) - 0.9) < 0.05
    assert pit([1.0, 1.0], 1.0) == 0.5
    assert np.isnan(uniformity([0.5]))


def test_minutes_until_steady():
    assert minutes_until_steady([30.0, 60.0], [1.3, 1.0]) == 60.0
    assert minutes_until_steady([30.0, 60.0], [1.1, 1.0]) == 30.0
    assert np.isnan(minutes_until_steady([30.0], [1.0]))


def test_waves_are_interpolated_to_times_of_a_record():
    time_s, level = np.arange(0.0, 240.0, 60.0), np.array([[0.0, 1.0, 3.0, np.nan]])
    npt.assert_allclose(at_times(time_s, level, np.array([30.0, 60.0, 105.0, 200.0]))[0], [0.5, 1.0, 2.5, np.nan])
    npt.assert_allclose(misfit_of([level[:, :2]], [np.array([1.0, 1.0])]), [1.0])


def test_detections_are_looked_for_once(monkeypatch):
    calls, before = [], event_slip.contradicting_gauges

    def found(time_s, height_m, earliest_s):
        calls.append(earliest_s)
        return float(height_m.sum())

    monkeypatch.setattr(waves_seen, "detected_at", found)
    time_s = np.arange(3.0)
    with remembered_checks():
        assert [waves_seen.detected_at(time_s, time_s + at, 0.0) for at in (0, 1, 0)] == [3.0, 6.0, 3.0]
        waves_seen.detected_at(time_s, time_s, 60.0)
    assert calls == [0.0, 0.0, 60.0]
    assert waves_seen.detected_at is found
    assert event_slip.contradicting_gauges is before


@pytest.mark.parametrize(
    ("changes", "serves"),
    [
        ({}, True),
        ({"grids": {"near": {"hours": 1.5}}}, True),
        ({"grids": {"near": {"hours": 3.0}}}, False),
        ({"grids": {"near": {"spacing_arcmin": 4.0}}}, False),
        ({"subfault_km": 20.0}, False),
        ({"sources": SMALL_SOURCES[:4]}, False),
    ],
)
def test_a_bank_is_used_again_where_it_has_what_is_wanted(small_bank, changes, serves):
    content = small_bank.region.model_dump() | {key: value for key, value in changes.items() if key != "grids"}
    content["grids"]["near"] |= changes.get("grids", {}).get("near", {})
    content |= {"gauges": content["gauges"][:2], "observers": ()}
    assert has_what_is_wanted(small_bank.region, type(small_bank.region).model_validate(content)) is serves


def test_scores_are_pooled_by_method():
    about = {"event": "a", "case": "30 min", "kind": "window", "last_min": 30.0, "used": ["x"], "failure": ""}
    cases = [
        about | {"method": "prior", "magnitude_error": -0.4, "magnitude_held": True},
        about | {"method": "nnls", "magnitude_error": 0.2, "magnitude_held": None, "unlike": True},
        about | {"method": "bayes", "failure": "no sample"},
    ]
    wave = {"explained_variance": 0.6, "ln_ratio": -0.1, "arrival_error_min": -3.0, "gauge": "y", "median_m": 1.0}
    gauges = [
        about | wave | {"method": "prior", "crps_m": 0.4, "highest_m": 0.8, "in_50": False, "in_90": True, "pit": 0.9},
        about | wave | {"method": "nnls", "crps_m": 0.1, "highest_m": 0.8},
    ]
    found = pooled_table(cases, gauges)
    rows = {row[0]: dict(zip(found["header"], row, strict=True)) for row in found["rows"]}
    assert rows["prior"]["in 90 %"] == "1.00"
    assert rows["nnls"]["over the prior's"] == "0.25"
    assert rows["nnls"]["in 90 %"] == "–"
    assert rows["nnls"]["arrival error (min)"] == "3.0"
    assert rows["bayes"]["failed"] == "1"
    assert [rows[name]["said to be unlike"] for name in rows] == ["–", "1.00", "–"]


@pytest.mark.slow
def test_an_event_goes_from_raw_files_to_tables(tmp_path, small_bank):
    folder = written(tmp_path, gauges={name: {"lon": lon, "lat": lat} for name, (lon, lat) in PLACED.items()})
    content = small_region().model_dump(mode="json")
    content["grids"]["near"]["hours"] = 4.0
    (folder / "region.toml").write_text(tomli_w.dumps(content))
    minutes = np.concatenate([np.arange(-30 * 60, -60, 15), np.arange(-60, 120)])  # as a buoy sends
    clock = np.datetime64(FACTS["origin"].removesuffix("Z")) + minutes.astype("timedelta64[m]")
    slip_m = np.where([name in ("acsza58", "acszb58") for name in small_bank.sources], 6.0, 0.0)
    noise = np.random.default_rng(3)
    for gauge in PLACED:
        response = small_bank.source_response([gauge])[0].to_numpy() @ slip_m
        wave_m = np.interp(minutes, np.arange(len(response)), response, left=0.0, right=response[-1])
        tide_m = 0.8 * np.cos(2 * np.pi * minutes / 745.2) + 2000.0 + 1e-3 * noise.standard_normal(minutes.size)
        lines = [f"{gauge},{at}Z,{height:.4f}" for at, height in zip(clock, wave_m + tide_m, strict=True)]
        (folder / f"{gauge}.csv").write_text("\n".join(["station_id,timestamp_utc,height_m", *lines, ""]))
    (folder / "99999.csv").write_text("station_id,timestamp_utc,height_m\n99999,never,1\n")
    out = tmp_path / "out" / "suite.json"
    options = [
        "--banks",
        tmp_path / "banks",
        "--out",
        out,
        "--methods",
        "nnls",
        "gaussian",
        "--workers",
        "1",
        "--scenarios",
        "200",
    ]
    assert main([str(each) for each in (folder, *options)]) == 0
    found = json.loads(out.read_text())
    facts = dict(zip(found["tables"]["events"]["header"], found["tables"]["events"]["rows"][0], strict=True))
    assert "99999" in facts["left out"]
    rows = [json.loads(line) for line in out.with_suffix(".jsonl").read_text().splitlines()]
    waves = [row for row in rows if row["method"] == "nnls" and "explained_variance" in row]
    assert waves
    assert max(row["explained_variance"] for row in waves) > 0.8


def test_the_suite_refuses_no_event_and_two_of_a_name(tmp_path, capsys):
    assert main([str(tmp_path), "--banks", str(tmp_path)]) == 2
    assert "events must name a folder with event.toml" in capsys.readouterr().err
    folder = str(written(tmp_path))
    assert main([folder, folder, "--banks", str(tmp_path)]) == 2
    assert "event made-up is given twice" in capsys.readouterr().err
