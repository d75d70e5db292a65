"""Runs migrations on the connection that `drbridge.ledger.schema` hands over."""

from alembic import context

from drbridge.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
