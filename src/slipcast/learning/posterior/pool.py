"""Scenarios in memory for the training of a neural posterior, drawn from a bank in several processes."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import numpy as np

from slipcast.learning.posterior.modes import EventAnalysis
from slipcast.parallel.executor import run_tasks
from slipcast.parallel.progress import Progress
from slipcast.parallel.threads import single_threaded
from slipcast.scenarios.stream import ScenarioStream

__all__ = ["ScenarioPool"]

_CHUNK = 5000


@dataclass(frozen=True)
class ScenarioPool:
    """Scenarios in memory for a training, in half precision.

    Attributes
    ----------
    records : array, shape (n, n_gauges * n_times)
        In units of the scale, float16, without noise.
    amplitudes : array, shape (n, n_modes)
        Of the events, in units of the scale, float16.
    weights : array, shape (n, n_sources)
        Slip on unit sources, m, float32.
    maxima : array, shape (n, n_waves)
        Highest sea level at every gauge of the bank, m, float32, as all modes of the analysis make it.
    scale_m : array, shape (n,)
        Largest size of a record, m, float32.
    """

    records: np.ndarray
    amplitudes: np.ndarray
    weights: np.ndarray
    maxima: np.ndarray
    scale_m: np.ndarray

    @classmethod
    def draw(
        cls,
        stream: ScenarioStream,
        analysis: EventAnalysis,
        n_modes: int,
        count: int,
        seed: int,
        *,
        workers: int,
        progress: Progress,
    ) -> ScenarioPool:
        """Draw scenarios, in several processes; the same for any number of them."""
        sizes = [min(_CHUNK, count - first) for first in range(0, count, _CHUNK)]
        source = _Source(stream, analysis, n_modes, seed)
        parts: dict[int, tuple[np.ndarray, ...]] = {}
        done = 0
        tasks = ((source, chunk) for chunk in enumerate(sizes))
        with closing(run_tasks(_draw_chunk, tasks, kind="processes", workers=workers, ahead=1)) as drawn:
            for (number, size), part in drawn:
                parts[number] = part
                done += size
                progress(done, count, "scenarios")
        ordered = [parts[number] for number in sorted(parts)]
        return cls(*(np.concatenate(columns) for columns in zip(*ordered, strict=True)))

    def joined(self, other: ScenarioPool) -> ScenarioPool:
        """Return the scenarios of both."""
        return ScenarioPool(*(np.concatenate(pair) for pair in zip(vars(self).values(), vars(other).values())))

    def __len__(self) -> int:
        return len(self.scale_m)

    def take(self, index: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return records, m, amplitudes, weights and maxima, m, of some scenarios, float32."""
        scale = self.scale_m[index, np.newaxis]
        return (
            self.records[index].astype(np.float32) * scale,
            self.amplitudes[index].astype(np.float32) * scale,
            self.weights[index],
            self.maxima[index],
        )


@dataclass(frozen=True)
class _Source:
    """What the parts of a pool are drawn from."""

    stream: ScenarioStream
    analysis: EventAnalysis
    n_modes: int
    seed: int


def _draw_chunk(source: _Source, chunk: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Draw a part of a pool, of a number and a size, on one thread: the others draw other parts."""
    number, size = chunk
    with single_threaded(blas_alone=True):
        return _draw_part(source, size, np.random.default_rng([source.seed, number]))


def _draw_part(source: _Source, size: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Draw a part of a pool."""
    batch = next(source.stream.batches(size, rng))
    records = batch.records.reshape(size, -1)
    scale = np.abs(records).max(axis=1)
    amplitudes = source.analysis.amplitudes(batch.slip, batch.onset, batch.rise_time)
    maxima = [(amplitudes @ wave).max(axis=1) for wave in source.analysis.modes.waves.values()]
    return (
        (records / scale[:, np.newaxis]).astype(np.float16),
        (amplitudes[:, : source.n_modes] / scale[:, np.newaxis]).astype(np.float16),
        batch.weights,
        np.stack(maxima, axis=1),
        scale,
    )
