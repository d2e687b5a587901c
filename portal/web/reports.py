"""Filing a quick report: the form, the page to check it, and sending."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from config import Installation
from exchange import accounts, findings, form, idempotency, incidents
from exchange.db import vault_of
from exchange.errors import Invalid
from exchange.form import QuickReport
from exchange.idempotency import Once
from exchange.models import Organization
from exchange.sharing import Permission
from exchange.times import JST, utcnow
from portal import current, language
from portal.auth import requires
from portal.web import wording

bp = Blueprint("reports", __name__, url_prefix="/reports")
_ROUTE = "POST /reports"
_NOT_TYPED = {"csrf_token", "idempotency_key", "action", "lang", "focus"}
Typed = dict[str, list[str]]


@bp.get("/new")
@requires(Permission.REPORT)
def new() -> ResponseReturnValue:
    """An empty form, with what the system knows already filled in. 200."""
    with current.case_store().reading() as db:
        own = accounts.own_organization(db, current.viewer(), None)
        return _form(db, own, _known(db, own))


@bp.post("/edit")
@requires(Permission.REPORT)
def edit() -> ResponseReturnValue:
    """Back to the form with everything as typed. 200."""
    with current.case_store().reading() as db:
        return _form(db, accounts.own_organization(db, current.viewer(), None), _typed())


@bp.post("/check")
@requires(Permission.REPORT)
def check() -> ResponseReturnValue:
    """Who will get it, by when, and what they will see: 200; 422 and the form again if it is wrong."""
    viewer, now = current.viewer(), utcnow()
    with current.case_store().reading() as db:
        own = accounts.own_organization(db, viewer, None)
        try:
            quick = incidents.read(db, form.from_form(_typed()), by=viewer, now=now)
        except Invalid as error:
            return _form(db, own, _typed(), error), 422
        decision = orjson.loads(orjson.dumps(incidents.decide(db, quick, by=viewer, now=now)))
        sharing = _sharing(db, own, quick)
    return render_template(
        "report_check.html",
        answers=wording.answers(quick.model_dump(mode="json", exclude_none=True)),
        recipients=wording.recipients(decision, now),
        clocks=wording.clocks(decision),
        reminders=decision["reminders"],
        sharing=sharing,
        scope=wording.option("share_scope", quick.share_scope),
        hidden=[(name, value) for name, values in _typed().items() for value in values],
        idempotency_key=secrets.token_urlsafe(16),
    )


@bp.post("")
@requires(Permission.REPORT)
def file() -> ResponseReturnValue:
    """Send it: 303 to the receipt; 422 and the form again if it is wrong; 409 if the key came with other answers."""
    try:
        with current.case_store().transaction() as db:
            ref, duplicate = _file(db, form.from_form(_typed()))
    except Invalid as error:
        with current.case_store().reading() as db:
            return _form(db, accounts.own_organization(db, current.viewer(), None), _typed(), error), 422
    return redirect(url_for("cases.receipt", ref=ref, duplicate=duplicate), 303)


def _file(db: Session, answers: Mapping[str, Any]) -> tuple[str, str | None]:
    viewer, now = current.viewer(), utcnow()
    assert viewer.person_id is not None
    once = Once(viewer.person_id, _ROUTE, request.form.get("idempotency_key") or secrets.token_urlsafe(16))
    fingerprint = vault_of(db).fingerprint(orjson.dumps(answers, option=orjson.OPT_SORT_KEYS))
    given = idempotency.first_answer(db, once, fingerprint=fingerprint, now=now)
    if given is None:
        exercise = current.settings().installation is Installation.EXERCISE
        quick = incidents.read(db, answers, by=viewer, now=now)
        filed = incidents.report(db, quick, by=viewer, via="web", now=now, exercise=exercise)
        given = {"ref": filed.case.ref, "duplicate": filed.duplicate_of}
        idempotency.keep(db, once, given)
    return given["ref"], given["duplicate"]


def _typed() -> Typed:
    """Everything typed, as typed."""
    return {name: values for name, values in request.form.to_dict(flat=False).items() if name not in _NOT_TYPED}


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


def _form(db: Session, own: Organization, values: Typed, wrong: Invalid | None = None) -> str:
    lang, order = language.chosen(), list(form.FIELDS)
    problems = sorted(
        wrong.problems if wrong else [], key=lambda p: order.index(p.field) if p.field in order else len(order)
    )
    return render_template(
        "report_form.html",
        fields=list(form.FIELDS.values()),
        shown=set(order) - (set() if own.act_special_operator else {"designated_asset"}),
        values=values,
        errors=[(problem.field, form.message(problem, lang)) for problem in problems],
        focus=request.form.get("focus"),
        organization_name=accounts.profile_of(db, own)[f"name_{lang}"],
        standing_scope=own.standing_scope,
    )


def _sharing(db: Session, own: Organization, quick: QuickReport) -> wording.Sharing:
    real = current.settings().documentation_is_real
    seen = findings.look_through(
        db, quick.ioc_paste, organization=own, callback=quick.callback, documentation_is_real=real
    )
    values = [(one.found.type, one.found.value, one.excluded) for one in seen]
    return wording.Sharing(wording.editions_of(quick.share_scope), wording.found(values))
