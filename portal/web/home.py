"""The first page: one's own cases, and the way to report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from exchange import incidents
from exchange.models import Case
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


@bp.get("/")
@requires(Permission.SIGNED_IN)
def show() -> ResponseReturnValue:
    """200."""
    rows = []
    if permitted(current.viewer(), Permission.REPORT):
        with current.case_store().reading() as db:
            rows = [_row(case) for case in incidents.cases(db, current.viewer())]
    return render_template("home.html", cases=rows, taxii_url=current.settings().taxii_url)


def _row(case: Case) -> Row:
    ahead = [clock for clock in wording.clocks(incidents.latest(case).decision) if clock.runs_out >= utcnow()]
    first = min((clock for clock in ahead if clock.due), key=lambda clock: clock.runs_out, default=None)
    return Row(
        ref=case.ref,
        kind=wording.option("incident_kind", case.incident_kind),
        opened_at=case.opened_at,
        scope=wording.option("share_scope", case.share_scope),
        next_due=first.due if first else None,
        next_due_label=first.name if first else None,
    )
