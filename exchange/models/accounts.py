"""Who there is: organizations, people, their logins and keys."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from exchange.models.base import CaseBase


class Organization(CaseBase):
    """An organization. Its name is class V: sealed, with its domains, networks and contacts."""

    __tablename__ = "organization"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    ref: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    sector: Mapped[str | None] = mapped_column(index=True)
    authority: Mapped[str | None]
    country: Mapped[str] = mapped_column(default="JP")
    isacs: Mapped[list[str]] = mapped_column(default=list)
    ceptoar: Mapped[str | None]
    council_member: Mapped[bool] = mapped_column(default=False)
    ci_operator: Mapped[bool] = mapped_column(default=False)
    act_special_operator: Mapped[bool] = mapped_column(default=False)
    public_body: Mapped[bool] = mapped_column(default=False)
    standing_scope: Mapped[str | None]
    sealed_profile: Mapped[bytes]
    created_at: Mapped[datetime]


class Person(CaseBase):
    """A person or a machine that signs in; what it may do follows from its roles and its organization."""

    __tablename__ = "person"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organization.id"), index=True)
    username: Mapped[str] = mapped_column(unique=True)
    roles: Mapped[list[str]]
    password_hash: Mapped[str]
    clearance: Mapped[str | None]
    clearance_until: Mapped[datetime | None]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    organization: Mapped[Organization] = relationship(lazy="joined")


class Login(CaseBase):
    """One signed-in browser. Revoked here, it is over from the next request on."""

    __tablename__ = "login"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship(lazy="joined")


class ApiKey(CaseBase):
    """A key of 256 random bits, shown once and kept as SHA-256; its scopes say what it opens."""

    __tablename__ = "api_key"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    key_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship(lazy="joined")


class SignInFailure(CaseBase):
    """One failed sign-in. `subject` is a hash: of a network, or of a name together with one."""

    __tablename__ = "sign_in_failure"
    __table_args__ = (Index("ix_sign_in_failure_subject_at", "subject", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    subject: Mapped[str]
    at: Mapped[datetime]
