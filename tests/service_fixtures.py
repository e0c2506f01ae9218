"""A service to test, and samples to send it."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, make_url, text
from starlette.testclient import TestClient

from slipcast.realtime.nowcast import Nowcast
from slipcast.service.app import create_app
from slipcast.service.running import nowcast_by
from slipcast.service.settings import Limits, Settings

TOKEN = "a-token-for-tests-alone"
WRITE = {"authorization": f"Bearer {TOKEN}"}
EVENT = {
    "region": "cascadia",
    "origin_time": "2026-01-26T21:00:00Z",
    "longitude": -124.8,
    "latitude": 46.0,
    "magnitude": 8.6,
    "name": "test",
    "simulation": True,
}


def bank_nowcast(bank) -> Nowcast:
    """Answer by damped least squares, which is quick."""
    return nowcast_by("tikhonov", bank)


@contextmanager
def served(nowcast: Nowcast, database: str, *, limits: Limits | None = None, poller=None, **more):
    """Run a service, and give a client of it."""
    settings = Settings(database, TOKEN, hosts=("testserver",), limits=limits or Limits(), wait_s=20.0, **more)
    app = create_app(settings, {nowcast.region.name: nowcast}, poller=poller)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def sqlite(folder: Path, name: str = "watch") -> str:
    """Return the URL of a database in a folder."""
    return f"sqlite:///{folder / name}.sqlite"


@contextmanager
def postgres():
    """Make a database on the server that ``SLIPCAST_TEST_POSTGRES`` names, for one test; skip where there is none."""
    server = os.environ.get("SLIPCAST_TEST_POSTGRES", "")
    if not server:
        pytest.skip("no PostgreSQL: SLIPCAST_TEST_POSTGRES does not say where one is")
    name = f"test_{secrets.token_hex(6)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def create(client: TestClient, **changes) -> str:
    """Create an event; return its name."""
    answer = client.post("/api/events", json=EVENT | changes, headers=WRITE)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def post(client: TestClient, event: str, samples: list[dict]) -> dict:
    """Send a batch; return what became of it."""
    answer = client.post(f"/api/events/{event}/samples", json={"samples": samples}, headers=WRITE)
    assert answer.status_code == 200, answer.text
    return answer.json()


def waves(
    bank, gauges=("46404", "46407", "46419"), minutes: int = 30, slip_m: float = 4.0, seed: int = 3
) -> list[dict]:
    """Return samples of an earthquake on two unit sources of a bank, with noise."""
    response = bank.source_response(list(gauges), sources=bank.sources[3:5], window_min=float(minutes))
    level = slip_m * response.sum("source").transpose("gauge", "time")
    rng = np.random.default_rng(seed)
    return [
        {"gauge": name, "seconds": float(at), "sea_level_m": round(float(value + 0.004 * rng.standard_normal()), 5)}
        for name, row in zip(gauges, level.to_numpy())
        for at, value in zip(level["time"].to_numpy(), row)
        if at <= 60 * minutes
    ]


def answer_of(client: TestClient, event: str) -> dict:
    """Return the latest result, but what depends on when it was computed."""
    found = client.get(f"/api/events/{event}/results/latest").json()
    return {key: value for key, value in found.items() if key not in ("number", "created", "latency_ms")}
