"""Records of sea level at gauges: the labelled array that every inversion takes."""

from slipcast.records.packaged import PACKAGED, packaged_records
from slipcast.records.series import Records

__all__ = ["PACKAGED", "Records", "packaged_records"]
