"""What every request passes before its view, in this order: who asks (401), is it there for them (404), may they (403),
is the method known (405), do they take our media type (406). The parameters (400) and the body are the views' business.

Source: TAXII 2.1, section 3.1 and 5.1 to 5.8; the order is ours, so that an answer never depends on what is hidden.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, request
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotAcceptable
from werkzeug.routing import RequestRedirect

from exchange.errors import NotFound
from taxii_server import auth, negotiation, refusals
from taxii_server.errors import error_response

ROOTS = {"api1": False, "sandbox": True}
"""API roots, and whether each holds the sandboxes."""

_WITHOUT_ASKING = frozenset({"healthz"})
_FOR_ACCOUNTS = frozenset({"discovery.get_status", "selftest.show_selftest"})
_CHANGING = frozenset({"POST", "DELETE"})


class NotSignedIn(Exception):
    """Credentials would help, or those that were shown do not: 401."""


class Forbidden(Exception):
    """The caller sees the collection, but may not do this there: 403."""


def install(app: Flask) -> None:
    """Runs before every request."""
    app.before_request(_enter)
    app.register_error_handler(NotSignedIn, lambda _: _challenge())
    app.register_error_handler(Forbidden, lambda _: _forbidden())


def collection() -> Any:
    """The collection of this request, which the caller may see, as `feed.Caller` has it."""
    return g.collection


def _enter() -> None:
    if request.endpoint in _WITHOUT_ASKING:
        return
    caller = auth.sign_in()
    if caller is None:
        raise NotSignedIn
    g.caller = caller
    endpoint, arguments = _resource()
    _find(endpoint, arguments)
    if isinstance(request.routing_exception, HTTPException):
        raise request.routing_exception
    if "collection_id" in arguments:
        _let_act(str(endpoint))
    if request.method != "OPTIONS":
        _negotiate()


def _resource() -> tuple[str | None, dict[str, Any]]:
    """What this path names, whatever the method."""
    if not isinstance(request.routing_exception, MethodNotAllowed):
        return request.endpoint, request.view_args or {}
    assert request_ctx.url_adapter is not None
    try:
        endpoint, arguments = request_ctx.url_adapter.match(method="GET")
    except RequestRedirect:
        return None, {}
    return str(endpoint), dict(arguments)


def _find(endpoint: str | None, arguments: dict[str, Any]) -> None:
    """Raises: NotFound; NotSignedIn where another caller could find more."""
    root = arguments.get("api_root", "api1")
    if endpoint is None or root not in ROOTS:
        raise NotFound(request.path)
    anonymous = auth.caller().viewer.account_id is None
    if anonymous and (ROOTS[root] or endpoint in _FOR_ACCOUNTS or request.method in _CHANGING):
        raise NotSignedIn
    if "collection_id" in arguments:
        try:
            g.collection = auth.caller().collection(arguments["collection_id"], sandbox=ROOTS[root])
        except NotFound:
            raise NotSignedIn if anonymous else NotFound from None


def _let_act(endpoint: str) -> None:
    """Raises: Forbidden. To delete takes both rights (TAXII 2.1, section 5.7)."""
    viewer, own = auth.caller().viewer, collection().id
    reads = request.method != "POST" and endpoint != "collections.get_collection"
    writes = request.method in _CHANGING
    if (reads and own not in viewer.reads) or (writes and own not in viewer.writes):
        raise Forbidden


def _negotiate() -> None:
    accept = request.headers.get("Accept", "")
    if not negotiation.accepts(accept):
        refusals.note("wrong_media")
        raise NotAcceptable
    g.no_version = not negotiation.names_version(accept)
    negotiation.show_what_views_know()


def _challenge() -> Response:
    refusals.note()
    words = "Sign in with Basic (user name and feed key) or Bearer (feed key)."
    refused = error_response(401, "Unauthorized", words)
    for scheme in ("Basic", "Bearer"):  # One challenge for each (TAXII 2.1, section 1.6.9).
        refused.headers.add("WWW-Authenticate", f'{scheme} realm="TAXII"')
    return refused


def _forbidden() -> Response:
    refusals.note()
    return error_response(403, "Forbidden", "You may not do this here.")
