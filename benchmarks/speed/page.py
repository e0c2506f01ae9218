"""The results of the benchmark of speed as a page in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.speed.solver import BYTES_A_CELL
from benchmarks.speed.targets import targets

__all__ = ["speed_page"]

_MET = {True: "yes", False: "no", None: ""}


def speed_page(results: Mapping[str, Any]) -> str:
    """Write the page.

    Parameters
    ----------
    results : mapping
        As :func:`benchmarks.speed.run_speed` puts them together.

    Returns
    -------
    text : str
        Markdown.
    """
    blocks = [
        "# Speed",
        _what_was_run(results),
        "## What it is meant to reach",
        _table(
            ["", "wanted", "found", "limit", "met"],
            [[row["what"], row["wanted"], row["found"], row["limit"], _MET[row["met"]]] for row in targets(results)],
            text=True,
        ),
        *_machine(results),
        *_solver(results),
        *_waves(results),
        *_training(results["training"]),
        *_latency(results["latency"]),
        *_commands(results),
    ]
    return "\n\n".join(blocks) + "\n"


def _what_was_run(results: Mapping[str, Any]) -> str:
    """Say what the numbers are of."""
    about = results["about"]
    machine, config = about["machine"], about["config"]
    return (
        f"Written by `python -m benchmarks.speed` (slipcast {about['slipcast_version']}) on {machine['cores']} cores "
        f"of {machine['machine']}, {machine['system']}, Python {machine['python']}, numpy {machine['numpy']}; every "
        "number is in `speed.json`. Each work is timed in turn with its reference, so that other work on the machine, "
        "which counts against both, changes their ratio less than their rates. Numbers are medians; in brackets, the "
        f"least and the most of {config['repeats']} rounds (3 for whole banks, scenarios and trainings). Arithmetic is "
        "float32 unless said otherwise."
    )


def _machine(results: Mapping[str, Any]) -> Iterator[str]:
    """Tabulate bandwidth and arithmetic."""
    found, config = results["machine"], results["about"]["config"]
    yield "## The machine"
    yield (
        f"One thread of this process got {100 * found['core_share']:.0f} % of a core. Where that is much less than "
        "100, rates and times are those of a busy machine, and only ratios mean something."
    )
    yield _table(
        ["", "one core", "all cores"],
        [
            [
                f"memory bandwidth, triad in place over {config['triad_mb']:g} MB (GB/s)",
                *(_spread(found["bandwidth_gb_s"][which]) for which in ("one", "all")),
            ],
            [
                f"product of matrices of {config['gemm_size']} rows (Gflop/s)",
                *(_spread(found["gemm_gflop_s"][which]) for which in ("one", "all")),
            ],
        ],
    )


def _solver(results: Mapping[str, Any]) -> Iterator[str]:
    """Tabulate the solver by grid."""
    grids = results["solver"].values()
    yield "## Solver"
    yield (
        f"Millions of cell updates a second. A step must move {BYTES_A_CELL} bytes for each cell, if it is swept once: "
        "sea level and two transports in and out, two coefficients in. The limit is the bandwidth of the triad, "
        "measured in the same rounds, over these bytes; a grid that a cache holds may exceed it. All cores: one run on "
        "each, as a bank is built. Lean numpy has all coefficients ready and works in place, in float32; textbook "
        "numpy is what the equations look like (float64, velocities, masks)."
    )
    rows = (
        ("held, MB", lambda grid: f"{grid['held_mb']:.1f}"),
        ("compiled, one core", lambda grid: _spread(grid["one"])),
        ("lean numpy", lambda grid: _spread(grid["lean"])),
        ("textbook numpy", lambda grid: _spread(grid["textbook"])),
        ("limit, one core", lambda grid: _spread(grid["limit_one"])),
        ("compiled, all cores", lambda grid: _spread(grid["all"])),
        ("limit, all cores", lambda grid: _spread(grid["limit_all"])),
        ("compiled over lean numpy", lambda grid: _spread(grid["over_lean"])),
        ("compiled over textbook numpy", lambda grid: _spread(grid["over_textbook"])),
        ("compiled over the limit, one core", lambda grid: _spread(grid["of_limit_one"])),
        ("compiled over the limit, all cores", lambda grid: _spread(grid["of_limit_all"])),
    )
    header = ["", *(f"{grid['title']}, {grid['cells']:,} cells" for grid in grids)]
    yield _table(header, [[name, *(cell(grid) for grid in grids)] for name, cell in rows])


def _waves(results: Mapping[str, Any]) -> Iterator[str]:
    """Word the bank and the scenarios."""
    bank, drawn = results["bank"], results["scenarios"]
    yield "## Bank by reciprocity, against forward runs"
    yield (
        f"Cascadia's near grid at {bank['spacing_arcmin']:g}', {bank['hours']:g} h, {bank['gauges']} gauges, one core. "
        f"The bank, one run a gauge, the uplift of all subfaults and their products: {_spread(bank['bank'])} s. One "
        f"forward run of one unit source: {_spread(bank['forward'])} s. Multiplied, not run: {bank['sources']} of "
        f"them, one a unit source, take {_spread(bank['by_source'])} times as long as the bank; {bank['subfaults']}, "
        f"one a subfault, which is what the bank holds, {_spread(bank['by_subfault'])} times."
    )
    yield "## Scenarios, against forward simulation"
    yield (
        f"Kinematic, slip drawn and {drawn['minutes']:g} minutes at {drawn['gauges']} gauges made, one core: "
        f"{_spread(drawn['a_second'])} a second where ruptures share sizes, as a training draws them, "
        f"{_spread(drawn['own_sizes'])} where each has its own, as a set holds them. One forward run at "
        f"{drawn['spacing_arcmin']:g}', all slip at time zero and its uplift ready, which is less work than a "
        f"kinematic one: {_spread(drawn['forward_s'])} s, or {_spread(drawn['over_forward'])} times as long as a "
        "scenario."
    )


def _training(found: Mapping[str, Any]) -> Iterator[str]:
    """Word the training."""
    yield "## Training, against a plain loop"
    yield (
        f"The seed's recipe (Liu 2021: `conv1d`, batches of 20, Adam) on {found['scenarios']} scenarios, one thread. "
        f"An epoch by `slipcast train`, with exact losses of both parts and a copy of the state: "
        f"{_spread(found['slipcast'])} s; by a plain loop of PyTorch, loaders and all: {_spread(found['plain'])} s, "
        f"{_spread(found['ratio'])} times as long. {found['epochs']} epochs were run each time; 300, multiplied, take "
        f"{_spread(found['recipe_s'])} s. Validation loss at the end: {found['slipcast_loss_m2']:.3g} m² and "
        f"{found['plain_loss_m2']:.3g} m², means of other shuffles. [Speed of training](../training-speed.md) says "
        "what limits it."
    )


def _latency(found: Mapping[str, Any]) -> Iterator[str]:
    """Tabulate how long answers take."""
    yield "## Latency"
    yield (
        f"One record of {found['window_min']:g} min at {found['gauges']} DARTs, one core, everything loaded, forecasts "
        f"at {found['forecast_gauges']} gauges to the end of their runs; {found['n_draws']} draws where there are any. "
        "*Arrays*: objects that were made once (`LeastSquares`, `GaussianPosterior`, `Checkpoint`, `NeuralPosterior`, "
        "`PreparedForecast`) on plain numbers. *Labelled*: `slipcast.invert` and `slipcast.forecast`, with names, "
        "checks and quantiles of sea level at every minute. The forecast counts from the record."
    )
    rows = []
    for name in ("least squares", "Gaussian", "network", "sampler"):
        for level in ("arrays", "labelled"):
            cells = []
            for kind in ("slip", "forecast"):
                call = found["calls"].get(f"{name}, {level}, {kind}")
                cells += [f"{call['p50_ms']:.2f}", f"{call['p99_ms']:.2f}"] if call else ["", ""]
            if any(cells):
                rows.append([f"{name}, {level}", *cells])
    yield _table(["ms", "slip, p50", "p99", "forecast, p50", "p99"], rows)


def _commands(results: Mapping[str, Any]) -> Iterator[str]:
    """Word the start-up, and tabulate whole commands."""
    found = results["startup"]
    yield "## Start-up"
    yield (
        f"`slipcast --help`: {_spread(found['help'])} s. `python -c pass`: {_spread(found['nothing'])} s, "
        f'`python -c "import numpy"`: {_spread(found["numpy"])} s, of which the first takes '
        f"{_spread(found['over_numpy'])} times as long."
    )
    if results.get("tasks"):
        yield "## Whole commands"
        yield (
            "In turn, on all cores (scenarios on as many as are worth their start); memory is of the largest process "
            "of this command and of those above it."
        )
        yield _table(
            ["", "seconds", "peak memory, GB"],
            [
                [f"`{task['command']}`", _spread(task["seconds"]), f"{task['memory_mb'] / 1e3:.2f}"]
                for task in results["tasks"]
            ],
        )


def _spread(values: Mapping[str, float]) -> str:
    """Word a median with the least and the most."""
    return f"{_digits(values['median'])} ({_digits(values['least'])} to {_digits(values['most'])})"


def _digits(value: float) -> str:
    """Write a number to three digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, text: bool = False) -> str:
    """Write a table in Markdown, numbers to the right."""
    lines = [header, ["---"] + (["---"] if text else ["---:"]) * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
