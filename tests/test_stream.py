"""Scenarios drawn as they are needed: the same physics as a set, in families or one by one."""

from __future__ import annotations

from itertools import islice

import numpy as np
import numpy.testing as npt
import pytest

from slipcast.errors import InputError
from slipcast.physics.ruptures import RuptureGenerator, RuptureSettings
from slipcast.scenarios.kinematics import rupture_records
from slipcast.scenarios.stream import ScenarioStream

DARTS = ["46407", "46404"]


def test_records_are_those_of_the_ruptures(small_bank):
    stream = ScenarioStream(small_bank, DARTS, 60, alike=3)
    batches = list(islice(stream.batches(4, np.random.default_rng(1)), 2))
    rng = np.random.default_rng(1)
    generator = RuptureGenerator(small_bank.subfaults)
    ruptures = [rupture for _ in range(3) for rupture in generator.draw_alike(rng, 3)][:8]
    records = rupture_records(
        small_bank,
        np.stack([rupture.slip_m for rupture in ruptures]),
        np.stack([rupture.onset_s for rupture in ruptures]),
        np.array([rupture.rise_time_s for rupture in ruptures]),
    )
    found = np.concatenate([batch.records for batch in batches])
    assert found.shape == (8, 2, 60)
    places = [small_bank.gauges.index(name) for name in DARTS]
    npt.assert_allclose(found, records[:, places, 1:61], atol=1e-5 * np.abs(records).max())
    npt.assert_allclose(stream.times_s, 60.0 * np.arange(1, 61))
    for batch in batches:
        npt.assert_allclose(batch.weights, batch.slip @ small_bank.subfaults.averaging_matrix().T, rtol=1e-5)


def test_ruptures_alike_share_their_size_and_nothing_else(small_bank):
    generator = RuptureGenerator(small_bank.subfaults, RuptureSettings(magnitude=(8.0, 8.4)))
    alike = generator.draw_alike(np.random.default_rng(2), 6)
    assert len(alike) == 6
    for name in ("magnitude", "length_km", "width_km", "hurst"):
        assert len({getattr(rupture, name) for rupture in alike}) == 1
    patterns = np.stack([rupture.slip_m for rupture in alike])
    assert len(np.unique(patterns.round(6), axis=0)) == 6
    assert len({rupture.rise_time_s for rupture in alike}) == 6
    # one alike is one drawn
    first, second = (
        draw(np.random.default_rng(3)) for draw in (generator.draw, lambda rng: generator.draw_alike(rng, 1)[0])
    )
    npt.assert_array_equal(first.slip_m, second.slip_m)
    npt.assert_array_equal(first.onset_s, second.onset_s)


def test_the_same_generator_gives_the_same_batches(small_bank):
    first, second = (
        next(ScenarioStream(small_bank, DARTS, 30).batches(30, np.random.default_rng(4))) for _ in range(2)
    )
    npt.assert_array_equal(first.records, second.records)
    assert len({tuple(row) for row in first.weights.round(5).tolist()}) == 30


def test_what_cannot_be_drawn(small_bank):
    with pytest.raises(InputError, match="alike must be >= 1, got 0"):
        ScenarioStream(small_bank, DARTS, 30, alike=0)
    with pytest.raises(InputError, match="gauges must differ from one another, got 46404, 46404"):
        ScenarioStream(small_bank, ["46404", "46404"], 30)
    with pytest.raises(InputError, match="window of 500 min is longer than the 120 min of bank cascadia"):
        ScenarioStream(small_bank, DARTS, 500)
    with pytest.raises(InputError, match="size must be >= 1, got 0"):
        next(ScenarioStream(small_bank, DARTS, 30).batches(0, np.random.default_rng(5)))
    with pytest.raises(InputError, match="count must be >= 1, got 0"):
        RuptureGenerator(small_bank.subfaults).draw_alike(np.random.default_rng(6), 0)
