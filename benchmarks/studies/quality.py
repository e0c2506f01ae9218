"""Quality control, shaking and tides on real records and on faults that are known: docs/benchmarks/quality.json.

    python -m benchmarks.studies.quality ../shared

The folder holds ``events`` and ``cases/records``. For each buoy of four events: how many samples each test flags, how
many of them lie where their unflagged neighbours lead to, and how many are in the first wave. For records whose truth
is known: how far unflagged samples are from it. For quiet months: errors of the tide ahead of its samples beside what
it says of them. Two minutes on one core; the tables stand in docs/records.md after ``python -m benchmarks.pages``.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast.errors import InputError
from slipcast.records import (
    MASKS,
    DartSeries,
    Records,
    check_quality,
    fit_short,
    parse_origin,
    read_dart,
    records_of,
)
from slipcast.records.arrival import earliest_arrivals
from slipcast.records.first_wave import first_wave_span
from slipcast.records.tides import rough_tide

EVENTS = {
    "samoa2009": ("2009-09-29T17:48:10Z", (-172.10, -15.49), 8.1),
    "chile2010": ("2010-02-27T06:34:11Z", (-72.90, -36.12), 8.8),
    "tohoku2011": ("2011-03-11T05:46:24Z", (142.37, 38.30), 9.1),
    "illapel2015": ("2015-09-16T22:54:32Z", (-71.67, -31.57), 8.3),
}
# not in NOAA's table on these days
PLACES = {"32401": (-73.402, -20.473), "32402": (-73.983, -26.743)}
ILLAPEL = ("2015-09-16T22:54:32Z", (-71.67, -31.57), 8.3)
CASES = {"B-clean": "none", "B1-burst": "runs of bad samples", "C1-small-spikes": "spikes of 3 to 9 cm"}
TESTS = [name for name in MASKS if name != "shaking"]
CLOSE_M, ROUGH_S = 0.02, 7200.0
LEADS_H = (1.0, 2.0, 3.0, 6.0)
EVERY_H, KNOWN_H = 12, 72


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the tables depend."""
    only = ("records", "regions/region.py", "geodesy.py", "errors.py", "io")
    return source_files("benchmarks/studies/quality.py", root=root, only=only)


def read(path: Path, origin: str, epicentre: tuple[float, float], magnitude: float | None) -> Records:
    """Read one raw file; rows of 1 min between full minutes repeat others under a false time, and are left out."""
    series = read_dart(path)
    shadow = (series.interval_s == 60) & (series.time.astype("datetime64[s]").astype(int) % 60 != 0)
    kept = ~shadow
    series = DartSeries(series.station, series.time[kept], series.height_m[kept], series.interval_s[kept])
    given = {name: place for name, place in PLACES.items() if name == series.station}
    return records_of([series], origin=origin, epicentre=epicentre, magnitude=magnitude, positions=given)


def count_flags(folder: Path) -> Rows:
    """Count what is flagged in records of real tsunamis."""
    rows = Rows("event, DART", "samples", *TESTS, "shaking", "close to their neighbours", "in the first wave")
    total = np.zeros(len(TESTS) + 4, int)
    for event, (origin, epicentre, magnitude) in EVENTS.items():
        for path in sorted((folder / "events" / event / "ndbc").glob("*.txt")):
            records = read(path, origin, epicentre, magnitude)
            flag, height = (records.dataset[name].to_numpy()[0] for name in ("flag", "height"))
            sent = np.isfinite(height)
            time_s, flag, height = records.time_s[sent], flag[sent], height[sent]
            shaken = (flag & MASKS["shaking"]) > 0
            level = height - rough_tide(time_s, height)
            good = flag == 0
            near = np.abs(level - np.interp(time_s, time_s[good], level[good])) < CLOSE_M
            own = ~good & ~shaken
            try:
                begins, ends = first_wave_span(records, path.stem)
                in_wave = int((own & (time_s >= begins) & (time_s <= ends)).sum())
            except InputError:
                in_wave = 0
            of_test = [int(((flag & MASKS[name]) > 0)[~shaken].sum()) for name in TESTS]
            counts = np.array([flag.size, *of_test, shaken.sum(), (own & near).sum(), in_wave])
            total += counts
            rows.add(f"{event}, {path.stem}", *map(str, counts))
    rows.add("all", *map(str, total))
    return rows


def measure_cases(folder: Path) -> Rows:
    """Compare records with faults that were put in with the wave that is in them."""
    rows = Rows("fault", "flagged", "good samples flagged", "largest error of unflagged samples (mm)")
    clean: dict[float, float] = {}
    for case, words in CASES.items():
        records = read(folder / "cases" / "records" / case / "32402.txt", *ILLAPEL)
        time_s = records.time_s
        flag, height, level = (records.dataset[name].to_numpy()[0] for name in ("flag", "height", "sea_level"))
        clean = clean or dict(zip(time_s.tolist(), height.tolist()))
        same = np.array([abs(clean[at] - value) < 1e-6 for at, value in zip(time_s.tolist(), height.tolist())])
        after = (time_s >= 0) & (time_s <= 5 * 3600) & (flag == 0)
        error = np.abs(level - 0.15 * np.exp(-(((time_s - 3600) / 400) ** 2)))[after].max()
        rows.add(words, str((flag > 0).sum()), str(((flag > 0) & same).sum()), f"{1e3 * error:.1f}")
    return rows


def measure_steps(folder: Path) -> Rows:
    """Compare the crest of Illapel 2015 at 32402 with and without a step of 30 cm three hours before."""
    rows = Rows("record", "crest within 2 h (m)", "what was done")
    for case, words in (("F3-clean-real", "as it is"), ("F3-step-30cm-real", "with a step of 30 cm")):
        records = read(folder / "cases" / "records" / case / "32402.txt", *ILLAPEL)
        first = (records.time_s > 0) & (records.time_s < 7200)
        crest = np.nanmax(records.sea_level.to_numpy()[0, first])
        rows.add(words, f"{crest:.3f}", str(records.dataset["left_out"].item()) or "none")
    return rows


def measure_tides(folder: Path) -> Rows:
    """Measure errors of the short tide ahead of its samples, twice a day in a quiet month."""
    errors: dict[float, list[float]] = {lead: [] for lead in LEADS_H}
    said: dict[float, list[float]] = {lead: [] for lead in LEADS_H}
    origin = parse_origin("2011-06-01T00:00:00Z")
    for path in sorted((folder / "events" / "quiet2011").glob("*.csv")):
        table = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=(1, 2), dtype=str)
        clock = np.array([text.rstrip("Z") for text in table[:, 0]], "datetime64[s]")
        time_s, height = (clock - origin).astype(float), table[:, 1].astype(float)
        known = np.isfinite(height)
        time_s, height = time_s[known], height[known]
        interval = np.where(np.diff(time_s, append=np.inf) <= 90, 60, 900)
        good = check_quality(time_s, height, interval, wave_s=(np.inf, np.inf)) == 0
        time_s, height = time_s[good], height[good]
        for begin_h in range(KNOWN_H, 29 * 24, EVERY_H):
            begin_s = 3600.0 * begin_h
            fitted = (time_s < begin_s) & (time_s > begin_s - 3600 * KNOWN_H)
            if fitted.sum() < KNOWN_H:
                continue
            ahead = np.searchsorted(time_s, begin_s + 3600 * np.array(LEADS_H))
            if ahead[-1] >= time_s.size or (time_s[ahead] - begin_s - 3600 * np.array(LEADS_H) > 900).any():
                continue
            moved = origin + np.timedelta64(round(begin_s), "s")
            fit = fit_short(
                time_s[fitted] - begin_s, height[fitted], time_s[ahead] - begin_s, origin=moved, lat_deg=45.0
            )
            for lead, left, scatter in zip(
                LEADS_H, height[ahead] - fit.level_m, np.sqrt((fit.column_m**2).sum(axis=1)), strict=True
            ):
                errors[lead].append(left)
                said[lead].append(scatter)
    rows = Rows("hours ahead", "rms error (mm)", "95 % below (mm)", "its own estimate, rms (mm)", "fits")
    for lead in LEADS_H:
        off, own = np.array(errors[lead]), np.array(said[lead])
        rms, own_rms = (1e3 * float(np.sqrt(np.mean(values**2))) for values in (off, own))
        rows.add(
            f"{lead:g}", f"{rms:.1f}", f"{1e3 * np.quantile(np.abs(off), 0.95):.1f}", f"{own_rms:.1f}", str(off.size)
        )
    return rows


def measure_events_tides(folder: Path) -> Rows:
    """Average what is left of the tide six hours after the origin, where it was fitted to samples long before."""
    rows = Rows("event, DART", "tide up to (min)", "mean of the sea level, 5 to 7 h (mm)", "its own estimate (mm)")
    for event, (origin, epicentre, magnitude) in EVENTS.items():
        for path in sorted((folder / "events" / event / "ndbc").glob("*.txt")):
            records = read(path, origin, epicentre, magnitude)
            until_s = float(earliest_arrivals(records)[0])
            if until_s > 3 * 3600:
                continue
            level, column = records.sea_level.to_numpy()[0], records.dataset["tide_column"].to_numpy()[0]
            hours = records.time_s / 3600
            about = np.isfinite(level) & (hours > 5) & (hours < 7)
            said = np.sqrt((column**2).sum(axis=0))[int(np.argmin(np.abs(hours - 6)))]
            rows.add(
                f"{event}, {path.stem}", f"{until_s / 60:.0f}", f"{1e3 * level[about].mean():+.0f}", f"{1e3 * said:.0f}"
            )
    return rows


def main() -> None:
    """Measure all, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "benchmarks" / "quality.json")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # positions of other years serve here
    found = {
        "flags": count_flags(given.folder),
        "cases": measure_cases(given.folder),
        "steps": measure_steps(given.folder),
        "tide_ahead": measure_tides(given.folder),
        "tide_events": measure_events_tides(given.folder),
    }
    results = {name: rows.results() for name, rows in found.items()}
    write_compact(given.json, tables(results, "python -m benchmarks.studies.quality SHARED", code()))


if __name__ == "__main__":
    main()
