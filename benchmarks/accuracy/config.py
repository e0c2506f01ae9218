"""Settings of the benchmark of accuracy."""

from __future__ import annotations

from dataclasses import dataclass

from slipcast.errors import InputError

__all__ = ["AccuracyConfig"]


@dataclass(frozen=True)
class AccuracyConfig:
    """Sizes and seeds of the benchmark of accuracy.

    Attributes
    ----------
    count : int
        Scenarios of the main test set, and of each of those that are as it is, >= 20.
    test_sets : int
        Independent test sets of which the headline scores are means, the main one first.
    headline_windows_min : tuple of float
        The windows of the headline scores.
    other_count : int
        Scenarios of each shifted test set, and of the main set where a DART is missing, >= 20.
    bayes_count : int
        Scenarios of the main set on which the posterior that is cut at zero is scored, which is slow to sample.
    null_count : int
        Noise-only records.
    windows_min : tuple of float
        Windows, minutes after the origin, rising.
    table_window_min : float
        The one of them at which shifted sets are scored, and magnitudes apart.
    noise_sd_m : float
        Standard deviation of white noise, m.
    drift_m : tuple of float
        Standard deviations of a drift an hour after the origin, m, as of a tide that is predicted: of its parts that
        grow with time, with its square, and so on. None by an empty tuple.
    n_draws : int
        Posterior samples by which probabilistic methods are scored.
    train_count, network_epochs : int
        Scenarios and epochs by which Liu's network is trained.
    linear_count : int
        Scenarios from which the linear estimator and the Gaussian posterior are made.
    other_magnitudes : tuple of (float, float)
        Ranges of Mw out of distribution, one test set each.
    other_spacing_arcmin : float
        Spacing of the finest grid, arc-minutes, of the test set that is simulated with another one.
    resamples : int
        Of the bootstrap over scenarios.
    seed : int
        Of everything that is drawn; no training may use it or one of the thousand after it.

    Raises
    ------
    InputError
        If windows do not rise, the table's or one of the headline is none of them, or a number is too small.
    """

    count: int = 2000
    test_sets: int = 5
    headline_windows_min: tuple[float, ...] = (20, 45)
    other_count: int = 500
    bayes_count: int = 500
    null_count: int = 200
    windows_min: tuple[float, ...] = (5, 10, 15, 20, 30, 45, 60, 90, 120)
    table_window_min: float = 45
    noise_sd_m: float = 0.0015
    drift_m: tuple[float, ...] = (0.0053, 0.0023)
    n_draws: int = 100
    train_count: int = 1300
    network_epochs: int = 300
    linear_count: int = 20_000
    other_magnitudes: tuple[tuple[float, float], ...] = ((7.4, 7.8), (9.2, 9.4))
    other_spacing_arcmin: float = 2.0
    resamples: int = 500
    seed: int = 70_000

    def __post_init__(self):
        for name, least in (
            ("count", 20),
            ("test_sets", 1),
            ("other_count", 20),
            ("bayes_count", 20),
            ("null_count", 1),
            ("n_draws", 2),
            ("train_count", 20),
            ("network_epochs", 1),
            ("linear_count", 20),
            ("resamples", 20),
            ("seed", 0),
        ):
            if not getattr(self, name) >= least:
                raise InputError(f"{name} must be >= {least}, got {getattr(self, name)}")
        if not self.windows_min or list(self.windows_min) != sorted(set(self.windows_min)) or self.windows_min[0] <= 0:
            raise InputError(f"windows_min must rise from above zero, got {self.windows_min}")
        if self.table_window_min not in self.windows_min:
            raise InputError(f"table_window_min must be one of windows_min, got {self.table_window_min:g}")
        if self.table_window_min not in self.headline_windows_min or set(self.headline_windows_min) - set(
            self.windows_min
        ):
            raise InputError(
                f"headline_windows_min must be of windows_min, table_window_min among them, "
                f"got {self.headline_windows_min}"
            )
        if max(self.other_count, self.bayes_count) > self.count:
            raise InputError(f"other_count and bayes_count must be at most count, {self.count}")

    @classmethod
    def quick(cls) -> AccuracyConfig:
        """Return sizes for a trial of some minutes, whose numbers mean little."""
        return cls(
            count=200,
            test_sets=2,
            headline_windows_min=(20, 45),
            other_count=60,
            bayes_count=30,
            null_count=50,
            windows_min=(10, 20, 45, 120),
            train_count=300,
            network_epochs=30,
            linear_count=2000,
            resamples=100,
        )
