"""Messages: nearest names, and one line for a wrong setting."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slipcast.errors import InputError, invalid_setting, nearest_names, unknown_name


def test_nearest_names():
    assert sorted(nearest_names("hilo", ["hilo1", "hilo2", "sendai1"])) == ["hilo1", "hilo2"]
    assert nearest_names("cascadai", ["chile", "cascadia"])[0] == "cascadia"
    assert nearest_names("xyz", ["hilo1"]) == []


@pytest.mark.parametrize(
    ("name", "known", "message"),
    [
        ("hilo", ["hilo1", "sendai1"], "unknown gauge 'hilo' in bank b; nearest: hilo1"),
        ("xyz", ["hilo1", "sendai1"], "unknown gauge 'xyz' in bank b; known: hilo1, sendai1"),
        ("xyz", [f"g{i}" for i in range(13)], "unknown gauge 'xyz' in bank b"),
    ],
)
def test_an_unknown_name_is_told_with_what_helps(name, known, message):
    assert str(unknown_name("gauge", name, iter(known), where="in bank b")) == message


class Settings(BaseModel):
    """Some settings."""

    model_config = ConfigDict(extra="forbid")
    epochs: int = Field(default=1, ge=1)
    inner: dict[str, float] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 2}, "unknown setting 'epoch'; nearest: epochs"),
        ({"epochs": 0}, "epochs must be greater than or equal to 1, got 0"),
        ({"epochs": "many"}, "epochs must be a valid integer, unable to parse string as an integer, got 'many'"),
        ({"inner": {"a": "b"}}, "inner.a must be a valid number, unable to parse string as a number, got 'b'"),
    ],
)
def test_the_first_problem_of_settings_in_one_line(content, message):
    with pytest.raises(ValidationError) as told:
        Settings(**content)
    error = invalid_setting(told.value, "setting", Settings.model_fields)
    assert isinstance(error, InputError)
    assert str(error) == message
