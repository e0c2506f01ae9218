"""Banks and scenario sets that take long: stopped and gone on with, by one process or several, the same numbers."""

from __future__ import annotations

import errno
import json
import logging
import multiprocessing
import os
import pickle
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.testing as npt
import pytest

from cli_fixtures import run_script
from conftest import build_quietly, small_region
from slipcast.errors import InputError, SlipcastWarning
from slipcast.greens import reciprocity
from slipcast.greens.bank import GreensBank
from slipcast.io.lock import lock, parts_folder
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.parallel.executor import connect, run_tasks
from slipcast.physics.ruptures import RuptureSettings
from slipcast.regions.region import Region
from slipcast.scenarios import writing as scenario_writing
from slipcast.scenarios.scenario_set import BATCH, ScenarioSet
from slipcast.scenarios.writing import _Work, write_scenarios


def quick_region(**grid) -> Region:
    """Return the small region on a grid that takes a blink."""
    content = small_region().model_dump()
    content["grids"]["near"] |= {"spacing_arcmin": 12.0, "hours": 0.5} | grid
    return Region.model_validate(content)


@pytest.fixture(scope="module")
def quick_bank():
    return build_quietly(quick_region())


@pytest.fixture
def computed(monkeypatch):
    """Return the gauges that have been computed, by a list that grows."""
    names = []
    run_all = reciprocity._run_all

    def count(runs, found, **options):
        names.extend(run.gauge for _, run in runs)
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


# --- banks


def test_a_bank_of_parts_is_the_same(quick_bank, tmp_path, computed):
    told, target = [], tmp_path / "bank.nc"
    with pytest.raises(Stop):
        build_quietly(quick_region(), save_to=target, progress=stop_after(5))
    assert not target.exists()
    bank = build_quietly(quick_region(), save_to=target, progress=lambda *of: told.append(of))
    assert sorted(computed) == sorted(quick_bank.gauges)  # once
    assert told == [(5, 5, "found")]
    bank.check()
    assert bank.id == GreensBank.open(target).id == quick_bank.id
    assert [path.name for path in tmp_path.iterdir()] == ["bank.nc"]


def test_a_build_that_was_stopped_is_resumed(quick_bank, tmp_path, computed):
    target = tmp_path / "bank.nc"
    with pytest.raises(Stop):
        build_quietly(quick_region(), save_to=target, workers=1, progress=stop_after(2))
    assert len(list(parts_folder(target).glob("*.nc"))) == 2
    computed.clear()
    assert build_quietly(quick_region(), save_to=target).id == quick_bank.id
    assert len(computed) == 3


def stop_when_done(region, target, **options):
    """Compute all gauges of a bank, and leave them as parts."""
    with pytest.raises(Stop):
        build_quietly(region, save_to=target, progress=stop_after(len(region.gauges)), **options)


def test_parts_of_more_gauges_are_of_use_to_fewer(quick_bank, tmp_path, computed):
    stop_when_done(quick_region(), tmp_path / "bank.nc")
    computed.clear()
    some = build_quietly(quick_region(), save_to=tmp_path / "bank.nc", gauges=["newport", "46407"])
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
    stop_when_done(region, tmp_path / "bank.nc")
    options = {key: flat_floor if key == "bathymetry" else value for key, value in options.items()}
    other = quick_region(**grid).with_gauges(["46404"])
    assert build_quietly(other, **options, save_to=tmp_path / "bank.nc").id == build_quietly(other, **options).id
    assert computed == ["46404"] * 3


def test_parts_of_other_sources_gauges_and_versions_are_not_used(tmp_path, computed, monkeypatch):
    region = quick_region().with_gauges(["46404"])
    content = region.model_dump()
    moved = content | {"gauges": [content["gauges"][0] | {"lat": 45.0}]}
    fewer = content | {"sources": content["sources"][:8]}
    finer = content | {"subfault_km": 20.0}
    stop_when_done(region, tmp_path / "bank.nc")
    for other in (moved, fewer, finer):
        stop_when_done(Region.model_validate(other), tmp_path / "bank.nc")
    monkeypatch.setattr("slipcast.greens.parts.package_version", lambda: "another")
    build_quietly(region, save_to=tmp_path / "bank.nc")
    assert computed == ["46404"] * 5


@pytest.fixture
def flat_floor(tmp_path):
    import xarray as xr

    lon, lat = np.arange(222.0, 242.0, 0.5), np.arange(36.0, 56.0, 0.5)
    values = np.full((lat.size, lon.size), -2500.0)
    path = tmp_path / "flat.nc"
    xr.Dataset({"z": (("lat", "lon"), values)}, coords={"lat": lat, "lon": lon}).to_netcdf(path)
    return path


def test_damaged_parts_are_computed_again(quick_bank, tmp_path, computed):
    target = tmp_path / "bank.nc"
    stop_when_done(quick_region(), target)
    cut, other, empty, changed, foreign = sorted(parts_folder(target).glob("*.nc"))
    cut.write_bytes(cut.read_bytes()[:5000])
    empty.write_bytes(b"")
    other.write_bytes(changed.read_bytes())  # another gauge's
    part = read_netcdf(changed, "response")
    write_netcdf(part.assign(response=part["response"] * np.float32(1.000001)), changed, "response")
    quick_bank.save(foreign)
    computed.clear()
    assert build_quietly(quick_region(), save_to=target).id == quick_bank.id
    assert sorted(computed) == sorted(quick_bank.gauges)


def test_what_is_not_a_part_stays(tmp_path):
    folder = parts_folder(tmp_path / "bank.nc")
    folder.mkdir()
    (folder / "thesis.tex").touch()
    build_quietly(quick_region(), save_to=tmp_path / "bank.nc")
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


def test_the_target_is_checked_before_the_work(tmp_path, computed):
    (tmp_path / "bank.nc").mkdir()
    with pytest.raises(InputError, match=r"^cannot write \S+bank.nc: it is a folder$"):
        build_quietly(quick_region(), save_to=tmp_path / "bank.nc")
    assert not computed
    assert [path.name for path in tmp_path.iterdir()] == ["bank.nc"]


BUILD = """
    import os, signal, sys, warnings
    from slipcast.greens.bank import GreensBank
    from slipcast.regions.region import Region
    warnings.simplefilter("ignore")
    def progress(done, total, name):
        if done == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    region = Region.from_json(open(sys.argv[1]).read())
    GreensBank.build(region, save_to=sys.argv[2], workers=1, progress=progress)
"""


@pytest.mark.slow
def test_kill_9_while_a_bank_is_built(quick_bank, tmp_path, computed):
    (tmp_path / "region.json").write_text(quick_region().json_text())
    target = tmp_path / "bank.nc"
    assert run_script(BUILD, tmp_path / "region.json", target).returncode == -signal.SIGKILL
    assert len(list(parts_folder(target).glob("*.nc"))) == 3
    bank = build_quietly(quick_region(), save_to=target)
    assert len(computed) == 2
    assert bank.id == quick_bank.id
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bank.nc", "region.json"]


def test_two_builds_into_one_path(tmp_path):
    target = tmp_path / "bank.nc"
    locked = rf"bank.nc.parts is locked by process {os.getpid()} on .* since 2"
    with lock(parts_folder(target)), pytest.raises(InputError, match=locked):
        build_quietly(quick_region(), save_to=target)
    assert not target.exists()


# --- scenario sets

COUNT = 2 * BATCH + 9


def content(folder) -> dict[str, bytes]:
    """Return all files of a set by name, but for the moment at which it was made."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in (".zattrs", ".zmetadata"):
        found = json.loads(files[name])
        del (found["metadata"][".zattrs"] if name == ".zmetadata" else found)["created"]
        files[name] = json.dumps(found).encode()
    checksums = json.loads(files["checksums.json"])["files"]
    files["checksums.json"] = json.dumps(checksums | {".zattrs": None, ".zmetadata": None}).encode()
    return files


@pytest.fixture(scope="module")
def in_one_go(quick_bank, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "set.zarr"
    write_scenarios(quick_bank, folder, count=COUNT, seed=5)
    assert [path.name for path in folder.parent.iterdir()] == ["set.zarr"]
    return folder


@pytest.fixture
def drawn(monkeypatch):
    """Return the blocks that have been drawn, by a list that grows."""
    blocks = []
    write = scenario_writing._Work.write
    monkeypatch.setattr(scenario_writing._Work, "write", lambda work, block: blocks.append(block) or write(work, block))
    return blocks


@pytest.mark.parametrize("kinematic", [True, False])
def test_a_written_set_is_that_of_memory(quick_bank, tmp_path, kinematic):
    settings = RuptureSettings(kinematic=kinematic)
    built = ScenarioSet.build(quick_bank, count=BATCH + 9, seed=7, settings=settings)
    built.save(tmp_path / "built.zarr")
    expected = ScenarioSet.open(tmp_path / "built.zarr").dataset
    told = []
    written = write_scenarios(
        quick_bank,
        tmp_path / "set.zarr",
        count=BATCH + 9,
        seed=7,
        settings=settings,
        progress=lambda *of: told.append(of),
    )
    assert written.id == built.id
    assert told == [(BATCH, BATCH + 9, ""), (BATCH + 9, BATCH + 9, "")]
    npt.assert_array_equal(written.indices("test"), built.indices("test"))
    for name in expected.variables:
        assert written.dataset[name].dtype == expected[name].dtype
        assert written.dataset[name].attrs == expected[name].attrs
        npt.assert_array_equal(written.dataset[name], expected[name])
    for attrs in (found := dict(written.dataset.attrs)), (wanted := dict(expected.attrs)):
        del attrs["created"]
    assert found == wanted


def test_no_more_than_a_batch_is_in_memory(quick_bank, in_one_go, tmp_path, monkeypatch):
    drawn_at_once = []
    draw = scenario_writing.draw_ruptures

    def watch(response, generator, seed, numbers):
        drawn_at_once.append(len(numbers))
        return draw(response, generator, seed, numbers)

    monkeypatch.setattr(scenario_writing, "draw_ruptures", watch)
    write_scenarios(quick_bank, tmp_path / "set.zarr", count=COUNT, seed=5)
    assert drawn_at_once == [1, BATCH, BATCH, 9]
    metadata = json.loads((in_one_go / "records" / ".zarray").read_text())
    assert metadata["chunks"][0] == BATCH
    assert np.prod(metadata["chunks"]) * 4 <= 4e6


@pytest.mark.slow
def test_several_processes_write_the_same(quick_bank, in_one_go, tmp_path):
    write_scenarios(quick_bank, tmp_path / "set.zarr", count=COUNT, seed=5, workers=2)
    assert content(tmp_path / "set.zarr") == content(in_one_go)
    assert [path.name for path in tmp_path.iterdir()] == ["set.zarr"]


def test_a_set_that_was_stopped_goes_on(quick_bank, in_one_go, tmp_path, drawn):
    target = tmp_path / "set.zarr"
    for count in (1, 2):
        with pytest.raises(Stop):
            write_scenarios(quick_bank, target, count=COUNT, seed=5, progress=stop_after(count * BATCH))
        assert not target.exists()
    assert drawn == [0, 1]
    told = []
    write_scenarios(quick_bank, target, count=COUNT, seed=5, progress=lambda *of: told.append(of))
    assert drawn == [0, 1, 2]
    assert told == [(2 * BATCH, COUNT, ""), (COUNT, COUNT, "")]
    assert content(target) == content(in_one_go)
    assert [path.name for path in tmp_path.iterdir()] == ["set.zarr"]


def test_damaged_chunks_are_drawn_anew(quick_bank, in_one_go, tmp_path, drawn):
    target = tmp_path / "set.zarr"
    with pytest.raises(Stop):
        write_scenarios(quick_bank, target, count=COUNT, seed=5, progress=stop_after(COUNT))
    (store,) = parts_folder(target).glob("*/set.zarr")
    chunk = store / "weights" / "0.0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"?")
    (store / "slip" / "2.0").unlink()
    (store / "slip" / "2.0abc.partial").write_bytes(b"half")
    drawn.clear()
    write_scenarios(quick_bank, target, count=COUNT, seed=5)
    assert drawn == [0, 2]
    assert content(target) == content(in_one_go)


@pytest.mark.parametrize("other", [{"count": COUNT + 1}, {"seed": 6}, {"settings": RuptureSettings(hurst=(0.5,))}])
def test_blocks_of_other_settings_are_not_used(quick_bank, tmp_path, drawn, other):
    target = tmp_path / "set.zarr"
    options = {"count": COUNT, "seed": 5} | other
    with pytest.raises(Stop):
        write_scenarios(quick_bank, target, **options, progress=stop_after(1))
    scenarios = write_scenarios(quick_bank, target, count=COUNT, seed=5)
    assert drawn == [0, 0, 1, 2]
    assert int(scenarios.dataset.attrs["seed"]) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["set.zarr"]


WRITE = """
    import os, signal, sys
    from slipcast.greens.bank import GreensBank
    from slipcast.scenarios.writing import write_scenarios
    def progress(done, total, note):
        if done > 0:
            os.kill(os.getpid(), signal.SIGKILL)
    if __name__ == "__main__":
        bank = GreensBank.open(sys.argv[1])
        write_scenarios(bank, sys.argv[2], count=int(sys.argv[3]), seed=5, workers=int(sys.argv[4]), progress=progress)
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_kill_9_while_scenarios_are_written(quick_bank, in_one_go, tmp_path, workers):
    bank, target = tmp_path / "bank.nc", tmp_path / "set.zarr"
    quick_bank.save(bank)
    assert run_script(WRITE, bank, target, COUNT, workers).returncode == -signal.SIGKILL
    assert not target.exists()
    write_scenarios(quick_bank, target, count=COUNT, seed=5)
    assert content(target) == content(in_one_go)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bank.nc", "set.zarr"]


def test_a_set_is_replaced_and_nothing_else(quick_bank, small_set, in_one_go, tmp_path):
    target = tmp_path / "set.zarr"
    small_set.save(target)
    with pytest.raises(Stop):
        write_scenarios(quick_bank, target, count=COUNT, seed=5, progress=stop_after(1))
    assert ScenarioSet.open(target).id == small_set.id
    write_scenarios(quick_bank, target, count=COUNT, seed=5)
    assert content(target) == content(in_one_go)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"cannot write .*mine: it is a folder with other files, which would be lost"):
        write_scenarios(quick_bank, tmp_path / "mine", count=1, seed=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "set.zarr"]


def test_sets_that_cannot_be_written(quick_bank, tmp_path, monkeypatch):
    target = tmp_path / "set.zarr"
    cases = [
        ({"count": 0}, "count must be >= 1, got 0"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
        ({"workers": 0}, "workers must be >= 1, got 0"),
    ]
    for options, message in cases:
        with pytest.raises(InputError, match=message):
            write_scenarios(quick_bank, target, **{"count": 1, "seed": 1} | options)
    with lock(parts_folder(target)), pytest.raises(InputError, match=r"set.zarr.parts is locked by process \d+ on "):
        write_scenarios(quick_bank, target, count=1, seed=1)
    assert not list(tmp_path.iterdir())

    def full(work, block):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(scenario_writing._Work, "write", full)
    with pytest.raises(InputError, match=r"cannot write .*set.zarr: the disk is full"):
        write_scenarios(quick_bank, target, count=1, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 3])
def test_a_worker_that_is_killed_leaves_its_part_to_the_others(quick_bank, tmp_path, workers):
    target, killed, told = tmp_path / "set.zarr", [], []

    def kill_one(done, total, note):
        told.append(done)
        children = multiprocessing.active_children()
        if children and not killed:
            children[0].kill()
            killed.append(children[0])

    arguments = {"count": 40 * BATCH, "seed": 5}
    with pytest.warns(
        SlipcastWarning, match=f"one of {workers} workers was killed, perhaps for want of memory; continuing"
    ):
        write_scenarios(quick_bank, target, **arguments, workers=workers, progress=kill_one)
    assert told == sorted(told)
    assert told[-1] == 40 * BATCH
    write_scenarios(quick_bank, tmp_path / "serial.zarr", **arguments)
    assert content(target) == content(tmp_path / "serial.zarr")


# --- other machines


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options) as started:
        yield started.scheduler_address


def test_a_cluster_makes_the_same_bank(quick_bank, tmp_path, cluster):
    told = []
    bank = build_quietly(
        quick_region(),
        scheduler=cluster,
        save_to=tmp_path / "bank.nc",
        kajiura=False,
        progress=lambda *of: told.append(of),
    )
    assert bank.id == quick_bank.id
    assert sorted(name for *_, name in told) == sorted(quick_bank.gauges)
    smooth = quick_region().with_gauges(["46404", "newport"])
    assert build_quietly(smooth, scheduler=cluster, kajiura=True).id == build_quietly(smooth, kajiura=True).id


def test_a_cluster_makes_the_same_scenarios(quick_bank, in_one_go, tmp_path, cluster):
    target = tmp_path / "set.zarr"
    with pytest.raises(Stop):
        write_scenarios(quick_bank, target, count=COUNT, seed=5, scheduler=cluster, progress=stop_after(1))
    write_scenarios(quick_bank, target, count=COUNT, seed=5, scheduler=cluster)
    assert content(target) == content(in_one_go)


def test_a_cluster_that_does_not_see_the_folder(quick_bank, in_one_go, tmp_path, cluster, monkeypatch):
    target = tmp_path / "set.zarr"
    monkeypatch.setattr("slipcast.scenarios.writing._Work.is_here", lambda work: False)
    write_scenarios(quick_bank, target, count=COUNT, seed=5, scheduler=cluster)
    assert content(target) == content(in_one_go)


def sent(work: _Work) -> _Work:
    """Return what another process gets."""
    return pickle.loads(pickle.dumps(work))


def test_what_was_made_of_a_bank_is_not_sent(quick_bank, tmp_path):
    work = _Work(tmp_path, quick_bank.dataset, RuptureSettings(), 1, 1)
    before = pickle.dumps(work)
    work.draw(0)
    assert {"_bank", "_response", "_generator"} <= vars(work).keys()
    assert len(pickle.dumps(work)) == len(before)


def test_a_folder_of_the_same_name_is_not_the_same_folder(quick_bank, tmp_path):
    work = _Work(tmp_path, quick_bank.dataset, RuptureSettings(), 1, 1).marked()
    assert not sent(work).is_here()  # no set in it yet
    work.store.mkdir()
    assert sent(work).is_here()
    _Work(tmp_path, quick_bank.dataset, RuptureSettings(), 1, 1).marked()
    assert not work.is_here()
    assert not replace(work, folder=tmp_path / "gone").is_here()


def end_the_first_time(marker: Path, task: int) -> int:
    if task == 2 and not marker.exists():
        marker.touch()
        os._exit(1)
    return 10 * task


@pytest.mark.slow
def test_a_cluster_goes_on_with_workers_that_come_later(tmp_path):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as started:
        tasks = ((tmp_path / "ended", task) for task in range(6))
        found = dict(run_tasks(end_the_first_time, tasks, kind="processes", scheduler=started.scheduler_address))
    assert (tmp_path / "ended").exists()
    assert found == {task: 10 * task for task in range(6)}


def test_a_cluster_says_nothing_beside_the_line(cluster):
    log = logging.getLogger("distributed.client")
    with connect(cluster):
        assert not log.isEnabledFor(logging.ERROR)
    assert log.isEnabledFor(logging.ERROR)


def test_clusters_that_are_not_there(quick_bank, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("slipcast.parallel.executor._CONNECT_S", 0.2)
    for address in ("tcp://127.0.0.1:9", "nonsense://a"):
        with pytest.raises(InputError, match=f"no Dask scheduler answers at '{address}'"):
            build_quietly(quick_region(), scheduler=address)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"a scheduler needs Dask: pip install 'slipcast\[distributed\]'"):
        write_scenarios(quick_bank, tmp_path / "set.zarr", count=1, seed=1, scheduler="tcp://127.0.0.1:9")


def test_clusters_without_workers(quick_bank, tmp_path, cluster, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(distributed.Client, "nthreads", lambda client: {})
    with pytest.raises(InputError, match=r"the Dask scheduler at .* has no workers"):
        build_quietly(quick_region(), scheduler=cluster)
    monkeypatch.undo()

    def lost(future):
        raise distributed.CancelledError("lost")

    monkeypatch.setattr(distributed.Future, "result", lost)
    with pytest.raises(InputError, match="the Dask cluster lost its workers; resume when it has some, what is done is"):
        build_quietly(quick_region(), scheduler=cluster)
