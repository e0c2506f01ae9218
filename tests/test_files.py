"""Files: written whole or not at all, whatever happens to the writer; read only as what they are."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from importlib.metadata import PackageNotFoundError

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from cli_fixtures import run_script
from slipcast.errors import InputError
from slipcast.io import identity
from slipcast.io.atomic import _is_running, atomic_path, check_target, read_json, write_json, write_text
from slipcast.io.identity import fingerprint
from slipcast.io.netcdf import read_netcdf, write_netcdf
from slipcast.io.zarr import read_zarr, write_zarr

DATASET = xr.Dataset({"slip": ("source", np.arange(3.0), {"units": "m"})}, coords={"source": ["a", "b", "c"]})


@pytest.mark.parametrize(("write", "read"), [(write_netcdf, read_netcdf), (write_zarr, read_zarr)])
def test_a_dataset_comes_back(tmp_path, write, read):
    write(DATASET, tmp_path / "new" / "folder" / "file", "slip")
    found = read(tmp_path / "new" / "folder" / "file", "slip")
    xr.testing.assert_identical(found.load().drop_attrs(deep=False), DATASET)
    assert found.attrs["slipcast"] == "slip"
    assert found.attrs["Conventions"] == "CF-1.11"


def test_the_kind_is_that_of_the_writer_not_of_what_was_read(tmp_path):
    write_netcdf(DATASET.assign_attrs(slipcast="slip"), tmp_path / "f.nc", "forecast")
    assert read_netcdf(tmp_path / "f.nc", "forecast").attrs["slipcast"] == "forecast"


def test_another_kind_is_refused(tmp_path):
    write_netcdf(DATASET, tmp_path / "s.nc", "slip")
    with pytest.raises(InputError, match=r"s.nc holds a slip estimate, not a forecast"):
        read_netcdf(tmp_path / "s.nc", "forecast")


def test_json(tmp_path):
    write_json(tmp_path / "a.json", {"mw": 8.8, "names": ["ä"]})
    assert read_json(tmp_path / "a.json") == {"mw": 8.8, "names": ["ä"]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"mw": float("nan")})
    assert read_json(tmp_path / "a.json")["mw"] == 8.8
    for text in ('{"mw": ', "[" * 100_000, "9" * 5000):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(InputError, match=r"b.json is not valid JSON"):
            read_json(tmp_path / "b.json")
    with pytest.raises(InputError, match=r"cannot read .*c.json: No such file"):
        read_json(tmp_path / "c.json")


def test_a_failed_writer_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")

    def fail():
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        fail()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_kill_9_leaves_the_old_file_and_the_next_writer_clears_up(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    script = """
        import os, signal, sys
        from slipcast.io.atomic import atomic_path
        with atomic_path(sys.argv[1]) as temporary:
            temporary.write_text("half of the n")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    assert run_script(script, tmp_path / "a.txt").returncode == -signal.SIGKILL
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2  # the half, hidden
    write_text(tmp_path / "a.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_temporary_of_a_running_writer_is_left_alone(tmp_path):
    other = tmp_path / f".a.txt.{os.getppid()}.partial"
    other.write_text("being written")
    write_text(tmp_path / "a.txt", "new")
    assert other.read_text() == "being written"


def test_processes_that_run():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert _is_running(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert _is_running(process.pid) != sys.platform.startswith("linux")  # ended, its number not given back
    assert not _is_running(process.pid)
    assert _is_running(1)


WRITE_AGAIN_AND_AGAIN = """
    import sys
    import numpy as np, xarray as xr
    from slipcast.io import netcdf, zarr
    write = {"netcdf": netcdf.write_netcdf, "zarr": zarr.write_zarr}[sys.argv[2]]
    number = 0
    while True:
        number += 1
        write(xr.Dataset({"slip": ("n", np.full(300_000, number * 1.0))}), sys.argv[1], "slip")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "read"), [("netcdf", read_netcdf), ("zarr", read_zarr)])
def test_kill_9_at_any_moment_leaves_a_whole_file_or_none(tmp_path, kind, read):
    target = tmp_path / "target"
    command = [sys.executable, "-c", textwrap.dedent(WRITE_AGAIN_AND_AGAIN), str(target), kind]
    with subprocess.Popen(command) as writer:
        deadline = time.monotonic() + 60
        while not target.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.237)  # somewhere in the middle of one of the next
        writer.kill()
    if target.exists():
        values = read(target, "slip")["slip"].to_numpy()
        assert values.shape == (300_000,)
        assert np.ptp(values) == 0  # all of one writing
        assert values[0] >= 1
    else:
        assert kind == "zarr"  # a folder cannot be replaced in one step
    {"netcdf": write_netcdf, "zarr": write_zarr}[kind](DATASET, target, "slip")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    npt.assert_array_equal(read(target, "slip")["slip"], DATASET["slip"])


@pytest.mark.parametrize("step", [1, 2, 3])
def test_kill_9_while_a_folder_is_swapped(tmp_path, step):
    # the swap: the old one aside, the new one in its place, the old one deleted; killed before each of these
    script = """
        import os, shutil, signal, sys
        from slipcast.io import atomic, netcdf, zarr
        from slipcast.io.atomic import atomic_path
        steps = 0
        def or_die(function):
            def wrapped(*arguments, **options):
                global steps
                steps += 1
                if steps == int(sys.argv[2]):
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **options)
            return wrapped
        with atomic_path(sys.argv[1]) as temporary:
            temporary.mkdir()
            (temporary / "a").write_text("new")
            os.rename, os.replace, shutil.rmtree = map(or_die, (os.rename, os.replace, shutil.rmtree))
    """
    target = tmp_path / "set"
    target.mkdir()
    (target / "a").write_text("old")
    assert run_script(script, target, step).returncode == -signal.SIGKILL
    if target.exists():
        assert (target / "a").read_text() == ("new" if step == 3 else "old")
    with atomic_path(target) as temporary:
        temporary.mkdir()
        (temporary / "a").write_text("newest")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert (target / "a").read_text() == "newest"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EFBIG, "the file would be larger than this system allows"),
        (errno.EACCES, "no permission to write there"),
        (errno.EROFS, "the file system is read-only"),
        (errno.ENOTDIR, "a part of its path is a file, not a folder"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_what_the_system_says_is_told_in_one_line(tmp_path, number, reason):
    def fail():
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise OSError(number, os.strerror(number))

    with pytest.raises(InputError, match=rf"^cannot write .*a\.txt: {reason}$"):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_while_netcdf_is_written(tmp_path, monkeypatch):
    # the HDF5 library tells of it as an error of its own
    write_netcdf(DATASET, tmp_path / "a.nc", "slip")

    def fail(dataset, path, **options):
        path.write_bytes(b"half")
        raise RuntimeError("NetCDF: HDF error")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", fail)
    with pytest.raises(InputError, match=r"^cannot write .*a\.nc: the disk is full$"):
        write_netcdf(DATASET, tmp_path / "a.nc", "slip")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nc"]
    npt.assert_array_equal(read_netcdf(tmp_path / "a.nc", "slip")["slip"], DATASET["slip"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["netcdf", "zarr", "text"])
def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path, kind):
    # a limit on the size of files stands in for the disk: the system refuses to write on, as when it is full
    script = """
        import resource, signal, sys
        import numpy as np, xarray as xr
        from slipcast.io import atomic, netcdf, zarr
        from slipcast.errors import InputError
        big = xr.Dataset({"slip": ("n", np.random.default_rng(1).normal(size=200_000))})
        write = {
            "netcdf": lambda: netcdf.write_netcdf(big, sys.argv[1], "slip"),
            "zarr": lambda: zarr.write_zarr(big, sys.argv[1], "scenarios"),
            "text": lambda: atomic.write_text(sys.argv[1], "x" * 2_000_000),
        }[sys.argv[2]]
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            write()
        except InputError as error:
            sys.exit(f"told: {error}")
    """
    target = tmp_path / "target"
    if kind == "zarr":
        write_zarr(DATASET, target, "scenarios")
    else:
        write_netcdf(DATASET, target, "slip")
    done = run_script(script, target, kind)
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("told")]
    assert line.startswith(f"told: cannot write {target}: the ")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    found = read_zarr(target, "scenarios") if kind == "zarr" else read_netcdf(target, "slip")
    npt.assert_array_equal(found["slip"], DATASET["slip"])


def test_targets_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("text")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    cases = [
        ("file/a.nc", False, "a part of its path is a file, not a folder"),
        ("full", False, "it is a folder"),
        ("full", True, "it is a folder with other files, which would be lost"),
        ("file", True, "it is a file, and a folder is to be written"),
    ]
    for name, folder, message in cases:
        with pytest.raises(InputError, match=rf"cannot write .*{name}: {message}"):
            check_target(tmp_path / name, folder=folder)
    with pytest.raises(InputError, match=r"cannot write .*: a part of its path is a file"):
        write_text(tmp_path / "file" / "a.txt", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]


def test_a_check_makes_nothing(tmp_path):
    check_target(tmp_path / "new" / "folder" / "bank.nc")
    check_target(tmp_path / "new" / "set.zarr", folder=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to the superuser")
def test_a_folder_that_is_read_only(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match=r"cannot write .*: no permission to write there"):
            check_target(tmp_path / "bank.nc")
    finally:
        tmp_path.chmod(0o700)


def test_fingerprints_tell_types_shapes_and_values_apart():
    array = np.arange(6.0)
    others = [array.astype(np.float32), array.reshape(2, 3), array + 1e-12, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]
    assert len({fingerprint(each) for each in (array, *others)}) == 5
    assert fingerprint(array, "a") == fingerprint(array.copy(), "a")
    assert fingerprint("a", "b") != fingerprint("ab")


def test_the_version_of_what_is_run_uninstalled(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    assert identity.package_version()[0].isdigit()
    monkeypatch.setattr(identity, "version", missing)
    assert identity.package_version() == "unknown"


def test_a_file_for_a_folder_and_a_folder_for_a_file(tmp_path):
    write_netcdf(DATASET, tmp_path / "a.nc", "slip")
    write_zarr(DATASET, tmp_path / "a.zarr", "scenarios")
    with pytest.raises(InputError, match=r"no file .*a\.zarr"):
        read_netcdf(tmp_path / "a.zarr", "slip")
    with pytest.raises(InputError, match=r"no folder .*a\.nc"):
        read_zarr(tmp_path / "a.nc", "scenarios")
    with pytest.raises(InputError, match=r"a\.zarr holds a scenario set, not records"):
        read_zarr(tmp_path / "a.zarr", "records")
    with pytest.raises(InputError, match=r"cannot write .*a\.nc: it is a file, and a folder is to be written"):
        write_zarr(DATASET, tmp_path / "a.nc", "scenarios")
    with pytest.raises(InputError, match=r"cannot write .*a\.zarr: it is a folder"):
        write_netcdf(DATASET, tmp_path / "a.zarr", "slip")


def test_a_dataset_is_not_changed_by_writing_it(tmp_path):
    before = DATASET.copy(deep=True)
    write_netcdf(DATASET, tmp_path / "a.nc", "slip")
    write_zarr(DATASET, tmp_path / "a.zarr", "scenarios")
    xr.testing.assert_identical(DATASET, before)
