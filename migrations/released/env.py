"""Runs the migrations of the released store on the connection that is handed over."""

from alembic import context

connection = context.config.attributes["connection"]
sqlite = connection.dialect.name == "sqlite"
context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("target_metadata"),
    version_table="released_version",
    render_as_batch=True,
    transaction_per_migration=True,
)
if sqlite:  # A table is changed by making it anew, and its rows are referred to meanwhile.
    connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
try:
    with context.begin_transaction():
        if not sqlite:
            connection.exec_driver_sql("SET lock_timeout = '5s'")
        context.run_migrations()
finally:
    if sqlite:
        connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")
