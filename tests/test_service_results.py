"""Results of the service: flags of gauges, limits that count what was kept, how often a failure is retried."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import numpy.testing as npt
import pytest
from starlette.exceptions import HTTPException

from service_fixtures import EVENT, WRITE, answer_of, bank_nowcast, create, post, served, sqlite, waves
from slipcast.realtime.detiding import GaugeLevels, gauge_levels
from slipcast.realtime.replay import replay
from slipcast.realtime.waves_seen import detected_at, wave_since
from slipcast.records import DartSeries, records_of
from slipcast.regions.region import Region
from slipcast.service.metrics import Metrics
from slipcast.service.poller import Poller
from slipcast.service.security import Guard
from slipcast.service.settings import Limits, Settings
from slipcast.service.storage.store import EventRow, Store
from slipcast.service.watch import Watch, _Due


@pytest.fixture(scope="module")
def nowcast(small_bank):
    return bank_nowcast(small_bank)


def test_a_gauge_that_no_slip_explains_is_put_aside(nowcast, small_bank, tmp_path):
    samples = waves(small_bank, minutes=100)  # two others need waves for 25 minutes
    with served(nowcast, sqlite(tmp_path)) as client:
        event = create(client)
        post(client, event, samples)
        assert not any("not explained" in flag for flag in answer_of(client, event)["flags"])
        other = create(client)
        post(
            client,
            other,
            [
                each | {"sea_level_m": (0.002 * np.sin(each["seconds"]) - 0.5) * (each["seconds"] > 1200)}
                if each["gauge"] == "46419"
                else each
                for each in samples
            ],
        )
        found = answer_of(client, other)
        assert any(flag.startswith("46419: not used, its record contradicts") for flag in found["flags"])
        assert list(found["put_aside"]) == ["46419"]
        assert found["explained"]["46404"] > 0.5
        assert found["explained"]["46419"] is None  # a step is no wave


def test_samples_after_the_longest_window_are_kept_and_not_used(nowcast, small_bank, tmp_path):
    with served(nowcast, sqlite(tmp_path)) as client:
        event = create(client)
        assert post(client, event, waves(small_bank, minutes=30))["result"] == 1
        assert not any("not used" in flag for flag in answer_of(client, event)["flags"])
        more = [{"gauge": "46404", "seconds": 7260.0, "sea_level_m": 0.0}]
        assert post(client, event, more)["result"] == 2
        assert "samples after minute 120 not used" in answer_of(client, event)["flags"]


def test_an_event_that_could_not_be_kept_does_not_count(nowcast, tmp_path, monkeypatch):
    with served(nowcast, sqlite(tmp_path), limits=Limits(events=1)) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Store, "add_event", lambda self, about: 1 / 0)
            assert client.post("/api/events", json=EVENT, headers=WRITE).status_code == 500
        create(client)
        assert client.post("/api/events", json=EVENT, headers=WRITE).status_code == 409


def test_an_answer_that_fails_again_and_again_is_given_up(nowcast, small_bank, tmp_path, monkeypatch):
    monkeypatch.setattr("slipcast.service.watch._PAUSE_S", 0.01)
    tries = []

    def away(*arguments):
        tries.append(1)
        raise RuntimeError("the database is away")

    with served(nowcast, sqlite(tmp_path)) as client:
        event = create(client)
        monkeypatch.setattr(Store, "add_result", away)
        post(client, event, waves(small_bank, minutes=6))
        end = time.monotonic() + 20
        while len(tries) < 6 and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.3)  # thirty pauses long
        assert len(tries) == 6  # once, and five times more
        assert not client.app.state.watch._failed


def test_a_body_in_parts_has_the_size_of_them_all():
    guard = Guard(None, settings=Settings("sqlite://", "t" * 20, limits=Limits(body_bytes=1000)), metrics=Metrics())

    async def receive():
        return {"type": "http.request", "body": b" " * 400, "more_body": True}

    async def take() -> None:
        counted = guard._counted(receive)
        for _ in range(2):
            assert len((await counted())["body"]) == 400
        with pytest.raises(HTTPException, match="a request may have at most 1000 bytes"):
            await counted()
        await guard._counted(receive)()  # another request begins at nothing

    asyncio.run(take())


def event_row(**changes) -> EventRow:
    about = {"row": 1, "id": "e", "region": "cascadia", "name": "", "origin_time": EVENT["origin_time"]}
    about |= {"longitude": -124.8, "latitude": 46.0, "magnitude": None, "simulation": False, "created": ""}
    return EventRow(**about | changes)


@pytest.mark.parametrize(("wave_m", "hours", "detected"), [(0.1, 30, True), (0.0, 30, False), (0.1, 8, None)])
def test_a_wave_is_detected_in_heights_that_go_back_half_a_day(wave_m, hours, detected):
    rng, heights = np.random.default_rng(1), {}
    for at in (*range(-60 * hours, -60, 15), *range(-60, 61)):
        wave = wave_m * np.sin((at - 20) * np.pi / 10) if at > 20 else 0.0
        height = 2793.0 + 0.6 * np.sin(2 * np.pi * at / 745.2) + wave + rng.normal(0, 0.001)
        heights["46404", "water_column", 60_000 * at] = float(height)
    found = gauge_levels(event_row(), heights, ["46404"], Region.open("cascadia"))["46404"]
    assert (None if found.detected_s is None else bool(np.isfinite(found.detected_s))) is detected
    assert found.state == ("wave detected" if wave_m else "no wave detected")


def test_a_replay_and_the_service_detect_a_wave_alike(nowcast):
    origin, rng = np.datetime64("2026-01-26T21:00:00"), np.random.default_rng(1)
    minutes = np.array([*range(-60 * 30, -60, 15), *range(-60, 91)])
    wave = np.where(minutes > 30, 0.1 * np.sin((minutes - 30) * np.pi / 10), 0.0)
    height = 2793 + 0.6 * np.sin(2 * np.pi * minutes / 745.2) + wave + rng.normal(0, 0.001, minutes.size)
    interval = np.where(minutes < -60, 900, 60)
    series = DartSeries("46404", origin + minutes.astype("timedelta64[m]"), height, interval.astype(np.int16))
    event = event_row()
    place = (event.longitude, event.latitude)
    records = records_of([series], origin=origin, region="cascadia", epicentre=place)
    seen = []
    for last in (30, 45, 60, 90):
        sent = minutes <= last
        heights = {
            ("46404", "water_column", 60_000 * int(at)): float(level)
            for at, level in zip(minutes[sent], height[sent], strict=True)
        }
        live = nowcast.answer(event, heights)
        again = replay(records, nowcast.inverter, minutes=[last], gauges=["46404"])
        waiting = "no wave detected yet" in live.flags
        assert ("no wave detected yet" in str(again.dataset["flags"].to_numpy()[0])) is waiting
        seen.append(not waiting)
    assert seen == [False, True, True, True]


def test_sea_level_counts_before_the_water_column_of_the_same_time():
    heights = {("46404", "water_column", 60_000 * at): 2793.0 + 0.3 * np.sin(at / 120) for at in range(-600, 30)}
    heights |= {("46404", "sea_level", 60_000 * at): 0.25 for at in range(1, 20)}
    found = gauge_levels(event_row(), heights, ["46404"], Region.open("cascadia"))["46404"]
    assert found.note == "tide taken out here"
    first = (found.time_s > 0) & (found.time_s < 20 * 60)
    assert first.sum() == 19
    npt.assert_array_equal(found.level_m[first], 0.25)
    assert np.abs(found.level_m[found.time_s >= 20 * 60]).max() < 0.05


@pytest.mark.parametrize(
    ("changes", "hour", "followed"),
    [
        ({}, "2026-01-26T20:59:59", False),
        ({}, "2026-01-26T21:00:00", True),
        ({}, "2026-01-27T21:00:00", True),
        ({}, "2026-01-27T21:00:01", False),
        ({"simulation": True}, "2026-01-26T22:00:00", False),
        ({"region": "chile"}, "2026-01-26T22:00:00", False),
    ],
)
def test_only_events_of_the_last_day_are_followed(changes, hour, followed):
    event = event_row(**changes)

    async def read(call, *arguments):
        return [event], 1

    watch = SimpleNamespace(nowcasts={"cascadia": None}, read=read, store=SimpleNamespace(events=None))
    now = datetime.fromisoformat(hour).replace(tzinfo=UTC)
    assert asyncio.run(Poller("https://example.org")._current(watch, now)) == [event] * followed


# --- what gauges have seen


@pytest.mark.parametrize(
    ("time_s", "level_m", "state"),
    [
        ([-60.0], [0.5], "no data"),
        ([0.0], [0.0], "no wave detected"),
        ([60.0, 120.0], [0.5, 0.5], "no wave detected"),  # the shaking: before a tsunami can be there
        ([600.0, 660.0], [0.5, 0.5], "wave detected"),  # from that moment on
        ([599.0, 660.0, 720.0], [0.5, 0.5, 0.0], "no wave detected"),
        ([600.0, 660.0], [0.0201, 0.0201], "wave detected"),
        ([600.0, 660.0], [0.02, 0.02], "no wave detected"),
        ([600.0, 660.0], [-0.0201, -0.0201], "wave detected"),
        ([600.0, 660.0], [0.5, -0.5], "no wave detected"),
    ],
)
def test_a_wave_is_two_samples_running_since_it_can_be_there(time_s, level_m, state):
    assert GaugeLevels(np.array(time_s), np.array(level_m), earliest_s=600.0).state == state


@pytest.mark.parametrize("before", [0, 120])
def test_a_drift_is_no_wave_whatever_came_before_the_origin(before):
    time_s = 60.0 * np.arange(-before, 31)
    drift = 0.1 * np.maximum(time_s, 0.0) / 1800
    wave = 0.1 * np.exp(-(((time_s - 1200) / 300) ** 2))
    assert wave_since(time_s, drift, earliest_s=0.0) == np.inf
    # 2.4 cm at 14 min and 3.7 cm at 15 are the first beyond 2 cm
    assert wave_since(time_s, wave, earliest_s=0.0) == 900.0


def test_a_span_has_both_its_ends():
    levels = GaugeLevels(np.arange(5.0), np.arange(5.0), "note", 2.0)
    found = levels.within(1.0, 3.0)
    npt.assert_array_equal(found.time_s, [1.0, 2.0, 3.0])
    npt.assert_array_equal(found.level_m, [1.0, 2.0, 3.0])
    assert (found.note, found.earliest_s) == ("note", 2.0)


# --- who waits for a result


@pytest.mark.parametrize(
    ("wanted", "more_to_come", "told"), [(3, False, True), (3, True, True), (5, False, True), (5, True, False)]
)
def test_who_sent_more_than_a_result_knew_waits_for_the_next(wanted, more_to_come, told):
    async def tell() -> None:
        watch = object.__new__(Watch)
        later = _Due(0.0)
        watch._due = OrderedDict({"a": later} if more_to_come else {})
        waiting = asyncio.get_running_loop().create_future()
        watch._tell("a", _Due(0.0, [(wanted, waiting)]), 4)
        assert waiting.done() == told
        assert later.waiting == ([] if told else [(wanted, waiting)])

    asyncio.run(tell())


def test_a_tsunami_is_told_from_the_tide_after_half_a_day_of_it():
    for hours, enough in ((6.0, False), (11.9, False), (12.1, True)):
        time_s = np.arange(-hours * 3600.0, 3600.0, 900.0)
        assert detected_at(time_s, 4000.0 + np.sin(time_s / 7000.0), 0.0) == (np.inf if enough else None)
    assert detected_at(np.empty(0), np.empty(0), 0.0) is None
