"""Heights that are the same again: sensors that are stuck, and packets that come twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slipcast.records.qartod import the_same_for

if TYPE_CHECKING:
    from slipcast.records.quality import QualitySettings

__all__ = ["flat_line", "repeated_packets", "stuck_level"]

_FEWEST_STUCK = 5
_COARSE_S = 240.0
_PACKET, _PACKET_S = 8, 3 * 3600.0
_EQUAL_M, _LEAST_USUAL, _CALM, _NO_CHANCE = 1e-4, 0.05, 0.5, np.log(1e-8)


def flat_line(time_s: np.ndarray, height_m: np.ndarray, tide_m: np.ndarray, settings: QualitySettings) -> np.ndarray:
    """Tell which samples of one run belong to a flat line.

    Parameters
    ----------
    time_s, height_m : array, shape (n,)
        Of samples that are one interval apart, s and m.
    tide_m : array, shape (n,)
        Its rough tide, m.
    settings : QualitySettings
        Thresholds.

    Returns
    -------
    flat : array of bool, shape (n,)
    """
    flat = np.zeros(height_m.size, dtype=bool)
    if height_m.size < 3:
        return flat
    apart_s = float(np.median(np.diff(time_s)))
    soon_s = min(max(settings.flat_line_moving_s, 5 * apart_s), settings.flat_line_s)
    for span_s in (soon_s, settings.flat_line_s):
        length = int(span_s / apart_s)
        for last in np.flatnonzero(the_same_for(time_s, height_m, span_s, settings.flat_line_m)):
            since = max(int(last) - length, 0)
            if span_s == settings.flat_line_s or np.ptp(tide_m[since : last + 1]) >= settings.flat_line_tide_m:
                flat[since : last + 1] = True
    same = np.append(np.abs(np.diff(height_m)) < _EQUAL_M, False)
    edges = np.flatnonzero(np.diff(same.astype(np.int8), prepend=0, append=0))
    for first, last in edges.reshape(-1, 2):
        stretch, count = slice(first, last + 1), int(last - first)
        moved = time_s[last] - time_s[first] >= soon_s and np.ptp(tide_m[stretch]) >= settings.flat_line_tide_m
        usual = (same.sum() - count) / max(height_m.size - count, 1)  # share of samples that are as those before them
        if moved or (count >= settings.flat_line_count and _no_chance(count, usual)):
            flat[stretch] = True
    return flat


def stuck_level(time_s: np.ndarray, level_m: np.ndarray, settings: QualitySettings) -> np.ndarray:
    """Tell which levels without tide are those of a stuck sensor: the same for long, far from a still sea's.

    Parameters
    ----------
    time_s, level_m : array, shape (n,)
        s, rising, and m, finite.
    settings : QualitySettings
        Thresholds.

    Returns
    -------
    stuck : array of bool, shape (n,)
    """
    stuck, span_s = np.zeros(level_m.size, dtype=bool), settings.flat_line_moving_s
    if not (far := np.abs(level_m) > settings.flat_line_level_m).any():
        return stuck
    for last in np.flatnonzero(the_same_for(time_s, level_m, span_s, settings.flat_line_m) & far):
        since = int(np.searchsorted(time_s, time_s[last] - span_s - 1e-3))
        same = np.ptp(level_m[since : last + 1]) < settings.flat_line_m  # the test counts samples, of one interval
        stuck[since : last + 1] |= same and last - since >= _FEWEST_STUCK
    return stuck


def _no_chance(count: int, usual: float, tries: int = 1) -> bool:
    """Tell whether noise hardly leaves so many samples equal, of which a share usually is.

    A sensor as calm as its last decimal says the same for long.
    """
    return usual <= _CALM and count * np.log(max(usual, _LEAST_USUAL)) < _NO_CHANCE - np.log(tries)


def repeated_packets(time_s: np.ndarray, height_m: np.ndarray) -> np.ndarray:
    """Tell which samples of one run are those of a packet that came before.

    Parameters
    ----------
    time_s, height_m : array, shape (n,)
        Of samples that are one interval apart, s and m.

    Returns
    -------
    repeated : array of bool, shape (n,)
    """
    repeated = np.zeros(height_m.size, dtype=bool)
    if height_m.size <= _PACKET or np.median(np.diff(time_s)) > _COARSE_S:
        return repeated
    changes = np.abs(np.diff(height_m, prepend=np.nan)) >= _EQUAL_M
    usual = 1.0 - float(np.mean(changes[1:]))
    longest = min(int(_PACKET_S / np.median(np.diff(time_s))), height_m.size - _PACKET)
    for lag in range(2, longest + 1):
        same = np.abs(height_m[lag:] - height_m[:-lag]) < _EQUAL_M
        if np.count_nonzero(same) < _PACKET:
            continue
        edges = np.flatnonzero(np.diff(same.astype(np.int8), prepend=0, append=0))
        for first, after in edges.reshape(-1, 2):
            packet = slice(first + lag, after + lag)
            count = int(np.count_nonzero(changes[packet]))
            if count >= _PACKET and _no_chance(count, usual, longest):
                repeated[packet] = True
    return repeated
