"""Records of a simulated scenario, with noise."""

from __future__ import annotations

from collections.abc import Sequence

from slipcast.errors import InputError
from slipcast.io.labels import positions_of
from slipcast.records.records import Records
from slipcast.scenarios.scenario_set import ScenarioSet

__all__ = ["simulated_records"]


def simulated_records(
    scenarios: ScenarioSet, index: int, gauges: Sequence[str], *, window_min: float, noise_sd_m: float = 0.0
) -> Records:
    """Return one scenario of a set as records, tide removed.

    Parameters
    ----------
    scenarios : ScenarioSet
        Where it is from.
    index : int
        Number of the scenario, from 0.
    gauges : sequence of str
        By name, in the order wanted.
    window_min : float
        Samples from the first minute after the origin to this one.
    noise_sd_m : float, optional
        Standard deviation of white noise, m, the same noise as in :meth:`ScenarioSet.load_records`.

    Returns
    -------
    records : Records

    Raises
    ------
    InputError
        If there is no such scenario or gauge, or the window is too long.
    """
    if not 0 <= index < len(scenarios):
        raise InputError(f"scenario must be in [0, {len(scenarios)}), got {index}")
    records = scenarios.load_records(gauges, window_min, [index], noise_sd_m=noise_sd_m)
    positions = positions_of(gauges, scenarios.gauges, dim="gauge", where="in the scenario set")
    return Records.from_arrays(
        records["time"].to_numpy(),
        records.to_numpy()[0],
        gauges=list(gauges),
        lon_deg=scenarios.dataset["gauge_lon"].to_numpy()[positions],
        lat_deg=scenarios.dataset["gauge_lat"].to_numpy()[positions],
        senses=[scenarios.senses[name] for name in gauges],
        title=f"scenario {index} of {scenarios.region.name}",
    )
