"""Heights at the coast: Green's law, its scatter, and what is refused."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest

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


def test_draws_have_the_quantiles():
    transfer = CoastalTransfer(log_sd=0.6)
    draws = transfer.draw(np.full(40_000, 0.5), 81.0, np.random.default_rng(1))
    for probability in (0.05, 0.5, 0.95):
        share = (draws <= transfer.quantile(0.5, 81.0, probability)).mean()
        npt.assert_allclose(share, probability, atol=0.01)  # four standard errors


def test_no_scatter_and_no_wave():
    rng = np.random.default_rng(1)
    npt.assert_array_equal(CoastalTransfer(log_sd=0.0).draw([0.0, 0.2], 16.0, rng), [0.0, 0.4])
    assert np.isnan(CoastalTransfer().median([np.nan, 1.0], 100.0)).tolist() == [True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coast_depth_m": 0.0}, "coast_depth_m must be finite and > 0 m, got 0.0"),
        ({"log_sd": -0.1}, "log_sd must be finite and >= 0, got -0.1"),
        ({"log_sd": np.nan}, "log_sd must be finite and >= 0, got nan"),
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
