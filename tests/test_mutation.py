"""The runner of mutants: every operator, faults that are Python, and a sample that depends on its seed alone."""

from __future__ import annotations

import ast
import difflib

import pytest
from benchmarks.studies.mutation import ROOT, draw, mutants_of, replacements

MOMENT = ROOT / "src" / "slipcast" / "physics" / "moment.py"


@pytest.mark.parametrize(
    ("text", "operator", "expected"),
    [
        ("a < b", "comparison", ["a <= b"]),
        ("a <= b < c", "comparison", ["a < b < c", "a <= b <= c"]),
        ("a is None", "comparison", ["a is not None"]),
        ("a + b", "arithmetic", ["a - b"]),
        ("a ** b", "arithmetic", ["a * b"]),
        ("a += b", "arithmetic", ["a -= b"]),
        ("a and b", "and/or", ["a or b"]),
        ("not a", "sign removed", ["a"]),
        ("-a", "sign removed", ["a"]),
        ("True", "flag", ["False"]),
        ("3", "number", ["4"]),
        ("f(a, b=c, d=e)", "keyword dropped", ["f(a, d=e)", "f(a, b=c)"]),
        ("return a", "returns None", ["return None"]),
        ("return None", "returns None", []),
        ("f(**a)", "keyword dropped", []),
        ("a @ b", "arithmetic", []),
    ],
)
def test_operators(text, operator, expected):
    statement = ast.parse(text).body[0]
    node = statement.value if isinstance(statement, ast.Expr) else statement
    found = list(replacements(node))
    assert {name for name, _, _ in found} <= {operator}
    assert [ast.unparse(ast.fix_missing_locations(new)) for _, _, new in found] == expected


def test_every_mutant_is_one_change_that_is_python():
    source = MOMENT.read_bytes()
    mutants = mutants_of(MOMENT)
    assert len({(mutant.line, mutant.text) for mutant in mutants}) > 20
    for mutant in mutants:
        changed = mutant.apply(source)
        compile(changed, str(MOMENT), "exec")
        lines = list(difflib.ndiff(source.decode().splitlines(), changed.decode().splitlines()))
        assert [line[2:] for line in lines if line.startswith("- ")], mutant
        assert mutant.before in source.decode()
        assert mutant.package == "physics"


def test_messages_and_annotations_are_left_alone():
    text = MOMENT.read_text(encoding="utf-8")
    for mutant in mutants_of(MOMENT):
        assert "raise" not in text.splitlines()[mutant.line - 1]
        assert not text.splitlines()[mutant.line - 1].startswith("__all__")


@pytest.mark.slow
def test_a_sample_is_that_of_its_seed():
    one, again, other = (draw(["physics"], 10, seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert draw(["physics"], 5, 1) == one[:5]
