"""What happened: events for the workers, the audit chain, answers already given."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from exchange.models.base import CaseBase, index_where


class Event(CaseBase):
    """Word left for the workers, in the transaction that it tells of. Done when its effect is committed."""

    __tablename__ = "event"
    __table_args__ = (index_where("ix_event_waiting", "ring_at", "done_at IS NULL"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    topic: Mapped[str]
    subject_id: Mapped[UUID]
    at: Mapped[datetime]
    ring_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    done_at: Mapped[datetime | None]
    fault: Mapped[str | None]


class Installed(CaseBase):
    """What this store was made for; there is one row, number 1. Exercise and reality never mix."""

    __tablename__ = "installed"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]


class AuditEntry(CaseBase):
    """One link of the chain: canonical JSON, and HMAC(key, previous mac ‖ entry)."""

    __tablename__ = "audit_entry"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry: Mapped[str]
    mac: Mapped[str]


class AuditHead(CaseBase):
    """The last link; its row is locked by whoever appends. There is one, number 1."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int]
    mac: Mapped[str]


class CarriedNote(CaseBase):
    """A note of the released store that is in the chain already, however often it is carried."""

    __tablename__ = "carried_note"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)


class Answer(CaseBase):
    """The first answer to a request with an Idempotency-Key; kept 7 days."""

    __tablename__ = "answer"
    __table_args__ = (UniqueConstraint("account_id", "route", "key"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID]
    route: Mapped[str]
    key: Mapped[str]
    fingerprint: Mapped[str]
    given: Mapped[dict[str, Any] | None]
    at: Mapped[datetime] = mapped_column(index=True)
