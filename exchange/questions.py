"""Statements that every request puts: compiled once, sent to the driver as they are, rows taken as they come.

SQLAlchemy writes the statement and converts the values; what it does besides at every execution costs more than the
database does to answer.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

_BINARY = 1  # psycopg.pq.Format: as text, each byte would come as two digits.
Converter = Callable[[Any], Any]


@dataclass(frozen=True)
class _Compiled:
    """A statement as one driver takes it: `order` of its parameters, None where they go by name."""

    text: str
    order: Sequence[str] | None
    fixed: Mapping[str, Any]
    given: Mapping[str, Converter]
    got: Sequence[tuple[int, Converter]]
    row: Callable[[Sequence[Any]], Any]


class Question:
    """A SELECT with parameters, without IN lists of them."""

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def put(self, db: Session | sa.Connection, values: Mapping[str, Any]) -> list[Any]:
        """All rows, as named tuples."""
        connection = db.connection() if isinstance(db, Session) else db
        compiled = self._for(connection.dialect)
        given = {**compiled.fixed, **values}
        for name, convert in compiled.given.items():
            given[name] = convert(given[name])
        cursor = connection.connection.cursor()
        if compiled.order is None:
            cursor.format = _BINARY  # type: ignore[attr-defined]
            cursor.execute(compiled.text, given)
        else:
            cursor.execute(compiled.text, [given[name] for name in compiled.order])
        rows = cursor.fetchall()
        cursor.close()
        return [compiled.row(row) for row in rows] if not compiled.got else _converted(rows, compiled)

    def _for(self, dialect: sa.Dialect) -> _Compiled:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compile(self._statement, dialect)
        return found


def dialect_of(db: Session | sa.Connection) -> sa.Dialect:
    """The dialect that a question will be put in."""
    return db.get_bind().dialect if isinstance(db, Session) else db.dialect


def _compile(statement: Any, dialect: sa.Dialect) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect)
    columns = list(statement.selected_columns)
    given = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
    got = [_converter(column.type, dialect) for column in columns]
    names = [str(column.key) for column in columns]
    return _Compiled(
        text=str(compiled),
        order=list(compiled.positiontup) if compiled.positional else None,
        fixed={name: bind.value for name, bind in compiled.binds.items() if not bind.required},
        given={name: convert for name, convert in given.items() if convert},
        got=[(at, convert) for at, convert in enumerate(got) if convert],
        row=_row_type(names)._make,
    )


def _converter(kind: Any, dialect: sa.Dialect) -> Converter | None:
    found: Converter | None = kind.dialect_impl(dialect).result_processor(dialect, None)
    # The ids of collections and accounts are few, and come again in every request.
    return lru_cache(maxsize=4096)(found) if found and isinstance(kind, sa.Uuid) else found


def _row_type(names: Sequence[str]) -> Any:
    return namedtuple("Row", names)


def _converted(rows: Sequence[Sequence[Any]], compiled: _Compiled) -> list[Any]:
    made = []
    for row in rows:
        values = list(row)
        for at, convert in compiled.got:
            values[at] = convert(values[at])
        made.append(compiled.row(values))
    return made
