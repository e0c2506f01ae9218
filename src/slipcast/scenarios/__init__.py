"""Synthetic earthquakes with their records: scenario sets, streams and kinematic ruptures."""
