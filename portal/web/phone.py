"""The telephone of the desk: whom to call back, and reports that the duty officer takes down."""

from __future__ import annotations

import secrets

import orjson
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from config import Installation
from exchange import callbacks, form, idempotency, phone, spelling
from exchange.db import vault_of
from exchange.errors import Invalid
from exchange.idempotency import Once
from exchange.incidents import Filed
from exchange.models import ReportVersion
from exchange.phone import Registered
from exchange.sectors import day_of
from exchange.sharing import Permission
from exchange.times import utcnow
from portal import current, language
from portal.auth import requires
from portal.web import quick_form, wording

bp = Blueprint("phone", __name__, url_prefix="/desk/phone")
_ROUTE = "POST /desk/phone"
_CALLER = "caller"


@bp.get("")
@requires(Permission.DESK)
def show() -> ResponseReturnValue:
    """Who waits for a call, and the register to search. 200."""
    return _page()


@bp.post("/search")
@requires(Permission.DESK)
def search() -> ResponseReturnValue:
    """Organizations of the register by name or number: 200, 422 for less than two characters."""
    words = request.form.get("words", "")
    try:
        with current.case_store().transaction() as db:
            found = phone.search(db, words, by=current.viewer(), now=utcnow())
    except Invalid as error:
        return _page(words, problem=form.message(error.problems[0], language.chosen())), 422
    return _page(words, found)


def _page(words: str = "", found: list[Registered] | None = None, problem: str | None = None) -> str:
    with current.case_store().reading() as db:
        waiting, disowned = (of(db, current.viewer()) for of in (callbacks.waiting, callbacks.disowned))
    return render_template("phone.html", waiting=waiting, disowned=disowned, words=words, found=found, problem=problem)


# --- taking a report down -------------------------------------------------------------------------------


@bp.get("/organizations/<organization>")
@requires(Permission.DESK)
def new(organization: str) -> ResponseReturnValue:
    """An empty form for this organization, with its registered contacts beside it. 200, 404."""
    with current.case_store().transaction() as db:
        whose = phone.find(db, organization, by=current.viewer(), now=utcnow())
        values = quick_form.this_moment() | {"share_scope": [str(whose.scope)]}
        return _form(whose, values)


@bp.post("/organizations/<organization>/edit")
@requires(Permission.DESK)
def edit(organization: str) -> ResponseReturnValue:
    """The form in the other language, with everything as typed. 200, 404."""
    with current.case_store().transaction() as db:
        whose = phone.find(db, organization, by=current.viewer(), now=utcnow())
        return _form(whose, quick_form.typed(_CALLER))


@bp.post("/organizations/<organization>")
@requires(Permission.DESK)
def file(organization: str) -> ResponseReturnValue:
    """File it for the organization: 303 to the number to read out; 404; 409; 422 and the form again."""
    try:
        with current.case_store().transaction() as db:
            ref = _file(db, organization, form.from_form(quick_form.typed(_CALLER), today=day_of(utcnow())))
    except Invalid as error:
        with current.case_store().transaction() as db:
            whose = phone.find(db, organization, by=current.viewer(), now=utcnow())
            return _form(whose, quick_form.typed(_CALLER), error), 422
    return redirect(url_for(".receipt", ref=ref), 303)


def _file(db: Session, organization: str, answers: dict[str, object]) -> str:
    viewer, now = current.viewer(), utcnow()
    assert viewer.person_id is not None
    caller = request.form.get(_CALLER, "")
    once = Once(viewer.person_id, _ROUTE, request.form.get("idempotency_key") or secrets.token_urlsafe(16))
    said = orjson.dumps([organization, caller, answers], option=orjson.OPT_SORT_KEYS)
    given = idempotency.first_answer(db, once, fingerprint=vault_of(db).fingerprint(said), now=now)
    if given is None:
        given = {"ref": _take_down(db, organization, answers, caller).case.ref}
        idempotency.keep(db, once, given)
    return str(given["ref"])


def _take_down(db: Session, organization: str, answers: dict[str, object], caller: str) -> Filed:
    viewer, now = current.viewer(), utcnow()
    exercise = current.settings().installation is Installation.EXERCISE
    whose = phone.find(db, organization, by=viewer, now=now).row
    return phone.take_down(db, whose, answers, caller=caller, by=viewer, now=now, exercise=exercise)


@bp.get("/cases/<ref>")
@requires(Permission.DESK)
def receipt(ref: str) -> ResponseReturnValue:
    """The number as one reads it out, and who gets the report, for whoever took it down. 200, 404."""
    with current.case_store().reading() as db:
        return told(phone.taken(db, ref, current.viewer()))


def told(version: ReportVersion) -> str:
    """The page from which the number is read out."""
    return render_template(
        "phone_receipt.html",
        case=version.case,
        letters=spelling.spoken(version.case.ref),
        recipients=wording.recipients(version.decision, version.received_at),
        clocks=wording.clocks(version.decision),
        reminders=version.decision["reminders"],
        first_aid=wording.first_aid(version.answers),
    )


def _form(whose: Registered, values: quick_form.Typed, wrong: Invalid | None = None) -> str:
    hidden = () if whose.row.act_special_operator else ("designated_asset",)
    return render_template(
        "phone_form.html",
        organization=whose.row.ref,
        profile=whose.profile,
        special=whose.row.act_special_operator,
        caller=request.form.get(_CALLER, ""),
        idempotency_key=request.form.get("idempotency_key") or secrets.token_urlsafe(16),
        **quick_form.shown(values, wrong, without=hidden, first=_CALLER),
    )


# --- calling back ---------------------------------------------------------------------------------------


@bp.get("/calls/<ref>")
@requires(Permission.DESK)
def call(ref: str) -> ResponseReturnValue:
    """Whom to call about a report that came on an emergency code, at the registered numbers. 200, 404."""
    with current.case_store().transaction() as db:
        case, profile = callbacks.open_call(db, ref, by=current.viewer(), now=utcnow())
        return render_template("phone_call.html", case=case, profile=profile, letters=spelling.spoken(case.ref))


@bp.post("/calls/<ref>/confirm")
@requires(Permission.DESK)
def confirm(ref: str) -> ResponseReturnValue:
    """The organization says that it reported: 303; 404 if nobody need be called about it."""
    with current.case_store().transaction() as db:
        callbacks.confirm(db, ref, by=current.viewer(), now=utcnow())
    flash(_("Confirmed. From now on the report is shared as far as its reporter allows."))
    return redirect(url_for(".show"), 303)


@bp.post("/calls/<ref>/disown")
@requires(Permission.DESK)
def disown(ref: str) -> ResponseReturnValue:
    """The organization knows nothing of it: 303; 404 if nobody need be called about it."""
    with current.case_store().transaction() as db:
        callbacks.disown(db, ref, by=current.viewer(), now=utcnow())
    flash(_("Closed as not theirs. It is kept, and nothing of it is shared."))
    return redirect(url_for(".show"), 303)


@bp.post("/calls/<ref>/undo")
@requires(Permission.DESK)
def undo(ref: str) -> ResponseReturnValue:
    """It waits for a call again: 303; 404 if it was not closed as somebody else's."""
    with current.case_store().transaction() as db:
        callbacks.undo(db, ref, by=current.viewer(), now=utcnow())
    flash(_("It waits for a call again."))
    return redirect(url_for(".show"), 303)
