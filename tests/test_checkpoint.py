from __future__ import annotations

import hashlib
import json

import numpy as np
import numpy.testing as npt
import pytest
import safetensors.torch
import torch

from learning_fixtures import ARGUMENTS
from learning_fixtures import make_checkpoint as make
from learning_fixtures import random_records as records
from slipcast.errors import InputError
from slipcast.io import atomic
from slipcast.io.atomic import atomic_path
from slipcast.learning import checkpoint as checkpoint_module
from slipcast.learning.checkpoint import Checkpoint


def rewrite(folder, **changes):
    """Change keys of model.json, whose seal goes; None takes a key away."""
    content = json.loads((folder / "model.json").read_text()) | {"seal": None} | changes
    (folder / "model.json").write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def replace_tensors(folder, **changes):
    """Change tensors, and the checksum with them."""
    tensors = safetensors.torch.load_file(folder / "model.safetensors") | changes
    content = safetensors.torch.save({k: v for k, v in tensors.items() if v is not None})
    (folder / "model.safetensors").write_bytes(content)
    rewrite(folder, weights_sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture
def folder(tmp_path):
    make().save(tmp_path / "first")
    return tmp_path / "first"


def test_save_and_open_give_the_same_numbers(folder):
    saved, opened = make(), Checkpoint.open(folder)
    npt.assert_array_equal(opened.predict(records()), saved.predict(records()))
    for key in (
        "architecture",
        "gauges",
        "sources",
        "window_min",
        "record_scale_m",
        "config",
        "history",
        "epoch",
        "versions",
    ):
        assert getattr(opened, key) == getattr(saved, key)
    assert (opened.scenarios, opened.region, opened.sample_step_s) == ("made-up", "cascadia", 60.0)
    assert opened.id == saved.id
    assert opened.best_epoch == 2
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.toml",
        "history.csv",
        "model.json",
        "model.safetensors",
    ]


def test_history_as_a_table(folder):
    table = np.genfromtxt(folder / "history.csv", delimiter=",", names=True)
    assert table.dtype.names == tuple(make().history[0])
    assert table["train_loss_m2"].tolist() == [9.1, 8.1, 0.1 + 0.2]


def test_identity_follows_weights_names_and_scale():
    ids = {make(**change).id for change in ({}, {"seed": 2}, {"record_scale_m": 0.1}, {"sources": tuple("abcde")})}
    assert len(ids) == 4
    assert make().id == make().id


def test_records_are_divided_by_the_scale():
    whole, half = make(record_scale_m=0.08), make(record_scale_m=0.04)
    npt.assert_allclose(half.predict(0.5 * records()), whole.predict(records()), rtol=1e-5)


def test_predictions_are_metres_without_dropout_and_of_any_number_of_records(monkeypatch):
    checkpoint = make()
    checkpoint.network.train()
    first = checkpoint.predict(records())
    assert first.shape == (4, 5)
    assert first.dtype == np.float32
    assert (first >= 0).all()
    npt.assert_array_equal(checkpoint.predict(records()), first)
    monkeypatch.setattr(checkpoint_module, "_CHUNK", 3)
    npt.assert_allclose(checkpoint.predict(records()), first, rtol=1e-5, atol=1e-6)
    npt.assert_allclose(checkpoint.predict(records()[1]), first[1], rtol=1e-5, atol=1e-6)
    assert checkpoint.predict(records(0)).shape == (0, 5)
    assert checkpoint.predict(records(4).reshape(2, 2, 3, 45)).shape == (2, 2, 5)


def test_sample_times():
    npt.assert_array_equal(make().sample_times_s, 60.0 * np.arange(1, 46))


def test_opening_draws_no_random_numbers(folder):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    Checkpoint.open(folder)
    assert torch.equal(torch.rand(1), expected)


def test_wrong_records():
    with pytest.raises(InputError, match=r"records must have shape \(..., 3, 45\), got \(4, 3, 44\)"):
        make().predict(records()[..., 1:])
    with pytest.raises(InputError, match=r"records must have shape \(..., 3, 45\), got \(45,\)"):
        make().predict(records()[0, 0])
    bad = records()
    bad[2, 1, 6] = np.nan
    with pytest.raises(InputError, match="records must be finite, got nan in record 2 at gauge 46407, 7 min after"):
        make().predict(bad)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gauges": ("46404", "46407")}, r"gauges must be 3 \(n_channels\), got 2"),
        ({"sources": ("acsza57",)}, r"sources must be 5 \(n_sources\), got 1"),
        ({"gauges": ("46404", "46404", "46419")}, "gauges of a checkpoint must differ from one another"),
        ({"record_scale_m": 0.0}, "record_scale_m must be finite and > 0, got 0.0"),
        ({"sample_step_s": -60.0}, "sample_step_s must be finite and > 0, got -60.0"),
        ({"window_min": 30.0}, "window_min of 30 min holds 30 samples of 60 s, not the 45 of signal_length"),
    ],
)
def test_contradictions(changes, message):
    with pytest.raises(InputError, match=message):
        make(**changes)


def test_missing_files(tmp_path, folder):
    with pytest.raises(InputError, match=r"no folder .*none: a checkpoint is the folder that a training wrote"):
        Checkpoint.open(tmp_path / "none")
    with pytest.raises(InputError, match=r"holds no checkpoint \(no model.json\)$"):
        Checkpoint.open(tmp_path)
    (tmp_path / "training.safetensors").touch()
    with pytest.raises(InputError, match=r"no model.json\), only a training that did not finish; resume it"):
        Checkpoint.open(tmp_path)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"checkpoint .*first: cannot read model.safetensors: No such file"):
        Checkpoint.open(folder)


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_truncated_weights(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"model.safetensors is truncated or no safetensors file"):
        Checkpoint.open(folder)


def test_foreign_descriptions(folder):
    path = folder / "model.json"
    text = path.read_text()
    path.write_text(text[:200])
    with pytest.raises(InputError, match=r"model.json is not valid JSON"):
        Checkpoint.open(folder)
    path.write_text("[1, 2]")
    with pytest.raises(InputError, match=r"model.json does not describe a slipcast checkpoint"):
        Checkpoint.open(folder)
    path.write_text('{"model": "gpt"}')
    with pytest.raises(InputError, match=r"model.json does not describe a slipcast checkpoint"):
        Checkpoint.open(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 3}, "model.json has format 3, this slipcast reads format 2"),
        ({"format": 1}, "model.json is of a model that an older slipcast trained on sea level, which no DART measures"),
        ({"gauges": None}, "model.json is damaged at gauges: Field required"),
        (
            {"record_scale_m": "0.1"},
            "model.json is damaged at record_scale_m: Input should be a valid number",
        ),
        ({"surprise": 1}, "model.json is damaged at surprise: Extra inputs"),
        ({"architecture": "conv2d"}, "checkpoint .*first: unknown model 'conv2d'"),
        ({"arguments": {"n_channels": 3}}, "model conv1d needs the argument n_sources"),
        ({"arguments": ARGUMENTS | {"hiden": 3}}, "unknown argument 'hiden' of model conv1d"),
        (
            {"arguments": ARGUMENTS | {"hidden": 20}},
            r"tensor linear_1.weight must be float32 of shape \(20, 80\)",
        ),
        ({"config": {"epohcs": 3}}, "unknown training setting 'epohcs'"),
        ({"gauges": ["46404"]}, r"gauges must be 3 \(n_channels\), got 1"),
        ({"weights_sha256": "0"}, "are not of the same checkpoint"),
    ],
)
def test_damaged_descriptions(folder, changes, message):
    rewrite(folder, **changes)
    with pytest.raises(InputError, match=message):
        Checkpoint.open(folder)


def test_files_of_two_checkpoints(tmp_path, folder):
    make(seed=2).save(tmp_path / "second")
    (tmp_path / "second" / "model.safetensors").replace(folder / "model.safetensors")
    with pytest.raises(InputError, match=r"model.safetensors and model.json are not of the same checkpoint"):
        Checkpoint.open(folder)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (
            {"linear_2.bias": torch.zeros(4)},
            r"linear_2.bias must be float32 of shape \(5,\), got float32 of shape \(4,\)",
        ),
        ({"linear_2.bias": torch.zeros(5).double()}, "linear_2.bias must be float32 of shape .* got float64"),
        (
            {"linear_2.bias": torch.full((5,), torch.nan)},
            "tensor linear_2.bias holds a value that is not finite",
        ),
        ({"linear_2.bias": None}, "lacks the tensor linear_2.bias"),
        ({"linear_3.bias": torch.zeros(5)}, "holds a tensor linear_3.bias that the architecture lacks"),
    ],
)
def test_tensors_that_do_not_fit(folder, tensors, message):
    replace_tensors(folder, **tensors)
    with pytest.raises(InputError, match=message):
        Checkpoint.open(folder)


def test_saving_replaces_a_checkpoint_and_nothing_else(folder):
    (folder / "notes.txt").write_text("mine")
    make(seed=2).save(folder)
    assert Checkpoint.open(folder).id == make(seed=2).id
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_failed_save_leaves_the_old_checkpoint(folder, monkeypatch):
    def full_disk(path):
        if path.name == "history.csv":
            raise OSError(28, "No space left on device")
        return atomic_path(path)

    monkeypatch.setattr(checkpoint_module, "atomic_path", full_disk)
    with pytest.raises(InputError, match=r"cannot write .*: the disk is full"):
        make(seed=2).save(folder)
    assert Checkpoint.open(folder).id == make().id
    assert len(list(folder.iterdir())) == 4


def test_a_save_where_none_is_possible(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"a checkpoint is a folder, got .*file, which is a file"):
        make().save(tmp_path / "file")


def test_a_save_that_is_killed_leaves_no_halves(folder, monkeypatch):
    """The description is the last to be put in place, so weights of one and names of another never meet."""
    whole, done = atomic.put_in_place, []

    def killed(temporary, target):
        if target.name == "model.json":
            raise KeyboardInterrupt
        whole(temporary, target)
        done.append(target.name)

    monkeypatch.setattr(atomic, "put_in_place", killed)
    with pytest.raises(KeyboardInterrupt):
        make(seed=2).save(folder)
    assert "model.safetensors" in done
    assert not (folder / "model.json").exists()
    with pytest.raises(InputError, match="holds no checkpoint"):
        Checkpoint.open(folder)
