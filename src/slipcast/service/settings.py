"""Settings of a service."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from slipcast.errors import InputError
from slipcast.io.atomic import write_error

__all__ = ["Limits", "Settings", "data_folder", "is_loopback", "load_token"]

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
_SHORTEST_TOKEN, _LONGEST_TOKEN = 16, 512


@dataclass(frozen=True)
class Limits:
    """Limits of clients.

    Attributes
    ----------
    body_bytes : int
        Longest body of a request.
    batch : int
        Most samples in a batch.
    event_samples : int
        Most samples that an event keeps, corrections counted.
    events : int
        Most events in the database.
    reads_per_s, reads_at_once : float
        Reads of one address: in the long run, and in one burst.
    writes_per_s, writes_at_once : float
        Likewise writes.
    streams, streams_per_client : int
        Streams open at a time: in all, and of one address.
    """

    body_bytes: int = 1024**2
    batch: int = 5000
    event_samples: int = 200_000
    events: int = 10_000
    reads_per_s: float = 300.0
    reads_at_once: float = 900.0
    writes_per_s: float = 40.0
    writes_at_once: float = 200.0
    streams: int = 256
    streams_per_client: int = 64


@dataclass(frozen=True)
class Settings:
    """Settings of a service.

    Attributes
    ----------
    database : str
        URL as SQLAlchemy takes it.
    token : str
        Needed for every write.
    private : bool
        Whether reads need it, too.
    hosts : tuple of str
        Names under which the service may be asked for (the ``Host`` of a request); empty: any.
    limits : Limits
        How much a client may ask for.
    wait_s : float
        How long the answer to a batch waits for its result, s.
    heartbeat_s : float
        How often an idle stream is heard of, s.
    """

    database: str
    token: str = field(repr=False)
    private: bool = False
    hosts: tuple[str, ...] = _LOOPBACK
    limits: Limits = field(default_factory=Limits)
    wait_s: float = 2.0
    heartbeat_s: float = 15.0

    def __post_init__(self):
        _check_token(self.token, "the token")


def data_folder() -> Path:
    """Return slipcast's folder in the user's data folder."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share") / "slipcast"


def is_loopback(host: str) -> bool:
    """Whether an address is a loopback address.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    return host in _LOOPBACK


def load_token(file: Path | None, fresh: Path) -> tuple[str, str]:
    """Find the token of a service, or make one.

    Parameters
    ----------
    file : path or None
        Holds the token; else it is taken from the variable ``SLIPCAST_TOKEN``.
    fresh : path
        Where a new one is kept if there is neither; read again by the next start.

    Returns
    -------
    token, source : str
        The token, and where it is from, in words.

    Raises
    ------
    InputError
        If the file cannot be read or written, or the token is too short or has other characters than printable ASCII.
    """
    if file is None and (text := os.environ.get("SLIPCAST_TOKEN", "").strip()):
        return _check_token(text, "SLIPCAST_TOKEN"), "SLIPCAST_TOKEN"
    path = fresh if file is None else file
    if file is None and not fresh.exists():
        _write_secret(fresh, secrets.token_urlsafe(32))
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read token file {path}: {getattr(error, 'strerror', None) or 'no text'}") from error
    return _check_token(text, f"the token in {path}"), str(path)


def _check_token(text: str, what: str) -> str:
    """Refuse a token that is easily guessed or cannot be sent."""
    if not _SHORTEST_TOKEN <= len(text) <= _LONGEST_TOKEN:
        raise InputError(f"{what} must have {_SHORTEST_TOKEN} to {_LONGEST_TOKEN} characters, got {len(text)}")
    if not all("!" <= character <= "~" for character in text):
        raise InputError(f"{what} must be printable ASCII without blanks")
    return text


def _write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read; nobody else may at any moment."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise write_error(path, error) from error
