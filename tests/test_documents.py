"""Documents: their Python runs, their commands and options exist, their links lead somewhere."""

from __future__ import annotations

import functools
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from conftest import build_quietly
from event_fixtures import tohoku_file
from slipcast.cli.main import app
from slipcast.greens.bank import GreensBank
from slipcast.greens.surface_bank import SurfaceBank
from slipcast.scenarios.scenario_set import ScenarioSet

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
NO_TEST = re.compile(r"<!-- no-test: (\S[^\n]*) -->\n\Z")
# blocks that cannot run here, by page; each needs its reason on the line before
NOT_RUN: dict[str, int] = {}


def name_of(page: Path) -> str:
    """Return the path of a page from the root of the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> Iterator[tuple[str, str | None]]:
    """Yield the blocks of code in some languages, each with the reason why it cannot be run, if it has one."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        if found[1] in languages:
            reason = NO_TEST.search(text[: found.start()])
            yield found[2], reason and reason[1]


def python_pages() -> list[str]:
    """Return the pages with Python to run."""
    return [name_of(page) for page in PAGES if any(reason is None for _, reason in blocks(page, "python"))]


@pytest.fixture
def cheap(monkeypatch, tmp_path, small_bank):
    """Make what documents build coarse and small, and put the files that they name into the working folder."""
    build = build_quietly
    original = GreensBank.build

    def coarse(region, **options):
        if region == "cascadia":
            return small_bank
        monkeypatch.setattr(GreensBank, "build", original)
        try:
            return build(region, **(options | {"spacing_arcmin": 12}))
        finally:
            monkeypatch.setattr(GreensBank, "build", staticmethod(coarse))

    humps = SurfaceBank.build
    few_gauges = {"spacing_arcmin": 6, "hours": 2, "gauges": ["46404", "46407", "46419"]}
    monkeypatch.setattr(
        SurfaceBank, "build", staticmethod(lambda region, **options: humps(region, **(options | few_gauges)))
    )
    few = ScenarioSet.build
    monkeypatch.setattr(
        ScenarioSet, "build", staticmethod(lambda bank, **options: few(bank, **(options | {"count": 40})))
    )
    for station in ("21418", "21401", "21413"):
        shutil.copyfile(tohoku_file(station), tmp_path / f"{station}.txt")
    build_quietly("japan", gauges=["21418", "21401", "21413"], hours=2, spacing_arcmin=12).save(tmp_path / "japan.nc")
    monkeypatch.setattr(GreensBank, "build", staticmethod(coarse))
    from slipcast.learning import train as home

    whole = home.train
    short = lambda scenarios, out, **options: whole(scenarios, out, **(options | {"epochs": 2}))  # noqa: E731
    monkeypatch.setattr("slipcast.train", short, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", python_pages())
def test_python_of_a_page_runs(name, cheap):
    namespace: dict = {"__name__": "document"}
    for code, reason in blocks(ROOT / name, "python"):
        if reason is None:
            exec(compile(code, name, "exec"), namespace)
    assert len(namespace) > 2


def test_what_does_not_run_is_counted():
    found = {name_of(page): sum(reason is not None for _, reason in blocks(page, "python")) for page in PAGES}
    assert {name: count for name, count in found.items() if count} == NOT_RUN


def commands(page: Path) -> list[str]:
    """Return the lines of a page that call slipcast: in blocks, indented, and between backquotes."""
    text = page.read_text(encoding="utf-8")
    joined = re.sub(r" \\\n\s+", " ", text)
    code = "".join(re.findall(r"^```(?:sh|ini)\n(.*?)^```$", joined, re.M | re.S))
    lines = [line.strip() for line in code.splitlines()]
    prose = re.sub(r"^```.*?^```$", "", joined, flags=re.M | re.S)
    lines += [line.strip() for line in re.findall(r"^    (?=slipcast ).*$", prose, re.M)]
    lines += re.findall(r"`(slipcast [^`\n]+)`", prose)
    calls = [re.search(r"(?:^|/)(slipcast (?!\|).*)$", re.sub(r"^(\w+=\S+ )+", "", line)) for line in lines]
    return [found[1] for found in calls if found]


class NotThere(Exception):
    """A command or an argument that does not exist."""


@functools.cache
def root() -> Any:
    """Return the command line, of click or of the copy of it in typer."""
    return typer.main.get_command(app)


def parse(line: str) -> None:
    """Parse a call as the command line would, without running it or looking for its files."""
    words = [word for word in shlex.split(line, comments=True)[1:] if word not in ("...", "--help")]
    command, context = root(), root().context_class(root(), info_name="slipcast")
    while words and hasattr(command, "get_command"):
        name = words.pop(0)
        found = command.get_command(context, name)
        if found is None:
            raise NotThere(f"no such command {name!r}")
        command, context = found, found.context_class(found, info_name=name, parent=context)
    _, left, _ = command.make_parser(context).parse_args(args=words)
    if left:
        raise NotThere(f"no such argument {left[0]!r}")


CALLS = [(name_of(page), line) for page in PAGES for line in commands(page)]


@pytest.mark.parametrize(("name", "line"), CALLS, ids=[f"{name}: {line[:60]}" for name, line in CALLS])
def test_commands_and_options_exist(name, line):
    parse(line)


@pytest.mark.parametrize(
    "line",
    ["slipcast invrt x.nc", "slipcast invert x.nc --mehtod nnls", "slipcast bank bild", "slipcast forecast a.nc b.nc"],
)
def test_a_command_that_does_not_exist_is_found_out(line):
    with pytest.raises(Exception, match=r"(?i)no such (command|option|argument)"):
        parse(line)


def test_documents_name_enough_commands():
    verbs = {line.split()[1] for _, line in CALLS}
    every = set(root().commands)
    assert every - verbs <= {"benchmark"}
    assert len(CALLS) > 50


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_scripts_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    for module in re.findall(r"python\s+-m (benchmarks[\w.]*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
    for path in re.findall(r"(?:\bpython |`)((?:training|tests|src|benchmarks)/[\w/.-]+)", text):
        assert (ROOT / path).exists(), path
    for path, test in re.findall(r"(tests/\w+\.py)::(\w+)", text):
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), test


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_a_page_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"<img src=\"([^\"]+)\"", text)
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = page.parent / path if path else page
        assert found.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target


def test_flags_of_the_watch_floor_are_those_of_the_code():
    page = (ROOT / "docs" / "watch-floor.md").read_text(encoding="utf-8")
    table = page[page.index("**Flags**") : page.index("**Below the range.**")]
    source = ROOT / "src" / "slipcast"
    modules = [source / "records" / "level_checks.py", source / "inversion" / "first_magnitude.py"]
    modules += (source / "realtime").glob("*.py")
    code = "".join(path.read_text(encoding="utf-8") for path in modules)
    flags = re.findall(r"^\| `([^`]+)` \|", table, re.M)
    assert len(flags) > 6
    for flag in flags:
        words = re.sub(r"^46404:? (\d+ samples? )?", "", flag).removesuffix("...").strip()
        assert re.split(r" \d| \(", words)[0] in code, flag


@pytest.mark.slow
def test_the_site_is_built_strictly(tmp_path):
    pytest.importorskip("mkdocs", reason="the site needs mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    html = [path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html")]
    assert len(html) > len(list((ROOT / "docs").rglob("*.md")))
    # nothing is loaded from elsewhere: no script, style, font or picture
    for text in html:
        assert not re.search(r"<(script|img|link)[^>]+(src|href)=\"https?:", text)
