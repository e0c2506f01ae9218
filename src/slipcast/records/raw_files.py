"""Raw files of any kind: what can be read of them as series, a station each, and why the rest cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from slipcast.errors import InputError, unknown_name
from slipcast.io.netcdf import read_netcdf
from slipcast.records.dart import DartSeries, merge_series, read_stations, station_of
from slipcast.records.origin import parse_origin
from slipcast.records.quality import QualitySettings
from slipcast.records.samples import spacing_intervals

__all__ = ["check_heights", "read_files"]


def read_files(
    files: Sequence[Path], station: str | None, origin: np.datetime64, settings: QualitySettings
) -> tuple[list[DartSeries], dict[str, InputError]]:
    """Read files, and join those of one station.

    Parameters
    ----------
    files : sequence of path
        NDBC text, tables, or records (netCDF) with their heights.
    station : str or None
        Whose they are, or which of them is read; None: each says it.
    origin : datetime64
        Of the earthquake, UTC.
    settings : QualitySettings
        Which heights a water column can have.

    Returns
    -------
    series : list of DartSeries
        One a station, in the order in which they first come. A file that cannot be read beside others of its station is
        among what is ``left_out`` of it.
    reasons : dict of str to InputError
        Why others have none, by station, or by file where that is not known.
    """
    parts: dict[str, list[DartSeries]] = {}
    failed: list[tuple[str, Path, InputError]] = []
    for file in files:
        try:
            found = _read_any(file, station, origin)
        except InputError as error:
            failed.append((_name_of(file, station), file, error))
            continue
        for series in found:
            try:
                check_heights(series, settings)
                parts.setdefault(series.station, []).append(series)
            except InputError as error:
                failed.append((series.station, file, error))
    joined: list[DartSeries] = []
    reasons: dict[str, InputError] = {}
    for name, file, reason in failed:
        if name not in parts:
            reasons[file.name if name in reasons else name] = reason
    for name, of_station in parts.items():
        try:
            whole = merge_series(of_station)
        except InputError as error:
            reasons[name] = error
            continue
        notes = tuple(str(reason) for other, _, reason in failed if other == name)
        joined.append(replace(whole, left_out=(*whole.left_out, *notes)))
    return joined, reasons


def check_heights(series: DartSeries, settings: QualitySettings) -> None:
    """Refuse a record that has its tide and no height of a water column; InputError."""
    height_m = series.height_m[np.isfinite(series.height_m)]
    if series.tide_removed or not height_m.size:
        return
    if not ((height_m >= settings.lowest_m) & (height_m <= settings.highest_m)).any():
        raise InputError(
            f"record of {series.station}: none of its {height_m.size} heights is from {settings.lowest_m:g} to "
            f"{settings.highest_m:g} m, their median is {np.median(height_m):.3f}: are these metres of a water column? "
            "(a table of sea level without tide has a column residual_m)"
        )


def _name_of(path: Path, station: str | None) -> str:
    """Name what a file that cannot be read is of: its station, or else the file."""
    try:
        return station or (path.name if path.suffix == ".nc" else station_of(path))
    except InputError:
        return path.name


def _read_any(path: Path, station: str | None, origin: np.datetime64) -> list[DartSeries]:
    """Read one file of any kind as series."""
    if path.suffix != ".nc":
        return read_stations(path, station=station, origin=origin)
    found = _series_of_netcdf(path)
    chosen = [each for each in found if station in (None, each.station)]
    if not chosen:
        raise unknown_name("station", str(station), [each.station for each in found], where=f"in {path}")
    return chosen


def _series_of_netcdf(path: Path) -> list[DartSeries]:
    """Take raw heights back out of records."""
    dataset = read_netcdf(path, "records")
    if "height" not in dataset or not dataset.attrs.get("origin_time"):
        raise InputError(f"{path} holds records without raw heights; it can be inverted as it is")
    begin = parse_origin(dataset.attrs["origin_time"])
    clock = begin + np.round(dataset["time"].to_numpy()).astype("timedelta64[s]")
    found = []
    for row, name in enumerate(dataset["gauge"].to_numpy()):
        of_gauge = dataset.isel(gauge=row)
        height_m = of_gauge["height"].to_numpy()
        sent = np.isfinite(height_m)
        interval = spacing_intervals(clock[sent])
        left_out = str(of_gauge["left_out"].item()) if "left_out" in dataset else ""
        detided = bool(of_gauge["detided"].item()) if "detided" in dataset else False
        notes = (left_out,) if left_out else ()
        found.append(DartSeries(str(name), clock[sent], height_m[sent].astype(float), interval, notes, detided))
    return found
