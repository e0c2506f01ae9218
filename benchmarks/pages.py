"""Pages that are filled by script: rendered from committed results, and checked against them and the code.

    python -m benchmarks.pages
    python -m benchmarks.pages --check

The first computes the cheap results again where the code has changed, and renders all pages. The second changes
nothing: it ends with 1 if a page is not what its results give, or if the cheap results are of other code than the
tree's or come out otherwise. Expensive results of other code are named; their pages say by which code they were made.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.accuracy import mixture as shifted_mixture
from benchmarks.accuracy.page import accuracy_page, write_accuracy
from benchmarks.accuracy.run import results_code
from benchmarks.card import card_page
from benchmarks.events import __main__ as event_suite
from benchmarks.events import far_decay, percentiles
from benchmarks.events import simulated as event_simulations
from benchmarks.markdown import digits, fill, made_by_words, percent, table
from benchmarks.provenance import ROOT, code_digest, write_compact
from benchmarks.speed.page import speed_page
from benchmarks.speed.run import speed_code
from benchmarks.studies import (
    ablation,
    bank_time,
    damaged_files,
    detection,
    events,
    failing_sensors,
    interface_dips,
    magnitude_intervals,
    noise_only,
    one_window,
    quality,
    representation,
    scaling,
    waves,
)
from slipcast.io.atomic import read_json, write_text

__all__ = ["PAGES", "RESULTS", "Result", "check", "main", "render"]

_ROUNDING = 0.0101  # two decimals, rounded on another machine


@dataclass(frozen=True)
class Result:
    """A file of results.

    Attributes
    ----------
    code : callable
        From the root of a repository to the files on which the results depend.
    compute : callable, optional
        Computes them again; none if that is expensive.
    """

    code: Callable[[Path], list[Path]]
    compute: Callable[[], dict[str, Any]] | None = None


RESULTS = {
    "headline": Result(results_code),
    "accuracy": Result(results_code),
    "speed": Result(speed_code),
    "events": Result(events.code),
    "event_suite": Result(event_suite.code),
    "event_simulations": Result(event_simulations.code),
    "far_decay": Result(far_decay.code),
    "mixture_shifted": Result(shifted_mixture.code),
    "prior_percentiles": Result(percentiles.code),
    "ablation": Result(ablation.code),
    "one_window": Result(one_window.code),
    "noise_only": Result(noise_only.code),
    "representation": Result(representation.code),
    "representation_coarse": Result(representation.code, representation.coarse),
    "waves": Result(waves.code, waves.compute),
    "magnitude_intervals": Result(magnitude_intervals.code),
    "interface_dips": Result(interface_dips.code),
    "bank_time": Result(bank_time.code),
    "detection": Result(detection.code),
    "failing_sensors": Result(failing_sensors.code),
    "damaged_files": Result(damaged_files.code),
    "quality": Result(quality.code),
}
"""Files ``docs/benchmarks/NAME.json``."""


def _result(root: Path, name: str) -> dict[str, Any]:
    """Read results."""
    return read_json(root / "docs" / "benchmarks" / f"{name}.json")


def _filled(path: str, *names: str, **more: Callable[[Path], str]) -> Callable[[Path], str]:
    """Make a function that fills the tables of some results, and other blocks, into a page."""

    def page(root: Path) -> str:
        blocks = {key: block(root) for key, block in more.items()}
        for name in names:
            found = _result(root, name)
            blocks[f"{name} made by"] = f"Made by `{found['command']}`, {made_by_words(found['made_by'])}."
            blocks |= {
                f"{name} {key}": table(of_key["header"], of_key["rows"]) for key, of_key in found["tables"].items()
            }
        return fill((root / path).read_text(encoding="utf-8"), blocks)

    return page


def headline_words(root: Path) -> str:
    """Word the means over test sets for the README."""
    found = _result(root, "headline")
    config = found["about"]["config"]
    methods = found["windows"][f"{config['table_window_min']:g}"]
    own = methods["sampler"]
    mse = own["weight_mse_m2"]
    others = [methods[name]["weight_mse_m2"]["mean"] for name in ("network", "linear")]
    return (
        f"On {config['test_sets']} sets of {config['count']:,} simulated earthquakes that were not used in training, "
        f"{config['table_window_min']:g} minutes of three DARTs: slip MSE {digits(mse['mean'])} m² "
        f"({digits(min(mse['sets']))} to {digits(max(mse['sets']))} over the sets) against {digits(others[0])} for "
        f"Liu's network and {digits(others[1])} for the linear estimator; its 90 % intervals of slip hold "
        f"{percent(own['slip_coverage_90']['mean'])} of the truth, those of the highest waves at the forecast points "
        f"{percent(own['max_amplitude_coverage_90']['mean'])}; explained variance of these waves "
        f"{own['max_amplitude_explained_variance']['mean']:.2f} ([all numbers](docs/benchmarks/accuracy.md))."
    )


def real_events_words(root: Path) -> str:
    """Word the scores of the mixture on real events of plate interfaces for the README."""
    pooled = _result(root, "event_suite")["tables"]["interface"]
    rows = {row[0]: dict(zip(pooled["header"], row, strict=True)) for row in pooled["rows"]}
    own, share = rows["mixture"], "over the prior's"
    return (
        f"Chile 2010, Tohoku 2011 and Illapel 2015 by one rule, from raw text on, {own['n']} forecasts at buoys "
        f"that were not used: its 90 % intervals hold {percent(float(own['in 90 %']))} of the highest waves; their "
        f"error (CRPS) is {own[share]} of that of first magnitude and place alone, where damped least squares have "
        f"{rows['tikhonov'][share]} ([real events](docs/events.md))."
    )


def shift_words(root: Path) -> str:
    """Word the scores out of distribution for the page of limits."""
    found = _result(root, "accuracy")
    sets = {of_set["label"]: of_set["methods"] for of_set in found["shifted"].values()}

    def ends(scores: Mapping[str, float], form: Callable[[float], str]) -> str:
        low, high = min(scores, key=scores.__getitem__), max(scores, key=scores.__getitem__)
        return f"{form(scores[low])} ({low}) to {form(scores[high])} ({high})"

    shares = {
        label: methods["sampler"]["weight_mse_m2"]["value"] / methods["linear"]["weight_mse_m2"]["value"]
        for label, methods in sets.items()
    }
    covered = [
        ends(
            {label: methods["sampler"][f"{key}_coverage_90"]["value"] for label, methods in sets.items()},
            percent,
        )
        for key in ("slip", "max_amplitude")
    ]
    return (
        f"- Out of distribution ([accuracy](benchmarks/accuracy.md), {len(sets)} shifted test sets) the neural "
        f"posterior's slip MSE is {ends(shares, digits)} of the linear estimator's. Its 90 % intervals hold "
        f"{covered[0]} of slip, and {covered[1]} of the highest waves. Made by `python -m benchmarks.accuracy`, "
        f"{made_by_words(found['made_by'])}."
    )


PAGES: dict[str, Callable[[Path], str]] = {
    "docs/benchmarks/accuracy.md": lambda root: accuracy_page(_result(root, "accuracy"), _result(root, "headline")),
    "docs/benchmarks/speed.md": lambda root: speed_page(_result(root, "speed")),
    "docs/models/cascadia.md": lambda root: card_page(
        root / "src" / "slipcast" / "models" / "cascadia", _result(root, "headline")
    ),
    "docs/scaling.md": lambda root: scaling.scaling_page(_result(root, "speed"), _result(root, "workers")),
    "docs/events.md": _filled(
        "docs/events.md",
        "events",
        "event_suite",
        "event_simulations",
        "mixture_shifted",
        "far_decay",
        "prior_percentiles",
    ),
    "docs/ablation.md": _filled("docs/ablation.md", "ablation", "one_window", "noise_only"),
    "docs/limits.md": _filled(
        "docs/limits.md",
        "representation",
        "representation_coarse",
        "magnitude_intervals",
        "interface_dips",
        shift=shift_words,
    ),
    "docs/damaged-files.md": _filled("docs/damaged-files.md", "damaged_files"),
    "docs/waves.md": _filled("docs/waves.md", "waves", "bank_time"),
    "docs/watch-floor.md": _filled("docs/watch-floor.md", "failing_sensors"),
    "docs/records.md": _filled("docs/records.md", "quality", "detection"),
    "README.md": _filled("README.md", accuracy=headline_words, real_events=real_events_words),
}
"""Pages, by path, and how each is rendered from the root of a repository."""


def render(root: Path = ROOT) -> list[str]:
    """Compute the cheap results again where the code is not theirs, and write all pages.

    Parameters
    ----------
    root : path, optional
        Of the repository.

    Returns
    -------
    changed : list of str
        Files that were written, relative to the root.
    """
    changed = []
    for name, result in RESULTS.items():
        path = f"docs/benchmarks/{name}.json"
        if result.compute and (not (root / path).is_file() or _other_code(root, name)):
            write_compact(root / path, result.compute())
            changed.append(path)
    for path, page in PAGES.items():
        text = page(root)
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text:
            write_text(root / path, text)
            changed.append(path)
    return changed


def check(root: Path = ROOT, *, compute: bool = True) -> tuple[list[str], list[str]]:
    """Compare pages with their results, and results with the code.

    Parameters
    ----------
    root : path, optional
        Of the repository.
    compute : bool, optional
        Whether cheap results are computed again.

    Returns
    -------
    faults, notes : list of str
        What must not be, and expensive results of other code, each a line.
    """
    faults, notes = [], []
    for name, result in RESULTS.items():
        path = f"docs/benchmarks/{name}.json"
        if words := _other_code(root, name):
            (faults if result.compute else notes).append(f"{path} {words}")
        elif result.compute and compute:
            faults += [f"{path}: {line}" for line in _differences(_result(root, name), result.compute())]
    for path, page in PAGES.items():
        if page(root) != (root / path).read_text(encoding="utf-8"):
            faults.append(f"{path} is not what its results give")
    return faults, notes


def _other_code(root: Path, name: str) -> str:
    """Say so, if results were made by other code than the tree's."""
    made_by, tree = _result(root, name)["made_by"]["code"], code_digest(RESULTS[name].code(root), root=root)
    return "" if made_by == tree else f"was made by other code: {made_by}, the tree's is {tree}"


def _differences(kept: Mapping[str, Any], computed: Mapping[str, Any]) -> Iterator[str]:
    """Find cells of tables that differ by more than rounding."""
    for name, found in computed["tables"].items():
        before = kept["tables"].get(name, {"header": [], "rows": []})
        if before["header"] != found["header"] or len(before["rows"]) != len(found["rows"]):
            yield f"table {name} has other rows or columns"
            continue
        for old, new in zip(before["rows"], found["rows"], strict=True):
            for title, was, now in zip(found["header"], old, new, strict=True):
                if not _same(was, now):
                    yield f"table {name}, {new[0]}, {title}: {was} in the file, {now} computed"


def _same(was: str, now: str) -> bool:
    """Tell whether two cells are the same text, or the same number but for rounding."""
    try:
        return abs(float(was) - float(now)) < _ROUNDING
    except ValueError:
        return was == now


def main() -> int:
    """Render or check all pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit code 1 if a page is not as it should be"
    )
    parser.add_argument("--figures", action="store_true", help="draw the figures of accuracy.md again, too")
    given = parser.parse_args()
    if given.figures:
        write_accuracy(ROOT / "docs" / "benchmarks", _result(ROOT, "accuracy"), _result(ROOT, "headline"))
    if not given.check:
        sys.stdout.writelines(f"{path}\n" for path in render())
        return 0
    faults, notes = check()
    sys.stdout.writelines(f"note: {note}\n" for note in notes)
    sys.stdout.writelines(f"{fault}; `python -m benchmarks.pages` makes it again\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
