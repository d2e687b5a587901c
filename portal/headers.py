"""What every answer says to the browser, and the number by which a request is found in the log."""

from __future__ import annotations

import secrets

from flask import Flask, Response, g

_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def install(app: Flask) -> None:
    """Number each request, and set the headers of each answer."""
    app.before_request(_number)
    app.after_request(_dress)


def _number() -> None:
    g.request_id = secrets.token_hex(8)


def _dress(response: Response) -> Response:
    for name, value in _HEADERS.items():
        # A page that needs another policy, or forbids more, has said so.
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = g.get("request_id", "")
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
