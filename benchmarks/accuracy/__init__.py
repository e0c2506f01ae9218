"""The benchmark of accuracy: every method on scenarios that none has seen, of the kind it knows and of others."""

from benchmarks.accuracy.config import AccuracyConfig
from benchmarks.accuracy.run import run_accuracy

__all__ = ["AccuracyConfig", "run_accuracy"]
