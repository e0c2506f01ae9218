"""Run the suite of real tsunamis: docs/benchmarks/event_suite.json and figures.

    python -m benchmarks.events benchmarks/events/* --raw ../shared/events --banks runs/event-banks

An argument is a folder with ``event.toml``; others are passed over. Banks are built once, minutes an event; then some
minutes on two cores. The rows behind the tables go to a file of JSON lines beside the results.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks.events.event import FILE, Event
from benchmarks.events.prediction import N_PRIOR, SURFACE
from benchmarks.events.run import N_SCENARIOS, EventScores, score_event
from benchmarks.events.tables import event_table, facts_table, pooled_tables
from benchmarks.markdown import table
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast.errors import InputError
from slipcast.inversion.methods import METHODS
from slipcast.io.atomic import write_text

_NOT_RUN = ("linear",)


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the tables depend."""
    facts = [str(path.relative_to(root)) for path in (root / "benchmarks" / "events").glob(f"*/{FILE}")]
    return source_files("benchmarks/events", *sorted(facts), root=root)


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.events", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("events", type=Path, nargs="+", metavar="EVENT", help=f"folder with {FILE}")
    parser.add_argument("--raw", type=Path, help="folder of raw data, where an event's own folder has none")
    parser.add_argument("--banks", type=Path, required=True, help="folder where banks are kept, one an event")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "event_suite.json")
    parser.add_argument("--figures", type=Path, help="folder of a picture for each event; by default none")
    every = [*(name for name in METHODS if name not in _NOT_RUN), SURFACE]
    parser.add_argument(
        "--methods", nargs="+", choices=(*METHODS, SURFACE), default=every, help="by default %(default)s"
    )
    parser.add_argument("--workers", type=int, default=2, help="events at a time, %(default)s by default")
    parser.add_argument("--scenarios", type=int, default=N_SCENARIOS, help="%(default)s by default; fewer for a trial")
    return parser.parse_args(arguments)


def scores_of(given: argparse.Namespace) -> list[EventScores]:
    """Score all events; InputError if there is none, or two of a name."""
    events = [Event.open(folder) for folder in given.events if (folder / FILE).exists()]
    if not events:
        raise InputError(f"events must name a folder with {FILE}, got {' '.join(map(str, given.events))}")
    if given.scenarios < N_PRIOR:
        raise InputError(f"scenarios must be >= {N_PRIOR}, got {given.scenarios}")
    names = [event.name for event in events]
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise InputError(f"event {twice[0]} is given twice")
    work = partial(
        score_event,
        raw=given.raw,
        banks=given.banks,
        methods=given.methods,
        figures=given.figures,
        n_scenarios=given.scenarios,
    )
    workers = min(given.workers, len(events))
    if workers <= 1:
        return [_told(scores) for scores in map(work, events)]
    # a process that has used OpenMP cannot be forked
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return [_told(scores) for scores in pool.map(work, events)]


def _told(scores: EventScores) -> EventScores:
    """Say how long an event took, or why there is nothing."""
    sys.stdout.write(f"{scores.event.title}: {scores.seconds:.0f} s {scores.failure}\n")
    sys.stdout.flush()
    return scores


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the results and print the pooled tables; return 0, or 2 where an argument is refused."""
    given, begin = parsed(arguments), time.monotonic()
    try:
        found = scores_of(given)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    pooled = pooled_tables(found)
    of_events = {f"cases {each.event.name}": event_table(each) for each in found if each.cases}
    command = "python -m benchmarks.events benchmarks/events/* --raw EVENTS --banks runs/event-banks"
    results = tables({"events": facts_table(found)} | pooled | of_events, command, code())
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write_compact(given.out, results | {"methods": list(given.methods), "scenarios": given.scenarios})
    rows = [row for each in found for row in (*each.cases, *each.gauges)]
    write_text(given.out.with_suffix(".jsonl"), "".join(f"{json.dumps(row, allow_nan=False)}\n" for row in rows))
    for name, one in pooled.items():
        sys.stdout.write(f"\n{name}\n\n{table(one['header'], one['rows'])}\n")
    sys.stdout.write(f"\n{time.monotonic() - begin:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
