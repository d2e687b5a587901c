"""The same objects as plain rows of two columns: what the minimal server reads, and the raw SELECT."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psycopg

SQLITE_PAGE = "SELECT seq, body FROM bench_row WHERE seq > ? ORDER BY seq LIMIT ?"
_POSTGRESQL_PAGE = "SELECT seq, body FROM bench_row WHERE seq > %s ORDER BY seq LIMIT %s"
_TABLE = "CREATE TABLE bench_row (seq integer PRIMARY KEY, body {} NOT NULL)"


def fill_sqlite(path: Path, bodies: Sequence[bytes]) -> None:
    """Make the file anew, with these rows numbered from 1."""
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as db:
        db.execute(_TABLE.format("blob"))
        db.executemany("INSERT INTO bench_row VALUES (?, ?)", enumerate(bodies, 1))
    db.close()


def fill_postgresql(url: str, bodies: Iterable[bytes]) -> None:
    """The same in a database of PostgreSQL."""
    with psycopg.connect(url) as db:
        db.execute(_TABLE.format("bytea"))
        with db.cursor().copy("COPY bench_row FROM STDIN WITH (FORMAT binary)") as copy:
            copy.set_types(["int4", "bytea"])
            for row in enumerate(bodies, 1):
                copy.write_row(row)


def select_sqlite(path: str, limit: int) -> float:
    """Seconds for all pages, one after the other."""
    with sqlite3.connect(path) as db:
        return _seconds(lambda after: db.execute(SQLITE_PAGE, (after, limit)).fetchall())


def select_postgresql(url: str, limit: int) -> float:
    """Seconds for all pages, prepared and binary."""
    with psycopg.connect(url) as db:
        cursor = db.cursor(binary=True)
        return _seconds(lambda after: cursor.execute(_POSTGRESQL_PAGE, (after, limit), prepare=True).fetchall())


def _seconds(page: Any) -> float:
    start, after = time.perf_counter(), 0
    while rows := page(after):
        after = rows[-1][0]
    return time.perf_counter() - start
