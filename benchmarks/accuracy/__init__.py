"""Benchmark of accuracy: every method on unseen scenarios, in distribution and out of it."""

from benchmarks.accuracy.config import AccuracyConfig
from benchmarks.accuracy.run import run_accuracy

__all__ = ["AccuracyConfig", "run_accuracy"]
