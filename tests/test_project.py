"""The project around the code: metadata, links of a release, workflow and templates, what is in the wheel."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ADDRESS = "https://example.org/owner/slipcast"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETTINGS["project"]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
BUILT = {"build", ".git", ".venv", ".hypothesis", "dist", "site", "runs", "demo", "demo-quick"}


def load(path: Path) -> ModuleType:
    """Import a script that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


release = load(ROOT / "setup.py")


def test_links_of_the_readme_are_absolute_where_the_repository_has_an_address():
    text = release.absolute_links((ROOT / "README.md").read_text(encoding="utf-8"), ADDRESS)
    assert f"({ADDRESS}/raw/main/docs/figures/overview.png)" in text
    assert f"({ADDRESS}/blob/main/docs/limits.md)" in text
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert len(targets) > 20
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](b.md)", f"[a]({ADDRESS}/blob/main/b.md)"),
        ("![a](b.png)", f"![a]({ADDRESS}/raw/main/b.png)"),
        ("[a](#install) [b](https://x.org/y)", "[a](#install) [b](https://x.org/y)"),
    ],
)
def test_absolute_links(text, expected):
    assert release.absolute_links(text, ADDRESS) == expected
    assert release.absolute_links(text, "") == text


def test_addresses():
    assert release.addresses("") == {}
    found = release.addresses(ADDRESS)
    assert {"Homepage", "Documentation", "Issues", "Changelog"} <= set(found)
    assert all(address.startswith(ADDRESS) for address in found.values())


def test_the_lower_bounds_are_written_down():
    oldest = load(ROOT / ".ci" / "oldest.py")
    assert (ROOT / "constraints-oldest.txt").read_text(encoding="utf-8") == oldest.oldest(PROJECT)
    with pytest.raises(SystemExit, match=r"a requirement needs a lower bound, NAME>=VERSION: got 'numpy'"):
        oldest.oldest(PROJECT | {"dependencies": ["numpy"]})


def test_oldest_says_where_the_file_differs(tmp_path):
    for name in (".ci", "pyproject.toml", "constraints-oldest.txt"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile)(ROOT / name, tmp_path / name)
    check = [sys.executable, str(tmp_path / ".ci" / "oldest.py"), "--check"]
    assert subprocess.run(check, check=False).returncode == 0
    (tmp_path / "constraints-oldest.txt").write_text("numpy==1.0\n", encoding="utf-8")
    assert subprocess.run(check, check=False).returncode == 1
    subprocess.run(check[:2], check=True)
    assert subprocess.run(check, check=False).returncode == 0


def test_what_is_imported_is_declared():
    lines = [*PROJECT["dependencies"], *(each for extra in PROJECT["optional-dependencies"].values() for each in extra)]
    declared = {re.split(r"[\[>;= ]", line)[0].lower().replace("_", "-") for line in lines}
    homes = packages_distributions()
    wanted: dict[str, str] = {}
    for path in package_files():
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
                wanted |= {name.split(".")[0]: path.name for name in names}
    ours = {*sys.stdlib_module_names, "slipcast", "dask", "cloudpickle", "starlette"}  # the last by what needs them
    for name in sorted(set(wanted) - ours):
        known = {home.lower().replace("_", "-") for home in homes.get(name, [name])}
        assert known & declared, f"{wanted[name]} imports {name}, which pyproject.toml does not have"


def test_every_extra_is_in_the_tests():
    # what users may install is tested, with the same bounds
    extras = PROJECT["optional-dependencies"]
    for name in ("distributed", "serve", "tune", "postgres", "docs"):
        assert set(extras[name]) <= set(extras["test"]), name


def test_python_versions_are_those_that_are_tested():
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    tested = jobs["test"]["strategy"]["matrix"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert tested["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"
    assert {system.split("-")[0] for system in tested["os"]} == {"ubuntu", "macos", "windows"}


def test_the_workflow_is_whole():
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    for name, job in jobs.items():
        assert job["runs-on"], name
        assert all(("uses" in step) != ("run" in step) for step in job["steps"]), name
        assert {job.get("needs", name)} <= set(jobs), name
    runs = {name: "\n".join(step.get("run", "") for step in job["steps"]) for name, job in jobs.items()}
    assert "constraints-oldest.txt" in runs["oldest"]
    assert "--upgrade" in runs["latest"]
    assert "mkdocs build --strict" in runs["docs"]
    assert "python -m build" in runs["build"]
    assert "pytest" in runs["installed"]


@pytest.mark.parametrize("path", [path for path in TEMPLATES if path.stem != "config"], ids=lambda path: path.stem)
def test_a_form_of_an_issue(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    names = [field["id"] for field in form["body"]]
    assert len(names) == len(set(names))
    for field in form["body"]:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes")
        assert field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_hooks_download_nothing():
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [each["repo"] for each in repositories] == ["local"]
    hooks = {hook["id"]: hook for hook in repositories[0]["hooks"]}
    assert {"ruff", "ruff-format", "mypy"} <= set(hooks)
    assert {hook["language"] for hook in hooks.values()} == {"system"}


def test_the_citation():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    # what the Citation File Format 1.2 requires
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["authors"]
    assert all(set(author) & {"name", "family-names"} for author in citation["authors"])
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference)
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


def test_ci_runs_what_contributors_run():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for target in ("lint", "docs", "test", "test-slow"):
        assert f"make {target}" in script
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Copy the repository, with an address, without anything that was built."""
    folder = tmp_path_factory.mktemp("project") / "slipcast"

    def ignored(where: str, names: list[str]) -> set[str]:
        made = BUILT if Path(where) == ROOT else set()
        return {name for name in names if name in made or name.endswith(("_cache", "__pycache__", ".egg-info"))}

    shutil.copytree(ROOT, folder, ignore=ignored)
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    assert text.count('repository = ""') == 1
    (folder / "pyproject.toml").write_text(
        text.replace('repository = ""', f'repository = "{ADDRESS}/"'), encoding="utf-8"
    )
    return folder


def build(source: Path, out: Path, kind: str) -> Path:
    """Build a wheel or an sdist with what is installed."""
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(out), str(source)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.iterdir()
    return path


@pytest.mark.slow
def test_the_wheel(source, tmp_path):
    pytest.importorskip("build")
    wheel = build(source, tmp_path / "dist", "wheel")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        about = Parser().parsestr(packed.read(next(name for name in names if name.endswith("METADATA"))).decode())
        packed.extractall(tmp_path / "installed")
    assert {name.split("/")[0] for name in names} == {"slipcast", f"slipcast-{PROJECT['version']}.dist-info"}
    files = {f"slipcast/{path.relative_to(ROOT / 'src' / 'slipcast').as_posix()}" for path in package_files()}
    assert {name for name in names if name.startswith("slipcast/")} == files
    assert not [name for name in names if "benchmark" in name or "test" in name.split("/")[-1]]
    assert about["Version"] == PROJECT["version"]
    assert f"Issues, {ADDRESS}/issues" in about.get_all("Project-URL")
    assert about["Description-Content-Type"] == "text/markdown"
    assert f"]({ADDRESS}/blob/main/docs/limits.md)" in about.get_payload()
    # it works where the repository is not
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    code = "import slipcast; print(slipcast.__file__)"
    asked: dict = {"capture_output": True, "text": True, "env": environment, "cwd": tmp_path, "check": False}
    where = subprocess.run([sys.executable, "-c", code], **asked)
    assert str(tmp_path / "installed") in where.stdout
    for arguments in (["--help"], ["regions", "show", "cascadia"]):
        command = [sys.executable, "-m", "slipcast", *arguments]
        done = subprocess.run(command, **asked)
        assert done.returncode == 0, done.stderr


def package_files() -> list[Path]:
    """Return the files of the package as they stand in the source."""
    files = (ROOT / "src" / "slipcast").rglob("*")
    return [path for path in files if path.is_file() and "__pycache__" not in path.parts]


@pytest.mark.slow
def test_the_sdist(source, tmp_path):
    pytest.importorskip("build")
    with tarfile.open(build(source, tmp_path / "dist", "sdist")) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    needed = ["setup.py", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff", "mkdocs.yml", ".ci/run"]
    needed += ["docs/index.md", "docs/figures/overview.png", "benchmarks/accuracy/__main__.py", "training/golden.py"]
    needed += [f"tests/{path.relative_to(ROOT / 'tests').as_posix()}" for path in (ROOT / "tests").rglob("*.py")]
    needed += ["tests/data/tohoku2011/21418.txt.gz", "tests/data/cascadia_golden.npz", "constraints-oldest.txt"]
    assert not set(needed) - names
