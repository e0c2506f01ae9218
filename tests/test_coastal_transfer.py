"""Heights at the coast: Green's law, its scatter, and what is refused."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
from scipy.special import ndtri

from slipcast.errors import InputError
from slipcast.forecasting.coastal_transfer import CoastalTransfer


def test_green_s_law():
    # the flux of energy A^2 sqrt(h) is the same at both depths
    depth = np.array([1.0, 16.0, 100.0])
    found = CoastalTransfer().median(0.3, depth)
    npt.assert_allclose(found**2, 0.3**2 * np.sqrt(depth), rtol=1e-12)
    npt.assert_allclose(CoastalTransfer(coast_depth_m=5.0).median(1.0, 80.0), 2.0)


def test_quantiles_are_those_of_a_lognormal_distribution():
    transfer = CoastalTransfer(log_sd=0.4)
    median, low, high = transfer.quantile(0.5, 81.0, [0.5, 0.158655, 0.841345])
    npt.assert_allclose(median, transfer.median(0.5, 81.0))
    npt.assert_allclose([low, high], median * np.exp([-0.4, 0.4]), rtol=1e-5)


@pytest.mark.parametrize("log_sd", [0.05, 0.5])
@pytest.mark.parametrize("spread", [0.02, 1.0])
def test_what_is_uncertain_offshore_and_at_the_coast(log_sd, spread):
    # both lognormal: so is the height at the coast, and variances of the logarithm add
    transfer = CoastalTransfer(log_sd=log_sd)
    offshore = 0.5 * np.exp(spread * ndtri((np.arange(500) + 0.5) / 500))
    probabilities = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    found = transfer.predictive(offshore, 81.0, probabilities)
    npt.assert_allclose(found, 1.5 * np.exp(np.hypot(spread, log_sd) * ndtri(probabilities)), rtol=0.012)


def test_one_height_offshore_gives_the_scatter_alone():
    transfer = CoastalTransfer(coast_depth_m=5.0, log_sd=0.4)
    npt.assert_allclose(
        transfer.predictive([0.3], 80.0, [0.05, 0.5, 0.95]), transfer.quantile(0.3, 80.0, [0.05, 0.5, 0.95]), rtol=0.005
    )


def test_no_scatter_and_no_wave():
    certain = CoastalTransfer(log_sd=0.0)
    npt.assert_allclose(certain.predictive([0.1, 0.2, 0.4], 16.0, [1e-9, 0.5, 1 - 1e-9]), [0.2, 0.4, 0.8])
    assert CoastalTransfer().predictive([0.0, -0.1], 16.0, [0.95])[0] < 1e-4
    assert np.isnan(CoastalTransfer().median([np.nan, 1.0], 100.0)).tolist() == [True, False]


def test_hardly_any_scatter_is_as_none():
    offshore = np.r_[0.0, np.random.default_rng(2).gamma(2.0, 1.0, 199)]
    found, certain = (CoastalTransfer(log_sd=sd).predictive(offshore, 81.0, [0.05, 0.5, 0.95]) for sd in (1e-9, 0.0))
    npt.assert_allclose(found, certain, rtol=0.03)  # quantiles of 200 draws lie between two of them


def test_which_points_stand_for_a_coast():
    assert CoastalTransfer().reaches([0.5, 1.0, 80.0, 500.0, 501.0, np.nan]).tolist() == [
        False, True, True, True, False, False,
    ]  # fmt: skip
    assert CoastalTransfer(deepest_m=2000.0).reaches(1829.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coast_depth_m": 0.0}, "coast_depth_m must be finite and > 0 m, got 0.0"),
        ({"log_sd": -0.1}, "log_sd must be finite and >= 0, got -0.1"),
        ({"log_sd": np.nan}, "log_sd must be finite and >= 0, got nan"),
        ({"coast_depth_m": 5.0, "deepest_m": 5.0}, "deepest_m must be > coast_depth_m, 5 m, got 5.0"),
    ],
)
def test_transfers_that_cannot_be(options, message):
    with pytest.raises(InputError, match=message):
        CoastalTransfer(**options)


@pytest.mark.parametrize(
    ("offshore", "depth", "probability", "message"),
    [
        ([0.2, -0.1], 80.0, 0.5, "offshore_m must be >= 0 m, got -0.1"),
        (0.2, [80.0, 0.5], 0.5, "depth_m must be >= 1 m, got 0.5"),
        (0.2, 80.0, 1.0, r"probability must be in \(0, 1\), got 1.0"),
        (0.2, 80.0, np.nan, r"probability must be in \(0, 1\), got nan"),
    ],
)
def test_heights_that_cannot_be(offshore, depth, probability, message):
    with pytest.raises(InputError, match=message):
        CoastalTransfer().quantile(offshore, depth, probability)
