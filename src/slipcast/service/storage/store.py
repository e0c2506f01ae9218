"""Database of events, samples and results, committed before anything is acknowledged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, delete, event, func, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from slipcast.errors import InputError
from slipcast.service.storage.migrate import upgrade
from slipcast.service.storage.tables import events, results, samples

__all__ = ["KINDS", "EventRow", "Key", "NewSample", "Store", "StoredResult", "now_text"]

KINDS = ("sea_level", "water_column")
"""What a height is: free of the tide, or that of the whole water column."""

Key = tuple[str, str, int]
"""Gauge, kind, and time since the origin, ms."""

_BUSY_S = 30


def now_text() -> str:
    """Return the present moment, UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class EventRow:
    """An event as it is kept.

    Attributes
    ----------
    row : int
        Its number in the database.
    id : str
        Its name to clients.
    region, name, origin_time, created : str
        Times UTC, ISO 8601.
    longitude, latitude : float
        Degrees, longitude in [-180, 180).
    magnitude : float or None
        As it was given.
    simulation : bool
        Whether it never happened.
    """

    row: int
    id: str
    region: str
    name: str
    origin_time: str
    longitude: float
    latitude: float
    magnitude: float | None
    simulation: bool
    created: str


@dataclass(frozen=True)
class NewSample:
    """A sample to be kept: a :data:`Key` and a height, m."""

    key: Key
    height_m: float


@dataclass(frozen=True)
class StoredResult:
    """A result as it is kept.

    Attributes
    ----------
    number : int
        From 1 in its event.
    upto : int
        The last row of samples that it knew of.
    digest : str
        Of what it was computed from.
    summary, detail : dict
        For clients.
    """

    number: int
    upto: int
    digest: str
    summary: dict[str, Any]
    detail: dict[str, Any]


class Store:
    """A database of events, samples and results.

    Parameters
    ----------
    url : str
        As SQLAlchemy takes it: ``sqlite:///FILE`` or ``postgresql+psycopg://USER:PASSWORD@HOST/NAME``.

    Raises
    ------
    InputError
        If the URL is malformed, its driver is not installed, the database cannot be reached, or is of a newer slipcast.

    Notes
    -----
    Writes return when they are committed; SQLite syncs every commit to the disk (WAL, ``synchronous=FULL``). Methods
    may be called from any thread; writes are to come from one at a time.
    """

    def __init__(self, url: str):
        self._engine = _open(url)
        try:
            with self._engine.connect() as connection:
                upgrade(connection)
                connection.commit()
        except SQLAlchemyError as error:
            raise InputError(f"cannot open the database: {_reason(error)}") from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @property
    def dialect(self) -> str:
        """Kind of database: ``"sqlite"`` or ``"postgresql"``."""
        return self._engine.dialect.name

    def ping(self) -> None:
        """Ask the database for nothing; SQLAlchemyError if it does not answer."""
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def add_event(self, about: Mapping[str, Any]) -> EventRow:
        """Keep an event; keys as in :class:`EventRow` but ``row``."""
        with self._engine.begin() as connection:
            (row,) = connection.execute(insert(events).values(**about).returning(events.c.row)).one()
        return EventRow(row=int(row), **about)

    def event(self, id_: str) -> EventRow | None:
        """Return an event by its name to clients; None if there is none."""
        with self._engine.connect() as connection:
            found = connection.execute(select(events).where(events.c.id == id_)).mappings().first()
        return None if found is None else EventRow(**found)

    def events(self, limit: int, offset: int) -> tuple[list[EventRow], int]:
        """Return events, newest first, and their total number."""
        chosen = select(events).order_by(events.c.row.desc()).limit(limit).offset(offset)
        with self._engine.connect() as connection:
            found = [EventRow(**row) for row in connection.execute(chosen).mappings()]
            total = connection.execute(select(func.count()).select_from(events)).scalar_one()
        return found, int(total)

    def add_samples(self, event_row: int, rows: Sequence[NewSample], received: str) -> int:
        """Keep samples, all or none.

        Parameters
        ----------
        event_row : int
            Of which event.
        rows : sequence of NewSample
            In the order in which they count; at least one.
        received : str
            When they came.

        Returns
        -------
        upto : int
            The number of the last one; rises from batch to batch.
        """
        content = [
            {
                "event": event_row,
                "gauge": sample.key[0],
                "kind": sample.key[1],
                "at_ms": sample.key[2],
                "height_m": sample.height_m,
                "received": received,
            }
            for sample in rows
        ]
        with self._engine.begin() as connection:
            connection.execute(insert(samples), content)
            # one writer: the last row of the event is of this batch
            last = select(func.max(samples.c.row)).where(samples.c.event == event_row)
            return int(connection.execute(last).scalar_one())

    def samples(self, event_row: int, upto: int | None = None) -> tuple[dict[Key, float], int, int]:
        """Return samples as they stand, of corrected ones the last.

        Parameters
        ----------
        event_row : int
            Of which event.
        upto : int, optional
            As they stood when this row was the last.

        Returns
        -------
        heights_m : dict of Key to float
            m.
        last : int
            Number of the last row; 0 if there is none.
        count : int
            Rows in all, corrected ones too.
        """
        chosen = select(samples.c.row, samples.c.gauge, samples.c.kind, samples.c.at_ms, samples.c.height_m)
        chosen = chosen.where(samples.c.event == event_row).order_by(samples.c.row)
        if upto is not None:
            chosen = chosen.where(samples.c.row <= upto)
        found: dict[Key, float] = {}
        last = count = 0
        with self._engine.connect() as connection:
            for row, gauge, kind, at_ms, height_m in connection.execute(chosen):
                found[gauge, kind, int(at_ms)] = float(height_m)
                last, count = int(row), count + 1
        return found, last, count

    def add_result(self, event_row: int, result: StoredResult, series: bytes) -> None:
        """Keep a result."""
        row = {
            "event": event_row,
            "number": result.number,
            "upto": result.upto,
            "digest": result.digest,
            "summary": json.dumps(result.summary, allow_nan=False),
            "detail": json.dumps(result.detail, allow_nan=False),
            "series": series,
        }
        with self._engine.begin() as connection:
            connection.execute(insert(results).values(**row))

    def summaries(self, event_row: int, after: int = 0) -> list[str]:
        """Return the summaries of results with a number above one, in order, each as JSON."""
        chosen = select(results.c.summary).where(results.c.event == event_row, results.c.number > after)
        with self._engine.connect() as connection:
            return list(connection.execute(chosen.order_by(results.c.number)).scalars())

    def result(self, event_row: int, number: int | None = None) -> StoredResult | None:
        """Return a result by number, by default the last one; None if there is none."""
        columns = (results.c.number, results.c.upto, results.c.digest, results.c.summary, results.c.detail)
        chosen = select(*columns).where(results.c.event == event_row)
        chosen = chosen.where(results.c.number == number) if number else chosen.order_by(results.c.number.desc())
        with self._engine.connect() as connection:
            found = connection.execute(chosen.limit(1)).first()
        if found is None:
            return None
        number, upto, digest, summary, detail = found
        return StoredResult(int(number), int(upto), digest, json.loads(summary), json.loads(detail))

    def series(self, event_row: int, number: int) -> bytes | None:
        """Return the forecast series of a result as they were kept."""
        chosen = select(results.c.series).where(results.c.event == event_row, results.c.number == number)
        with self._engine.connect() as connection:
            return connection.execute(chosen).scalar()

    def brief(self, event_row: int) -> tuple[int, StoredResult | None]:
        """Return the number of samples of an event, corrected ones once, and its last result."""
        keys = select(samples.c.gauge, samples.c.kind, samples.c.at_ms).where(samples.c.event == event_row).distinct()
        with self._engine.connect() as connection:
            count = connection.execute(select(func.count()).select_from(keys.subquery())).scalar_one()
        return int(count), self.result(event_row)

    def unanswered(self) -> list[EventRow]:
        """Return events with samples that no result knew of."""
        last = (
            select(samples.c.event, func.max(samples.c.row).label("last")).group_by(samples.c.event).subquery("newest")
        )
        known = select(results.c.event, func.max(results.c.upto).label("upto")).group_by(results.c.event).subquery("k")
        chosen = (
            select(events)
            .join(last, last.c.event == events.c.row)
            .outerjoin(known, known.c.event == events.c.row)
            .where((known.c.upto.is_(None)) | (known.c.upto < last.c.last))
        )
        with self._engine.connect() as connection:
            return [EventRow(**row) for row in connection.execute(chosen).mappings()]

    def forget(self, ids: Iterable[str]) -> None:
        """Delete events with all their samples and results; for an administrator, no client can."""
        with self._engine.begin() as connection:
            rows = list(connection.execute(select(events.c.row).where(events.c.id.in_(list(ids)))).scalars())
            for table, column in ((results, results.c.event), (samples, samples.c.event), (events, events.c.row)):
                connection.execute(delete(table).where(column.in_(rows)))


def _open(url: str) -> Engine:
    """Make the connections to a database."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            made = create_engine(parsed, pool_size=8, max_overflow=8, connect_args={"timeout": _BUSY_S})
        elif parsed.get_backend_name() == "postgresql":
            made = create_engine(parsed, pool_size=8, max_overflow=8, pool_pre_ping=True)
        else:
            raise InputError(f"database must be sqlite:///FILE or postgresql+psycopg://..., got {parsed.drivername}")
    except (ArgumentError, NoSuchModuleError) as error:
        raise InputError(
            "database must be a URL such as sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        ) from error
    except ModuleNotFoundError as error:
        raise InputError(f"the database needs the package {error.name}: pip install 'slipcast[postgres]'") from error
    except OSError as error:
        raise InputError(f"cannot make the folder of the database: {error.strerror}") from error
    if made.dialect.name == "sqlite":
        event.listen(made, "connect", _set_up_sqlite)
    return made


def _set_up_sqlite(connection, _record) -> None:
    """Make every commit last."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _reason(error: SQLAlchemyError) -> str:
    """Say what a database complains of in one line, without the statement or the address."""
    first = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
    return first[0][:200]
