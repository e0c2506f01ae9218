"""Sea floors on grids: the packaged one, a user's own files, and what is wrong with some."""

from __future__ import annotations

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from slipcast.errors import InputError
from slipcast.physics.bathymetry import Bathymetry, Grid


def plane(lon, lat):
    """Compute an elevation that bilinear interpolation gives back exactly."""
    return -3000.0 + 20.0 * np.asarray(lat)[:, np.newaxis] - 7.0 * np.asarray(lon)


def write(path, lon, lat, *, names=("lon", "lat", "elevation"), values=None):
    """Write a user's file."""
    values = plane(lon, lat) if values is None else values
    dataset = xr.Dataset({names[2]: ((names[1], names[0]), values)}, coords={names[0]: lon, names[1]: lat})
    dataset.to_netcdf(path, engine="netcdf4")
    return path


LON, LAT = np.arange(220.0, 236.01, 0.25), np.arange(38.0, 50.01, 0.25)
GRID = Grid.over((224.0, 232.0), (40.0, 48.0), 10.0)


# --- grids


def test_a_grid_counts_its_cells_from_the_south_west():
    grid = Grid.over((-136.0, -128.0), (40.0, 48.0), 10.0)
    assert grid.shape == (48, 48)
    npt.assert_allclose(grid.lon_deg[[0, -1]], [224.0, 232.0 - 1 / 6])
    npt.assert_allclose(grid.lat_deg[[0, -1]], [40.0, 48.0 - 1 / 6])
    assert grid == GRID


def test_cells_cover_the_sphere():
    grid = Grid.over((0.0, 360.0), (-89.0, 89.0), 30.0)
    # of 4 pi R^2 the fraction sin(89 degrees); the edges lie half a cell further south
    south, north = np.radians([-89.25, 88.75])
    expected = 2 * np.pi * 6371e3**2 * (np.sin(north) - np.sin(south))
    npt.assert_allclose(grid.cell_area_m2.sum() * grid.shape[1], expected, rtol=1e-4)


@pytest.mark.parametrize("turn", [0.0, -360.0, 360.0])
def test_a_cell_by_any_branch_of_longitude(turn):
    assert GRID.cell(231.3 + turn, 45.86) == (35, 44)


def test_a_grid_across_greenwich_sees_points_on_both_sides():
    grid = Grid.over((-5.0, 5.0), (0.0, 10.0), 30.0)
    assert grid.cell(359.9, 1.0) == grid.cell(-0.1, 1.0) == (2, 10)
    assert grid.cell(0.6, 1.0) == (2, 11)
    assert grid.cell(355.0, 1.0) == (2, 0)


@pytest.mark.parametrize(
    ("lon", "lat", "spacing", "message"),
    [
        ((10, 5), (0, 10), 10, "grid longitudes must run from west to east by at most 360 degrees"),
        ((0, 10), (0, 95), 10, r"grid latitudes must rise within \[-89, 89\] degrees"),
        ((0, 10), (10, 0), 10, r"grid latitudes must rise within \[-89, 89\] degrees"),
        ((0, 10), (0, 10), 0, r"grid spacing must be in \(0, 60\] arc-minutes, got 0"),
        ((0, 10), (0, 10), 7, "grid spacing of 7 arc-minutes does not divide its longitude range of 10 degrees"),
        ((0, 10), (0, 1), 30, "does not divide its latitude range of 1 degrees into three or more whole cells"),
    ],
)
def test_grids_that_cannot_be(lon, lat, spacing, message):
    with pytest.raises(InputError, match=message):
        Grid.over(lon, lat, spacing)


def test_a_point_outside_a_grid():
    with pytest.raises(InputError, match=r"point \(200, 45\) is outside the grid, which spans longitudes 224 to 232"):
        GRID.cell(200.0, 45.0)


# --- the packaged sea floor


def test_etopo1_where_it_is_known():
    # Challenger Deep; Mount Rainier; the abyssal plain at DART 46404, which its page gives as 2,738 m
    grid = Grid.over((142.0, 143.0), (11.0, 12.0), 6.0)
    assert 9000 < Bathymetry.etopo1().depth_on(grid).max() < 11000
    grid = Grid.over((238.0, 239.0), (46.5, 47.5), 6.0)
    assert Bathymetry.etopo1().depth_on(grid).min() < -2000
    grid = Grid.over((231.0, 232.0), (45.5, 46.5), 6.0)
    npt.assert_allclose(Bathymetry.etopo1().depth_on(grid)[grid.cell(231.264, 45.857)], 2738, rtol=0.05)


@pytest.mark.parametrize("lon", [(-5.0, 5.0), (355.0, 365.0), (175.0, 185.0), (-185.0, -175.0)])
def test_no_seam(lon):
    # the same cells from two sides of a seam of the file
    grid = Grid.over(lon, (-10.0, 0.0), 6.0)
    half = Grid.over((lon[0] + 2, lon[1] - 2), (-10.0, 0.0), 6.0)
    depth = Bathymetry.etopo1().depth_on(grid)
    npt.assert_array_equal(depth[:, 20:-20], Bathymetry.etopo1().depth_on(half))
    assert np.abs(np.diff(depth, axis=1)).max() < 5000


# --- a user's file


@pytest.mark.parametrize("names", [("lon", "lat", "elevation"), ("longitude", "latitude", "z"), ("x", "y", "Band1")])
@pytest.mark.parametrize("order", ["rising", "falling latitudes"])
@pytest.mark.parametrize("west", [0.0, -360.0])
def test_a_plane_comes_out_exactly_on_any_finer_grid(tmp_path, names, order, west):
    lat = LAT if order == "rising" else LAT[::-1]
    path = write(tmp_path / "floor.nc", LON + west, lat, names=names, values=plane(LON, lat))
    found = Bathymetry.open(path).depth_on(GRID)
    npt.assert_allclose(found, -plane(GRID.lon_deg, GRID.lat_deg), rtol=1e-6)


def test_a_coarser_grid_takes_means(tmp_path):
    lon, lat = np.arange(220.0, 236.01, 0.05), np.arange(38.0, 50.01, 0.05)
    rng = np.random.default_rng(1)
    values = rng.normal(-3000.0, 300.0, (lat.size, lon.size))
    bathymetry = Bathymetry.open(write(tmp_path / "floor.nc", lon, lat, values=values))
    coarse = Grid.over((224.0, 232.0), (40.0, 48.0), 30.0)
    found = bathymetry.depth_on(coarse)
    row, column = 5, 7
    within = [
        np.abs(axis - centre) < 0.24 for axis, centre in ((lat, coarse.lat_deg[row]), (lon, coarse.lon_deg[column]))
    ]
    expected = -values[np.ix_(*within)].mean()
    # a mean of about a hundred nodes is near that of another set of nearly the same nodes, and not near one node
    assert abs(found[row, column] - expected) < 300 / np.sqrt(within[0].sum() * within[1].sum())
    assert found.std() < 0.25 * 300


@pytest.mark.parametrize(
    ("lon", "lat", "message"),
    [
        (LON[LON < 230], LAT, "spans longitudes 220 to 229.75 and does not cover the grid's 224 to 231.833"),
        (LON, LAT[LAT > 41], "spans latitudes 41.25 to 50 and does not cover the grid's 40 to 47.8333"),
    ],
)
def test_a_file_that_does_not_cover_the_grid(tmp_path, lon, lat, message):
    path = write(tmp_path / "small.nc", lon, lat)
    with pytest.raises(InputError, match=f"bathymetry small.nc {message}"):
        Bathymetry.open(path).depth_on(GRID)


def test_files_that_are_no_sea_floor(tmp_path):
    with pytest.raises(InputError, match=r"no bathymetry file .*nowhere.nc"):
        Bathymetry.open(tmp_path / "nowhere.nc")
    (tmp_path / "text.nc").write_text("depth 3000 m\n")
    with pytest.raises(InputError, match=r"bathymetry .*text.nc cannot be read as netCDF"):
        Bathymetry.open(tmp_path / "text.nc")
    whole = write(tmp_path / "whole.nc", LON, LAT).read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"bathymetry .*cut.nc cannot be read as netCDF"):
        Bathymetry.open(tmp_path / "cut.nc")
    path = write(tmp_path / "names.nc", LON, LAT, names=("lon", "lat", "temperature"))
    with pytest.raises(InputError, match=r"has no elevation: looked for elevation, .*, found .*temperature"):
        Bathymetry.open(path)
    path = write(tmp_path / "uneven.nc", LON**2, LAT)
    with pytest.raises(InputError, match="its longitudes must rise by a constant step"):
        Bathymetry.open(path)
    values = plane(LON, LAT)
    values[3, 5] = np.nan
    path = write(tmp_path / "gap.nc", LON, LAT, values=values)
    with pytest.raises(InputError, match=r"has a gap at longitude 221.25, latitude 38.75; fill it first"):
        Bathymetry.open(path)


def test_the_digest_follows_the_numbers(tmp_path):
    first, same, other = (
        Bathymetry.open(write(tmp_path / f"{name}.nc", LON, LAT, values=plane(LON, LAT) + add))
        for name, add in (("a", 0.0), ("b", 0.0), ("c", 1.0))
    )
    assert first.digest == same.digest != other.digest
