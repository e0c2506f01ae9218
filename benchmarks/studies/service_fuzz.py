"""Fuzzing of the service: Schemathesis by its OpenAPI description, and broken batches; it may not fail or grow.

    python -m benchmarks.studies.service_fuzz --batches 10000 [--examples 200] [--out fuzz.json]

Needs Schemathesis (``pip install schemathesis``) unless ``--examples 0``.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from benchmarks.studies.service_process import HEADERS, TOKEN, Service

ODD = [
    None,
    True,
    [],
    {},
    "",
    "x",
    "é",
    "\0",
    -1,
    0,
    1e308,
    -1e308,
    10**30,
    0.5,
    "NaN",
    "46404",
    "0000-00-00",
    "9" * 400,
]
RAW = ["NaN", "Infinity", "-Infinity", "1e999", "-0", "1" * 5000, '"\\ud800"', "[" * 2000, "{", "\ufeff1", "nul"]


def broken(rng: random.Random) -> bytes:
    """Make a batch that is wrong somewhere, or, seldom, is not."""
    sample = {"gauge": "46404", "seconds": float(rng.randrange(0, 7200, 15)), "sea_level_m": rng.gauss(0, 0.1)}
    for _ in range(rng.randrange(1, 3)):
        key = rng.choice(["gauge", "seconds", "time", "sea_level_m", "water_column_m", "colour"])
        sample[key] = rng.choice([*ODD, rng.gauss(0, 10.0 ** rng.randrange(0, 12))])
        if rng.random() < 0.2:
            sample.pop(rng.choice(list(sample)), None)
    batch = {"samples": [sample] * rng.choice([0, 1, 1, 1, 2, 40])}
    if rng.random() < 0.1:
        batch[rng.choice(["samples", "received", "more"])] = rng.choice(ODD)
    text = json.dumps(batch)
    if rng.random() < 0.2:
        text = text.replace(json.dumps(sample.get("sea_level_m")), rng.choice(RAW))
    content = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:
        content = content[: rng.randrange(len(content) + 1)]
    if rng.random() < 0.1 and content:
        place = rng.randrange(len(content))
        content = content[:place] + bytes([rng.randrange(256)]) + content[place + 1 :]
    return content


def send_broken(service: Service, count: int, seed: int) -> dict:
    """Send broken batches to one event; count the answers."""
    rng, statuses, memory = random.Random(seed), Counter(), []
    with httpx.Client(base_url=service.address, headers=HEADERS, timeout=60.0) as client:
        about = {
            "region": "cascadia",
            "origin_time": "2026-01-26T21:00:00Z",
            "longitude": -125.0,
            "latitude": 45.0,
            "simulation": True,
        }
        id_ = client.post("/api/events", json=about).json()["id"]
        sent = 0
        while sent < count:
            headers = {"content-type": "application/json"}
            answer = client.post(f"/api/events/{id_}/samples", content=broken(rng), headers=headers)
            if answer.status_code == 429:  # the limit holds; wait as asked
                statuses[429] += 1
                time.sleep(0.2)
                continue
            statuses[answer.status_code] += 1
            sent += 1
            if sent % max(1, count // 20) == 0:
                memory.append(round(service.memory_mb, 1))
    return {"answers": {str(status): number for status, number in sorted(statuses.items())}, "memory_mb": memory}


def nonsense(file: Path) -> int:
    """Count samples in a database that are no number in range."""
    with sqlite3.connect(file) as connection:
        rows = connection.execute("SELECT gauge, kind, at_ms, height_m FROM samples").fetchall()
    return sum(
        not (
            isinstance(gauge, str)
            and isinstance(at_ms, int)
            and -7 * 86_400_000 <= at_ms <= 2 * 86_400_000
            and isinstance(height, float)
            and math.isfinite(height)
            and (abs(height) <= 50 if kind == "sea_level" else 0 < height <= 12000)
        )
        for gauge, kind, at_ms, height in rows
    )


def schemathesis(service: Service, examples: int) -> dict:
    """Run Schemathesis."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{service.address}/openapi.json",
        "--header",
        f"Authorization: Bearer {TOKEN}",
        "--max-examples",
        str(examples),
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        "--exclude-path-regex",
        "/stream$",  # never ends
        "--seed",
        "1",
        "--request-timeout",
        "60",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"exit": done.returncode, "said": done.stdout.splitlines()[-40:]}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=int, default=10_000)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        service = Service(folder)
        try:
            found = {"batches": send_broken(service, options.batches, options.seed)}
            if options.examples:
                found["schemathesis"] = schemathesis(service, options.examples)
        finally:
            service.stop()
        found["faults_in_log"] = service.log.read_text(encoding="utf-8").count("fault ")
        found["nonsense_stored"] = nonsense(folder / "watch.sqlite")
    print(json.dumps(found, indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    failed = any(status.startswith("5") for status in found["batches"]["answers"])
    if failed or found["nonsense_stored"] or found.get("schemathesis", {}).get("exit"):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
