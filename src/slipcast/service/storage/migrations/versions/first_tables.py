"""Events, samples and results."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    row = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "events",
        sa.Column("row", row, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("region", sa.String(64), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("origin_time", sa.String(32), nullable=False),
        sa.Column("longitude", sa.Float(53), nullable=False),
        sa.Column("latitude", sa.Float(53), nullable=False),
        sa.Column("magnitude", sa.Float(53)),
        sa.Column("simulation", sa.Boolean, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
    )
    op.create_table(
        "samples",
        sa.Column("row", row, primary_key=True, autoincrement=True),
        sa.Column("event", row, sa.ForeignKey("events.row"), nullable=False),
        sa.Column("gauge", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("height_m", sa.Float(53), nullable=False),
        sa.Column("received", sa.String(32), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("samples_of_event", "samples", ["event", "row"])
    op.create_table(
        "results",
        sa.Column("event", row, sa.ForeignKey("events.row"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("upto", row, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("series", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for name in ("results", "samples", "events"):
        op.drop_table(name)
