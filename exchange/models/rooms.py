"""What is said and kept around a case: drafts, attachments, and the talk between a reporter and an authority."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from exchange.models.accounts import ApiKey, Person
from exchange.models.base import CaseBase, index_where
from exchange.models.reports import Case


class Draft(CaseBase):
    """What somebody has typed and not filed yet. It belongs to the organization: a colleague may go on with it.

    `revision` rises with each save, so that two who type at once find out. A `machine` draft waits for a person.
    """

    __tablename__ = "draft"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organization.id"), index=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("incident_case.id"), index=True)
    stage: Mapped[str]
    machine: Mapped[bool] = mapped_column(default=False)
    revision: Mapped[int] = mapped_column(default=1)
    sealed_typed: Mapped[bytes]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(index=True)
    case: Mapped[Case | None] = relationship(lazy="joined")


class Attachment(CaseBase):
    """A file that came with a report, without its metadata; name and bytes are sealed.

    `route` is `read` for what is shown and read for indicators, `sample` for malware: kept apart and never opened.
    It hangs on a draft until it is filed.
    """

    __tablename__ = "attachment"
    __table_args__ = (index_where("ix_attachment_waiting", "organization_id", "report_version_id IS NULL"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organization.id"))
    draft_id: Mapped[UUID | None] = mapped_column(ForeignKey("draft.id"), index=True)
    report_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("report_version.id"), index=True)
    route: Mapped[str]
    media_type: Mapped[str]
    size_bytes: Mapped[int]
    fingerprint: Mapped[str]
    sealed_name: Mapped[bytes]
    sealed_body: Mapped[bytes] = mapped_column(deferred=True)
    sealed_text: Mapped[bytes] = mapped_column(deferred=True)
    added_at: Mapped[datetime]


class Message(CaseBase):
    """A question of an authority about its copy, or the reporter's answer. Only these two read it."""

    __tablename__ = "message"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("incident_case.id"), index=True)
    authority: Mapped[str]
    from_reporter: Mapped[bool]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    sealed_text: Mapped[bytes]
    at: Mapped[datetime]


class Letter(CaseBase):
    """A mail that is to go out, once. `natural_key` says what it is about and to whom, so that none is sent twice."""

    __tablename__ = "letter"
    __table_args__ = (UniqueConstraint("natural_key"), index_where("ix_letter_unsent", "at", "sent_at IS NULL"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    natural_key: Mapped[str]
    case_id: Mapped[UUID] = mapped_column(ForeignKey("incident_case.id"), index=True)
    topic: Mapped[str]
    subject_id: Mapped[UUID]
    sealed_address: Mapped[bytes]
    at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class Webhook(CaseBase):
    """Where an organization wants to hear that something changed; its messages are signed with its secret.

    It ends with the account, and with the key, that registered it.
    """

    __tablename__ = "webhook"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organization.id"), index=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    key_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_key.id"))
    sealed_url: Mapped[bytes]
    sealed_secret: Mapped[bytes]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    person: Mapped[Person] = relationship(lazy="joined")
    key: Mapped[ApiKey | None] = relationship(lazy="joined")


class Knock(CaseBase):
    """One message to one webhook."""

    __tablename__ = "knock"
    __table_args__ = (Index("ix_knock_webhook_case", "webhook_id", "case_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhook.id"))
    case_id: Mapped[UUID] = mapped_column(ForeignKey("incident_case.id"))
    topic: Mapped[str]
    sealed_body: Mapped[bytes]
    at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    status: Mapped[int | None]
    webhook: Mapped[Webhook] = relationship(lazy="joined")


class EmergencyCode(CaseBase):
    """A code that opens nothing but one quick report, for the day when nobody can sign in."""

    __tablename__ = "emergency_code"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organization.id"), index=True)
    code_hash: Mapped[str] = mapped_column(unique=True)
    issued_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AddedRow(CaseBase):
    """A row that an administrator added to, or changed in, the shipped tables; nobody for one from the command line."""

    __tablename__ = "added_row"
    __table_args__ = (UniqueConstraint("kind", "row_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[str]
    row_id: Mapped[str]
    body: Mapped[str]
    added_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    added_at: Mapped[datetime]
