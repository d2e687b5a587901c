"""Whether a reporter is not alone: others were hit in the same way these days. Never how many, and never who."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from exchange import sharing
from exchange.models import Case
from exchange.sharing import Scope

_WINDOW = timedelta(hours=72)
_SCOPES = [scope.value for scope in Scope if sharing.editions_of(scope)]
# Who does not know what happened, or names none of the kinds, was not hit in the same way.
_NO_KIND = {"other", "unknown"}


def others_too(db: Session, case: Case, *, now: datetime) -> bool:
    """May the reporter of `case` be told that others reported the same kind within 72 hours?

    Organizations count, not reports, and only where the reporter's scope lets something of the case go out.
    """
    if case.incident_kind in _NO_KIND:
        return False
    same = (Case.incident_kind == case.incident_kind) & (Case.exercise == case.exercise)
    others = select(func.count(Case.organization_id.distinct())).where(same, Case.share_scope.in_(_SCOPES))
    others = others.where(Case.organization_id != case.organization_id, Case.unconfirmed.is_(False))
    recent = others.where(Case.opened_at > now - _WINDOW, Case.opened_at <= now)
    return sharing.may_say_not_alone(others=db.scalar(recent) or 0)
