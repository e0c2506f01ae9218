"""Exports of results as netCDF and GeoJSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np

from slipcast.geodesy import wrap_longitude
from slipcast.physics.unit_sources import unit_source
from slipcast.regions.region import Region

__all__ = ["EXPORTS", "coast_geojson", "forecast_geojson", "netcdf_bytes", "ring_of", "slip_geojson", "to_180"]

EXPORTS = {
    "records.nc": "application/x-netcdf",
    "slip.nc": "application/x-netcdf",
    "forecast.nc": "application/x-netcdf",
    "slip.geojson": "application/geo+json",
    "forecast.geojson": "application/geo+json",
}
"""Names of the files, and what they are."""

_COAST_MARGIN_DEG = 12.0
_DIGITS = 4


class Saveable(Protocol):
    """Something that can write itself to a file."""

    def save(self, path: Path) -> None:
        """Write it."""


def to_180(lon_deg: Any) -> Any:
    """Bring longitudes into [-180, 180), as maps on the web have them."""
    return np.round(wrap_longitude(lon_deg, west_deg=-180.0), _DIGITS)


def netcdf_bytes(content: Saveable) -> bytes:
    """Return the bytes of the netCDF file."""
    with TemporaryDirectory(prefix="slipcast-") as folder:
        path = Path(folder) / "content.nc"
        content.save(path)
        return path.read_bytes()


def ring_of(source: str) -> list[tuple[float, float]]:
    """Return the closed outline of a unit source, (lon, lat) degrees, longitude in [-180, 180)."""
    corners = unit_source(source).corners()
    lon, lat = to_180(corners[:, 0]).tolist(), np.round(corners[:, 1], _DIGITS).tolist()
    ring = list(zip(lon, lat))
    return [*ring, ring[0]]


def slip_geojson(summary: dict[str, Any], slip: Sequence[dict[str, Any]]) -> bytes:
    """Return unit sources as polygons with their slip."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring_of(row["source"])]},
            "properties": dict(row),
        }
        for row in slip
    ]
    return _collection(features, summary)


def forecast_geojson(summary: dict[str, Any], rows: Sequence[dict[str, Any]], region: Region) -> bytes:
    """Return gauges as GeoJSON points with their forecasts."""
    places = {gauge.name: gauge for gauge in region.gauges}
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Point",
                "coordinates": [float(to_180(places[row["gauge"]].lon)), places[row["gauge"]].lat],
            },
            "properties": dict(row),
        }
        for row in rows
        if row["gauge"] in places
    ]
    return _collection(features, summary)


def coast_geojson(region: Region) -> bytes:
    """Return land near a region as polygons, and its coast as lines, from the packaged sea floor."""
    from slipcast.plots.geography import coast_lines, extent_around, land_rings

    (west_deg, south, east_deg, north) = near_bounds(region)
    margin = _COAST_MARGIN_DEG
    lines = coast_lines((west_deg - margin, east_deg + margin), (max(south - margin, -85), min(north + margin, 85)))
    extent = extent_around([west_deg, east_deg], [south, north], margin_deg=margin)
    rings = [ring for ring in land_rings(extent) if len(ring) > 3]
    features: list[dict[str, Any]] = [
        {
            "type": "Feature",
            "geometry": {"type": "MultiPolygon", "coordinates": _polygons(rings)},
            "properties": {"kind": "land"},
        },
        {
            "type": "Feature",
            "geometry": {"type": "MultiLineString", "coordinates": [_positions(line) for line in lines]},
            "properties": {"kind": "coast"},
        },
    ]
    return _collection(features, {})


def near_bounds(region: Region) -> tuple[float, float, float, float]:
    """Return west, south, east, north of unit sources and the gauges near them, degrees; west may be below -180."""
    from slipcast.plots.geography import source_outlines, split_gauges

    outlines = source_outlines(region.sources).reshape(-1, 2)
    near = split_gauges(region)[0]
    lon = np.concatenate([outlines[:, 0], [gauge.lon for gauge in near]])
    lat = np.concatenate([outlines[:, 1], [gauge.lat for gauge in near]])
    lon = wrap_longitude(lon, west_deg=float(outlines[:, 0].mean()) - 180.0)
    turn = 360.0 * np.floor((float(lon.mean()) + 180.0) / 360.0)
    return (
        round(float(lon.min() - turn), _DIGITS),
        round(float(lat.min()), _DIGITS),
        round(float(lon.max() - turn), _DIGITS),
        round(float(lat.max()), _DIGITS),
    )


def _positions(points: np.ndarray) -> list[list[float]]:
    """Round points, shape (n, 2), and bring them near [-180, 180), all by the same turn."""
    turn = 360.0 * np.floor((float(points[:, 0].mean()) + 180.0) / 360.0)
    return np.round(points - (turn, 0.0), 3).tolist()


def _polygons(rings: Sequence[np.ndarray]) -> list[list[list[list[float]]]]:
    """Sort rings into polygons: contourpy gives each outline before the waters within it, turning the other way."""
    polygons: list[list[list[list[float]]]] = []
    for ring in rings:
        x, y = ring[:, 0], ring[:, 1]
        turns_left = np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) > 0
        if turns_left or not polygons:
            polygons.append([_positions(ring)])
        else:
            polygons[-1].append(_positions(ring))
    return polygons


def _collection(features: list[dict[str, Any]], about: dict[str, Any]) -> bytes:
    """Write GeoJSON; what else is known of it as members of its own."""
    content = {"type": "FeatureCollection", "features": features} | ({"slipcast": about} if about else {})
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
