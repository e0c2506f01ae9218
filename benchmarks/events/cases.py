"""Cases of an event by rule: a window, the buoys that have crested in it, and those that are held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.events.waves import FirstWave

__all__ = ["WINDOWS_MIN", "Case", "cases_of"]

WINDOWS_MIN = (30.0, 60.0, 90.0, 120.0)
"""Windows of all events, minutes after the origin."""

_ORDER = ("first", "second", "third")


@dataclass(frozen=True)
class Case:
    """What an inversion is given, and where it is scored.

    Attributes
    ----------
    name : str
        In tables.
    kind : {"window", "wave", "left out"}
        Whether the window is of minutes, ends with a first wave, or with that at each buoy, one buoy left out.
    window_min : float or dict of str to float
        Minutes after the origin, for all buoys or each.
    used, held_out : tuple of str
        Buoys.
    """

    name: str
    kind: str
    window_min: float | Mapping[str, float]
    used: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def last_min(self) -> float:
        """End of the longest window, minutes after the origin."""
        return self.window_min if isinstance(self.window_min, float) else max(self.window_min.values())


def cases_of(waves: Sequence[FirstWave]) -> list[Case]:
    """Make the cases of an event.

    Parameters
    ----------
    waves : sequence of FirstWave
        At all its buoys.

    Returns
    -------
    cases : list of Case
        Windows of 30, 60, 90 and 120 minutes, and to the end of the first wave at the first, second and third buoy in
        order of crests: buoys that have crested by then are used, the others held out; none where all are used. Then
        each buoy left out in turn, with windows to the end of the first wave at each other.

    Examples
    --------
    >>> waves = [FirstWave("a", 600.0, 1200.0, 2400.0, 1.0), FirstWave("b", 6000.0, 9000.0, 9900.0, 0.5)]
    >>> for case in cases_of(waves):
    ...     print(f"{case.name}: {', '.join(case.used) or 'none'} used, {', '.join(case.held_out)} held out")
    30 min: a used, b held out
    60 min: a used, b held out
    90 min: a used, b held out
    120 min: a used, b held out
    first wave at first buoy: a used, b held out
    a left out: b used, a held out
    b left out: a used, b held out
    """
    order = sorted(waves, key=lambda wave: wave.crest_s)
    windows = [(f"{minutes:g} min", "window", minutes) for minutes in WINDOWS_MIN]
    windows += [(f"first wave at {which} buoy", "wave", wave.end_min) for which, wave in zip(_ORDER, order)]
    cases = []
    for name, kind, window_min in windows:
        used = tuple(wave.gauge for wave in order if wave.crest_s <= 60 * window_min)
        held_out = tuple(wave.gauge for wave in order if wave.crest_s > 60 * window_min)
        if held_out:
            cases.append(Case(name, kind, window_min, used, held_out))
    for wave in order if len(order) > 1 else ():
        ends_min = {other.gauge: other.end_min for other in order if other != wave}
        cases.append(Case(f"{wave.gauge} left out", "left out", ends_min, tuple(ends_min), (wave.gauge,)))
    return cases
