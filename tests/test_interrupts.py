"""Ctrl-C and kill -9 while a bank is built or a network trained: nothing half-written, and the next run goes well."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slipcast.greens.bank import GreensBank
from slipcast.io.lock import parts_folder
from slipcast.learning.checkpoint import Checkpoint

pytestmark = pytest.mark.slow

SLIPCAST = [sys.executable, "-m", "slipcast"]
BUILD = ["bank", "build", "cascadia", "--spacing", "near=4", "--gauges", "46404,46407,hilo1", "--out", "bank.nc"]
TRAIN = ["train", "set.zarr", "--window", "60", "--epochs", "120", "--set", "batch_size=2", "--out", "run"]


def stop(folder: Path, arguments: list[str], with_signal: int, *, when) -> subprocess.CompletedProcess:
    """Run slipcast, and send it a signal as soon as something is so."""
    with subprocess.Popen(
        [*SLIPCAST, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell lets its background jobs ignore Ctrl-C, and they hand that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 60
        while not when() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.poll() is None, "it ended before the signal"
        process.send_signal(with_signal)
        sent = time.monotonic()
        out, err = process.communicate(timeout=60)
        assert time.monotonic() - sent < 10
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def finish(folder: Path, arguments: list[str]) -> None:
    """Run slipcast to its end."""
    done = subprocess.run([*SLIPCAST, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def after(seconds: float):
    """Return a condition that comes true after a while."""
    begin = time.monotonic()
    return lambda: time.monotonic() - begin > seconds


def test_ctrl_c_while_a_bank_is_built(tmp_path):
    done = stop(tmp_path, BUILD, signal.SIGINT, when=after(5.0))
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "slipcast: interrupted; what was finished is kept, nothing is half-written"
    assert "Traceback" not in done.stderr
    left = [path.name for path in tmp_path.rglob("*")]
    assert all(name.endswith((".nc", ".parts")) for name in left)  # gauges that are done, if any
    assert "bank.nc" not in left


def test_kill_9_while_a_bank_is_built(tmp_path):
    assert stop(tmp_path, BUILD, signal.SIGKILL, when=after(5.0)).returncode == -signal.SIGKILL
    assert not (tmp_path / "bank.nc").exists()
    finish(
        tmp_path, [*BUILD[:3], "--spacing", "near=12", "--hours", "near=0.5", "--gauges", "46404", "--out", "bank.nc"]
    )
    GreensBank.open(tmp_path / "bank.nc").check()
    assert [path.name for path in tmp_path.iterdir()] == ["bank.nc"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_while_scenarios_are_written(small_bank, tmp_path, workers):
    small_bank.save(tmp_path / "bank.nc")
    arguments = ["scenarios", "build", "bank.nc", "--count", "20000", "--workers", workers, "--out", "set.zarr"]
    parts = parts_folder(tmp_path / "set.zarr")
    done = stop(tmp_path, arguments, signal.SIGINT, when=lambda: any(parts.glob("*/done/*.json")))
    assert done.returncode == 130
    # nothing but these lines: no traceback, and no word of the workers
    assert done.stderr.splitlines() == [
        "Scenarios ...",
        "slipcast: interrupted; what was finished is kept, nothing is half-written",
    ]
    assert not (tmp_path / "set.zarr").exists()
    assert any(parts.glob("*/done/*.json"))


@pytest.fixture(scope="module")
def uninterrupted(small_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    small_set.save(folder / "set.zarr")
    finish(folder, TRAIN)
    return Checkpoint.open(folder / "run").id


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGKILL])
def test_training_is_stopped_and_resumed(small_set, uninterrupted, tmp_path, with_signal):
    small_set.save(tmp_path / "set.zarr")
    state = tmp_path / "run" / "training.safetensors"
    done = stop(tmp_path, TRAIN, with_signal, when=state.exists)
    assert done.returncode == (130 if with_signal == signal.SIGINT else -signal.SIGKILL)
    assert not (tmp_path / "run" / "model.json").exists()
    finish(tmp_path, [*TRAIN, "--resume"])
    assert Checkpoint.open(tmp_path / "run").id == uninterrupted
    assert not state.exists()
