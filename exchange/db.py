"""A store: one database, its transactions, its migrations, and whether it is fit to take a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

import migrations
from exchange import audit
from exchange.errors import Unavailable
from exchange.vault import Vault

Answer = TypeVar("Answer")
Asked = Session | sa.Connection
"""What a question can be put to."""

_BUSY_TIMEOUT_MS = 30_000
_OUTGROWN = """
    SELECT bool_or(s.n_live_tup > 1000 AND s.n_live_tup > 1.5 * c.reltuples)
    FROM pg_stat_user_tables AS s JOIN pg_class AS c ON c.oid = s.relid
"""
_BINARY = 1  # psycopg.pq.Format
_READ_ONLY = "25006"  # SQLSTATE read_only_sql_transaction


class _Cut(Exception):
    """The connection is gone."""


class Store:
    """One database. `history` names its Alembic migrations: `case` or `released`; only the first has a vault."""

    def __init__(self, url: str, history: str, vault: Vault | None = None) -> None:
        self.history = history
        self._vault = vault
        self.engine = _engine(url)
        self._readers = self.engine.execution_options(reads_only=True)
        self._askers = _asking_engine(url)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits when the block is left, and rolls back on an error.

        Raises: Unavailable if the database does not take it; nothing is kept then.
        """
        with self._session(self.engine) as db:
            yield db
            if self._vault is not None:
                audit.append_queued(db, self._vault)
            db.commit()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads, and never waits for a writer."""
        with self._session(self._readers) as db:
            yield db
            assert not audit.is_queued(db), "what must be audited needs a transaction"

    def ask(self, question: Callable[[sa.Connection], Answer]) -> Answer:
        """The answer to a question that changes nothing; each statement sees what is committed when it is sent.

        The shortest way to the database: no transaction, and no message before the first statement. A connection that
        broke meanwhile is found out by the question, which is then put once more.

        Raises: Unavailable.
        """
        try:
            return self._put(question)
        except _Cut:
            self._askers.dispose()  # Whatever cut one connection cut them all.
        try:
            return self._put(question)
        except _Cut as error:
            raise Unavailable("the database does not answer") from error

    def _put(self, question: Callable[[sa.Connection], Answer]) -> Answer:
        """Raises: _Cut if the connection is gone, and another may do; Unavailable."""
        try:
            with self._askers.connect() as connection:
                try:
                    return question(connection)
                except self._unanswered as error:
                    if self._is_cut(connection, error):
                        connection.invalidate()
                        raise _Cut from error
                    raise
        except self._unanswered as error:
            raise Unavailable("the database does not answer") from error

    def _is_cut(self, connection: sa.Connection, error: Any) -> bool:
        if isinstance(error, DBAPIError):
            return error.connection_invalidated
        driver: Any = connection.connection.driver_connection
        return self._askers.dialect.is_disconnect(error, driver, None)

    @property
    def _unanswered(self) -> tuple[type[Exception], ...]:
        driver = self._askers.dialect.loaded_dbapi
        return OperationalError, InterfaceError, driver.OperationalError, driver.InterfaceError

    @contextmanager
    def _session(self, bind: sa.Engine) -> Iterator[Session]:
        try:
            with Session(bind, expire_on_commit=False, info={"vault": self._vault}) as db:
                yield db
        except self._unanswered as error:
            raise Unavailable("the database does not answer") from error
        except InternalError as error:
            if getattr(error.orig, "sqlstate", None) != _READ_ONLY:
                raise
            raise Unavailable("the database takes nothing at the moment") from error

    def migrate(self) -> None:
        """Bring the schema to the head of its history."""
        with self.engine.connect() as connection:
            config = _alembic(self.history)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def refresh_statistics(self) -> None:
        """Tell the planner how large the tables have become: a server may not do so by itself."""
        with self._askers.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA optimize")
            elif connection.exec_driver_sql(_OUTGROWN).scalar():
                connection.exec_driver_sql("ANALYZE")

    def faults(self) -> list[str]:
        """What keeps this store from serving, in words; empty when it is fit."""
        try:
            with self._readers.connect() as connection:
                return [f"{self.history} store: {fault}" for fault in _faults(connection, self.history)]
        except DBAPIError as error:
            return [f"{self.history} store: does not answer ({type(error.orig).__name__})"]

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()
        self._askers.dispose()


def vault_of(db: Session) -> Vault:
    """The vault of the case store that this session works on."""
    vault = db.info["vault"]
    assert isinstance(vault, Vault), "only the case store holds content keys"
    return vault


def add_if_absent(db: Session, model: type[DeclarativeBase], **values: object) -> bool:
    """Insert a row unless one of its unique keys is taken; the database decides who was first."""
    table = model.__table__
    assert isinstance(table, sa.Table)
    make = sqlite.insert if db.get_bind().dialect.name == "sqlite" else postgresql.insert
    adding = make(table).values(**values).on_conflict_do_nothing().returning(*table.primary_key)
    return db.execute(adding).first() is not None


def _engine(url: str) -> sa.Engine:
    engine = _bare_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            reads_only = connection.get_execution_options().get("reads_only", False)
            connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")

    return engine


def _asking_engine(url: str) -> sa.Engine:
    """Connections that send what is asked and nothing else."""
    engine = _bare_engine(url, isolation_level="AUTOCOMMIT", pool_reset_on_return=None, pool_use_lifo=True)
    if engine.dialect.name == "postgresql":

        @event.listens_for(engine, "before_cursor_execute")
        def _as_they_are(_c: Any, cursor: Any, *_more: Any) -> None:
            cursor.format = _BINARY  # As text, each byte comes as two digits.

    return engine


def _bare_engine(url: str, **more: Any) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_driver_name() == "psycopg2":
        parsed = parsed.set(drivername="postgresql+psycopg")
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite and parsed.database:
        Path(parsed.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pool = {"pool_size": 10, "max_overflow": 60, "pool_timeout": 30}
    engine = sa.create_engine(parsed, hide_parameters=True, json_deserializer=orjson.loads, **pool, **more)
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN is deferred and fails under four writers; ours is sent when a transaction begins.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")


def _alembic(history: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent / history))
    return config


def _faults(connection: sa.Connection, history: str) -> list[str]:
    faults = _durability(connection)
    head = ScriptDirectory.from_config(_alembic(history)).get_current_head()
    context = MigrationContext.configure(connection, opts={"version_table": f"{history}_version"})
    if context.get_current_revision() != head:
        faults.append(f"migrations are not current (at {context.get_current_revision()}, head is {head})")
    return faults


_SQLITE_WANTED = {"journal_mode": {"wal"}, "synchronous": {"2", "3"}}
_POSTGRESQL_WANTED = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "remote_apply"},
}


def _durability(connection: sa.Connection) -> list[str]:
    """Settings with which an acknowledged report could be lost in a crash."""
    sqlite = connection.dialect.name == "sqlite"
    ask, wanted = ("PRAGMA", _SQLITE_WANTED) if sqlite else ("SHOW", _POSTGRESQL_WANTED)
    found = {name: str(connection.exec_driver_sql(f"{ask} {name}").scalar()) for name in wanted}
    return [
        f"{name} is {found[name]}, a crash could lose an acknowledged report"
        for name, allowed in wanted.items()
        if found[name] not in allowed
    ]
