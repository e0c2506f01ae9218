"""Benchmarks as a whole: each module starts, and pages are what results and code give."""

from __future__ import annotations

import json
import runpy
import shutil
from dataclasses import replace

import numpy as np
import pytest
from benchmarks import pages
from benchmarks.known_fault import odds_of_naming
from benchmarks.markdown import Rows, fill, made_by_words, table
from benchmarks.provenance import ROOT, code_digest
from benchmarks.studies import representation

from slipcast.errors import InputError

MODULES = ["benchmarks.accuracy.__main__", "benchmarks.speed.__main__", "benchmarks.pages"] + [
    f"benchmarks.studies.{path.stem}"
    for path in sorted((ROOT / "benchmarks" / "studies").glob("*.py"))
    if path.stem not in ("__init__", "service_process", "damaged_inputs")  # parts of others
]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_every_module_starts(module, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [module, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")


# --- pages


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Copy what pages are made of, but for the one that is slow to compute."""
    monkeypatch.delitem(pages.PAGES, "docs/scaling.md")
    for name in ("src", "benchmarks", "docs"):
        ignored = shutil.ignore_patterns("__pycache__", "figures", "service", "reports", "*.egg-info")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def changed(root, name, old, new):
    path = root / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_pages_are_what_their_results_give():
    """What `python -m benchmarks.pages --check` looks at, but for the code, which `.ci/run` compares."""
    for path, page in pages.PAGES.items():
        assert page(ROOT) == (ROOT / path).read_text(encoding="utf-8"), f"{path}: run `python -m benchmarks.pages`"


@pytest.mark.slow
def test_a_changed_constant_is_red_for_cheap_results_and_a_note_for_others(tree):
    kept = json.loads((tree / "docs" / "benchmarks" / "representation_coarse.json").read_text())
    kept["made_by"]["code"] = code_digest(representation.code(tree), root=tree)
    (tree / "docs" / "benchmarks" / "representation_coarse.json").write_text(json.dumps(kept))
    pages.render(tree)
    assert pages.check(tree, compute=False)[0] == []
    before = {note.split(" ")[0] for note in pages.check(tree, compute=False)[1]}
    path = tree / "src" / "slipcast" / "metrics.py"
    path.write_text(path.read_text(encoding="utf-8") + "\n_ANOTHER = 2.0\n", encoding="utf-8")
    faults, notes = pages.check(tree, compute=False)
    assert len(faults) == 1
    assert faults[0].startswith("docs/benchmarks/representation_coarse.json was made by other code: ")
    assert before <= {note.split(" ")[0] for note in notes}
    assert any(note.startswith("docs/benchmarks/accuracy.json was made by other code") for note in notes)


@pytest.mark.slow
def test_an_edited_page_and_an_edited_result_are_red(tree):
    pages.render(tree)
    changed(tree, "docs/models/cascadia.md", "## Scores", "## Scores, all of them good")
    found = json.loads((tree / "docs" / "benchmarks" / "events.json").read_text())
    found["tables"]["tohoku"]["rows"][0][1] = "9.99"
    (tree / "docs" / "benchmarks" / "events.json").write_text(json.dumps(found))
    faults, _ = pages.check(tree, compute=False)
    faults = [fault for fault in faults if "was made by other code" not in fault]
    assert faults == [
        "docs/models/cascadia.md is not what its results give",
        "docs/events.md is not what its results give",
    ]
    assert set(pages.render(tree)) >= {"docs/models/cascadia.md", "docs/events.md"}
    assert "| 9.99 |" in (tree / "docs" / "events.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_cheap_results_are_computed_again(tree, monkeypatch):
    name = "representation_coarse"
    path = tree / "docs" / "benchmarks" / f"{name}.json"
    kept = json.loads(path.read_text())
    kept["made_by"]["code"] = code_digest(representation.code(tree), root=tree)
    path.write_text(json.dumps(kept))
    pages.render(tree)
    other = json.loads(json.dumps(kept))
    calls = []

    def compute():
        calls.append(1)
        return other

    monkeypatch.setitem(pages.RESULTS, name, replace(pages.RESULTS[name], compute=compute))
    assert pages.check(tree)[0] == []
    row = other["tables"]["representation"]["rows"][0]
    row[2] = f"{float(row[2]) + 0.01:.2f}"  # rounded on another machine
    assert pages.check(tree)[0] == []
    row[2] = "0.11"
    assert [fault for fault in pages.check(tree)[0] if "near points: " in fault and "0.11 computed" in fault]
    row[1] = "thirty-one"
    assert any("pieces" in fault for fault in pages.check(tree)[0])
    other["tables"]["representation"]["rows"] = []
    assert any("has other rows or columns" in fault for fault in pages.check(tree)[0])
    assert len(calls) == 5
    assert pages.render(tree) == []  # the code is that of the results
    kept["made_by"]["code"] = "0"
    path.write_text(json.dumps(kept))
    assert f"docs/benchmarks/{name}.json" in pages.render(tree)


@pytest.mark.parametrize(("faults", "code"), [(["a page is wrong"], 1), ([], 0)])
def test_the_command_ends_with_what_was_found(monkeypatch, capsys, faults, code):
    monkeypatch.setattr(pages, "check", lambda: (faults, ["one is old"]))
    monkeypatch.setattr(pages, "render", lambda: pytest.fail("--check changes nothing"))
    monkeypatch.setattr("sys.argv", ["pages", "--check"])
    assert pages.main() == code
    printed = capsys.readouterr().out
    assert "note: one is old\n" in printed
    assert ("a page is wrong; `python -m benchmarks.pages` makes it again\n" in printed) == bool(faults)
    drawn = []
    monkeypatch.setattr(pages, "write_accuracy", lambda folder, results, headline: drawn.append(folder))
    monkeypatch.setattr(pages, "render", lambda: ["docs/a.md"])
    monkeypatch.setattr("sys.argv", ["pages"])
    assert pages.main() == 0
    assert capsys.readouterr().out == "docs/a.md\n"
    assert drawn == []
    monkeypatch.setattr("sys.argv", ["pages", "--figures"])
    assert pages.main() == 0
    assert drawn == [ROOT / "docs" / "benchmarks"]


@pytest.mark.slow
def test_the_coarse_table_is_what_the_code_computes():
    kept = json.loads((ROOT / "docs" / "benchmarks" / "representation_coarse.json").read_text())
    assert list(pages._differences(kept, representation.coarse())) == []


# --- markdown


def test_blocks_of_a_page():
    text = "a\n\n<!-- one -->\nold\n<!-- end -->\n\n<!-- one more -->\n<!-- end -->\n"
    filled = fill(text, {"one": r"\1 new", "one more": table(["", "x"], [["y", "2"]])})
    of_table = "|  | x |\n| --- | ---: |\n| y | 2 |\n"
    assert filled == f"a\n\n<!-- one -->\n\n\\1 new\n\n<!-- end -->\n\n<!-- one more -->\n\n{of_table}\n<!-- end -->\n"
    assert fill(filled, {"one": r"\1 new"}) == filled
    with pytest.raises(InputError, match="blocks must each have one place in the page, got 0 of <!-- two -->"):
        fill(text, {"two": ""})
    with pytest.raises(InputError, match="got 2 of <!-- one -->"):
        fill(text + text, {"one": ""})


def test_rows_are_printed_and_kept(capsys):
    rows = Rows("a", "b")
    rows.add("x", "1")
    assert capsys.readouterr().out == "\n| a | b |\n| --- | ---: |\n| x | 1 |\n"
    assert rows.results() == {"header": ["a", "b"], "rows": [["x", "1"]]}
    with pytest.raises(InputError, match="cells must be 2, as the header, got 1"):
        rows.add("x")


def test_provenance_in_words():
    assert made_by_words({"code": "1", "commit": "2", "model": "3"}) == "code `1`, commit `2`, model `3`"


def test_the_odds_of_naming_a_fault_that_is_known():
    times_s = 60.0 * np.arange(1, 31)
    # one wave, the same at two gauges; a third has one of its own
    shape = np.sin(times_s / 300.0)
    same = np.kron(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.outer(shape, shape))
    waves_m = np.tile(0.3 * shape, (3, 1))

    def odds(failing, fault_m, size_m=0.3):
        return odds_of_naming(same, times_s, size_m, waves_m, failing, fault_m)

    assert odds(0, np.zeros(30)) == pytest.approx(1e-3, rel=1e-6)
    assert odds(0, np.full(30, np.nan)) == pytest.approx(1e-3, rel=1e-6)
    # upside down: known from the twin; at the third gauge the wave may as well be that
    turned = -2 * waves_m[0]
    assert odds(0, turned) > 0.99 > 0.2 > odds(2, turned)
    # a fault that no wave makes is known at any gauge, the larger the better, and the less where samples are missing
    spike = np.where(np.arange(30) == 4, 0.2, 0.0)
    assert odds(2, spike) > odds(2, spike / 3)
    assert odds(2, np.where(np.arange(30) == 4, np.nan, spike)) == pytest.approx(1e-3, rel=1e-6)
    # an earthquake of nothing leaves nothing open but noise and tide
    assert odds(2, turned / 10, size_m=0.0) > odds(2, turned / 10)
