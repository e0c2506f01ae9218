"""Benchmarks of the mixture: records out of distribution, and the dips of unit sources beside an interface."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from benchmarks.accuracy.mixture import examples_of
from benchmarks.studies.interface_dips import compared, interface_dip_deg, more_slip

from slipcast.geodesy import EARTH_RADIUS_M
from slipcast.physics.unit_sources import catalogue

GAUGES = ["46404", "46419"]


def test_examples_begin_where_slip_does_and_are_scored_elsewhere(small_bank, small_set):
    levels = small_set.load_records(GAUGES, 45).to_numpy()
    examples = examples_of(small_set, levels, GAUGES, small_bank)
    assert len(examples) == len(small_set)
    slip, onset = (small_set.dataset[name].to_numpy() for name in ("slip", "onset"))
    for number in (0, 5):
        example = examples[number]
        npt.assert_array_equal(example.records.sea_level, levels[number])
        first = np.flatnonzero((slip[number] > 0) & (onset[number] == onset[number][slip[number] > 0].min()))
        lon, lat = example.records.dataset.attrs["epicentre"]
        assert (lon, lat) in {(small_bank.subfaults.lon_deg[at], small_bank.subfaults.lat_deg[at]) for at in first}
        assert set(example.highest_m) == set(small_set.gauges) - set(GAUGES)
        name = next(iter(example.highest_m))
        true = small_set.dataset["records"].sel(gauge=name)[number]
        npt.assert_allclose(example.highest_m[name], np.nanmax(true))
    off = [example.first_magnitude - example.magnitude for example in examples]
    assert np.ptp(off) > 0.3
    assert min(example.first_magnitude for example in examples) >= 7.0


def plane(dip_deg: float) -> xr.DataArray:
    """Return an interface that dips to the east between Japan and Kamchatka, depths as Slab2 has them."""
    lat, lon = np.arange(34.0, 50.0, 0.1), np.arange(138.0, 160.0, 0.1)
    east_km = np.radians(lon - lon[0]) * np.cos(np.radians(lat))[:, np.newaxis] * EARTH_RADIUS_M / 1e3
    return xr.DataArray(-np.tan(np.radians(dip_deg)) * east_km, dims=("y", "x"), coords={"y": lat, "x": lon})


@pytest.mark.parametrize("sign", [1, -1])
def test_dip_of_an_interface(sign):
    lat = np.arange(0.0, 4.0, 0.1)
    depth_km = sign * np.tan(np.radians(12.0)) * np.radians(lat) * EARTH_RADIUS_M / 1e3
    north = xr.DataArray(
        np.tile(depth_km[:, np.newaxis], (1, 5)), dims=("y", "x"), coords={"y": lat, "x": np.arange(5)}
    )
    npt.assert_allclose(interface_dip_deg(north), 12.0, rtol=1e-3)


def test_an_interface_of_half_the_dip_takes_the_more_slip():
    pairs = compared(plane(10.0), "ki")
    assert len(pairs) > 40
    assert {source.row for source, _ in pairs} == {"a", "b"}
    sources = [source for source, _ in pairs]
    assert all(source.name in catalogue() for source in sources)
    npt.assert_allclose(more_slip([(source, source.dip_deg) for source in sources]), 0.0, atol=1e-12)
    found = more_slip(
        [(source, np.degrees(0.5 * np.arcsin(0.5 * np.sin(2 * np.radians(source.dip_deg))))) for source in sources]
    )
    npt.assert_allclose(found, np.log(2.0))
