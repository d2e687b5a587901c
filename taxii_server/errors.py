"""Every error of this server is a TAXII error message, the framework's included (TAXII 2.1, section 3.6)."""

from __future__ import annotations

import orjson
import structlog
from flask import Flask, Response, request
from medallion.exceptions import MedallionError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from exchange.errors import BadCursor, NotFound, NotPermitted, Unavailable
from taxii_server import refusals

MEDIA_TYPE = "application/taxii+json;version=2.1"
_log = structlog.get_logger()


def error_response(status: int, title: str, description: str, **headers: str) -> Response:
    """A TAXII error message; its `http_status` is a string."""
    body = {"title": title, "description": description, "http_status": str(status)}
    return Response(orjson.dumps(body), status, headers, content_type=MEDIA_TYPE)


class Busy(Exception):
    """Too many large bodies at once: 503, and when to come again."""


def install(app: Flask) -> None:
    """Translate what can go wrong, once."""
    app.register_error_handler(NotFound, _not_found)
    app.register_error_handler(NotPermitted, _not_permitted)
    app.register_error_handler(Busy, lambda _: _later("Too many large requests at once; try again."))
    app.register_error_handler(BadCursor, lambda _: error_response(400, "Bad request", "`next` is not of this query."))
    app.register_error_handler(MedallionError, _processing)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Unavailable, _unavailable)
    app.register_error_handler(Exception, _bug)
    app.before_request(_stay)
    app.after_request(_headers)


def _stay() -> None:
    """A path without its last slash is another path (TAXII 2.1, section 3.1), not a way to one."""
    if isinstance(request.routing_exception, RequestRedirect):
        raise NotFound


def _not_found(_error: NotFound) -> Response:
    refusals.note()
    return error_response(404, "Not found", "There is no such thing here.")


def _processing(error: MedallionError) -> Response:
    if error.status in {403, 404}:
        refusals.note()
    # medallion quotes the caller's words in its messages; the status alone says enough.
    title = _TITLES.get(error.status, "Error")
    return error_response(error.status, title, _DESCRIPTIONS.get(error.status, title))


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    title = _TITLES.get(status, "Error")
    allow = {"Allow": error.get_response().headers["Allow"]} if status == 405 else {}
    return error_response(status, title, _DESCRIPTIONS.get(status, title), **allow)


def _not_permitted(_error: NotPermitted) -> Response:
    refusals.note()
    return error_response(403, "Forbidden", _DESCRIPTIONS[403])


def _unavailable(_error: Unavailable) -> Response:
    return _later("The store does not answer; try again.")


def _later(why: str) -> Response:
    again = {"Retry-After": "5"}
    return error_response(503, "Unavailable", why, **again)


def _bug(error: Exception) -> Response:
    _log.error("taxii.bug", kind=type(error).__name__, exc_info=True)
    return error_response(500, "Internal error", "This is our fault; it was logged.")


def _headers(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept, Accept-Encoding, Authorization"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


_TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    408: "Too slow",
    413: "Too large",
    415: "Unsupported media type",
    422: "Unprocessable",
}
_DESCRIPTIONS = {
    400: "A parameter or header is malformed.",
    403: "You may not do this here.",
    404: "There is no such thing here.",
    405: "This resource does not know that method.",
    406: f"Ask with Accept: {MEDIA_TYPE}",
    408: "The body did not arrive in time.",
    413: "The body is larger than max_content_length.",
    415: f"Send Content-Type: {MEDIA_TYPE}, not compressed.",
    422: 'Send an envelope: {"objects": [...]} with 1 to 10,000 STIX 2.1 objects, in strict JSON.',
}
