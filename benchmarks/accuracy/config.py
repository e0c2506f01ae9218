"""What the benchmark of accuracy is run on."""

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
        Scenarios of the main test set, >= 20.
    other_count : int
        Scenarios of each test set off the training ground, >= 20.
    bayes_count : int
        Scenarios of the main set on which the posterior that is cut at zero is judged, which is slow to sample.
    null_count : int
        Records of noise alone.
    windows_min : tuple of float
        Windows, minutes after the origin, rising.
    table_window_min : float
        The one of them at which the sets off the training ground and magnitudes are told apart.
    noise_sd_m : float
        Standard deviation of white noise, m.
    n_draws : int
        Draws of slip by which methods are judged that know how uncertain they are.
    train_count, network_epochs : int
        Scenarios and epochs from which the seed's network learns.
    linear_count : int
        Scenarios from which the linear estimator and the Gaussian posterior learn.
    other_magnitudes : tuple of (float, float)
        Ranges of Mw off the training ground, one test set each.
    other_spacing_arcmin : float
        Spacing of the finest grid, arc-minutes, of the test set that is simulated with another one.
    resamples : int
        Of the bootstrap over scenarios.
    seed : int
        Of everything that is drawn; no training may use it or one of the hundreds after it.

    Raises
    ------
    InputError
        If windows do not rise, the table's is none of them, or a number is too small.
    """

    count: int = 2000
    other_count: int = 500
    bayes_count: int = 500
    null_count: int = 200
    windows_min: tuple[float, ...] = (5, 10, 15, 20, 30, 45, 60, 90, 120)
    table_window_min: float = 45
    noise_sd_m: float = 0.005
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
        if max(self.other_count, self.bayes_count) > self.count:
            raise InputError(f"other_count and bayes_count must be at most count, {self.count}")

    @classmethod
    def quick(cls) -> AccuracyConfig:
        """Return sizes for a trial of some minutes, whose numbers mean little."""
        return cls(
            count=200,
            other_count=60,
            bayes_count=30,
            null_count=50,
            windows_min=(10, 20, 45, 120),
            train_count=300,
            network_epochs=30,
            linear_count=2000,
            resamples=100,
        )
