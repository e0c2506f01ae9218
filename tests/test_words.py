"""Plain words: expressions that are out of the code's text, the documents and the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENDINGS = (".py", ".md", ".toml", ".js", ".html", ".css", ".ini")

# expression: what to say in its place. Precise enough to leave ordinary English and code alone.
OUT = {
    r"\bthe seed's\b|\bseed's (network|recipe|notebook|names|document)|\bDARTs of the seed\b": "Liu's, of Liu (2021)",
    r"\b(learn|learns|learnt|learned) (\w+ ){0,3}by heart\b": "overfits",
    r"\bit keeps going\b|\bkeeps[ _-]going\b": "fault tolerance",
    r"\bdesigns tried\b|\bwhat (its|the) parts are worth\b": "ablation study",
    r"\bwhat silence says\b": "posterior for noise-only records",
    r"\boff (the|its) training ground\b|\btraining ground\b": "out of distribution",
    r"\bas learnt\b|\blearnt\b": "learned, trained",
    r"\bways from records to slip\b|\bfrom records to slip by\b": "inversion methods",
    r"\b(says|say|knows?) how sure\b|\bhow sure (it|they|we) (is|are)\b|\bknows? its uncertainty\b": "gives intervals",
    r"\b(a|the|shipped|trained) sampler\b|\bsampler's\b": "neural posterior",
    r"\b(with its|a|the) fan\b|\bfan of\b|\bits fan\b": "prediction interval",
    r"\bspoil(s|t|ing|er)?\b": "augmentation, augmented",
    r"\bEventModes\b|\bHeightScatter\b|\bSpoiler\b": "JointComponents, AmplitudeCalibration, Augmentation",
    r"\ba few numbers for an earthquake\b": "joint principal components",
    r"\ba tsunami as it happened\b|\bas it happened\b(?!\W*$)": "retrospective real-time replay",
    r"\bscenarios without end\b": "on-the-fly scenario stream",
    r"\bruptures that take their time\b": "kinematic ruptures",
    r"\bnoise that is not white\b": "correlated observation and model error",
    r"\bearthquakes? that never happened\b": "synthetic events",
    r"\b(every|each|all|the|a) (outer )?doors?\b|\bdoors of\b": "endpoints, routes",
    r"\b(not )?believed\b|\bbelieved less\b": "passed or failed quality control",
    r"\bno whole bank\b|\bcame cut or spoilt\b": "incomplete; truncated or corrupt",
    r"\b(is|are|was) no more[;,.\"]|\bif it is no more\b": "has ended",
    r"\bbetween commas\b": "comma-separated",
    r"\bone (run|task|core|thread|process|column|line|chart|sample) an? (gauge|core|source|buoy|subfault)\b": "one per",
    r"\ba (run|source|column|chart|sample|line) a (gauge|source|buoy)\b": "per",
    r"\bone a core\b|\bone a gauge\b|\bone a subfault\b": "one per",
    r"\b(go|goes|going|gone) on with\b|\b(go|goes|went) on after\b": "resume, continue",
    r"\buser's mistake\b|\bmistake of the user\b": "usage error",
    r"\banew\b": "again",
    r"\bwho has (these|this)\b|\breturn who knows\b": "plain sentences",
    r"\bwanted\b[^.\n]*\b(found|reached|met)\b|\|\s*wanted\s*\|": "aims of the project, not of its users",
    r"\bwhat it is meant to reach\b|\baims set beforehand\b": "aims of the project, not of its users",
    r"\b(words|tip|marks)\.js\b": "format.js, tooltip.js, symbols.js",
    r"\bjudg(e|ed|es|ing|ment)\b": "score, evaluate, verify",
}


def texts() -> list[Path]:
    """Return the files that the list is for: what is in the wheel but libraries of others, and the documents."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*")]
    found += (ROOT / "src" / "slipcast").rglob("*")
    return sorted(path for path in found if path.suffix in ENDINGS and not {"vendor", "__pycache__"} & {*path.parts})


def hits(text: str) -> list[str]:
    """Return the words that are out, with their lines and what to say."""
    found = []
    for pattern, better in OUT.items():
        for match in re.finditer(pattern, text, re.I):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"line {line}: {match[0]!r}, say: {better}")
    return found


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_plain_words(path):
    assert not hits(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        "the seed's network",
        "The network learns its examples by heart.",
        "off the training ground",
        "what was learnt",
        "a forecast with its fan",
        "records are spoilt",
        "bank.nc is no whole bank",
        "delete it if it is no more",
        "names between commas",
        "one run a gauge",
        "goes on with what is missing",
        "read anew",
        "| aim | wanted | reached |",
        "the user's mistake",
    ],
)
def test_they_are_found(text):
    assert hits(text)


@pytest.mark.parametrize(
    "text",
    [
        "from the seed and its number",
        "random numbers of a seed",
        "TPESampler draws trials",
        "fanned out",
        "there is no more memory",
        "and so on with care",
        "next door",
        "a sample every minute",
        "one sample a minute",
        "which gauges are wanted",
    ],
)
def test_ordinary_english_stays(text):
    assert not hits(text)
