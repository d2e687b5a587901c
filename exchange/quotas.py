"""How much one organization files and keeps: a loop, or a stolen key, is slowed down, and fills neither the store nor
anybody's inbox. What one program sends keeps no person from reporting."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from exchange.errors import WrongState
from exchange.models import Case, Draft, ReportVersion

VERSIONS_A_MINUTE: Final = 60
VERSIONS_OF_A_CASE: Final = 1000
DRAFTS: Final = 200
_MINUTE: Final = timedelta(minutes=1)
_PAUSE_S: Final = 0.2
_PROGRAMS: Final = ("api", "stix")


class CaseFull(WrongState):
    """A case has all the versions that it can have."""

    code = "case-full"


class DraftsFull(WrongState):
    """An organization has all the drafts that it can have."""

    code = "drafts-full"


def pause_s(db: Session, organization_id: UUID | None, *, now: datetime) -> float:
    """How long a program of this organization waits before it files again: slowed down, and never refused."""
    recent = select(func.count()).select_from(ReportVersion).join(Case, Case.id == ReportVersion.case_id)
    recent = recent.where(ReportVersion.received_at > now - _MINUTE, ReportVersion.via.in_(_PROGRAMS))
    filed = db.scalar(recent.where(Case.organization_id == organization_id)) or 0
    return _PAUSE_S if filed >= VERSIONS_A_MINUTE else 0.0


def check_case(case: Case) -> None:
    """Raises: CaseFull."""
    if len(case.versions) >= VERSIONS_OF_A_CASE:
        raise CaseFull(f"{VERSIONS_OF_A_CASE} versions")


def check_draft(db: Session, organization_id: UUID, *, machine: bool) -> None:
    """Raises: DraftsFull."""
    kept = select(func.count()).select_from(Draft).where(Draft.organization_id == organization_id)
    if (db.scalar(kept.where(Draft.machine.is_(machine))) or 0) >= DRAFTS:
        raise DraftsFull(f"{DRAFTS} drafts")
