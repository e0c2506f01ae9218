"""Records of sea level at gauges: reading, quality control, tides and labels."""

from slipcast.records.arrival import earliest_arrival
from slipcast.records.dart import DartSeries, merge_series, parse_dart, read_dart
from slipcast.records.detection import Detection, Detector, detect
from slipcast.records.fetch import fetch_dart
from slipcast.records.origin import parse_origin
from slipcast.records.packaged import PACKAGED, packaged_records
from slipcast.records.quality import MASKS, QualitySettings, check_quality, flag_summary
from slipcast.records.read import read_records, records_of
from slipcast.records.records import Records
from slipcast.records.shaking import find_shaking
from slipcast.records.simulated import simulated_records
from slipcast.records.stations import Deployments, Position, position
from slipcast.records.tides import TideFit, TideMethod, fit_harmonic, fit_short

__all__ = [
    "MASKS",
    "PACKAGED",
    "DartSeries",
    "Deployments",
    "Detection",
    "Detector",
    "Position",
    "QualitySettings",
    "Records",
    "TideFit",
    "TideMethod",
    "check_quality",
    "detect",
    "earliest_arrival",
    "fetch_dart",
    "find_shaking",
    "fit_harmonic",
    "fit_short",
    "flag_summary",
    "merge_series",
    "packaged_records",
    "parse_dart",
    "parse_origin",
    "position",
    "read_dart",
    "read_records",
    "records_of",
    "simulated_records",
]
