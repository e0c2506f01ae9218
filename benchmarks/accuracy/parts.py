"""Parts of the benchmark: one method on one test set, with a window and some DARTs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.accuracy.methods import Methods

__all__ = ["HEADLINE", "Part", "headline_parts", "main_parts", "shifted_parts"]

HEADLINE = ("linear", "network", "sampler")
"""Methods of the headline scores, on every test set that is in distribution."""

_WITHOUT = ("linear", "gaussian", "sampler")
_SHIFTED = ("nnls", "linear", "gaussian", "network", "sampler")


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


def main_parts(case: str, methods: Methods) -> Iterator[Part]:
    """Give the parts of the main set: all methods, windows and missing DARTs."""
    config = methods.config
    for window_min in config.windows_min:
        yield from (Part(case, name, window_min) for name in methods.names_at(window_min))
    if len(methods.gauges) > 1:
        for gauge in methods.gauges:
            for window_min in config.windows_min:
                yield from (Part(case, name, window_min, gauge) for name in _WITHOUT)


def headline_parts(case: str, methods: Methods) -> Iterator[Part]:
    """Give the parts of a set that is in distribution: the methods and windows of the headline scores."""
    for window_min in methods.config.headline_windows_min:
        yield from _at(case, methods, window_min, HEADLINE)


def shifted_parts(case: str, methods: Methods) -> Iterator[Part]:
    """Give the parts of a shifted set: one window."""
    yield from _at(case, methods, methods.config.table_window_min, _SHIFTED)


def _at(case: str, methods: Methods, window_min: float, names: Sequence[str]) -> Iterator[Part]:
    """Give those of some methods that there are for a window."""
    there = methods.names_at(window_min)
    yield from (Part(case, name, window_min) for name in names if name in there)
