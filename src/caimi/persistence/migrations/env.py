"""Run by Alembic: takes the connection that `caimi.persistence.schema` has locked the store on."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
