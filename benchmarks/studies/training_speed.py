"""Training speed of Liu's recipe: plain PyTorch loop, autograd on whole tensors, hand-written pass; writes a page.

    slipcast demo --out demo
    python -m benchmarks.studies.training_speed demo/cascadia/scenarios.zarr

Writes docs/training-speed.md. About five minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from tests.reference.plain_network import PlainNetwork
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.provenance import ROOT
from slipcast.io.atomic import write_text
from slipcast.learning import TrainConfig
from slipcast.learning.examples import Task
from slipcast.learning.history import first_network, train_epoch
from slipcast.learning.learners import AutogradLearner, Learner, learner_of
from slipcast.learning.networks import conv_channels
from slipcast.learning.train import quiet_torch, train
from slipcast.scenarios.scenario_set import ScenarioSet

DOCS = ROOT / "docs"
CPU = torch.device("cpu")
CONFIG = TrainConfig(device="cpu")
TOGETHER = (1, 8, 32)

PAGE = """# Speed of training

Made by `python -m benchmarks.studies.training_speed demo/cascadia/scenarios.zarr{quick}` on {cores} cores of {machine}
with torch {torch}{few}: {count} training scenarios, Liu's `conv1d` for 45 minutes
at three DARTs, batches of {batch}, Adam.
Ratios are of times taken one after the other in the same round: medians, with the least and the most of the rounds.
Times are of the processor, one core, which other work on the machine disturbs less, where the clock is not named.

The plain loop is what a tutorial writes: `nn.Conv1d`, `nn.LeakyReLU`, `nn.MaxPool1d`, a `DataLoader`,
`torch.optim.Adam`, `loss.item()` at each step, the validation loss after each epoch; on one thread, as slipcast.
Autograd on whole tensors is how slipcast trains an architecture of your own: all examples as two tensors, batches by
index, parameters and gradients in one array each, a fused step of Adam. The hand-written pass (`Conv1d` alone) has its
derivatives written out over stacked weights of any number of networks.

{table}

## The limit

A step of one network at batch {batch} is {mflop:.1f} million operations in matrix products, forward and backward.
Products of these shapes alone, {together} networks at once on one core, run at {gflops:.0f} billion operations a
second, which makes {floor_ms:.3f} ms a step of a network; at once on one core a step takes {step_ms:.3f} ms,
{share:.0%} of it products. The rest are passes over memory (windows, maxima, derivatives, Adam's moments), dropout and
the losses of an epoch. A network alone takes {alone_ms:.3f} ms a step: the time to call each operation comes on top,
which is what training at once can save.
"""


@dataclass(frozen=True)
class Ratio:
    """How many times faster, by round."""

    what: str
    rounds: tuple[float, ...]

    def row(self) -> str:
        """Return a line of a table: median, least and most."""
        return (
            f"| {self.what} | {statistics.median(self.rounds):.1f} | {min(self.rounds):.1f} to {max(self.rounds):.1f} |"
        )


def plain_loop(task: Task, epochs: int, seed: int) -> float:
    """Train by a plain loop; return the last validation loss, m^2."""
    torch.manual_seed(seed)
    network, criterion = PlainNetwork(**task.shape), nn.MSELoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=task.config.learning_rate)
    examples, held_out = task.parts["train"], task.parts["validation"]
    loader = DataLoader(
        TensorDataset(examples.records, examples.weights), batch_size=task.config.batch_size, shuffle=True
    )
    validation = float("nan")
    for _ in range(epochs):
        network.train()
        total = 0.0
        for records, weights in loader:
            optimizer.zero_grad()
            loss = criterion(network(records), weights)
            loss.backward()
            optimizer.step()
            total += loss.item()
        network.eval()
        with torch.no_grad():
            validation = criterion(network(held_out.records), held_out.weights).item()
    return validation


def seconds(function: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Time a call, s; by the time of the processor, by default."""
    begin = clock()
    function()
    return clock() - begin


def measure_recipe(
    scenarios: ScenarioSet, *, rounds: int = 3, epochs: int = 300
) -> tuple[Ratio, list[float], list[float]]:
    """Measure ``slipcast.train``, loading and writing included, against the plain loop.

    Returns
    -------
    ratio : Ratio
    plain, ours : list of float
        The last validation loss of each round, m^2.
    """
    ratios, plain, ours = [], [], []
    for seed in range(1, rounds + 1):
        with quiet_torch(CPU):
            plain_s = seconds(lambda: plain.append(plain_loop(Task.load(scenarios, CONFIG), epochs, seed)))  # noqa: B023
        with tempfile.TemporaryDirectory() as folder:
            begin = time.process_time()
            trained = train(scenarios, folder, config=CONFIG, seed=seed, epochs=epochs)
            ratios.append(plain_s / (time.process_time() - begin))
        ours.append(trained.history[-1]["validation_loss_m2"])
        print(f"{epochs} epochs: plain {plain_s:.1f} s, {ratios[-1]:.2f} times faster", flush=True)
    return Ratio(f"`slipcast train`, {epochs} epochs, against the plain loop", tuple(ratios)), plain, ours


def measure_learners(
    scenarios: ScenarioSet, *, rounds: int = 6, epochs: int = 3, counts: Sequence[int] = TOGETHER
) -> tuple[list[Ratio], dict[int, float]]:
    """Measure epochs, losses included, by the hand-written pass against the plain loop and autograd on whole tensors.

    Returns
    -------
    ratios : list of Ratio
        For each number of networks at once; the order in a round is that of the round before, reversed.
    step_s : dict of int to float
        Of a step of one network by the hand-written pass, s, by number of networks at once.
    """
    task = Task.load(scenarios, CONFIG)
    steps = epochs * -(-len(task.parts["train"]) // CONFIG.batch_size)

    def network(seed: int) -> nn.Module:
        return first_network(replace(task, config=CONFIG.with_settings(seed=seed)), CPU)

    def together(count: int) -> Learner:
        configs = [CONFIG.with_settings(seed=seed) for seed in range(1, count + 1)]
        return learner_of([network(config.seed) for config in configs], configs, task.parts, CPU)

    def run(learner: Learner) -> None:
        for epoch in range(1, epochs + 1):
            train_epoch(learner, epoch, task.parts)

    works: dict[str | int, Callable[[], object]] = {"plain loop": lambda: plain_loop(task, epochs, 1)}
    learners: dict[str | int, Learner] = {"autograd": AutogradLearner(network(1), CONFIG, task.parts, CPU)}
    learners |= {count: together(count) for count in counts}
    works |= {name: partial(run, learner) for name, learner in learners.items()}
    times: dict[str | int, list[float]] = {name: [] for name in works}
    order = list(works)
    with quiet_torch(CPU):
        for name in order:
            works[name]()  # to warm up
        for _ in range(rounds):
            for name in order:
                times[name].append(seconds(works[name]) / (name if isinstance(name, int) else 1))
            order.reverse()
            print(
                ", ".join(f"{name}: {1e3 * row[-1] / steps:.3f} ms a step" for name, row in times.items()), flush=True
            )

    def ratio(what: str, above: str | int, below: str | int) -> Ratio:
        return Ratio(what, tuple(a / b for a, b in zip(times[above], times[below], strict=True)))

    ratios = [ratio("one network, autograd on whole tensors, against the plain loop", "plain loop", "autograd")]
    for count in counts:
        title = "one network" if count == 1 else f"{count} networks at once"
        after = "" if count == 1 else "one after the other by "
        ratios += [
            ratio(f"{title}, hand-written pass, against {after}the plain loop", "plain loop", count),
            ratio(f"{title}, hand-written pass, against {after}autograd on whole tensors", "autograd", count),
        ]
        if count > 1:
            ratios.append(ratio(f"{title}, hand-written pass, against one after the other by it", counts[0], count))
    return ratios, {count: statistics.median(times[count]) / steps for count in counts}


def measure_forward(scenarios: ScenarioSet, *, rounds: int = 5) -> tuple[Ratio, float]:
    """Measure slip found without training; return the ratio to the plain network, and scenarios a second."""
    task = Task.load(scenarios, CONFIG)
    records = task.parts["train"].records
    torch.manual_seed(1)
    plain, ours = PlainNetwork(**task.shape).eval(), first_network(task, CPU).eval()
    ratios, rates = [], []
    with quiet_torch(CPU), torch.no_grad():
        for _ in range(rounds + 1):
            plain_s, ours_s = (
                seconds(lambda: [network(part) for _ in range(20) for part in records.split(256)])  # noqa: B023
                for network in (plain, ours)
            )
            ratios.append(plain_s / ours_s)
            rates.append(20 * len(records) / ours_s)
    return Ratio("`Conv1d`, forward, against the plain network", tuple(ratios[1:])), statistics.median(rates[1:])


def products(task: Task) -> list[tuple[int, int, int]]:
    """Return the sizes (m, k, n) of the matrix products of a step of one network."""
    batch, length, n_in = CONFIG.batch_size, task.shape["signal_length"], task.shape["n_channels"]
    sizes: list[tuple[int, int, int]] = []

    def layer(m: int, k: int, n: int, *, first: bool = False) -> None:
        sizes.extend([(m, k, n), (k, m, n)] if first else [(m, k, n), (k, m, n), (m, n, k)])

    for number, n_out in enumerate(conv_channels(length)):
        layer(batch * 2 * (length // 2), 3 * n_in, n_out, first=number == 0)
        length, n_in = length // 2, n_out
    layer(batch, n_in, CONFIG.hidden)
    layer(batch, CONFIG.hidden, task.shape["n_sources"])
    return sizes


def measure_products(sizes: Sequence[tuple[int, int, int]], *, count: int, rounds: int = 15) -> float:
    """Measure the products of a step alone, s a network: the median of rounds, the first of which warms up."""
    with quiet_torch(CPU), torch.no_grad():
        pairs = [(torch.randn(count, m, k), torch.randn(count, k, n)) for m, k, n in sizes]
        outs = [torch.bmm(one, other) for one, other in pairs]
        spent = [
            seconds(lambda: [torch.bmm(*pair, out=out) for pair, out in zip(pairs, outs, strict=True)])
            for _ in range(rounds)
        ]
    return statistics.median(spent) / count


def main() -> None:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", type=Path, help="a scenario set")
    parser.add_argument("--quick", action="store_true", help="20 epochs and 2 rounds of the recipe, in a minute")
    given = parser.parse_args()
    scenarios = ScenarioSet.open(given.scenarios)
    task = Task.load(scenarios, CONFIG)
    epochs = 20 if given.quick else CONFIG.epochs
    recipe, plain, ours = measure_recipe(scenarios, rounds=2 if given.quick else 3, epochs=epochs)
    ratios, step_s = measure_learners(scenarios, **({"epochs": 2} if given.quick else {}))
    forward, rate = measure_forward(scenarios)
    sizes = products(task)
    operations = 2 * sum(m * k * n for m, k, n in sizes)
    most = max(TOGETHER)
    floor_s = measure_products(sizes, count=most)
    lines = ["| what | times faster | least to most |", "|---|---|---|"]
    lines += [ratio.row() for ratio in (recipe, *ratios, forward)]
    lines += [
        "",
        f"Validation loss after {epochs} epochs: {min(plain):.2f} to {max(plain):.2f} m² by the plain loop, "
        f"{min(ours):.2f} to {max(ours):.2f} m² by slipcast. Forward, `Conv1d` finds the slip of {rate:,.0f} "
        "scenarios a second on one core.",
    ]
    page = PAGE.format(
        quick=" --quick" if given.quick else "",
        few=", a quick run of few epochs and rounds" if given.quick else "",
        cores=os.cpu_count(),
        machine=platform.machine(),
        torch=torch.__version__,
        count=len(task.parts["train"]),
        batch=CONFIG.batch_size,
        table="\n".join(lines),
        mflop=operations / 1e6,
        gflops=operations / floor_s / 1e9,
        floor_ms=1e3 * floor_s,
        together=most,
        step_ms=1e3 * step_s[most],
        share=floor_s / step_s[most],
        alone_ms=1e3 * step_s[1],
    )
    print(page)
    write_text(DOCS / "training-speed.md", page)


if __name__ == "__main__":
    main()
