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
        ((0, 361), (0, 10), 10, r"by at most 360 degrees, got \(0, 361\)"),
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
    with pytest.raises(InputError, match=r"a point must be finite, got \(nan, 45.0\)"):
        GRID.cell(np.nan, 45.0)


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


@pytest.mark.parametrize(
    ("place", "lon", "lat", "sea"),
    [
        ("Denver", -105.0, 39.7, False),
        ("the Sahara", 10.0, 25.0, False),
        ("Olympic Mountains", 236.4, 47.8, False),
        ("off La Push", 235.0, 47.9, True),
        ("Hawaii, Mauna Loa", 204.4, 19.5, False),
        ("off Hilo", 205.1, 19.8, True),
        ("Honshu", 140.5, 38.5, False),
        ("off Sendai", 141.4, 38.2, True),
        ("Andes of Maule", -70.5, -36.0, False),
        ("DART 32412", 273.608, -17.975, True),
        ("Gulf of Guinea at Greenwich", 0.0, 0.0, True),
        ("London", -0.1, 51.5, False),
    ],
)
def test_coasts_are_where_they_are(place, lon, lat, sea):
    west = np.floor(lon)
    grid = Grid.over((west - 1, west + 2), (np.floor(lat) - 1, np.floor(lat) + 2), 6.0)
    depth = Bathymetry.etopo1().depth_on(grid)[grid.cell(lon, lat)]
    assert (depth > 0) == sea, (place, depth)


def test_the_nodes_of_the_packaged_file_come_out_unchanged():
    grid = Grid.over((-130.0, -120.0), (40.0, 50.0), 6.0)
    etopo = Bathymetry.etopo1()
    rows = np.flatnonzero((etopo.lat_deg > 39.99) & (etopo.lat_deg < 49.95))
    columns = np.flatnonzero((etopo.lon_deg % 360 > 229.99) & (etopo.lon_deg % 360 < 239.95))
    found = etopo.depth_on(grid)
    npt.assert_allclose(found, -etopo.elevation_m[np.ix_(rows, columns)], atol=0.05)  # positions are rounded


# --- a user's file


@pytest.mark.parametrize("names", [("lon", "lat", "elevation"), ("longitude", "latitude", "z"), ("x", "y", "Band1")])
@pytest.mark.parametrize("order", ["rising", "falling latitudes"])
@pytest.mark.parametrize("west", [0.0, -360.0])
def test_a_plane_comes_out_exactly_on_any_finer_grid(tmp_path, names, order, west):
    lat = LAT if order == "rising" else LAT[::-1]
    path = write(tmp_path / "floor.nc", LON + west, lat, names=names, values=plane(LON, lat))
    found = Bathymetry.open(path).depth_on(GRID)
    npt.assert_allclose(found, -plane(GRID.lon_deg, GRID.lat_deg), rtol=1e-6)


@pytest.mark.parametrize("spacing", [0.5, 1.0, 4.0, 7.5, 15.0, 20.0, 30.0, 60.0])
def test_a_plane_comes_out_exactly_at_any_spacing(tmp_path, spacing):
    # finer by interpolation; coarser by a mean, which for a plane is its value at the centre of the cell
    grid = Grid.over((224.0, 228.0), (40.0, 44.0), spacing)
    found = Bathymetry.open(write(tmp_path / "floor.nc", LON, LAT)).depth_on(grid)
    assert found.shape == (240 / spacing, 240 / spacing)
    npt.assert_allclose(found, -plane(grid.lon_deg, grid.lat_deg), rtol=1e-6)


def ocean(lon, lat):
    """Compute an elevation that is smooth around the globe."""
    return -4000.0 + 500.0 * np.cos(np.radians(lon)) * np.cos(np.radians(lat)[:, np.newaxis])


@pytest.mark.parametrize(
    "lon",
    [
        np.arange(-180.0, 180.1, 1.0),  # both ends the same meridian
        np.arange(0.0, 360.1, 1.0),
        np.arange(-180.0, 180.0, 1.0),
        np.arange(-179.5, 180.0, 1.0),  # centres of cells
        np.arange(0.5, 360.0, 1.0),
    ],
)
@pytest.mark.parametrize("grid_west", [-5.0, 355.0, 175.0, 220.0])
def test_a_global_file_of_any_layout_has_no_seam(tmp_path, lon, grid_west):
    lat = np.arange(-89.5, 90.0, 1.0)
    grid = Grid.over((grid_west, grid_west + 10), (20.0, 30.0), 12.0)
    found = Bathymetry.open(write(tmp_path / "globe.nc", lon, lat, values=ocean(lon, lat))).depth_on(grid)
    # bilinear interpolation of a cosine over a degree is off by at most its curvature / 8, of each direction
    npt.assert_allclose(found, -ocean(grid.lon_deg, grid.lat_deg), rtol=0, atol=2 * 500 * np.radians(1.0) ** 2 / 8)


def test_a_file_of_cells_covers_a_grid_up_to_their_edges(tmp_path):
    lon, lat = np.arange(224.125, 232.0, 0.25), np.arange(40.125, 48.0, 0.25)
    found = Bathymetry.open(write(tmp_path / "cells.nc", lon, lat)).depth_on(GRID)
    inside = np.s_[1:-1, 1:-1]
    npt.assert_allclose(found[inside], -plane(GRID.lon_deg, GRID.lat_deg)[inside], rtol=1e-6)
    # nodes on the edges are in, where the numbers are those of the outermost cells
    onto_edges = Bathymetry.open(tmp_path / "cells.nc").depth_on(Grid.over((224.0, 232.25), (40.0, 48.25), 15.0))
    npt.assert_allclose(onto_edges[[0, -1]][:, [0, -1]], -plane(lon[[0, -1]], lat[[0, -1]]), rtol=1e-6)
    # and no further: a cell more is too much, on any side
    for lon_range, lat_range, message in (
        ((223.5, 232.0), (40.0, 48.0), "spans longitudes 224.125 to 231.875 and does not cover the grid's 223.5 to"),
        ((224.0, 232.5), (40.0, 48.0), "spans longitudes 224.125 to 231.875 and does not cover the grid's 224 to"),
        ((224.0, 232.0), (39.5, 48.0), "spans latitudes 40.125 to 47.875 and does not cover the grid's 39.5 to"),
        ((224.0, 232.0), (40.0, 48.5), "spans latitudes 40.125 to 47.875 and does not cover the grid's 40 to"),
    ):
        with pytest.raises(InputError, match=message):
            Bathymetry.open(tmp_path / "cells.nc").depth_on(Grid.over(lon_range, lat_range, 10.0))


def test_packed_integers_and_either_order_of_axes(tmp_path):
    # as GEBCO packs it
    values = np.round(plane(LON, LAT)).astype(np.int16)
    for number, (axes, array) in enumerate(((("lat", "lon"), values), (("lon", "lat"), values.T))):
        path = tmp_path / f"{number}.nc"
        xr.Dataset({"elevation": (axes, array)}, coords={"lon": LON, "lat": LAT}).to_netcdf(
            path, encoding={"elevation": {"_FillValue": -32768}}
        )
        npt.assert_array_equal(Bathymetry.open(path).elevation_m, values)


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
    kelvin = xr.Dataset({"temperature": (("lat", "lon"), plane(LON, LAT), {"units": "K"})}, {"lon": LON, "lat": LAT})
    kelvin.to_netcdf(path := tmp_path / "names.nc")
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


def layouts():
    """Return files in netCDF that are no mesh of longitudes and latitudes, by what is odd about them."""
    values, coords = plane(LON, LAT), {"lon": LON, "lat": LAT}
    lon, lat = np.meshgrid(LON, LAT)
    return {
        "down": xr.Dataset({"elevation": (("lat", "lon"), values, {"positive": "down"})}, coords=coords),
        "kilometres": xr.Dataset({"elevation": (("lat", "lon"), values, {"units": "km"})}, coords=coords),
        "times": xr.Dataset({"elevation": (("time", "lat", "lon"), np.stack([values, values]))}, coords=coords),
        "curved": xr.Dataset(
            {"elevation": (("row", "column"), values)},
            coords={"lon": (("row", "column"), lon), "lat": (("row", "column"), lat)},
        ),
        "line": xr.Dataset({"elevation": (("lat",), values[:, 0])}, coords=coords),
        "words": xr.Dataset({"elevation": (("lat", "lon"), np.full(values.shape, "deep"))}, coords=coords),
        "empty": xr.Dataset({"elevation": (("lat", "lon"), values[:0])}, coords={"lon": LON, "lat": LAT[:0]}),
        "single": xr.Dataset({"elevation": (("lat", "lon"), values[:1])}, coords={"lon": LON, "lat": LAT[:1]}),
        "unplaced": xr.Dataset({"elevation": (("lat", "lon"), values)}, coords={"lat": LAT}),
        "unplaced2": xr.Dataset({"elevation": (("lat", "lon"), values)}, coords={"lon": LON}),
    }


@pytest.mark.parametrize("layout", sorted(layouts()))
def test_files_of_another_layout(tmp_path, layout):
    layouts()[layout].to_netcdf(tmp_path / f"{layout}.nc", engine="netcdf4")
    with pytest.raises(InputError, match=rf"bathymetry .*{layout}\.nc[: ]"):
        Bathymetry.open(tmp_path / f"{layout}.nc")


def test_the_digest_follows_the_numbers(tmp_path):
    first, same, other = (
        Bathymetry.open(write(tmp_path / f"{name}.nc", LON, LAT, values=plane(LON, LAT) + add))
        for name, add in (("a", 0.0), ("b", 0.0), ("c", 1.0))
    )
    assert first.digest == same.digest != other.digest


@pytest.mark.parametrize("rows", [2, 3])
def test_few_rows_from_north_to_south(tmp_path, rows):
    lat = np.linspace(49.0, 39.0, rows)
    found = Bathymetry.open(write(tmp_path / "few.nc", LON, lat)).depth_on(GRID)
    npt.assert_allclose(found, -plane(GRID.lon_deg, GRID.lat_deg), rtol=0, atol=1e-2)
