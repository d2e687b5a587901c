"""Reporting with an emergency code, without a sign-in; and the codes of one's own organization."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from config import Installation
from exchange import emergency, form, incidents
from exchange.accounts import TooManyAttempts
from exchange.emergency import State, Unusable
from exchange.errors import Invalid, Problem
from exchange.sectors import day_of
from exchange.sharing import Permission
from exchange.times import utcnow
from portal import current
from portal.auth import requires
from portal.web import quick_form, wording

bp = Blueprint("emergency", __name__, url_prefix="/emergency")
_KEPT = "emergency"
_STATES: Mapping[State, wording.Words] = {
    State.USABLE: {"ja": "使えます", "en": "Can be used"},
    State.USED: {"ja": "使用済み", "en": "Used"},
    State.REVOKED: {"ja": "取り消し済み", "en": "Revoked"},
    State.EXPIRED: {"ja": "期限切れ", "en": "Expired"},
}


@bp.get("")
@requires(Permission.ANYONE)
def show() -> ResponseReturnValue:
    """An empty form that asks for a code first. 200."""
    return _form("", quick_form.this_moment())


@bp.post("/edit")
@requires(Permission.ANYONE)
def edit() -> ResponseReturnValue:
    """The form in the other language, with everything as typed. 200."""
    return _form(request.form.get("code", ""), quick_form.typed("code"))


@bp.post("")
@requires(Permission.ANYONE)
def file() -> ResponseReturnValue:
    """Send it: 303 to the receipt; 422 and the form again if the code or an answer is wrong; 429 after many tries."""
    code, typed = request.form.get("code", ""), quick_form.typed("code")
    try:
        session[_KEPT] = _file(code, form.from_form(typed, today=day_of(utcnow())))
    except TooManyAttempts as error:
        again = _form(code, typed, Invalid([Problem("code", error.code)]))
        return again, 429, {"Retry-After": str(error.retry_after_s)}
    except Invalid as error:
        if isinstance(error, Unusable):
            with current.case_store().transaction() as db:
                emergency.count_failure(db, network=_network(), now=utcnow())
        return _form(code, typed, error), 422
    return redirect(url_for(".received"), 303)


def _file(code: str, answers: dict[str, object]) -> str:
    """The number of the case. Nothing is locked for a code that nobody ever had."""
    now, store = utcnow(), current.case_store()
    exercise = current.settings().installation is Installation.EXERCISE
    with store.reading() as db:
        emergency.admit(db, code, answers, network=_network(), now=now)
    with store.transaction() as db:
        return emergency.file(db, code, answers, key=_key(), now=now, exercise=exercise).ref


@bp.get("/received")
@requires(Permission.ANYONE)
def received() -> ResponseReturnValue:
    """The number, for the browser that reported, and what to do first: 200; 302 to the form for any other."""
    if _KEPT not in session:
        return redirect(url_for(".show"))
    with current.case_store().reading() as db:
        case = emergency.find(db, session[_KEPT])
        aid = wording.first_aid(incidents.latest(case).answers)
        return render_template("emergency_received.html", case=case, first_aid=aid)


def _network() -> str:
    return request.remote_addr or ""


def _key() -> str:
    """Under which the same report may be sent twice; a form that lost it gets a new one."""
    return request.form.get("idempotency_key") or secrets.token_urlsafe(16)


def _form(code: str, values: quick_form.Typed, wrong: Invalid | None = None) -> str:
    asked = quick_form.shown(values, wrong, first="code")
    return render_template("emergency.html", code=code, idempotency_key=_key(), **asked)


# --- the codes of one's own organization ----------------------------------------------------------------


@bp.get("/codes")
@requires(Permission.REPORT)
def codes() -> ResponseReturnValue:
    """Which codes there are, and what became of them. 200."""
    with current.case_store().reading() as db:
        return _codes(db)


@bp.post("/codes")
@requires(Permission.REPORT)
def issue() -> ResponseReturnValue:
    """A new code, on this page and never again: 201; 409 if there are many already."""
    with current.case_store().transaction() as db:
        code = emergency.issue(db, by=current.viewer(), now=utcnow())
        return _codes(db, code), 201


@bp.post("/codes/<uuid:code_id>/revoke")
@requires(Permission.REPORT)
def revoke(code_id: UUID) -> ResponseReturnValue:
    """It opens nothing from now on: 303; 404; 409 if it was over before."""
    with current.case_store().transaction() as db:
        emergency.revoke(db, code_id, by=current.viewer(), now=utcnow())
    flash(_("Revoked. Nobody can report with this code any more."))
    return redirect(url_for(".codes"), 303)


def _codes(db: Session, code: str | None = None) -> str:
    now = utcnow()
    rows, until = emergency.listed(db, by=current.viewer(), now=now), now + emergency.VALID
    return render_template("emergency_codes.html", codes=rows, code=code, words=_STATES, expires_at=until)
