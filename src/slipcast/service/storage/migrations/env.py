"""Environment of Alembic: runs the steps on the connection that :func:`slipcast.service.storage.migrate.upgrade` gives.

Alembic loads this file by its name; it is not imported.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
