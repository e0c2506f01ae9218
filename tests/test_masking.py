"""Observation masks of a training, and a network whose layers they scale."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.testing as npt
import pytest
import torch

from slipcast.errors import InputError
from slipcast.learning.posterior.config import SamplerConfig
from slipcast.learning.posterior.generator import SlipGenerator
from slipcast.learning.posterior.masking import ObservationMasks
from slipcast.learning.posterior.pool import ScenarioPool

WINDOWS = (5, 20, 60)


def drawn(masks: ObservationMasks, count: int) -> Counter:
    """Draw masks without gaps; count gauges and window."""
    rng = np.random.default_rng(1)
    found: Counter = Counter()
    for _ in range(count):
        known = masks.draw(rng).reshape(4, 60)
        gauges = tuple(np.flatnonzero(known.any(axis=1)).tolist())
        found[gauges, int(known.any(axis=0).sum())] += 1
    return found


def test_windows_and_usual_gauges_come_as_often_as_asked():
    found = drawn(ObservationMasks(4, (0, 1, 2), WINDOWS, 0.0, (1.0, 3.0, 0.0), 0.5), 4000)
    by_window = Counter({window: sum(n for (_, w), n in found.items() if w == window) for window in WINDOWS})
    npt.assert_allclose([by_window[5] / 4000, by_window[20] / 4000], [0.25, 0.75], atol=0.03)
    assert by_window[60] == 0
    # the usual ones: half, and one of the 15 choices of a quarter
    usual = sum(n for (gauges, _), n in found.items() if gauges == (0, 1, 2))
    npt.assert_allclose(usual / 4000, 0.5 + 0.25 / 15, atol=0.03)


def test_one_usual_gauge_missing_and_all_gauges_share_half_of_the_rest():
    found = drawn(ObservationMasks(4, (0, 1, 2), WINDOWS, 0.0, None, 0.2), 6000)
    by_gauges = Counter({gauges: 0 for gauges, _ in found})
    for (gauges, _), n in found.items():
        by_gauges[gauges] += n
    for gauges in ((0, 1), (0, 2), (1, 2), (0, 1, 2, 3)):
        npt.assert_allclose(by_gauges[gauges] / 6000, 0.4 / 4 + 0.4 / 15, atol=0.02)
    for gauges in ((0,), (3,), (0, 3), (0, 1, 3)):
        npt.assert_allclose(by_gauges[gauges] / 6000, 0.4 / 15, atol=0.01)


def test_gaps_are_in_one_gauge_and_never_all_there_is():
    rng = np.random.default_rng(2)
    gappy = 0
    for _ in range(2000):
        known = ObservationMasks(2, (0, 1), (5, 60), 0.5).draw(rng).reshape(2, 60)
        assert known.any()
        last = np.flatnonzero(known.any(axis=0))[-1] + 1
        whole = known.any(axis=1)
        missing = [np.flatnonzero(~row[:last]) for row in known[whole]]
        cut = [samples for samples in missing if samples.size]
        assert len(cut) <= 1
        for samples in cut:
            assert samples.size < 30
            assert np.ptp(samples) == samples.size - 1
        gappy += bool(cut)
    # half are asked for; of these, many lie after a window of five minutes or at the end of the other
    assert 300 < gappy < 1000
    assert all(ObservationMasks(2, (0, 1), (60,), 0.0).draw(rng).reshape(2, 60).sum() % 60 == 0 for _ in range(50))


def test_without_weights_windows_come_alike():
    found = drawn(ObservationMasks(4, (0, 1, 2), WINDOWS, 0.0), 3000)
    for window in WINDOWS:
        npt.assert_allclose(sum(n for (_, w), n in found.items() if w == window) / 3000, 1 / 3, atol=0.03)


def test_weights_of_windows_are_checked():
    assert SamplerConfig(windows_min=(5, 60), window_weights=(1.0, 2.0)).window_weights == (1.0, 2.0)
    for weights in ((1.0,), (0.0, 0.0), (1.0, -1.0)):
        with pytest.raises(InputError, match="window_weights"):
            SamplerConfig(windows_min=(5, 60), window_weights=weights)


def test_at_first_a_network_does_not_heed_the_mask_and_then_it_can():
    torch.manual_seed(1)
    network = SlipGenerator(10, 6, width=16, depth=2, draw_width=8, n_random=4, n_view=3)
    features, random = torch.randn(5, 10), torch.randn(5, 2, 4)
    torch.nn.init.normal_(network.mean.weight)
    other = features.clone()
    other[:, -3:] += 1.0
    without = SlipGenerator(10, 6, width=16, depth=2, draw_width=8, n_random=4)
    without.load_state_dict({name: part for name, part in network.state_dict().items() if "view" not in name})
    torch.testing.assert_close(network(features, random), without(features, random))
    plain = (network(other, random) - network(features, random)).abs().max()
    torch.nn.init.normal_(network.of_view.weight)
    assert (network(other, random) - network(features, random)).abs().max() > 2 * plain
    network(features, random).sum().backward()
    assert all(part.grad is not None and torch.isfinite(part.grad).all() for part in network.parameters())


def test_pools_are_joined():
    rng = np.random.default_rng(1)
    parts = [
        ScenarioPool(*(rng.standard_normal((n, k)).astype(np.float32) for k in (4, 3, 2, 5)), np.ones(n, np.float32))
        for n in (3, 2)
    ]
    both = parts[0].joined(parts[1])
    assert len(both) == 5
    for joined, first, second in zip(both.take(np.arange(5)), parts[0].take(np.arange(3)), parts[1].take(np.arange(2))):
        npt.assert_array_equal(joined, np.concatenate([first, second]))
