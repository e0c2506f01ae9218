"""Labelled datasets of responses, and what banks of all kinds of sources have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from slipcast.greens.checks import CHECKSUMS, bank_id, gauge_checksums
from slipcast.greens.reciprocity import SAMPLE_S
from slipcast.io.summary import Summarised
from slipcast.regions.region import Region

__all__ = ["GaugeResponses", "gauge_coordinates", "joined_responses", "labelled_responses"]


class GaugeResponses(Summarised):
    """What banks of all kinds of sources have: gauges with their labels, times and a region.

    Attributes
    ----------
    dataset : xarray.Dataset
        With the coordinates of :func:`gauge_coordinates`, and attributes ``id`` and ``region_json``.
    """

    dataset: xr.Dataset

    @property
    def id(self) -> str:
        """Fingerprint of the numbers and labels."""
        return str(self.dataset.attrs["id"])

    @cached_property
    def region(self) -> Region:
        """The region as computed (its gauges and grid spacings)."""
        return Region.from_json(self.dataset.attrs["region_json"])

    @property
    def gauges(self) -> list[str]:
        """Names of the gauges, in order."""
        return [str(name) for name in self.dataset["gauge"].to_numpy()]

    @property
    def senses(self) -> dict[str, Any]:
        """What each gauge senses, by name (:class:`slipcast.regions.region.Gauge`)."""
        return dict(zip(self.gauges, map(str, self.dataset["gauge_senses"].to_numpy()), strict=True))

    @property
    def gauge_depth_m(self) -> dict[str, float]:
        """Depth of the sea at each gauge, m, by name."""
        return dict(zip(self.gauges, self.dataset["gauge_depth"].to_numpy().tolist(), strict=True))

    @property
    def time_s(self) -> np.ndarray:
        """Seconds since the origin, shape (n_times,), from zero."""
        return self.dataset["time"].to_numpy()

    def gauge_names(self, kind: str | None = None) -> list[str]:
        """Return the names of the gauges of one kind (``"dart"``, ``"forecast"``) or of all, in order."""
        return self.region.gauge_names(kind)


def joined_responses(region: Region, series: Mapping[str, np.ndarray]) -> np.ndarray:
    """Put series of gauges into one array, shape (n_gauges, n_times, n_sources), NaN after their ends."""
    first = next(iter(series.values()))
    joined = np.full((len(region.gauges), max(map(len, series.values())), first.shape[1]), np.nan, np.float32)
    for row, gauge in zip(joined, region.gauges, strict=True):
        row[: len(series[gauge.name])] = series[gauge.name]
    return joined


def gauge_coordinates(
    region: Region, series: Mapping[str, np.ndarray], depths_m: Mapping[str, float]
) -> dict[str, Any]:
    """Return coordinates of the gauges of a region, and of the times of their series."""
    degrees_east, degrees_north, metres = ({"units": u} for u in ("degrees_east", "degrees_north", "m"))
    gauges, longest = region.gauges, max(map(len, series.values()))
    return {
        "gauge": [gauge.name for gauge in gauges],
        "time": (
            "time",
            np.arange(longest) * SAMPLE_S,
            {"units": "s", "long_name": "time since the earthquake"},
        ),
        "gauge_lon": ("gauge", [gauge.lon for gauge in gauges], degrees_east),
        "gauge_lat": ("gauge", [gauge.lat for gauge in gauges], degrees_north),
        "gauge_depth": ("gauge", [depths_m.get(gauge.name, np.nan) for gauge in gauges], metres),
        "gauge_kind": ("gauge", [gauge.kind for gauge in gauges]),
        "gauge_senses": ("gauge", [gauge.senses for gauge in gauges]),
        "gauge_grid": ("gauge", [gauge.grid for gauge in gauges]),
        "gauge_hours": ("gauge", [(len(series[g.name]) - 1) * SAMPLE_S / 3600 for g in gauges], {"units": "h"}),
    }


def labelled_responses(
    region: Region,
    series: Mapping[str, np.ndarray],
    depths_m: Mapping[str, float],
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """Put responses into one labelled dataset (arguments as of :meth:`slipcast.greens.bank.GreensBank.from_series`)."""
    subfaults = region.subfaults()
    degrees_east, degrees_north, metres = ({"units": u} for u in ("degrees_east", "degrees_north", "m"))
    dataset = xr.Dataset(
        {
            "response": (
                ("gauge", "time", "subfault"),
                joined_responses(region, series),
                {"units": "m m-1", "long_name": "what the gauge senses, m of water, per slip"},
            )
        },
        coords={
            **gauge_coordinates(region, series, depths_m),
            "subfault_lon": ("subfault", subfaults.lon_deg, degrees_east),
            "subfault_lat": ("subfault", subfaults.lat_deg, degrees_north),
            "subfault_depth": ("subfault", subfaults.depth_m, metres),
            "subfault_area": ("subfault", subfaults.area_m2, {"units": "m2"}),
            "subfault_along": ("subfault", subfaults.along),
            "subfault_down": ("subfault", subfaults.down),
            "subfault_source": ("subfault", [subfaults.source_names[i] for i in subfaults.source_index]),
        },
        attrs={
            "region": region.name,
            "region_json": region.json_text(),
            **attributes,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )
    return dataset.assign_attrs({"id": bank_id(dataset), CHECKSUMS: gauge_checksums(dataset)})
