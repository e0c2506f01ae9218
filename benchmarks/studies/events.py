"""Real events, from raw records to slip beside what buoys recorded: docs/benchmarks/events.json and figures.

    python -m benchmarks.studies.events ../shared/events --banks runs/events --figures docs/figures

Banks are built once. ``tohoku2011`` needs raw NDBC text of six DARTs, which is not in
the package; Chile 2010 is. The tables stand in docs/events.md after ``python -m benchmarks.pages``.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.markdown import Rows
from benchmarks.provenance import ROOT, source_files, tables, write_compact
from slipcast import plots
from slipcast.forecasting.forecast import forecast
from slipcast.forecasting.wave_fit import WaveFit, fit_waves, leave_one_out
from slipcast.greens.bank import GreensBank
from slipcast.inversion import (
    GaussianPosterior,
    Inverter,
    LeastSquares,
    SlipEstimate,
    Timing,
    candidate_sources,
    contradicting_gauges,
    fit_timing,
    usual_half_duration,
)
from slipcast.inversion import invert_records as invert
from slipcast.inversion.consistency import Consistency
from slipcast.realtime.replay import replay
from slipcast.records import (
    MASKS,
    Records,
    fit_short,
    packaged_records,
    parse_origin,
    read_dart,
    read_records,
)
from slipcast.reports.event import draw_event
from slipcast.reports.replay import draw_replay, findings

ORIGIN, EPICENTRE = "2011-03-11T05:46:24Z", (142.37, 38.30)
BUOYS = ("21418", "21401", "21413", "21419", "21414", "21415")
USED, NEAR = BUOYS[:3], BUOYS[:4]
NOISE_M, SLIP_M, SHORTER_MW = 0.02, 5.0, 8.4
HELD_MIN = (45.0, 60.0, 90.0, 120.0, 150.0, 180.0, 230.0)
CHILE = (287.1, -36.12)


def code(root: Path = ROOT) -> list[Path]:
    """Return the files on which the tables depend."""
    return source_files("benchmarks/studies/events.py", root=root)


def bank_of(region: str, folder: Path, **options) -> GreensBank:
    """Open a bank, or build it."""
    path = folder / f"{region}.nc"
    if not path.exists():
        begin = time.monotonic()
        GreensBank.build(region, **options).save(path)
        print(f"bank {region}: {time.monotonic() - begin:.0f} s, {path.stat().st_size / 1e6:.0f} MB\n")
    return GreensBank.open(path)


def read(folder: Path, **options) -> Records:
    """Read the six buoys."""
    files = [folder / "tohoku2011" / f"{name}.txt" for name in BUOYS]
    return read_records(*files, origin=ORIGIN, region="japan", epicentre=EPICENTRE, **options)


def magnitude_words(slip: SlipEstimate) -> str:
    """Word a magnitude with its interval, if it has one."""
    interval = ""
    if slip.samples is not None:
        ends = slip.dataset["magnitude_quantile"].to_numpy()
        interval = f" ({ends[0]:.2f} to {ends[-1]:.2f})"
    return f"{slip.magnitude:.2f}{interval}"


def damped(bank: GreensBank, window_min: float, **options: Any) -> LeastSquares:
    """Make damped least squares as the tables name it."""
    return LeastSquares(bank, window_min, slip_sd_m=SLIP_M, noise_sd_m=NOISE_M, **options)


def row_of(name: str, slip: SlipEstimate, fits: Sequence[WaveFit]) -> list[str]:
    """Word an inversion as a row of a table: magnitude and explained variance by buoy."""
    scores = {fit.gauge: f"{fit.explained_variance:.2f}{'' if fit.used else ' (not used)'}" for fit in fits}
    return [name, magnitude_words(slip), *(scores.get(buoy, "") for buoy in BUOYS)]


def measure_tides(folder: Path) -> dict[str, Rows]:
    """Compare ways to take the tide out before any wave; and what the short one is worth ahead of its samples."""
    found: dict[str, dict[str, float]] = {}
    for method in ("short", "harmonic"):
        for buoy in BUOYS:
            file = folder / "tohoku2011" / f"{buoy}.txt"
            try:
                records = read_records(file, origin=ORIGIN, region="japan", epicentre=EPICENTRE, tide=method)
            except ValueError as error:
                found.setdefault(buoy, {})[method] = float("nan")
                print(f"({error})\n")
                continue
            before = (records.time_s > -6 * 3600) & (records.time_s < 0)
            level = records.sea_level.to_numpy()[0, before]
            found.setdefault(buoy, {})[method] = 1e3 * float(np.sqrt(np.nanmean(level**2)))
    rows = Rows(
        "DART", "short (mm)", "harmonic (mm)", "short, 90 min ahead of its samples (mm)", "its own estimate (mm)"
    )
    for buoy in BUOYS:
        ahead, said = _ahead(folder / "tohoku2011" / f"{buoy}.txt", [0.0])
        values = found[buoy]
        rows.add(
            buoy,
            f"{values['short']:.1f}",
            *(_number(v, n) for v, n in zip((values["harmonic"], ahead, said), (0, 1, 1), strict=True)),
        )
    month = folder / "tohoku2011" / "21401.txt"
    hours = np.arange(-200.0, -3.0, 5.0).tolist()
    for lead in (1.5, 3.0):
        ahead, said = _ahead(month, hours, lead_h=lead)
        print(
            f"\n21401, {len(hours)} starts in the ten days before: {lead:g} h ahead off by {ahead:.1f} mm, "
            f"says {said:.1f} mm"
        )
    return {"tides": rows}


def _number(value: float, decimals: int) -> str:
    """Write a number; a dash where there is none."""
    return f"{value:.{decimals}f}" if np.isfinite(value) else "–"


def _ahead(file: Path, ends_h: Sequence[float], *, lead_h: float = 1.5) -> tuple[float, float]:
    """Return the errors of the short fit ahead of its samples, and how large it says they are, mm (medians)."""
    series, errors, said = read_dart(file), [], []
    origin = parse_origin(ORIGIN)
    time_s, known = series.seconds_since(origin), np.isfinite(series.height_m)
    for end_h in ends_h:
        begin_s = 3600 * (end_h - (lead_h if end_h == 0 else 0.0))
        fitted = known & (time_s < begin_s) & (time_s > begin_s - 30 * 3600)
        ahead = known & (time_s >= begin_s) & (time_s <= begin_s + 3600 * lead_h) & (time_s < 0)
        if fitted.sum() < 24 or ahead.sum() < 3:
            continue
        moved = origin + np.timedelta64(round(begin_s), "s")
        fit = fit_short(
            time_s[fitted] - begin_s, series.height_m[fitted], time_s[ahead] - begin_s, origin=moved, lat_deg=40.0
        )
        errors.append(np.sqrt(np.mean((series.height_m[ahead] - fit.level_m) ** 2)))
        said.append(np.sqrt(np.mean(np.square(fit.column_m).sum(axis=1))))
    if not errors:
        return float("nan"), float("nan")
    return 1e3 * float(np.median(errors)), 1e3 * float(np.median(said))


def invert_tohoku(folder: Path, bank: GreensBank, figures: Path) -> dict[str, Rows]:
    """Invert Tohoku in several ways; draw it."""
    records = read(folder)
    _draw_raw(records, figures / "tohoku_raw.png")
    found = Rows("inversion", "Mw (90 %)", *BUOYS)
    plain = invert(records, damped(bank, 90), gauges=USED)
    fits = fit_waves(records, forecast(plain, bank), used=USED)
    found.add(*row_of("damped least squares, 90 min", plain, fits))
    gaussian = GaussianPosterior.from_bank(bank, 90, gauges=USED, noise_sd_m=0.01)
    variants: dict[str, tuple[Records, Inverter]] = {
        "the same, tide taken as known": (records, damped(bank, 90, joint_tide=False)),
        "the same, harmonic tide (21414, 21415: short)": (
            _harmonic(folder, records),
            damped(bank, 90, joint_tide=False),
        ),
        "the same, shaking kept": (read(folder, shaking="keep"), damped(bank, 90)),
        "non-negative least squares": (records, LeastSquares(bank, 90)),
        "Gaussian posterior": (records, gaussian),
        "Gaussian posterior, model error 10 %": (records, replace(gaussian, model_error=0.1)),
        "posterior cut at zero": (records, replace(gaussian, nonnegative=True, method="bayes")),
    }
    kept = {}
    for name, (of_variant, inverter) in variants.items():
        kept[name] = slip = invert(of_variant, inverter, gauges=USED)
        found.add(*row_of(name, slip, fit_waves(of_variant, forecast(slip, bank), used=USED)))
    one = invert(records, damped(bank, 45), gauges=["21418"])
    fits_of_one = fit_waves(records, forecast(one, bank), used=["21418"])
    found.add(*row_of("damped least squares, 45 min of 21418 alone", one, fits_of_one))
    chosen = candidate_sources(bank.sources, EPICENTRE, 9.0)
    half_s = usual_half_duration(9.0)
    late = Timing(half_duration_s=half_s)
    stretched = fit_timing(records, bank, window_min=110, gauges=USED)
    both = fit_timing(records, bank, window_min=110, gauges=USED, half_duration_s=half_s)
    for name, timing, window_min in (
        (f"damped least squares, 90 min, waves {half_s:.0f} s later", late, 90),
        (f"the same, 110 min, waves {half_s:.0f} s later", late, 110),
        (f"the same, 110 min, times stretched by {100 * stretched.stretch:.2f} %", stretched, 110),
        (f"the same, {half_s:.0f} s later and stretched by {100 * both.stretch:.2f} %", both, 110),
    ):
        slip = timing.noted(invert(timing.applied(records), damped(bank, window_min), gauges=USED))
        found.add(*row_of(name, slip, fit_waves(records, forecast(slip, bank), used=USED)))
    print(f"\n{len(chosen)} of {len(bank.sources)} unit sources are within reach of Mw 9.0 at the epicentre.\n")
    arrivals = Rows("DART", "crest (m)", "modelled (m)", "arrival (min)", "modelled (min)")
    later = read(folder, magnitude=SHORTER_MW)  # the tide is fitted up to where a wave of a shorter rupture could be
    longer_fits = fit_waves(later, forecast(plain, bank), used=USED)
    known = f", tide as for Mw {SHORTER_MW:g}"
    for fit, more in [*((fit, "") for fit in fits), *((fit, known) for fit in longer_fits[len(NEAR) :])]:
        minutes = (f"{seconds / 60:.0f}" for seconds in (fit.observed_arrival_s, fit.modelled_arrival_s))
        name = (fit.gauge if fit.used else f"{fit.gauge}, not used") + more
        arrivals.add(name, f"{fit.observed_m:.2f}", f"{fit.modelled_m:.2f}", *minutes)
    left_out = Rows("left out", "explained variance", "crest (m)", "modelled (m)", "Mw from the others")
    for name, (slip, fit) in leave_one_out(records, damped(bank, 110), bank, gauges=NEAR).items():
        numbers = (fit.explained_variance, fit.observed_m, fit.modelled_m, slip.magnitude)
        left_out.add(name, *(f"{number:.2f}" for number in numbers))
    plots.save_figure(draw_event(records, plain, bank, title="Tohoku 2011"), figures / "tohoku_event.png")
    played = replay(records, damped(bank, 120), gauges=USED, minutes=range(20, 121))
    print("\n" + "\n".join(findings(played, reference_magnitude=8.9)) + "\n")
    plots.save_figure(draw_replay(played, reference_magnitude=8.9), figures / "tohoku_replay.png")
    gaussian_slip = kept["Gaussian posterior"]
    plots.save_figure(draw_event(records, gaussian_slip, bank, title="Tohoku 2011"), figures / "tohoku_gaussian.png")
    held = hold_against_each_other(records, bank)
    return {"tohoku": found, "arrivals": arrivals, "left_out": left_out, "held": held}


def hold_against_each_other(records: Records, bank: GreensBank) -> Rows:
    """Find how far the record of each DART is from what the others say of it, by window."""
    rows = Rows("minutes", *BUOYS, "put aside")
    for window_min in HELD_MIN:
        inverter = LeastSquares(bank, window_min, gauges=list(BUOYS))
        sampled = records.resample(inverter.times_s, list(BUOYS)).to_numpy()
        columns = records.tide_columns(inverter.times_s, list(BUOYS)).matrix(list(BUOYS), inverter.times_s)
        consistency = Consistency(inverter.record_moments(), inverter.times_s, columns)
        there = [place for place, record in enumerate(sampled) if np.isfinite(record).any()]
        found = dict(zip(there, consistency.contradictions(sampled, there).tolist(), strict=True))
        cells = (f"{found[place]:.1f}" if place in found else "–" for place in range(len(BUOYS)))
        aside = contradicting_gauges(records, inverter)
        rows.add(f"{window_min:g}", *cells, ", ".join(aside) or "none")
    return rows


def _harmonic(folder: Path, short: Records) -> Records:
    """Take the tide out of the four longer records by harmonic analysis."""
    level = short.sea_level.to_numpy().copy()
    for row, buoy in enumerate(short.gauges[:4]):
        tide = read_records(
            folder / "tohoku2011" / f"{buoy}.txt", origin=ORIGIN, region="japan", epicentre=EPICENTRE, tide="harmonic"
        )
        level[row, np.searchsorted(short.time_s, tide.time_s)] = tide.sea_level.to_numpy()[0]
    return Records(short.dataset.assign(sea_level=short.sea_level.copy(data=level)))


def invert_chile(bank: GreensBank, figures: Path) -> dict[str, Rows]:
    """Invert the packaged record of Chile 2010."""
    records, used = packaged_records("chile2010"), ["32412"]
    reach = bank.with_sources(candidate_sources(bank.sources, CHILE, 8.8))
    half_s = usual_half_duration(8.8)
    at_once, late = Timing(), Timing(half_duration_s=half_s)
    timing, both = (fit_timing(records, reach, window_min=240, half_duration_s=seconds) for seconds in (0.0, half_s))
    gaussian = GaussianPosterior.from_bank(reach, 240, gauges=used, noise_sd_m=0.01)
    least_squares = damped(reach, 240, start_min=60)
    ways: tuple[tuple[str, Timing, Inverter], ...] = (
        ("damped least squares", at_once, least_squares),
        (f"the same, times stretched by {100 * timing.stretch:.2f} %", timing, least_squares),
        (f"the same, waves {half_s:.0f} s later", late, least_squares),
        (f"the same, {half_s:.0f} s later and stretched by {100 * both.stretch:.2f} %", both, least_squares),
        (f"Gaussian posterior, {half_s:.0f} s later", late, gaussian),
        (f"Gaussian posterior, {half_s:.0f} s later, model error 10 %", late, replace(gaussian, model_error=0.1)),
    )
    rows = Rows("inversion", "Mw (90 %)", "explained variance", "crest (m)", "modelled (m)")
    for name, delays, inverter in ways:
        slip = delays.noted(invert(delays.applied(records), inverter, gauges=used))
        (fit,) = fit_waves(records, forecast(slip, bank), used=used)
        numbers = (fit.explained_variance, fit.observed_m, fit.modelled_m)
        rows.add(name, magnitude_words(slip), *(f"{number:.2f}" for number in numbers))
    plots.save_figure(draw_event(records, slip, bank, title="Chile 2010"), figures / "chile_gaussian.png")
    print(f"\n{len(reach.sources)} of {len(bank.sources)} unit sources are within reach of Mw 8.8 at the epicentre.\n")
    return {"chile": rows}


def print_speed(folder: Path, bank: Path) -> None:
    """Time the command line: three raw files to records, and to slip."""
    command, out = [sys.executable, "-m", "slipcast"], bank.parent
    files = [str(folder / "tohoku2011" / f"{name}.txt") for name in USED]
    place = ["--epicentre", *map(str, EPICENTRE)]
    begin = time.monotonic()
    subprocess.run(
        [*command, "records", "read", *files, "--origin", ORIGIN, *place, "--region", "japan", "--out", out / "r.nc"],
        check=True,
        capture_output=True,
    )
    between = time.monotonic()
    inversion = ["--method", "tikhonov", "--noise", "0.02", "--window", "90", "--out", out / "s.nc"]
    subprocess.run([*command, "invert", out / "r.nc", "--bank", bank, *inversion], check=True, capture_output=True)
    print(f"\nrecords read: {between - begin:.1f} s, invert: {time.monotonic() - between:.1f} s\n")


def _draw_raw(records: Records, path: Path) -> None:
    """Draw raw heights, tides, residuals and flags of the four near buoys."""
    four = records.dataset.sel(gauge=list(NEAR))
    spans = {
        str(name): (float(start), float(end))
        for name, start, end in zip(NEAR, four["shaking_start"], four["shaking_end"], strict=True)
        if np.isfinite(start)
    }
    axes = plots.plot_raw_records(
        records.time_s,
        four["height"].to_numpy(),
        four["tide"].to_numpy(),
        four["sea_level"].to_numpy(),
        four["flag"].to_numpy(),
        gauges=list(NEAR),
        masks=MASKS,
        shaking=spans,
        hours=(-6.0, 6.0),
        title="Tohoku 2011",
    )
    plots.save_figure(axes, path)


def main() -> None:
    """Write the tables of docs/events.md and draw its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=Path)
    parser.add_argument("--banks", type=Path, required=True)
    parser.add_argument("--figures", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "events.json")
    given = parser.parse_args()
    for folder in (given.banks, given.figures):
        folder.mkdir(parents=True, exist_ok=True)
    japan = bank_of("japan", given.banks, gauges=list(BUOYS))
    chile = bank_of("chile", given.banks, gauges=["32412"])
    found = measure_tides(given.events) | invert_tohoku(given.events, japan, given.figures)
    found |= invert_chile(chile, given.figures)
    print_speed(given.events, given.banks / "japan.nc")
    command = "python -m benchmarks.studies.events EVENTS --banks runs/events --figures docs/figures"
    results = tables({name: rows.results() for name, rows in found.items()}, command, code())
    write_compact(given.out, results)


if __name__ == "__main__":
    main()
