"""What was reported: cases, the versions of their reports, and what was decided about each version."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from exchange.models.accounts import Organization
from exchange.models.base import CaseBase


class Case(CaseBase):
    """One incident at one organization. `ref` is random: it tells neither how many there are nor when."""

    __tablename__ = "incident_case"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    ref: Mapped[str] = mapped_column(unique=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organization.id"), index=True)
    incident_kind: Mapped[str]
    sector: Mapped[str | None] = mapped_column(index=True)
    share_scope: Mapped[str]
    exercise: Mapped[bool] = mapped_column(default=False)
    opened_at: Mapped[datetime] = mapped_column(index=True)
    organization: Mapped[Organization] = relationship(lazy="joined")
    versions: Mapped[list[ReportVersion]] = relationship(order_by="ReportVersion.seq", back_populates="case")


class ReportVersion(CaseBase):
    """One filed report, never changed. Classes V and P and free text are sealed, the rest is plain."""

    __tablename__ = "report_version"
    __table_args__ = (UniqueConstraint("case_id", "seq"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("incident_case.id"))
    seq: Mapped[int]
    stage: Mapped[str]
    answers: Mapped[dict[str, Any]]
    sealed_answers: Mapped[bytes]
    fingerprint: Mapped[str] = mapped_column(index=True)
    claimed_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    via: Mapped[str]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    purposes: Mapped[list[str]]
    form_version: Mapped[str]
    rule_version: Mapped[str]
    decision: Mapped[dict[str, Any]]
    case: Mapped[Case] = relationship(back_populates="versions", lazy="joined")


class Delivery(CaseBase):
    """A copy that an authority has a right to, for one purpose."""

    __tablename__ = "delivery"
    __table_args__ = (UniqueConstraint("report_version_id", "recipient"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    report_version_id: Mapped[UUID] = mapped_column(ForeignKey("report_version.id"))
    recipient: Mapped[str] = mapped_column(index=True)
    purpose: Mapped[str]


class Deadline(CaseBase):
    """A clock that a filing started."""

    __tablename__ = "deadline"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    report_version_id: Mapped[UUID] = mapped_column(ForeignKey("report_version.id"), index=True)
    regime: Mapped[str]
    stage: Mapped[str]
    starts_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    due_date: Mapped[date | None] = mapped_column(index=True)


class Observable(CaseBase):
    """An address, name or hash found in a report. `excluded` says why it stays here; empty, it may go out."""

    __tablename__ = "observable"
    __table_args__ = (UniqueConstraint("report_version_id", "fingerprint"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    report_version_id: Mapped[UUID] = mapped_column(ForeignKey("report_version.id"))
    position: Mapped[int]
    type: Mapped[str]
    sealed_value: Mapped[bytes]
    fingerprint: Mapped[str] = mapped_column(index=True)
    confidence: Mapped[int]
    excluded: Mapped[str | None]
