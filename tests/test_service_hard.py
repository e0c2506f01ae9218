"""A service in a process of its own: started by the command, killed, started again."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from page_fixtures import serving
from service_fixtures import TOKEN, postgres

ROOT = Path(__file__).parents[1]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    if request.param == "sqlite":
        yield None
        return
    with postgres() as url:
        yield url


@pytest.mark.slow
def test_kills_under_load_lose_nothing(database, tmp_path):
    out = tmp_path / "kills.json"
    command = [sys.executable, "-m", "benchmarks.studies.service_kills", "--kills", "2", "--out", str(out)]
    done = subprocess.run(
        [*command, *([] if database is None else ["--database", database])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text())
    assert found["samples_checked"] > 0
    assert (found["samples_lost"], found["answers_the_same"]) == (0, found["events"])


@pytest.mark.slow
def test_the_command_serves_and_an_event_is_played_into_it(tmp_path):
    token = tmp_path / "token"
    token.write_text(TOKEN)
    slipcast = [sys.executable, "-m", "slipcast"]
    database = f"sqlite:///{tmp_path / 'watch.sqlite'}"
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
    serving = subprocess.Popen(
        [*slipcast, "serve", "--port", "0", "--token-file", str(token), "--database", database],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        line = serving.stdout.readline()
        assert line.startswith("serving cascadia at http://127.0.0.1:")
        address = line.split()[-1]
        play = [*slipcast, "replay", "cascadia-simulation", "--to", address, "--token-file", str(token)]
        done = subprocess.run(
            [*play, "--speed", "100000", "--until", "12"], capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        assert "48 samples in 12 batches" in done.stdout
        with urllib.request.urlopen(f"{address}api/events", timeout=30) as answer:
            (event,) = json.load(answer)["events"]
        assert event["simulation"]
        assert event["latest"]["minute"] == 12.0
    finally:
        serving.terminate()
        assert serving.wait(30) is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("begin", "more"),
    [(b"GET / HTTP/1.1\r\nX-A: ", b"a" * 1000), (b"GET / HTTP/1.1\r\n", b"X-A: b\r\n" * 125), (b"GET /", b"a" * 1000)],
    ids=["one long", "many", "path"],
)
def test_headers_without_an_end_are_cut_off(tmp_path, begin, more):
    with serving(tmp_path) as running:
        port = int(running.address.rsplit(":", 1)[1])
        sent = 0
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(begin)
            with suppress(ConnectionError):
                while sent < 50_000_000:
                    client.sendall(more)
                    sent += len(more)
        # what the system's own buffers take comes on top of the 64 kB that the service reads
        assert sent < 10_000_000
        assert running.get("/health")["database"] == "ok"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("region", "says"), [("atlantis", "unknown region 'atlantis'"), ("chile", "region chile needs a bank")]
)
def test_a_region_that_nothing_answers_for_is_one_line(tmp_path, region, says):
    done = subprocess.run(
        [sys.executable, "-m", "slipcast", "serve", "--region", region],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XDG_DATA_HOME": str(tmp_path)},
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr
