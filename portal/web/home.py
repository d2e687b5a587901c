"""The first page: one's own cases, and the way to report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from exchange import clocks, drafts, incidents, rules
from exchange.clocks import Urgency
from exchange.models import Case, Deadline, Draft, Person
from exchange.sharing import Permission, permitted
from exchange.times import utcnow
from portal import current
from portal.auth import requires
from portal.web import wording

bp = Blueprint("home", __name__)


@dataclass(frozen=True)
class Row:
    """A case in the list."""

    ref: str
    kind: Any
    opened_at: datetime
    scope: Any
    next_due: datetime | date | None
    next_due_label: Any
    closed: bool


@dataclass(frozen=True)
class Begun:
    """A draft in the list; one of a quick report has no case yet, and is known by its first words."""

    draft: Draft
    stage: Any
    ref: str | None
    about: Any
    saved_by: str


@bp.get("/")
@requires(Permission.SIGNED_IN)
def show() -> ResponseReturnValue:
    """200."""
    rows, begun = [], []
    if permitted(current.viewer(), Permission.REPORT):
        with current.case_store().reading() as db:
            ahead = _ahead(db)
            rows = [_row(case, ahead.get(case.id)) for case in incidents.cases(db, current.viewer())]
            begun = [_begun(db, draft) for draft in drafts.of_organization(db, current.viewer())]
    return render_template("home.html", cases=rows, begun=begun, taxii_url=current.settings().taxii_url)


def _begun(db: Session, draft: Draft) -> Begun:
    ref = draft.case.ref if draft.case else None
    about = wording.first_words(drafts.quick_typed(db, draft))
    return Begun(draft, wording.STAGES[draft.stage], ref, about, db.get_one(Person, draft.person_id).username)


def _ahead(db: Session) -> dict[UUID, Deadline]:
    """The next deadline of each case that is neither met nor over."""
    now = utcnow()
    running = [one.deadline for one in clocks.board(db, current.viewer(), now=now) if one.urgency is not Urgency.LATE]
    return {one.case_id: one for one in reversed(running)}


def _row(case: Case, first: Deadline | None) -> Row:
    return Row(
        ref=case.ref,
        kind=wording.option("incident_kind", case.incident_kind),
        opened_at=case.opened_at,
        scope=wording.option("share_scope", case.share_scope),
        next_due=(first.due_at or first.extended_to or first.due_date) if first else None,
        next_due_label=rules.regime_name(first.regime) if first else None,
        closed=case.closed_at is not None,
    )
