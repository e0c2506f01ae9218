"""Banks and scenario sets that take long: stopped and gone on with, by one process or several, the same numbers."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import textwrap

import numpy as np
import numpy.testing as npt
import pytest

from conftest import build_quietly, small_region
from slipcast import reciprocity
from slipcast.errors import InputError
from slipcast.files import read_netcdf, write_netcdf
from slipcast.holding import hold, parts_folder
from slipcast.region import Region
from slipcast.response_parts import remove_parts


def quick_region(**grid) -> Region:
    """Return the small region on a grid that takes a blink."""
    content = small_region().model_dump()
    content["grids"]["near"] |= {"spacing_arcmin": 12.0, "hours": 0.5} | grid
    return Region.model_validate(content)


def run(script: str, *arguments) -> subprocess.CompletedProcess:
    """Run a script in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(script), *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def quick_bank():
    return build_quietly(quick_region())


@pytest.fixture
def computed(monkeypatch):
    """Return the gauges that have been computed, by a list that grows."""
    names = []
    run_all = reciprocity._run_all

    def count(runs, found, **options):
        names.extend(run[0] for run in runs)
        return run_all(runs, found, **options)

    monkeypatch.setattr(reciprocity, "_run_all", count)
    return names


class Stop(Exception):
    """What a test ends a task with."""


def stop_after(count: int):
    """Return a progress that ends a task after some of its steps."""

    def progress(done, total, *note):
        if done >= count:
            raise Stop

    return progress


# --- one process at a time


def test_a_folder_is_held_by_one(tmp_path):
    folder = tmp_path / "bank.nc.parts"
    message = rf"bank.nc.parts is held by process {os.getpid()} on "
    with hold(folder), pytest.raises(InputError, match=message), hold(folder):
        pass
    assert not folder.exists()
    with hold(folder):
        (folder / "part").touch()
    assert [path.name for path in folder.iterdir()] == ["part"]


@pytest.mark.parametrize(
    ("owner", "free"),
    [
        ({"process": os.getppid(), "machine": platform.node(), "since": "today"}, False),
        ({"process": 1, "machine": "another", "since": "today"}, False),
        ({"process": os.getpid(), "machine": platform.node(), "since": "before the last start"}, True),
        ({"process": 2**22 + 1, "machine": platform.node(), "since": "today"}, True),
        ([], True),
        ("damaged", True),
    ],
)
def test_what_a_dead_process_held_is_free(tmp_path, owner, free):
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "owner.json").write_text("{" if owner == "damaged" else json.dumps(owner))
    if free:
        with hold(tmp_path):
            assert json.loads((tmp_path / "held" / "owner.json").read_text())["process"] == os.getpid()
        return
    message = rf"held by process {owner['process']} on {owner['machine']} since today; wait for it, or delete .*held"
    with pytest.raises(InputError, match=message), hold(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["held"]


def test_a_folder_that_cannot_be_held(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"cannot write .*parts: a part of its path is a file"),
        hold(tmp_path / "file" / "parts"),
    ):
        pass


# --- banks


def test_a_bank_of_parts_is_the_same(quick_bank, tmp_path, computed):
    told = []
    for _ in range(2):
        bank = build_quietly(quick_region(), parts=tmp_path / "parts", progress=lambda *of: told.append(of))
        assert bank.id == quick_bank.id
        bank.check()
    assert sorted(computed) == sorted(quick_bank.gauges)  # once
    assert [done for done, *_ in told] == [1, 2, 3, 4, 5, 5]
    remove_parts(tmp_path / "parts")
    assert not list(tmp_path.iterdir())


def test_a_build_that_was_stopped_goes_on(quick_bank, tmp_path, computed):
    with pytest.raises(Stop):
        build_quietly(quick_region(), parts=tmp_path, workers=1, progress=stop_after(2))
    kept = len(list(tmp_path.glob("*.nc")))
    assert kept == 2
    computed.clear()
    assert build_quietly(quick_region(), parts=tmp_path).id == quick_bank.id
    assert len(computed) == 3


def test_parts_of_more_gauges_are_of_use_to_fewer(quick_bank, tmp_path, computed):
    build_quietly(quick_region(), parts=tmp_path)
    computed.clear()
    some = build_quietly(quick_region(), parts=tmp_path, gauges=["newport", "46407"])
    assert not computed
    expected = quick_bank.dataset["response"].sel(gauge=some.gauges)
    npt.assert_array_equal(some.dataset["response"], expected)


@pytest.mark.parametrize(
    ("grid", "options"),
    [
        ({"spacing_arcmin": 10.0}, {}),
        ({"hours": 0.6}, {}),
        ({"lon": (223.0, 240.0)}, {}),
        ({}, {"min_depth_m": 20.0}),
        ({}, {"kajiura": True}),
        ({}, {"bathymetry": "flat.nc"}),
    ],
)
def test_parts_of_other_settings_are_not_used(tmp_path, computed, grid, options, flat_floor):
    region = quick_region().with_gauges(["46404"])
    build_quietly(region, parts=tmp_path / "parts")
    options = {key: flat_floor if key == "bathymetry" else value for key, value in options.items()}
    other = quick_region(**grid).with_gauges(["46404"])
    assert build_quietly(other, **options, parts=tmp_path / "parts").id == build_quietly(other, **options).id
    assert computed == ["46404"] * 3


def test_parts_of_other_sources_gauges_and_versions_are_not_used(tmp_path, computed, monkeypatch):
    region = quick_region().with_gauges(["46404"])
    content = region.model_dump()
    moved = content | {"gauges": [content["gauges"][0] | {"lat": 45.0}]}
    fewer = content | {"sources": content["sources"][:8]}
    finer = content | {"subfault_km": 20.0}
    build_quietly(region, parts=tmp_path)
    for other in (moved, fewer, finer):
        build_quietly(Region.model_validate(other), parts=tmp_path)
    monkeypatch.setattr("slipcast.response_parts.package_version", lambda: "another")
    build_quietly(region, parts=tmp_path)
    assert computed == ["46404"] * 5


@pytest.fixture
def flat_floor(tmp_path):
    import xarray as xr

    lon, lat = np.arange(222.0, 242.0, 0.5), np.arange(36.0, 56.0, 0.5)
    values = np.full((lat.size, lon.size), -2500.0)
    path = tmp_path / "flat.nc"
    xr.Dataset({"z": (("lat", "lon"), values)}, coords={"lat": lat, "lon": lon}).to_netcdf(path)
    return path


def test_damaged_parts_are_computed_anew(quick_bank, tmp_path, computed):
    build_quietly(quick_region(), parts=tmp_path)
    cut, other, empty, changed, foreign = sorted(tmp_path.glob("*.nc"))
    cut.write_bytes(cut.read_bytes()[:5000])
    empty.write_bytes(b"")
    other.write_bytes(changed.read_bytes())  # another gauge's
    part = read_netcdf(changed, "response")
    write_netcdf(part.assign(response=part["response"] * np.float32(1.000001)), changed, "response")
    quick_bank.save(foreign)
    computed.clear()
    assert build_quietly(quick_region(), parts=tmp_path).id == quick_bank.id
    assert sorted(computed) == sorted(quick_bank.gauges)


def test_what_is_not_a_part_stays(quick_bank, tmp_path):
    (tmp_path / "thesis.tex").touch()
    build_quietly(quick_region(), parts=tmp_path)
    remove_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


BUILD = """
    import os, signal, sys, warnings
    from slipcast.greens import GreensBank
    from slipcast.region import Region
    warnings.simplefilter("ignore")
    def progress(done, total, name):
        if done == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    region = Region.from_json(open(sys.argv[1]).read())
    GreensBank.build(region, parts=sys.argv[2], workers=1, progress=progress)
"""


def test_kill_9_while_a_bank_is_built(quick_bank, tmp_path, computed):
    (tmp_path / "region.json").write_text(quick_region().json_text())
    folder = parts_folder(tmp_path / "bank.nc")
    assert run(BUILD, tmp_path / "region.json", folder).returncode == -signal.SIGKILL
    assert len(list(folder.glob("*.nc"))) == 3
    bank = build_quietly(quick_region(), parts=folder)
    assert len(computed) == 2
    assert bank.id == quick_bank.id
    remove_parts(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["region.json"]


def test_two_builds_into_one_path(tmp_path):
    folder = parts_folder(tmp_path / "bank.nc")
    with hold(folder):
        with pytest.raises(InputError, match=rf"bank.nc.parts is held by process {os.getpid()} on .* since 2"):
            build_quietly(quick_region(), parts=folder)
        with pytest.raises(InputError, match="is held by process"):
            remove_parts(folder)
