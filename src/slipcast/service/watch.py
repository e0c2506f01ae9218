"""Processing of events: batches are committed, then answered by one worker."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from slipcast.realtime.detiding import GaugeLevels
from slipcast.realtime.nowcast import Nowcast, Result
from slipcast.records import Records
from slipcast.service.api.cache import ResponseCache
from slipcast.service.api.results import Alerts, detail, summary
from slipcast.service.broker import Broker
from slipcast.service.metrics import Metrics
from slipcast.service.settings import Settings
from slipcast.service.storage.series import pack_series
from slipcast.service.storage.store import EventRow, Key, NewSample, Store, StoredResult, now_text

__all__ = ["CapacityExceeded", "Receipt", "Watch"]

_log = logging.getLogger("slipcast.service")
_MOST_KEPT = 64
_BODY_BYTES = 16 * 1024**2
_MOST_TRIES, _PAUSE_S = 5, 5.0


class CapacityExceeded(Exception):
    """No more of it is kept; the message says of what."""


@dataclass(frozen=True)
class Receipt:
    """What became of a batch: samples that are new, were there already, or replace others, and the last row then."""

    new: int
    same: int
    corrected: int
    upto: int


@dataclass
class _State:
    """An event in memory.

    Attributes
    ----------
    event : EventRow
        What it is.
    heights_m : dict of Key to float
        Its samples as they stand; replaced by another dict, never changed, so that a reader has a whole one.
    upto, n_rows : int
        The last row of samples, and rows in all.
    latest : StoredResult or None
        Its last result.
    levels : (int, future) or None
        The row up to which it is; sea level by gauge, and the same as clients get it.
    """

    event: EventRow
    heights_m: Mapping[Key, float]
    upto: int
    n_rows: int
    latest: StoredResult | None
    levels: tuple[int, asyncio.Future[tuple[dict[str, GaugeLevels], bytes]]] | None = None


@dataclass
class _Due:
    """An event that waits for its answer."""

    since: float
    waiting: list[tuple[int, asyncio.Future]] = field(default_factory=list)


class Watch:
    """What a service does with events.

    Parameters
    ----------
    store : Store
        Where everything is kept.
    nowcasts : mapping of str to Nowcast
        By region.
    settings : Settings
        Limits and times.
    metrics : Metrics
        What is counted.

    Notes
    -----
    One thread writes to the database, one computes. Batches that come while an answer is computed are answered
    together by the next one. A result depends on the event and its samples alone, so a restart finds the same.
    """

    def __init__(self, store: Store, nowcasts: Mapping[str, Nowcast], settings: Settings, metrics: Metrics):
        self.store, self.nowcasts, self.settings, self.metrics = store, nowcasts, settings, metrics
        self.broker = Broker(settings.limits.streams, settings.limits.streams_per_client)
        self.bodies = ResponseCache(_BODY_BYTES)
        self.closing = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="answer")
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="read")
        self._lock = threading.Lock()
        self._states: OrderedDict[str, _State] = OrderedDict()
        self._due: OrderedDict[str, _Due] = OrderedDict()
        self._failed: dict[str, int] = {}
        self._more = asyncio.Event()
        self._task: asyncio.Task | None = None
        self._n_events = 0

    async def start(self) -> None:
        """Get ready to answer, and begin with what was left unanswered by the last run."""
        for nowcast in self.nowcasts.values():
            # in the thread that answers: memory is kept for each
            await asyncio.get_running_loop().run_in_executor(self._worker, nowcast.warm_up)
        self._n_events = (await self.read(self.store.events, 1, 0))[1]
        for event in await self.read(self.store.unanswered):
            if event.region in self.nowcasts:
                self._due[event.id] = _Due(time.perf_counter())
        self._more.set()
        self._task = asyncio.create_task(self._answer_all())

    async def stop(self) -> None:
        """End what runs; what was not answered will be by the next start."""
        self.closing = True
        self.broker.wake_all()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for pool in (self._readers, self._worker, self._writer):
            pool.shutdown(wait=True, cancel_futures=True)

    async def read(self, call, *arguments) -> Any:
        """Run what waits for the database in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, call, *arguments)

    async def write(self, call, *arguments) -> Any:
        """Run what changes the database in the one thread for it."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)

    async def add_event(self, about: Mapping[str, Any]) -> EventRow:
        """Keep an event; CapacityExceeded if there are too many."""
        if self._n_events >= self.settings.limits.events:
            raise CapacityExceeded(f"this service keeps at most {self.settings.limits.events} events")
        self._n_events += 1
        try:
            event = await self.write(self.store.add_event, {**about, "id": secrets.token_hex(8), "created": now_text()})
        except BaseException:
            self._n_events -= 1
            raise
        self.metrics.events.inc()
        self._remember(_State(event, {}, 0, 0, None))
        return event

    async def state(self, id_: str) -> _State | None:
        """Return an event with what is known of it; None if there is none."""
        if (found := self._held(id_)) is not None:
            return found
        # in the thread that writes, so that nothing can be written while it is read
        return await self.write(self._load, id_)

    async def brief(self, event: EventRow) -> tuple[int, StoredResult | None]:
        """Return how many samples an event has, and its last result, without loading it."""
        if (held := self._held(event.id)) is not None:
            return len(held.heights_m), held.latest
        return await self.read(self.store.brief, event.row)

    async def accept(self, id_: str, batch: Sequence[NewSample], received: str) -> Receipt:
        """Keep a batch, and have it answered.

        Parameters
        ----------
        id_ : str
            Of which event; it is there.
        batch : sequence of NewSample
            In the order in which they count.
        received : str
            When they came.

        Returns
        -------
        receipt : Receipt
            Its samples are committed.
        """
        begun = time.perf_counter()
        receipt, event_row = await self.write(self._keep, id_, batch, received)
        self.metrics.samples.labels("new").inc(receipt.new)
        self.metrics.samples.labels("same").inc(receipt.same)
        self.metrics.samples.labels("corrected").inc(receipt.corrected)
        if receipt.new or receipt.corrected:
            self._due.setdefault(id_, _Due(begun))
            self._more.set()
            self.broker.wake(event_row)
        return receipt

    async def answered(self, id_: str, upto: int) -> int | None:
        """Wait a little for the result that knows a row of samples; return its number, None if it is not there yet."""
        due = self._due.get(id_)
        if due is not None:
            waiting = asyncio.get_running_loop().create_future()
            due.waiting.append((upto, waiting))
            try:
                await asyncio.wait_for(waiting, self.settings.wait_s)
            except TimeoutError:
                return None
        state = await self.state(id_)
        return None if state is None or state.latest is None else state.latest.number

    def _load(self, id_: str) -> _State | None:
        """Read an event from the database; in the thread that writes."""
        if (found := self._held(id_)) is not None:
            return found
        event = self.store.event(id_)
        if event is None:
            return None
        heights_m, upto, n_rows = self.store.samples(event.row)
        state = _State(event, heights_m, upto, n_rows, self.store.result(event.row))
        self._remember(state)
        return state

    def _held(self, id_: str) -> _State | None:
        """Return an event that is in memory."""
        with self._lock:
            if (found := self._states.get(id_)) is not None:
                self._states.move_to_end(id_)
            return found

    def _remember(self, state: _State) -> None:
        """Hold an event in memory, and let go of those that nobody has asked for for longest."""
        with self._lock:
            self._states[state.event.id] = state
            while len(self._states) > _MOST_KEPT:
                self._states.popitem(last=False)

    def _keep(self, id_: str, batch: Sequence[NewSample], received: str) -> tuple[Receipt, int]:
        """Write what is new of a batch; in the thread that writes."""
        state = self._load(id_)
        if state is None:
            raise LookupError(id_)
        heights_m, rows = dict(state.heights_m), []
        new = same = corrected = 0
        for sample in batch:
            before = heights_m.get(sample.key)
            if before == sample.height_m:
                same += 1
                continue
            new, corrected = new + (before is None), corrected + (before is not None)
            heights_m[sample.key] = sample.height_m
            rows.append(sample)
        if state.n_rows + len(rows) > self.settings.limits.event_samples:
            raise CapacityExceeded(f"an event keeps at most {self.settings.limits.event_samples} samples")
        if rows:
            begun = time.perf_counter()
            state.upto = self.store.add_samples(state.event.row, rows, received)
            state.heights_m, state.n_rows = heights_m, state.n_rows + len(rows)
            self.metrics.commit_seconds.observe(time.perf_counter() - begun)
        return Receipt(new, same, corrected, state.upto), state.event.row

    def _keep_result(self, id_: str, upto: int, made: _Made, since: float) -> None:
        """Write an answer; in the thread that writes."""
        state = self._load(id_)
        if state is None:
            raise LookupError(id_)
        number = 1 if state.latest is None else state.latest.number + 1
        about = {"number": number, "created": now_text(), "latency_ms": round(1e3 * (time.perf_counter() - since), 1)}
        result = StoredResult(number, upto, made.digest, made.summary | about, made.detail)
        self.store.add_result(state.event.row, result, made.series)
        state.latest = result

    async def _answer_all(self) -> None:
        """Answer events one after the other, the one that has waited longest first."""
        loop = asyncio.get_running_loop()
        while True:
            await self._more.wait()
            if not self._due:
                self._more.clear()
                continue
            id_, due = self._due.popitem(last=False)
            state = await self.state(id_)
            if state is None:
                continue
            # batches that come from here on make the event due again
            upto, heights_m = state.upto, state.heights_m
            try:
                await self._answer(loop, state, upto, heights_m, due.since)
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001 (the watch goes on; the next batch tries again)
                _log.exception("event %s could not be answered", id_)
                self.metrics.failures.inc()
                self._try_later(loop, id_)
            else:
                self._failed.pop(id_, None)
            self._tell(id_, due, upto)

    async def _answer(self, loop, state: _State, upto: int, heights_m: Mapping[Key, float], since: float) -> None:
        """Compute an answer and keep it."""
        nowcast = self.nowcasts.get(state.event.region)
        if nowcast is None:
            return
        begun = time.perf_counter()
        known = "" if state.latest is None else state.latest.digest
        made = await loop.run_in_executor(self._worker, _compute, nowcast, state.event, heights_m, known)
        if made is None:
            return
        self.metrics.answer_seconds.observe(time.perf_counter() - begun)
        await self.write(self._keep_result, state.event.id, upto, made, since)
        self.metrics.results.inc()
        self.metrics.latency_seconds.observe(time.perf_counter() - since)
        self.broker.wake(state.event.row)

    def _try_later(self, loop, id_: str) -> None:
        """Have an event answered again after a fault, a few times: the database may only have been away."""
        self._failed[id_] = self._failed.get(id_, 0) + 1
        if self._failed[id_] > _MOST_TRIES:
            del self._failed[id_]
            return

        def again() -> None:
            self._due.setdefault(id_, _Due(time.perf_counter()))
            self._more.set()

        loop.call_later(_PAUSE_S, again)

    def _tell(self, id_: str, due: _Due, upto: int) -> None:
        """Tell those who wait for an answer; those whose batch came later wait on."""
        for wanted, waiting in due.waiting:
            if waiting.done():
                continue
            later = self._due.get(id_)
            if wanted <= upto or later is None:
                waiting.set_result(None)
            else:
                later.waiting.append((wanted, waiting))

    async def levels(self, state: _State) -> dict[str, GaugeLevels]:
        """Return what the gauges of an event have sent, without the tide."""
        return (await self._levels(state))[0]

    async def records(self, state: _State) -> bytes:
        """Return the same as clients get it, JSON."""
        return (await self._levels(state))[1]

    async def _levels(self, state: _State) -> tuple[dict[str, GaugeLevels], bytes]:
        """Sort the samples of an event, once for all who ask until more come."""
        upto, heights_m = state.upto, state.heights_m
        if state.levels is None or state.levels[0] != upto:
            sorting = self.read(_sorted, self.nowcasts[state.event.region], state.event, heights_m)
            state.levels = (upto, asyncio.ensure_future(sorting))
        return await asyncio.shield(state.levels[1])

    async def records_of(self, state: _State, result: StoredResult) -> Records:
        """Return the records that an answer knew, all of their times."""
        heights_m, _, _ = await self.read(self.store.samples, state.event.row, result.upto)
        return await self.read(_records, self.nowcasts[state.event.region], state.event, heights_m)

    async def again(self, state: _State, result: StoredResult) -> Result | None:
        """Compute an earlier result once more, from the samples that it knew, with all its draws."""
        heights_m, _, _ = await self.read(self.store.samples, state.event.row, result.upto)
        nowcast = self.nowcasts[state.event.region]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, nowcast.answer, state.event, heights_m)


@dataclass(frozen=True)
class _Made:
    """A result as it is kept: its digest, what clients get, and the packed series."""

    digest: str
    summary: dict[str, Any]
    detail: dict[str, Any]
    series: bytes


def _compute(nowcast: Nowcast, event: EventRow, heights_m: Mapping[Key, float], known: str) -> _Made | None:
    """Compute a result, and write it as it is kept."""
    found = nowcast.answer(event, heights_m, known=known)
    if found is None:
        return None
    return _Made(found.digest, summary(found), detail(found, nowcast, Alerts()), pack_series(found.forecast))


def _records(nowcast: Nowcast, event: EventRow, heights_m: Mapping[Key, float]) -> Records:
    """Put what was known of an event into records."""
    return nowcast.records(event, nowcast.levels(event, heights_m))


def _sorted(nowcast: Nowcast, event: EventRow, heights_m: Mapping[Key, float]) -> tuple[dict[str, GaugeLevels], bytes]:
    """Sort samples by gauge and time, and write them as clients get them."""
    levels = nowcast.levels(event, heights_m)
    rows = [
        {
            "gauge": name,
            "state": each.state,
            "wave_since_s": since_s if np.isfinite(since_s := each.wave_since_s) else None,
            "last_s": float(each.time_s[-1]) if each.time_s.size else None,
            "seconds": each.time_s.tolist(),
            "sea_level_m": np.round(each.level_m, 5).tolist(),
        }
        for name, each in levels.items()
    ]
    return levels, json.dumps({"gauges": rows}, allow_nan=False).encode()
