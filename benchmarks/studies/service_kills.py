"""A service killed at random moments under load: nothing acknowledged may be lost, and answers stay the same.

    python -m benchmarks.studies.service_kills --kills 20 [--database postgresql+psycopg://...] [--out kills.json]

Three events are sent at once by four senders each, in small batches, some samples twice, some wrong and corrected
later. After every kill the service starts again on the same database; all samples that it had acknowledged must be
there with the value last acknowledged. At the end every event's answer must be that of a nowcast that got all samples
in one piece.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np

from benchmarks.simulation import simulate
from benchmarks.studies.service_process import HEADERS, Service
from slipcast.learning.inverters import open_posterior
from slipcast.realtime.nowcast import Nowcast
from slipcast.service.api.results import Alerts, detail, summary
from slipcast.service.storage.store import EventRow, Store

N_EVENTS = 3
N_SENDERS = 4
BATCH = 7
TIMEOUT_S = 60.0


class Load:
    """Sends a share of the samples of an event until the service dies, and remembers what was acknowledged."""

    def __init__(self, samples: list[dict], seed: int):
        self.id = ""
        self.samples = samples
        self.rng = np.random.default_rng(seed)
        self.acknowledged: dict[tuple[str, float], float] = {}
        self.uncertain: set[tuple[str, float]] = set()
        self.n_batches = 0

    def batch(self) -> list[dict]:
        """Choose samples: any, some of them wrong for now."""
        chosen = [self.samples[i] for i in self.rng.integers(len(self.samples), size=BATCH)]
        wrong = self.rng.random(BATCH) < 0.2
        return [
            each | {"sea_level_m": round(each["sea_level_m"] + 0.5 * bool(off), 5)} for each, off in zip(chosen, wrong)
        ]

    def run(self, address: str, stopping: threading.Event) -> None:
        """Send batch after batch."""
        with httpx.Client(base_url=address, headers=HEADERS, timeout=TIMEOUT_S) as client:
            while not stopping.is_set():
                batch = self.batch()
                keys = {(each["gauge"], each["seconds"]) for each in batch}
                try:
                    answer = client.post(f"/api/events/{self.id}/samples", json={"samples": batch})
                except httpx.TransportError:
                    self.uncertain |= keys  # it may have been committed, or not
                    return
                if answer.status_code == 429:
                    time.sleep(0.05)
                    continue
                answer.raise_for_status()
                self.n_batches += 1
                self.uncertain -= keys
                for each in batch:
                    self.acknowledged[each["gauge"], each["seconds"]] = each["sea_level_m"]

    def lost(self, store: Store) -> int:
        """Count acknowledged samples that are not kept, or not with the value last acknowledged."""
        event = store.event(self.id)
        if event is None:
            return len(self.acknowledged)
        kept, _, _ = store.samples(event.row)
        there = {(gauge, at_ms / 1e3): height_m for (gauge, _, at_ms), height_m in kept.items()}
        return sum(
            1
            for key, level in self.acknowledged.items()
            if key not in there or (key not in self.uncertain and there[key] != level)
        )


def count_lost(database: str, loads: list[Load]) -> int:
    """Count acknowledged samples that a database lacks: what a client is shown may leave out bad ones."""
    store = Store(database)
    try:
        return sum(load.lost(store) for load in loads)
    finally:
        store.close()


def ask(client: httpx.Client, path: str):
    """Read something."""
    answer = client.get(path)
    answer.raise_for_status()
    return answer.json()


def create(client: httpx.Client, records, name: str) -> str:
    """Create an event."""
    about = {
        "region": "cascadia",
        "origin_time": "2026-01-26T21:00:00Z",
        "longitude": float(records.dataset.attrs["epicentre"][0]) - 360.0,
        "latitude": float(records.dataset.attrs["epicentre"][1]),
        "magnitude": float(records.dataset.attrs["magnitude"]),
        "name": name,
        "simulation": True,
    }
    answer = client.post("/api/events", json=about, headers=HEADERS)
    answer.raise_for_status()
    return answer.json()["id"]


def settle(client: httpx.Client, id_: str) -> dict:
    """Wait until an event's answer does not change any more; return it without what depends on the clock."""
    last, since = None, time.monotonic()
    while time.monotonic() - since < TIMEOUT_S:
        found = ask(client, f"/api/events/{id_}/results/latest")
        if found["number"] == last:
            break
        last = found["number"]
        time.sleep(1.5)
    return {key: value for key, value in found.items() if key not in ("number", "created", "latency_ms")}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--database", default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    sampler = open_posterior("cascadia")
    simulated = [simulate(sampler, magnitude=8.2 + 0.3 * number, seed=number) for number in range(N_EVENTS)]
    samples = [
        [
            {"gauge": gauge, "seconds": float(at), "sea_level_m": round(float(level), 5)}
            for gauge, row in zip(records.gauges, records.sea_level.to_numpy())
            for at, level in zip(records.time_s, row)
            if at <= 3600
        ]
        for records in simulated
    ]
    loads = [
        [Load(of_event[first::N_SENDERS], options.seed + N_SENDERS * event + first) for first in range(N_SENDERS)]
        for event, of_event in enumerate(samples)
    ]
    every = [load for of_event in loads for load in of_event]
    rng, lost, checked, same = np.random.default_rng(options.seed), 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for round_ in range(options.kills):
            service = Service(folder, options.database)
            with httpx.Client(base_url=service.address, timeout=TIMEOUT_S) as client:
                if round_ == 0:
                    for number, records in enumerate(simulated):
                        id_ = create(client, records, f"load {number}")
                        for load in loads[number]:
                            load.id = id_
                else:
                    lost += count_lost(service.database, every)
                    checked += sum(len(load.acknowledged) for load in every)
            begun, stopping = sum(load.n_batches for load in every), threading.Event()
            threads = [threading.Thread(target=load.run, args=(service.address, stopping)) for load in every]
            for thread in threads:
                thread.start()
            while sum(load.n_batches for load in every) == begun:
                time.sleep(0.005)
            time.sleep(float(rng.uniform(0.0, 2.0)))
            service.kill()
            stopping.set()
            for thread in threads:
                thread.join()
            print(
                f"kill {round_ + 1}: {sum(load.n_batches for load in every)} batches acknowledged, {lost} samples lost"
            )
        service = Service(folder, options.database)
        with httpx.Client(base_url=service.address, timeout=TIMEOUT_S) as client:
            lost += count_lost(service.database, every)
            checked += sum(len(load.acknowledged) for load in every)
            for of_event, (load, *_) in zip(samples, loads):
                answer = client.post(f"/api/events/{load.id}/samples", json={"samples": of_event}, headers=HEADERS)
                answer.raise_for_status()
                event = ask(client, f"/api/events/{load.id}")
                same += settle(client, load.id) == in_one_piece(sampler, of_event, event)
        service.stop()
    found = {
        "database": "sqlite" if options.database is None else options.database.partition(":")[0],
        "kills": options.kills,
        "batches_acknowledged": sum(load.n_batches for load in every),
        "samples_checked": checked,
        "samples_lost": lost,
        "events": N_EVENTS,
        "answers_the_same": same,
    }
    print(json.dumps(found, indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if lost or same < N_EVENTS:
        raise SystemExit(1)


def in_one_piece(sampler, samples: list[dict], event: dict) -> dict:
    """Return the answer of a nowcast that gets all samples at once."""
    keys = ("id", "region", "name", "origin_time", "longitude", "latitude", "magnitude", "simulation", "created")
    row = EventRow(row=0, **{key: event[key] for key in keys})
    heights = {(each["gauge"], "sea_level", round(1e3 * each["seconds"])): each["sea_level_m"] for each in samples}
    nowcast = Nowcast(sampler, hold_first=True)
    found = nowcast.answer(row, heights)
    return summary(found) | detail(found, nowcast, Alerts())


if __name__ == "__main__":
    main()
