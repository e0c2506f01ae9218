"""Messages: one line that names the argument, the rule and the value, and offers what is near."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from slipcast.errors import InputError, SlipcastWarning, check_kind, invalid_setting, nearest_names, unknown_name

REGIONS = ["cascadia", "chile", "japan", "kamchatka"]


def test_the_kinds_of_error():
    # callers who know nothing of slipcast may catch the built-in kinds
    assert issubclass(InputError, ValueError)
    assert issubclass(SlipcastWarning, UserWarning)


@pytest.mark.parametrize(
    ("name", "near"),
    [("cascadai", ["cascadia"]), ("chiel", ["chile"]), ("kamtchatka", ["kamchatka"]), ("xxxxx", []), ("", [])],
)
def test_the_nearest_names(name, near):
    assert nearest_names(name, REGIONS) == near


def test_the_nearest_come_first_and_are_few():
    known = [f"acsza{column}" for column in range(50, 70)]
    assert nearest_names("acsza58", known)[0] == "acsza58"
    assert len(nearest_names("acsza99", known)) == 3
    assert len(nearest_names("acsza99", known, count=1)) == 1
    assert nearest_names("chile", iter(REGIONS)) == ["chile"]


@pytest.mark.parametrize(
    ("name", "known", "where", "message"),
    [
        ("chilli", REGIONS, "", "unknown region 'chilli'; nearest: chile"),
        ("chilli", iter(REGIONS), "", "unknown region 'chilli'; nearest: chile"),
        ("chilli", REGIONS, "in the package", "unknown region 'chilli' in the package; nearest: chile"),
        ("xx", REGIONS, "", "unknown region 'xx'; known: cascadia, chile, japan, kamchatka"),
        ("xx", [f"acsza{column}" for column in range(50, 70)], "", "unknown region 'xx'"),  # too many to list
        ("two\nlines", REGIONS, "", r"unknown region 'two\nlines'; known: cascadia, chile, japan, kamchatka"),
    ],
)
def test_unknown_names(name, known, where, message):
    error = unknown_name("region", name, known, where=where)
    assert isinstance(error, InputError)
    assert str(error) == message
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("value", "kinds", "message"),
    [
        ("20", (int, float), "x must be a number, got '20' (str)"),
        (None, int, "x must be a number, got None (NoneType)"),
        (True, (int, float), "x must be a number, got True (bool)"),
        (["a\nb"], float, r"x must be a number, got ['a\nb'] (list)"),
    ],
)
def test_wrong_kinds(value, kinds, message):
    with pytest.raises(InputError) as problem:
        check_kind(value, kinds, "x", "a number")
    assert str(problem.value) == message


def test_kinds_that_are_accepted():
    check_kind(20, (int, float), "x", "a number")
    check_kind(True, bool, "x", "a switch")
    check_kind(True, object, "x", "anything")


def test_what_was_got_is_shown_in_short():
    with pytest.raises(InputError) as problem:
        check_kind(np.zeros((40, 40)), str, "name", "a name")
    message = str(problem.value)
    assert "\n" not in message
    assert message.endswith("(ndarray)")
    assert len(message) < 120


class Settings(BaseModel):
    """Settings of every sort that slipcast has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float = Field(default=1.0, gt=0)
    optimizer: Literal["adam", "sgd"] = "adam"
    layers: tuple[int, ...] = ()
    epochs: int = 300

    @field_validator("epochs")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epoch": 3}, "unknown setting 'epoch'; nearest: epochs"),
        ({"rate": -1.0}, "rate must be greater than 0, got -1.0"),
        ({"optimizer": "adan"}, "optimizer must be 'adam' or 'sgd', got 'adan'"),
        ({"layers": (1, "x")}, "layers.1 must be a valid integer, unable to parse string as an integer, got 'x'"),
        ({"epochs": 3}, "epochs must be even, got 3"),
        ({"rate": [1.0]}, "rate must be a valid number"),
    ],
)
def test_settings_that_pydantic_refuses(given, message):
    with pytest.raises(ValidationError) as problem:
        Settings.model_validate(given)
    assert str(invalid_setting(problem.value, "setting", Settings.model_fields)) == message
