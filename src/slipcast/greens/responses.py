"""Protocol of unit-source responses, which banks and scenario sets have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
import xarray as xr

from slipcast.regions.region import Region

__all__ = ["SourceResponses"]


class SourceResponses(Protocol):
    """Responses that inversions and forecasts need, as banks and scenario sets have them."""

    @property
    def id(self) -> str:
        """Identity of the responses."""

    @property
    def region(self) -> Region:
        """What they are of."""

    @property
    def gauges(self) -> list[str]:
        """Names of the gauges, in order."""

    @property
    def senses(self) -> Mapping[str, str]:
        """What each gauge senses, by name."""

    @property
    def gauge_depth_m(self) -> Mapping[str, float]:
        """Depth of the sea at each gauge, m, by name."""

    @property
    def sources(self) -> list[str]:
        """Names of the unit sources, in order."""

    @property
    def time_s(self) -> np.ndarray:
        """Seconds since the earthquake, from zero."""

    def gauge_names(self, kind: str | None = None) -> list[str]:
        """Return the names of the gauges of one kind or of all."""

    def source_response(
        self,
        gauges: Iterable[str] | None = None,
        *,
        sources: Iterable[str] | None = None,
        window_min: float | None = None,
    ) -> xr.DataArray:
        """Return sea level per metre of slip, dims (gauge, time, source)."""
