"""Forecasts of sea level from slip, and their comparison with recorded waves."""
