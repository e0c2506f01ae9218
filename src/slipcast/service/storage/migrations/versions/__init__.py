"""Migrations, each a module that Alembic runs."""
