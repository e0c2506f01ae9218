"""Inversion: records turned into slip on unit sources, by least squares, Gaussian posteriors or any other method."""

from slipcast.inversion.candidates import candidate_sources
from slipcast.inversion.estimate import QUANTILES, SlipEstimate, centroid_latitude, magnitude_of_slip
from slipcast.inversion.gaussian import GaussianPosterior
from slipcast.inversion.invert import invert_records
from slipcast.inversion.inverter import Inverter, SamplingInverter, WaveInverter
from slipcast.inversion.least_squares import LeastSquares, LeastSquaresSolver
from slipcast.inversion.methods import METHODS, method_named
from slipcast.inversion.moments import JointMoments
from slipcast.inversion.real_event import EventInversion, invert_event
from slipcast.inversion.restricted import RestrictedPosterior
from slipcast.inversion.timing import Timing, fit_timing, usual_half_duration

__all__ = [
    "METHODS",
    "QUANTILES",
    "EventInversion",
    "GaussianPosterior",
    "Inverter",
    "JointMoments",
    "LeastSquares",
    "LeastSquaresSolver",
    "RestrictedPosterior",
    "SamplingInverter",
    "SlipEstimate",
    "Timing",
    "WaveInverter",
    "candidate_sources",
    "centroid_latitude",
    "fit_timing",
    "invert_event",
    "invert_records",
    "magnitude_of_slip",
    "method_named",
    "usual_half_duration",
]
