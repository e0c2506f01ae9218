"""Records of sea level at gauges: the labelled array that every inversion takes."""

from slipcast.records.packaged import PACKAGED, packaged_records
from slipcast.records.series import Records
from slipcast.records.simulated import simulated_records

__all__ = ["PACKAGED", "Records", "packaged_records", "simulated_records"]
