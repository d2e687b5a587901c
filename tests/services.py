"""The servers that tests use where they answer at their standard local addresses. With CI=true they must."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
import sqlalchemy as sa

_POSTGRESQL = sa.URL.create("postgresql+psycopg", username="postgres", host="127.0.0.1", port=5432)
RABBITMQ_URL = "amqp://guest:guest@127.0.0.1:5672//"


def postgresql_server() -> sa.URL:
    """The local PostgreSQL; NOROSHI_TEST_POSTGRESQL names another."""
    url = sa.make_url(os.environ.get("NOROSHI_TEST_POSTGRESQL", _POSTGRESQL))
    need("PostgreSQL", url.host or "127.0.0.1", url.port or 5432)
    return url


@contextmanager
def new_databases(*kinds: str) -> Iterator[dict[str, str]]:
    """A new database of PostgreSQL for each kind, as its URL; dropped afterwards."""
    server = postgresql_server()
    names = {kind: f"noroshi_test_{kind}_{uuid4().hex[:12]}" for kind in kinds}
    admin = sa.create_engine(server.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for name in names.values():
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    yield {kind: server.set(database=name).render_as_string(hide_password=False) for kind, name in names.items()}
    with admin.connect() as connection:
        for name in names.values():
            connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


def need(name: str, host: str, port: int) -> None:
    """Skip the test without this server; fail it when CI=true."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} does not answer at {host}:{port}, and CI=true")
        pytest.skip(f"{name} does not answer at {host}:{port}")
