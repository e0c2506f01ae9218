"""Results for clients: a summary, and slip and forecast in full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from slipcast.forecasting.forecast import Forecast
from slipcast.inversion.estimate import SlipEstimate
from slipcast.realtime.nowcast import Nowcast, Result

__all__ = ["Alerts", "detail", "summary"]


@dataclass(frozen=True)
class Alerts:
    """Thresholds of the alert levels of a forecast maximum, m; an index offshore, no official level."""

    information_m: float = 0.03
    advisory_m: float = 0.3
    warning_m: float = 1.0

    def of(self, height_m: float) -> str:
        """Name a height.

        Examples
        --------
        >>> Alerts().of(0.5)
        'advisory'
        """
        if height_m >= self.warning_m:
            return "warning"
        if height_m >= self.advisory_m:
            return "advisory"
        return "information" if height_m >= self.information_m else "none"


def summary(result: Result) -> dict[str, Any]:
    """Summarise a result.

    Parameters
    ----------
    result : Result
        Of a nowcast.

    Returns
    -------
    content : dict
        For JSON: minute of the newest sample, window, gauges, flags, magnitude with the ends of its 90 % interval,
        which share of each record is explained, gauges that were put aside and by how many standard deviations, and the
        gauge with the highest forecast.
    """
    slip, made = result.slip, result.forecast
    low = high = None
    if slip.samples is not None:
        spread = slip.dataset["magnitude_quantile"].to_numpy()
        low, high = _number(spread[0], 3), _number(spread[-1], 3)
    heights = made.max_amplitude.to_numpy()
    worst = int(np.nanargmax(heights))
    return {
        "minute": round(result.newest_s / 60, 2),
        "window_min": round(result.window_min, 2),
        "gauges_used": result.gauges,
        "flags": result.flags,
        "magnitude": _number(slip.magnitude, 3),
        "magnitude_low": low,
        "magnitude_high": high,
        "below_range": result.below_range,
        "explained": {name: _number(share, 3) for name, share in result.explained.items()},
        "put_aside": {name: _number(by, 1) for name, by in result.put_aside.items()},
        "worst": {"gauge": made.gauges[worst], "max_amplitude_m": _number(heights[worst], 4)},
    }


def detail(result: Result, nowcast: Nowcast, alerts: Alerts) -> dict[str, Any]:
    """Put slip on every unit source, and the forecast of every gauge, highest first, into a structure for JSON.

    Parameters
    ----------
    result : Result
        Of the nowcast.
    nowcast : Nowcast
        What it was computed by.
    alerts : Alerts
        What heights are called.

    Returns
    -------
    content : dict
        m and s since the origin; None where a number is not known.
    """
    kinds = {gauge.name: gauge.kind for gauge in nowcast.region.gauges}
    return {
        "model": nowcast.model_id,
        "bank": nowcast.bank_id,
        "method": str(result.slip.dataset.attrs["method"]),
        "region": nowcast.region.name,
        "slip": _slip_rows(result.slip),
        "forecast": [
            row | {"kind": kinds.get(row["gauge"], "forecast"), "alert": alerts.of(row["max_amplitude_m"])}
            for row in _forecast_rows(result.forecast, result.beyond_m)
        ],
    }


def _number(value: Any, digits: int) -> float | None:
    """Round a number; None where there is none."""
    return round(float(value), digits) if np.isfinite(value) else None


def _slip_rows(slip: SlipEstimate) -> list[dict[str, Any]]:
    """Return slip on every unit source, m, with its standard deviation and 90 % interval where they are known."""
    nothing = np.full(len(slip.sources), np.nan)
    sd, low, high = nothing, nothing, nothing
    if slip.samples is not None:
        sd = slip.dataset["slip_sd"].to_numpy()
        low, high = slip.dataset["slip_quantile"].to_numpy()[[0, -1]]
    return [
        {
            "source": name,
            "slip_m": _number(value, 4),
            "sd_m": _number(s, 4),
            "low_m": _number(a, 4),
            "high_m": _number(b, 4),
        }
        for name, value, s, a, b in zip(slip.sources, slip.slip.to_numpy(), sd, low, high)
    ]


def _forecast_rows(made: Forecast, beyond_m: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return heights, m, and times, s, of every gauge, the highest first; what they are beyond, m, where they are."""
    spread = np.full((5, len(made.gauges)), np.nan)
    if "max_amplitude_quantile" in made.dataset:
        spread = made.dataset["max_amplitude_quantile"].to_numpy()
    rows = [
        {
            "gauge": name,
            "max_amplitude_m": _number(height, 4),
            "low_m": _number(of_gauge[0], 4),
            "high_m": _number(of_gauge[-1], 4),
            "q25_m": _number(of_gauge[1], 4),
            "q75_m": _number(of_gauge[-2], 4),
            "arrival_s": _number(arrival, 0),
            "max_time_s": _number(peak, 0),
            "beyond_m": _number(beyond_m.get(name, np.nan), 2),
        }
        for name, height, of_gauge, arrival, peak in zip(
            made.gauges,
            made.max_amplitude.to_numpy(),
            spread.T,
            made.arrival_time.to_numpy(),
            made.dataset["max_time"].to_numpy(),
        )
    ]
    return sorted(rows, key=lambda row: (-(row["max_amplitude_m"] or 0.0), row["gauge"]))
