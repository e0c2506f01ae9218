"""Who may do what, and what comes of nonsense: no fault, nothing kept that is no number in its range."""

from __future__ import annotations

import json
import math
import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service_fixtures import EVENT, TOKEN, WRITE, bank_nowcast, create, post, served, sqlite, waves
from slipcast.errors import InputError
from slipcast.service.running import Serving, load_nowcasts
from slipcast.service.security import CONTENT_POLICY, Rates
from slipcast.service.settings import Limits, Settings, is_loopback, load_token
from slipcast.service.storage.store import Store


@pytest.fixture(scope="module")
def engine(small_bank):
    return bank_nowcast(small_bank)


@pytest.fixture(scope="module")
def client(engine, tmp_path_factory):
    many = Limits(reads_per_s=1e6, reads_at_once=1e6, writes_per_s=1e6, writes_at_once=1e6, body_bytes=20_000)
    with served(engine, sqlite(tmp_path_factory.mktemp("service")), limits=many) as client:
        yield client


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer \xff"])
def test_writes_need_the_token(client, given):
    headers = {} if given is None else {"authorization": given.encode("latin-1")}
    for path, content in (("/api/events", EVENT), ("/api/events/0123456789abcdef/samples", {"samples": []})):
        answer = client.post(path, json=content, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_reads_need_it_where_the_service_is_private(engine, tmp_path):
    with served(engine, sqlite(tmp_path), private=True) as client:
        event = create(client)
        for path in ("/api/events", f"/api/events/{event}/stream", "/api/regions", "/metrics", "/openapi.json"):
            assert client.get(path).status_code == 401, path
        assert client.get("/api/events", headers=WRITE).json()["total"] == 1
        assert client.get("/health").status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/events", "/api/events/none", "/nowhere", "/health"])
def test_every_answer_tells_a_browser_what_it_may_do(client, path):
    headers = client.get(path).headers
    assert headers["content-security-policy"] == CONTENT_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers
    assert "set-cookie" not in headers
    assert "unsafe" not in CONTENT_POLICY


def test_other_names_are_not_answered(client):
    assert client.get("/health", headers={"host": "elsewhere.example"}).status_code == 421
    assert client.get("/health", headers={"host": "testserver:8000"}).status_code == 200


def test_bodies_have_a_size(client):
    event = create(client)
    path = f"/api/events/{event}/samples"
    assert client.post(path, content=b" " * 20_001, headers=WRITE).status_code == 413
    parts = (b" " * 1000 for _ in range(30))  # no length is told
    assert client.post(path, content=parts, headers=WRITE).status_code == 413
    assert client.post(path, content=b"[" * 15_000, headers=WRITE).status_code in (400, 422)


def test_rates_have_limits(engine, tmp_path):
    few = Limits(reads_per_s=0.01, reads_at_once=3, writes_per_s=0.01, writes_at_once=1)
    with served(engine, sqlite(tmp_path), limits=few) as client:
        assert [client.get("/health").status_code for _ in range(4)] == [200, 200, 200, 429]
        assert client.post("/api/events", json=EVENT).status_code == 401  # guesses of the token count, too
        answer = client.post("/api/events", json=EVENT, headers=WRITE)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 1


def test_rates_forget_clients_but_not_at_once():
    rates = Rates(1.0, 1.0)
    assert rates.take("first", 0.0) == 0.0
    assert [rates.take(str(number), 0.0) for number in range(10_000)] == [0.0] * 10_000
    assert len(rates._left) <= 4096


def test_events_and_samples_have_limits(engine, small_bank, tmp_path):
    few = Limits(events=1, event_samples=10)
    with served(engine, sqlite(tmp_path), limits=few) as client:
        event = create(client)
        answer = client.post("/api/events", json=EVENT, headers=WRITE)
        assert (answer.status_code, answer.json()["detail"]) == (409, "this service keeps at most 1 events")
        samples = waves(small_bank)[:11]
        answer = client.post(f"/api/events/{event}/samples", json={"samples": samples}, headers=WRITE)
        assert answer.status_code == 409
        assert post(client, event, samples[:10])["new"] == 10
        assert post(client, event, samples[:10])["same"] == 10


def test_a_fault_tells_nothing(engine, tmp_path, monkeypatch, caplog):
    def broken(*_arguments):
        raise RuntimeError("/secret/path of the machine")

    with served(engine, sqlite(tmp_path)) as client:
        monkeypatch.setattr(Store, "events", broken)
        answer = client.get("/api/events")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    name = answer.json()["detail"].rpartition(" ")[2]
    assert name in caplog.text
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"region": "atlantis"}, "region"),
        ({"region": "../chile"}, "region"),
        ({"origin_time": "yesterday"}, "origin_time"),
        ({"origin_time": "2026-01-26T21:00:00"}, "origin_time"),
        ({"origin_time": "1700-01-26T21:00:00Z"}, "origin_time"),
        ({"origin_time": 5}, "origin_time"),
        ({"longitude": 361}, "longitude"),
        ({"latitude": "46"}, "latitude"),
        ({"magnitude": 11}, "magnitude"),
        ({"name": "x" * 81}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"simulation": 1}, "simulation"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_event_that_breaks_a_rule_is_refused(client, changes, said):
    answer = client.post("/api/events", json=EVENT | changes, headers=WRITE)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "sample",
    [
        {"gauge": "46404", "seconds": 60},
        {"gauge": "46404", "sea_level_m": 0.1},
        {"gauge": "46404", "seconds": 60, "time": "2026-01-26T21:01:00Z", "sea_level_m": 0.1},
        {"gauge": "46404", "seconds": 60, "sea_level_m": 0.1, "water_column_m": 3000.0},
        {"gauge": "46404", "seconds": 60, "sea_level_m": 9999},
        {"gauge": "46404", "seconds": 60, "sea_level_m": True},
        {"gauge": "46404", "seconds": 60, "sea_level_m": "0.1"},
        {"gauge": "46404", "seconds": 1e9, "sea_level_m": 0.1},
        {"gauge": "46404", "time": "2030-01-26T21:01:00Z", "sea_level_m": 0.1},
        {"gauge": "46404", "seconds": 60, "water_column_m": -3.0},
        {"gauge": "elsewhere", "seconds": 60, "sea_level_m": 0.1},
        {"gauge": "46404; drop", "seconds": 60, "sea_level_m": 0.1},
    ],
)
def test_a_batch_with_one_bad_sample_is_refused_whole(client, sample):
    event = create(client)
    good = {"gauge": "46404", "seconds": 120, "sea_level_m": 0.1}
    answer = client.post(f"/api/events/{event}/samples", json={"samples": [good, sample]}, headers=WRITE)
    assert answer.status_code == 422
    assert "\n" not in answer.json()["detail"]
    assert client.get(f"/api/events/{event}").json()["n_samples"] == 0


@pytest.mark.parametrize("received", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", 7, "now"])
def test_when_a_batch_came_is_a_time_of_these_days(client, received):
    event = create(client)
    batch = {"samples": [{"gauge": "46404", "seconds": 60, "sea_level_m": 0.1}], "received": received}
    answer = client.post(f"/api/events/{event}/samples", json=batch, headers=WRITE)
    assert answer.status_code == 422
    assert "received" in answer.json()["detail"]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_times_at_the_ends_of_the_calendar_are_refused(client, moment):
    event = create(client)
    batch = {"samples": [{"gauge": "46404", "time": moment, "sea_level_m": 0.1}]}
    assert client.post(f"/api/events/{event}/samples", json=batch, headers=WRITE).status_code == 422
    assert client.post("/api/events", json=EVENT | {"origin_time": moment}, headers=WRITE).status_code == 422


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
def test_what_json_does_not_have_is_refused(client, number):
    event = create(client)
    body = '{"samples": [{"gauge": "46404", "seconds": 60, "sea_level_m": NUMBER}]}'.replace("NUMBER", number)
    answer = client.post(f"/api/events/{event}/samples", content=body.encode(), headers=WRITE)
    assert answer.status_code in (400, 422)
    assert client.get(f"/api/events/{event}").json()["n_samples"] == 0


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_SAMPLE = st.fixed_dictionaries(
    {},
    optional={
        "gauge": st.sampled_from(["46404", "46407", "x", "", "é"]) | _JSON,
        "seconds": st.sampled_from([60, 120.5, -1e9, 1e308]) | _JSON,
        "time": st.sampled_from(["2026-01-26T21:05:00Z", "0000-00-00", "2026-01-26T21:05:00+99:99"]) | _JSON,
        "sea_level_m": st.sampled_from([0.01, 50, -50, 50.01]) | _JSON,
        "water_column_m": st.sampled_from([2800.0, 0, -1]) | _JSON,
    },
)
_BODIES = st.binary(max_size=60) | st.fixed_dictionaries(
    {"samples": st.lists(_SAMPLE | _JSON, max_size=3) | _JSON}, optional={"received": _JSON}
).map(lambda content: json.dumps(content).encode())


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=_BODIES)
def test_broken_batches_make_no_fault_and_leave_no_nonsense(client, fuzzed, body):
    answer = client.post(f"/api/events/{fuzzed}/samples", content=body, headers=WRITE)
    assert answer.status_code in (200, 400, 409, 422)
    if answer.status_code != 200:
        assert set(answer.json()) == {"detail"}


@pytest.fixture(scope="module")
def fuzzed(client):
    event = create(client)
    yield event
    file = client.app.state.watch.store._engine.url.database
    with sqlite3.connect(file) as connection:
        rows = connection.execute("SELECT gauge, kind, at_ms, height_m FROM samples").fetchall()
    for gauge, kind, at_ms, height_m in rows:
        assert gauge in ("46404", "46407", "46419", "westport", "newport")
        assert isinstance(at_ms, int)
        assert math.isfinite(height_m)
        assert abs(height_m) <= 50 if kind == "sea_level" else 0 < height_m <= 12000


@pytest.mark.parametrize(
    "path",
    [
        "/api/events/..%2f..%2fetc",
        "/api/events/0123456789abcdeg",
        "/api/events/0123456789abcdef",
        "/api/events/0123456789abcdef/results/0",
        "/api/events/0123456789abcdef/results/99999999999999999999",
        "/api/events/0123456789abcdef/export/passwd",
        "/api/events?limit=0",
        "/api/events?offset=99999999999999999999999",
        "/page/../app.py",
        "/page/%2e%2e/app.py",
        "/page//etc/passwd",
        "/page/%00",
    ],
)
def test_paths_lead_nowhere_else(client, path):
    assert client.get(path).status_code in (404, 405, 422)


def test_tokens_are_long_and_their_files_private(tmp_path, monkeypatch):
    monkeypatch.delenv("SLIPCAST_TOKEN", raising=False)
    fresh = tmp_path / "new" / "token"
    token, source = load_token(None, fresh)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o600
    assert load_token(None, fresh) == (token, source)
    assert load_token(fresh, tmp_path / "other")[0] == token
    assert not (tmp_path / "other").exists()
    short = tmp_path / "short"
    short.write_text("guess")
    with pytest.raises(InputError, match="must have 16 to 512 characters, got 5"):
        load_token(short, fresh)
    with pytest.raises(InputError, match="cannot read token file"):
        load_token(tmp_path / "none", fresh)
    monkeypatch.setenv("SLIPCAST_TOKEN", "from-the-environment")
    assert load_token(None, fresh) == ("from-the-environment", "SLIPCAST_TOKEN")
    with pytest.raises(InputError, match="printable ASCII"):
        Settings("sqlite:///x", "sixteen letters and blanks")
    assert TOKEN not in repr(Settings("sqlite:///x", TOKEN))


def test_what_is_not_said_is_the_safe_way(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("SLIPCAST_TOKEN", raising=False)

    def at(host: str, *hosts: str) -> Settings:
        more = {"token_file": None, "private": False, "proxy": None, "ndbc_url": None, "poll_s": 60.0}
        return Serving.at(host, 0, database=None, hosts=hosts, **more).settings

    own = at("127.0.0.1")
    assert own.database == f"sqlite:///{tmp_path}/slipcast/watch.sqlite"
    assert {"127.0.0.1", "localhost"} <= {*own.hosts}
    assert at("127.0.0.1", "Watch.Example.org").hosts[-1] == "watch.example.org"
    assert at("0.0.0.0").hosts == ()
    assert "watch.example.org" in at("0.0.0.0", "watch.example.org").hosts
    assert not is_loopback("0.0.0.0")


def test_what_cannot_be_served_is_refused(small_bank, tmp_path):
    file = tmp_path / "bank.nc"
    small_bank.save(file)
    with pytest.raises(InputError, match="--bank must be given once a region"):
        load_nowcasts([], [], [file, file])
    with pytest.raises(InputError, match="got none"):
        load_nowcasts([], [], [])
    with pytest.raises(InputError, match="region chile needs a bank"):
        load_nowcasts(["chile"], [], [])


def test_databases_that_cannot_be_are_refused(tmp_path):
    for url, said in (
        ("nonsense", "must be a URL"),
        ("mysql://here/there", "database must be"),
        (f"sqlite:///{tmp_path}", "cannot open the database"),
        ("postgresql+psycopg://nobody:hidden@127.0.0.1:1/none", "cannot open the database"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            Store(url)
        assert "hidden" not in str(caught.value)


def test_a_database_of_a_newer_slipcast_is_left_alone(tmp_path):
    file = Path(tmp_path / "new.sqlite")
    Store(f"sqlite:///{file}").close()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(InputError, match="tables of version 9999"):
        Store(f"sqlite:///{file}")


def test_the_description_has_all_doors_and_their_refusals(client):
    described = client.get("/openapi.json").json()["paths"]
    events = "/api/events/{id}"
    assert {
        "/health",
        "/metrics",
        "/api/regions",
        "/api/regions/{region}/coast",
        "/api/events",
        events,
        f"{events}/samples",
        f"{events}/records",
        f"{events}/results",
        f"{events}/results/{{number}}",
        f"{events}/results/{{number}}/series",
        f"{events}/export/{{name}}",
        f"{events}/stream",
    } == set(described)
    for path, doors in described.items():
        for door in doors.values():
            assert {"401", "421", "422", "429"} <= set(door["responses"]), path
