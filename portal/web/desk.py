"""The desk of the national office: cases, texts that wait, and the second person's decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from exchange import (
    accounts,
    attachments,
    audit,
    contributions,
    desk,
    editions,
    inbox,
    incidents,
    outbox,
    rules,
    sectors,
)
from exchange.errors import Invalid, NotPermitted, Unavailable
from exchange.form import message
from exchange.models import Case
from exchange.sharing import Permission, Purpose
from exchange.times import utcnow
from portal import current, language
from portal.auth import requires
from portal.web import wording

bp = Blueprint("desk", __name__, url_prefix="/desk")


_SHOWN = 200


@dataclass(frozen=True)
class Row:
    """A case on the desk; who was hit is not in the list."""

    ref: str
    kind: Any
    sector: Any
    scope: Any
    opened_at: datetime
    proposals: int


@bp.get("")
@requires(Permission.DESK)
def show() -> ResponseReturnValue:
    """The cases that reporters let the national office see. 200."""
    viewer = current.viewer()
    with current.case_store().reading() as db:
        newest = incidents.cases(db, viewer, most=_SHOWN)
        shown = dict.fromkeys([*desk.waiting_cases(db, viewer), *newest])
        rows = [_row(db, case) for case in shown]
        stuck = outbox.stuck(db, now=utcnow())
    only = _SHOWN if len(newest) == _SHOWN else None
    return render_template("desk.html", cases=rows, only=only, stuck=stuck, contributions=_contributions())


def _contributions() -> int | None:
    """How many wait; None while the feed is away, which is no reason not to work on cases."""
    try:
        with current.stores().released.reading() as db:
            return len(contributions.waiting(db))
    except Unavailable:
        return None


def _row(db: Session, case: Case) -> Row:
    sector = sectors.sector_of(case.sector, case.opened_at).name if case.sector else None
    return Row(
        ref=case.ref,
        kind=wording.option("incident_kind", case.incident_kind),
        sector=sector,
        scope=wording.option("share_scope", case.share_scope),
        opened_at=case.opened_at,
        proposals=1 if desk.open_proposal(db, case) else 0,
    )


@bp.get("/<ref>")
@requires(Permission.DESK)
def case(ref: str) -> ResponseReturnValue:
    """A case without its sealed answers, and the text that waits. 200, 404."""
    with current.case_store().transaction() as db:
        return _page(db, incidents.find(db, ref, current.viewer()))


@bp.post("/<ref>/open")
@requires(Permission.DESK)
def open(ref: str) -> ResponseReturnValue:  # noqa: A001  The endpoint's name is what is done.
    """The whole report, for a stated purpose; the reading is audited. 200, 403 if not allowed, 404, 422."""
    viewer, now = current.viewer(), utcnow()
    stated = request.form.get("purpose", "")
    try:
        with current.case_store().transaction() as db:
            found = incidents.find(db, ref, viewer)
            if stated not in set(Purpose):
                return _page(db, found, problem=_("State the purpose first.")), 422
            version = incidents.latest(found)
            given = incidents.open_answers(db, version, by=viewer, purpose=Purpose(stated), now=now)
            return _page(db, found, given=given, purpose=stated)
    except NotPermitted:
        with current.case_store().transaction() as db:
            audit.record(db, "report.read-refused", by=viewer, subject=ref, purpose=Purpose(stated), now=now)
        raise


@bp.post("/<ref>/proposals")
@requires(Permission.PROPOSE)
def propose(ref: str) -> ResponseReturnValue:
    """Write a text for release: 303 to the case, 422 if a language is missing or it tells who was hit."""
    typed = {"ja": request.form.get("text_ja", ""), "en": request.form.get("text_en", "")}
    try:
        with current.case_store().transaction() as db:
            desk.propose(db, ref, typed, by=current.viewer(), now=utcnow())
    except Invalid as error:
        problems = [(p.field, message(p, language.chosen())) for p in error.problems]
        with current.case_store().transaction() as db:
            found = incidents.find(db, ref, current.viewer())
            return _page(db, found, typed=typed, problems=problems), 422
    flash(_("Proposed. A second person releases it."))
    return redirect(url_for("desk.case", ref=ref), 303)


@bp.post("/proposals/<uuid:proposal_id>/release")
@requires(Permission.RELEASE)
def release(proposal_id: UUID) -> ResponseReturnValue:
    """Release exactly the view that was shown: 303; 403 for its author; 404; 409 if it has changed since."""
    with current.case_store().transaction() as db:
        shown = request.form.get("view_digest", "")
        done = desk.release(db, proposal_id, shown=shown, by=current.viewer(), now=utcnow())
    flash(_("Released. It reaches the feeds in a few seconds."))
    return redirect(url_for("desk.case", ref=done.case.ref), 303)


@bp.post("/proposals/<uuid:proposal_id>/reject")
@requires(Permission.RELEASE)
def reject(proposal_id: UUID) -> ResponseReturnValue:
    """Let it not go out: 303; 404; 409 if it was decided on before."""
    with current.case_store().transaction() as db:
        done = desk.reject(db, proposal_id, by=current.viewer(), now=utcnow())
    flash(_("Rejected. Nothing of it goes out."))
    return redirect(url_for("desk.case", ref=done.case.ref), 303)


def _page(
    db: Session,
    found: Case,
    *,
    given: Mapping[str, Any] | None = None,
    purpose: str = "",
    typed: Mapping[str, str] | None = None,
    problems: list[tuple[str, str]] | None = None,
    problem: str | None = None,
) -> str:
    viewer, version = current.viewer(), incidents.latest(found)
    waiting = desk.open_proposal(db, found)
    shown = desk.view(db, found, desk.text_of(db, waiting), now=utcnow()) if waiting else None
    return render_template(
        "desk_case.html",
        case=found,
        kind=wording.option("incident_kind", found.incident_kind),
        scope=wording.option("share_scope", found.share_scope),
        purposes=[(p, rules.purpose_name(p)) for p in version.purposes],
        purpose=purpose,
        purpose_problem=problem,
        opened=given is not None,
        organization=accounts.profile_of(db, found.organization) if given is not None else {},
        answers=wording.answers(given) if given is not None else [],
        can_share=bool(editions.in_force(db, found)),
        typed=typed or {"ja": "", "en": ""},
        problems=problems or [],
        proposal=waiting,
        proposed=desk.text_of(db, waiting) if waiting else None,
        own_proposal=bool(waiting and waiting.proposed_by_id == viewer.person_id),
        view=[(one.type, _pretty(one.body)) for one in shown.objects] if shown else [],
        view_digest=shown.digest if shown else "",
        released=desk.released_text(db, found.id),
        lacking=[wording.EDITIONS[kind] for kind in desk.lacking(db, found)],
        has_copy=inbox.has_copy(db, found, viewer),
        files=attachments.of_case(db, found) if given is not None else [],
    )


def _pretty(body: bytes) -> str:
    return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
