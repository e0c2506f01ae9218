"""Regions: unit sources, gauges and grids, as TOML files."""
