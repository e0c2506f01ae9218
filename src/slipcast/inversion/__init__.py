"""Inversion: records turned into slip on unit sources, by least squares, Gaussian posteriors or any other method."""

from slipcast.inversion.candidates import candidate_sources
from slipcast.inversion.consistency import Consistency
from slipcast.inversion.estimate import QUANTILES, SlipEstimate, centroid_latitude, magnitude_of_slip
from slipcast.inversion.first_magnitude import FirstMagnitude
from slipcast.inversion.gaussian import GaussianPosterior
from slipcast.inversion.invert import NoGaugeLeft, contradicting_gauges, invert_records
from slipcast.inversion.inverter import Inverter, RecordModel, SamplingInverter, WaveInverter
from slipcast.inversion.least_squares import LeastSquares, LeastSquaresSolver
from slipcast.inversion.methods import METHODS, method_named
from slipcast.inversion.mixture import RuptureMixture
from slipcast.inversion.moments import JointMoments
from slipcast.inversion.restricted import RestrictedPosterior
from slipcast.inversion.surface_estimate import SurfaceEstimate, invert_surface
from slipcast.inversion.surface_posterior import SurfacePosterior
from slipcast.inversion.timing import Timing, fit_timing
from slipcast.physics.moment import usual_half_duration

__all__ = [
    "METHODS",
    "QUANTILES",
    "Consistency",
    "FirstMagnitude",
    "GaussianPosterior",
    "Inverter",
    "JointMoments",
    "LeastSquares",
    "LeastSquaresSolver",
    "NoGaugeLeft",
    "RecordModel",
    "RestrictedPosterior",
    "RuptureMixture",
    "SamplingInverter",
    "SlipEstimate",
    "SurfaceEstimate",
    "SurfacePosterior",
    "Timing",
    "WaveInverter",
    "candidate_sources",
    "centroid_latitude",
    "contradicting_gauges",
    "fit_timing",
    "invert_records",
    "invert_surface",
    "magnitude_of_slip",
    "method_named",
    "usual_half_duration",
]
