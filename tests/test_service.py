"""The service: events and samples in, answers out, the same whatever the order and whatever happened in between."""

from __future__ import annotations

import json
import time
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from benchmarks.simulation import simulate

from learning_fixtures import make_checkpoint
from service_fixtures import EVENT, WRITE, answer_of, bank_nowcast, create, post, postgres, served, sqlite, waves
from slipcast.errors import InputError
from slipcast.forecasting.forecast import Forecast
from slipcast.inversion import SlipEstimate
from slipcast.learning.inverters import open_posterior
from slipcast.realtime.detiding import GaugeLevels, gauge_levels
from slipcast.realtime.nowcast import Nowcast
from slipcast.records import Records
from slipcast.regions.region import Region
from slipcast.service.api.results import Alerts
from slipcast.service.api.schemas import EventList, RecordList, RegionAbout, Result, ResultList, Series
from slipcast.service.api.stream import stream
from slipcast.service.storage.migrate import newest_revision
from slipcast.service.storage.series import pack_series, unpack_series
from slipcast.service.storage.store import EventRow, Store
from slipcast.service.storage.tables import metadata


@pytest.fixture(scope="module")
def engine(small_bank):
    return bank_nowcast(small_bank)


@pytest.fixture(scope="module")
def sampler():
    return open_posterior("cascadia")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        yield sqlite(tmp_path)
        return
    with postgres() as url:
        yield url


def test_from_an_event_to_its_answer(engine, small_bank, database):
    samples = waves(small_bank)
    with served(engine, database) as client:
        event = create(client)
        assert client.get(f"/api/events/{event}").json()["latest"] is None
        assert client.get(f"/api/events/{event}/results/latest").status_code == 404
        first = [each for each in samples if each["seconds"] <= 600]
        done = post(client, event, first)
        assert done == {"new": len(first), "same": 0, "corrected": 0, "result": 1}
        assert post(client, event, first) == {"new": 0, "same": len(first), "corrected": 0, "result": 1}
        assert post(client, event, samples)["result"] == 2
        found = Result.model_validate(client.get(f"/api/events/{event}/results/latest").json())
        assert (found.minute, found.window_min, found.method) == (30.0, 30.0, "tikhonov")
        assert (found.bank, found.region) == (small_bank.id, "cascadia")
        assert found.gauges_used == ["46404", "46407", "46419"]
        assert found.magnitude == pytest.approx(8.07, abs=0.3)  # 4 m on two unit sources
        heights = [row.max_amplitude_m for row in found.forecast]
        assert heights == sorted(heights, reverse=True)
        assert found.worst.gauge == found.forecast[0].gauge
        assert len(ResultList.model_validate(client.get(f"/api/events/{event}/results").json()).results) == 2
        assert client.get(f"/api/events/{event}/results/1").json()["minute"] == 10.0
        assert client.get(f"/api/events/{event}/results/3").status_code == 404
        for name in ("records", "results", "results/1", f"results/1/series?gauge={found.worst.gauge}"):
            assert client.get(f"/api/events/{event}/{name}").headers["content-type"] == "application/json"
        listed = EventList.model_validate(client.get("/api/events").json())
        assert (listed.total, listed.events[0].n_samples, listed.events[0].n_results) == (1, len(samples), 2)
        records = RecordList.model_validate(client.get(f"/api/events/{event}/records").json())
        assert {each.gauge: each.state for each in records.gauges}["46404"] == "wave detected"


def test_order_repetition_and_correction_leave_the_answer_as_it_is(engine, small_bank, tmp_path):
    samples = waves(small_bank, minutes=12)
    rng = np.random.default_rng(0)
    with served(engine, sqlite(tmp_path)) as client:
        straight, crooked = create(client), create(client)
        post(client, straight, samples)
        wrong = [each | {"sea_level_m": 7.0} for each in samples[::5]]
        post(client, crooked, wrong)
        shuffled = [samples[i] for i in rng.permutation(len(samples))]
        for part in np.array_split(np.arange(len(shuffled)), 4):
            batch = [shuffled[i] for i in part]
            post(client, crooked, [*batch, *batch[:3]])
        assert answer_of(client, crooked) == answer_of(client, straight)
        done = post(client, crooked, [samples[0] | {"sea_level_m": 0.5}])
        assert (done["new"], done["corrected"]) == (0, 1)
        assert answer_of(client, crooked) != answer_of(client, straight)


def test_a_clock_time_is_the_same_as_seconds(engine, small_bank, tmp_path):
    samples = waves(small_bank, minutes=8)
    origin = datetime.fromisoformat(EVENT["origin_time"])
    clocked = [
        {
            "gauge": each["gauge"],
            "time": (origin + timedelta(seconds=each["seconds"])).astimezone(UTC).isoformat(),
            "sea_level_m": each["sea_level_m"],
        }
        for each in samples
    ]
    with served(engine, sqlite(tmp_path)) as client:
        event = create(client)
        post(client, event, samples)
        assert post(client, event, clocked) == {"new": 0, "same": len(samples), "corrected": 0, "result": 1}


def test_a_restart_knows_everything_and_answers_what_was_left(engine, small_bank, database, tmp_path, monkeypatch):
    samples = waves(small_bank)
    with served(engine, sqlite(tmp_path, "whole")) as client:
        event = create(client)
        post(client, event, samples)
        expected = answer_of(client, event)

    def never(*_arguments, **_more):
        raise RuntimeError("stopped before the answer")

    with monkeypatch.context() as broken, served(engine, database) as client:
        broken.setattr(Nowcast, "answer", never)
        event = create(client)
        assert post(client, event, samples)["result"] is None
        assert b"slipcast_failures_total 1.0" in client.get("/metrics").content
    with served(engine, database) as client:
        for _ in range(100):
            if client.get(f"/api/events/{event}").json()["n_results"]:
                break
            time.sleep(0.02)
        assert answer_of(client, event) == expected
        assert client.get(f"/api/events/{event}").json()["n_samples"] == len(samples)


def test_steps_of_migration_make_the_tables_that_the_code_expects(database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    store = Store(database)
    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == newest_revision()
    store.close()
    Store(database).close()  # and nothing happens the second time


def test_an_administrator_can_delete_an_event(engine, small_bank, database):
    with served(engine, database) as client:
        kept, gone = create(client), create(client)
        post(client, gone, waves(small_bank, minutes=6))
        client.app.state.watch.store.forget([gone])
    with served(engine, database) as client:
        assert client.get(f"/api/events/{gone}").status_code == 404
        assert [each["id"] for each in client.get("/api/events").json()["events"]] == [kept]


def test_a_list_tells_the_same_of_events_that_are_not_in_memory(engine, small_bank, database, monkeypatch):
    monkeypatch.setattr("slipcast.service.watch._MOST_KEPT", 1)
    samples = waves(small_bank, minutes=6)
    with served(engine, database) as client:
        first, second = create(client), create(client)
        post(client, first, samples)
        post(client, first, [samples[0] | {"sea_level_m": 0.3}])
        assert client.get(f"/api/events/{second}").json()["n_samples"] == 0
        listed = {each["id"]: each for each in client.get("/api/events").json()["events"]}
        assert len(client.app.state.watch._states) == 1
        assert listed[first] == client.get(f"/api/events/{first}").json()
        assert (listed[first]["n_samples"], listed[first]["n_results"]) == (len(samples), 2)


def test_an_answer_that_failed_is_tried_again(engine, small_bank, tmp_path, monkeypatch):
    monkeypatch.setattr("slipcast.service.watch._PAUSE_S", 0.01)
    whole, failures = Store.add_result, iter([True, True, False])

    def away(*arguments):
        if next(failures):
            raise RuntimeError("the database is away")
        whole(*arguments)

    with served(engine, sqlite(tmp_path)) as client:
        event = create(client)
        monkeypatch.setattr(Store, "add_result", away)
        assert post(client, event, waves(small_bank, minutes=6))["result"] is None
        for _ in range(200):
            if client.get(f"/api/events/{event}").json()["n_results"]:
                break
            time.sleep(0.01)
        assert client.get(f"/api/events/{event}").json()["n_results"] == 1


def test_files_are_those_that_other_commands_read(engine, small_bank, tmp_path):
    samples = waves(small_bank, minutes=15)
    with served(engine, sqlite(tmp_path)) as client:
        event = create(client)
        post(client, event, samples)
        shown = client.get(f"/api/events/{event}/results/latest").json()
        post(client, event, [samples[0] | {"sea_level_m": 3.0}])
        files = {}
        for name in ("records.nc", "slip.nc", "forecast.nc"):
            answer = client.get(f"/api/events/{event}/export/{name}?result=1")
            assert answer.headers["content-disposition"] == f'attachment; filename="{event}-1-{name}"'
            files[name] = tmp_path / name
            files[name].write_bytes(answer.content)
        slip, made = SlipEstimate.open(files["slip.nc"]), Forecast.open(files["forecast.nc"])
        npt.assert_allclose(slip.slip, [row["slip_m"] for row in shown["slip"]], atol=6e-5)
        worst = shown["forecast"][0]
        assert float(made.max_amplitude.sel(gauge=worst["gauge"])) == pytest.approx(worst["max_amplitude_m"], abs=6e-5)
        records = Records.open(files["records.nc"])
        assert (records.dataset.attrs["title"], records.dataset.attrs["simulation"]) == (EVENT["name"], 1)
        first = samples[0]
        level = records.sea_level.sel(gauge=first["gauge"], time=first["seconds"])
        assert float(level) == first["sea_level_m"]  # as it was before the correction
        shapes = client.get(f"/api/events/{event}/export/slip.geojson").json()
        assert len(shapes["features"]) == len(small_bank.sources)
        ring = shapes["features"][0]["geometry"]["coordinates"][0]
        assert ring[0] == ring[-1]
        assert -180 <= ring[0][0] < -120
        points = client.get(f"/api/events/{event}/export/forecast.geojson").json()
        assert {each["properties"]["gauge"] for each in points["features"]} == set(small_bank.gauges)
        series = Series.model_validate(
            client.get(f"/api/events/{event}/results/1/series", params={"gauge": worst["gauge"]}).json()
        )
        assert max(series.sea_level_m) == pytest.approx(worst["max_amplitude_m"], abs=1e-3)
        assert client.get(f"/api/events/{event}/results/1/series?gauge=nowhere").status_code == 404


def test_series_are_kept_to_the_millimetre():
    rng = np.random.default_rng(5)
    level = rng.standard_normal((2, 50)).astype(np.float32)
    level[0, 30:] = np.nan
    spread = np.stack([level - 1, level, level, level, level + 1])
    made = Forecast(
        xr.Dataset(
            {
                "sea_level": (("gauge", "time"), level),
                "sea_level_quantile": (("quantile", "gauge", "time"), spread),
            },
            coords={"gauge": ["a", "b"], "time": 60.0 * np.arange(50)},
        )
    )
    packed = pack_series(made)
    short, whole = unpack_series(packed, "a"), unpack_series(packed, "b")
    assert len(short["seconds"]) == 30
    npt.assert_allclose(short["sea_level_m"], level[0, :30], atol=5.1e-4)
    npt.assert_allclose(whole["high_m"], level[1] + 1, atol=5.1e-4)
    assert unpack_series(packed, "c") is None


def test_the_stream_goes_on_where_a_client_left(engine, small_bank, tmp_path):
    samples = waves(small_bank, minutes=10)
    with served(engine, sqlite(tmp_path), heartbeat_s=0.05) as client:
        event = create(client)
        for minute in range(6, 11):
            post(client, event, [each for each in samples if each["seconds"] <= 60 * minute])
        assert told(client, event) == [5]  # only the latest
        assert told(client, event, last=2) == [3, 4, 5]
        assert told(client, event, last=5) == []
        assert told(client, event, last=99) == []


def told(client, event: str, last: int | None = None) -> list[int]:
    """Return the numbers of the results that a stream begins with, up to its first heartbeat."""
    watch = client.app.state.watch

    async def listen() -> list[int]:
        numbers = []
        async with aclosing(stream(watch, event, "test", last)) as parts:
            async for part in parts:
                if part == b": \n\n":
                    return numbers
                if b"event: result" in part:
                    numbers.append(json.loads(part.partition(b"data: ")[2])["number"])
        return numbers

    numbers = client.portal.call(listen)
    assert len(watch.broker) == 0
    return numbers


def test_regions_and_their_coasts(engine, tmp_path):
    with served(engine, sqlite(tmp_path)) as client:
        (region,) = [RegionAbout.model_validate(each) for each in client.get("/api/regions").json()]
        assert region.name == "cascadia"
        assert all(-180 <= gauge.lon < 180 for gauge in region.gauges)
        coast = client.get("/api/regions/cascadia/coast").json()
        kinds = {each["properties"]["kind"]: each["geometry"] for each in coast["features"]}
        assert sum(len(line) for line in kinds["coast"]["coordinates"]) > 100
        # Portland is on land, the DARTs are not
        assert inside(kinds["land"]["coordinates"], -122.7, 45.5)
        assert not inside(kinds["land"]["coordinates"], -128.7, 45.9)
        assert client.get("/api/regions/chile/coast").status_code == 404


def inside(polygons, lon: float, lat: float) -> bool:
    """Tell whether a point is in a multipolygon, by crossings."""
    crossings = 0
    for ring in (np.array(ring) for polygon in polygons for ring in polygon):
        (x0, y0), (x1, y1) = ring[:-1].T, ring[1:].T
        crosses = (y0 > lat) != (y1 > lat)
        at = x0[crosses] + (lat - y0[crosses]) * (x1 - x0)[crosses] / (y1 - y0)[crosses]
        crossings += int((at > lon).sum())
    return crossings % 2 == 1


def test_flags_say_what_an_operator_must_know(engine, small_bank, tmp_path):
    samples = [each for each in waves(small_bank, minutes=4) if each["gauge"] != "46407"]
    with served(engine, sqlite(tmp_path)) as client:
        refused = client.post("/api/events", json=EVENT | {"longitude": 160.0, "latitude": 53.0}, headers=WRITE)
        assert refused.status_code == 422
        assert "must be within 500 km of the unit sources of region cascadia, got 160 53" in refused.text
        far = create(client, longitude=-129.0, latitude=44.0, magnitude=None)
        post(client, far, [each | {"sea_level_m": 0.0} for each in samples])
        flags = client.get(f"/api/events/{far}/results/latest").json()["flags"]
        assert {"46407: no data", "window shorter than 5 min", "no wave detected yet"} <= {*flags}
        assert "extrapolated: epicentre far from the unit sources" in flags
        found = client.get(f"/api/events/{far}/results/latest").json()
        assert found["magnitude"] is None
        late = create(client)
        post(client, late, [each for each in waves(small_bank) if each["gauge"] != "46419" or each["seconds"] < 300])
        assert any(flag.startswith("46419: no data since") for flag in answer_of(client, late)["flags"])


def test_unit_sources_are_those_that_the_magnitude_reaches(engine, small_bank, tmp_path):
    samples = waves(small_bank, minutes=10)
    with served(engine, sqlite(tmp_path)) as client:
        for changes, found in (({}, 9), ({"magnitude": 6.5}, 3), ({"magnitude": 6.5, "longitude": -127.5}, 9)):
            event = create(client, **changes)
            post(client, event, samples)
            answer = answer_of(client, event)
            assert len(answer["slip"]) == found, changes
            assert any("all are used" in flag for flag in answer["flags"]) == ("longitude" in changes)


def test_the_sampler_says_how_sure_it_is(sampler, tmp_path):
    engine = Nowcast(sampler)
    records = simulate(sampler, magnitude=8.8, seed=4)
    batch = [
        {"gauge": name, "seconds": float(at), "sea_level_m": float(value)}
        for name, row in zip(records.gauges, records.sea_level.to_numpy())
        for at, value in zip(records.time_s, row)
        if at <= 1800
    ]
    with served(engine, sqlite(tmp_path)) as client:
        event = create(client)
        assert post(client, event, batch)["result"] == 1
        found = Result.model_validate(client.get(f"/api/events/{event}/results/latest").json())
        assert found.magnitude_low < 8.8 + 0.1
        assert found.magnitude_high > 8.8 - 0.1
        assert (found.model, found.bank, found.method) == (sampler.id, sampler.bank, "sampler")
        assert all(row.low_m <= row.q25_m <= row.q75_m <= row.high_m for row in found.forecast)
        assert not found.below_range
        (tmp_path / "slip.nc").write_bytes(client.get(f"/api/events/{event}/export/slip.nc").content)
        slip = SlipEstimate.open(tmp_path / "slip.nc")
        slip_m = [slip.slip, slip.dataset["slip_sd"], *slip.dataset["slip_quantile"].to_numpy()[[0, -1]]]
        shown = [[row.slip_m, row.sd_m, row.low_m, row.high_m] for row in found.slip]
        npt.assert_allclose(shown, np.round(np.transpose(slip_m).astype(float), 4), rtol=0, atol=1e-9)
        still = create(client)
        noise = np.random.default_rng(2).normal(0, 0.004, (len(records.gauges), 120)).round(5).tolist()
        post(client, still, [
            {"gauge": name, "seconds": 60.0 * (minute + 1), "sea_level_m": level}
            for name, row in zip(records.gauges, noise)
            for minute, level in enumerate(row)
        ])  # fmt: skip
        quiet = Result.model_validate(client.get(f"/api/events/{still}/results/latest").json())
        assert quiet.below_range
        assert quiet.worst.max_amplitude_m < 0.03
        assert "no wave detected yet" in quiet.flags


def test_heights_with_the_tide_lose_it(engine, tmp_path):
    hours = np.arange(-12, 1 / 3, 1 / 60)
    tide = 2800.0 + 0.8 * np.cos(2 * np.pi * hours / 12.42)
    wave = np.where(hours > 0.1, 0.3 * np.sin(20 * (hours - 0.1)), 0.0)
    batch = [
        {"gauge": "46404", "seconds": round(3600 * hour), "water_column_m": round(float(height), 4)}
        for hour, height in zip(hours.tolist(), tide + wave)
    ]
    with served(engine, sqlite(tmp_path)) as client:
        event = create(client)
        post(client, event, batch)
        records = client.get(f"/api/events/{event}/records").json()["gauges"]
        found = next(each for each in records if each["gauge"] == "46404")
        level = dict(zip(found["seconds"], found["sea_level_m"]))
        expected = dict(zip((3600 * hours).round().tolist(), wave.tolist()))
        npt.assert_allclose([level[at] for at in level if at > 0], [expected[at] for at in level if at > 0], atol=0.03)
        assert found["state"] == "wave detected"
        assert "46404: tide taken out here" in answer_of(client, event)["flags"]
        short = create(client)
        post(client, short, [each for each in batch if each["seconds"] >= 0])
        assert client.get(f"/api/events/{short}").json()["latest"] is None


def test_heights_that_come_again_under_a_false_time_do_no_harm():
    region = Region.open("cascadia")
    event = EventRow(1, "", "cascadia", "", "2026-01-27T01:00:00Z", -124.4, 43.7, 8.6, False, "")
    minutes = np.array([*range(-1440, -30, 15), *range(-30, 56)])
    tide = 2800.0 + 0.8 * np.cos(2 * np.pi * minutes / 745.0)
    wave = np.where(minutes > 15, 0.3 * np.sin((minutes - 15) / 5), 0.0)
    heights = {("46404", "water_column", 60_000 * int(at)): round(h, 3) for at, h in zip(minutes, tide + wave)}
    # NDBC's archive repeats the rows of 00:00 to 01:59 UTC some seconds late
    repeated = heights | {
        (name, kind, at + 15_000): height for (name, kind, at), height in heights.items() if at >= -1_800_000
    }
    clean, found = (gauge_levels(event, each, ["46404"], region)["46404"] for each in (heights, repeated))
    assert clean.wave_seen
    assert clean.level_m.max() > 0.25
    npt.assert_array_equal(found.time_s, clean.time_s)
    npt.assert_allclose(found.level_m, clean.level_m, atol=1e-9)


def test_a_wave_needs_two_samples():
    at = 60.0 * np.arange(6)
    spike = GaugeLevels(at, np.array([0.0, 0.0, 0.5, 0.0, 0.0, 0.0]))
    wave = GaugeLevels(at, np.array([0.0, 0.0, -0.05, -0.04, 0.0, 0.0]))
    assert (spike.state, wave.state, wave.within(-60, -1).state) == ("no wave detected", "wave detected", "no data")


def test_shaking_before_a_tsunami_can_be_there_is_no_wave():
    region = Region.open("chile")
    event = EventRow(1, "", "chile", "", "2010-02-27T06:34:14Z", -72.898, -36.122, 8.8, False, "")
    levels = {("32412", "sea_level", 60_000 * minute): 0.0 for minute in range(190)}
    levels |= {("32412", "sea_level", 60_000 * minute): 0.06 for minute in (11, 12)}  # what the seismic waves did
    peru = [(-79.0, -15.0)]
    found = {
        name: gauge_levels(event, levels, ["32412"], region, sources)["32412"]
        for name, sources in (("chile", [(-74.0, -36.0)]), ("peru", peru))
    }
    # 250 m/s from the far end of a rupture of Mw 8.8 at the epicentre, or from 190 km this side of a unit source
    assert found["chile"].earliest_s / 60 == pytest.approx(89, abs=3)
    assert found["peru"].earliest_s / 60 == pytest.approx(44, abs=3)
    assert found["chile"].state == "no wave detected"
    levels |= {("32412", "sea_level", 60_000 * (180 + at)): 0.01 * min(at, 10 - at) for at in range(10)}
    assert gauge_levels(event, levels, ["32412"], region, peru)["32412"].state == "wave detected"


def test_alerts_have_their_thresholds():
    assert [Alerts().of(height) for height in (0.0, 0.03, 0.3, 1.0)] == ["none", "information", "advisory", "warning"]


def test_a_nowcast_needs_a_method_for_any_window(small_bank, sampler, small_set):
    with pytest.raises(InputError, match="inverter must be an Inverter, or the name or folder of a model, got None"):
        Nowcast(None)
    with pytest.raises(InputError, match="inverter must be for windows of any length, got one for 45 min"):
        Nowcast(make_checkpoint())
    with pytest.raises(InputError, match="bank must be a GreensBank, got"):
        Nowcast(sampler, small_set)
    other = replace(sampler, region="chile")
    with pytest.raises(InputError, match="method of region chile cannot be used with a bank of cascadia"):
        Nowcast(other, small_bank)


def test_simulations_are_reproducible_and_say_what_they_are(sampler):
    one, other = simulate(sampler, seed=2), simulate(sampler, seed=2)
    npt.assert_array_equal(one.sea_level, other.sea_level)
    assert one.dataset.attrs["simulation"] == 1
    with pytest.raises(InputError, match=r"magnitude must be in \[7.8, 9.2\], got 7"):
        simulate(sampler, magnitude=7.0)
