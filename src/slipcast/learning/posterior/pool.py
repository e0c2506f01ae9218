"""Scenarios in memory for a sampler's training, drawn from a bank in several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from slipcast.learning.posterior.modes import EventAnalysis
from slipcast.parallel.threads import single_threaded
from slipcast.scenarios.stream import ScenarioStream

__all__ = ["Progress", "ScenarioPool"]

Progress = Callable[[str, int, int, str], None]
"""Called with what is done, steps done, their total and a note."""

_CHUNK = 5000


@dataclass(frozen=True)
class ScenarioPool:
    """Scenarios in memory: what a training needs of them, in half the bytes.

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
        jobs = [(stream, analysis, n_modes, size, [seed, number]) for number, size in enumerate(sizes)]
        parts, done = [], 0
        for part in _in_processes(_draw_chunk, jobs, workers):
            parts.append(part)
            done += len(part[-1])
            progress("scenarios", done, count, "")
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

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


def _draw_chunk(
    stream: ScenarioStream, analysis: EventAnalysis, n_modes: int, size: int, seed: list[int]
) -> tuple[np.ndarray, ...]:
    """Draw a part of a pool, on one thread: the others draw other parts."""
    with single_threaded(blas_alone=True):
        return _draw_part(stream, analysis, n_modes, size, seed)


def _draw_part(
    stream: ScenarioStream, analysis: EventAnalysis, n_modes: int, size: int, seed: list[int]
) -> tuple[np.ndarray, ...]:
    """Draw a part of a pool."""
    batch = next(stream.batches(size, np.random.default_rng(seed)))
    records = batch.records.reshape(size, -1)
    scale = np.abs(records).max(axis=1)
    amplitudes = analysis.amplitudes(batch.slip, batch.onset, batch.rise_time)
    maxima = [(amplitudes @ wave).max(axis=1) for wave in analysis.modes.waves.values()]
    return (
        (records / scale[:, np.newaxis]).astype(np.float16),
        (amplitudes[:, :n_modes] / scale[:, np.newaxis]).astype(np.float16),
        batch.weights,
        np.stack(maxima, axis=1),
        scale,
    )


def _in_processes(function: Callable, jobs: Sequence[tuple], workers: int) -> Iterator:
    """Call a function for every job, in order, in some processes."""
    if workers == 1:
        yield from (function(*job) for job in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(function, *zip(*jobs, strict=True))
