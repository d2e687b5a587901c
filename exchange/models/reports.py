"""What was reported: cases, the versions of their reports, and what was decided about each version."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from exchange.models.accounts import Organization
from exchange.models.base import CaseBase, index_where


class Case(CaseBase):
    """One incident at one organization. `ref` is random: it tells neither how many there are nor when.

    `unconfirmed`: it came without a sign-in, and nobody has called the organization back yet; `disowned_at`: it was
    called, and knew nothing of it; `for_statistics`: its reporter allows to count it.
    """

    __tablename__ = "incident_case"
    __table_args__ = (index_where("ix_incident_case_unconfirmed", "opened_at", "unconfirmed"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    ref: Mapped[str] = mapped_column(unique=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organization.id"), index=True)
    incident_kind: Mapped[str]
    sector: Mapped[str | None] = mapped_column(index=True)
    share_scope: Mapped[str]
    exercise: Mapped[bool] = mapped_column(default=False)
    unconfirmed: Mapped[bool] = mapped_column(default=False)
    opened_at: Mapped[datetime] = mapped_column(index=True)
    closed_at: Mapped[datetime | None]
    disowned_at: Mapped[datetime | None]
    for_statistics: Mapped[bool] = mapped_column(default=True)
    organization: Mapped[Organization] = relationship(lazy="joined")
    versions: Mapped[list[ReportVersion]] = relationship(order_by="ReportVersion.seq", back_populates="case")

    @property
    def doubt(self) -> str | None:
        """`disowned`, `unconfirmed`, or None: whether the report is the organization's own."""
        return "disowned" if self.disowned_at else "unconfirmed" if self.unconfirmed else None


class ReportVersion(CaseBase):
    """One filed report, never changed: all that was known by then. Classes V and P and free text are sealed.

    `stage` is sokuhou, zokuhou, kakuhou or correction; `changed` are the fields that differ from the version before;
    `taken_by_id` is who typed it in for the organization, when it was told on the telephone.
    """

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
    received_at: Mapped[datetime] = mapped_column(index=True)
    via: Mapped[str]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    purposes: Mapped[list[str]]
    form_version: Mapped[str]
    rule_version: Mapped[str]
    decision: Mapped[dict[str, Any]]
    changed: Mapped[list[str]] = mapped_column(default=list)
    taken_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    case: Mapped[Case] = relationship(back_populates="versions", lazy="joined")


class Delivery(CaseBase):
    """A copy that an authority has a right to, for one purpose, and its receipt.

    `reference` is the authority's own number for it.
    """

    __tablename__ = "delivery"
    __table_args__ = (UniqueConstraint("report_version_id", "recipient"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    report_version_id: Mapped[UUID] = mapped_column(ForeignKey("report_version.id"))
    recipient: Mapped[str] = mapped_column(index=True)
    purpose: Mapped[str]
    received_at: Mapped[datetime | None]
    received_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    reference: Mapped[str | None]


class Deadline(CaseBase):
    """A clock of a case, as the newest answers and rules have it; it is never taken away, only met or extended.

    `runs_out_at` is its last moment, an extension counted in; None if the law says "without delay" and no more.
    `warned` says how often its reporter was reminded.
    """

    __tablename__ = "deadline"
    __table_args__ = (UniqueConstraint("case_id", "regime", "stage"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("incident_case.id"))
    regime: Mapped[str]
    stage: Mapped[str]
    starts_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    due_date: Mapped[date | None]
    warn_date: Mapped[date | None]
    target_at: Mapped[datetime | None]
    met_by: Mapped[str]
    runs_out_at: Mapped[datetime | None] = mapped_column(index=True)
    extended_to: Mapped[date | None]
    extended_by: Mapped[str | None]
    met_at: Mapped[datetime | None]
    warned: Mapped[int] = mapped_column(default=0)
    case: Mapped[Case] = relationship(lazy="joined")


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
