"""Maxima on the shelf of Cascadia: linear waves with a coast that absorbs, against nonlinear runs."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
from benchmarks.coast.ruptures import RUPTURES, refined_lat_deg, uplift_of
from benchmarks.coast.shelf_maxima import SERIES, Comparison, near_points, reference_series

from slipcast.physics.dissipation import OCEAN_DECAY_TIME_S, SHELF_REFLECTION, Friction
from slipcast.physics.moment import moment_magnitude
from slipcast.regions.region import Region

LOSSES = {"friction": Friction(OCEAN_DECAY_TIME_S), "coast_reflection": SHELF_REFLECTION}


def some(*names: str) -> dict[str, dict[str, np.ndarray]]:
    reference = reference_series("nonlinear")
    return {name: reference[name] for name in names}


def test_the_reference_has_both_halves_along_the_whole_margin():
    reference = reference_series("nonlinear")
    assert list(reference) == list(RUPTURES)
    for calibrates in (True, False):
        half = [rupture for rupture in RUPTURES.values() if rupture.calibrates == calibrates]
        assert len(half) >= 10
        assert min(refined_lat_deg(rupture)[0] for rupture in half) < 39.5
        assert max(refined_lat_deg(rupture)[1] for rupture in half) > 51.5
    for name, series in reference.items():
        assert all(np.isfinite(series[point]).all() and series[point].shape == (121,) for point in near_points(name))
    assert SERIES.stat().st_size < 1_000_000


@pytest.mark.slow
def test_before_the_coast_answers_linear_and_nonlinear_waves_are_alike():
    # the first wave of a metre in 80 m of water is as good as linear: two solvers that share no line agree
    reference = some("b59_10m")["b59_10m"]
    comparison = Comparison(some("b59_10m"), 1.0)
    for options in ({}, LOSSES):
        series = comparison.series("b59_10m", **options)
        for point in ("westport", "seaside"):
            highest = reference[point].max()
            assert highest > 1.5
            npt.assert_allclose(series[point][:24].max(), highest, rtol=0.02)
            npt.assert_allclose(series[point][:24], reference[point][:24], rtol=0, atol=0.1 * highest)


def test_a_wall_lets_later_waves_grow_too_high():
    comparison = Comparison(some("a65_6m"), 2.0)
    walls, losses = (comparison.score(**options).late_log_ratio.max() for options in ({}, LOSSES))
    assert walls > 0.3
    assert losses < walls - 0.2


@pytest.mark.slow
@pytest.mark.parametrize("calibrates", [True, False])
def test_maxima_of_all_ruptures(calibrates):
    comparison = Comparison(
        {n: s for n, s in reference_series("nonlinear").items() if RUPTURES[n].calibrates == calibrates}, 1.0
    )
    score = comparison.score(**LOSSES)
    assert abs(np.median(score.log_ratio)) < 0.05
    assert score.log_ratio.std() < 0.1
    assert abs(np.median(score.late_log_ratio)) < 0.1
    walls = comparison.score()
    assert np.median(walls.late_log_ratio) > 0.2
    assert score.late_log_ratio.std() < 0.5


def test_uplift_is_that_of_the_rupture():
    field = uplift_of(RUPTURES["ab59_3m"])
    assert field.uplift_m.max() > 0.5
    assert field.uplift_m.min() < -0.1
    row, column = np.unravel_index(field.uplift_m.argmax(), field.uplift_m.shape)
    assert abs(field.lat_deg[row] - 46.4) < 0.7
    assert abs(field.lon_deg[column] - 234.7) < 0.7


def test_magnitudes():
    region = Region.open("cascadia")
    area = {source.name: source.length_m * source.width_m for source in region.subfaults().sources}
    magnitudes = [
        float(moment_magnitude(sum(40e9 * area[name] * slip for name, slip in rupture.slip_m.items())))
        for rupture in RUPTURES.values()
    ]
    assert 7.8 < min(magnitudes) < 8.0
    assert 8.7 < max(magnitudes) < 9.1
