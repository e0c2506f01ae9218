"""Playback of an event into a running service: the option ``--to`` of the verb ``replay``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from slipcast.cli.console import say, write_line
from slipcast.errors import InputError

if TYPE_CHECKING:
    from slipcast.records import Records

__all__ = ["play_into"]


def play_into(
    event: str,
    address: str,
    *,
    speed: float,
    token_file: Path | None,
    begin_min: float,
    until_min: float,
    latency_min: float | Mapping[str, float],
    epicentre: tuple[float, float] | None,
    magnitude: float | None,
    simulation: bool,
) -> None:
    """Play records into a service, and report the result (arguments as those of the command)."""
    try:
        from slipcast.service.client import play
        from slipcast.service.settings import data_folder, load_token
    except ModuleNotFoundError as error:
        raise InputError(f"--to needs the package {error.name}: pip install 'slipcast[serve]'") from error

    token, _ = load_token(token_file, data_folder() / "token")
    played = play(
        _records(event),
        address,
        token=token,
        speed=speed,
        begin_min=begin_min,
        until_min=until_min,
        latency_min=latency_min,
        epicentre=epicentre,
        magnitude=magnitude,
        simulation=True if simulation else None,
        waiting=lambda: say(f"no service answers at {address} yet; trying for a minute"),
        progress=True,
    )
    write_line(
        f"event {played.event}: {played.n_samples} samples in {played.n_batches} batches, last result "
        f"{'none' if played.result is None else played.result}"
    )


def _records(event: str) -> Records:
    """Open records, or those of the package."""
    from slipcast.records import PACKAGED, Records, packaged_records

    return packaged_records(event) if event in PACKAGED else Records.open(event)
