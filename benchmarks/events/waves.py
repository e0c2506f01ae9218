"""First waves of an event: when they rise, crest and end, and at which stations there is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slipcast.errors import InputError
from slipcast.forecasting.forecast import arrival_time
from slipcast.greens.bank import GreensBank
from slipcast.realtime.waves_seen import waves_seen_in
from slipcast.records import Records
from slipcast.records.arrival import earliest_arrivals
from slipcast.records.first_wave import first_wave_span

__all__ = ["FirstWave", "first_waves", "impossible", "known_samples"]

LEAST_M = 0.01
LEAST_SD = 5.0
_BEFORE_S = 6 * 3600.0
_EARLY_S = 600.0


@dataclass(frozen=True)
class FirstWave:
    """The first wave in a record.

    Attributes
    ----------
    gauge : str
        Name.
    start_s, crest_s, end_s : float
        When it rises, crests and ends (:func:`slipcast.records.first_wave.first_wave`), s since the origin.
    crest_m : float
        Highest level, m.
    """

    gauge: str
    start_s: float
    crest_s: float
    end_s: float
    crest_m: float

    @property
    def end_min(self) -> float:
        """End as a window, whole minutes after the origin."""
        return float(np.ceil(self.end_s / 60))


def first_waves(records: Records) -> tuple[list[FirstWave], dict[str, str]]:
    """Find the first waves of an event.

    Parameters
    ----------
    records : Records
        Of one event, whole.

    Returns
    -------
    waves : list of FirstWave
        In the order of the records. A wave counts where its crest is at least 1 cm, and five standard deviations of
        the six hours before any wave can arrive, and where a tsunami is detected before it ends
        (:func:`slipcast.realtime.waves_seen.waves_seen_in`): what is left of a tide is higher in places.
    left_out : dict of str to str
        By station why there is none.
    """
    waves: list[FirstWave] = []
    left_out: dict[str, str] = {}
    earliest_s = earliest_arrivals(records)
    for row, gauge in enumerate(records.gauges):
        try:
            start_s, end_s = first_wave_span(records, gauge)
        except InputError as error:
            left_out[gauge] = str(error)
            continue
        time_s, level_m = known_samples(records, gauge)
        before = (time_s < earliest_s[row]) & (time_s > earliest_s[row] - _BEFORE_S)
        sd_m = float(level_m[before].std()) if before.sum() > 2 else 0.0
        inside = (time_s >= start_s) & (time_s <= end_s)
        crest = int(np.flatnonzero(inside)[np.argmax(level_m[inside])])
        least_m = max(LEAST_M, LEAST_SD * sd_m)
        if level_m[crest] < least_m:
            left_out[gauge] = f"its highest wave is {1e3 * level_m[crest]:.0f} mm, less than {1e3 * least_m:.0f} mm"
            continue
        waves.append(FirstWave(gauge, start_s, float(time_s[crest]), end_s, float(level_m[crest])))
    ends_s = {wave.gauge: wave.end_s for wave in waves}
    seen = waves_seen_in(Records(records.dataset.sel(gauge=list(ends_s))), list(ends_s), (), ends_s) if ends_s else {}
    left_out |= {gauge: "no tsunami is detected in it" for gauge in ends_s if not seen[gauge]}
    return [wave for wave in waves if seen[wave.gauge]], left_out


def known_samples(records: Records, gauge: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the times, s, and levels, m, of the samples of a gauge that are there."""
    level_m = records.sea_level.sel(gauge=gauge).to_numpy().astype(float)
    known = np.isfinite(level_m)
    return records.time_s[known], level_m[known]


def impossible(waves: list[FirstWave], bank: GreensBank, sources: list[str]) -> dict[str, str]:
    """Tell which first waves crest before a wave of any of some unit sources arrives: they are no tsunami of these.

    Parameters
    ----------
    waves : list of FirstWave
        At gauges of the bank.
    bank : GreensBank
        Responses.
    sources : list of str
        Where slip can be.

    Returns
    -------
    reasons : dict of str to str
        By gauge.
    """
    reasons = {}
    for wave in waves:
        response = bank.source_response([wave.gauge], sources=sources)[0].transpose("source", "time")
        values = np.nan_to_num(response.to_numpy())
        scaled = values / np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-12)
        arrival_s = float(np.nanmin(arrival_time(scaled, bank.time_s)))
        if wave.crest_s < arrival_s - _EARLY_S:
            reasons[wave.gauge] = (
                f"its highest wave crests at {wave.crest_s / 60:.0f} min, before a wave can arrive at "
                f"{arrival_s / 60:.0f} min"
            )
    return reasons
