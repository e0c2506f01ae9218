"""The command line's verbs ``records``: records of buoys, fetched and made ready for an inversion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from slipcast.cli.console import print_json, say, write_line
from slipcast.cli.options import Epicentre, Json, Out, group, parse_names
from slipcast.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slipcast.records import Records, TideMethod
    from slipcast.records.read import ShakingChoice

__all__ = ["records_app"]

records_app = group("Records of buoys, made ready for an inversion.")


@records_app.command("read")
def read(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="NDBC text, tables, or records with heights.")],
    origin: Annotated[str, typer.Option(help="Time of the earthquake, such as 2011-03-11T05:46:24Z.")],
    out: Out = Path("records.nc"),
    epicentre: Epicentre = None,
    station: Annotated[
        str | None, typer.Option(help="Whose the files are, where neither a column nor their names say it.")
    ] = None,
    magnitude: Annotated[
        float | None, typer.Option(help="Mw, the largest that is likely; by default the rupture may be of any length.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Whose gauges stand where no table has them.")] = None,
    positions: Annotated[
        list[str] | None, typer.Option("--position", metavar="STATION=LON,LAT", help="Of a station; repeatable.")
    ] = None,
    stations: Annotated[
        Path | None, typer.Option(help="A table (CSV) station,lon_deg,lat_deg,start,end, before the packaged one.")
    ] = None,
    tide: Annotated[str, typer.Option(help="short, from the hours before a wave; harmonic, from days.")] = "short",
    shaking: Annotated[
        str, typer.Option(help="find and mask it, keep it, or STATION=MIN,...: mask up to a minute.")
    ] = "find",
    until: Annotated[float | None, typer.Option(help="Use samples up to this minute after the origin only.")] = None,
    as_json: Json = False,
) -> None:
    """Read the records of buoys: quality control, shaking masked, tide removed; all of it is kept.

    A buoy that cannot be used is left out, with a warning that says why, where others can.

    A station stands where NOAA's table of deployments, in the package, has it on the day of the earthquake.

    Example: slipcast records read 21418.txt --origin 2011-03-11T05:46:24Z --epicentre 142.4 38.3
    """
    from slipcast.io.atomic import check_target
    from slipcast.records import read_records

    check_target(out)
    found = read_records(
        *files,
        origin=origin,
        station=station,
        region=region,
        positions=_positions(positions or []),
        deployments=stations,
        epicentre=epicentre,
        magnitude=magnitude,
        tide=cast("TideMethod", tide),
        shaking=_shaking(shaking),
        until_min=until,
    )
    found.save(out)
    summary = [_summary(found, gauge) for gauge in found.gauges]
    if as_json:
        missing = [{"gauge": name, "samples": 0, "left_out": why} for name, why in found.gauges_left_out.items()]
        print_json(summary + missing)
        return
    for row in summary:
        came = ", came without tide" if row["tide"] == "none" else ""
        shaken = "" if row["shaking_min"] is None else ", shaking from {:.0f} to {:.0f} min".format(*row["shaking_min"])
        flagged = "".join(f", {number} flagged {test}" for test, number in row["flagged"].items())
        scatter = "" if row["scatter_mm"] is None else f", scatter before the origin {row['scatter_mm']:.1f} mm"
        write_line(
            f"{row['gauge']}: {row['samples']} samples from {row['first_h']:.1f} to {row['last_h']:.1f} h"
            f"{came}{scatter}{shaken}{flagged}"
        )
        if row["left_out"]:
            say(f"{row['gauge']}: left out: {row['left_out']}")
    write_line(str(out))


def _positions(texts: list[str]) -> dict[str, tuple[float, float]]:
    """Read ``21418=148.698,38.718``."""
    found = {}
    for text in texts:
        station, _, place = text.partition("=")
        try:
            lon, lat = (float(part) for part in place.split(","))
        except ValueError:
            raise InputError(f"--position must be STATION=LON,LAT, got {text!r}") from None
        found[station] = (lon, lat)
    return found


def _shaking(text: str) -> ShakingChoice | Mapping[str, float]:
    """Read ``find``, ``keep`` or ``21418=20,21401=30``."""
    if "=" not in text:
        return cast("ShakingChoice", text)
    found = {}
    for part in parse_names(text) or []:
        station, _, minutes = part.partition("=")
        try:
            found[station] = float(minutes)
        except ValueError:
            raise InputError(f"--shaking must be find, keep or STATION=MINUTES, got {part!r}") from None
    return found


def _summary(records: Records, gauge: str) -> dict[str, Any]:
    """Say what became of the record of a gauge."""
    import numpy as np

    from slipcast.records import flag_summary

    of_gauge = records.dataset.sel(gauge=gauge)
    sent = np.isfinite(of_gauge["height"].to_numpy())
    before = of_gauge["sea_level"].to_numpy()[(records.time_s < 0) & (records.time_s > -6 * 3600)]
    span = [float(of_gauge[f"shaking_{end}"]) / 60 for end in ("start", "end")]
    flags = flag_summary(of_gauge["flag"].to_numpy()[sent], records.time_s[sent])
    return {
        "gauge": gauge,
        "samples": int(sent.sum()),
        "first_h": float(records.time_s[sent][0]) / 3600,
        "last_h": float(records.time_s[sent][-1]) / 3600,
        "scatter_mm": 1e3 * float(np.nanstd(before)) if np.isfinite(before).any() else None,
        "shaking_min": span if np.isfinite(span).all() else None,
        "flagged": {str(row["test"]): int(row["number"]) for row in flags if row["test"] != "shaking"},
        "tide": "none" if of_gauge["detided"] else str(records.dataset.attrs["tide_method"]),
        "position": [float(of_gauge["gauge_lon"]), float(of_gauge["gauge_lat"]), str(of_gauge["position_from"].item())],
        "left_out": str(of_gauge["left_out"].item()),
    }


@records_app.command("fetch")
def fetch(
    station: Annotated[str, typer.Argument(help="A DART, by its number.")],
    start: Annotated[str, typer.Option(help="UTC, such as 2011-03-10.")],
    end: Annotated[str, typer.Option(help="UTC.")],
    out: Annotated[Path | None, typer.Option("--out", help="Where to write; by default STATION.txt.")] = None,
    address: Annotated[str, typer.Option(help="Of NDBC, or of one that has its files.")] = "https://www.ndbc.noaa.gov",
) -> None:
    """Fetch the record of a buoy from NDBC, as text for 'slipcast records read'.

    Example: slipcast records fetch 21418 --start 2011-03-10 --end 2011-03-13
    """
    from slipcast.records import fetch_dart, parse_origin

    target = Path(f"{station}.txt") if out is None else out
    first, last = parse_origin(start, what="--start"), parse_origin(end, what="--end")
    write_line(str(fetch_dart(station, first, last, target, address=address)))
