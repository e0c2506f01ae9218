"""A frozen suite of real tsunamis, from raw records to forecasts, by one rule for all events."""
