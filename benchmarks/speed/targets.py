"""What was aimed at, beside what was measured and the limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["targets"]

_MOST_MEMORY_MB = 6000.0
_NO_GPU = "no GPU at hand, not measured"


def targets(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Put every target beside what was found.

    Parameters
    ----------
    results : mapping
        As :func:`benchmarks.speed.run_speed` puts them together.

    Returns
    -------
    rows : list of dict
        ``what``, ``wanted``, ``found``, ``limit``, all text, and ``met``: whether it is; None if it was not measured.
    """
    rows = [
        *_solver(results["solver"]),
        *_bank(results),
        *_scenarios(results),
        *_training(results["training"]),
    ]
    rows += _latency(results["latency"])
    rows += _workers(results.get("workers"))
    wanted = ("half the card's bandwidth", "under 15 s", "under 5 s")
    for what, aim in zip(("solver", "production bank", "300 epochs of the seed's recipe"), wanted, strict=True):
        rows.append(_row(f"{what}, on a GPU", aim, _NO_GPU))
    return rows


def _workers(found: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Compare two Dask workers, with what two plain processes get of these cores."""
    rows = []
    for name in ("bank", "scenarios"):
        what, aim = f"two Dask workers over one, `{name} build`", "1.7 times"
        if found is None:
            rows.append(_row(what, aim, "`benchmarks/studies/workers.py`, [scaling](../scaling.md)"))
            continue
        ratio, plain = (found[key]["ratio"]["median"] for key in (name, "plain_bank"))
        limit = f"{plain:.2f} times by two plain processes, the solver alone"
        rows.append(_row(what, aim, f"{ratio:.2f} times", limit, ratio >= 1.7))
    return rows


def _row(what: str, wanted: str, found: str, limit: str = "", met: bool | None = None) -> dict[str, Any]:
    return {"what": what, "wanted": wanted, "found": found, "limit": limit, "met": met}


def _solver(grids: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Compare the solver: in cache, and at 1' and finer."""
    cached = grids["two_minutes"]
    rows = [
        _row(
            f"solver, all cores, {cached['title']} (in cache, {cached['held_mb']:.0f} MB)",
            "600 million cells a second",
            f"{cached['all']['median']:.0f} million",
            "bandwidth of the cache, not measured",
            cached["all"]["median"] >= 600,
        )
    ]
    wanted = "70 % of what the bandwidth lets through"
    if "one_minute" not in grids:
        return [*rows, _row("solver, Cascadia at 1'", wanted, "not in a quick run")]
    for name, title in (("one_minute", "all cores"), ("half_minute", "all cores, a grid that no cache holds")):
        if name in grids:
            grid = grids[name]
            share = grid["of_limit_all"]["median"]
            rows.append(
                _row(
                    f"solver, {title}, {grid['title']} ({grid['held_mb']:.0f} MB a run)",
                    wanted,
                    f"{100 * share:.0f} %: {grid['all']['median']:.0f} million cells a second",
                    f"{grid['limit_all']['median']:.0f} million",
                    share >= 0.7,
                )
            )
    return rows


def _bank(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Compare the banks, each with what its runs alone would take if all cells were updated, at the rates above."""
    plan = results["production"]
    return [
        _built(
            results, "production bank, near gauges at 1'", "cascadia --out", 300.0, "under 5 minutes, 6 GB", plan, ""
        ),
        _built(results, "the same at 2'", "--spacing 2", 40.0, "under 40 s", plan, "coarse_"),
    ]


def _built(
    results: Mapping[str, Any],
    what: str,
    said: str,
    most_s: float,
    wanted: str,
    plan: Mapping[str, float],
    key: str,
) -> dict[str, Any]:
    """Compare the building of a bank."""
    tasks = results.get("tasks") or []
    task = next((task for task in tasks if "bank build" in task["command"] and said in task["command"]), None)
    if task is None:
        return _row(what, wanted, "not in a quick run")
    took = task["seconds"]
    met = took["median"] < most_s and task["memory_mb"] < _MOST_MEMORY_MB
    found = f"{took['median']:.0f} s ({took['least']:.0f} to {took['most']:.0f}), {task['memory_mb'] / 1e3:.1f} GB"
    updates, seconds = plan[f"{key}updates"], plan[f"{key}seconds"]
    return _row(what, wanted, found, f"{seconds:.0f} s for {updates / 1e9:.0f} billion updates, land and all", met)


def _scenarios(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Compare scenarios, in memory and to disk."""
    found, cores = results["scenarios"], results["about"]["machine"]["cores"]
    rate = cores * found["a_second"]["median"]
    limit = f"{results['scenario_limit_a_second']:.0f} a second for the products alone, one core"
    rows = [
        _row(
            f"scenarios of {found['gauges']} gauges, kinematic",
            "3,000 a second",
            f"{found['a_second']['median']:.0f} on one core; {cores} cores, computed: {rate:.0f}",
            limit,
            rate >= 3000,
        )
    ]
    builds = [task for task in results.get("tasks") or [] if "scenarios build" in task["command"]]
    aim = "under 4 GB of memory"
    if not builds:
        return [*rows, _row("10^6 scenarios to disk", aim, "not in a quick run")]
    memory = builds[-1]["memory_mb"] / 1e3
    return [*rows, _row("10^6 scenarios to disk", aim, f"{memory:.1f} GB, whatever the count", "", memory < 4)]


def _training(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Compare training."""
    ratio = found["ratio"]["median"]
    return [
        _row(
            "the seed's recipe, against a plain loop",
            "2 times as fast at the same loss",
            f"{ratio:.2f} times; loss {found['slipcast_loss_m2']:.3g} and {found['plain_loss_m2']:.3g} m²",
            "",
            ratio >= 2,
        ),
    ]


def _latency(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Compare the three latencies, on arrays, with the labelled one beside."""
    rows = []
    for name, kind, limit_ms in (("least squares", "slip", 1), ("Gaussian", "forecast", 5), ("network", "slip", 5)):
        arrays, labelled = (found["calls"][f"{name}, {level}, {kind}"] for level in ("arrays", "labelled"))
        what = f"{name}, from the record to {'slip' if kind == 'slip' else 'forecast intervals'}, one core"
        text = f"{arrays['p50_ms']:.2f} ms prepared, on arrays; {labelled['p50_ms']:.1f} ms with labels"
        rows.append(_row(what, f"{limit_ms} ms (p50)", text, "", arrays["p50_ms"] <= limit_ms))
    return rows
