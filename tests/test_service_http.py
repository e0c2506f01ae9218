"""Headers, metrics and places of the service: what a browser may keep, what is counted, where regions lie."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import httpx
import numpy as np
import numpy.testing as npt
import pytest
from sqlalchemy.exc import OperationalError

from service_fixtures import TOKEN, bank_nowcast, create, post, served, sqlite, waves
from slipcast.errors import InputError
from slipcast.physics.unit_sources import unit_source
from slipcast.records import Records
from slipcast.regions.region import Region
from slipcast.service.api.exports import coast_geojson, near_bounds
from slipcast.service.client import play
from slipcast.service.metrics import _SECONDS
from slipcast.service.poller import Poller, _Station


@pytest.fixture(scope="module")
def nowcast(small_bank):
    return bank_nowcast(small_bank)


# --- headers and metrics


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/", "no-cache"),
        ("/health", "no-store"),
        ("/api/regions", "no-store"),
        ("/api/regions/cascadia/coast", "private, max-age=86400"),
    ],
)
def test_how_long_a_browser_keeps_an_answer(nowcast, tmp_path, path, kept):
    with served(nowcast, sqlite(tmp_path)) as client:
        answer = client.get(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, kept)


def test_a_database_that_does_not_answer(nowcast, tmp_path, monkeypatch):
    def gone():
        raise OperationalError("SELECT 1", {}, OSError("gone"))

    with served(nowcast, sqlite(tmp_path)) as client:
        monkeypatch.setattr(client.app.state.watch.store, "ping", gone)
        answer = client.get("/health")
    assert (answer.status_code, answer.json()) == (503, {"detail": "the database does not answer"})


def test_the_end_waits_for_what_is_being_written(nowcast, tmp_path):
    begun, ended = threading.Event(), []

    def slow():
        begun.set()
        time.sleep(0.5)
        ended.append("written")

    with served(nowcast, sqlite(tmp_path)) as client:
        client.app.state.watch._writer.submit(slow)
        assert begun.wait(10.0)
    assert ended == ["written"]


def samples_of(text: str) -> dict[str, float]:
    """Read metrics as Prometheus does."""
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_what_happened_is_counted(nowcast, small_bank, tmp_path):
    samples = waves(small_bank, minutes=10)
    with served(nowcast, sqlite(tmp_path)) as client:
        event = create(client)
        post(client, event, samples)
        post(client, event, [*samples[1:], samples[0] | {"sea_level_m": 0.3}])
        client.get("/api/events/0000000000000000")
        found = samples_of(client.get("/metrics").text)
    counted = {
        "slipcast_events_total": 1,
        'slipcast_samples_total{kind="new"}': len(samples),
        'slipcast_samples_total{kind="same"}': len(samples) - 1,
        'slipcast_samples_total{kind="corrected"}': 1,
        "slipcast_results_total": 2,
        "slipcast_failures_total": 0,
        "slipcast_streams": 0,
        'slipcast_requests_total{method="POST",status="2xx"}': 3,
        'slipcast_requests_total{method="GET",status="4xx"}': 1,
        "slipcast_answer_seconds_count": 2,
        "slipcast_latency_seconds_count": 2,
        "slipcast_request_seconds_count": 4,
    }
    assert {name: found.get(name) for name in counted} == counted


def test_all_times_are_sorted_into_the_same_buckets(nowcast, tmp_path):
    with served(nowcast, sqlite(tmp_path)) as client:
        found = samples_of(client.get("/metrics").text)
    for name in ("request", "commit", "answer", "latency"):
        buckets = [key for key in found if key.startswith(f'slipcast_{name}_seconds_bucket{{le="')]
        limits = [float(key.partition('le="')[2].rstrip('"}')) for key in buckets]
        assert limits == [*_SECONDS, np.inf]


def test_only_so_many_events_stay_in_memory(nowcast, tmp_path, monkeypatch):
    monkeypatch.setattr("slipcast.service.watch._MOST_KEPT", 2)
    with served(nowcast, sqlite(tmp_path)) as client:
        first, second, third = (create(client) for _ in range(3))
        watch = client.app.state.watch
        assert list(watch._states) == [second, third]
        # who was asked for last stays
        assert client.get(f"/api/events/{second}/records").status_code == 200
        assert client.get(f"/api/events/{first}/records").status_code == 200
        assert list(watch._states) == [second, first]


# --- places


@pytest.mark.parametrize("name", ["cascadia", "japan", "kamchatka", "chile", "alaska", "tonga"])
def test_a_region_lies_within_its_bounds(name):
    region = Region.open(name)
    west, south, east, north = near_bounds(region)
    assert -180 <= (west + east) / 2 < 180
    assert 0 < east - west < 180
    for source in map(unit_source, region.sources):
        lon = source.lon_deg + 360.0 * np.round(((west + east) / 2 - source.lon_deg) / 360.0)
        assert west <= lon <= east
        assert south <= source.lat_deg <= north


def test_a_coast_reaches_beyond_its_region():
    region = Region.open("cascadia")
    west, south, east, _north = near_bounds(region)
    (coast,) = (
        each["geometry"]["coordinates"]
        for each in json.loads(coast_geojson(region))["features"]
        if each["properties"]["kind"] == "coast"
    )
    lon, lat = np.concatenate([np.array(line) for line in coast]).T
    # twelve degrees on every side, where there is a coast: Baja California in the south; to a cell
    npt.assert_allclose(lat.min(), south - 12, atol=0.9)
    assert lon.min() >= west - 13.1
    assert lon.max() <= east + 13.1


# --- polling and playing


@pytest.mark.parametrize(("every_s", "waits_s"), [(60.0, [120, 240, 480, 900, 900]), (1200.0, [1200, 1200])])
def test_a_file_that_is_missing_is_waited_for_twice_as_long_up_to_a_quarter_of_an_hour(every_s, waits_s):
    async def wait() -> list[float]:
        poller, station = Poller("https://example.org", every_s=every_s), _Station(tag="x")
        found = []
        for _ in waits_s:
            assert poller._failed(station, "missing") == "missing"
            found.append(station.not_before_s - asyncio.get_running_loop().time())
        assert (station.failures, station.tag) == (len(waits_s), "")
        return found

    # less a round and a half
    npt.assert_allclose(asyncio.run(wait()), np.array(waits_s) - 1.5 * every_s, atol=1.0)


def test_a_service_without_regions():
    client = httpx.Client(
        transport=httpx.MockTransport(lambda request: httpx.Response(200, json=[])), base_url="http://service"
    )
    records = Records.from_arrays([60.0], [[0.1]], gauges=["46404"], lon_deg=[231.3], lat_deg=[45.9])
    with pytest.raises(InputError, match="the service has no region with a gauge of 46404"):
        play(records, "http://service", token=TOKEN, epicentre=(235.0, 46.0), client=client)
