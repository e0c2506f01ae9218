"""Nowcasts over quiet and tsunami records with one failing sensor: false alarms, culprits named, error of magnitude.

    python -m benchmarks.studies.failing_sensors EVENTS --bank bank.nc --json docs/benchmarks/failing_sensors.json

EVENTS holds ``quiet2011/STATION.csv`` (eight DARTs, June 2011, no tsunami) and ``NAME/ndbc/STATION.txt`` from a month
before each of four tsunamis on, of which what is before is taken. As many of them as the model has gauges stand for the
DARTs of the region, at 15 minutes, interpolated to a minute with white noise of 1.5 mm from an hour before an
earthquake on; a tsunami, where there is one, is that of a scenario that no training has seen. The service's way is
gone, from heights of the water column to forecasts. Half an hour on one core; the tables stand in docs/watch-floor.md.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.known_fault import odds_of_naming
from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from benchmarks.sensor_faults import KINDS, apply
from benchmarks.studies.quality import EVENTS
from slipcast.greens.bank import GreensBank
from slipcast.inversion import LeastSquares, magnitude_of_slip
from slipcast.inversion.consistency import Consistency
from slipcast.inversion.first_magnitude import FirstMagnitude
from slipcast.learning.inverters import open_posterior
from slipcast.realtime.nowcast import Nowcast, Result
from slipcast.records import parse_origin, read_dart
from slipcast.records.quality import check_levels
from slipcast.scenarios.scenario_set import ScenarioSet
from slipcast.service.api.results import Alerts

HISTORY_S, MINUTES, EVERY_H = 3 * 86400.0, 60, 6
FIRST_ORIGIN, N_QUIET, N_FAILING, N_WAVES = np.datetime64("2011-06-04T00:00:00"), 100, 20, 20
N_HONEST, WINDOWS_MIN = 100, (10, 20, 30, 45, 60, 90, 120)
TABLES = ("quiet", "waves", "honest", "samples")
OFF_M = 0.02  # as much as a wave must have to be detected
KNOWING = "by a test that knows the fault"
FEWEST = 3
QUIET_MW, FIRST_IS_LESS, NOISE_M, SEED = 7.0, 0.3, 0.0015, 82_000


@dataclass(frozen=True)
class Earthquake:
    """An earthquake as it is first reported."""

    origin_time: str
    magnitude: float
    longitude: float = -125.0
    latitude: float = 45.5
    name: str = ""
    simulation: bool = True


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the tables depend."""
    return source_files("benchmarks/studies/failing_sensors.py", "benchmarks/sensor_faults.py", root=root)


def quiet_heights(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read eight quiet records: times, s since 1970, and heights, m."""
    found = []
    for path in sorted((folder / "quiet2011").glob("*.csv")):
        series = read_dart(path)
        known = np.isfinite(series.height_m)
        found.append((series.time[known].astype("datetime64[s]").astype(float), series.height_m[known]))
    return found


def heights_before(folder: Path, event: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read the month before a tsunami, as :func:`quiet_heights`."""
    origin_s = parse_origin(EVENTS[event][0]).astype("datetime64[s]").astype(float)
    found = []
    for path in sorted((folder / event / "ndbc").glob("*.txt")):
        series = read_dart(path)
        time_s = series.time.astype("datetime64[s]").astype(float)
        known = np.isfinite(series.height_m) & (time_s < origin_s - 3600.0)
        found.append((time_s[known], series.height_m[known]))
    return found


def reporting(records, origin: np.datetime64) -> list[int]:
    """Return the records without a gap of more than half an hour around an earthquake."""
    origin_s = origin.astype("datetime64[s]").astype(float)
    found = []
    for place, (times, _) in enumerate(records):
        near = times[(times > origin_s - HISTORY_S) & (times < origin_s + 2 * 3600.0)]
        if near.size > 2 and near[0] < origin_s - 0.9 * HISTORY_S and near[-1] > origin_s + 3600.0:
            last = near[near > origin_s - 4 * 3600.0]
            found += [place] if last.size > 2 and np.diff(last).max() <= 1800.0 else []
    return found


def sent(record: tuple[np.ndarray, np.ndarray], origin: np.datetime64, wave_m, rng) -> tuple[np.ndarray, np.ndarray]:
    """Return what a buoy sends around an earthquake: s since its origin, and heights, m."""
    time_s = record[0] - origin.astype("datetime64[s]").astype(float)
    before = (time_s >= -HISTORY_S) & (time_s < -3600)
    minutes = 60.0 * np.arange(-60, MINUTES + 1)
    height = np.interp(minutes, time_s, record[1]) + rng.normal(0, NOISE_M, minutes.size)
    if wave_m is not None:
        height[minutes > 0] += wave_m[:MINUTES]
    return np.append(time_s[before], minutes), np.append(record[1][before], height)


def answer(nowcast: Nowcast, event: Earthquake, buoys) -> Result:
    """Answer from the samples of some buoys, by name."""
    samples = {
        (name, "water_column", round(1e3 * float(at))): float(height)
        for name, (times, heights) in buoys.items()
        for at, height in zip(times, heights, strict=True)
        if np.isfinite(height) and at <= 60.0 * MINUTES
    }
    found = nowcast.answer(event, samples)
    if found is None:
        raise RuntimeError("no sample was used")
    return found


def alarm(nowcast: Nowcast, found: Result) -> bool:
    """Tell whether an operator would see a tsunami: a wave, or a forecast of advisory or more."""
    points = [name for name in found.forecast.gauges if name not in nowcast.gauges]
    highest = float(found.forecast.max_amplitude.sel(gauge=points).max())
    return highest >= Alerts.advisory_m or "no wave detected yet" not in found.flags


def named(found: Result, gauge: str) -> bool:
    """Tell whether a gauge is named as one whose samples are left out or moved, or that is not used."""
    words = ("left out", "not used", "step", "no data", "off before", "and no wave")
    told = [flag for flag in found.flags if flag.startswith(f"{gauge}:")]
    return any(word in flag for flag in told for word in words)


class Odds:
    """How often a test that knows what a sensor adds to its record would name it, from all gauges and minutes."""

    def __init__(self, nowcast: Nowcast):
        known = nowcast.inverter.restricted(gauges=list(nowcast.gauges), window_min=MINUTES)
        self.gauges, self.times_s, self.moments = list(nowcast.gauges), known.times_s, known.record_moments()

    def of(self, culprit: str, before, came, size_m: float, waves_m) -> float:
        """Compute the odds for one."""
        fault = np.full(self.times_s.size, np.nan)
        for at, height in zip(*came, strict=True):
            place = int(np.argmin(np.abs(self.times_s - at)))
            if abs(self.times_s[place] - at) <= 30.0 and np.isfinite(height):
                fault[place] = height - np.interp(at, *before)
        return odds_of_naming(self.moments, self.times_s, size_m, waves_m, self.gauges.index(culprit), fault)


@dataclass
class Culprits:
    """How many failing sensors are named, also of those that send something else than the sea; and how many others."""

    trials: int = 0
    named: int = 0
    others: int = 0
    off: int = 0
    off_named: int = 0
    known: float = 0.0

    def add(self, found: Result, culprit: str, before, came, odds: Odds, size_m: float, waves_m) -> None:
        """Count one, with what its sensor would have sent, and what came; the earthquake's size, m, and waves, m."""
        used = np.isfinite(came[1]) & (came[0] >= -1800.0) & (came[0] <= 60.0 * MINUTES)
        differs = np.abs(came[1][used] - np.interp(came[0][used], *before)).max(initial=0.0) > OFF_M
        is_named = named(found, culprit)
        self.trials += 1
        self.named += is_named
        self.off += bool(differs)
        self.off_named += bool(differs and is_named)
        self.known += odds.of(culprit, before, came, size_m, waves_m) if differs else 0.0

    def words(self) -> tuple[str, str]:
        """Return how many of those that are off are named, and would be by a test that knows the fault."""
        return f"{self.off_named} of {self.off}", f"{self.known:.1f}"


def over_months(nowcast: Nowcast, folder: Path) -> tuple[int, int, int]:
    """Count earthquakes, alarms and buoys named over the month before each event, with the sensors as they were."""
    earthquakes = alarms = others = 0
    for event, (origin_time, _, _) in EVENTS.items():
        records = heights_before(folder, event)
        for number in range(N_QUIET):
            rng = np.random.default_rng([SEED, 98, number])
            origin = parse_origin(origin_time) - np.timedelta64(EVERY_H * (number + 1), "h")
            there = rng.permutation(reporting(records, origin))[: len(nowcast.gauges)]
            if there.size < FEWEST:
                continue
            pairs = zip(nowcast.gauges, there, strict=False)
            buoys = {name: sent(records[i], origin, None, rng) for name, i in pairs}
            earthquakes += 1
            found = answer(nowcast, Earthquake(f"{origin}Z", QUIET_MW), buoys)
            alarms += alarm(nowcast, found)
            others += sum(named(found, name) for name in buoys)
    return earthquakes, alarms, others


def over_quiet(nowcast: Nowcast, records, kind: str, count: int) -> tuple[int, Culprits]:
    """Count alarms, and culprits named, over quiet seas with one sensor failing ("" for none)."""
    alarms, culprits, odds = 0, Culprits(), Odds(nowcast)
    size_m = FirstMagnitude(QUIET_MW).largest_size_m(nowcast.sources)
    still = np.zeros((len(nowcast.gauges), MINUTES))
    for number in range(count):
        rng = np.random.default_rng([SEED, KINDS.index(kind) if kind else 99, number])
        origin = FIRST_ORIGIN + np.timedelta64(EVERY_H * number * (N_QUIET // count), "h")
        event = Earthquake(f"{origin}Z", QUIET_MW)
        chosen = rng.permutation(len(records))[: len(nowcast.gauges)]
        buoys = {name: sent(records[i], origin, None, rng) for name, i in zip(nowcast.gauges, chosen, strict=True)}
        before = dict(buoys)
        culprit = fail(buoys, kind, rng) if kind else ""
        found = answer(nowcast, event, buoys)
        alarms += alarm(nowcast, found)
        culprits.others += sum(named(found, name) for name in buoys if name != culprit)
        if culprit:
            culprits.add(found, culprit, before[culprit], buoys[culprit], odds, size_m, still)
    return alarms, culprits


def fail(buoys, kind: str, rng) -> str:
    """Let the sensor of one buoy fail, from half an hour before the earthquake to as much after; return its name."""
    culprit, other = rng.permutation(list(buoys))[:2]
    since_s = 60.0 * rng.integers(-30, 31)
    times, heights = buoys[culprit]
    buoys[culprit] = apply(kind, times, heights, rng, other_m=np.interp(times, *buoys[other]), since_s=since_s)
    return str(culprit)


def over_tsunamis(nowcast: Nowcast, records, bank: GreensBank, kinds) -> Rows:
    """Compare magnitude and forecasts with one failing sensor with those of the clean records and the truth."""
    narrow = bank.with_window(list(nowcast.gauges), MINUTES)
    scenarios = ScenarioSet.build(narrow, count=3 * N_WAVES, seed=SEED)
    waves = scenarios.load_records(list(nowcast.gauges), MINUTES).to_numpy()
    weights = scenarios.load_weights().to_numpy()
    true = magnitude_of_slip(weights, bank.sources)
    chosen = np.flatnonzero(np.abs(waves).max(axis=(1, 2)) > 0.05)[:N_WAVES]
    rows = Rows(
        "fails by",
        "Mw within 0.1 of clean",
        "named",
        "of those off by 2 cm",
        KNOWING,
        "error of maxima over that of clean, median",
    )
    odds, trials = Odds(nowcast), []
    for number, at in enumerate(chosen):
        rng = np.random.default_rng([SEED + 1, number])
        origin = FIRST_ORIGIN + np.timedelta64(EVERY_H * number, "h")
        event = Earthquake(f"{origin}Z", float(np.clip(true[at] - FIRST_IS_LESS, 6, 9)))
        which = rng.permutation(len(records))[: len(nowcast.gauges)]
        buoys = {
            name: sent(records[i], origin, wave, rng)
            for name, i, wave in zip(nowcast.gauges, which, waves[at], strict=True)
        }
        trials.append((event, buoys, answer(nowcast, event, buoys), weights[at], waves[at]))
    for kind in kinds:
        within, culprits, ratios = 0, Culprits(), []
        for number, (event, buoys, before, slip_m, wave) in enumerate(trials):
            rng, failing = np.random.default_rng([SEED + 2, KINDS.index(kind), number]), dict(buoys)
            culprit = fail(failing, kind, rng)
            found = answer(nowcast, event, failing)
            within += abs(found.slip.magnitude - before.slip.magnitude) <= 0.1
            size_m = float(np.sqrt(np.mean(slip_m**2)))
            culprits.add(found, culprit, buoys[culprit], failing[culprit], odds, size_m, wave)
            ratios.append(error(found, bank, slip_m) / max(error(before, bank, slip_m), 0.02))
        counts = f"{culprits.named} of {culprits.trials}", *culprits.words()
        rows.add(kind, f"{within} of {len(trials)}", *counts, f"{np.median(ratios):.2f}")
    return rows


def over_good_samples(bank: GreensBank, gauges: list[str]) -> Rows:
    """Count good samples of tsunamis that are flagged, in whole records and in what has been sent each minute."""
    longest = max(WINDOWS_MIN)
    scenarios = ScenarioSet.build(bank.with_window(gauges, longest), count=N_HONEST, seed=SEED + 4)
    waves = scenarios.load_records(gauges, longest, noise_sd_m=NOISE_M).to_numpy().astype(float)
    time_s = 60.0 * np.arange(1, waves.shape[-1] + 1)
    whole, minutes = [], []
    for wave in waves.reshape(-1, time_s.size):
        flags = check_levels(time_s, wave).flags > 0
        whole.append((flags.sum(), bool(flags[np.abs(wave) > 0.8 * np.abs(wave).max()].any())))
        minutes += [bool(check_levels(time_s[:last], wave[:last]).flags.any()) for last in range(10, 91)]
    flagged, crests = (np.array(column) for column in zip(*whole, strict=True))
    rows = Rows(
        "records", "samples", "flagged", "records with one flagged", "in their highest wave", "minutes with one"
    )
    counts = len(whole), len(whole) * time_s.size, flagged.sum(), np.count_nonzero(flagged), crests.sum()
    rows.add(*(f"{count}" for count in counts), f"{np.mean(minutes):.2%}")
    return rows


def over_honest(nowcast: Nowcast, bank: GreensBank) -> Rows:
    """Count tsunamis of which a gauge that does not fail is put aside, by what the waves are held against."""
    gauges = list(nowcast.gauges)
    scenarios = ScenarioSet.build(bank.with_window(gauges, max(WINDOWS_MIN)), count=N_HONEST, seed=SEED + 3)
    waves = scenarios.load_records(gauges, max(WINDOWS_MIN), noise_sd_m=NOISE_M).to_numpy()
    rows = Rows("minutes", "by", "tsunamis", "a gauge put aside", "contradiction, median", "largest")
    for window_min in WINDOWS_MIN:
        of_bank = LeastSquares(bank, window_min, gauges=gauges)
        of_model = nowcast.inverter.restricted(gauges=gauges, window_min=window_min)
        for by, inverter in (("model", of_model), ("subfaults of a bank", of_bank)):
            consistency = Consistency(inverter.record_moments(), inverter.times_s)
            records = waves[..., : len(inverter.times_s)]
            farthest = [consistency.contradictions(record).max() for record in records]
            aside = sum(bool(consistency.put_aside(record)) for record in records)
            numbers = (f"{np.median(farthest):.1f}", f"{max(farthest):.1f}")
            rows.add(f"{window_min}", by, f"{N_HONEST}", f"{aside}", *numbers)
    return rows


def error(found: Result, bank: GreensBank, weights: np.ndarray) -> float:
    """Return the median error of maxima at forecast points, of their logarithm."""
    points = [name for name in found.forecast.gauges if name in bank.gauge_names("forecast")]
    true_m = np.nanmax(bank.source_response(points).to_numpy() @ weights, axis=1)
    made_m = found.forecast.max_amplitude.sel(gauge=points).to_numpy()
    return float(np.median(np.abs(np.log(np.maximum(made_m, 0.01) / np.maximum(true_m, 0.01)))))


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=Path, help="folder of quiet records")
    parser.add_argument("--bank", type=Path, required=True, help="the bank of the region")
    parser.add_argument("--model", default="cascadia", help="name or folder of a neural posterior")
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "failing_sensors.json")
    given = parser.parse_args()
    nowcast, records = Nowcast(open_posterior(given.model), hold_first=True), quiet_heights(given.events)
    bank = GreensBank.open(given.bank)
    quiet = Rows(
        "one sensor fails by",
        "earthquakes",
        "false alarms",
        "others named",
        "culprit named",
        "of those off by 2 cm",
        KNOWING,
    )
    alarms, none = over_quiet(nowcast, records, "", N_QUIET)
    quiet.add("none", f"{N_QUIET}", f"{alarms}", f"{none.others}", "", "", "")
    earthquakes, alarms, others = over_months(nowcast, given.events)
    quiet.add("none, the months before four tsunamis", f"{earthquakes}", f"{alarms}", f"{others}", "", "", "")
    for kind in KINDS:
        alarms, culprits = over_quiet(nowcast, records, kind, N_FAILING)
        counts = f"{culprits.named}", *culprits.words()
        quiet.add(kind, f"{N_FAILING}", f"{alarms}", f"{culprits.others}", *counts)
    waves = over_tsunamis(nowcast, records, bank, KINDS)
    command = "python -m benchmarks.studies.failing_sensors EVENTS --bank bank.nc"
    honest = over_honest(nowcast, bank)
    samples = over_good_samples(bank, list(nowcast.gauges))
    found = {name: rows.results() for name, rows in zip(TABLES, (quiet, waves, honest, samples), strict=True)}
    write_compact(given.json, tables(found, command, code(), bank=bank.id, model=nowcast.model_id))


if __name__ == "__main__":
    main()
