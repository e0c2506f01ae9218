"""Elevations in text: ESRI ASCII grids and GeoClaw's topotypes 2 and 3."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from slipcast.errors import InputError

__all__ = ["read_ascii_grid"]

_LABELS = {
    **dict.fromkeys(("ncols", "mx", "nx"), "columns"),
    **dict.fromkeys(("nrows", "my", "ny"), "rows"),
    **dict.fromkeys(("xllcorner", "xllcenter", "xllcentre", "xlower", "xll"), "west"),
    **dict.fromkeys(("yllcorner", "yllcenter", "yllcentre", "ylower", "yll"), "south"),
    **dict.fromkeys(("cellsize", "dx"), "step"),
    "dy": "step_lat",
    **dict.fromkeys(("nodata_value", "nodata"), "nodata"),
}
_NEEDED = {"columns": "ncols", "rows": "nrows", "west": "xllcorner", "south": "yllcorner", "step": "cellsize"}
_ESRI_NODATA = -9999.0


def read_ascii_grid(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read an ESRI ASCII grid, or a topography file of GeoClaw with a header (topotype 2 or 3).

    Parameters
    ----------
    path : Path
        Header lines ``label number`` (ESRI) or ``number label`` (GeoClaw), then the numbers by rows from the north,
        each from the west. ``xllcorner`` is the corner of a cell, ``xllcenter``, ``xlower`` and ``xll`` a node.

    Returns
    -------
    lon_deg, lat_deg : array
        Of the columns, rising, and of the rows, falling; degrees.
    elevation_m : array, shape (n_lat, n_lon), float32
        As in the file; NaN where it has its nodata value.

    Raises
    ------
    InputError
        If the file has no such header, or not as many numbers as it says.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    header, labels, begin = _header(text, path)
    if missing := [label for key, label in _NEEDED.items() if key not in header]:
        raise InputError(
            f"bathymetry {path} cannot be read as netCDF, nor as an ESRI ASCII grid: its header lacks {missing[0]}"
        )
    n_columns, n_rows = (_count(header[key], _NEEDED[key], path) for key in ("columns", "rows"))
    step = (header["step"], header.get("step_lat", header["step"]))
    if not min(step) > 0:
        raise InputError(f"bathymetry {path}: cellsize must be > 0 degrees, got {min(step):g}")
    values = _numbers(text[begin:], path)
    if values.size != n_columns * n_rows:
        raise InputError(
            f"bathymetry {path} must have {n_rows} rows of {n_columns} numbers after its header, "
            f"{n_rows * n_columns} in all, got {values.size}"
        )
    values[values == np.float32(header.get("nodata", _ESRI_NODATA))] = np.nan
    # of a corner, the node is half a cell further
    west, south = (header[key] + step[i] / 2 * ("corner" in labels[key]) for i, key in enumerate(("west", "south")))
    lat_deg = south + step[1] * np.arange(n_rows)[::-1]
    return west + step[0] * np.arange(n_columns), lat_deg, values.reshape(n_rows, n_columns)


def _header(text: str, path: Path) -> tuple[dict[str, float], dict[str, str], int]:
    """Read the lines that have a label: numbers and labels by what they are, and where the rest begins."""
    header: dict[str, float] = {}
    labels: dict[str, str] = {}
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin)
        end = len(text) if end < 0 else end + 1
        words = text[begin:end].partition("#")[0].replace(",", " ").split() if end - begin < 1000 else ["0"]
        label = next((word for word in (words[0].lower(), words[-1].lower()) if word in _LABELS), None) if words else ""
        if label is None:
            break
        begin = end
        if not words:
            continue
        numbers = [word for word in words if word.lower() != label]
        try:
            found = [float(number) for number in numbers]
        except ValueError:
            found = []
        if not found or (not np.isfinite(found[: 2 if label == "cellsize" else 1]).all() and label[:6] != "nodata"):
            raise InputError(f"bathymetry {path}: {label} must be a number, got {' '.join(numbers)[:60]!r}")
        header[_LABELS[label]], labels[_LABELS[label]] = found[0], label
        if label == "cellsize" and len(found) > 1:
            header["step_lat"] = found[1]
    return header, labels, begin


def _count(value: float, label: str, path: Path) -> int:
    """Return a number of rows or columns."""
    if value != int(value) or value < 2:
        raise InputError(f"bathymetry {path}: {label} must be a whole number of at least 2, got {value:g}")
    return int(value)


def _numbers(text: str, path: Path) -> np.ndarray:
    """Read all numbers of a text."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how NumPy says that it met something else
        try:
            return np.fromstring(text, dtype=np.float32, sep=" ")
        except (DeprecationWarning, ValueError) as error:
            raise InputError(f"bathymetry {path}: after its header it must hold numbers alone") from error
