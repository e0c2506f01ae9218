"""Measurements of accuracy, speed and fault tolerance, run as modules from the root of a clone."""
