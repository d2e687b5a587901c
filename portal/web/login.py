"""Signing in and out."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from exchange import accounts
from exchange.sharing import Permission
from exchange.times import utcnow
from portal import current
from portal.auth import requires
from portal.web.language import own_path

bp = Blueprint("login", __name__)


@bp.get("/login")
@requires(Permission.ANYONE)
def show() -> ResponseReturnValue:
    """The sign-in page. 200."""
    return render_template("login.html", error=None, username="", next=own_path(request.args.get("next", "/")))


@bp.post("/login")
@requires(Permission.ANYONE)
def enter() -> ResponseReturnValue:
    """Sign in: 303 to where one wanted to go, 422 if name and password do not fit, 429 after too many tries."""
    username, wanted = request.form.get("username", ""), own_path(request.form.get("next", "/"))
    if not (token := _open_login(username, request.form.get("password", ""))):
        error = _("The user name or the password is not right. Check both and try again.")
        return render_template("login.html", error=error, username=username, next=wanted), 422
    lang = session.get("lang")
    session.clear()
    session["login"] = token
    session.permanent = True
    if lang:
        session["lang"] = lang
    return redirect(wanted, 303)


def _open_login(username: str, password: str) -> str | None:
    """A new login's token. The password is looked at before the database is locked for writing."""
    network, now, store = request.remote_addr or "", utcnow(), current.case_store()
    with store.reading() as db:
        person = accounts.matching(db, username=username, password=password, network=network, now=now)
    with store.transaction() as db:
        if person is None:
            accounts.count_failure(db, username=username, network=network, now=now)
            return None
        return accounts.open_login(db, person, now=now, hours=current.settings().login_hours)


@bp.post("/logout")
@requires(Permission.ANYONE)
def leave() -> ResponseReturnValue:
    """Sign out: the login is over in every process. 303."""
    token = session.pop("login", None)
    if token:
        with current.case_store().transaction() as db:
            accounts.close_login(db, token, now=utcnow())
    return redirect(url_for("login.show"), 303)
