"""Training of many small networks at once: the trials of a search, or an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch

from slipcast.errors import InputError, check_kind
from slipcast.learning.checkpoint import Checkpoint
from slipcast.learning.config import TrainConfig
from slipcast.learning.examples import Task
from slipcast.learning.history import Diverged, TrainingHistory, first_network, train_epoch
from slipcast.learning.learners import learner_of
from slipcast.learning.train import device_of, quiet_torch
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["OWN_SETTINGS", "Trained", "train_many"]

OWN_SETTINGS = ("seed", "learning_rate", "weight_decay", "dropout")
"""Settings that networks trained at once may differ in."""

GoOn = Callable[[int, Mapping[str, float], Mapping[str, float]], bool]
"""Called with the number of a network, its row of the history and its best one; returns whether it is to continue."""


@dataclass(frozen=True)
class Trained:
    """Result of the training of a network.

    Attributes
    ----------
    ended : {"complete", "stopped", "diverged"}
        By its own end, because ``go_on`` was false, or because its loss was not finite.
    last, best : Checkpoint or None
        After the last epoch, and that with the lowest validation loss; None where it did not complete.
    """

    ended: Literal["complete", "stopped", "diverged"]
    last: Checkpoint | None = None
    best: Checkpoint | None = None


def train_many(
    scenarios: ScenarioSet,
    configs: Sequence[TrainConfig],
    *,
    n_threads: int | None = None,
    go_on: GoOn | None = None,
) -> tuple[Trained, ...]:
    """Train networks of one architecture at once, each as :func:`~slipcast.learning.train.train` would alone.

    Parameters
    ----------
    scenarios : ScenarioSet
        Used as by ``train``.
    configs : sequence of TrainConfig
        One a network, of ``conv1d``, the same but for :data:`OWN_SETTINGS`.
    n_threads : int, optional
        Of torch; by default as many as it has.
    go_on : callable, optional
        Called after each epoch of each network; one for which it is false is stopped.

    Returns
    -------
    trained : tuple of Trained
        In the order of the configs. Nothing is written.

    Raises
    ------
    InputError
        If the scenarios are of a wrong kind, there is no config, a network is not a ``conv1d``, configs differ in what
        they must share, or the set cannot be trained on.

    Notes
    -----
    First weights, shuffling and dropout of each network are drawn from its own seed, so that losses are those of
    the network alone but for rounding, which grows with the epochs.
    """
    check_kind(scenarios, ScenarioSet, "scenarios", "a ScenarioSet")
    _check(configs)
    if n_threads is not None and n_threads < 1:
        raise InputError(f"n_threads must be >= 1, got {n_threads}")
    device = device_of(configs[0].device)
    task = Task.load(scenarios, configs[0])
    histories = [TrainingHistory(replace(task, config=config)) for config in configs]
    done: dict[int, Trained] = {}
    with quiet_torch(device, n_threads=n_threads or torch.get_num_threads()):
        networks = [first_network(history.task, device) for history in histories]
        learner = learner_of(networks, configs, task.parts, device)
        running = list(range(len(configs)))
        for epoch in range(1, configs[0].epochs + 1):
            left = []
            for place, row in enumerate(train_epoch(learner, epoch, task.parts)):
                k, history = running[place], histories[running[place]]
                try:
                    history.note(row, partial(learner.weights, place))
                except Diverged:
                    done[k] = Trained("diverged")
                    continue
                if go_on and not go_on(k, row, history.best_row):
                    done[k] = Trained("stopped")
                elif history.over:
                    done[k] = Trained("complete", history.checkpoint(learner.weights(place)), history.best_checkpoint())
                else:
                    left.append(place)
            if not left:
                break
            if len(left) < len(running):
                learner.keep(left)
                running = [running[place] for place in left]
    return tuple(done[k] for k in range(len(configs)))


def _check(configs: Sequence[TrainConfig]) -> None:
    """Refuse networks that cannot be trained at once."""
    if not configs:
        raise InputError("configs must name one network at least, got none")
    first = configs[0]
    if first.model != "conv1d":
        raise InputError(f"networks trained at once must be conv1d, got model {first.model}")
    for config in configs[1:]:
        for key, value in first:
            if key not in OWN_SETTINGS and (other := getattr(config, key)) != value:
                raise InputError(
                    f"networks trained at once may differ in {', '.join(OWN_SETTINGS)} alone, "
                    f"got {key} = {value!r} and {other!r}"
                )
