"""The mixture of rupture families on the test sets out of distribution.

    python -m benchmarks.accuracy.mixture --bank bank.nc --store runs/mixture --count 20

The sets are those of :mod:`benchmarks.accuracy`, drawn with other numbers of scenarios: other roughness, sizes and
patterns of slip, another grid, sea floor, noise or target. Each record is inverted as a real one is, told the place
where the rupture began and a first magnitude that is off as
:class:`~slipcast.inversion.first_magnitude.FirstMagnitude` says. The coarser and the perturbed bank are kept in the
store. The table goes to docs/benchmarks/mixture_shifted.json; half an hour on two cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.cases import Cases
from benchmarks.accuracy.config import AccuracyConfig
from benchmarks.accuracy.methods import Methods
from benchmarks.accuracy.store import Store
from benchmarks.events.scores import crps, holds
from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, code_digest, source_files, tables, write_compact
from slipcast.forecasting.forecast import wave_draws
from slipcast.greens.bank import GreensBank
from slipcast.inversion import RuptureMixture
from slipcast.inversion.first_magnitude import FirstMagnitude
from slipcast.parallel.threads import single_threaded
from slipcast.realtime.event_slip import UNLIKE, invert
from slipcast.records import Records
from slipcast.scenarios.scenario_set import ScenarioSet

SEED = 91_000
COMMAND = "python -m benchmarks.accuracy.mixture --bank bank.nc --store runs/mixture"


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the table depends."""
    return source_files("benchmarks/accuracy/mixture.py", root=root)


@dataclass(frozen=True)
class Example:
    """A record to be inverted, and its truth."""

    records: Records
    first_magnitude: float
    magnitude: float
    highest_m: dict[str, float]
    """At the gauges that are not used, by name."""


def examples_of(scenarios: ScenarioSet, levels: np.ndarray, gauges: Sequence[str], bank: GreensBank) -> list[Example]:
    """Make records of a test set: levels of the used gauges by minute, shape (n_scenarios, n_gauges, n_times)."""
    data, rng = scenarios.dataset, np.random.default_rng(SEED)
    slip, onset = data["slip"].to_numpy(), data["onset"].to_numpy()
    others = [name for name in scenarios.gauges if name not in gauges]
    highest = np.nanmax(data["records"].sel(gauge=others).to_numpy(), axis=2)
    magnitudes = data["magnitude"].to_numpy().astype(float)
    places = [bank.region.gauge(name) for name in gauges]
    found = []
    for number, level in enumerate(levels):
        first = int(np.argmin(np.where(slip[number] > 0, onset[number], np.inf)))
        records = Records.from_arrays(
            60.0 * np.arange(1, level.shape[1] + 1),
            level,
            gauges=list(gauges),
            lon_deg=[place.lon for place in places],
            lat_deg=[place.lat for place in places],
        ).with_event(epicentre=(float(bank.subfaults.lon_deg[first]), float(bank.subfaults.lat_deg[first])))
        true = float(magnitudes[number])
        told = float(np.clip(2 * true - FirstMagnitude(true).quantiles(rng.uniform()), 7.0, 9.4))
        found.append(Example(records, told, true, dict(zip(others, highest[number].tolist(), strict=True))))
    return found


def score(bank: GreensBank, window_min: float, example: Example) -> dict[str, Any]:
    """Invert a record, and hold magnitude and maxima against the truth."""
    with single_threaded():
        inverter = RuptureMixture(bank, window_min, gauges=tuple(example.records.gauges))
        slip = invert(example.records, inverter, magnitude=example.first_magnitude, put_aside=False)
        low, high = slip.magnitude_interval()
        heights = []
        for name, true in example.highest_m.items():
            draws = wave_draws(slip, bank, name)[1].max(axis=1)
            heights.append((holds(draws, true, 0.5), holds(draws, true, 0.9), crps(draws, true), true))
    held = bool(low <= example.magnitude <= high)
    return {
        "held": held,
        "error": slip.magnitude - example.magnitude,
        "unlike": UNLIKE in slip.note,
        "heights": heights,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True, help="folder for what is kept")
    parser.add_argument("--count", type=int, default=20, help="scenarios of each set, %(default)s by default")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "mixture_shifted.json")
    given = parser.parse_args(argv)
    bank = GreensBank.open(given.bank)
    config = AccuracyConfig(count=given.count, other_count=given.count, bayes_count=given.count, seed=SEED)
    key = {"bank": bank.id, "count": given.count, "code": code_digest(code())}
    methods = Methods(bank, None, config, Store.begin(given.store, key))  # type: ignore[arg-type]  # none is compared
    cases, window_min = Cases(methods), config.table_window_min
    rows = Rows(
        "set", "n", "Mw in its 90 %", "rms error of Mw", "maxima in 50 %", "in 90 %", "CRPS / maximum", "unlike"
    )
    with ProcessPoolExecutor(given.workers) as pool:
        for case in cases.all.values():
            scenarios = case.make()
            levels = cases.records(case, scenarios).sel(time=slice(0, 60 * window_min)).to_numpy()
            examples = examples_of(scenarios, levels[..., -int(window_min) :], methods.gauges, bank)
            scores = list(pool.map(partial(score, bank, window_min), examples))
            heights = np.array([height for of in scores for height in of["heights"]], float)
            rows.add(
                case.label,
                str(len(scores)),
                f"{np.mean([of['held'] for of in scores]):.2f}",
                f"{np.sqrt(np.mean([of['error'] ** 2 for of in scores])):.2f}",
                *(f"{share:.2f}" for share in heights[:, :2].mean(axis=0)),
                f"{heights[:, 2].sum() / heights[:, 3].sum():.2f}",
                f"{np.mean([of['unlike'] for of in scores]):.2f}",
            )
    write_compact(given.out, tables({"mixture_shifted": rows.results()}, COMMAND, code()))


if __name__ == "__main__":
    main()
