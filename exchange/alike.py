"""Whether a reporter is not alone: others were hit in the same way these days. Never how many, and never who."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from exchange import sharing
from exchange.models import Case

_WINDOW = timedelta(hours=72)
# Who does not know what happened, or names none of the kinds, was not hit in the same way.
_NO_KIND = {"other", "unknown"}


def others_too(db: Session, case: Case, *, now: datetime) -> bool:
    """May the reporter of `case` be told that others reported the same kind within 72 hours?

    Organizations count, not reports, and only those that allow it. What counts is the first kind that was known: who
    corrects it cannot ask for each.
    """
    kinds = (version.answers["incident_kind"] for version in case.versions)
    kind = next((one for one in kinds if one not in _NO_KIND), None)
    if kind is None:
        return False
    others = select(func.count(Case.organization_id.distinct())).where(sharing.counted(Case))
    others = others.where(Case.incident_kind == kind, Case.exercise == case.exercise)
    others = others.where(Case.organization_id != case.organization_id)
    recent = others.where(Case.opened_at > now - _WINDOW, Case.opened_at <= now)
    return sharing.may_say_not_alone(others=db.scalar(recent) or 0)
