"""Benchmark of speed: every part against its reference and the limits of the machine, in one run."""

from benchmarks.speed.config import SpeedConfig
from benchmarks.speed.run import run_speed

__all__ = ["SpeedConfig", "run_speed"]
