"""Records in the package."""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np

from slipcast.errors import unknown_name
from slipcast.records.records import Records

__all__ = ["PACKAGED", "packaged_records"]

PACKAGED = ("cascadia-simulation", "chile2010")
"""Names of the packaged records."""

_EPICENTRE = [287.102, -36.122]  # USGS, of the Mw 8.8 Maule earthquake


def packaged_records(name: str) -> Records:
    """Return records that are carried in the package.

    Parameters
    ----------
    name : str
        ``"chile2010"``: DART 32412 during the Maule tsunami of 2010-02-27, tide removed.
        ``"cascadia-simulation"``: a simulated earthquake of Mw 8.9 as the DARTs of Cascadia would record it, with noise
        of 1.5 mm; it has no origin time.

    Returns
    -------
    records : Records
        Samples a minute apart where the buoy sent them, else every 15 minutes. What is simulated has the attribute
        ``simulation`` 1, and its true ``magnitude``.

    Raises
    ------
    InputError
        If there is no such record.

    Notes
    -----
    Chile: NOAA data (NDBC), detided by the authors of GeoClaw and shipped with clawpack; see ``data/README.md``.

    Examples
    --------
    >>> records = packaged_records("chile2010")
    >>> print(records.gauges, f"{float(records.sea_level.sel(time=slice(11000, 13000)).max()):.2f} m")
    ['32412'] 0.23 m
    """
    if name not in PACKAGED:
        raise unknown_name("packaged record", name, PACKAGED)
    if name == "cascadia-simulation":
        with as_file(files("slipcast").joinpath("data/cascadia_simulation.nc")) as path:
            return Records.open(path)
    table = np.loadtxt(files("slipcast").joinpath("data/chile2010_32412.txt").open(encoding="utf-8"))
    time, first = np.unique(table[:, 0], return_index=True)
    records = Records.from_arrays(
        time,
        table[first, 1][np.newaxis],
        gauges=["32412"],
        lon_deg=[273.608],
        lat_deg=[-17.989],
        origin_time="2010-02-27T06:34:14Z",
        title="Chile 2010, DART 32412",
    )
    return Records(records.dataset.assign_attrs(epicentre=_EPICENTRE))
