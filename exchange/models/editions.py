"""What others may know of a case: editions, their objects, and texts that wait for a second person."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from exchange.errors import WrongState
from exchange.models.base import CaseBase
from exchange.models.reports import Case


class Edition(CaseBase):
    """What one circle of readers may know of one case; once withdrawn, nothing of it is served any more.

    `seq`: the version of the report that was looked through and decided on last.
    """

    __tablename__ = "edition"
    __table_args__ = (UniqueConstraint("case_id", "kind"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("incident_case.id"))
    kind: Mapped[str]
    tlp: Mapped[str]
    purpose: Mapped[str]
    seq: Mapped[int]
    names_sector: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    case: Mapped[Case] = relationship(lazy="joined")


class EditionObject(CaseBase):
    """The id of one object in one edition, kept for ever, and its newest rendered version.

    `source` is a keyed hash of the row it was made from, so that a second run finds the same id.
    `body` is empty while the object has only been drafted; `retired`: taken back, its id is never used again.
    """

    __tablename__ = "edition_object"
    __table_args__ = (UniqueConstraint("edition_id", "source"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    edition_id: Mapped[UUID] = mapped_column(ForeignKey("edition.id"))
    source: Mapped[str]
    stix_id: Mapped[str] = mapped_column(index=True)
    digest: Mapped[str | None]
    created: Mapped[datetime | None]
    modified: Mapped[datetime | None]
    body: Mapped[bytes | None]
    retired: Mapped[bool] = mapped_column(default=False)
    edition: Mapped[Edition] = relationship(lazy="joined")

    def retire(self) -> None:
        """An id that was revoked is never used again (STIX 2.1, section 3.6): what comes back gets another."""
        if not self.retired:
            self.retired, self.source = True, f"{self.source}:{self.id}"


class ProposalState(StrEnum):
    """open: waits for a second person. released and rejected are ends."""

    OPEN = "open"
    RELEASED = "released"
    REJECTED = "rejected"


class Proposal(CaseBase):
    """A text about a case that one person wrote for release, and another decides on.

    `circles`: the kinds of edition for which it was released.
    """

    __tablename__ = "proposal"
    __table_args__ = (
        Index(
            "uq_proposal_open",
            "case_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("incident_case.id"), index=True)
    sealed_text: Mapped[bytes]
    state: Mapped[str] = mapped_column(default=ProposalState.OPEN, index=True)
    proposed_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    proposed_at: Mapped[datetime]
    decided_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None]
    view_digest: Mapped[str | None]
    circles: Mapped[list[str]] = mapped_column(default=list)
    case: Mapped[Case] = relationship(lazy="joined")

    def decide(self, state: ProposalState, *, by: UUID, now: datetime) -> None:
        """Raises: WrongState if it was decided before."""
        if self.state != ProposalState.OPEN:
            raise WrongState("this text was decided on before")
        self.state, self.decided_by_id, self.decided_at = state, by, now
