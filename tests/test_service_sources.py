"""Where samples come from: NDBC's files with all their habits, and events that are played."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import numpy as np
import numpy.testing as npt
import pytest
from typer.testing import CliRunner

from service_fixtures import EVENT, TOKEN, WRITE, bank_nowcast, create, served, sqlite, waves
from slipcast.cli.main import app as command
from slipcast.errors import InputError
from slipcast.realtime.nowcast import Nowcast
from slipcast.records import Records, parse_dart
from slipcast.service.client import play
from slipcast.service.poller import Poller, whole_lines

ORIGIN = datetime.fromisoformat(EVENT["origin_time"])
NOW = ORIGIN + timedelta(hours=1)
SPAN = (ORIGIN - timedelta(days=3), NOW)
HEADER = "#YY  MM DD hh mm ss T   HEIGHT\n#yr  mo dy hr mn  s -        m\n"


@pytest.fixture(scope="module")
def engine(small_bank):
    return bank_nowcast(small_bank)


def line(minute: float, height_m: float, kind: int = 2) -> str:
    """Write a line of NDBC's, minutes after the origin."""
    return f"{ORIGIN + timedelta(minutes=minute):%Y %m %d %H %M %S} {kind} {height_m:9.3f}\n"


def tide(minute: float) -> float:
    """Return the height of a water column without a tsunami."""
    return 2800.0 + 0.7 * np.cos(2 * np.pi * minute / 745.0)


class Ndbc:
    """A server of files with the habits of NDBC's; what it answers is set by the test."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.status, self.cut, self.kind = 200, False, "text/plain"
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, self.headers.get("if-none-match")))
                content = outer.files.get(self.path)
                status = 404 if content is None else outer.status
                tag = f'"{hash(content)}"'
                if status == 200 and self.headers.get("if-none-match") == tag:
                    status = 304
                body = b"" if status == 304 else content or b"<html>Not found</html>"
                self.send_response(status)
                self.send_header("content-type", outer.kind)
                self.send_header("content-length", str(len(body) + (100 if outer.cut else 0)))
                if status == 200:
                    self.send_header("etag", tag)
                if status == 302:
                    self.send_header("location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def ndbc():
    server = Ndbc()
    yield server
    server.close()


def outcomes(client) -> dict[str, int]:
    """Return how often polls ended how."""
    found = {}
    for each in client.get("/metrics").text.splitlines():
        if each.startswith("slipcast_polls_total{"):
            found[each.partition('outcome="')[2].partition('"')[0]] = int(float(each.rpartition(" ")[2]))
    return found


@pytest.mark.slow
def test_ndbc_is_followed_through_all_its_habits(engine, ndbc, tmp_path):
    path = "/data/realtime2/46404.dart"
    lines = [line(minute, tide(minute), 1) for minute in range(-1440, 0, 15)]
    poller = Poller(ndbc.address, every_s=1e-6, now=lambda: NOW)  # asks again at once, also after failures
    with served(engine, sqlite(tmp_path)) as client:
        watch = client.app.state.watch

        def poll() -> dict[str, int]:
            before = outcomes(client)
            client.portal.call(poller.once, watch)
            return {name: count - before.get(name, 0) for name, count in outcomes(client).items()}

        simulated = create(client)
        assert poll() == {}
        assert ndbc.asked == []
        event = create(client, simulation=False)
        assert poll()["missing"] == 3
        ndbc.files[path] = (HEADER + "".join(reversed(lines))).encode()
        assert poll()["new"] == 1
        count = client.get(f"/api/events/{event}").json()["n_samples"]
        assert count == len(lines)
        assert poll()["unchanged"] == 1
        # late and repeated: older lines come after newer ones, some twice, one is missing, two contradict each other
        fresh = [line(minute, tide(minute)) for minute in range(31)]
        ndbc.files[path] = (HEADER + "".join([*fresh[20:], *fresh[:20], *fresh[5:9], *lines])).encode()
        ndbc.files[path] += (line(31, 9999.0) + line(32, tide(32)) + line(32, tide(32) + 0.9)).encode()
        assert poll()["new"] == 1
        assert client.get(f"/api/events/{event}").json()["n_samples"] == count + len(fresh) + 1
        # cut where it may look whole, of which nothing after the last whole line is taken
        ndbc.files[path] = (HEADER + fresh[0] + line(40, 2799.5)[:-3]).encode()
        assert poll()["same"] == 1
        # cut by the transfer, a page of errors, a server that is down, a way elsewhere
        for status, cut, body, outcome in (
            (200, True, HEADER + fresh[0], "unreachable"),
            (200, False, "<!DOCTYPE html><html>Service is unavailable</html>\n", "unreadable"),
            (200, False, "", "unreadable"),
            (200, False, "\x00\xff" * 50 + "\n", "unreadable"),
            (503, False, "<html>busy</html>", "refused"),
            (302, False, "moved", "refused"),
        ):
            ndbc.status, ndbc.cut, ndbc.files[path] = status, cut, body.encode("latin-1")
            assert poll()[outcome] == 1, outcome
        assert client.get(f"/api/events/{event}").json()["n_samples"] == count + len(fresh) + 1
        assert client.get(f"/api/events/{simulated}").json()["n_samples"] == 0
        records = client.get(f"/api/events/{event}/records").json()["gauges"]
        found = next(each for each in records if each["gauge"] == "46404")
        assert found["state"] == "no wave detected"
        assert max(map(abs, found["sea_level_m"])) < 0.02  # the tide is gone
        assert {asked for asked, _ in ndbc.asked} == {
            f"/data/realtime2/{name}.dart" for name in ("46404", "46407", "46419")
        }


def test_a_file_that_cannot_be_had_is_asked_for_less_often(engine, ndbc, tmp_path):
    poller = Poller(ndbc.address, every_s=30.0, now=lambda: NOW)
    with served(engine, sqlite(tmp_path)) as client:
        create(client, simulation=False)
        for _ in range(3):
            client.portal.call(poller.once, client.app.state.watch)
    assert len(ndbc.asked) == 3  # once each gauge, and not again at once


def test_a_poller_runs_beside_the_service(engine, ndbc, tmp_path):
    ndbc.files["/data/realtime2/46404.dart"] = (HEADER + line(-30, 2800.0)).encode()
    poller = Poller(ndbc.address, every_s=0.01, now=lambda: NOW)
    with served(engine, sqlite(tmp_path), poller=poller) as client:
        event = create(client, simulation=False)
        for _ in range(200):
            if client.get(f"/api/events/{event}").json()["n_samples"]:
                break
            threading.Event().wait(0.01)
        assert client.get(f"/api/events/{event}").json()["n_samples"] == 1


def test_the_three_days_before_an_event_are_asked_for(engine, ndbc, tmp_path):
    days = np.array([-3.01, -3.0, -1.0, 0.01])
    ndbc.files["/data/realtime2/46404.dart"] = (HEADER + "".join(line(1440 * day, 2800.0) for day in days)).encode()
    with served(engine, sqlite(tmp_path)) as client:
        event = create(client, simulation=False)
        client.portal.call(Poller(ndbc.address, every_s=30.0, now=lambda: NOW).once, client.app.state.watch)
        assert client.get(f"/api/events/{event}").json()["n_samples"] == 3


def test_a_file_with_a_sample_more_and_another_one_corrected_is_new(engine, ndbc, tmp_path):
    poller = Poller(ndbc.address, every_s=1e-6, now=lambda: NOW)
    with served(engine, sqlite(tmp_path)) as client:
        create(client, simulation=False)
        for lines, new, same in (
            ([line(-45, 2800.0), line(-30, 2800.1)], 1, 0),
            ([line(-45, 2800.0), line(-30, 2800.2), line(-15, 2800.1)], 2, 0),
            ([line(-30, 2800.2), line(-15, 2800.1)], 2, 1),
        ):
            ndbc.files["/data/realtime2/46404.dart"] = (HEADER + "".join(lines)).encode()
            client.portal.call(poller.once, client.app.state.watch)
            assert (outcomes(client)["new"], outcomes(client).get("same", 0)) == (new, same)


def test_a_burst_of_bad_samples_over_a_quiet_sea_makes_no_tsunami(ndbc, tmp_path):
    """R2: ten samples of -9.4 m running at 46407, as NDBC's page would have them."""
    nowcast = Nowcast("cascadia")
    rng = np.random.default_rng(3)
    minutes = [*range(-1440, -30, 15), *range(-30, 46)]
    noise = {name: rng.normal(0, 0.001, len(minutes)) for name in nowcast.gauges}
    answers = {}
    for bad in (False, True):
        for name in nowcast.gauges:
            burst = dict.fromkeys(range(20, 30), -9.4) if bad and name == "46407" else {}
            ndbc.files[f"/data/realtime2/{name}.dart"] = (HEADER + "".join(
                line(minute, tide(minute) + off + burst.get(minute, 0.0), 1 if minute < -30 else 2)
                for minute, off in zip(minutes, noise[name], strict=True)
            )).encode()  # fmt: skip
        poller = Poller(ndbc.address, every_s=1e-6, now=lambda: NOW)
        folder = tmp_path / str(bad)
        folder.mkdir()
        with served(nowcast, sqlite(folder)) as client:
            event = create(client, simulation=False, magnitude=7.0)
            client.portal.call(poller.once, client.app.state.watch)
            for _ in range(400):
                latest = client.get(f"/api/events/{event}/results/latest")
                if latest.is_success and len(latest.json()["gauges_used"]) == len(nowcast.gauges):
                    break
                threading.Event().wait(0.05)
            answers[bad] = latest.json()
            states = {each["gauge"]: each["state"] for each in client.get(
                f"/api/events/{event}/records").json()["gauges"]}  # fmt: skip
            assert "wave detected" not in states.values()
    for found in answers.values():
        assert "no wave detected yet" in found["flags"]
        assert found["worst"]["max_amplitude_m"] < 0.3
    npt.assert_allclose(answers[True]["magnitude"], answers[False]["magnitude"], atol=0.2)
    assert any(flag.startswith("46407") and "10 samples left out (spike)" in flag for flag in answers[True]["flags"])


def test_only_whole_lines_are_believed():
    text = line(1, 2800.123) + line(2, 2800.5)[:-3] + "\n" + line(5000, 1.0) + "2026 01\n" + line(3, 2800.125)
    found = whole_lines(text.encode(), SPAN)
    assert found == f"{line(1, 2800.123)}{line(3, 2800.125)}".replace("  ", " ")
    # of several heights of one time the reader chooses, as it does in a file
    both = line(1, 2800.123) + line(1, 2800.987)
    assert whole_lines(both.encode(), SPAN).count("\n") == 2
    assert parse_dart(whole_lines(both.encode(), SPAN), station="46404", where="").height_m.tolist() == [2800.123]
    with pytest.raises(InputError, match="nothing of the time of the event"):
        whole_lines(b"<html>\n</html>\n", SPAN)


def test_an_address_of_ndbc_is_one():
    for text in ("ftp://ndbc", "http://", "file:///etc/passwd", "https://a b"):
        with pytest.raises(InputError, match="address of NDBC"):
            Poller(text)
    assert Poller("https://www.ndbc.noaa.gov")


def records_of(bank, **attributes) -> Records:
    """Return waves as records."""
    samples = waves(bank)
    gauges = list(dict.fromkeys(each["gauge"] for each in samples))
    times = sorted({each["seconds"] for each in samples})
    level = np.full((len(gauges), len(times)), np.nan)
    for each in samples:
        level[gauges.index(each["gauge"]), times.index(each["seconds"])] = each["sea_level_m"]
    places = [bank.region.gauge(name) for name in gauges]
    made = Records.from_arrays(
        times, level, gauges=gauges, lon_deg=[p.lon for p in places], lat_deg=[p.lat for p in places], title="played"
    )
    return Records(made.dataset.assign_attrs(attributes))


@pytest.mark.slow
def test_an_event_is_played_as_it_was_sent(engine, small_bank, tmp_path):
    records = records_of(small_bank, simulation=1, magnitude=8.4, epicentre=[235.0, 46.0])
    minutes = []
    with served(engine, sqlite(tmp_path)) as client:
        played = play(
            records,
            "http://testserver",
            token=TOKEN,
            speed=np.inf,
            latency_min={"46404": 3.0},
            magnitude=8.2,  # what a simulation names is the truth, and no first report
            origin_time=EVENT["origin_time"],
            progress=lambda done, *_: minutes.append(done),
            client=httpx.Client(transport=client._transport, base_url="http://testserver"),
        )
        event = client.get(f"/api/events/{played.event}").json()
        results = client.get(f"/api/events/{played.event}/results").json()["results"]
        known = {(each["gauge"], each["last_s"]) for each in client.get(
            f"/api/events/{played.event}/records").json()["gauges"]}  # fmt: skip
    assert played.n_batches == len(minutes) == 33
    assert minutes == sorted(minutes)
    assert (event["n_samples"], event["simulation"], event["magnitude"]) == (90, True, 8.2)
    assert (event["name"], event["longitude"], event["latitude"]) == ("played", -125.0, 46.0)
    assert ("46404", 1800.0) in known
    assert results[0]["gauges_used"] == ["46407", "46419"]
    assert results[-1]["minute"] == 30.0
    assert played.result == results[-1]["number"]


def test_what_cannot_be_played_is_refused(small_bank):
    records = records_of(small_bank)
    with pytest.raises(InputError, match="give its epicentre"):
        play(records, "http://127.0.0.1:1", token=TOKEN)
    with pytest.raises(InputError, match="speed must be > 0, got 0"):
        play(records, "http://127.0.0.1:1", token=TOKEN, speed=0)
    with pytest.raises(InputError, match=r"begin_min must be in \[0, 30\] min, got 31"):
        play(records, "http://127.0.0.1:1", token=TOKEN, begin_min=31, until_min=30, epicentre=(235.0, 46.0))
    with pytest.raises(InputError, match="must be an address such as"):
        play(records, "ftp://here", token=TOKEN, epicentre=(235.0, 46.0))
    with_tide = Records(records.dataset.assign_attrs(tide_removed=0))
    with pytest.raises(InputError, match="must be free of the tide"):
        play(with_tide, "http://127.0.0.1:1", token=TOKEN)


def test_what_was_sent_before_the_beginning_comes_at_once(engine, small_bank, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr("slipcast.service.client.time.sleep", pauses.append)
    monkeypatch.setattr("slipcast.service.client.time.monotonic", lambda: 0.0)
    with served(engine, sqlite(tmp_path)) as client:
        play(
            records_of(small_bank, epicentre=[235.0, 46.0]),
            "http://testserver",
            token=TOKEN,
            speed=60.0,
            begin_min=20.0,
            until_min=30.0,
            origin_time=EVENT["origin_time"],
            client=httpx.Client(transport=client._transport, base_url="http://testserver"),
        )
    # a minute takes a second, from minute 20 on; the clock stands still here
    assert pauses == [float(minute) for minute in range(11)]


def test_that_no_service_answers_yet_is_said_once(small_bank, monkeypatch):
    monkeypatch.setattr("slipcast.service.client.time.sleep", lambda _: None)
    said = []

    def refuse(_request):
        raise httpx.ConnectError("refused")

    client = httpx.Client(transport=httpx.MockTransport(refuse), base_url="http://testserver")
    with pytest.raises(InputError, match="no service answers at http://testserver"):
        play(
            records_of(small_bank, epicentre=[235.0, 46.0]),
            "http://testserver",
            token=TOKEN,
            waiting=lambda: said.append(1),
            client=client,
        )
    assert said == [1]


def test_a_service_that_is_busy_is_asked_again(small_bank, monkeypatch):
    pauses = []
    monkeypatch.setattr("slipcast.service.client.time.sleep", pauses.append)
    answers = iter([429, 503, 200])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/regions":
            gauges = [{"name": name} for name in ("46404", "46407", "46419")]
            return httpx.Response(200, json=[{"name": "cascadia", "gauges": gauges}])
        if request.url.path == "/api/events":
            status = next(answers)
            return httpx.Response(status, json={"id": "0" * 16} if status == 200 else {"detail": "busy"})
        assert request.headers["authorization"] == WRITE["authorization"]
        return httpx.Response(422, json={"detail": "no more"})

    client = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://service")
    with pytest.raises(InputError, match="the service answered 422: no more"):
        play(records_of(small_bank), "http://service", token=TOKEN, epicentre=(235.0, 46.0), client=client)
    assert [pause for pause in pauses if pause][:2] == [0.25, 0.5]


def test_the_command_says_what_does_not_go_together():
    done = CliRunner().invoke(command, ["replay", "chile2010", "--to", "http://127.0.0.1:1", "--model", "cascadia"])
    assert isinstance(done.exception, InputError)
    assert "leave out --model" in str(done.exception)
