"""How the server of the service is set up: what it says of itself, whom it believes, where it listens."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
import uvicorn

from service_fixtures import TOKEN, bank_nowcast, sqlite
from slipcast.errors import InputError
from slipcast.service import running
from slipcast.service.running import Serving, run
from slipcast.service.settings import Settings


class Stopped(Exception):
    """Raised in place of serving."""


@pytest.fixture
def made(monkeypatch):
    """Catch what the server and the poller are made of."""
    found = {}

    class Server:
        def __init__(self, config):
            found["config"] = config

        def run(self, sockets):
            found["address"] = sockets[0].getsockname()[:2]
            sockets[0].close()
            raise Stopped

    monkeypatch.setattr(uvicorn, "Server", Server)
    monkeypatch.setattr(running, "Poller", lambda *address, **options: found.update(poller=(address, options)))
    return found


def served(small_bank, tmp_path, host: str = "127.0.0.1", port: int = 0, **options) -> str:
    """Set a server up; return the address that it says."""
    said = []
    serving = Serving(host, port, Settings(sqlite(tmp_path), TOKEN), "a test", **options)
    with pytest.raises(Stopped):
        run(serving, {"cascadia": bank_nowcast(small_bank)}, ready=said.append)
    return said[0]


def test_a_server_tells_nothing_of_itself_and_believes_nobody(small_bank, tmp_path, made):
    said = served(small_bank, tmp_path)
    config = made["config"]
    assert said == f"http://127.0.0.1:{made['address'][1]}/"
    assert (config.server_header, config.access_log, config.proxy_headers) == (False, False, False)
    # the parser whose headers have a limit; no web sockets, which pass no guard
    assert (config.http, config.ws, config.h11_max_incomplete_event_size) == ("h11", "none", running._HEADER_BYTES)
    assert config.limit_concurrency == running._MOST_CONNECTIONS
    assert (config.timeout_keep_alive, config.timeout_graceful_shutdown, config.log_level) == (15, 3, "warning")
    assert "poller" not in made


def test_only_the_proxy_that_was_named_is_believed(small_bank, tmp_path, made):
    served(small_bank, tmp_path, proxy="10.0.0.7")
    assert (made["config"].proxy_headers, made["config"].forwarded_allow_ips) == (True, "10.0.0.7")


def test_a_poller_asks_where_and_as_often_as_was_said(small_bank, tmp_path, made):
    served(small_bank, tmp_path, ndbc_url="https://example.org", poll_s=90.0)
    assert made["poller"] == (("https://example.org",), {"every_s": 90.0})


def test_the_service_is_given_the_poller(small_bank, tmp_path, made, monkeypatch):
    given = []
    monkeypatch.setattr(running, "Poller", lambda *_, **__: "a poller")
    monkeypatch.setattr(running, "create_app", lambda *_, poller=None: given.append(poller))
    served(small_bank, tmp_path, ndbc_url="https://example.org")
    served(small_bank, tmp_path)
    assert given == ["a poller", None]


def test_an_address_of_the_sixth_version_has_brackets(small_bank, tmp_path, made):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        with closing(socket.socket(socket.AF_INET6)) as trial:
            trial.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    assert served(small_bank, tmp_path, host="::1") == f"http://[::1]:{made['address'][1]}/"


def test_a_port_that_is_taken(small_bank, tmp_path, made):
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        serving = Serving("127.0.0.1", port, Settings(sqlite(tmp_path), TOKEN), "a test")
        with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1 port {port}: Address already in use"):
            run(serving, {"cascadia": bank_nowcast(small_bank)}, ready=lambda address: None)
