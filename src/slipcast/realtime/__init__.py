"""Inversion and forecasts in real time: current estimates from partial records, and their replay."""
