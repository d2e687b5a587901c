"""What can go wrong, translated once: problem details for programs (RFC 9457), a page for people."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, render_template, request
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from exchange import audit, json_text, quotas
from exchange.errors import (
    Conflict,
    ExchangeError,
    Invalid,
    NotFound,
    NotPermitted,
    Problem,
    TooMuch,
    Unavailable,
    Unreadable,
    WrongState,
)
from exchange.form import message
from exchange.times import utcnow
from portal import current, kept, language

_log = structlog.get_logger()
_STATUS: dict[type[ExchangeError], int] = {
    NotFound: 404,
    NotPermitted: 403,
    WrongState: 409,
    Conflict: 409,
    Invalid: 422,
    TooMuch: 429,
}


def install(app: Flask) -> None:
    """Handlers for everything."""
    app.register_error_handler(ExchangeError, _known)
    app.register_error_handler(Unavailable, _unavailable)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _bug)


def _known(error: ExchangeError) -> Response:
    if isinstance(error, Unreadable):
        status = 400 if error.code in json_text.SYNTAX else 422
        # A JSON pointer as the field's id, in which every other answer names it.
        field = error.at.removeprefix("/").replace("/", ".")
        return answer(status, error.code, errors=[{"field": field, "code": error.code, "message": _say(error)}])
    status = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
    if isinstance(error, NotFound | NotPermitted):
        _note_refusal(status)
    extra: dict[str, Any] = {}
    if isinstance(error, Invalid):
        lang = language.chosen()
        extra["errors"] = [{"field": p.field, "code": p.code, "message": message(p, lang)} for p in error.problems]
    response = answer(status, error.code, **extra)
    if isinstance(error, TooMuch):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _say(error: Unreadable) -> str:
    return message(Problem(error.at, error.code), language.chosen())


def _unavailable(_error: Unavailable) -> Response:
    response = answer(503, "unavailable") if request.path.startswith("/api/") else _kept_page()
    response.headers["Retry-After"] = "5"
    return response


def _kept_page() -> Response:
    """Nothing was kept here: what was typed stands on the page, to send again, to copy, or to read out."""
    _log.info("request.refused", request=g.get("request_id"), endpoint=request.endpoint, status=503, code="unavailable")
    page = render_template("unavailable.html", request_id=g.get("request_id", ""), **kept.shown())
    return Response(page, 503)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return Response(error.get_response().get_data(), status, dict(error.get_response().headers))
    if status == 403 or (status == 401 and "Authorization" in request.headers):
        _note_refusal(status)
    response = answer(status, _code(error, status))
    if status == 405:
        response.headers["Allow"] = error.get_response().headers.get("Allow", "")
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="noroshi"'
    if status in {408, 413}:
        response.headers["Connection"] = "close"
    return response


def _code(error: HTTPException, status: int) -> str:
    if isinstance(error, CSRFError):
        return "expired-form"
    return "signed-out" if status == 401 and not request.path.startswith("/api/") else str(status)


def _note_refusal(status: int) -> None:
    """Every refusal is in the audit chain: who, what kind of request, never which words."""
    viewer = current.viewer()
    by = viewer if viewer.person_id else "unknown"
    try:
        with current.case_store().transaction() as db:
            audit.record(db, "request.refused", by=by, subject=f"{status} {request.endpoint}", now=utcnow())
    except Unavailable:
        _log.warning("refusal.not-noted", request=g.get("request_id"))


def _bug(error: Exception) -> Response:
    _log.error("portal.bug", request=g.get("request_id"), kind=type(error).__name__, exc_info=True)
    return answer(500, "internal")


def answer(status: int, code: str, **extra: Any) -> Response:
    """The error as a problem document under /api/, as a page elsewhere, with what was typed, to copy.

    The words are ours, never the exception's. Nothing can be sent again from that page: a forged form would borrow it.
    """
    title, text = _words(status, code)
    _log.info("request.refused", request=g.get("request_id"), endpoint=request.endpoint, status=status, code=code)
    if request.path.startswith("/api/"):
        problem = {"type": f"/api/v1/problems#{code}", "title": title, "status": status, "detail": text, "code": code}
        response = jsonify(problem | extra | {"request_id": g.get("request_id", "")})
        response.status_code, response.content_type = status, "application/problem+json"
        return response
    page = render_template(
        "error.html",
        status=status,
        title=title,
        text=text,
        typed=kept.text(),
        sign_in=code in {"signed-out", "expired-form"},
        request_id=g.get("request_id", ""),
    )
    return Response(page, status)


def _words(status: int, code: str) -> tuple[str, str]:
    known: dict[int | str, tuple[str, str]] = {
        "expired-form": (
            _("This form has expired"),
            _("Go back, reload the page and send it again. Nothing was stored."),
        ),
        "signed-out": (_("You are signed out"), _("Nothing was stored. Sign in, and enter it once more.")),
        "case-full": (
            _("This case takes no more reports"),
            _(
                "It has %(n)s versions already. Nothing was stored. Open a new case, and name this one in it.",
                n=quotas.VERSIONS_OF_A_CASE,
            ),
        ),
        "drafts-full": (
            _("Your organisation has too many drafts"),
            _(
                "It keeps %(n)s at most. Nothing was stored. File or throw away old ones; a report needs no draft.",
                n=quotas.DRAFTS,
            ),
        ),
        400: (_("The request cannot be read"), _("It is not the form or JSON that this address expects.")),
        401: (_("Sign in first"), _("Send your API key as Authorization: Bearer.")),
        403: (_("Not permitted"), _("Your account may not do this.")),
        404: (_("There is no such page"), _("It does not exist, or it is not for this account.")),
        405: (_("Not possible here"), _("This address does not know that method.")),
        406: (_("No such format"), _("This address cannot answer in the format you ask for.")),
        408: (_("Too slow"), _("The whole request did not arrive in time. Nothing was stored.")),
        409: (_("Conflict"), _("Something else was done under the same name, or the thing has changed meanwhile.")),
        413: (_("Too large"), _("The request is larger than this address takes. Nothing was stored.")),
        415: (_("Unsupported format"), _("Send JSON as application/json, without compression.")),
        422: (_("Please correct the answers"), _("Some answers are missing or cannot be used. Nothing was stored.")),
        429: (_("Too many attempts"), _("Wait a few minutes, then try again.")),
        503: (_("Not available at the moment"), _("Nothing was stored. Try again in a few seconds.")),
    }
    fault = (_("Something went wrong here"), _("It is our fault, and was logged. Nothing was stored."))
    return known.get(code) or known.get(status, fault)
