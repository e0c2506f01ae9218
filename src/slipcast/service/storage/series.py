"""Packed forecasts of sea level: every minute, to the millimetre, with the ends of the 90 % interval."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np

from slipcast.forecasting.forecast import Forecast

__all__ = ["pack_series", "unpack_series"]

_FASTEST = 1


def pack_series(made: Forecast) -> bytes:
    """Pack a forecast of one event.

    Parameters
    ----------
    made : Forecast
        With quantiles or without.

    Returns
    -------
    content : bytes
        What :func:`unpack_series` reads.
    """
    dataset = made.dataset
    parts = {"sea_level_m": dataset["sea_level"].to_numpy()}
    if "sea_level_quantile" in dataset:
        spread = dataset["sea_level_quantile"].to_numpy()
        parts |= {"low_m": spread[0], "high_m": spread[-1]}
    known = np.isfinite(parts["sea_level_m"])
    # a wave changes little in a minute: differences pack better
    packed: dict[str, Any] = {
        name: np.diff(np.round(1e3 * part[known]).astype(np.int32), prepend=np.int32(0)) for name, part in parts.items()
    }
    buffer = io.BytesIO()
    np.savez(buffer, gauge=np.array(made.gauges), time=dataset["time"].to_numpy(), known=np.packbits(known), **packed)
    return zlib.compress(buffer.getvalue(), _FASTEST)


def unpack_series(content: bytes, gauge: str) -> dict[str, list[float] | None] | None:
    """Unpack the forecast of a gauge.

    Parameters
    ----------
    content : bytes
        Of :func:`pack_series`.
    gauge : str
        Name.

    Returns
    -------
    series : dict or None
        ``seconds`` since the origin; ``sea_level_m``, ``low_m``, ``high_m``, m, the last two None where the method does
        not know them. None for an unknown gauge.
    """
    with np.load(io.BytesIO(zlib.decompress(content)), allow_pickle=False) as packed:
        names, time_s = packed["gauge"].tolist(), packed["time"]
        if gauge not in names:
            return None
        shape = (len(names), time_s.size)
        known = np.unpackbits(packed["known"], count=shape[0] * shape[1]).astype(bool).reshape(shape)
        place = names.index(gauge)
        first = int(known[:place].sum())
        own = slice(first, first + int(known[place].sum()))
        found: dict[str, list[float] | None] = {"seconds": time_s[known[place]].tolist()}
        for name in ("sea_level_m", "low_m", "high_m"):
            found[name] = (np.cumsum(packed[name])[own] / 1e3).tolist() if name in packed else None
    return found
