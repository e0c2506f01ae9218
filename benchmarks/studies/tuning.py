"""Gain from a search for better settings, and from more data; writes docs/tuning.md and its figures.

    python -m benchmarks.studies.tuning --work runs/tuning

About an hour on two cores. What is in the working folder and whole is not done again.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.provenance import ROOT
from slipcast import plots
from slipcast.greens.bank import GreensBank
from slipcast.io.atomic import write_text
from slipcast.learning import TrainConfig
from slipcast.learning.checkpoint import Checkpoint
from slipcast.learning.train import train
from slipcast.learning.tuning.search import Tuning, tune
from slipcast.learning.tuning.space import SearchSpace
from slipcast.scenarios.scenario_set import ScenarioSet

DOCS = ROOT / "docs"
DARTS = ["46404", "46407", "46419"]
SMALL, LARGE, HELD_OUT = 1300, 20_000, 2000
TRIALS = {SMALL: 40, LARGE: 20}
# as many steps of 20 scenarios in both: a twelfth of the epochs on fifteen times the scenarios
EPOCHS = {SMALL: 300, LARGE: 24}
SEEDS = (1, 2, 3)
RECIPE = "Liu (2021)"

PAGE = """# Hyperparameter search, and the effect of more data

Made by `python -m benchmarks.studies.tuning`: Liu's `conv1d` for 45 minutes at three DARTs, sets of {small:,} and
{large:,}
scenarios, 70 % of each for training. The best epoch of every network is scored on the same {held_out:,} scenarios,
which are in no set and no search, by the mean squared error of slip on unit sources. The variance of the weights
there is {variance:.1f} m². Mean and range over seeds {seeds}.

| scenarios | settings | epochs | slip MSE (m²) |
|---|---|---|---|
{rows}

{story}

## The searches

{small_trials} trials of at most {small_epochs} epochs on {small:,} scenarios, {large_trials} of at most
{large_epochs} on {large:,}; the default space of `slipcast tune`, Liu's recipe as the first trial.

| scenarios | {names} | validation (m²) |
|---|{bars}---|
{found}

What mattered (PED-ANOVA, share of the spread of validation loss) on {small:,} scenarios: {small_importance}. On
{large:,}: {large_importance}.

![The search on {small:,} scenarios](figures/tuning_small.png)

![The search on {large:,} scenarios](figures/tuning_large.png)
"""


def scenario_set(folder: Path, count: int, seed: int) -> ScenarioSet:
    """Open or build a set at the three DARTs."""
    path, bank_path = folder / f"set_{count}.zarr", folder / "bank.nc"
    if not path.exists():
        if not bank_path.exists():
            GreensBank.build("cascadia", gauges=DARTS, spacing_arcmin=2, hours=1).save(bank_path)
        ScenarioSet.build(GreensBank.open(bank_path), count=count, seed=seed).save(path)
    return ScenarioSet.open(path)


def search(folder: Path, scenarios: ScenarioSet, workers: int) -> Tuning:
    """Search, or read what was found."""
    count = len(scenarios)
    out = folder / f"search_{count}"
    config = TrainConfig(epochs=EPOCHS[count], device="cpu")
    return tune(
        scenarios,
        out,
        config=config,
        trials=TRIALS[count],
        workers=workers,
        resume=(out / "study.log").exists(),
        progress=lambda done, total, note: print(f"{count}: {done}/{total} {note}", flush=True),
    )


def errors(folder: Path, held_out: ScenarioSet, scenarios: ScenarioSet, config: TrainConfig, name: str) -> list[float]:
    """Train from every seed, and compute the error of each one's best epoch, m^2."""
    records = held_out.load_records(DARTS, config.window_min, noise_sd_m=config.noise_sd_m)
    truth = held_out.load_weights().to_numpy()
    found = []
    for seed in SEEDS:
        out = folder / "runs" / f"{name}_{seed}"
        if not (out / "model.json").exists():
            train(scenarios, out, config=config, seed=seed, resume=(out / "training.safetensors").exists())
        slip = Checkpoint.open(out / "best").predict(records.to_numpy())
        found.append(float(np.square(slip - truth).mean()))
        print(f"{name}, seed {seed}: {found[-1]:.3f} m²", flush=True)
    return found


def row(count: int, what: str, config: TrainConfig, found: list[float]) -> str:
    """Write a line of the table."""
    spread = f"{statistics.mean(found):.2f} ({min(found):.2f} to {max(found):.2f})"
    return f"| {count:,} | {what} | {config.epochs} | {spread} |"


def main() -> None:
    """Search, train, score, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="a folder for sets, searches and networks")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    begin = time.monotonic()
    held_out = scenario_set(given.work, HELD_OUT, seed=99)
    sets = {count: scenario_set(given.work, count, seed=1) for count in (SMALL, LARGE)}
    print(f"sets after {time.monotonic() - begin:.0f} s", flush=True)
    tunings = {count: search(given.work, scenarios, given.workers) for count, scenarios in sets.items()}
    rows, mean = [], {}
    for count, scenarios in sets.items():
        recipe = TrainConfig(epochs=EPOCHS[count], device="cpu")
        for what, config in ((RECIPE, recipe), ("tuned", tunings[count].best)):
            found = errors(given.work, held_out, scenarios, config, f"{count}_{'recipe' if what == RECIPE else what}")
            rows.append(row(count, what, config, found))
            mean[count, what] = statistics.mean(found)
    base = mean[SMALL, RECIPE]
    share = {key: value / base for key, value in mean.items()}
    story = (
        f"Of the error of Liu's recipe on {SMALL:,} scenarios, the search alone leaves "
        f"{share[SMALL, 'tuned']:.2f}, {LARGE:,} scenarios alone (about as many steps) {share[LARGE, RECIPE]:.2f}, "
        f"both {share[LARGE, 'tuned']:.2f}."
    )
    names = [name for name, _ in SearchSpace.default().items()]
    found_rows = []
    for count, tuning in tunings.items():
        best = min((t for t in tuning.trials if t["state"] == "complete"), key=lambda t: t["validation_loss_m2"])
        cells = [f"{best[name]:.3g}" if isinstance(best[name], float) else str(best[name]) for name in names]
        found_rows.append(f"| {count:,} | {' | '.join(cells)} | {tuning.best_loss_m2:.2f} |")
        plots.save_figure(
            plots.plot_search(
                [trial["validation_loss_m2"] for trial in tuning.trials],
                [trial["state"] == "complete" for trial in tuning.trials],
                title=f"{count:,} scenarios",
            ),
            DOCS / "figures" / f"tuning_{'small' if count == SMALL else 'large'}.png",
        )

    def mattered(count: int) -> str:
        return ", ".join(f"{name} {value:.2f}" for name, value in tunings[count].importance.items())

    write_text(
        DOCS / "tuning.md",
        PAGE.format(
            small=SMALL,
            large=LARGE,
            held_out=HELD_OUT,
            variance=float(held_out.load_weights().to_numpy().var(axis=0).mean()),
            seeds=", ".join(map(str, SEEDS)),
            rows="\n".join(rows),
            story=story,
            small_trials=TRIALS[SMALL],
            large_trials=TRIALS[LARGE],
            small_epochs=EPOCHS[SMALL],
            large_epochs=EPOCHS[LARGE],
            names=" | ".join(names),
            bars="---|" * len(names),
            found="\n".join(found_rows),
            small_importance=mattered(SMALL),
            large_importance=mattered(LARGE),
        ),
    )
    print("\n".join(rows), story, f"{time.monotonic() - begin:.0f} s", sep="\n")


if __name__ == "__main__":
    main()
