"""How much one organization files and keeps: a loop, or a stolen key, fills neither the store nor anybody's inbox.

Each organization is counted by itself, and in it each way in: what one program sends keeps no person from reporting.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from exchange.errors import TooMuch, WrongState
from exchange.models import Case, Draft, ReportVersion

VERSIONS_A_MINUTE: Final = 60
VERSIONS_OF_A_CASE: Final = 1000
DRAFTS: Final = 200
_MINUTE: Final = timedelta(minutes=1)


class TooFast(TooMuch):
    """More versions within a minute than any incident needs."""

    code = "too-fast"
    retry_after_s = int(_MINUTE.total_seconds())


class CaseFull(WrongState):
    """A case has all the versions that it can have."""

    code = "case-full"


class DraftsFull(WrongState):
    """An organization has all the drafts that it can have."""

    code = "drafts-full"


def check_version(db: Session, case: Case, *, via: str, now: datetime) -> None:
    """Raises: TooFast, CaseFull."""
    if len(case.versions) >= VERSIONS_OF_A_CASE:
        raise CaseFull(f"{VERSIONS_OF_A_CASE} versions")
    recent = select(func.count()).select_from(ReportVersion).join(Case, Case.id == ReportVersion.case_id)
    recent = recent.where(ReportVersion.received_at > now - _MINUTE, ReportVersion.via == via)
    if (db.scalar(recent.where(Case.organization_id == case.organization_id)) or 0) >= VERSIONS_A_MINUTE:
        raise TooFast(f"{VERSIONS_A_MINUTE} versions a minute")


def check_draft(db: Session, organization_id: UUID, *, machine: bool) -> None:
    """Raises: DraftsFull."""
    kept = select(func.count()).select_from(Draft).where(Draft.organization_id == organization_id)
    if (db.scalar(kept.where(Draft.machine.is_(machine))) or 0) >= DRAFTS:
        raise DraftsFull(f"{DRAFTS} drafts")
