"""Two Alembic histories, one for each store: `case` and `released`."""
