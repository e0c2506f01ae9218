"""What the service and its client refuse, and what they just accept."""

from __future__ import annotations

import builtins
import time
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from service_fixtures import TOKEN, WRITE, bank_nowcast, create, post, served, sqlite
from slipcast.errors import InputError
from slipcast.records import Records
from slipcast.service.api.results import Alerts
from slipcast.service.api.schemas import EventIn, SamplesIn
from slipcast.service.broker import Broker
from slipcast.service.client import play
from slipcast.service.settings import Limits, Settings, data_folder, load_token
from slipcast.service.storage.store import Store


@pytest.fixture(scope="module")
def nowcast(small_bank):
    return bank_nowcast(small_bank)


# --- streams


def test_streams_are_limited_in_all_and_by_client():
    broker = Broker(3, 2)
    with broker.listening(1, "a"), broker.listening(2, "a"):
        assert not broker.has_room("a")
        assert broker.has_room("b")
        with broker.listening(1, "b"):
            assert len(broker) == 3
            assert not broker.has_room("b")
            assert not broker.has_room("c")
        assert broker.has_room("b")
    assert (len(broker), broker.has_room("a")) == (0, True)


def test_only_the_streams_of_an_event_are_woken():
    broker = Broker(9, 9)
    with broker.listening(1, "a") as first, broker.listening(2, "a") as second:
        broker.wake(1)
        assert (first.is_set(), second.is_set()) == (True, False)
        broker.wake_all()
        assert second.is_set()
        broker.wake(3)  # of an event that nobody follows


def test_one_stream_too_many_is_refused(nowcast, tmp_path):
    with served(nowcast, sqlite(tmp_path), limits=Limits(streams=0)) as client:
        answer = client.get(f"/api/events/{create(client)}/stream")
    assert (answer.status_code, answer.json()["detail"]) == (429, "too many open streams")


# --- bodies


MANY = {f"k{number}": 1 for number in range(75_000)}


@pytest.mark.parametrize(
    ("schema", "content", "place"),
    [
        (EventIn, MANY, ("k0",)),
        (EventIn, {"region": "cascadia"} | MANY, ("k0",)),
        (SamplesIn, MANY, ("k0",)),
        (SamplesIn, {"samples": [{"gauge": "46404", "seconds": 1.0, "sea_level_m": 0.0} | MANY]}, ("samples", 0, "k0")),
        (SamplesIn, {"samples": [{"gauge": "46404", "k1": 1}] * 50_000}, ("samples", 0, "k1")),
    ],
)
def test_of_many_unknown_keys_one_is_refused(schema, content, place):
    began = time.process_time()
    with pytest.raises(ValidationError) as told:
        schema.model_validate(content)
    assert time.process_time() - began < 0.2  # each of them took a second or more
    assert [each["loc"] for each in told.value.errors() if each["type"] == "extra_forbidden"] == [place]
    assert len(told.value.errors()) < 10


def test_the_years_in_which_a_batch_can_have_come():
    batch = {"samples": [{"gauge": "46404", "seconds": 1.0, "sea_level_m": 0.0}]}
    for received in ("1970-01-01T00:00:00Z", "2100-12-31T23:59:59Z"):
        found = SamplesIn.model_validate(batch | {"received": received}).received
        assert found == datetime.fromisoformat(received)
    for received in ("1969-12-31T23:59:59Z", "2101-01-01T00:00:00Z"):
        with pytest.raises(ValidationError, match="must be between 1970 and 2100"):
            SamplesIn.model_validate(batch | {"received": received})


def test_a_request_of_many_unknown_keys_names_the_first(nowcast, tmp_path):
    with served(nowcast, sqlite(tmp_path)) as client:
        about = {"region": "cascadia", "origin_time": "2026-01-26T21:00:00Z", "longitude": -125.0, "latitude": 45.0}
        answer = client.post("/api/events", json=about | MANY, headers=WRITE)
    assert (answer.status_code, answer.json()["detail"]) == (422, "k0: is not known")


# --- samples


@pytest.mark.parametrize(
    "sample",
    [
        {"seconds": 60.0, "sea_level_m": 50.0},
        {"seconds": 60.0, "sea_level_m": -50.0},
        {"seconds": 60.0, "water_column_m": 12000.0},
        {"seconds": 60.0, "water_column_m": 0.001},
    ],
)
def test_heights_up_to_the_limits_are_kept(nowcast, tmp_path, sample):
    with served(nowcast, sqlite(tmp_path)) as client:
        assert post(client, create(client), [{"gauge": "46404"} | sample])["new"] == 1


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ({"time": 5, "sea_level_m": 0.0}, "time: must be a time such as 2011-03-11T05:46:24Z"),
        ({"seconds": 60.0, "sea_level_m": 50.001}, "sea_level_m: "),
        ({"seconds": 60.0, "sea_level_m": -50.001}, "sea_level_m: "),
        ({"seconds": 60.0, "water_column_m": 12000.1}, "water_column_m: "),
        ({"seconds": 60.0, "water_column_m": 0.0}, "water_column_m: "),
        ({"sea_level_m": 0.0}, "a sample needs either time or seconds"),
        ({"seconds": 60.0}, "a sample needs either sea_level_m or water_column_m"),
    ],
)
def test_a_sample_beyond_the_limits_says_which_rule(nowcast, tmp_path, sample, said):
    with served(nowcast, sqlite(tmp_path)) as client:
        batch = {"samples": [{"gauge": "46404"} | sample]}
        answer = client.post(f"/api/events/{create(client)}/samples", json=batch, headers=WRITE)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


# --- the client


def client_of(gauges: list[str]) -> httpx.Client:
    """Return a client of a service with one region."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/regions":
            return httpx.Response(200, json=[{"name": "cascadia", "gauges": [{"name": name} for name in gauges]}])
        return httpx.Response(201, json={"id": "0" * 16})

    return httpx.Client(transport=httpx.MockTransport(answer), base_url="http://service")


def one_record(first_s: float = 60.0) -> Records:
    times = [first_s, first_s + 60.0]
    made = Records.from_arrays(times, [[0.1, 0.2]], gauges=["46404"], lon_deg=[231.3], lat_deg=[45.9])
    return Records(made.dataset.assign_attrs(epicentre=[235.0, 46.0]))


def test_records_of_gauges_that_no_region_has():
    with pytest.raises(InputError, match="the service has no region with a gauge of 46404"):
        play(one_record(), "http://service", token=TOKEN, client=client_of(["46407"]))


def test_records_without_a_sample_that_is_sent():
    late = one_record(31 * 60.0)
    with pytest.raises(InputError, match="there is no sample up to minute 30 of a gauge that the service knows"):
        play(late, "http://service", token=TOKEN, until_min=30.0, client=client_of(["46404"]))
    with pytest.raises(InputError, match="there is no sample up to minute 30 of a gauge"):
        play(
            one_record(), "http://service", token=TOKEN, until_min=30.0, region="cascadia", client=client_of(["46407"])
        )


# --- database and token


def test_a_database_in_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^cannot make the folder of the database: (Not a directory|File exists)$"):
        Store(f"sqlite:///{tmp_path}/file/watch.sqlite")


def test_a_database_whose_driver_is_not_installed(monkeypatch):
    whole = builtins.__import__

    def without(name, *arguments, **options):
        if name.split(".")[0] == "psycopg":
            raise ModuleNotFoundError(f"No module named {name!r}", name="psycopg")
        return whole(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"the database needs the package psycopg: pip install 'slipcast\[postgres\]'"):
        Store("postgresql+psycopg://slipcast@127.0.0.1/none")


def test_a_token_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.delenv("SLIPCAST_TOKEN", raising=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*token"):
        load_token(None, tmp_path / "file" / "token")


@pytest.mark.parametrize(("length", "good"), [(15, False), (16, True), (512, True), (513, False)])
def test_tokens_have_a_length(length, good):
    if good:
        assert Settings("sqlite://", "!" * length).token == "!" * length
        return
    with pytest.raises(InputError, match=f"must have 16 to 512 characters, got {length}"):
        Settings("sqlite://", "!" * length)


@pytest.mark.parametrize("limits", [{"streams": 7}, {"streams_per_client": 5}])
def test_limits_of_streams_reach_the_broker(nowcast, tmp_path, limits):
    with served(nowcast, sqlite(tmp_path), limits=Limits(**limits)) as client:
        broker = client.app.state.watch.broker
    assert (broker._most, broker._most_per_client) == (limits.get("streams", 256), limits.get("streams_per_client", 64))


@pytest.mark.parametrize(
    ("height_m", "called"),
    [(0.0999, "none"), (0.1, "information"), (0.4999, "information"), (0.5, "advisory"), (2.0, "warning")],
)
def test_alerts_begin_at_the_heights_given(height_m, called):
    assert Alerts(information_m=0.1, advisory_m=0.5, warning_m=2.0).of(height_m) == called


def test_where_a_user_keeps_the_token_and_the_database(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # which the standard says to ignore
    assert data_folder() == tmp_path / ".local" / "share" / "slipcast"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert data_folder() == tmp_path / ".local" / "share" / "slipcast"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    assert data_folder() == tmp_path / "elsewhere" / "slipcast"
