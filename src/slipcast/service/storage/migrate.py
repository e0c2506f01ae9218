"""Migration of a database to the current version of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from slipcast.errors import InputError

__all__ = ["newest_revision", "upgrade"]


def newest_revision() -> str:
    """Return the current version of the tables."""
    with _config() as config:
        return str(ScriptDirectory.from_config(config).get_current_head())


def upgrade(connection: Connection) -> None:
    """Run the steps that a database lacks, in one transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Open, without a transaction.

    Raises
    ------
    InputError
        If the database was made by a newer slipcast.
    """
    found = set(MigrationContext.configure(connection).get_current_heads())
    connection.rollback()  # ends the transaction of the question
    with _config() as config:
        script = ScriptDirectory.from_config(config)
        if unknown := found - {each.revision for each in script.walk_revisions()}:
            raise InputError(
                f"the database has tables of version {', '.join(sorted(unknown))}, this slipcast knows "
                f"{script.get_current_head()}; a newer slipcast made it"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _config() -> Iterator[Config]:
    """Give the configuration of Alembic, with the folder of the steps."""
    with as_file(files("slipcast.service.storage").joinpath("migrations")) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        yield config
