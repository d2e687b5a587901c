"""The inbox of an authority: its copies of reports, its receipts, its questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from exchange import audit, inbox, receipts, rules, talk
from exchange.clocks import Running, Urgency
from exchange.documents.pdf import pdf
from exchange.documents.values import Blank
from exchange.documents.xlsx import xlsx
from exchange.errors import Invalid, NotFound, NotPermitted, Problem
from exchange.form import message
from exchange.inbox import Copy, Document, Opened, State
from exchange.japanese_dates import read_date
from exchange.models import ReportVersion
from exchange.sectors import day_of
from exchange.sharing import Permission
from exchange.times import utcnow
from portal import current, language
from portal.auth import requires
from portal.web import downloads, once, wording

bp = Blueprint("inbox", __name__, url_prefix="/inbox")
Found = TypeVar("Found")

_SHOWN = 200
_FORMS: Mapping[str, tuple[str, Callable[..., bytes]]] = {
    "pdf": ("application/pdf", pdf),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", xlsx),
}


@dataclass(frozen=True)
class Clock:
    """A deadline in words; `can_extend` is empty or says which one a form extends."""

    name: Any
    text: Any
    due: date | datetime | None
    urgency: Urgency
    extended_to: date | None
    can_extend: tuple[str, str] | None


@dataclass(frozen=True)
class Row:
    """A case in the list; who was hit is not in it."""

    ref: str
    version: ReportVersion
    kind: Any
    states: Sequence[State]
    clocks: list[Clock]


@bp.get("")
@requires(Permission.INBOX)
def show() -> ResponseReturnValue:
    """The cases of which this authority has a copy, those not received first. 200."""
    wanted = request.args.get("show", "")
    only = State(wanted) if wanted in set(State) else None
    with current.case_store().reading() as db:
        found, more = inbox.entries(db, current.viewer(), only=only, now=utcnow(), most=_SHOWN)
        rows = [_row(one) for one in found]
    return render_template("inbox.html", cases=rows, only=only, most=_SHOWN if more else None, stages=wording.STAGES)


def _row(entry: inbox.Entry) -> Row:
    version = entry.copy.version
    return Row(
        ref=entry.ref,
        version=version,
        kind=wording.option("incident_kind", entry.kind) if entry.kind else None,
        states=list(entry.states),
        clocks=[_clock(one, entry.copy) for one in entry.clocks if one.urgency is not Urgency.MET],
    )


def _clock(running: Running, copy: Copy) -> Clock:
    one = running.deadline
    texts = {(clock["regime"], clock["stage"]): clock["text"] for clock in copy.version.decision["clocks"]}
    can_extend = one.due_date is not None and one.met_at is None
    return Clock(
        name=rules.regime_name(one.regime),
        text=texts.get((one.regime, one.stage)),
        due=max(filter(None, (one.due_date, one.extended_to)), default=one.due_at),
        urgency=running.urgency,
        extended_to=one.extended_to,
        can_extend=(one.regime, one.stage) if can_extend else None,
    )


# --- one case ------------------------------------------------------------------------------------------


@bp.get("/<ref>")
@requires(Permission.INBOX)
def case(ref: str) -> ResponseReturnValue:
    """The newest copy of a case, opened for the purpose of its delivery. 200, 403 if that is not allowed, 404."""
    return _shown(ref, None)


@bp.get("/<ref>/<int:seq>")
@requires(Permission.INBOX)
def version(ref: str, seq: int) -> ResponseReturnValue:
    """One copy of a case, and what it says that the one before did not. 200, 403, 404."""
    return _shown(ref, seq)


def _shown(ref: str, seq: int | None) -> ResponseReturnValue:
    """A copy; where its purpose is not allowed, which other copies there are."""
    try:
        return _opened(ref, seq, _page)
    except NotPermitted:
        with current.case_store().reading() as db:
            copies = inbox.find(db, ref, current.viewer())
            copy = inbox.chosen(copies, seq)
        purpose = rules.purpose_name(copy.purpose)
        page = render_template("inbox_refused.html", copy=copy, copies=copies, purpose=purpose, stages=wording.STAGES)
        return page, 403


@bp.get("/<ref>/<int:seq>/<document>/<form>")
@requires(Permission.INBOX)
def take(ref: str, seq: int, document: str, form: str) -> ResponseReturnValue:
    """A document of a copy as PDF or Excel; the download is audited. 200, 403, 404."""
    if form not in _FORMS:
        raise NotFound(f"format {form}")

    def taken(db: Session, _copies: list[Copy], copy: Copy) -> Document:
        return inbox.take_document(db, copy, document, form, by=current.viewer(), now=utcnow())

    found, lang = _opened(ref, seq, taken), language.chosen()
    media_type, made = _FORMS[form]
    title = f"{found.marks.ref}_{seq}_{getattr(found.view.title, lang)}"
    body = made(found.view, lang=lang, marks=found.marks)
    return downloads.attachment(body, media_type, title=title, plain=f"{found.marks.ref}-{seq}-{document}", form=form)


def _opened(ref: str, seq: int | None, act: Callable[[Session, list[Copy], Copy], Found]) -> Found:
    """What `act` makes of a copy, and of all of its case; a purpose that is not allowed is refused, and on record."""
    viewer, now = current.viewer(), utcnow()
    with current.case_store().transaction() as db:
        copies = inbox.find(db, ref, viewer)
        copy = inbox.chosen(copies, seq)
        try:
            return act(db, copies, copy)
        except NotPermitted:
            subject = copy.delivery.id
            audit.record(db, "report.read-refused", by=viewer, subject=subject, purpose=copy.purpose, now=now)
            refused = NotPermitted(f"the reporter did not allow {copy.purpose}")
    raise refused


def _page(
    db: Session,
    copies: list[Copy],
    copy: Copy,
    *,
    typed: Mapping[str, str] | None = None,
    wrong: Sequence[Problem] = (),
) -> str:
    """A copy with all that belongs to it. `wrong`: what is wrong with what was `typed` into one of its forms."""
    viewer, now = current.viewer(), utcnow()
    case, own = copy.version.case, copy.delivery.recipient
    opened = inbox.open_copy(db, copy, by=viewer, now=now)
    return render_template(
        "inbox_case.html",
        ref=case.ref,
        copy=copy,
        newest=copies[-1],
        copies=copies,
        stages=wording.STAGES,
        purpose=rules.purpose_name(copy.purpose),
        documents=opened.documents,
        is_blank=lambda line: isinstance(line, Blank),
        changes=_changes(db, copies, copy, opened),
        clocks=[_clock(one, copies[-1]) for one in inbox.clocks_of(db, copies, now=now)],
        thread=talk.threads(db, case, own=own, viewer=viewer, now=now).get(own, []),
        defanged=wording.defanged,
        longest=talk.LONGEST,
        reference=_last_number(copies),
        typed=typed or {},
        problems=[(_place(one, typed or {}), message(one, language.chosen())) for one in wrong],
        key=once.new_key(),
    )


def _changes(db: Session, copies: list[Copy], copy: Copy, opened: Opened) -> list[tuple[Any, list[Any], list[Any]]]:
    """(field, what it said, what it says now) since the copy before this one."""
    earlier = [one for one in copies if one.version.seq < copy.version.seq]
    if not earlier or earlier[-1].purpose not in earlier[-1].version.purposes:
        return []
    before = inbox.open_copy(db, earlier[-1], by=current.viewer(), now=utcnow())
    return [
        (one.field, _said(one.field, one.before), _said(one.field, one.after)) for one in inbox.changes(before, opened)
    ]


def _said(field: Mapping[str, Any], answer: Any) -> list[Any]:
    return [] if answer is None else wording.shown(field, answer)


def _last_number(copies: Sequence[Copy]) -> str:
    """The number of the newest receipt: a case keeps its number."""
    return next((one.delivery.reference for one in reversed(copies) if one.delivery.reference), "")


def _place(problem: Problem, typed: Mapping[str, str]) -> str:
    """The id of the box: a deadline has one each."""
    return f"until-{typed['regime']}-{typed['stage']}" if problem.field == "until" else problem.field


# --- what an authority does ----------------------------------------------------------------------------


@bp.post("/<ref>/<int:seq>/receipt")
@requires(Permission.INBOX)
def receive(ref: str, seq: int) -> ResponseReturnValue:
    """Confirm a version: 303, also the second time; 404; 409 if a colleague gave another number; 422."""
    typed = _typed("reference", "known")

    def act(db: Session) -> None:
        receipts.receive(db, ref, seq, typed["reference"], known=typed["known"], by=current.viewer(), now=utcnow())

    return _done(ref, typed, act, said=_("Received. The reporter sees it."))


@bp.post("/<ref>/questions")
@requires(Permission.INBOX)
def ask(ref: str) -> ResponseReturnValue:
    """Ask the reporter: 303, also the second time; 404; 422 if it cannot be sent so."""
    typed = _typed("text")

    def act(db: Session) -> None:
        if once.first_time(db):
            inbox.ask(db, ref, typed["text"], by=current.viewer(), now=utcnow())

    return _done(ref, typed, act, said=_("Sent. The reporter sees your question on the page of the case."))


@bp.post("/<ref>/deadlines")
@requires(Permission.INBOX)
def extend(ref: str) -> ResponseReturnValue:
    """Give more time under a regime of one's own: 303, also the second time; 404; 409 if it is met; 422."""
    typed = _typed("regime", "stage", "until")

    def act(db: Session) -> None:
        if once.first_time(db):
            until = read_date(typed["until"], day_of(utcnow()), ahead=True)
            inbox.extend(db, ref, typed["regime"], typed["stage"], until, by=current.viewer(), now=utcnow())

    return _done(ref, typed, act, said=_("The deadline is extended. The reporter sees it."))


def _typed(*names: str) -> dict[str, str]:
    return {name: request.form.get(name, "") for name in names}


def _done(ref: str, typed: Mapping[str, str], act: Callable[[Session], None], *, said: str) -> ResponseReturnValue:
    """Act, and lead to the case; what cannot be done so comes back as it was typed."""
    try:
        with current.case_store().transaction() as db:
            act(db)
    except Invalid as error:
        wrong = error.problems
        return _opened(ref, None, lambda *found: _page(*found, typed=typed, wrong=wrong)), 422
    flash(said)
    return redirect(url_for("inbox.case", ref=ref), 303)
