"""Page of the benchmark of speed, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.markdown import made_by_words, ranged, table
from benchmarks.speed.solver import BYTES_A_CELL

__all__ = ["speed_page"]


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
        *_machine(results),
        *_solver(results),
        *_waves(results),
        *_training(results["training"], results["together"]),
        *_latency(results["latency"]),
        *_commands(results),
        *_workers(results.get("workers")),
    ]
    return "\n\n".join(blocks) + "\n"


def _what_was_run(results: Mapping[str, Any]) -> str:
    """Say what the numbers are of."""
    about = results["about"]
    machine, config = about["machine"], about["config"]
    return (
        f"Written by `python -m benchmarks.speed --out OUT`, {made_by_words(results['made_by'])}, on "
        f"{machine['cores']} cores of {machine['machine']}, {machine['system']}, Python {machine['python']}, numpy "
        f"{machine['numpy']}; every number is in `speed.json`. Each work is timed in turn with its reference, so "
        "that other work on the machine, which counts against both, changes their ratio less than their rates. Numbers "
        f"are medians; in brackets, the least and the most of {config['repeats']} rounds (3 for whole banks, scenarios "
        "and trainings). Arithmetic is float32 unless said otherwise."
    )


def _machine(results: Mapping[str, Any]) -> Iterator[str]:
    """Tabulate bandwidth and arithmetic."""
    found, config = results["machine"], results["about"]["config"]
    yield "## The machine"
    yield (
        f"One thread of this process got {100 * found['core_share']:.0f} % of a core. Where that is much less than "
        "100, rates and times are those of a busy machine, and only ratios mean something."
    )
    yield table(
        ["", "one core", "all cores"],
        [
            [
                f"memory bandwidth, triad in place over {config['triad_mb']:g} MB (GB/s)",
                *(ranged(found["bandwidth_gb_s"][which]) for which in ("one", "all")),
            ],
            [
                f"product of matrices of {config['gemm_size']} rows (Gflop/s)",
                *(ranged(found["gemm_gflop_s"][which]) for which in ("one", "all")),
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
        ("compiled, one core", lambda grid: ranged(grid["one"])),
        ("lean numpy", lambda grid: ranged(grid["lean"])),
        ("textbook numpy", lambda grid: ranged(grid["textbook"])),
        ("limit, one core", lambda grid: ranged(grid["limit_one"])),
        ("compiled, all cores", lambda grid: ranged(grid["all"])),
        ("limit, all cores", lambda grid: ranged(grid["limit_all"])),
        ("compiled over lean numpy", lambda grid: ranged(grid["over_lean"])),
        ("compiled over textbook numpy", lambda grid: ranged(grid["over_textbook"])),
        ("compiled over the limit, one core", lambda grid: ranged(grid["of_limit_one"])),
        ("compiled over the limit, all cores", lambda grid: ranged(grid["of_limit_all"])),
    )
    header = ["", *(f"{grid['title']}, {grid['cells']:,} cells" for grid in grids)]
    yield table(header, [[name, *(cell(grid) for grid in grids)] for name, cell in rows])


def _waves(results: Mapping[str, Any]) -> Iterator[str]:
    """Word the bank and the scenarios."""
    bank, drawn = results["bank"], results["scenarios"]
    yield "## Bank by reciprocity, against forward runs"
    yield (
        f"Cascadia's near grid at {bank['spacing_arcmin']:g}', {bank['hours']:g} h, {bank['gauges']} gauges, one core. "
        f"The bank, one run per gauge, the uplift of all subfaults and their products: {ranged(bank['bank'])} s. One "
        f"forward run of one unit source: {ranged(bank['forward'])} s. Multiplied, not run: {bank['sources']} of "
        f"them, one a unit source, take {ranged(bank['by_source'])} times as long as the bank; {bank['subfaults']}, "
        f"one per subfault, which is what the bank holds, {ranged(bank['by_subfault'])} times."
    )
    yield "## Scenarios, against forward simulation"
    yield (
        f"Kinematic, slip drawn and {drawn['minutes']:g} minutes at {drawn['gauges']} gauges made, one core: "
        f"{ranged(drawn['a_second'])} a second where ruptures share sizes, as a training draws them, "
        f"{ranged(drawn['own_sizes'])} where each has its own, as a set holds them. One forward run at "
        f"{drawn['spacing_arcmin']:g}', all slip at time zero and its uplift ready, which is less work than a "
        f"kinematic one: {ranged(drawn['forward_s'])} s, or {ranged(drawn['over_forward'])} times as long as a "
        f"scenario. The products with the bank alone, on one core, allow {results['scenario_limit_a_second']:,.0f} a "
        "second."
    )


def _training(found: Mapping[str, Any], together: Mapping[str, Any]) -> Iterator[str]:
    """Word the training, of one network and of many."""
    yield "## Training, against a plain loop"
    yield (
        f"Training recipe of Liu (2021) (`conv1d`, batches of 20, Adam) on {found['scenarios']} scenarios, one thread. "
        f"An epoch by `slipcast train`, with exact losses of both parts and a copy of the state: "
        f"{ranged(found['slipcast'])} s; by a plain loop of PyTorch, loaders and all: {ranged(found['plain'])} s, "
        f"{ranged(found['ratio'])} times as long. {found['epochs']} epochs were run each time; 300, multiplied, take "
        f"{ranged(found['recipe_s'])} s. Validation loss at the end: {found['slipcast_loss_m2']:.3g} m² and "
        f"{found['plain_loss_m2']:.3g} m², means of other shuffles."
    )
    yield (
        f"{together['count']} networks at once, one thread: an epoch of one takes {ranged(together['together'])} s; "
        f"one after the other by slipcast {ranged(together['over_alone'])} times as long, by the plain loop "
        f"{ranged(together['over_plain'])} times. [Speed of training](../training-speed.md) tells what limits it."
    )


def _latency(found: Mapping[str, Any]) -> Iterator[str]:
    """Tabulate how long answers take."""
    yield "## Latency"
    yield (
        f"One record of {found['window_min']:g} min at {found['gauges']} DARTs, one core, everything loaded, forecasts "
        f"at {found['forecast_gauges']} gauges to the end of their runs; {found['n_draws']} draws where there are any. "
        "*Arrays*: objects that were made once (`LeastSquaresSolver`, `GaussianPosterior`, `Checkpoint`, "
        "`NeuralPosterior`) on plain numbers. *Labelled*: `slipcast.invert` and "
        "`slipcast.forecast`, with names, checks and quantiles of sea level at every minute. The forecast "
        "counts from the record."
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
    yield table(["ms", "slip, p50", "p99", "forecast, p50", "p99"], rows)


def _commands(results: Mapping[str, Any]) -> Iterator[str]:
    """Word the start-up, and tabulate whole commands."""
    found = results["startup"]
    yield "## Start-up"
    yield (
        f"`slipcast --help`: {ranged(found['help'])} s. `python -c pass`: {ranged(found['nothing'])} s, "
        f'`python -c "import numpy"`: {ranged(found["numpy"])} s, of which the first takes '
        f"{ranged(found['over_numpy'])} times as long."
    )
    if results.get("tasks"):
        yield "## Whole commands"
        yield (
            "In turn, on all cores (scenarios on as many as are worth their start); memory is of the largest process "
            f"of this command and of those above it.{_production(results['production'])}"
        )
        yield table(
            ["", "seconds", "peak memory, GB"],
            [
                [f"`{task['command']}`", ranged(task["seconds"]), f"{task['memory_mb'] / 1e3:.2f}"]
                for task in results["tasks"]
            ],
        )


def _production(plan: Mapping[str, float]) -> str:
    """Word what the cell updates of the two banks take at the measured rate of the solver."""
    return "".join(
        f" The bank {where} is {plan[f'{key}updates'] / 1e9:.0f} billion cell updates, land and all: "
        f"{plan[f'{key}seconds']:.0f} s at the rate of the solver."
        for key, where in (("", "at 1'"), ("coarse_", "at 2'"))
    )


def _workers(found: Mapping[str, Any] | None) -> Iterator[str]:
    """Word two Dask workers against one, if they were measured."""
    if found is None:
        return
    yield "## Two Dask workers"
    ratios = {name: ranged(found[name]["ratio"]) for name in ("bank", "scenarios", "plain_bank")}
    yield (
        f"Two workers over one: `bank build` {ratios['bank']} times as fast, `scenarios build` {ratios['scenarios']} "
        f"times; two plain processes get {ratios['plain_bank']} times of these cores, with the solver alone. More in "
        "[scaling](../scaling.md)."
    )
