"""Whether a reporter is not alone: others were hit in the same way these days. Never how many, when or who."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from exchange import sharing
from exchange.models import Case, ReportVersion
from exchange.times import JST

_DAYS = timedelta(days=3)
# Who does not know what happened, or names none of the kinds, was not hit in the same way.
_NO_KIND = {"other", "unknown"}


def others_too(db: Session, case: Case, *, now: datetime) -> bool:
    """May the reporter of `case` be told that others reported the same kind in the three days before this one?

    Organizations count, not reports, and only those that allow it. Whole days of Japan count: who asks every minute
    would learn when somebody reported. And the kind that was reported first: who corrects it cannot ask for each.
    """
    first = select(ReportVersion.answers).where(ReportVersion.case_id == case.id, ReportVersion.seq == 1)
    kind = db.scalars(first).one()["incident_kind"]
    if kind in _NO_KIND:
        return False
    today = now.astimezone(JST).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    others = select(func.count(Case.organization_id.distinct())).where(sharing.counted(Case))
    others = others.where(Case.incident_kind == kind, Case.exercise == case.exercise)
    others = others.where(Case.organization_id != case.organization_id)
    recent = others.where(Case.opened_at >= today - _DAYS, Case.opened_at < today)
    return sharing.may_say_not_alone(others=db.scalar(recent) or 0)
