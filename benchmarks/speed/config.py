"""Settings of the benchmark of speed."""

from __future__ import annotations

from dataclasses import dataclass

from slipcast.errors import InputError

__all__ = ["SpeedConfig"]


@dataclass(frozen=True)
class SpeedConfig:
    """Sizes of the benchmark of speed.

    Attributes
    ----------
    repeats : int
        Of every work, one of each kind after the other, >= 3.
    calls : int
        Of an inversion, for its p50 and p99.
    spacing_arcmin, hours : float
        Of the near grid of Cascadia, on which a bank is built and forward runs are made.
    n_gauges : int
        Of that bank, and of the scenarios: at most so many on the finest grid.
    batch : int
        Scenarios drawn at a time.
    train_count, train_epochs : int
        Scenarios of Liu's training recipe, and epochs that are timed of its 300.
    solver_grids : tuple of str
        Names of grids, of :data:`benchmarks.speed.solver.GRIDS`.
    triad_mb : float
        Size of the arrays from which the bandwidth of the memory is taken, MB (10^6 bytes) together.
    gemm_size : int
        Rows and columns of the matrices from which the peak of arithmetic is taken.
    window_min, noise_sd_m : float
        Of the records that are inverted: minutes after the origin, and white noise, m.
    n_draws : int
        Posterior samples of a probabilistic method.
    tasks : bool
        Whether whole commands of a minute are timed too.

    Raises
    ------
    InputError
        If a number is too small.
    """

    repeats: int = 5
    calls: int = 300
    spacing_arcmin: float = 2.0
    hours: float = 2.0
    n_gauges: int = 14
    batch: int = 512
    train_count: int = 1300
    train_epochs: int = 12
    solver_grids: tuple[str, ...] = ("small", "two_minutes", "one_minute", "half_minute")
    triad_mb: float = 240.0
    gemm_size: int = 2048
    window_min: float = 45.0
    noise_sd_m: float = 0.005
    n_draws: int = 200
    tasks: bool = True

    def __post_init__(self):
        for name, least in (
            ("repeats", 3),
            ("calls", 3),
            ("spacing_arcmin", 0.5),
            ("hours", 1),
            ("n_gauges", 1),
            ("batch", 1),
            ("train_count", 60),
            ("train_epochs", 2),
            ("triad_mb", 1),
            ("gemm_size", 16),
            ("window_min", 2),
            ("n_draws", 2),
        ):
            if not getattr(self, name) >= least:
                raise InputError(f"{name} must be >= {least}, got {getattr(self, name)}")
        if not self.noise_sd_m > 0:
            raise InputError(f"noise_sd_m must be > 0 m, got {self.noise_sd_m}")

    @classmethod
    def quick(cls) -> SpeedConfig:
        """Return sizes for a trial of about a minute, whose numbers are rough."""
        return cls(
            repeats=3,
            calls=30,
            spacing_arcmin=6.0,
            hours=1.0,
            batch=96,
            train_count=200,
            train_epochs=6,
            solver_grids=("small", "two_minutes"),
            triad_mb=60.0,
            gemm_size=1024,
            tasks=False,
        )
