"""Who asks, and which route asks for what. A route that does not say is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Flask, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Forbidden, Unauthorized

from exchange import accounts, added
from exchange.sharing import PUBLIC, Permission, Viewer, permitted
from exchange.times import utcnow
from portal import current, kept

Route = TypeVar("Route", bound=Callable[..., Any])
_MARK = "asks_for"
_WITHOUT_TABLES = frozenset({"static", "healthz", "offline.show"})


def requires(permission: Permission) -> Callable[[Route], Route]:
    """Declare what a route asks for; it is checked before the route runs."""

    def mark(route: Route) -> Route:
        @wraps(route)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            return route(*args, **kwargs)

        setattr(guarded, _MARK, permission)
        return guarded  # type: ignore[return-value]

    return mark


def asked_by(route: Callable[..., Any]) -> Permission | None:
    """What a route declared; None if it forgot."""
    found = getattr(route, _MARK, None)
    return found if isinstance(found, Permission) else None


def install(app: Flask) -> None:
    """Find out who asks, then ask the route."""
    app.before_request(_follow_tables)
    app.before_request(_recognise)
    app.before_request(_guard)


def _follow_tables() -> None:
    """Sectors and rules are those of the store at this moment."""
    if request.endpoint is not None and request.endpoint not in _WITHOUT_TABLES:
        with current.case_store().reading() as db:
            added.follow(db)


def _recognise() -> None:
    g.viewer = _by_key() if request.path.startswith("/api/") else _by_login()


def _by_key() -> Viewer:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return PUBLIC
    with current.case_store().reading() as db:
        return accounts.viewer_of_key(db, key.strip(), scope="report", now=utcnow()) or PUBLIC


def _by_login() -> Viewer:
    # Files of ours, and the offline form, are there also while the database is not.
    token = None if request.endpoint in {"static", "offline.show"} else session.get("login")
    if not token:
        return PUBLIC
    with current.case_store().reading() as db:
        return accounts.viewer_of_login(db, token, now=utcnow()) or PUBLIC


def _guard() -> ResponseReturnValue | None:
    if request.endpoint is None or request.endpoint == "static":
        return None
    permission = asked_by(current_app.view_functions[request.endpoint])
    if permission is not None and permitted(current.viewer(), permission):
        return None
    if permission is None or current.viewer() is not PUBLIC:
        raise Forbidden
    if request.path.startswith("/api/") or kept.text():
        raise Unauthorized
    return redirect(url_for("login.show", next=request.path if request.method == "GET" else "/"))
