"""Databases of PostgreSQL for one run of the benchmark: made, looked at, dropped."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import sqlalchemy as sa

from bench.processes import processor_s


@dataclass(frozen=True)
class Database:
    """One database, by its URL for SQLAlchemy."""

    url: sa.URL

    @property
    def name(self) -> str:
        """As the server knows it."""
        assert self.url.database is not None
        return self.url.database

    @property
    def text(self) -> str:
        """The URL with its password, for a setting."""
        return self.url.render_as_string(hide_password=False)

    @property
    def plain(self) -> str:
        """The URL for psycopg itself."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def processor_s(self) -> float:
        """What the backends that serve this database took so far; they must run on this machine."""
        asked = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
        with _admin(self.url) as db:
            return sum(processor_s(pid) for (pid,) in db.execute(asked, [self.name]))

    def analyze(self) -> None:
        """What autovacuum would soon do by itself, done before anything is measured."""
        with psycopg.connect(self.plain, autocommit=True) as db:
            db.execute("VACUUM ANALYZE")


@contextmanager
def new_database(server: str, purpose: str) -> Iterator[Database]:
    """An empty database on this server; dropped afterwards."""
    url = sa.make_url(server).set(database=f"noroshi_bench_{purpose}_{secrets.token_hex(4)}")
    made = Database(url)
    with _admin(url) as db:
        db.execute(f"CREATE DATABASE {made.name} TEMPLATE template0 LC_CTYPE 'C.UTF-8'".encode())
    try:
        yield made
    finally:
        with _admin(url) as db:
            db.execute(f"DROP DATABASE {made.name} WITH (FORCE)".encode())


def version(server: str) -> str:
    """The server's own word for its version."""
    with _admin(sa.make_url(server)) as db:
        return str(db.info.parameter_status("server_version")).split()[0]


def folder(server: str) -> Path:
    """Where it keeps its databases, on its own machine."""
    with _admin(sa.make_url(server)) as db:
        found = db.execute("SHOW data_directory").fetchone()
        assert found is not None
        return Path(found[0])


def _admin(url: sa.URL) -> psycopg.Connection:
    plain = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)
