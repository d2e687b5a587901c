"""What every row has in common: naming of constraints, and how times are kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Index, MetaData, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def index_where(name: str, column: str, where: str) -> Index:
    """An index of those rows alone that are waited for."""
    return Index(name, column, sqlite_where=text(where), postgresql_where=text(where))


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time, microseconds. SQLite forgets the zone; this gives it back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without its zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_TYPES: dict[Any, Any] = {datetime: UtcTime, dict[str, Any]: JSON, list[str]: JSON}


class CaseBase(DeclarativeBase):
    """Rows of the case store."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = _TYPES


class ReleasedBase(DeclarativeBase):
    """Rows of the released store: nothing here may name a victim."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = _TYPES
