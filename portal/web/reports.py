"""Filing a quick report: the form, the page to check it, and sending."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from config import Installation
from exchange import accounts, attachments, drafts, findings, form, idempotency, incidents, machine
from exchange.db import vault_of
from exchange.drafts import Opened
from exchange.errors import Conflict, Invalid, NotFound
from exchange.form import QuickReport
from exchange.idempotency import Once
from exchange.models import Draft, Organization, Person, ReportVersion
from exchange.sectors import day_of
from exchange.sharing import Permission
from exchange.times import JST, utcnow
from portal import current, language
from portal.auth import requires
from portal.body import takes_files
from portal.web import attachments as files
from portal.web import previews, wording

bp = Blueprint("reports", __name__, url_prefix="/reports")
_ROUTE = "POST /reports"
_SHARE_AGAIN = "share_again"
_NOT_TYPED = {"csrf_token", "idempotency_key", "action", "lang", "focus", "draft", "revision", *files.FIELDS}
_LEFT_OUT = "ioc_left_out"
Typed = dict[str, list[str]]


@bp.get("/new")
@requires(Permission.REPORT)
def new() -> ResponseReturnValue:
    """An empty form, with what the system knows already filled in; or a draft, `?draft=`. 200, 404."""
    with current.case_store().reading() as db:
        own = accounts.own_organization(db, current.viewer(), None)
        if wanted := request.args.get("draft"):
            draft = _draft(db, wanted)
            return _form(db, own, draft.typed, draft=draft.row)
        return _form(db, own, _known(db, own), waiting=_waiting(db))


@bp.post("/edit")
@requires(Permission.REPORT)
@takes_files
def edit() -> ResponseReturnValue:
    """Back to the form with everything as typed: 200; 413, 415, 422 if a file is refused."""
    came = files.arrived()
    with current.case_store().reading() as db:
        own = accounts.own_organization(db, current.viewer(), None)
        return _form(db, own, _typed(), Invalid(list(came.wrong)), came=came), came.status


@bp.post("/check")
@requires(Permission.REPORT)
@takes_files
def check() -> ResponseReturnValue:
    """Who will get it, by when, and what they will see: 200; 413, 415, 422 and the form again if it is wrong."""
    viewer, now, came = current.viewer(), utcnow(), files.arrived()
    with current.case_store().reading() as db:
        own = accounts.own_organization(db, viewer, None)
        try:
            quick, brought = _read(db, came), _brought(db)
            answers, foreseen = machine.foreseen(db, quick, brought, by=viewer, now=now)
        except Invalid as error:
            return _form(db, own, _typed(), error, came=came), came.status if came.wrong else 422
        decision = orjson.loads(orjson.dumps(foreseen))
        sharing = _sharing(db, own, answers, came)
        attached = files.answer(files.waiting(db, came.ids))
    return render_template(
        "report_check.html",
        answers=[*wording.answers(quick.model_dump(mode="json", exclude_none=True, exclude={_LEFT_OUT})), *attached],
        brought=wording.answers(brought),
        recipients=previews.first(incidents.profile_of(own), answers, decision, now=now),
        not_triggered=wording.not_triggered(decision),
        clocks=wording.clocks(decision),
        reminders=decision["reminders"],
        sharing=sharing,
        scope=wording.option("share_scope", quick.share_scope),
        hidden=_carried(came),
        idempotency_key=secrets.token_urlsafe(16),
    )


@bp.post("")
@requires(Permission.REPORT)
@takes_files
def file() -> ResponseReturnValue:
    """Send it: 303 to the receipt; 413, 415, 422 and the form again if it is wrong; 409 if the key came before."""
    came = files.arrived()
    try:
        with current.case_store().transaction() as db:
            ref, duplicate = _file(db, form.from_form(_typed(), today=day_of(utcnow())), came)
    except Invalid as error:
        with current.case_store().reading() as db:
            own = accounts.own_organization(db, current.viewer(), None)
            return _form(db, own, _typed(), error, came=came), came.status if came.wrong else 422
    return redirect(url_for("cases.receipt", ref=ref, duplicate=duplicate), 303)


def _read(db: Session, came: files.Arrived) -> QuickReport:
    """The answers; a file that was refused is one more thing to put right. Raises: Invalid."""
    try:
        quick = incidents.read(db, form.from_form(_typed(), today=day_of(utcnow())), by=current.viewer(), now=utcnow())
    except Invalid as error:
        raise Invalid([*error.problems, *came.wrong]) from None
    if came.wrong:
        raise Invalid(list(came.wrong))
    return quick


def _file(db: Session, answers: Mapping[str, Any], came: files.Arrived) -> tuple[str, str | None]:
    viewer, now = current.viewer(), utcnow()
    assert viewer.person_id is not None
    once = Once(viewer.person_id, _ROUTE, request.form.get("idempotency_key") or secrets.token_urlsafe(16))
    fingerprint = vault_of(db).fingerprint(orjson.dumps(answers, option=orjson.OPT_SORT_KEYS))
    given = idempotency.first_answer(db, once, fingerprint=fingerprint, now=now)
    if given is None:
        exercise = current.settings().installation is Installation.EXERCISE
        filed = incidents.report(db, _read(db, came), by=viewer, via="web", now=now, exercise=exercise)
        attachments.hang(db, came.ids, filed.version, by=viewer, now=now)
        brought = _brought(db)
        _end_draft(db, filed.version)
        machine.follow(db, current.stores(), filed, brought, via="web", by=viewer, clock=utcnow)
        given = {"ref": filed.case.ref, "duplicate": filed.duplicate_of}
        idempotency.keep(db, once, given)
    return given["ref"], given["duplicate"]


# --- what is not sent yet ------------------------------------------------------------------------------


@bp.post("/autosave")
@requires(Permission.REPORT)
def autosave() -> ResponseReturnValue:
    """Keep what was typed: 204, the revision as ETag, and as Location the draft if this began one; 404; 409 if a
    colleague saved it meanwhile."""
    came = files.arrived()
    with current.case_store().transaction() as db:
        kept = _kept(db, came)
    response = Response(status=204)
    response.set_etag(str(kept.row.revision))
    if not request.form.get("draft"):
        response.headers["Location"] = url_for(".new", draft=kept.row.id)
    return response


@bp.post("/later")
@requires(Permission.REPORT)
@takes_files
def later() -> ResponseReturnValue:
    """Keep what was typed and go on another time: 303 to the first page; 404; 409 and the form again if a colleague
    saved it meanwhile; 413, 415, 422 and the form again if a file is refused. The rest is kept all the same."""
    came = files.arrived()
    try:
        with current.case_store().transaction() as db:
            draft = _kept(db, came).row
    except Conflict:
        with current.case_store().reading() as db:
            own = accounts.own_organization(db, current.viewer(), None)
            draft = _draft(db, request.form["draft"]).row
            return _form(db, own, _typed(), draft=draft, clash=True, came=came), 409
    if came.wrong:
        with current.case_store().reading() as db:
            own = accounts.own_organization(db, current.viewer(), None)
            return _form(db, own, _typed(), Invalid(list(came.wrong)), draft=draft, came=came), came.status
    flash(_("Saved. Nothing has been sent: you find the draft here."))
    return redirect(url_for("home.show"), 303)


def _kept(db: Session, came: files.Arrived) -> Opened:
    viewer, now, known = current.viewer(), utcnow(), request.form.get("draft")
    begun = known or str(drafts.start(db, by=viewer, stage="sokuhou", now=now).id)
    # A draft that begins with this very save has no earlier one that the page could have missed.
    revision = _number(request.form.get("revision", "")) if known else 1
    draft, said = _draft(db, begun, held=True), _typed() | {"attached": came.carried}
    attachments.keep_with(db, came.ids, draft.row, by=viewer)
    return drafts.save_form(db, draft, said, by=viewer, revision=revision, now=now)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _draft(db: Session, draft_id: str, *, held: bool = False) -> Opened:
    """A draft of a quick report. Raises: NotFound."""
    try:
        found = drafts.find(db, UUID(draft_id), current.viewer(), held=held)
    except ValueError:
        raise NotFound(f"draft {draft_id}") from None
    if found.row.case is not None:
        raise NotFound(f"draft {draft_id} of a case")
    return found


def _brought(db: Session) -> Mapping[str, Any]:
    """What a machine brought besides the first page; a colleague may have thrown the draft away already."""
    wanted = request.form.get("draft")
    try:
        return _draft(db, wanted).later if wanted else {}
    except NotFound:
        return {}


def _end_draft(db: Session, version: ReportVersion) -> None:
    """What was filed is a draft no more; a colleague may have thrown it away already."""
    if wanted := request.form.get("draft"):
        try:
            drafts.settle(db, _draft(db, wanted, held=True), version)
        except NotFound:
            return


def _waiting(db: Session) -> list[tuple[Draft, wording.Words | None, str]]:
    """The drafts of quick reports, each with its first words and who saved it last."""
    own = [one for one in drafts.of_organization(db, current.viewer()) if one.case_id is None]
    said = (wording.first_words(drafts.quick_typed(db, one)) for one in own)
    return [(one, words, db.get_one(Person, one.person_id).username) for one, words in zip(own, said, strict=True)]


# --- the form ------------------------------------------------------------------------------------------


def _carried(came: files.Arrived) -> list[tuple[str, str]]:
    """What the next page hands on: everything typed, the files that wait, and which draft it is."""
    typed = _typed() | {name: [request.form.get(name, "")] for name in ("draft", "revision")}
    typed["attached"] = came.carried
    return [(name, value) for name, values in typed.items() for value in values]


def _typed() -> Typed:
    """Everything typed, as typed; the values that are left out in one field, however many they are."""
    said = {name: values for name, values in request.form.to_dict(flat=False).items() if name not in _NOT_TYPED}
    again, left_out = said.pop(_SHARE_AGAIN, []), said.pop(_LEFT_OUT, [])
    lines = [line for line in "\n".join(left_out).replace("\r\n", "\n").split("\n") if line and line not in again]
    return said | ({_LEFT_OUT: ["\n".join(dict.fromkeys(lines))]} if lines else {})


def _known(db: Session, own: Organization) -> Typed:
    """What need not be typed: now, the organization's telephone, its standing consent."""
    now = utcnow().astimezone(JST)
    contacts = accounts.profile_of(db, own).get("contacts", [])
    known = {"aware_date": [f"{now:%Y-%m-%d}"], "aware_time": [f"{now:%H:%M}"], "aware_fidelity": ["minute"]}
    if contacts and contacts[0].get("phone"):
        known["callback"] = [contacts[0]["phone"].replace("+81-", "0", 1)]
    if own.standing_scope:
        known["share_scope"] = [own.standing_scope]
    return known


def _form(
    db: Session,
    own: Organization,
    values: Typed,
    wrong: Invalid | None = None,
    *,
    draft: Draft | None = None,
    waiting: Sequence[tuple[Draft, wording.Words | None, str]] = (),
    clash: bool = False,
    came: files.Arrived | None = None,
) -> str:
    lang, order = language.chosen(), list(form.ASKED)
    problems = sorted(
        wrong.problems if wrong else [], key=lambda p: order.index(p.field) if p.field in order else len(order)
    )
    return render_template(
        "report_form.html",
        fields=list(form.ASKED.values()),
        shown=set(order) - (set() if own.act_special_operator else {"designated_asset"}),
        values=values,
        errors=[(problem.field, form.message(problem, lang)) for problem in problems],
        focus=request.form.get("focus"),
        organization_name=accounts.profile_of(db, own)[f"name_{lang}"],
        standing_scope=own.standing_scope,
        left_out="\n".join(values.get(_LEFT_OUT, [])),
        draft_id=draft.id if draft else request.form.get("draft", ""),
        revision=draft.revision if draft else request.form.get("revision", ""),
        saved_at=draft.updated_at if draft else None,
        waiting=waiting,
        clash=clash,
        attached=files.waiting(db, came.ids if came else files.ids(values.get("attached", []))),
    )


def _sharing(db: Session, own: Organization, answers: Mapping[str, Any], came: files.Arrived) -> wording.Sharing:
    seen = findings.in_answers(
        db,
        answers,
        organization=own,
        documentation_is_real=current.settings().documentation_is_real,
        attached=attachments.pending_words(db, came.ids, by=current.viewer()),
    )
    values = [(one.found.type, one.found.value, one.excluded) for one in seen]
    return wording.Sharing(wording.editions_of(answers), wording.found(values))
