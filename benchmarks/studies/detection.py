"""Detection of real tsunamis, and false alarms over quiet and failing DARTs.

    python -m benchmarks.studies.detection EVENTS --json docs/benchmarks/detection.json

EVENTS holds ``EVENT/ndbc/STATION.txt`` (a month before to a week after) and ``quiet2011/STATION.csv``. Half an hour
on one core; the tables stand in docs/records.md after ``python -m benchmarks.pages``. ``--calibrate`` fits the two
numbers that turn the weakest ratio of a wave into a probability (``slipcast.records.detection``) instead.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize

from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from benchmarks.sensor_faults import KINDS, apply
from slipcast.records import Detection, Detector, detect, read_dart
from slipcast.records.detection import EVEN_RATIO, STEEPNESS

ORIGINS = {
    "samoa2009": "2009-09-29T17:48:10",
    "chile2010": "2010-02-27T06:34:11",
    "tohoku2011": "2011-03-11T05:46:24",
    "illapel2015": "2015-09-16T22:54:32",
}
# the tsunami of the foreshock of Mw 7.3 was 2 cm high at three DARTs; what came before it is quiet
QUIET_UNTIL = {"tohoku2011": "2011-03-09T02:45:20"}
# crest of the first wave above 2 cm, in samples as they came, by eye: min after the origin, cm. 51407 sent nothing then
# in 2009 and 2010; first waves of 46403 and 46411 in 2009, and of 46407, 46411 and 51426 in 2015, were below 2 cm
FIRST_WAVES = {
    "samoa2009": {"51425": (71, 3.8), "51426": (65, 6.0), "54401": (143, -2.1)},
    "chile2010": {
        "21413": (1301, 9.7),
        "32411": (431, 5.1),
        "32412": (195, 23.2),
        "46411": (866, 5.4),
        "46412": (789, 11.6),
        "54401": (699, 3.0),
    },
    "tohoku2011": {
        "21401": (66.6, 70.0),
        "21413": (80.6, 80.0),
        "21418": (32.6, 186.0),
        "21419": (89.6, 55.0),
        "46402": (315.6, 13.9),
        "46403": (356.6, 9.0),
        "46408": (284, 21.8),
        "46411": (560.6, 18.7),
    },
    "illapel2015": {"32401": (96, 6.2), "32402": (39.5, 11.1), "32412": (171, 7.1), "46403": (1038, 2.3)},
}
MINUTE_M = 0.0015
WEEK_S = 7 * 86400.0
DAY_S = 86400.0


@dataclass(frozen=True)
class Record:
    """Samples of one DART: times, s since the origin, and heights, m."""

    name: str
    time_s: np.ndarray
    height_m: np.ndarray

    def cut(self, begin_s: float, end_s: float) -> "Record":
        """Return the samples from one time to before another."""
        kept = (self.time_s >= begin_s) & (self.time_s < end_s)
        return Record(self.name, self.time_s[kept], self.height_m[kept])

    def detect(self) -> list[Detection]:
        """Return what is detected."""
        return detect(self.time_s, self.height_m)

    def likeliest(self) -> float:
        """Return the highest probability at any sample."""
        detector, highest = Detector(), 0.0
        for sample in zip(self.time_s.tolist(), self.height_m.tolist()):
            detector.feed(*sample)
            highest = max(highest, detector.probability)
        return highest


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the tables depend."""
    own = ("benchmarks/studies/detection.py", "benchmarks/sensor_faults.py")
    return source_files(*own, root=root, only=("records", "errors.py"))


def event_records(folder: Path, event: str) -> Iterator[Record]:
    """Read all DARTs of an event."""
    origin = np.datetime64(ORIGINS[event])
    for path in sorted((folder / event / "ndbc").glob("*.txt")):
        series = read_dart(path)
        yield Record(path.stem, series.seconds_since(origin), series.height_m)


def quiet_records(folder: Path) -> Iterator[Record]:
    """Read June 2011, and the month before each event."""
    for path in sorted((folder / "quiet2011").glob("*.csv")):
        found = pd.read_csv(path, parse_dates=["timestamp_utc"]).drop_duplicates("timestamp_utc")
        found = found.sort_values("timestamp_utc")
        clock = found["timestamp_utc"].dt.tz_localize(None).to_numpy().astype("datetime64[s]")
        time_s = (clock - np.datetime64("2011-06-01")).astype(float)
        yield Record(f"{path.stem} June 2011", time_s, found["height_m"].to_numpy(float))
    for event, origin in ORIGINS.items():
        end_s = float((np.datetime64(QUIET_UNTIL.get(event, origin)) - np.datetime64(origin)).astype(int))
        for record in event_records(folder, event):
            before = record.cut(-np.inf, end_s)
            yield Record(f"{record.name} before {event}", before.time_s, before.height_m)


def minute_record(record: Record, rng: np.random.Generator) -> Record:
    """Make the last of some days one of samples each minute, with white noise of 1.5 mm; the others stay."""
    known = np.isfinite(record.height_m)
    time_s, height_m = record.time_s[known], record.height_m[known]
    even = np.flatnonzero(np.abs(np.diff(time_s) - 900.0) < 1.0)
    begin_s = time_s[int(rng.choice(even[even < even.size - 100]))]
    early = (time_s < begin_s) & (time_s > begin_s - 4 * DAY_S)
    fine_s = np.arange(begin_s, min(begin_s + DAY_S, time_s[-1]), 60.0)
    nearest = np.abs(time_s[np.searchsorted(time_s, fine_s).clip(1) - 1] - fine_s)
    fine_s = fine_s[nearest <= 900.0]
    fine_m = CubicSpline(time_s, height_m)(fine_s) + MINUTE_M * rng.standard_normal(fine_s.size)
    joined = np.concatenate([height_m[early], np.round(fine_m, 3)])
    return Record(f"{record.name}, 1 min", np.concatenate([time_s[early], fine_s]), joined)


def failing(record: Record, kind: str, other: Record, rng: np.random.Generator) -> Record:
    """Let the sensor of a record fail."""
    known = np.isfinite(other.height_m)
    moved_s = record.time_s - record.time_s[0] + other.time_s[0]
    other_m = np.interp(moved_s, other.time_s[known], other.height_m[known])
    time_s, height_m = apply(kind, record.time_s, record.height_m, rng, other_m=other_m)
    return Record(record.name, time_s, height_m)


def wave_m(time_s: np.ndarray, crest_s: float, height_m: float, period_s: float) -> np.ndarray:
    """Return a wave train that begins half a period before its first crest and decays over three periods."""
    phase = (time_s - crest_s) / period_s
    rise = np.where(np.abs(phase) < 0.5, 0.5 * (1 + np.cos(2 * np.pi * phase)), 0.0)
    return height_m * np.where(phase < 0, rise, np.cos(2 * np.pi * phase) * np.exp(-np.clip(phase, 0, None) / 3))


def hits(records: list[Record]) -> list[str]:
    """Return what is detected where nothing is, in words."""
    return [
        f"{record.name}: {100 * one.height_m:.1f} cm at {one.crest_s / 3600:.2f} h ({one.probability:.2f})"
        for record in records
        for one in record.detect()
    ]


def measure_waves(folder: Path) -> Rows:
    """Compare what is detected with first waves found by eye."""
    rows = Rows(
        *("event", "DART", "sampled", "crest by eye", "detected wave: onset", "crest", "height (cm)"), "known after"
    )
    for event in ORIGINS:
        for record in event_records(folder, event):
            first = FIRST_WAVES[event].get(record.name)
            if first is None:
                continue
            found = [one for one in record.cut(-np.inf, WEEK_S).detect() if one.detected_s > 0][:1]
            near = np.abs(record.time_s - 60 * first[0]) < 1000.0
            sampled = "1 min" if np.isfinite(record.height_m[near]).sum() > 10 else "15 min"
            cells = ["none", "", "", ""]
            if found:
                late_min = found[0].detected_s / 60 - first[0]
                cells = [f"{found[0].onset_s / 60:.0f} min", f"{found[0].crest_s / 60:.0f} min"]
                cells += [f"{100 * found[0].height_m:.1f}", f"{late_min:.0f} min"]
            rows.add(event, record.name, sampled, f"{first[1]:.1f} cm at {first[0]:.0f} min", *cells)
    return rows


def measure_quiet(quiet: list[Record], streams: list[Record]) -> Rows:
    """Count false alarms where nothing fails."""
    rows = Rows("quiet records", "number", "days", "false alarms")
    for name, records in (("15 min, and 1 min for an hour before an earthquake", quiet), ("1 min", streams)):
        days = sum(np.ptp(record.time_s) for record in records) / DAY_S
        found = hits(records)
        rows.add(name, str(len(records)), f"{days:.0f}", str(len(found)))
        print(*found, sep="\n")
    return rows


def measure_faults(quiet: list[Record], streams: list[Record], repeats: int, rng: np.random.Generator) -> Rows:
    """Count records with false alarms where a sensor fails."""
    rows = Rows("a sensor fails by", "15-min records", "with a false alarm", "1-min records", "with a false alarm")
    for kind in KINDS:
        cells = []
        for records, times in ((quiet, repeats), (streams, 1)):
            failed = [
                failing(record, kind, records[(i + 1 + int(rng.integers(5))) % len(records)], rng)
                for i, record in enumerate(records)
                for _ in range(times)
            ]
            found = [words[:1] for record in failed if (words := hits([record]))]
            print(*(words[0] for words in found), sep="\n")
            cells += [str(len(failed)), str(len(found))]
        rows.add(kind, *cells)
    return rows


def calibrate(quiet: list[Record], streams: list[Record], rng: np.random.Generator) -> None:
    """Fit the logistic of the weakest ratio to waves of 2 cm to 1 m and to failing sensors, as many of each."""
    ratios: dict[bool, list[float]] = {True: [], False: []}

    def take(record: Record, wave: bool) -> None:
        chance = min(max(record.likeliest(), 1e-6), 1 - 1e-9)
        ratios[wave].append(float(np.log(EVEN_RATIO) + np.log(chance / (1 - chance)) / STEEPNESS))

    for i, record in enumerate(streams):
        crest_s = record.time_s[-1] - rng.uniform(0.2, 0.8) * DAY_S
        height_m, period_s = np.exp(rng.uniform(np.log(0.02), 0.0)), 60 * np.exp(rng.uniform(np.log(6), np.log(60)))
        raised = record.height_m + wave_m(record.time_s, crest_s, height_m * rng.choice([-1, 1]), period_s)
        take(Record(record.name, record.time_s, raised).cut(-np.inf, crest_s + 1800.0), True)
        other = streams[(i + 1) % len(streams)]
        take(failing(record, str(rng.choice(KINDS)), other, rng), False)
        take(failing(quiet[i % len(quiet)], str(rng.choice(KINDS)), quiet[(i + 1) % len(quiet)], rng), False)
    ratio = np.concatenate([ratios[True], ratios[False]])
    wave = np.repeat([1.0, 0.0], [len(ratios[True]), len(ratios[False])])
    share = np.where(wave > 0, 1 / wave.sum(), 1 / (1 - wave).sum())

    def loss(fitted: np.ndarray) -> float:
        logit = np.exp(fitted[1]) * (ratio - fitted[0])
        return float(np.sum(share * np.logaddexp(0, np.where(wave > 0, -logit, logit)))) + 0.001 * fitted[1] ** 2

    fitted = minimize(loss, [0.0, 1.0], method="Nelder-Mead").x
    print(f"waves: {np.quantile(np.exp(ratios[True]), [0, 0.05, 0.25, 0.5])} of {len(ratios[True])}")
    print(f"failures: {np.quantile(np.exp(ratios[False]), [0.5, 0.95, 0.99, 1])} of {len(ratios[False])}")
    print(f"even ratio {np.exp(fitted[0]):.2f}, steepness {np.exp(fitted[1]):.1f}")


def main() -> None:
    """Print the tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=Path)
    parser.add_argument("--repeats", type=int, default=2, help="failures of each kind per 15-min record")
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "detection.json")
    given = parser.parse_args()
    quiet = list(quiet_records(given.events))
    rng = np.random.default_rng(18)
    streams = [minute_record(record, rng) for record in quiet]
    if given.calibrate:
        calibrate(quiet, streams, rng)
        return
    found = {
        "waves": measure_waves(given.events),
        "quiet": measure_quiet(quiet, streams),
        "faults": measure_faults(quiet, streams, given.repeats, rng),
    }
    command = "python -m benchmarks.studies.detection EVENTS"
    write_compact(given.json, tables({name: rows.results() for name, rows in found.items()}, command, code()))


if __name__ == "__main__":
    main()
