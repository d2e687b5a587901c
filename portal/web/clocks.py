"""The board of deadlines, and the same as a calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from exchange import alike, boards, calendars, incidents
from exchange.clocks import Running, Urgency
from exchange.errors import Unavailable
from exchange.models import Case, Deadline, ReportVersion
from exchange.sectors import Text
from exchange.sharing import Permission, may_report_on, permitted
from exchange.times import utcnow
from portal import current, shown
from portal.auth import requires
from portal.web import wording
from portal.web.wording import Words

bp = Blueprint("clocks", __name__)
_STAGE_OF = {"any": "zokuhou", "update": "zokuhou", "kakuhou": "kakuhou"}


@dataclass(frozen=True)
class Row:
    """A deadline on a page; `text`: what the rule says about it, `stage`: with which report the reader meets it."""

    ref: str
    href: str
    kind: Words
    name: Text
    text: Words | None
    urgency: str
    due: datetime | date | None
    left: Text | None
    warn_date: date | None
    extended_to: date | None
    extended_by: Text | None
    met_at: datetime | None
    stage: str | None
    stage_name: Words | None


@bp.get("/clocks")
@requires(Permission.SIGNED_IN)
def show() -> ResponseReturnValue:
    """The deadlines of the open cases that one may see, late ones first. 200."""
    with current.case_store().reading() as db:
        board = boards.show(db, current.viewer(), now=utcnow())
    groups = {urgency.value: [_row(one, board.versions) for one in rows] for urgency, rows in board.running.items()}
    return render_template("clocks.html", groups=groups, again=[(one, _case_page(one.case)) for one in board.again])


@bp.get("/clocks.ics")
@requires(Permission.SIGNED_IN)
def calendar() -> ResponseReturnValue:
    """The same as a calendar (iCalendar). 200."""
    now = utcnow()
    with current.case_store().reading() as db:
        board = boards.show(db, current.viewer(), now=now)
        return _calendar([one for rows in board.running.values() for one in rows], "noroshi-clocks", now)


@bp.get("/cases/<ref>/clocks.ics")
@requires(Permission.SIGNED_IN)
def case_calendar(ref: str) -> ResponseReturnValue:
    """The deadlines of one case as a calendar. 200, 404."""
    now = utcnow()
    with current.case_store().reading() as db:
        case = incidents.find(db, ref, current.viewer())
        return _calendar(boards.of_case(db, case, now=now), case.ref, now)


def _calendar(rows: list[Running], name: str, now: datetime) -> Response:
    ends = ((row.deadline, _due(row.deadline)) for row in rows)
    entries = [_entry(deadline, due) for deadline, due in ends if due is not None]
    body = calendars.render(entries, name=_("Noroshi: deadlines"), now=now)
    given = {"Content-Disposition": f'attachment; filename="{name}.ics"'}
    return Response(body, content_type=f"{calendars.MEDIA_TYPE}; charset=utf-8", headers=given)


def _entry(deadline: Deadline, due: datetime | date) -> calendars.Entry:
    done = deadline.met_at is not None
    title = f"{deadline.case.ref} {shown.in_reader_language(boards.regime_of(deadline))}"
    return calendars.Entry(
        deadline.id,
        title=_("Done: %(what)s", what=title) if done else title,
        due=due,
        url=current.settings().linked_url + _case_page(deadline.case),
        done=done,
    )


# --- rows ----------------------------------------------------------------------------------------------


def _row(one: Running, versions: dict[UUID, ReportVersion]) -> Row:
    deadline, case = one.deadline, one.deadline.case
    may_file = _may_file(case) and case.closed_at is None
    stage = _STAGE_OF[deadline.met_by] if may_file else None
    return Row(
        ref=case.ref,
        href=_case_page(case),
        kind=wording.option("incident_kind", case.incident_kind),
        name=boards.regime_of(deadline),
        text=_text(deadline, versions.get(case.id)),
        urgency=one.urgency.value,
        due=_due(deadline),
        left=boards.in_words(one.left) if one.left is not None and one.urgency is not Urgency.MET else None,
        warn_date=deadline.warn_date,
        extended_to=deadline.extended_to,
        extended_by=boards.extended_by(deadline),
        met_at=deadline.met_at,
        stage=stage,
        stage_name=wording.STAGES[stage] if stage else None,
    )


def _due(deadline: Deadline) -> datetime | date | None:
    """The day, extended or not, or the moment; None for "without delay"."""
    days = [day for day in (deadline.due_date, deadline.extended_to) if day]
    return max(days, default=None) or deadline.due_at


def _text(deadline: Deadline, version: ReportVersion | None) -> Words | None:
    """What the rules of its case say about this clock; a clock that they know no more has its name alone."""
    clocks: list[dict[str, Any]] = version.decision["clocks"] if version else []
    same = (one["text"] for one in clocks if (one["regime"], one["stage"]) == (deadline.regime, deadline.stage))
    return next(same, None)


def _may_file(case: Case) -> bool:
    return may_report_on(current.viewer(), organization_id=case.organization_id)


def _case_page(case: Case) -> str:
    return url_for("cases.show" if _may_file(case) else "desk.case", ref=case.ref)


# --- what other pages show of it -----------------------------------------------------------------------


@bp.app_context_processor
def _globals() -> dict[str, Any]:
    return {"own_clocks": own_clocks, "clocks_of": clocks_of, "not_alone": not_alone}


def own_clocks() -> list[Row]:
    """What is late or soon over in the reader's own cases; asked of the database once a page."""
    if "own_clocks" not in g:
        g.own_clocks = _read_own_clocks()
    kept: list[Row] = g.own_clocks
    return kept


def _read_own_clocks() -> list[Row]:
    """Nothing while the database is away: this stands on the page that says so, too."""
    if not permitted(current.viewer(), Permission.REPORT):
        return []
    try:
        with current.case_store().reading() as db:
            return [_row(one, {}) for one in boards.own_pressing(db, current.viewer(), now=utcnow())]
    except Unavailable:
        return []


def clocks_of(case: Case) -> list[Row]:
    """The deadlines of a case as they stand, what presses first and what is met last."""
    with current.case_store().reading() as db:
        standing = boards.of_case(db, case, now=utcnow())
    standing.sort(key=lambda one: one.urgency is Urgency.MET)
    return [_row(one, {case.id: incidents.latest(case)}) for one in standing]


def not_alone(case: Case) -> bool:
    """Whether others were hit in the same way these days, as far as this may be said."""
    with current.case_store().reading() as db:
        return alike.others_too(db, case, now=utcnow())
