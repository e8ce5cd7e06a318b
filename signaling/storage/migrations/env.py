"""What Alembic runs for each command: on the connection, and in the transaction, that `migrate` hands it."""

from alembic import context

from signaling.storage.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite's changes of tables are part of a transaction too, as `database` begins it.
    transactional_ddl=True,
)
context.run_migrations()
