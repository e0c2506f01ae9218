"""Damaged files: sealed ones are refused, those of others held against ranges, and no crash reaches the reader."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import netCDF4
import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

import slipcast as sc
from slipcast.errors import InputError
from slipcast.forecasting.forecast import Forecast
from slipcast.inversion.estimate import SlipEstimate
from slipcast.io import netcdf, probe
from slipcast.io.probe import bears_reading
from slipcast.io.seal import check_json, is_sealed, sealed_json
from slipcast.io.zarr import read_zarr, write_zarr
from slipcast.learning.posterior.posterior import NeuralPosterior
from slipcast.records import Records

CASES = Path(__file__).parents[2] / "shared" / "cases" / "files"
MODEL = Path(sc.__file__).parent / "models" / "cascadia"


def records() -> Records:
    """Return records of two gauges."""
    time_s = 60.0 * np.arange(40)
    level = 0.1 * np.sin(time_s / 500) + np.array([[0.0], [0.01]])
    return Records.from_arrays(time_s, level, gauges=["46404", "46407"], lon_deg=[231.2, 231.4], lat_deg=[45.9, 42.7])


def slip() -> SlipEstimate:
    """Return slip on two unit sources."""
    return SlipEstimate.from_slip(
        [2.0, 8.0], ["acsza58", "acszb58"], method="nnls", window_min=45, region="cascadia", gauges=["46404"]
    )


@pytest.fixture
def saved(tmp_path):
    records().save(tmp_path / "records.nc")
    return tmp_path / "records.nc"


def foreign(dataset: xr.Dataset, path: Path, kind: str) -> Path:
    """Write a dataset of a kind as another program does."""
    dataset.assign_attrs(slipcast=kind).to_netcdf(path, engine="netcdf4")
    return path


# --- seals


def test_every_byte_is_sealed(saved, monkeypatch):
    monkeypatch.setattr(netcdf, "bears_reading", lambda path: pytest.fail("the library met a damaged file"))
    whole = saved.read_bytes()
    rng = np.random.default_rng(1)
    for place in [*range(64), *rng.integers(len(whole), size=200), *range(len(whole) - 82, len(whole))]:
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << int(rng.integers(8)))]) + whole[place + 1 :])
        with pytest.raises(InputError, match=r"records\.nc (is damaged|cannot be read as netCDF)") as told:
            Records.open(saved)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("keep", [0, 1, 40, 5000, -83, -81, -1])
def test_a_file_that_is_cut(saved, keep):
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"cannot be read as netCDF: it is truncated or of another format"):
        Records.open(saved)


def test_a_file_that_has_lost_its_seal(saved):
    saved.write_bytes(saved.read_bytes()[:-82])
    with pytest.raises(InputError, match=r"records\.nc is damaged, or was changed in place: its seal is gone"):
        Records.open(saved)


def test_bytes_after_the_end_are_refused(saved):
    saved.write_bytes(saved.read_bytes() + b"\0" * 16)
    with pytest.raises(InputError, match=r"is damaged: it has \d+ bytes, its header tells of \d+"):
        Records.open(saved)


def test_other_programs_read_a_sealed_file(saved):
    assert is_sealed(saved)
    with netCDF4.Dataset(saved) as file:
        npt.assert_array_equal(file["sea_level"][:], records().sea_level)
    with xr.open_dataset(saved, engine="netcdf4") as dataset:
        npt.assert_array_equal(dataset["sea_level"], records().sea_level)


def test_a_file_that_is_changed_in_place_is_known(saved):
    with netCDF4.Dataset(saved, "a") as file:
        file["sea_level"][0, 3] = 0.25
    with pytest.raises(InputError, match=r"records\.nc is damaged, or was changed in place: its seal is gone"):
        Records.open(saved)


def test_a_copy_by_xarray_is_read_as_it_was_changed(saved, tmp_path):
    with xr.open_dataset(saved, engine="netcdf4") as dataset:
        dataset["sea_level"][0, 3] = 0.25
        dataset.to_netcdf(tmp_path / "copy.nc")
    assert float(Records.open(tmp_path / "copy.nc").sea_level[0, 3]) == 0.25


def test_a_sealed_file_opens_without_another_process(saved, monkeypatch):
    monkeypatch.setattr(netcdf, "bears_reading", lambda path: pytest.fail("another process"))
    Records.open(saved)
    sc.packaged_records("cascadia-simulation")


def test_a_seal_of_json():
    content = sealed_json({"b": [1.5, None], "a": "x"})
    assert content["seal"] == sealed_json({"a": "x", "b": (1.5, None), "seal": "other"})["seal"]
    check_json(content, Path("a.json"))
    check_json({"a": 1}, Path("a.json"))
    with pytest.raises(InputError, match=r"^a\.json is damaged: it does not match its seal \(to change it by hand"):
        check_json(content | {"a": "y"}, Path("a.json"))


def test_the_packaged_model_is_sealed(tmp_path):
    assert "seal" in json.loads((MODEL / "model.json").read_text())
    shutil.copytree(MODEL, tmp_path / "model")
    text = (tmp_path / "model" / "model.json").read_text()
    (tmp_path / "model" / "model.json").write_text(text.replace('"noise_sd_m": 0.0015', '"noise_sd_m": 0.0016'))
    with pytest.raises(InputError, match=r"model\.json is damaged: it does not match its seal"):
        NeuralPosterior.open(tmp_path / "model")


# --- folders


DATASET = xr.Dataset(
    {"slip": (("scenario", "source"), np.arange(12.0).reshape(4, 3), {"units": "m"})},
    coords={"source": ["a", "b", "c"]},
)


def test_every_file_of_a_folder_is_sealed(tmp_path):
    folder = tmp_path / "set.zarr"
    write_zarr(DATASET, folder, "scenarios")
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        consolidated = path.name in (".zattrs", ".zarray")  # of which one copy of all is read
        for place in {0, len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            if consolidated and path.parent != folder:
                xr.testing.assert_equal(read_zarr(folder, "scenarios").load(), DATASET)
                continue
            with pytest.raises(InputError, match=r"set\.zarr|checksums\.json"):
                read_zarr(folder, "scenarios").load()
        path.write_bytes(whole)
    xr.testing.assert_equal(read_zarr(folder, "scenarios").load(), DATASET)


def test_a_folder_from_before_checksums_is_read_by_its_sizes(tmp_path):
    folder = tmp_path / "set.zarr"
    write_zarr(DATASET, folder, "scenarios")
    (folder / "checksums.json").unlink()
    arrays = [path for path in folder.iterdir() if path.is_dir()]
    sizes = {path.name: sum(file.stat().st_size for file in path.iterdir()) for path in arrays}
    (folder / "sizes.json").write_text(json.dumps(sizes))
    xr.testing.assert_equal(read_zarr(folder, "scenarios").load(), DATASET)
    (folder / "sizes.json").write_text(json.dumps(sizes | {"slip": 1}))
    with pytest.raises(InputError, match=r"set\.zarr is damaged: array slip has \d+ bytes, not 1"):
        read_zarr(folder, "scenarios")
    (folder / "sizes.json").write_text("[]")
    with pytest.raises(InputError, match=r"sizes\.json is damaged: it is no list of sizes"):
        read_zarr(folder, "scenarios")


def test_a_list_of_checksums_that_is_none(tmp_path):
    folder = tmp_path / "set.zarr"
    write_zarr(DATASET, folder, "scenarios")
    (folder / "checksums.json").write_text('{"files": {}}')
    with pytest.raises(InputError, match=r"checksums\.json is damaged: it is no list of checksums"):
        read_zarr(folder, "scenarios")


# --- files of other programs


def test_files_of_other_programs_are_read(tmp_path):
    opened = Records.open(foreign(records().dataset, tmp_path / "r.nc", "records"))
    npt.assert_array_equal(opened.sea_level, records().sea_level)
    bare = xr.Dataset({"slip": ("source", [2.0, 8.0])}, coords={"source": ["acsza58", "acszb58"]})
    opened_slip = SlipEstimate.open(foreign(bare, tmp_path / "s.nc", "slip"))
    assert opened_slip.magnitude == pytest.approx(slip().magnitude, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gauge_lat": ("gauge", [4.6e229, 42.7])}, r"gauge_lat must be in \[-90, 90\], none missing, got 4\.6e\+229"),
        ({"gauge_lon": ("gauge", [np.nan, 231.0])}, r"gauge_lon must be in \[-360, 720\], none missing, got nan"),
        ({"time": 60.0 * np.arange(40)[::-1]}, r"time must rise, it does not after 2340"),
        ({"time": np.r_[60.0 * np.arange(39), 1e30]}, r"time must be in \[-3\.2e\+08, 3\.2e\+08\], none missing"),
        (
            {"sea_level": (("gauge", "time"), np.full((2, 40), 2e5))},
            r"sea_level must be in \[-12000, 12000\], got 2000",
        ),
        ({"gauge_lat": ("gauge", ["a", "b"])}, r"gauge_lat must be numbers, got (<U1|object|StringDType)"),
    ],
)
def test_numbers_that_cannot_be(tmp_path, change, message):
    path = foreign(records().dataset.assign(change), tmp_path / "r.nc", "records")
    with pytest.raises(InputError, match=rf"r\.nc is damaged, or no file of this kind: {message}"):
        Records.open(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": ["acsza58", ""]}, r"s\.nc: a unit source is named like acsza58 or ac58a, got ''"),
        ({"slip": ("source", [2.0, 7.0])}, r"s\.nc is damaged: its magnitude .* is not that of its slip"),
        ({"slip": ("source", [2.0, np.inf])}, r"slip must be in \[0, 1000\], none missing, got inf"),
        ({"slip": (("source", "x"), [[2.0], [8.0]])}, r"slip must have dimensions \(\[event,\] source\)"),
    ],
)
def test_slip_that_cannot_be(tmp_path, change, message):
    path = foreign(slip().dataset.assign(change), tmp_path / "s.nc", "slip")
    with pytest.raises(InputError, match=message):
        SlipEstimate.open(path)


def test_files_that_lack_what_they_are_of(tmp_path):
    for kind, opens, lost in (
        ("records", Records.open, "gauge, sea_level, time"),
        ("slip", SlipEstimate.open, "slip, source"),
        ("forecast", Forecast.open, "arrival_time, gauge, max_amplitude, max_time, sea_level, time"),
    ):
        path = foreign(xr.Dataset({"a": 1}), tmp_path / f"{kind}.nc", kind)
        with pytest.raises(InputError, match=rf"{kind}\.nc is an incomplete {kind} file: it lacks {lost}"):
            opens(path)


@pytest.mark.parametrize("name", ["records-54.nc", "records-240.nc", "slip-4.nc", "slip-16.nc"])
def test_damaged_files_that_were_read_as_other_numbers(name):
    if not (CASES / name).is_file():
        pytest.skip("needs ../shared/cases")
    with pytest.raises(InputError) as told:
        (Records if name.startswith("records") else SlipEstimate).open(CASES / name)
    assert "\n" not in str(told.value)


# --- a process of its own


def test_a_trial_in_another_process(tmp_path, saved):
    path = foreign(records().dataset, tmp_path / "r.nc", "records")
    assert bears_reading(path)
    path.write_bytes(path.read_bytes()[:2000])
    assert not bears_reading(path)


@pytest.mark.slow
def test_a_library_that_crashes_or_hangs_is_an_error_in_one_line(tmp_path, monkeypatch):
    path = foreign(records().dataset, tmp_path / "r.nc", "records")
    for script in ("import os; os.abort()", "import time; time.sleep(60)"):
        (tmp_path / "script.py").write_text(script)
        with monkeypatch.context() as patched:
            patched.setattr(probe, "__file__", str(tmp_path / "script.py"))
            patched.setattr(probe, "_SECONDS", 1.0)
            with pytest.raises(InputError, match=r"r\.nc cannot be read as netCDF"):
                Records.open(path)


@pytest.mark.skipif(sys.platform == "win32", reason="no bound of processor time on Windows")
def test_a_trial_ends_though_nobody_waits_for_it(tmp_path):
    (tmp_path / "r.nc").write_bytes(b"endless")
    script = Path(probe.__file__).read_text(encoding="utf-8")
    shorter = script.replace("_SECONDS, _BYTES_PER_S = 60.0, 20e6", "_SECONDS, _BYTES_PER_S = 0.1, 20e6")
    endless = shorter.replace("    import netCDF4\n", "    while True:\n        pass\n", 1)
    assert len({script, shorter, endless}) == 3
    (tmp_path / "script.py").write_text(endless, encoding="utf-8")
    command = [sys.executable, "-P", str(tmp_path / "script.py"), str(tmp_path / "r.nc"), "whole"]
    assert subprocess.run(command, timeout=60, check=False).returncode < 0


def test_a_file_that_tells_of_more_than_it_can_hold(tmp_path):
    with netCDF4.Dataset(tmp_path / "r.nc", "w") as file:
        file.createDimension("time", 1 << 40)
        file.createVariable("sea_level", "f8", ("time",), zlib=True, chunksizes=(1 << 10,))
        file.setncattr("slipcast", "records")
    began = time.perf_counter()
    with pytest.raises(InputError, match=r"r\.nc cannot be read as netCDF"):
        Records.open(tmp_path / "r.nc")
    assert time.perf_counter() - began < 30
