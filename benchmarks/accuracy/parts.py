"""What a benchmark consists of: one method on one test set, with a window and some DARTs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.accuracy.cases import MAIN
from benchmarks.accuracy.methods import Methods

__all__ = ["Part", "parts_of"]

_WITHOUT = ("linear", "gaussian", "sampler")
_ELSEWHERE = ("nnls", "linear", "gaussian", "network", "sampler")


@dataclass(frozen=True)
class Part:
    """One method on one set.

    Attributes
    ----------
    case, method : str
        Names of the set and of the method.
    window_min : float
        Minutes after the origin that the method sees.
    without : str
        A DART that is missing; empty if none is.
    """

    case: str
    method: str
    window_min: float
    without: str = ""

    @property
    def name(self) -> str:
        """Where it is kept."""
        return f"{self.case}/{self.method}_{self.window_min:g}" + (f"_without_{self.without}" if self.without else "")


def parts_of(case: str, methods: Methods) -> Iterator[Part]:
    """Give the parts of a set: all methods, windows and missing DARTs on the main one, one window on the others."""
    config = methods.config
    if case != MAIN:
        there = methods.names_at(config.table_window_min)
        yield from (Part(case, name, config.table_window_min) for name in _ELSEWHERE if name in there)
        return
    for window_min in config.windows_min:
        yield from (Part(case, name, window_min) for name in methods.names_at(window_min))
    if len(methods.gauges) > 1:
        for gauge in methods.gauges:
            for window_min in config.windows_min:
                yield from (Part(case, name, window_min, gauge) for name in _WITHOUT)
