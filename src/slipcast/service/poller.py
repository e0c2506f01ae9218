"""Polling of NDBC for new samples of current events."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np

from slipcast.errors import InputError
from slipcast.io.identity import package_version
from slipcast.records import DartSeries, parse_dart
from slipcast.service.storage.store import EventRow, NewSample, now_text
from slipcast.service.watch import CapacityExceeded, Watch

__all__ = ["Poller", "samples_of", "whole_lines"]

_log = logging.getLogger("slipcast.service")

_ADDRESS = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+(/[A-Za-z0-9._~/-]*)?")
_LINE = re.compile(r"[0-9]{4}(?: +[0-9]{2}){5} +[123] +(-?[0-9]{1,5}\.[0-9]{1,6}|MM)")
_MOST_BYTES = 8 * 1024**2
_TIMEOUT_S = 20.0
_LONGEST_WAIT_S = 900.0
_CURRENT = timedelta(hours=24)
_BEFORE = timedelta(days=3)
_BATCH = 5000


@dataclass
class _Station:
    """What is known of the file of a station.

    Attributes
    ----------
    failures : int
        In a row.
    not_before_s : float
        When it may be asked for again, by the loop's clock.
    tag : str
        Of the file as it came last; empty where the server gives none.
    """

    failures: int = 0
    not_before_s: float = 0.0
    tag: str = ""


class Poller:
    """Poller of NDBC's files of DARTs, which keeps their new samples.

    Parameters
    ----------
    address : str
        Of NDBC or a copy of its files; http or https.
    every_s : float
        How often each file is asked for, s; less often while it cannot be had.
    now : callable, optional
        The present moment, UTC.

    Raises
    ------
    InputError
        If the address is none.

    Notes
    -----
    Events of the last day are followed, simulations are not: their buoys sent nothing. Heights come with the tide,
    which is taken out once there is half an hour of samples before the wave
    (:func:`slipcast.realtime.detiding.gauge_levels`).
    """

    def __init__(self, address: str, *, every_s: float = 60.0, now: Callable[[], datetime] = lambda: datetime.now(UTC)):
        if not _ADDRESS.fullmatch(address):
            raise InputError(f"address of NDBC must be https:// or http:// with a host, got {address!r}")
        self._address, self._every_s, self._now = address.rstrip("/"), every_s, now
        self._stations: dict[tuple[str, str], _Station] = {}
        self._task: asyncio.Task | None = None

    def start(self, watch: Watch) -> None:
        """Begin to ask."""
        self._task = asyncio.create_task(self._run(watch))

    async def stop(self) -> None:
        """End asking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, watch: Watch) -> None:
        """Ask again and again; no fault ends it."""
        async with self._client() as client:
            while True:
                try:
                    await self.once(watch, client)
                except Exception:  # noqa: BLE001 (the next round tries again)
                    _log.exception("the poller failed")
                    watch.metrics.polls.labels("fault").inc()
                await asyncio.sleep(self._every_s)

    def _client(self) -> httpx.AsyncClient:
        """Make what asks; it follows no redirection, which would lead elsewhere."""
        about = {"user-agent": f"slipcast/{package_version()}"}
        return httpx.AsyncClient(timeout=_TIMEOUT_S, headers=about, follow_redirects=False)

    async def once(self, watch: Watch, client: httpx.AsyncClient | None = None) -> None:
        """Ask for every file that is due."""
        if client is None:
            async with self._client() as made:
                await self.once(watch, made)
            return
        now = self._now()
        current = await self._current(watch, now)
        wanted = {(event.id, name) for event in current for name in watch.nowcasts[event.region].gauges}
        self._stations = {key: state for key, state in self._stations.items() if key in wanted}
        for event in current:
            for name in watch.nowcasts[event.region].gauges:
                state = self._stations.setdefault((event.id, name), _Station())
                if asyncio.get_running_loop().time() >= state.not_before_s:
                    outcome = await self._poll(watch, client, event, name, state, now)
                    watch.metrics.polls.labels(outcome).inc()

    async def _current(self, watch: Watch, now: datetime) -> list[EventRow]:
        """Return the events that are followed."""
        events, _ = await watch.read(watch.store.events, 200, 0)
        return [
            event
            for event in events
            if event.region in watch.nowcasts
            and not event.simulation
            and timedelta(0) <= now - datetime.fromisoformat(event.origin_time) <= _CURRENT
        ]

    async def _poll(
        self, watch: Watch, client: httpx.AsyncClient, event: EventRow, station: str, state: _Station, now: datetime
    ) -> str:
        """Ask for one file; return what came of it."""
        asked = {"if-none-match": state.tag} if state.tag else {}
        try:
            status, content, tag = await _get(client, f"{self._address}/data/realtime2/{station}.dart", asked)
        except (httpx.HTTPError, httpx.StreamError) as error:
            _log.warning("%s: %s", station, type(error).__name__)
            return self._failed(state, "unreachable")
        if status == 304:
            state.failures = 0
            return "unchanged"
        if status != 200 or content is None:
            return self._failed(state, "missing" if status == 404 else "refused")
        try:
            origin = datetime.fromisoformat(event.origin_time)
            span = (origin - _BEFORE, min(now, origin + timedelta(days=2)))
            series = parse_dart(whole_lines(content, span), station=station, where=station)
        except InputError as error:
            _log.warning("%s", error)
            return self._failed(state, "unreadable")
        rows = samples_of(series, origin)
        new = 0
        try:
            for start in range(0, len(rows), _BATCH):
                receipt = await watch.accept(event.id, rows[start : start + _BATCH], now_text())
                new += receipt.new + receipt.corrected
        except CapacityExceeded as error:
            _log.warning("%s: %s", station, error)
            return self._failed(state, "full")
        state.failures, state.tag = 0, tag
        return "new" if new else "same"

    def _failed(self, state: _Station, outcome: str) -> str:
        """Wait twice as long as before."""
        state.failures, state.tag = state.failures + 1, ""
        wait_s = min(self._every_s * 2 ** min(state.failures, 10), max(_LONGEST_WAIT_S, self._every_s))
        # a moment less than whole rounds, so that a round is not missed by a hair
        state.not_before_s = asyncio.get_running_loop().time() + wait_s - 1.5 * self._every_s
        return outcome


async def _get(client: httpx.AsyncClient, url: str, headers: Mapping[str, str]) -> tuple[int, bytes | None, str]:
    """Get a file: status, content (None if it is too large), tag."""
    content = bytearray()
    async with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code != 200:
            return answer.status_code, None, ""
        async for part in answer.aiter_bytes():
            content += part
            if len(content) > _MOST_BYTES:
                return answer.status_code, None, ""
        return answer.status_code, bytes(content), answer.headers.get("etag", "")


def whole_lines(content: bytes, span: tuple[datetime, datetime]) -> str:
    """Choose the usable lines of a file that may be truncated, repeated or empty.

    Parameters
    ----------
    content : bytes
        As it came.
    span : (datetime, datetime)
        First and last moment wanted, UTC.

    Returns
    -------
    text : str
        Lines of NDBC's format within the span, each once, with as many decimals as the others. What has no line end may
        be cut. Of several heights of one time :func:`~slipcast.records.dart.parse_dart` chooses.

    Raises
    ------
    InputError
        If nothing is left, such as of a web page.
    """
    text = content.decode("ascii", errors="replace").replace("\r\n", "\n")
    lines = [" ".join(line.split()) for line in text.rpartition("\n")[0].split("\n")]
    found = [line for line in dict.fromkeys(lines) if _LINE.fullmatch(line) and not line.endswith("MM")]
    decimals = max((len(line.rpartition(".")[2]) for line in found), default=0)
    first, last = (moment.astimezone(UTC).strftime("%Y %m %d %H %M %S") for moment in span)
    kept = [
        line
        for line in found
        if len((height := line.rpartition(" ")[2]).rpartition(".")[2]) == decimals
        and first <= line[:19] <= last
        and float(height) < 9999
    ]
    if not kept:
        raise InputError("nothing of the time of the event is in what came, or it is no file of a DART")
    return "\n".join([*kept, ""])


def samples_of(series: DartSeries, origin: datetime) -> list[NewSample]:
    """Turn a series into samples of heights with the tide, by time since the origin."""
    naive = np.datetime64(origin.astimezone(UTC).replace(tzinfo=None), "us")
    seconds, heights = series.seconds_since(naive), series.height_m
    return [
        NewSample((series.station, "water_column", round(1e3 * at)), height)
        for at, height in zip(seconds.tolist(), heights.tolist())
        if 0 < height <= 12000
    ]
