"""Tables of the database: events, samples and results."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

__all__ = ["events", "metadata", "results", "samples"]

metadata = MetaData()
_ROW = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows of this type alone

events = Table(
    "events",
    metadata,
    Column("row", _ROW, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("region", String(64), nullable=False),
    Column("name", String(80), nullable=False),
    Column("origin_time", String(32), nullable=False),
    Column("longitude", Float(53), nullable=False),
    Column("latitude", Float(53), nullable=False),
    Column("magnitude", Float(53)),
    Column("simulation", Boolean, nullable=False),
    Column("created", String(32), nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("row", _ROW, primary_key=True, autoincrement=True),
    Column("event", _ROW, ForeignKey("events.row"), nullable=False),
    Column("gauge", String(32), nullable=False),
    Column("kind", String(16), nullable=False),  # sea_level, or water_column with the tide in it
    Column("at_ms", BigInteger, nullable=False),  # since the origin
    Column("height_m", Float(53), nullable=False),
    Column("received", String(32), nullable=False),
    Index("samples_of_event", "event", "row"),
    sqlite_autoincrement=True,
)

results = Table(
    "results",
    metadata,
    Column("event", _ROW, ForeignKey("events.row"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("upto", _ROW, nullable=False),  # the last sample that it knew of
    Column("digest", String(64), nullable=False),  # of what it was computed from
    Column("summary", Text, nullable=False),  # JSON
    Column("detail", Text, nullable=False),  # JSON
    Column("series", LargeBinary, nullable=False),  # npz
)
