"""The offline form, which is there without a database; and bringing in the files that it made."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.exceptions import Forbidden

from config import Installation
from exchange import accounts, form, incidents, offline, offline_reports
from exchange.errors import Invalid, NotFound, Problem
from exchange.models import Case
from exchange.offline_reports import NotTheirs
from exchange.sharing import Permission, may_report_for, permitted
from exchange.times import utcnow
from portal import current, language, offline_page
from portal.auth import requires
from portal.body import takes_files
from portal.web.phone import told

bp = Blueprint("offline", __name__)
_KEPT_S = 3600


@bp.get("/offline.html")
@requires(Permission.ANYONE)
def show() -> ResponseReturnValue:
    """The form as one file, to open here or to keep; `?download=1` saves it. 200, 304."""
    page = offline_page.page()
    response = Response(page.body, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = f"{page.policy}; frame-ancestors 'none'"
    # A browser's own cache: somebody's cookie may travel with the answer.
    response.headers["Cache-Control"] = f"private, max-age={_KEPT_S}"
    if "download" in request.args:
        response.headers["Content-Disposition"] = "attachment; filename=noroshi-offline.html"
    response.set_etag(page.tag)
    return response.make_conditional(request)


@bp.get("/offline")
@requires(Permission.ANYONE)
def explain() -> ResponseReturnValue:
    """What the form is for, how to keep it, where its files go, and the number to write beside it. 200."""
    viewer, number = current.viewer(), None
    if permitted(viewer, Permission.REPORT):
        with current.case_store().reading() as db:
            number = accounts.own_organization(db, viewer, None).ref
    return render_template("offline.html", number=number)


@bp.get("/offline/import")
@requires(Permission.SIGNED_IN)
def choose() -> ResponseReturnValue:
    """Choose a file: for one's own organization, or, at the desk, for one of the register. 200, 403."""
    _need()
    return _form(request.args.get("organization", ""))


@bp.post("/offline/import")
@requires(Permission.SIGNED_IN)
@takes_files
def take() -> ResponseReturnValue:
    """File what is in it: 303 to the receipt, at the desk 200 and the number; the same however often; 403; 409; 422."""
    _need()
    wanted = request.form.get("organization", "").strip() if _for_others() else None
    try:
        with current.case_store().transaction() as db:
            case, is_new = _take(db, wanted)
            page = told(incidents.latest(case)) if wanted else ""
    except Invalid as error:
        if isinstance(error, NotTheirs):
            with current.case_store().transaction() as db:
                offline_reports.note(db, error, by=current.viewer(), now=utcnow())
        return _form(wanted or "", error), 422
    flash(_("Imported.") if is_new else _("This file was imported before. It is one report, and this is its number."))
    return page or redirect(url_for("cases.receipt", ref=case.ref), 303)


def _take(db: Session, wanted: str | None) -> tuple[Case, bool]:
    given = request.files.get("file")
    if given is None or not given.filename:
        raise Invalid([Problem("file", "required")])
    if wanted == "":
        raise Invalid([Problem("organization", "required")])
    read = offline.read(given.stream.read(), offline_page.box())
    offline_reports.check_code(read[0], request.form.get("code", ""))
    exercise = current.settings().installation is Installation.EXERCISE
    try:
        return offline_reports.take(db, read, organization=wanted, by=current.viewer(), now=utcnow(), exercise=exercise)
    except NotFound:
        raise Invalid([Problem("organization", "not-found")]) from None


def _for_others() -> bool:
    return may_report_for(current.viewer())


def _need() -> None:
    if not (_for_others() or permitted(current.viewer(), Permission.REPORT)):
        raise Forbidden


def _form(organization: str, wrong: Invalid | None = None) -> str:
    lang = language.chosen()
    named = {"file", "code", "organization"}
    problems = wrong.problems if wrong else []
    return render_template(
        "offline_import.html",
        for_others=_for_others(),
        organization=organization,
        code=request.form.get("code", ""),
        errors=[(one.field, form.message(one, lang)) for one in problems if one.field in named],
        inside=[(_label(one.field, lang), form.message(one, lang)) for one in problems if one.field not in named],
    )


def _label(field: str, lang: str) -> str:
    entry = form.FIELDS.get(field)
    return str(entry["label"][lang]) if entry else field
