"""Load of a service: many readers while ten events get samples; latencies and memory over time.

    python -m benchmarks.studies.service_load --minutes 10 [--reads 200] [--streams 50] [--events 10] [--out load.json]

Reads are sent at their times whether or not earlier ones are answered (an open loop), and timed from then on, so a
stall shows. Events get their samples each at a time of its own. Service and readers run on the same machine; give the
service a core of its own with ``--service-core 0 --reader-core 1``.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import queue
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np

from benchmarks.simulation import simulate
from benchmarks.studies.service_process import HEADERS, Service
from slipcast.learning.inverters import open_posterior

SPEED_S = 15.0  # a batch of every event, s
WARM_S = 10.0
N_READERS = 32


@dataclass
class Seen:
    """What was measured."""

    read_s: list[tuple[float, float]] = field(default_factory=list)
    result_ms: list[float] = field(default_factory=list)
    parts: int = 0
    problems: int = 0
    memory_mb: list[tuple[float, float]] = field(default_factory=list)


def paths_of(ids: list[str]) -> list[str]:
    """Return what a page asks for."""
    found = ["/api/events"]
    for id_ in ids:
        found += [f"/api/events/{id_}", f"/api/events/{id_}/results/latest", f"/api/events/{id_}/records"]
        found += [f"/api/events/{id_}/results", f"/api/events/{id_}/results/latest/series?gauge=westport"]
    return found


def read_all(address: str, asked: queue.SimpleQueue[tuple[float, str] | None], seen: Seen) -> None:
    """Read what is asked for, one after the other, over one connection."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30.0)
    while (wanted := asked.get()) is not None:
        due, path = wanted
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            seen.problems += answer.status != 200
        except (OSError, http.client.HTTPException):
            seen.problems += 1
            connection.close()
        seen.read_s.append((due, time.monotonic() - due))
    connection.close()


@contextmanager
def reading(address: str, seen: Seen) -> Iterator[queue.SimpleQueue[tuple[float, str] | None]]:
    """Begin readers, in threads: the library of the other requests takes longer for a read than the service."""
    asked: queue.SimpleQueue[tuple[float, str] | None] = queue.SimpleQueue()
    readers = [threading.Thread(target=read_all, args=(address, asked, seen)) for _ in range(N_READERS)]
    for reader in readers:
        reader.start()
    try:
        yield asked
    finally:
        for _ in readers:
            asked.put(None)
        for reader in readers:
            reader.join()


async def follow(client: httpx.AsyncClient, id_: str, seen: Seen, until: float) -> None:
    """Hold a stream open."""
    while time.monotonic() < until:
        try:
            async with client.stream("GET", f"/api/events/{id_}/stream", timeout=60.0) as answer:
                async for _ in answer.aiter_lines():
                    seen.parts += 1
                    if time.monotonic() >= until:
                        return
        except httpx.HTTPError:
            seen.problems += 1
            await asyncio.sleep(0.5)


async def send(
    client: httpx.AsyncClient, id_: str, batches: list[list[dict]], seen: Seen, *, later_s: float, until: float
) -> None:
    """Send an event's samples, a batch now and then; when all are there, corrections of them."""
    number = 0
    await asyncio.sleep(later_s)
    while time.monotonic() < until:
        batch = batches[number % len(batches)]
        if number >= len(batches):
            batch = [
                each | {"sea_level_m": round(each["sea_level_m"] + 1e-4 * (number // len(batches)), 5)}
                for each in batch
            ]
        begun = time.perf_counter()
        answer = await client.post(f"/api/events/{id_}/samples", json={"samples": batch}, headers=HEADERS)
        seen.problems += answer.status_code != 200
        seen.result_ms.append(1e3 * (time.perf_counter() - begun))
        number += 1
        await asyncio.sleep(max(0.0, SPEED_S - (time.perf_counter() - begun)))


async def main_async(options: argparse.Namespace, service: Service) -> dict:
    """Create the events, then read, follow and send."""
    sampler = open_posterior("cascadia")
    seen, ids, batches = Seen(), [], []
    limits = httpx.Limits(max_connections=options.streams + 100, max_keepalive_connections=options.streams + 100)
    # streams in a client of their own: a pool looks through all its connections for each request
    async with (
        httpx.AsyncClient(base_url=service.address, timeout=30.0, limits=limits) as client,
        httpx.AsyncClient(base_url=service.address, timeout=30.0, limits=limits) as streams,
    ):
        for number in range(options.events):
            records = simulate(sampler, magnitude=8.0 + 0.1 * (number % 10), seed=number)
            about = {
                "region": "cascadia",
                "origin_time": "2026-01-26T21:00:00Z",
                "longitude": -125.0,
                "latitude": 45.0,
                "name": f"load {number}",
                "simulation": True,
            }
            answer = await client.post("/api/events", json=about, headers=HEADERS)
            ids.append(answer.json()["id"])
            rows = [
                {"gauge": gauge, "seconds": float(at), "sea_level_m": round(float(level), 5)}
                for at, column in zip(records.time_s, records.sea_level.to_numpy().T)
                for gauge, level in zip(records.gauges, column)
            ]
            await client.post(f"/api/events/{ids[-1]}/samples", json={"samples": rows[:80]}, headers=HEADERS)
            batches.append([rows[start : start + 4] for start in range(80, len(rows), 4)])
        begun, cpu_s, own_cpu_s = time.monotonic(), service.cpu_s, time.process_time()
        until = begun + 60 * options.minutes + WARM_S
        tasks = [
            asyncio.create_task(follow(streams, ids[number % len(ids)], seen, until))
            for number in range(options.streams)
        ]
        rng = np.random.default_rng(1)
        tasks += [
            asyncio.create_task(send(client, id_, own, seen, later_s=float(rng.uniform(0, SPEED_S)), until=until))
            for id_, own in zip(ids, batches)
        ]
        paths, number = paths_of(ids), 0
        with reading(service.address, seen) as asked:
            while time.monotonic() < until:
                due = begun + number / options.reads
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if number % (5 * options.reads) == 0:
                    seen.memory_mb.append((round(time.monotonic() - begun, 1), round(service.memory_mb, 1)))
                if number == int(WARM_S * options.reads):
                    seen.result_ms.clear()
                asked.put((due, paths[int(rng.integers(len(paths)))]))
                number += 1
            spent_s = time.monotonic() - begun
            cores, own_cores = (service.cpu_s - cpu_s) / spent_s, (time.process_time() - own_cpu_s) / spent_s
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    half = len(seen.memory_mb) // 2
    read_ms = 1e3 * np.array([took_s for due, took_s in seen.read_s if due > begun + WARM_S])
    memory = np.array([mb for _, mb in seen.memory_mb])
    return {
        "minutes": options.minutes,
        "reads_per_s": options.reads,
        "streams": options.streams,
        "events": options.events,
        "n_reads": len(read_ms),
        "read_ms": {f"p{q:g}": round(float(np.percentile(read_ms, q)), 1) for q in (50, 90, 99, 99.9)},
        "batch_to_result_ms": {f"p{q:g}": round(float(np.percentile(seen.result_ms, q)), 1) for q in (50, 90, 99)},
        "cores_used_by_the_service": round(cores, 2),
        "cores_used_by_the_readers": round(own_cores, 2),
        "stream_lines": seen.parts,
        "problems": seen.problems,
        "memory_mb_first_half": round(float(memory[:half].mean()), 1),
        "memory_mb_second_half": round(float(memory[half:].mean()), 1),
        "memory_mb": seen.memory_mb[:: max(1, len(seen.memory_mb) // 20)],
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--reads", type=int, default=200)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--events", type=int, default=10)
    parser.add_argument("--database", default=None)
    parser.add_argument("--service-core", type=int, default=None)
    parser.add_argument("--reader-core", type=int, default=None)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), options.database)
        if options.service_core is not None:
            os.sched_setaffinity(service.process.pid, {options.service_core})
        if options.reader_core is not None:
            os.sched_setaffinity(0, {options.reader_core})
        try:
            found = asyncio.run(main_async(options, service))
        finally:
            service.stop()
    print(json.dumps(found, indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
