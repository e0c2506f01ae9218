"""Download of DART records from NDBC, the National Data Buoy Center."""

from __future__ import annotations

import http.client
import os
import re
import socket
import urllib.error
import urllib.request
import warnings
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from slipcast.errors import InputError, SlipcastWarning
from slipcast.io.atomic import check_target, write_text
from slipcast.records.dart import STATION, decode_dart, parse_dart, unpacked

__all__ = ["fetch_dart"]

_HEADER = "#YY  MM DD hh mm ss T   HEIGHT\n#yr  mo dy hr mn  s -        m\n"
_LIVE_DAYS = 45
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MOST_BYTES = 64 * 1024**2
_CHUNK_BYTES = 1024**2
_PORT = "[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
_ADDRESS = re.compile(rf"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:({_PORT}))?(/[A-Za-z0-9._~/-]*)?")
_CLOCK = re.compile("[ \t]*([0-9]{4})" + 5 * "[ \t]+([0-9]{2})" + "[ \t]")


def fetch_dart(
    station: str,
    start: np.datetime64,
    end: np.datetime64,
    out: str | os.PathLike,
    *,
    address: str = "https://www.ndbc.noaa.gov",
    timeout_s: float = 30.0,
    now: np.datetime64 | None = None,
) -> Path:
    """Download a span of a DART record, and write it as NDBC's text.

    Parameters
    ----------
    station : str
        Name, e.g. ``"21418"``.
    start, end : datetime64
        First and last moment, UTC, both included.
    out : path
        The file to write, whole or not at all.
    address : str, optional
        Of NDBC or a copy of its files; http or https.
    timeout_s : float, optional
        How long the server may be silent, s; > 0.
    now : datetime64, optional
        UTC; by default by this machine's clock. It decides which files hold the span.

    Returns
    -------
    path : Path
        The file written: NDBC's header and the lines of the span as they came, which
        :func:`~slipcast.records.dart.read_dart` reads.

    Raises
    ------
    InputError
        If an argument breaks its rule; the server cannot be reached, is silent or has none of the files; what came is
        a web page, cut or larger than 64 MiB; nothing of the span is in it (the message says what it covers); or a line
        of the span is refused by :func:`~slipcast.records.dart.parse_dart`.

    Warns
    -----
    SlipcastWarning
        If the server lacks one of several files that the span is in.

    Notes
    -----
    The last 45 days are in ``data/realtime2/STATION.dart``; a past year is in
    ``data/historical/dart/STATIONtYEAR.txt.gz``, which appears some time after the year has ended, and until then its
    months in ``data/dart/Jul/STATION7YEAR.txt.gz`` (1 to 9, a, b, c). Lines outside the span are not checked.
    """
    start, end, now = _checked(station, start, end, address, timeout_s, now)
    check_target(out)
    found: list[str] = []
    others: list[str] = []
    covered: list[str] = []
    for url, content in _contents(_files_with(station, start, end, address.rstrip("/"), now), timeout_s).items():
        text = _text(content, url)
        lines, timeless, times = _of_span(text, start, end)
        if not times:
            parse_dart(text, station=station, where=url)  # says what else it is
            raise InputError(f"{url} is not in NDBC's format: no line begins with YY MM DD hh mm ss")
        found, others, covered = found + lines, others + timeless, covered + times
    span = f"NDBC has of DART {station} from {start} to {end}"
    if not found:
        raise InputError(f"there is nothing that {span}; what it has is from {min(covered)} to {max(covered)}")
    parse_dart("\n".join([*dict.fromkeys(others), *found, ""]), station=station, where=f"what {span}")
    write_text(out, _HEADER + "\n".join([*found, ""]))
    return Path(out)


def _checked(station, start, end, address, timeout_s, now) -> tuple[np.datetime64, np.datetime64, np.datetime64]:
    """Check the arguments; return the moments, to the second."""
    if not STATION.fullmatch(station):
        raise InputError(f"station must be letters, digits, _ and -, got {station!r}")
    now = np.datetime64("now", "s") if now is None else now
    for name, moment in (("start", start), ("end", end), ("now", now)):
        if not isinstance(moment, np.datetime64) or np.isnat(moment):
            raise InputError(f"{name} must be a moment as numpy.datetime64, got {moment!r}")
    start, end, now = (moment.astype("datetime64[s]") for moment in (start, end, now))
    if start > end:
        raise InputError(f"start must not be after end, {end}, got {start}")
    if start > now:
        raise InputError(f"start must not be after now, {now} UTC, got {start}")
    if not _ADDRESS.fullmatch(address):
        raise InputError(f"address must be https:// or http:// with a host, and perhaps a path, got {address!r}")
    if not 0 < timeout_s < float("inf"):
        raise InputError(f"timeout_s must be > 0 and finite, got {timeout_s:g}")
    return start, end, now


class _NoFileError(InputError):
    """The server says that it has no such file."""


def _files_with(
    station: str, start: np.datetime64, end: np.datetime64, address: str, now: np.datetime64
) -> list[tuple[list[str], list[str]]]:
    """List the addresses of the files that hold a span, oldest first, each with others that hold it if these lack."""
    live = now - np.timedelta64(_LIVE_DAYS, "D")
    found: list[tuple[list[str], list[str]]] = []
    if start < live:
        last = min(end, live)
        months = np.arange(start.astype("datetime64[M]"), last.astype("datetime64[M]") + 1)
        this_year = now.astype("datetime64[Y]")
        for year in np.arange(start.astype("datetime64[Y]"), last.astype("datetime64[Y]") + 1):
            whole = [f"{address}/data/historical/dart/{station}t{year}.txt.gz"]
            by_month = [
                f"{address}/data/dart/{_MONTHS[number - 1]}/{station}{number:x}{year}.txt.gz"
                for number in (months[months.astype("datetime64[Y]") == year].astype(int) % 12 + 1).tolist()
            ]
            if year == this_year:
                found.append((by_month, whole))
            else:
                found.append((whole, by_month if year == this_year - 1 else []))
    if end >= live:
        found.append(([f"{address}/data/realtime2/{station}.dart"], []))
    return found


def _contents(files: list[tuple[list[str], list[str]]], timeout_s: float) -> dict[str, bytes]:
    """Download what there is of some files; warn of those that lack, and raise where all do."""
    found: dict[str, bytes] = {}
    missing: list[_NoFileError] = []
    for first, others in files:
        got, errors = _download_all(first, timeout_s)
        if not got:
            got, _ = _download_all(others, timeout_s)
            errors = errors if not got else []
        found |= got
        missing += errors
    if not found:
        raise missing[0]
    for error in missing:
        warnings.warn(f"{error}; what it would hold is left out", SlipcastWarning, stacklevel=3)
    return found


def _download_all(urls: list[str], timeout_s: float) -> tuple[dict[str, bytes], list[_NoFileError]]:
    """Get the bytes at some addresses, and an error for each that has no file."""
    found: dict[str, bytes] = {}
    missing = []
    for url in urls:
        try:
            found[url] = _download(url, timeout_s)
        except _NoFileError as error:
            missing.append(error)
    return found, missing


def _download(url: str, timeout_s: float) -> bytes:
    """Get the bytes at an address; word what goes wrong in one line."""
    host = urlsplit(url).netloc
    offline = "; files already on disk can be read without a network"
    try:
        with _opener().open(url, timeout=timeout_s) as answer:
            content = _read(answer, url)
            promised = answer.headers.get("Content-Length", "")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise _NoFileError(
                f"NDBC has no file {url}: there is no such station, or nothing of it for this time"
            ) from error
        raise InputError(f"{host} answered {error.code} ({' '.join(error.reason.split())}) for {url}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            raise InputError(f"{host} did not answer within {timeout_s:g} s{offline}") from error
        if isinstance(reason, socket.gaierror):
            raise InputError(f"cannot find {host}: is this machine offline?{offline}") from error
        what = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise InputError(f"cannot get {url}: {' '.join(what.split())}{offline}") from error
    if promised.isdecimal() and int(promised) != len(content):
        raise InputError(f"{url} came cut, {len(content)} of {promised} bytes; try again")
    return content


def _opener() -> urllib.request.OpenerDirector:
    """Make what opens addresses; the usual one would follow a redirection to other protocols, too."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _read(answer, url: str) -> bytes:
    """Read an answer, up to a size that no file of a DART has."""
    content = bytearray()
    while chunk := answer.read(_CHUNK_BYTES):
        content += chunk
        if len(content) > _MOST_BYTES:
            raise InputError(f"{url} is larger than {_MOST_BYTES // 1024**2} MiB, which no file of a DART is")
    return bytes(content)


def _text(content: bytes, url: str) -> str:
    """Unpack what came where it is packed; refuse what is cut."""
    text = decode_dart(unpacked(content, where=url, most_bytes=_MOST_BYTES), where=url)
    if re.match("[ \t]*[0-9]", text.rpartition("\n")[2]):
        raise InputError(f"{url} came cut: its last line has no end; try again")
    return text


def _of_span(text: str, start: np.datetime64, end: np.datetime64) -> tuple[list[str], list[str], list[str]]:
    """Choose the lines of a span, and those that have no time, such as headers; return also all times, ISO 8601."""
    first, last = str(start), str(end)
    lines, timeless, times = [], [], []
    for line in text.replace("\r", "").split("\n"):
        if found := _CLOCK.match(line):
            year, month, day, hour, minute, second = found.groups()
            times.append(f"{year}-{month}-{day}T{hour}:{minute}:{second}")
            if first <= times[-1] <= last:  # such texts sort as their times do
                lines.append(line)
        elif line.strip():
            timeless.append(line)
    return lines, timeless, times
