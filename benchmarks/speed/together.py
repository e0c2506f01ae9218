"""Speed of many networks trained at once, against as many one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from benchmarks.speed.timing import interleaved, one_thread, ratios, spread
from benchmarks.speed.training import PlainLoop
from slipcast.learning.config import TrainConfig
from slipcast.learning.examples import Task
from slipcast.learning.history import first_network, train_epoch
from slipcast.learning.learners import learner_of
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["measure_together"]

_COUNT = 32
_CPU = torch.device("cpu")


def measure_together(scenarios: ScenarioSet, *, window_min: float, epochs: int, repeats: int) -> dict[str, Any]:
    """Time epochs of 32 networks by Liu's training recipe at once, of one alone, and of a plain loop, on one thread.

    Parameters
    ----------
    scenarios : ScenarioSet
        Of the training.
    window_min : float
        Window of the records, minutes.
    epochs : int
        In each round.
    repeats : int
        Rounds.

    Returns
    -------
    found : dict
        ``count``, of networks; spreads of seconds an epoch of one network: ``together``, ``alone`` and ``plain``; and
        of ratios: ``over_alone``, one after the other by slipcast's own training, and ``over_plain``, by a plain loop.
    """
    config = TrainConfig(window_min=window_min, device="cpu")
    task = Task.load(scenarios, config)
    works: dict[str, Callable[[], Any]] = {
        "together": _Epochs(task, _COUNT, epochs),
        "alone": _Epochs(task, 1, epochs),
    }
    with one_thread():
        plain = PlainLoop(scenarios, config)
        works["plain"] = lambda: [plain.epoch() for _ in range(epochs)]
        seconds = interleaved(works, repeats)
    counts = {"together": _COUNT * epochs, "alone": epochs, "plain": epochs}
    each = {name: [value / counts[name] for value in values] for name, values in seconds.items()}
    return {
        "count": _COUNT,
        **{name: spread(values) for name, values in each.items()},
        "over_alone": ratios(each["alone"], each["together"]),
        "over_plain": ratios(each["plain"], each["together"]),
    }


class _Epochs:
    """Some epochs of a training of some networks, continued at each call."""

    def __init__(self, task: Task, count: int, epochs: int):
        configs = [task.config.with_settings(seed=seed) for seed in range(1, count + 1)]
        networks = [first_network(replace(task, config=config), _CPU) for config in configs]
        self.parts, self.epochs, self.done = task.parts, epochs, 0
        self.learner = learner_of(networks, configs, task.parts, _CPU)

    def __call__(self) -> None:
        """Train."""
        for _ in range(self.epochs):
            self.done += 1
            train_epoch(self.learner, self.done, self.parts)
