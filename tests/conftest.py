"""A small bank of Cascadia and a set of scenarios on it, computed once."""

from __future__ import annotations

import warnings
from functools import partial

import pytest

from cli_fixtures import run_cli
from slipcast.errors import SlipcastWarning
from slipcast.greens.bank import GreensBank
from slipcast.regions.region import Region
from slipcast.scenarios.scenario_set import ScenarioSet

SMALL_SOURCES = ("acsza57", "acsza58", "acsza59", "acszb57", "acszb58", "acszb59", "acszz57", "acszz58", "acszz59")


def small_region() -> Region:
    """Return nine unit sources of Cascadia, three DARTs and two forecast points, on one coarse grid for two hours."""
    region = Region.open("cascadia").with_gauges(["46404", "46407", "46419", "westport", "newport"])
    return Region.model_validate(
        region.model_dump()
        | {
            "sources": SMALL_SOURCES,
            "subfault_km": 25.0,
            "grids": {"near": {"lon": (224.0, 240.0), "lat": (38.0, 54.0), "spacing_arcmin": 6.0, "hours": 2.0}},
        }
    )


def build_quietly(region, **options) -> GreensBank:
    """Build a bank that is meant to be coarse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlipcastWarning)
        return GreensBank.build(region, **options)


@pytest.fixture(scope="session")
def small_bank() -> GreensBank:
    return build_quietly(small_region())


@pytest.fixture(scope="session")
def small_set(small_bank) -> ScenarioSet:
    return ScenarioSet.build(small_bank, count=40, seed=5)


@pytest.fixture
def slipcast(monkeypatch, capsys):
    """Return a function that runs the command line: exit code, output, errors."""
    return partial(run_cli, monkeypatch, capsys)


@pytest.fixture(scope="session")
def browser():
    pytest.importorskip("fastapi", reason="the service needs slipcast[serve]")
    from page_fixtures import browsing

    with browsing() as opened:
        yield opened
