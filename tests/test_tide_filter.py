"""The tide sample by sample: regression on all samples at once, with the covariance that its notes state."""

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.records import tide_filter
from slipcast.records.tide_filter import SAMPLE_SD_M, TideFilter

HOUR_S = 3600.0


def covariances(apart_s, *, detided: bool):
    """Return the covariances of sea level less waves, and of background waves, m2, at samples so far apart."""
    apart_s = np.abs(apart_s)
    lag = np.sqrt(3.0) * apart_s / (14 * HOUR_S)
    tide = 2.0**2 + 0.05**2 * (1 + lag) * np.exp(-lag)
    for hours, sd_m in () if detided else tide_filter._TIDES:
        tide = tide + sd_m**2 * np.cos(2 * np.pi * apart_s / (hours * HOUR_S)) * np.exp(-apart_s / (300 * 365 * 86400))
    return tide, 0.0012**2 * np.exp(-apart_s / 1500.0)


@pytest.mark.parametrize("detided", [False, True])
def test_the_filter_is_regression_on_all_samples_before(detided):
    rng = np.random.default_rng(3)
    # a quarter of an hour, a minute, and less than a second apart
    time_s = np.cumsum(np.concatenate([[0.0], np.full(30, 900.0), np.full(30, 60.0), np.full(4, 0.5), [15.0, 7200.0]]))
    height_m = 4000.0 + rng.normal(0.0, 0.01, time_s.size)
    noise_m = rng.choice([0.0, 0.002], time_s.size)
    made = TideFilter(time_s[0], height_m[0], detided=detided)
    for count in range(1, time_s.size):
        known = slice(1, count)  # the first is the datum alone
        tide, waves = covariances(time_s[known, np.newaxis] - time_s[known], detided=detided)
        own = np.diag(SAMPLE_SD_M**2 + noise_m[known] ** 2)
        to_tide, to_waves = covariances(time_s[count] - time_s[known], detided=detided)
        weights = np.linalg.solve(tide + waves + own, np.stack([to_tide, to_tide + to_waves, to_waves], axis=1))
        off_m = height_m[known] - height_m[0]
        before = covariances(0.0, detided=detided)

        level_m, tide_var, variance = made.predict(time_s[count])
        npt.assert_allclose(level_m - height_m[0], off_m @ weights[:, 0], atol=1e-7)
        npt.assert_allclose(tide_var, before[0] - to_tide @ weights[:, 0], rtol=1e-4)
        npt.assert_allclose(variance, sum(before) - (to_tide + to_waves) @ weights[:, 1], rtol=1e-4)
        npt.assert_allclose(made.background(), off_m @ weights[:, 2], atol=1e-7)
        made.update(height_m[count], noise_m[count])
