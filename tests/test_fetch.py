"""Getting files from a server on this machine that behaves as NDBC does, and as networks do."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import numpy.testing as npt
import pytest

from case_fixtures import case
from slipcast.errors import InputError, SlipcastWarning
from slipcast.records import fetch
from slipcast.records.dart import read_dart
from slipcast.records.fetch import fetch_dart

HEADER = "#YY  MM DD hh mm ss T   HEIGHT\n#yr  mo dy hr mn  s -        m\n"
NOW = np.datetime64("2024-06-01T00:00:00")
START, END = np.datetime64("2011-03-11T05:00:00"), np.datetime64("2011-03-11T06:00:00")


def lines(start: str, count: int, *, step_min: int = 15, height_m: float = 5662.0) -> str:
    """Make lines of NDBC's text, newest first."""
    moments = np.datetime64(start, "s") + np.arange(count)[::-1] * np.timedelta64(step_min, "m")
    clocks = [str(moment).translate(str.maketrans("-T:", "   ")) for moment in moments]
    return "".join(f"{clock} 1 {height_m + number / 1000:.3f}\n" for number, clock in enumerate(clocks))


ARCHIVE = HEADER + lines("2011-03-11T00:00:00", 96)
FILES = {
    "/data/historical/dart/21418t2011.txt.gz": gzip.compress(ARCHIVE.encode()),
    "/data/historical/dart/21413t2011.txt.gz": ARCHIVE.encode(),
    "/data/historical/dart/21401t2010.txt.gz": gzip.compress((HEADER + lines("2010-12-31T23:00:00", 4)).encode()),
    "/data/historical/dart/21401t2011.txt.gz": gzip.compress((HEADER + lines("2011-01-01T00:00:00", 4)).encode()),
    "/data/historical/dart/21418t2024.txt.gz": gzip.compress((HEADER + lines("2024-04-16T23:00:00", 4)).encode()),
    "/data/realtime2/21418.dart": (HEADER + lines("2024-04-17T00:00:00", 96)).encode(),
    "/mirror/data/realtime2/21418.dart": (HEADER + lines("2024-05-17T00:00:00", 96)).encode(),
    # 2024 has no file of the year yet for these two
    **{
        f"/data/dart/{month}/5401001{number}2024.txt.gz": gzip.compress(
            (HEADER + lines(f"2024-{of}-30T00:00:00", 96)).encode()
        )
        for month, number, of in (("Jan", 1, "01"), ("Mar", 3, "03"), ("Apr", 4, "04"))
    },
    "/data/realtime2/5401001.dart": (HEADER + lines("2024-05-01T00:00:00", 96)).encode(),
    "/data/dart/Oct/21419a2023.txt.gz": gzip.compress((HEADER + lines("2023-10-02T00:00:00", 96)).encode()),
    "/data/realtime2/11111.dart": b"<html>please log in</html>",
    "/data/historical/dart/11111t2011.txt.gz": gzip.compress(ARCHIVE.encode())[:-200],
    "/data/historical/dart/11112t2011.txt.gz": b"\x1f\x8b" + bytes(range(60)),
    "/data/historical/dart/11113t2011.txt.gz": gzip.compress((ARCHIVE + "2011 03 12 00 15 00 1 56").encode()),
    "/data/historical/dart/11114t2011.txt.gz": gzip.compress((ARCHIVE + "2011 03 12 0").encode()),
    "/data/historical/dart/11115t2011.txt.gz": gzip.compress(b"time,height_m\n2011-03-11T05:15:00,5662.1\n"),
    "/data/historical/dart/11116t2011.txt.gz": gzip.compress(ARCHIVE.replace(" 05 30 00 1 ", " 05 30 00 7 ").encode()),
    "/data/historical/dart/11117t2011.txt.gz": gzip.compress(ARCHIVE.replace(" 09 30 00 1 ", " 09 30 00 7 ").encode()),
    "/data/historical/dart/11118t2011.txt.gz": gzip.compress(ARCHIVE.replace("T   HEIGHT", "T PRESSURE").encode()),
    "/data/historical/dart/11119t2011.txt.gz": gzip.compress((ARCHIVE + "2011 0311\n").encode()),
    "/data/historical/dart/11120t2011.txt.gz": gzip.compress(
        (HEADER + lines("2011-03-11", 9).replace("-", "")).encode()
    ),
    "/data/historical/dart/11121t2011.txt.gz": b"",
}


class Ndbc(BaseHTTPRequestHandler):
    """Sends the files above; some stations stand for what can go wrong."""

    def do_GET(self):
        content, promised = FILES.get(self.path), None
        if "22221" in self.path:  # silent
            time.sleep(0.5)
            return
        elif "22222" in self.path:
            self.send_error(503, "busy")
            return
        elif "22223" in self.path:  # breaks off
            content, promised = ARCHIVE.encode()[:-100], len(ARCHIVE)
        elif "22224" in self.path or "22225" in self.path:
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/x" if "22224" in self.path else "file:///etc/hostname")
            self.end_headers()
            return
        elif "22226" in self.path:  # silent after a while
            self.send_response(200)
            self.end_headers()
            self.wfile.write(HEADER.encode())
            time.sleep(0.5)
            return
        elif "22227" in self.path:
            self.wfile.write(b"nonsense\r\n\r\n")
            return
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(promised or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ndbc)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def get(address, tmp_path):
    """Return a function that fetches into a file, and checks that nothing half done is left."""

    def fetch_one(station="21418", start=START, end=END, **options):
        out = tmp_path / f"{station}.txt"
        try:
            return fetch_dart(station, start, end, out, **{"address": address, "now": NOW, "timeout_s": 10.0} | options)
        finally:
            assert not list(tmp_path.glob(".*"))

    return fetch_one


@pytest.mark.parametrize("station", ["21418", "21413"])  # packed, and unpacked by the server
def test_a_span_of_a_past_year(get, tmp_path, station):
    path = get(station)
    assert path == tmp_path / f"{station}.txt"
    text = path.read_text(encoding="utf-8")
    expected = [
        line for line in ARCHIVE.splitlines(keepends=True) if "2011 03 11 05 00" <= line <= "2011 03 11 06 00 01"
    ]
    assert text == HEADER + "".join(expected)
    series = read_dart(path)
    assert (series.station, series.time[0], series.time[-1], series.time.size) == (station, START, END, 5)
    assert series.left_out == ()
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_a_span_over_the_end_of_a_year(get):
    series = read_dart(get("21401", np.datetime64("2010-12-31T23:15"), np.datetime64("2011-01-01T00:30")))
    npt.assert_array_equal(np.diff(series.time).astype(int), [900] * 5)
    assert str(series.time[0]) == "2010-12-31T23:15:00"


def test_the_last_days(get, address):
    series = read_dart(get(start=np.datetime64("2024-04-17"), end=np.datetime64("2024-04-17T01")))
    assert series.time.size == 5
    # older than 45 days: the year's archive too
    series = read_dart(get(start=np.datetime64("2024-04-16T23:30"), end=np.datetime64("2025-01-01")))
    assert (series.time.size, str(series.time[0])) == (98, "2024-04-16T23:30:00")
    path = get(start=np.datetime64("2024-05-17"), end=np.datetime64("2024-05-17T00"), address=f"{address}/mirror/")
    assert path.read_text(encoding="utf-8").count("2024 05 17") == 1


@pytest.mark.parametrize(
    ("station", "first", "last", "n_lines"),
    [
        ("5401001", "2024-03-30T12:00:00", "2024-03-30T13:00:00", 5),
        ("5401001", "2024-03-30T23:00:00", "2024-04-30T01:00:00", 9),
        ("21419", "2023-10-02T00:00:00", "2023-10-02T06:00:00", 25),  # of last year, which has no whole file yet
    ],
)
def test_months_of_a_year_that_has_no_file_yet(get, station, first, last, n_lines):
    series = read_dart(get(station, np.datetime64(first), np.datetime64(last)))
    assert (series.station, series.time.size) == (station, n_lines)


def test_a_file_that_lacks_among_others_is_said(get):
    lacking = "NDBC has no file http.*/data/dart/Feb/540100122024.txt.gz: .*; what it would hold is left out"
    with pytest.warns(SlipcastWarning, match=lacking):
        path = get("5401001", np.datetime64("2024-01-30T23:00:00"), np.datetime64("2024-03-30T00:30:00"))
    assert read_dart(path).time.size == 4 + 3


def test_a_current_year_as_ndbc_has_it(tmp_path, monkeypatch):
    folder = case("E1-fetch-current-year")
    for path in folder.rglob("*"):
        if path.is_file():
            monkeypatch.setitem(FILES, f"/{path.relative_to(folder).as_posix()}", path.read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ndbc)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    span = (np.datetime64("2026-07-08"), np.datetime64("2026-07-11"))
    address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        path = fetch_dart(
            "21416", *span, tmp_path / "21416.txt", address=address, now=np.datetime64("2026-11-28T12:00:00")
        )
    finally:
        server.shutdown()
        server.server_close()
    rows = [line for line in path.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert len(rows) == 728
    series = read_dart(path)
    assert (str(series.time[0]), str(series.time[-1])) == ("2026-07-08T00:00:00", "2026-07-10T13:45:00")


def test_a_file_that_is_there_is_replaced(get, tmp_path):
    (tmp_path / "21418.txt").write_text("old", encoding="utf-8")
    assert read_dart(get()).time.size == 5
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*folder: it is a folder"):
        fetch_dart("21418", START, END, tmp_path / "folder", address="http://127.0.0.1:9", now=NOW)


@pytest.mark.parametrize(
    ("station", "message"),
    [
        ("99999", "NDBC has no file http.*99999t2011.txt.gz: there is no such station, or nothing of it for this time"),
        ("11111", "11111t2011.txt.gz is truncated or corrupt: it cannot be unpacked; try again"),
        ("11112", "11112t2011.txt.gz is truncated or corrupt: it cannot be unpacked; try again"),
        ("11113", "11113t2011.txt.gz came cut: its last line has no end; try again"),
        ("11114", "11114t2011.txt.gz came cut: its last line has no end; try again"),
        ("11115", "11115t2011.txt.gz is not in NDBC's format: no line begins with YY MM DD hh mm ss"),
        ("11116", "what NDBC has of DART 11116 from 2011-03-11T05:00:00 to 2011-03-11T06:00:00, line .* got '7'"),
        ("11118", "what NDBC has of DART 11118 .*, line 1 is the header of another instrument"),
        ("11119", "what NDBC has of DART 11119 .*: must have 8 fields"),
        (
            "11120",
            "there is nothing that NDBC has of DART 11120 from 2011-03-11T05:00:00 to 2011-03-11T06:00:00; "
            "what it has is from 2011-03-11T00:00:00 to 2011-03-11T02:00:00",
        ),
        ("11121", "11121t2011.txt.gz is empty"),
        ("22222", r"127.0.0.1:\d+ answered 503 \(busy\) for http.*22222t2011.txt.gz$"),
        ("22223", r"22223t2011.txt.gz came cut, \d+ of \d+ bytes; try again"),
        ("22224", "cannot get http.*: unknown url type: ftp; files already on disk"),
        ("22225", r"answered 302 \(Found - Redirection to url .file:///etc/hostname. is not allowed\)"),
        ("22227", "cannot get http.*22227t2011.txt.gz: nonsense; files already on disk can be read without a network"),
    ],
)
def test_what_can_come_back(get, tmp_path, station, message):
    with pytest.raises(InputError, match=message) as caught:
        get(station)
    assert len(str(caught.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_page_in_place_of_a_file(get):
    with pytest.raises(InputError, match=r"realtime2/11111.dart is a web page \(HTML or XML\)"):
        get("11111", NOW - np.timedelta64(1, "D"), NOW)


def test_lines_outside_the_span_are_not_judged(get):
    assert read_dart(get("11117")).time.size == 5


@pytest.mark.parametrize("station", ["22221", "22226"])
def test_a_silent_server(get, station):
    with pytest.raises(InputError, match=r"127.0.0.1:\d+ did not answer within 0.2 s; files already on disk"):
        get(station, timeout_s=0.2)


def test_no_server(get):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot get http://127.0.0.1:{port}/.*: Connection refused; files alrea"):
            get(address=f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("port", [1, 9999, 59999, 60665, 65535])
def test_every_port_will_do(get, monkeypatch, port):
    def nowhere(*_, **__):
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", nowhere)
    with pytest.raises(InputError, match=f"cannot get http://127.0.0.1:{port}/.*: Connection refused"):
        get(address=f"http://127.0.0.1:{port}")


def test_no_network(get, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    message = "cannot find www.ndbc.noaa.gov: is this machine offline.; files already on disk can be read without"
    with pytest.raises(InputError, match=message):
        get(address="https://www.ndbc.noaa.gov")


@pytest.mark.parametrize("most", [500, 3000])  # less than what comes, less than what is packed in it
def test_a_file_that_is_too_large(get, monkeypatch, most):
    monkeypatch.setattr(fetch, "_MOST_BYTES", most)
    with pytest.raises(InputError, match=r"2011.txt.gz(, unpacked,)? is larger than 0 MiB, which no file of a DART is"):
        get()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"station": "../21418"}, "station must be letters, digits, _ and -, got '../21418'"),
        ({"station": "21418?x"}, "station must be letters, digits, _ and -"),
        ({"start": END, "end": START}, "start must not be after end, 2011-03-11T05:00:00, got 2011-03-11T06:00:00"),
        (
            {"start": NOW + 1, "end": NOW + 2},
            "start must not be after now, 2024-06-01T00:00:00 UTC, got 2024-06-01T00:00",
        ),
        ({"start": "2011-03-11"}, "start must be a moment as numpy.datetime64, got '2011-03-11'"),
        ({"end": np.datetime64("NaT")}, r"end must be a moment as numpy.datetime64, got np.datetime64\('NaT'"),
        ({"now": np.datetime64("NaT")}, "now must be a moment as numpy.datetime64"),
        ({"timeout_s": 0.0}, "timeout_s must be > 0 and finite, got 0"),
        ({"timeout_s": np.inf}, "timeout_s must be > 0 and finite, got inf"),
        *(
            ({"address": address}, "address must be https:// or http:// with a host, and perhaps a path, got")
            for address in (
                "ftp://127.0.0.1",
                "file:///data",
                "127.0.0.1",
                "http://",
                "http://a b",
                "http://u:p@host",
                "http://host:65536",
                "",
            )
        ),
    ],
)
def test_arguments_that_break_a_rule(tmp_path, change, message):
    arguments = {"station": "21418", "start": START, "end": END, "address": "http://127.0.0.1:9", "now": NOW} | change
    with pytest.raises(InputError, match=message):
        fetch_dart(**arguments, out=tmp_path / "x.txt")


def test_now_is_by_the_clock_of_this_machine(address, tmp_path):
    with pytest.raises(InputError, match=r"start must not be after now, 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d UTC"):
        fetch_dart("21418", np.datetime64("2100-01-01"), np.datetime64("2100-01-02"), tmp_path / "x", address=address)
