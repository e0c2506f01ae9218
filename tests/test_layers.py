"""The order of the modules, what importing costs, and some rules of the house."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "slipcast"

# each line may import what stands on it or below it, nothing above
LAYERS = (
    ("__main__", "__init__", "cli"),
    ("demo",),
    ("service",),
    ("reports",),
    ("evaluation",),
    ("realtime",),
    ("forecasting",),
    ("learning",),
    ("inversion",),
    ("records",),
    ("scenarios",),
    ("greens",),
    ("plots", "regions"),
    ("physics",),
    ("io", "parallel"),
    ("metrics", "geodesy"),
    ("errors",),
)
HEAVY = {
    "torch": ("learning", "shallow_water_torch"),
    "optuna": ("learning",),
    "matplotlib": ("plots", "demo"),
    "fastapi": ("service",),
    "sqlalchemy": ("service",),
    "plotly": ("reports",),
    "jinja2": ("reports",),
}

MODULES = sorted(SOURCE.rglob("*.py"))


def part(path: Path) -> str:
    """Return the package or module that a file belongs to, directly under slipcast."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path, *, typing_too: bool = False) -> list[str]:
    """Return all modules that a file imports, inside functions too, but for type checking."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not typing_too:
            skipped |= {id(inner) for statement in node.body for inner in ast.walk(statement)}
    found = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found += [node.module or ""]
            found += [f"{node.module}.{alias.name}" for alias in node.names if node.module == "slipcast"]
    return found


def layer(name: str) -> int:
    """Return the line of a part."""
    return next(number for number, names in enumerate(LAYERS) if name in names)


def test_every_part_has_its_line():
    parts = {part(path) for path in MODULES}
    assert parts <= {name for names in LAYERS for name in names}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_downwards(path):
    own = part(path)
    for name in imports(path):
        if name.startswith("slipcast."):
            other = name.split(".")[1]
            assert layer(other) >= layer(own), f"{path.name} imports {name} from above"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_heavy_libraries_have_their_places(path):
    for name in imports(path):
        if (places := HEAVY.get(name.split(".")[0])) is not None:
            assert {part(path), path.stem} & set(places), f"{path.name} imports {name}"


@pytest.mark.parametrize("arguments", [["-c", "import slipcast"], ["-m", "slipcast", "--help"]])
def test_nothing_heavy_is_loaded_unasked(arguments):
    done = subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True)
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "slipcast" in loaded
    assert not loaded & {"torch", "matplotlib", "plotly", "numba", "xarray", "zarr", "netCDF4", "distributed", "jinja2"}
    assert not loaded & {"fastapi", "starlette", "sqlalchemy", "alembic", "uvicorn", "httpx"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_rules_of_the_house(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 550
    for node in ast.walk(ast.parse(text)):
        assert not isinstance(node, ast.Assert), f"{path.name}:{node.lineno} asserts"
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) != "print", f"{path.name}:{node.lineno} prints"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{path.name}:{node.lineno} catches everything"
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names)


def test_no_module_has_the_name_of_what_its_package_exports():
    for package in [SOURCE, *(path.parent for path in MODULES if path.name == "__init__.py")]:
        modules = {path.stem for path in package.glob("*.py")} | {
            path.parent.name for path in package.glob("*/__init__.py")
        }
        tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
        exported = {
            ast.literal_eval(name)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            for name in node.value.elts
        }
        assert not modules & exported, f"{package.name} exports {modules & exported}, which are modules of it"


@pytest.mark.slow
def test_a_bank_a_method_and_a_forecast_need_no_torch():
    code = """
import sys
import numpy as np
import slipcast as sc
records = sc.packaged_records("cascadia-simulation")
region = sc.Region.open("cascadia").with_gauges(["46404"])
bank = sc.GreensBank.build(region, spacing_arcmin=20, hours=1, bathymetry=None, workers=1)
for inverter in (sc.LeastSquares(bank, window_min=30), sc.GaussianPosterior.from_bank(bank, window_min=30)):
    sc.forecast(sc.invert(records, inverter), bank)
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
