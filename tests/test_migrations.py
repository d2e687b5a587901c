"""The head of the migrations is the models, and every step goes down and up again."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from exchange.db import Store, _alembic
from exchange.models import CaseBase, ReleasedBase
from exchange.stores import Stores

BASES = {"case": CaseBase, "released": ReleasedBase}


@pytest.mark.parametrize("history", ["case", "released"])
def test_the_head_of_the_migrations_is_the_models(stores: Stores, history: str) -> None:
    store: Store = getattr(stores, history)
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": f"{history}_version"})
        assert compare_metadata(context, BASES[history].metadata) == []


@pytest.mark.parametrize("history", ["case", "released"])
def test_migrations_go_down_and_up_again(stores: Stores, history: str) -> None:
    store: Store = getattr(stores, history)
    with store.engine.connect() as connection:
        config = _alembic(history)
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert any("migrations are not current" in fault for fault in store.faults())
    store.migrate()
    assert store.faults() == []


def test_a_store_that_could_lose_a_receipt_says_so(stores: Stores) -> None:
    with stores.case.engine.connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            connection.connection.dbapi_connection.execute("PRAGMA synchronous=OFF")  # type: ignore[union-attr]
    if not sqlite:
        from sqlalchemy import event

        @event.listens_for(stores.case.engine, "connect")
        def _careless(connection: object, _record: object) -> None:
            with connection.cursor() as cursor:  # type: ignore[attr-defined]
                cursor.execute("SET synchronous_commit = off")
            connection.commit()  # type: ignore[attr-defined]

        stores.case.engine.dispose()
    assert any("could lose an acknowledged report" in fault for fault in stores.case.faults())
