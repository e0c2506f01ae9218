"""Files of elevations as people have them: all spellings of one sea floor come out as the same numbers."""

from __future__ import annotations

import subprocess
import sys
import warnings

import netCDF4
import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from slipcast.errors import InputError, SlipcastWarning
from slipcast.physics import bathymetry as bathymetry_module
from slipcast.physics import elevation_files
from slipcast.physics.bathymetry import Bathymetry, BathymetryFile, Grid
from slipcast.physics.elevation_ascii import read_ascii_grid

# across the date line, where ETOPO1 has the islands of Tonga and Fiji
LON, LAT = np.arange(170.0, 190.01, 0.25), np.arange(-25.0, -9.99, 0.25)
GRID = Grid.over((172.0, 188.0), (-24.0, -12.0), 15.0)
FINE = Grid.over((176.0, 184.0), (-22.0, -16.0), 6.0)


def floor() -> np.ndarray:
    """Return elevations in whole metres, with islands."""
    lon, lat = np.meshgrid(LON, LAT)
    islands = sum(6000 * np.exp(-((lon - x) ** 2 + (lat - y) ** 2) / 0.5) for x, y in ((178, -18), (184.5, -20)))
    return np.round(-4000 + 50 * (lat + 17) - 30 * (lon - 180) + islands)


Z = floor()
LAND = Z > 0
INNER = np.s_[4:52, 8:72]  # the nodes of GRID


def dataset(values=Z, *, dims=("lat", "lon"), name="elevation", lon=LON, lat=LAT, axes=("lon", "lat"), **attrs):
    """Return a file in memory, its axes along the first and the last dimension."""
    places = ("lat", "lon") if {"lat", "lon"} <= set(dims) else dims
    return xr.Dataset({name: (dims, values, attrs)}, coords={axes[0]: (places[1], lon), axes[1]: (places[0], lat)})


def ascii_grid(*, geoclaw=False, corner=False, nodata=None) -> str:
    """Write the sea floor as text."""
    west, south = (LON[0] - 0.125, LAT[0] - 0.125) if corner else (LON[0], LAT[0])
    where = "corner" if corner else "center"
    header = {"ncols": LON.size, "nrows": LAT.size, f"xll{where}": west, f"yll{where}": south, "cellsize": 0.25}
    values = Z
    if nodata is not None:
        header["nodata_value"] = nodata
        values = np.where(LAND, nodata, Z)
    lines = [f"{value} {key}" if geoclaw else f"{key.upper()} {value}" for key, value in header.items()]
    lines += [" ".join(f"{value:.0f}" for value in row) for row in values[::-1]]
    return "\n".join(lines) + "\n"


def spellings() -> dict[str, tuple[xr.Dataset, dict]]:
    """Return files that say the same, with how they are encoded."""
    packed = {"dtype": "int16", "scale_factor": 0.5, "add_offset": -2000.0, "_FillValue": -32768}
    named = dataset(axes=("x", "y"), dims=("y", "x"))
    named["x"].attrs["units"], named["y"].attrs["units"] = "degrees_east", "degrees_north"
    odd = dataset(axes=("east", "north"), name="relief", units="meters above mean sea level")
    odd["east"].attrs["units"], odd["north"].attrs["units"] = "degreesE", "degree_north"
    projected = dataset(dims=("y", "x")).assign_coords(
        x=("x", 1e5 * LON, {"units": "m"}), y=("y", 1e5 * LAT, {"units": "m"})
    )
    more = dataset(units="m").assign(uncertainty=(("lat", "lon"), np.ones(Z.shape), {"units": "m"}), crs=0)
    return {
        "plain": (dataset(), {}),
        "packed": (dataset(), packed),
        "falling latitudes": (dataset(Z[::-1], lat=LAT[::-1]), {}),
        "falling longitudes": (dataset(Z[:, ::-1], lon=LON[::-1]), {}),
        "transposed": (dataset(Z.T, dims=("lon", "lat")), {}),
        "-180 to 180": (dataset(lon=(LON + 180) % 360 - 180), {}),
        "other branch": (dataset(lon=LON - 360), {}),
        "cut at the date line": (dataset(np.roll(Z, 41, axis=1), lon=np.roll((LON + 180) % 360 - 180, 41)), {}),
        "flags beside": (dataset(name="surface").assign(mask=(("lat", "lon"), LAND.astype("i1"))), {}),
        "underscores": (dataset(units="meters_above_mean_sea_level"), {}),
        "band": (dataset(Z[np.newaxis], dims=("band", "lat", "lon"), name="Band1"), {}),
        "time": (dataset(Z[:, np.newaxis, :], dims=("lat", "time", "lon")), {}),
        "x and y": (named, {}),
        "unit tells the axis": (odd, {}),
        "projected beside": (projected, {}),
        "uncertainty beside": (more, {}),
        "upper case": (dataset(axes=("Longitude", "LATITUDE"), name="Topo"), {}),
        "the only one": (dataset(name="surface"), {}),
        "float32 axes": (dataset(lon=LON.astype("f4"), lat=LAT.astype("f4")), {}),
        "positive down": (dataset(-Z, positive="down"), {}),
        "depth by name": (dataset(-Z, name="depth"), {}),
        "depth by long name": (dataset(-Z, name="z", long_name="Depth of the sea floor"), {}),
        "depth by unit": (dataset(-Z, name="z", units="m below sea level"), {}),
        "depth by standard name": (dataset(-Z, name="z", standard_name="sea_floor_depth_below_mean_sea_level"), {}),
        "height by standard name": (dataset(name="depth", standard_name="height_above_mean_sea_level"), {}),
        "classic": (dataset(Z.astype("i2")), {"format": "NETCDF3_CLASSIC"}),
    }


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("spelling", sorted(spellings()))
def test_every_spelling_of_a_sea_floor(tmp_path, monkeypatch, spelling, lazy):
    file, how = spellings()[spelling]
    kind = {"format": how.pop("format")} if "format" in how else {}
    name = next(n for n in file.data_vars if file[n].ndim > 1)
    file.to_netcdf(tmp_path / "floor.nc", encoding={name: how}, **kind)
    if lazy:
        monkeypatch.setattr(bathymetry_module, "_WHOLE_NODES", 0)
    found = Bathymetry.open(tmp_path / "floor.nc")
    assert isinstance(found, BathymetryFile) == lazy
    npt.assert_array_equal(found.elevation_m, Z)
    npt.assert_allclose(found.lon_deg % 360, LON, rtol=0, atol=1e-12)
    npt.assert_array_equal(found.depth_on(GRID), -Z[INNER])


@pytest.mark.parametrize("cells", [False, True])
def test_a_grid_of_old_gmt(tmp_path, cells):
    half = 0.125 if cells else 0.0
    ends = [("side", [axis[0] - half, axis[-1] + half]) for axis in (LON, LAT)]
    size = ("side", np.array([LON.size, LAT.size], "i4"))
    z = ("xysize", Z[::-1].astype("f4").ravel(), {"node_offset": np.int32(cells)})
    xr.Dataset({"x_range": ends[0], "y_range": ends[1], "dimension": size, "z": z}).to_netcdf(tmp_path / "gmt.grd")
    found = Bathymetry.open(tmp_path / "gmt.grd")
    npt.assert_array_equal(found.elevation_m, Z)
    npt.assert_allclose(found.lon_deg, LON)
    npt.assert_allclose(found.lat_deg, LAT)
    short = xr.Dataset({"x_range": ends[0], "y_range": ends[1], "dimension": size, "z": ("xysize", np.zeros(9))})
    short.to_netcdf(tmp_path / "short.grd")
    with pytest.raises(InputError, match=r"short.grd: z must have 81 x 61 numbers, got 9"):
        Bathymetry.open(tmp_path / "short.grd")


@pytest.mark.parametrize("corner", [False, True])
@pytest.mark.parametrize("geoclaw", [False, True])
def test_text(tmp_path, geoclaw, corner):
    (tmp_path / "floor.txt").write_text(ascii_grid(geoclaw=geoclaw, corner=corner))
    found = Bathymetry.open(tmp_path / "floor.txt")
    npt.assert_array_equal(found.elevation_m, Z)
    npt.assert_allclose(found.lon_deg, LON)
    npt.assert_allclose(found.lat_deg, LAT)
    npt.assert_array_equal(found.depth_on(GRID), -Z[INNER])


def test_text_of_cells_that_are_not_square(tmp_path):
    (tmp_path / "floor.txt").write_text(ascii_grid().replace("CELLSIZE 0.25", "CELLSIZE 0.25 0.5"))
    lon_deg, lat_deg, elevation_m = read_ascii_grid(tmp_path / "floor.txt")
    npt.assert_allclose(lon_deg, LON)
    npt.assert_allclose(lat_deg, LAT[0] + 0.5 * np.arange(LAT.size)[::-1])
    npt.assert_array_equal(elevation_m, Z[::-1])


def test_text_whose_lines_are_of_other_lengths(tmp_path):
    # topotype 2: a number a line; dx and dy on their own; GeoClaw's xlower is a node
    header = f"{LON.size} mx\n{LAT.size} my\n{LON[0]} xlower\n{LAT[0]} ylower\n0.25 dx\n0.25 dy\n\n"
    (tmp_path / "floor.tt2").write_text(header + "\n".join(f"{value:.0f}" for value in Z[::-1].ravel()))
    found = Bathymetry.open(tmp_path / "floor.tt2")
    npt.assert_array_equal(found.elevation_m, Z)
    npt.assert_allclose((found.lon_deg[0], found.lat_deg[0]), (LON[0], LAT[0]))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("NROWS 61", "NROWS 60", "must have 60 rows of 81 numbers after its header, 4860 in all, got 4941"),
        ("NROWS 61", "NROWS many", "nrows must be a number, got 'many'"),
        ("NROWS 61", "NROWS 1", "nrows must be a whole number of at least 2, got 1"),
        ("CELLSIZE 0.25", "CELLSIZE 0", "cellsize must be > 0 degrees, got 0"),
        ("CELLSIZE 0.25\n", "", "nor as an ESRI ASCII grid: its header lacks cellsize"),
        ("XLLCENTER 170.0", "XLLCENTER 600000", "its longitudes must be degrees, got 600000 to 600020"),
        ("CELLSIZE 0.25", "CELLSIZE 10", "its longitudes must be degrees, got 170 to 970"),
        ("CELLSIZE 0.25\n", "CELLSIZE 0.25\nwater ", "after its header it must hold numbers alone"),
    ],
)
def test_texts_that_are_no_grid(tmp_path, old, new, message):
    text = ascii_grid()
    assert old in text
    (tmp_path / "floor.asc").write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        Bathymetry.open(tmp_path / "floor.asc")


def test_a_tiff_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "floor.tif").write_bytes(b"II*\0" + bytes(100))
    with pytest.raises(InputError, match=r"floor.tif is a TIFF; bring it to netCDF first: gdal_translate -of netCDF"):
        Bathymetry.open(tmp_path / "floor.tif")


# --- axes


def test_rounded_axes_are_the_even_ones(tmp_path):
    # 15 arc-seconds with four decimals: steps of 0.0041 and 0.0042
    lon, lat = 180 + np.arange(241) / 240, -20 + np.arange(241) / 240
    values = -3000 + 500 * (lat[:, np.newaxis] - lon + 200)
    dataset(values, lon=lon.round(4), lat=lat.round(4)).to_netcdf(tmp_path / "rounded.nc")
    found = Bathymetry.open(tmp_path / "rounded.nc")
    npt.assert_allclose(found.lon_deg, lon, rtol=0, atol=5e-6)
    npt.assert_allclose(found.lat_deg, lat, rtol=0, atol=5e-6)
    grid = Grid.over((180.1, 180.9), (-19.9, -19.1), 1.0)
    expected = 3000 - 500 * (grid.lat_deg[:, np.newaxis] - grid.lon_deg + 200)
    npt.assert_allclose(found.depth_on(grid), expected, rtol=0, atol=0.01)  # 500 m a degree times the 5e-6 above, twice


@pytest.mark.parametrize(
    ("lon", "message"),
    [
        (LON + 0.05 * np.sin(LON), "its longitudes must rise by a constant step, got 1"),
        (np.where(LON > 180, LON + 0.25, LON), "its longitudes must rise by a constant step"),
        (np.where(LON == 180, np.nan, LON), "rise by a constant step, got 81 numbers, some of them NaN"),
        (LON * 1e5, "its longitudes must be degrees, got 1.7e"),
        (np.roll(LON, 7), "its longitudes must rise by a constant step"),
    ],
)
def test_axes_that_are_uneven(tmp_path, lon, message):
    dataset(lon=lon).to_netcdf(tmp_path / "floor.nc")
    with pytest.raises(InputError, match=message):
        Bathymetry.open(tmp_path / "floor.nc")


def test_a_global_file_that_begins_anywhere(tmp_path):
    lat = np.arange(-89.5, 90)
    for west in (20, 180, -75):
        lon = (west + np.arange(360) + 180.5) % 360 - 180
        values = -4000 + 500 * np.cos(np.radians(lon)) * np.cos(np.radians(lat[:, np.newaxis]))
        dataset(values, lon=lon, lat=lat).to_netcdf(path := tmp_path / f"{west}.nc")
        grid = Grid.over((west - 6.0, west + 6.0), (-10.0, 10.0), 30.0)
        expected = 4000 - 500 * np.cos(np.radians(grid.lon_deg)) * np.cos(np.radians(grid.lat_deg[:, np.newaxis]))
        npt.assert_allclose(Bathymetry.open(path).depth_on(grid), expected, rtol=0, atol=0.04)


# --- which variable, and which way is up


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (
            dataset(name="a", units="m").assign(b=(("lat", "lon"), Z, {"units": "m"})),
            r"must have one elevation, got a, b; leave the one that is meant",
        ),
        (dataset(units="fathoms"), "elevation must be in m, got 'fathoms'"),
        (dataset(units="m s-1"), "elevation must be in m, got 'm s-1'"),
        (dataset(positive="west"), "positive of elevation must be up or down, got 'west'"),
        (
            dataset(positive="up", standard_name="depth"),
            "elevation must be either an elevation or a depth, got positive = 'up', standard_name = 'depth'",
        ),
        (
            dataset(np.abs(Z) + 1),
            "has no sea: if its numbers are depths, it needs the attribute positive = 'down', or in a text another",
        ),
        (
            dataset(-np.abs(Z), positive="down"),
            "has no sea: if its numbers are elevations, it needs the attribute positive = 'up'",
        ),
        (
            dataset(-Z, name="z"),
            r"has land at 100% of the places where ETOPO1 has deep sea, as at longitude 170, latitude -2",
        ),
        (
            dataset(-Z, positive="up"),
            r"ETOPO1 has deep sea, .*: if its numbers are depths, it needs .* positive = 'down'",
        ),
        (dataset(-2.1 * Z, name="z"), r"not an elevation of the earth.*; if its numbers are depths, it needs"),
        (dataset(name="t", units="K"), "has no elevation: looked for"),
    ],
)
def test_files_that_do_not_say_what_they_hold(tmp_path, file, message):
    file.to_netcdf(tmp_path / "floor.nc")
    with pytest.raises(InputError, match=message):
        Bathymetry.open(tmp_path / "floor.nc")


def test_axes_in_metres(tmp_path):
    file = dataset(lon=LON * 1e5, lat=LAT * 1e5, axes=("x", "y"), dims=("y", "x"))
    file["x"].attrs["units"] = file["y"].attrs["units"] = "m"
    file.to_netcdf(tmp_path / "utm.nc")
    with pytest.raises(
        InputError, match=r"no longitude in degrees along one dimension: looked for .*, x is in 'm'|found x is in 'm'"
    ):
        Bathymetry.open(tmp_path / "utm.nc")


# --- fill values and gaps


@pytest.mark.parametrize("fill", [-32768, 32767, -9999, -99999])
def test_a_fill_value_that_is_not_declared(tmp_path, fill):
    values = np.where(LAND, fill, Z).astype("i2" if abs(fill) < 4e4 else "i4")
    dataset(values).to_netcdf(tmp_path / "floor.nc")
    row, column = np.argwhere(LAND)[0]
    place = f"longitude {LON[column]:g}, latitude {LAT[row]:g}"
    with pytest.raises(InputError, match=rf"floor.nc has {fill} at {place} \(and at \d+ more nodes\), which is not"):
        Bathymetry.open(tmp_path / "floor.nc")


def test_an_undeclared_fill_value_of_packed_numbers(tmp_path):
    values = np.where(LAND, -32768, np.round(Z / 0.2)).astype("i2")  # unpacked -6553.6 m, a depth of some sea
    dataset(values, scale_factor=0.2).to_netcdf(tmp_path / "floor.nc")
    with pytest.raises(
        InputError, match=r"has -6553.6 at .* which is not likely at its place; declare it as _FillValue"
    ):
        Bathymetry.open(tmp_path / "floor.nc")


def test_numbers_beyond_the_earth(tmp_path):
    dataset(np.where(LAND, 9500.0, Z)).to_netcdf(tmp_path / "floor.nc")
    with pytest.raises(InputError, match=r"has 9500 at longitude .* which is not an elevation of the earth"):
        Bathymetry.open(tmp_path / "floor.nc")


def test_a_trench_that_is_as_deep_as_a_fill_value(tmp_path):
    values = -9999.0 + 20.0 * np.hypot(*np.meshgrid(LON - 180, LAT + 17)) ** 2
    dataset(np.round(values)).to_netcdf(tmp_path / "trench.nc")
    npt.assert_array_equal(Bathymetry.open(tmp_path / "trench.nc").elevation_m, np.round(values))


GAPPY = {
    "NaN": (np.where(LAND, np.nan, Z), {}),
    "declared": (np.where(LAND, np.nan, Z), {"dtype": "int16", "_FillValue": -32768}),
    "missing_value": (np.where(LAND, np.nan, Z), {"dtype": "int16", "missing_value": 999, "_FillValue": 999}),
}


@pytest.mark.parametrize("kind", [*GAPPY, "text"])
def test_a_file_of_the_sea_alone(tmp_path, kind):
    if kind == "text":
        (tmp_path / "floor").write_text(ascii_grid(nodata=-9999))
    else:
        values, how = GAPPY[kind]
        dataset(values).to_netcdf(tmp_path / "floor", encoding={"elevation": how}, engine="netcdf4")
    row, column = np.argwhere(LAND)[0]
    place = f"longitude {LON[column]:g}, latitude {LAT[row]:g}"
    message = rf"has no number at {LAND.sum()} nodes, the first at {place}; they are taken for land, with the heights"
    with pytest.warns(SlipcastWarning, match=message):
        found = Bathymetry.open(tmp_path / "floor")
    npt.assert_array_equal(found.elevation_m[~LAND], Z[~LAND])
    assert (found.elevation_m[LAND] >= 1).all()
    npt.assert_array_equal(found.depth_on(GRID) > 0, Z[INNER] < 0)


def test_land_that_is_left_out_gets_the_heights_of_etopo1(tmp_path):
    etopo = Bathymetry.etopo1()
    rows = np.flatnonzero((etopo.lat_deg > -18.55) & (etopo.lat_deg < -15.95))
    columns = np.flatnonzero((etopo.lon_deg > 176.95) & (etopo.lon_deg < 179.05))  # Viti Levu and Vanua Levu
    good = etopo.elevation_m[np.ix_(rows, columns)]
    values = np.where(good > 0, np.nan, good)
    dataset(values, lon=etopo.lon_deg[columns], lat=etopo.lat_deg[rows]).to_netcdf(tmp_path / "fiji.nc")
    with pytest.warns(SlipcastWarning, match="taken for land"):
        found = Bathymetry.open(tmp_path / "fiji.nc")
    npt.assert_allclose(found.elevation_m, good, atol=1e-3)  # positions are rounded


@pytest.mark.parametrize("side", [1, 3])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        # a hole in 4 km of water
        (np.where(LAND | (np.hypot(*np.meshgrid(LON - 186, LAT + 12)) < 0.4), np.nan, Z), "has a gap at longitude 18"),
        # land is there elsewhere, so a gap is not how the file says it
        (
            np.where(LAND & (LON < 181), np.nan, Z),
            "has a gap at longitude 17.*, and numbers for land elsewhere; fill it",
        ),
    ],
)
def test_gaps_that_are_no_land(tmp_path, monkeypatch, values, message, side):
    if side > 1:  # a file so large that gaps are looked at in squares
        monkeypatch.setattr(elevation_files, "_BLOCK_NODES", values.size // 8)
    dataset(values).to_netcdf(tmp_path / "floor.nc")
    with pytest.raises(InputError, match=message):
        Bathymetry.open(tmp_path / "floor.nc")


def test_a_file_without_any_number(tmp_path):
    dataset(np.full(Z.shape, np.nan)).to_netcdf(tmp_path / "floor.nc")
    with pytest.raises(InputError, match=r"floor.nc holds no number from longitude 170, latitude -25 on"):
        Bathymetry.open(tmp_path / "floor.nc")


# --- only what is needed is read


def test_blocks_are_whole_chunks_where_these_are_small():
    blocks = list(elevation_files.blocks_of(slice(5, 100), 10, 20, n_nodes=450))
    assert [(b.start, b.stop) for b in blocks] == [(5, 40), (40, 80), (80, 100)]
    assert len(list(elevation_files.blocks_of(slice(0, 100), 10, 90, n_nodes=100))) == 10


@pytest.mark.parametrize("grid", [GRID, FINE, Grid.over((172.0, 188.0), (-24.0, -12.0), 60.0)])
def test_a_file_in_blocks_gives_the_same_depths(tmp_path, monkeypatch, grid):
    dataset(Z.astype("i2")).to_netcdf(path := tmp_path / "floor.nc", encoding={"elevation": {"chunksizes": (7, 11)}})
    whole = Bathymetry.open(path)
    monkeypatch.setattr(bathymetry_module, "_WHOLE_NODES", 0)
    monkeypatch.setattr(elevation_files, "_BLOCK_NODES", 500)
    lazy = Bathymetry.open(path)
    npt.assert_allclose(lazy.depth_on(grid), whole.depth_on(grid), rtol=0, atol=1e-3)
    npt.assert_array_equal(lazy.elevation_m, whole.elevation_m)


def test_a_file_that_is_not_read_whole_is_compared_with_etopo1_too(tmp_path):
    dataset(-Z, name="z").to_netcdf(tmp_path / "floor.nc")
    with pytest.raises(InputError, match="has land at 100% of the places where ETOPO1 has deep sea"):
        Bathymetry.open(tmp_path / "floor.nc", grids=[FINE]).depth_on(FINE)


def test_only_the_window_is_read(tmp_path, monkeypatch):
    values = Z.copy()
    values[LAT > -11] = np.nan  # outside what the grid needs
    dataset(values).to_netcdf(path := tmp_path / "floor.nc")
    monkeypatch.setattr(bathymetry_module, "_WHOLE_NODES", 0)
    read = []
    numbers = elevation_files.ElevationFile._numbers
    monkeypatch.setattr(
        elevation_files.ElevationFile, "_numbers", lambda self, *where: read.append(where) or numbers(self, *where)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        depth = Bathymetry.open(path).depth_on(FINE)
    npt.assert_allclose(depth[::5, ::5], -Z[12:36:2, 24:56:2])
    rows, columns = read[0]
    assert len(read) == 1
    assert (LAT[rows].min(), LAT[rows].max(), LON[columns].min(), LON[columns].max()) == (-22, -16, 176, 184)


MEASURE = """
import resource, sys
from slipcast.physics.bathymetry import Bathymetry, Grid
opened = Bathymetry.open(sys.argv[1])
near = opened.depth_on(Grid.over((220.0, 240.0), (36.0, 54.0), 1.0))
far = opened.depth_on(Grid.over((120.0, 295.0), (-60.0, 62.0), 6.0))
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
if sys.platform == "linux":  # where the one above begins with the memory of the process that started this one
    peak_mb = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 2**10
print(near[500, 600], far[700, 900], peak_mb)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="memory is measured by resource")
def test_memory_for_a_region_of_a_global_file(tmp_path):
    # a sixteenth of GEBCO, which is 0.9 GB as float32, and was 2 GB when read whole
    ny, nx = 10800, 21600
    with netCDF4.Dataset(tmp_path / "globe.nc", "w") as file:
        for name, count, first in (("lat", ny, -90), ("lon", nx, -180)):
            file.createDimension(name, count)
            file.createVariable(name, "f8", (name,))[:] = first + (np.arange(count) + 0.5) / 60
        chunks = {"zlib": True, "complevel": 1, "fill_value": -32767, "chunksizes": (540, 1080)}
        elevation = file.createVariable("elevation", "i2", ("lat", "lon"), **chunks)
        elevation.units = "m"
        for row in range(0, ny, 540):
            elevation[row : row + 540] = -4000
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "globe.nc")], capture_output=True, text=True, check=True
    )
    near, far, peak_mb = (float(word) for word in done.stdout.split())
    assert (near, far) == (4000, 4000)
    assert peak_mb < 700


def test_a_file_opened_for_some_grids(tmp_path):
    dataset().to_netcdf(tmp_path / "a.nc")
    far = Z.copy()
    far[0, 0] -= 100
    dataset(far).to_netcdf(tmp_path / "b.nc")
    near = Z.copy()
    near[30, 40] -= 100
    dataset(near).to_netcdf(tmp_path / "c.nc")
    a, b, c = (Bathymetry.open(tmp_path / f"{name}.nc", grids=[FINE]) for name in "abc")
    assert a.digest == b.digest != c.digest  # the digest is of what is used
    assert Bathymetry.open(tmp_path / "a.nc").digest != Bathymetry.open(tmp_path / "b.nc").digest
    npt.assert_array_equal(a.depth_on(FINE), Bathymetry.open(tmp_path / "a.nc").depth_on(FINE))
    with pytest.raises(InputError, match=r"grid must be one of those for which bathymetry a.nc was opened, got Grid"):
        a.depth_on(GRID)


def test_the_digest_of_a_file_that_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(bathymetry_module, "_WHOLE_NODES", 0)
    for name, add in (("a", 0), ("b", 0), ("c", 1)):
        dataset(Z + add).to_netcdf(tmp_path / f"{name}.nc")
    a, b, c = (Bathymetry.open(tmp_path / f"{name}.nc").digest for name in "abc")
    assert a == b != c
