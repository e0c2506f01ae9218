"""Migration of a database to the current version of the tables."""

from __future__ import annotations

from importlib.resources import as_file, files

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from slipcast.errors import InputError

__all__ = ["newest_revision", "upgrade"]


def newest_revision() -> str:
    """Return the version of the tables that this slipcast knows."""
    with as_file(files("slipcast.service.storage").joinpath("migrations")) as folder:
        return str(ScriptDirectory(str(folder)).get_current_head())


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
    with as_file(files("slipcast.service.storage").joinpath("migrations")) as folder:
        script = ScriptDirectory(str(folder))
        known = {each.revision for each in script.walk_revisions()}

        def steps(found, context):
            if unknown := {*_revisions(found)} - known:
                raise InputError(
                    f"the database has tables of version {', '.join(sorted(unknown))}, this slipcast knows "
                    f"{script.get_current_head()}; a newer slipcast made it"
                )
            return script._upgrade_revs("head", found)

        with EnvironmentContext(Config(), script, fn=steps) as environment:
            environment.configure(connection=connection, transactional_ddl=True)
            with environment.begin_transaction():
                environment.run_migrations()


def _revisions(found) -> tuple[str, ...]:
    """Return the versions that a database says it has."""
    return (found,) if isinstance(found, str) else tuple(found or ())
