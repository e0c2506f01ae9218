"""Does the prior of ruptures contain what happened? Percentiles of recorded ranges among scenarios.

    python -m benchmarks.events.percentiles benchmarks/events/*/ --raw ../shared/events --banks runs/event-banks

As Davies (2019, Geophysical Journal International 218, 1939, doi:10.1093/gji/ggz260) tests the scenarios of a hazard
assessment: the range of the first wave that each DART recorded is compared with those of scenarios of the catalogue's
magnitude at the epicentre. Where the prior is right, percentiles of events are uniform. Scenarios are drawn from the
families of the mixture, and from the generator that networks are trained on. Then sizes and slip of both are compared
with published scaling (:mod:`benchmarks.events.rupture_scaling`). Tables go to docs/benchmarks/prior_percentiles.json;
some minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import kstest, rankdata

from benchmarks.events.conditioned import Ruptures, delayed, family_ruptures, generator_ruptures, waves_of
from benchmarks.events.event import FILE, Event
from benchmarks.events.prediction import around
from benchmarks.events.run import Prepared, prepare
from benchmarks.events.rupture_scaling import scaling_table
from benchmarks.events.scores import pit
from benchmarks.events.waves import known_samples
from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast.errors import InputError, SlipcastWarning
from slipcast.greens.reciprocity import SAMPLE_S
from slipcast.inversion.candidates import candidate_sources
from slipcast.inversion.mixture import RIGIDITY_SD
from slipcast.physics.slip_families import FamilyPrior

COMMAND = "python -m benchmarks.events.percentiles benchmarks/events/*/ --raw EVENTS --banks runs/event-banks"
N_SCENARIOS, N_SIZES = 500, 2000
GENERATOR, FAMILIES, UNKNOWN = "generator", "families", "families, rigidity unknown"
PRIORS = (GENERATOR, FAMILIES, UNKNOWN)

_AROUND_MW = 0.1
_REACH_MW, _LARGEST_MW = 1.0, 9.6
_LATE_SHARE, _LATE_S, _LATE_STEP_S = 0.02, (120.0, 900.0), 30.0


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the tables depend."""
    facts = [str(path.relative_to(root)) for path in (root / "benchmarks" / "events").glob(f"*/{FILE}")]
    return source_files("benchmarks/events", *sorted(facts), root=root)


@dataclass(frozen=True)
class Compared:
    """An event among scenarios.

    Attributes
    ----------
    recorded_m : dict of str to float
        Range of the first wave by DART, m.
    range_m : dict of str to array, shape (n_scenarios,)
        That of scenarios, m.
    misfit : array, shape (n_scenarios,)
        Median over DARTs of :func:`misfits`.
    """

    recorded_m: dict[str, float]
    range_m: dict[str, np.ndarray]
    misfit: np.ndarray

    @property
    def percentiles(self) -> dict[str, float]:
        """Place of each recorded range among those of scenarios, in (0, 1)."""
        return {gauge: pit(self.range_m[gauge], self.recorded_m[gauge]) for gauge in self.recorded_m}

    @property
    def place(self) -> float:
        """Place of the event, in (0, 1), as of :func:`place_of_median`."""
        return place_of_median(np.array(list(self.range_m.values())), np.array(list(self.recorded_m.values())))


def place_of_median(range_m: np.ndarray, recorded_m: np.ndarray) -> float:
    """Return where the median percentile of an event lies among those that scenarios have among each other.

    Parameters
    ----------
    range_m : array, shape (n_gauges, n_scenarios)
        Ranges of scenarios, m.
    recorded_m : array, shape (n_gauges,)
        Those recorded, m.

    Returns
    -------
    place : float
        In (0, 1); uniform where the event is one of the scenarios, however its DARTs depend on each other. Their median
        percentile itself is not: it is nearer to a half the less they do.

    Examples
    --------
    >>> place_of_median(np.array([[1.0, 2.0, 3.0]]), np.array([2.5]))
    0.625
    """
    of_scenarios = (rankdata(range_m, axis=1) - 0.5) / range_m.shape[1]
    observed = [pit(ranges, recorded) for ranges, recorded in zip(range_m, recorded_m, strict=True)]
    return pit(np.median(of_scenarios, axis=0), float(np.median(observed)))


def misfits(level_m: np.ndarray, recorded_m: np.ndarray) -> np.ndarray:
    r"""Compute how far waves are from a record, with the measure of Lorito et al. (2008) that Davies (2019) uses.

    Parameters
    ----------
    level_m : array, shape (n, n_times)
        Waves, m.
    recorded_m : array, shape (n_times,)
        Record, m.

    Returns
    -------
    misfit : array, shape (n,)
        :math:`1 - 2 d \cdot m / (d \cdot d + m \cdot m)`: 0 for the same, 1 for nothing alike.

    Examples
    --------
    >>> misfits(np.array([[1.0, -1.0], [0.0, 0.0], [-1.0, 1.0]]), np.array([1.0, -1.0])).tolist()
    [0.0, 1.0, 2.0]
    """
    return 1.0 - 2.0 * (level_m @ recorded_m) / (recorded_m @ recorded_m + np.square(level_m).sum(axis=1))


def compare(ready: Prepared, ruptures: Ruptures, waves: dict[str, np.ndarray]) -> Compared:
    """Compare the records of an event with the waves of scenarios around the first wave at each DART."""
    recorded, ranges, misfit = {}, {}, []
    for gauge, wave in ready.waves.items():
        time_s, level_m = known_samples(ready.records, gauge)
        inside = around(wave, time_s)
        at_s, level_m = time_s[inside], level_m[inside]
        made = delayed(waves[gauge], SAMPLE_S, at_s, ruptures.delay_s)
        recorded[gauge] = float(np.ptp(level_m))
        ranges[gauge] = np.nanmax(made, axis=1) - np.nanmin(made, axis=1)
        latest_s = float(np.clip(_LATE_SHARE * wave.start_s, *_LATE_S))
        best = np.full(len(made), np.inf)
        for late_s in np.arange(0.0, latest_s + 1e-6, _LATE_STEP_S):
            shifted = delayed(waves[gauge], SAMPLE_S, at_s, ruptures.delay_s + late_s)
            best = np.minimum(best, misfits(np.nan_to_num(shifted), level_m))
        misfit.append(best)
    return Compared(recorded, ranges, np.median(misfit, axis=0))


def compared(event: Event, ready: Prepared, count: int, rng: np.random.Generator) -> dict[str, Compared]:
    """Compare an event with scenarios of each prior.

    Parameters
    ----------
    event : Event
        Of which magnitude and epicentre count.
    ready : Prepared
        Its records, first waves and bank.
    count : int
        Scenarios of each prior.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    compared : dict of str to Compared
        By prior. Where rigidity is unknown, waves of the magnitude scatter as the mixture counts it.
    """
    reach = min(event.magnitude + _REACH_MW, _LARGEST_MW)
    near = ready.bank.with_sources(candidate_sources(ready.bank.sources, event.epicentre, reach))
    near = near.with_window(list(ready.waves), float(near.time_s[-1]) / 60)
    magnitude = event.magnitude - _AROUND_MW, event.magnitude + _AROUND_MW
    found = {}
    drawn = generator_ruptures(near.subfaults, event.epicentre, magnitude, count, rng)
    found[GENERATOR] = compare(ready, drawn, waves_of(drawn, near))
    drawn = family_ruptures(FamilyPrior(near.subfaults), event.epicentre, magnitude, count, rng)
    waves = waves_of(drawn, near)
    found[FAMILIES] = compare(ready, drawn, waves)
    more = np.exp(RIGIDITY_SD * rng.standard_normal((count, 1)) + 0.5 * RIGIDITY_SD**2)
    found[UNKNOWN] = compare(ready, drawn, {gauge: more * level_m for gauge, level_m in waves.items()})
    return found


def gauge_rows(event: Event, ready: Prepared, found: dict[str, Compared], rows: Rows) -> None:
    """Add a row for each DART in order of crests."""
    for gauge in sorted(ready.waves, key=lambda name: ready.waves[name].crest_s):
        cells = []
        for prior in PRIORS:
            low, high = 100 * np.quantile(found[prior].range_m[gauge], [0.05, 0.95])
            cells += [f"{low:.1f} to {high:.1f}", f"{found[prior].percentiles[gauge]:.2f}"]
        rows.add(event.title, gauge, f"{100 * found[GENERATOR].recorded_m[gauge]:.1f}", *cells)


def event_rows(event: Event, found: dict[str, Compared], rows: Rows) -> None:
    """Add a row for each prior."""
    for prior, of in found.items():
        rows.add(
            event.title,
            f"{event.magnitude:g}",
            prior,
            str(len(of.misfit)),
            f"{np.median(list(of.percentiles.values())):.2f}",
            f"{of.place:.2f}",
            f"{of.misfit.min():.2f}",
            f"{np.median(of.misfit):.2f}",
        )


def pooled_rows(found: dict[str, tuple[Event, dict[str, Compared]]], rows: Rows) -> None:
    """Add a row for each prior and set of events: those of plate interfaces, and all where there are others."""
    sets = {"interface": [pair for pair in found.values() if pair[0].interface], "all": list(found.values())}
    for name, pairs in sets.items():
        if not pairs or (name == "all" and len(pairs) == len(sets["interface"])):
            continue
        for prior in PRIORS:
            of_events = [each[prior] for _, each in pairs]
            darts = np.array([value for of in of_events for value in of.percentiles.values()])
            places = np.array([of.place for of in of_events])
            rows.add(
                f"{name} ({len(pairs)})",
                prior,
                str(darts.size),
                f"{np.mean(abs(darts - 0.5) < 0.25):.2f}",
                f"{np.mean(abs(darts - 0.5) < 0.45):.2f}",
                f"{np.mean(darts > 0.5):.2f}",
                ", ".join(f"{place:.2f}" for place in places),
                f"{kstest(places, 'uniform').pvalue:.2f}",
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Write the tables; return 0, or 2 where an argument is refused."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.events.percentiles",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("events", nargs="+", type=Path, metavar="EVENT", help=f"folder with {FILE}")
    parser.add_argument("--raw", type=Path, help="folder of raw data, where an event's own folder has none")
    parser.add_argument("--banks", type=Path, required=True, help="folder where banks are kept, one an event")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "prior_percentiles.json")
    parser.add_argument("--scenarios", type=int, default=N_SCENARIOS, help="of each prior, %(default)s by default")
    parser.add_argument("--sizes", type=int, default=N_SIZES, help="ruptures of each magnitude, %(default)s by default")
    given = parser.parse_args(argv)
    warnings.simplefilter("ignore", SlipcastWarning)
    events = [Event.open(folder) for folder in given.events if (folder / FILE).exists()]
    if not events:
        sys.stderr.write(f"events must name a folder with {FILE}, got {' '.join(map(str, given.events))}\n")
        return 2
    found: dict[str, tuple[Event, dict[str, Compared]]] = {}
    columns = [part for prior in PRIORS for part in (f"{prior}: 5 to 95 % (cm)", "percentile")]
    darts = Rows("event", "DART", "recorded (cm)", *columns)
    for number, event in enumerate(events):
        try:
            ready = prepare(event, given.raw, given.banks)
            each = compared(event, ready, given.scenarios, np.random.default_rng([0, number]))
        except InputError as error:
            sys.stderr.write(f"{event.title}: {error}\n")
            return 2
        gauge_rows(event, ready, each, darts)
        found[event.name] = event, each
    of_events = Rows(
        "event", "Mw", "prior", "scenarios", "median percentile", "its place", "best misfit", "median misfit"
    )
    for event, each in found.values():
        event_rows(event, each, of_events)
    pooled = Rows("events", "prior", "DARTs", "in 50 %", "in 90 %", "above the median", "places of events", "KS p")
    pooled_rows(found, pooled)
    regions = {event.region: event.region_settings() for event in events}
    sizes = scaling_table(list(regions.values()), given.sizes, np.random.default_rng(1))
    results = {"darts": darts, "events": of_events, "pooled": pooled, "scaling": sizes}
    write_compact(given.out, tables({name: rows.results() for name, rows in results.items()}, COMMAND, code()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
