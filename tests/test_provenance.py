"""Provenance of results: the digest of code, the commit, and the form of files of results."""

from __future__ import annotations

import json
import subprocess

import pytest
from benchmarks.provenance import ROOT, code_digest, commit, provenance, source_files, tables, write_compact

from slipcast.errors import InputError

MODULE = (
    '"""A module."""\n\nRATE = 1.5  # of a thing\n\n\ndef rate(x):\n    """Return a rate."""\n    return RATE * x\n'
)


@pytest.fixture
def tree(tmp_path):
    """Make a repository with a package of two modules and a region."""
    files = {
        "physics/rates.py": MODULE,
        "cli/main.py": "X = 1\n",
        "regions/here.toml": "a = 1\n",
    }
    for name, text in files.items():
        path = tmp_path / "src" / "slipcast" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path


def digest(tree, **options):
    return code_digest(source_files(root=tree, **options), root=tree)


def test_a_constant_changes_the_digest_and_a_word_does_not(tree):
    module = tree / "src" / "slipcast" / "physics" / "rates.py"
    before = digest(tree)
    module.write_text(MODULE.replace("A module.", "Rates of things.").replace("Return a rate.", "Return\n\n    it."))
    assert digest(tree) == before
    module.write_text(MODULE.replace("# of a thing", "# m/s"))
    assert digest(tree) == before
    module.write_text(MODULE.replace("1.5", "1.6"))
    assert digest(tree) != before


def test_a_string_that_is_no_docstring_and_a_sign_in_a_string_count(tree):
    module = tree / "src" / "slipcast" / "physics" / "rates.py"
    module.write_text('A = "x # y"\n')
    before = digest(tree)
    module.write_text('A = "x # z"\n')
    assert digest(tree) != before


def test_names_and_data_count_and_what_only_shows_does_not(tree):
    package = tree / "src" / "slipcast"
    before = digest(tree)
    (package / "cli" / "main.py").write_text("X = 2\n")
    assert digest(tree) == before
    (package / "regions" / "here.toml").write_text("a = 2\n")
    changed = digest(tree)
    assert changed != before
    (package / "physics" / "rates.py").rename(package / "physics" / "speeds.py")
    assert digest(tree) not in (changed, before)


def test_files_can_be_chosen_added_and_left_out(tree):
    for name in ("greens", "benchmarks"):
        (tree / "src" / "slipcast" / name).mkdir() if name == "greens" else (tree / name).mkdir()
    (tree / "src" / "slipcast" / "greens" / "bank.py").write_text("X = 1\n")
    (tree / "benchmarks" / "one.py").write_text("X = 1\n")
    (tree / "benchmarks" / "page.py").write_text("X = 1\n")

    def names(*more, **options):
        return [path.name for path in source_files(*more, root=tree, **options)]

    assert names() == ["bank.py", "rates.py", "here.toml"]
    assert names(only=("greens",)) == ["bank.py", "here.toml"]
    assert names("benchmarks", only=("greens",), leave_out=("benchmarks/page.py",)) == [
        "one.py",
        "bank.py",
        "here.toml",
    ]


def test_what_does_not_exist_is_refused(tree, tmp_path):
    with pytest.raises(InputError, match="root must be the repository of slipcast, with src/slipcast, got"):
        source_files(root=tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"paths must exist in .*, got benchmarks/none\.py"):
        source_files("benchmarks/none.py", root=tree)
    with pytest.raises(InputError, match=r"paths must exist in .*, got src/slipcast/none"):
        source_files(only=("none",), root=tree)
    with pytest.raises(InputError, match="paths must have at least one file, got none"):
        code_digest([])


def test_the_commit_is_that_of_the_tree(tree):
    assert commit(tree) == "unknown"

    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(["git", "-C", str(tree), *who, *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    head = git("rev-parse", "--short=10", "HEAD")
    assert commit(tree) == head
    (tree / "src" / "slipcast" / "cli" / "main.py").write_text("X = 3\n")
    assert commit(tree) == f"{head}+changes"


def test_results_name_code_bank_and_model_and_no_date(tmp_path):
    paths = source_files(only=("metrics.py",))
    found = tables({"a": {"header": ["x"], "rows": [["1"]]}}, "python -m it", paths, bank="b", model="m")
    assert found["made_by"] == {"code": code_digest(paths), "commit": commit(), "bank": "b", "model": "m"}
    assert provenance(paths) == {"code": code_digest(paths), "commit": commit()}
    assert found["command"] == "python -m it"
    write_compact(tmp_path / "a.json", found)
    assert json.loads((tmp_path / "a.json").read_text()) == found
    assert len((tmp_path / "a.json").read_text().splitlines()) < 15
    with pytest.raises(ValueError, match="JSON"):
        write_compact(tmp_path / "b.json", {"a": float("nan")})
    assert (ROOT / "src" / "slipcast" / "metrics.py") in paths
