"""Tables of the suite: scores pooled over events, and every case of an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.events.prediction import SURFACE
from benchmarks.events.run import PRIOR, EventScores
from benchmarks.events.scores import minutes_until_steady, uniformity

__all__ = ["event_table", "facts_table", "pooled_table", "pooled_tables"]

Row = dict[str, Any]
Table = dict[str, list[Any]]

_POOLED = (
    "method",
    "n",
    "failed",
    "median EV",
    "EV >= 0.5",
    "ln ratio, median",
    "ln ratio, sd",
    "arrival error (min)",
    "in 50 %",
    "in 90 %",
    "KS p",
    "CRPS (cm)",
    "CRPS / maximum",
    "over the prior's",
    "Mw error",
    "Mw in 90 %",
    "said to be unlike",
    "steady after (min)",
)


def _with_records(rows: Iterable[Row]) -> list[Row]:
    """Leave out cases in which no buoy had crested."""
    return [row for row in rows if row["used"]]


def pooled_tables(scores: Sequence[EventScores]) -> dict[str, Table]:
    """Pool scores over events, and by event.

    Parameters
    ----------
    scores : sequence of EventScores
        Of all events; those that failed have no rows.

    Returns
    -------
    tables : dict of str to table
        ``all``; ``windows`` and ``left_out``, the kinds of cases apart; ``interface``, events of the plate interface
        alone where there are others; ``no_wave_yet``, the prior where no buoy has crested; and ``event NAME``.
    """
    cases = [row for each in scores for row in each.cases]
    gauges = [row for each in scores for row in each.gauges]
    chosen: dict[str, Callable[[Row], bool]] = {
        "all": lambda row: True,
        "windows": lambda row: row["kind"] != "left out",
        "left_out": lambda row: row["kind"] == "left out",
    }
    if len({row["interface"] for row in cases}) > 1:
        chosen["interface"] = lambda row: row["interface"]
    for each in scores:
        if each.cases:
            chosen[f"event {each.event.name}"] = partial(_is_of, each.event.name)
    tables = {
        name: pooled_table(*([row for row in _with_records(rows) if wanted(row)] for rows in (cases, gauges)))
        for name, wanted in chosen.items()
    }
    early = [[row for row in rows if not row["used"]] for rows in (cases, gauges)]
    return tables | ({"no_wave_yet": pooled_table(*early)} if early[0] else {})


def _is_of(event: str, row: Row) -> bool:
    """Tell whether a row is of an event."""
    return row["event"] == event


def pooled_table(cases: Sequence[Row], gauges: Sequence[Row]) -> Table:
    """Pool scores by method.

    Parameters
    ----------
    cases : sequence of dict
        A row for each case and method.
    gauges : sequence of dict
        A row for each case, method and buoy that is held out.

    Returns
    -------
    table : dict
        ``header`` and ``rows``, all text. CRPS is a mean, in cm and as a part of the highest level recorded; the latter
        also over that of the prior at the same buoys in the same cases. "Said to be unlike": the share of cases in
        which an estimate's note says that no rupture near the epicentre explains the waves.
    """
    prior = {_key(row): row["crps_m"] / row["highest_m"] for row in gauges if row["method"] == PRIOR}
    rows = []
    for method in dict.fromkeys(row["method"] for row in cases):
        of_cases = [row for row in cases if row["method"] == method]
        of_gauges = [row for row in gauges if row["method"] == method]
        share = {_key(row): row["crps_m"] / row["highest_m"] for row in of_gauges}
        both = np.array([(share[key], prior[key]) for key in share if key in prior])
        rows.append(
            [
                method,
                str(len(of_gauges)),
                str(sum(bool(row["failure"]) for row in of_cases)),
                _number(np.median, _values(of_gauges, "explained_variance")),
                _number(lambda values: np.mean(values >= 0.5), _values(of_gauges, "explained_variance")),
                _number(np.median, _values(of_gauges, "ln_ratio"), "+.2f"),
                _number(np.std, _values(of_gauges, "ln_ratio")),
                _number(np.median, np.abs(_values(of_gauges, "arrival_error_min")), ".1f"),
                _number(np.mean, _values(of_gauges, "in_50")),
                _number(np.mean, _values(of_gauges, "in_90")),
                _number(uniformity, _values(of_gauges, "pit"), ".1g"),
                _number(np.mean, 100 * _values(of_gauges, "crps_m"), ".1f"),
                _number(np.mean, np.array(list(share.values()))),
                _number(_ratio_of_means, both),
                _number(np.median, np.abs(_values(of_cases, "magnitude_error"))),
                _number(np.mean, _values(of_cases, "magnitude_held")),
                _number(np.mean, _values(of_cases, "unlike")),
                _number(np.median, _steady(of_gauges), ".0f"),
            ]
        )
    return {"header": list(_POOLED), "rows": rows}


def _ratio_of_means(pairs: np.ndarray) -> float:
    """Return the mean of first values over that of second ones."""
    return float(pairs[:, 0].mean() / pairs[:, 1].mean())


def _key(row: Row) -> tuple[str, str, str]:
    """Name a buoy that is held out of a case."""
    return row["event"], row["case"], row["gauge"]


def _values(rows: Iterable[Row], name: str) -> np.ndarray:
    """Return what rows have of a score."""
    return np.array([row[name] for row in rows if row.get(name) is not None], dtype=float)


def _number(of: Callable[[Any], Any], values: np.ndarray, form: str = ".2f") -> str:
    """Write a statistic; a dash where there is none."""
    found = float(of(values)) if len(values) else float("nan")
    return format(found, form) if np.isfinite(found) else "–"


def _steady(rows: Sequence[Row]) -> np.ndarray:
    """Return for each buoy of a method from which window on its highest level stays within 20 % of the last, min."""
    series: dict[tuple[str, str], dict[float, float]] = {}
    for row in rows:
        if row["kind"] != "left out":
            series.setdefault((row["event"], row["gauge"]), {})[row["last_min"]] = row["median_m"]
    found = [minutes_until_steady(sorted(each), [each[at] for at in sorted(each)]) for each in series.values()]
    return np.array([minute for minute in found if np.isfinite(minute)])


def event_table(scores: EventScores) -> Table:
    """List every case of an event: Mw with its 90 % interval, and explained variance at buoys that are held out."""
    order = [wave.gauge for wave in sorted(scores.waves, key=lambda wave: wave.crest_s)]
    explained = {(row["case"], row["method"], row["gauge"]): row["explained_variance"] for row in scores.gauges}
    rows = []
    for row in scores.cases:
        name, method = row["case"], row["method"]
        cells = [explained.get((name, method, gauge)) for gauge in order]
        used = "all others" if row["kind"] == "left out" else " ".join(row["used"]) or "none"
        rows.append(
            [name, used, method, _magnitude_words(row), *("" if cell is None else f"{cell:.2f}" for cell in cells)]
        )
    return {"header": ["case", "used", "method", "Mw (90 %)", *order], "rows": rows}


def _magnitude_words(row: Row) -> str:
    """Word a magnitude with its interval, or why there is none."""
    if row["failure"]:
        return row["failure"]
    if row["magnitude"] is None:
        return "none" if row["method"] == SURFACE else "no slip"
    spread = ""
    if row["magnitude_low"] is not None and row["magnitude_high"] is not None:
        spread = f" ({row['magnitude_low']:.2f} to {row['magnitude_high']:.2f})"
    return f"{row['magnitude']:.2f}{spread}"


def facts_table(scores: Sequence[EventScores]) -> Table:
    """List events: what is told of them, which buoys count with the minutes of their crests, and why others do not."""
    rows = []
    for each in scores:
        order = sorted(each.waves, key=lambda wave: wave.crest_s)
        told = f"{each.event.first_magnitude:g} ({each.event.first_magnitude_source})"
        buoys = ", ".join(f"{w.gauge} {w.crest_s / 60:.0f} min {100 * w.crest_m:.1f} cm" for w in order)
        left_out = "; ".join(f"{name}: {why}" for name, why in each.left_out.items())
        rows.append([each.event.title, f"{each.event.magnitude:g}", told, buoys, each.failure or left_out])
    return {"header": ["event", "Mw", "first magnitude", "buoys: crest", "left out"], "rows": rows}
