"""Second moments of what gauges sense of a rupture of which nothing is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slipcast.greens.bank import GreensBank
from slipcast.greens.responses import SourceResponses
from slipcast.io.labels import positions_of

__all__ = ["record_moments"]

_DELAYS_S = (0.0, 120.0, 240.0)


def record_moments(
    bank: SourceResponses, times_s: np.ndarray, *, gauges: Sequence[str], sources: Sequence[str]
) -> np.ndarray:
    """Compute the second moments of records of a rupture of which nothing is known.

    Each unit source slips 1 m and its subfaults 1 m about that (standard deviations, all independent), and each of
    them begins at once, or two or four minutes later: real slip is uneven and takes its time, and what gauges sense of
    it lies farther from the waves of even slip than noise does.

    Parameters
    ----------
    bank : GreensBank or ScenarioSet
        Responses; those of a scenario set are of unit sources alone.
    times_s : array, shape (n_times,)
        Of the samples: times of the bank, s since the origin.
    gauges, sources : sequence of str
        By name.

    Returns
    -------
    moments : array, shape (n_gauges * n_times, n_gauges * n_times)
        m^2.
    """
    of_sources = bank.source_response(gauges, sources=sources)
    waves, bank_s = of_sources.to_numpy(), of_sources["time"].to_numpy()
    if isinstance(bank, GreensBank):
        wanted = positions_of(sources, bank.sources, dim="source", where=f"in bank {bank.region.name}")
        subfaults = np.flatnonzero(np.isin(bank.subfaults.source_index, wanted))
        waves = np.concatenate([waves, bank.dataset["response"].sel(gauge=list(gauges)).to_numpy()[..., subfaults]], 2)
    kept = np.searchsorted(bank_s, times_s - 1e-6)
    step_s = bank_s[1] - bank_s[0]
    late = [kept - round(delay_s / step_s) for delay_s in _DELAYS_S]
    needed = np.unique(np.concatenate(late))
    needed = needed[needed >= 0]
    # one product for all delays: later waves are the same ones, at earlier times
    rows = waves[:, needed].reshape(len(gauges) * len(needed), -1).astype(np.float32)
    products = (rows @ rows.T).reshape(len(gauges), len(needed), len(gauges), len(needed))
    moments = np.zeros((len(gauges), len(kept)) * 2)
    for at in late:
        begun = np.flatnonzero(at >= 0)
        place = np.searchsorted(needed, at[begun])
        block = products[:, place[:, np.newaxis], :, place]  # advanced indices apart come first
        moments[:, begun[:, np.newaxis], :, begun] += block / len(late)
    return moments.reshape((len(gauges) * len(kept),) * 2)
