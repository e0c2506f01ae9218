"""Search for the families of ruptures that records make likely, with what each stands for of all that is possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slipcast.physics.slip_families import SlipFamily

__all__ = ["Explored", "explore", "tempered"]

_ROUNDS, _CENTRES, _TRIED, _KERNEL_SD = 5, 6, 64, 0.12


@dataclass(frozen=True)
class Explored:
    """Families that were tried.

    Attributes
    ----------
    families : list of SlipFamily
    log_evidence : array, shape (n_families,)
        At first sight.
    log_prior : array, shape (n_families,)
        Logarithm of how much of what is possible each stands for, but for a constant: less where many were tried.
    """

    families: list[SlipFamily]
    log_evidence: np.ndarray
    log_prior: np.ndarray

    def best(self, most: int, within: float) -> list[int]:
        """Return the most likely ones, so many at most, within so many of the logarithm of the best."""
        log = self.log_evidence + self.log_prior
        kept = np.argsort(-log)[:most]
        return kept[log[kept] >= log.max() - within].tolist()


def explore(
    make: Callable[[np.ndarray], SlipFamily | None],
    evidence_of: Callable[[SlipFamily], float] | None,
    points: np.ndarray,
    *,
    seed: int = 0,
) -> Explored:
    """Try families all over, and then more beside those that records make likely.

    Parameters
    ----------
    make : callable
        From a point of the unit cube to the family there, None where there is none.
    evidence_of : callable or None
        Logarithm of the density of the records under a family; None if there are no records.
    points : array, shape (n, n_parameters)
        What is tried first.
    seed : int, optional
        What the others are drawn from.

    Returns
    -------
    explored : Explored

    Notes
    -----
    Adaptive importance sampling with a deterministic mixture of proposals (Cornuet et al. 2012, Scandinavian Journal of
    Statistics 39, 798): in each round, points are drawn about the best ones so far, and each point counts by one over
    the density of all that proposed.
    """
    rng = np.random.default_rng(seed)
    families: list[SlipFamily] = []
    logs: list[float] = []
    places: list[np.ndarray] = []
    centres: list[np.ndarray] = []
    wanted = points
    for number in range(_ROUNDS if evidence_of is not None else 1):
        if number:
            best = np.argsort(-np.array(logs))[:_CENTRES]
            centres.append(np.array(places)[best])
            about = centres[-1][rng.integers(len(best), size=_TRIED)]
            wanted = _reflected(about + _KERNEL_SD * rng.standard_normal(about.shape))
        for point in wanted:
            family = make(point)
            if family is not None:
                families.append(family)
                places.append(point)
                logs.append(0.0 if evidence_of is None else evidence_of(family))
        if not families:
            break
    density = np.full(len(families), float(len(points)))
    for about in centres:
        density += _TRIED * _kernel_density(np.array(places), about)
    return Explored(families, np.array(logs), -np.log(density))


def _reflected(points: np.ndarray) -> np.ndarray:
    """Bring points back into the unit cube, as from a mirror at its faces."""
    inside = np.mod(np.abs(points), 2.0)
    return np.minimum(inside, 2.0 - inside)


def _kernel_density(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the density of points drawn about centres with reflection at the faces of the unit cube, shape (n,)."""
    away = points[:, np.newaxis] - centres
    images = [away, points[:, np.newaxis] + centres, points[:, np.newaxis] + centres - 2.0]
    one = sum(np.exp(-0.5 * (image / _KERNEL_SD) ** 2) for image in images) / (_KERNEL_SD * np.sqrt(2 * np.pi))
    return np.prod(one, axis=-1).mean(axis=1)


def tempered(logs: np.ndarray, least_number: float) -> np.ndarray:
    """Turn logarithms into weights that sum to one, no less even than so many of equal weight.

    Parameters
    ----------
    logs : array, shape (n,)
        How likely each family is, but for a constant.
    least_number : float
        Effective number, one over the sum of squares of the weights; where they are more uneven, logarithms are divided
        by a number above one. All alike where there are fewer.

    Returns
    -------
    weights : array, shape (n,)

    Examples
    --------
    >>> tempered(np.array([0.0, 0.0]), 1.0).tolist()
    [0.5, 0.5]
    >>> weights = tempered(np.array([0.0, -50.0, -100.0]), 2.0)
    >>> print(f"{1 / np.square(weights).sum():.2f}")
    2.00
    """

    def weights(power: float) -> np.ndarray:
        found = np.exp(power * (logs - logs.max()))
        return found / found.sum()

    low, high = 0.0, 1.0
    if 1.0 / np.square(weights(high)).sum() >= least_number:
        return weights(high)
    for _ in range(60):
        middle = 0.5 * (low + high)
        enough = 1.0 / np.square(weights(middle)).sum() >= least_number
        low, high = (middle, high) if enough else (low, middle)
    return weights(low)
