"""Examples run as they stand: the notebook, and the network of docs/workflow.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

from learning_fixtures import scenario_set
from slipcast.learning import TrainConfig
from slipcast.learning.train import train
from slipcast.learning.tuning.space import open_search

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_notebook(tmp_path):
    notebook = nbformat.read(ROOT / "examples" / "train_conv1d.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "it is kept without outputs"
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    figures = [output for output in shown if "image/png" in output.get("data", {})]
    assert len(figures) == 4


@pytest.fixture
def workflow() -> str:
    return (ROOT / "docs" / "workflow.md").read_text(encoding="utf-8")


def test_the_network_of_the_workflow(workflow, tmp_path, monkeypatch):
    code, settings = (re.search(rf"```{start}.*?)```", workflow, re.S) for start in (r"python\n(", r"toml\n(# wide"))
    assert code is not None
    assert settings is not None
    (tmp_path / "mynetworks.py").write_text(code[1])
    (tmp_path / "wide.toml").write_text(settings[1])
    monkeypatch.syspath_prepend(tmp_path)
    trained = train(scenario_set(), tmp_path / "run", config=TrainConfig.open(tmp_path / "wide.toml"), epochs=2)
    assert trained.architecture == "mynetworks:Wide"
    assert trained.arguments["width"] == 512
    sys.modules.pop("mynetworks")


def test_the_search_of_the_workflow(workflow, tmp_path):
    text = re.search(r"```toml\n(# tune.*?)```", workflow, re.S)
    assert text is not None
    (tmp_path / "tune.toml").write_text(text[1])
    config, space = open_search(tmp_path / "tune.toml")
    space.check(config, samples=45)
    assert set(space.parameters_of(TrainConfig(), 45)) == {name for name, _ in space.items()}


def test_every_setting_is_in_the_workflow(workflow):
    for key in TrainConfig.model_fields:
        assert re.search(rf"\b{key}\b", workflow), key
