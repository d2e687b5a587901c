"""What saves the wire: an answer that has not changed is not sent again, and a long one is sent packed (RFC 9110)."""

from __future__ import annotations

from flask import Flask, Response, request

from taxii_server import ready
from taxii_server.errors import MEDIA_TYPE

# Asked again and again, and seldom different; the pages of a collection never come from a cache.
_SELDOM_NEW = {
    "discovery.get_server_discovery",
    "discovery.get_api_root_information",
    "collections.get_collections",
    "collections.get_collection",
}


def install(app: Flask) -> None:
    """Runs after the application, in this order reversed: tag, then pack."""
    app.after_request(_pack)
    app.after_request(_tag)
    app.after_request(_name_options)


def _tag(response: Response) -> Response:
    if request.endpoint in _SELDOM_NEW and response.status_code == 200 and request.method == "GET":
        response.add_etag(weak=True)
        response.make_conditional(request)
    return response


def _pack(response: Response) -> Response:
    coding = ready.wanted_coding() if response.status_code == 200 else None
    if coding is None or "Content-Encoding" in response.headers:
        return response
    body = response.get_data()
    if len(body) >= ready.WORTH_PACKING_BYTES:
        response.set_data(ready.packed(body, coding))
        response.headers["Content-Encoding"] = coding
    return response


def _name_options(response: Response) -> Response:
    """Flask answers OPTIONS by itself, in HTML."""
    if request.method == "OPTIONS":
        response.content_type = MEDIA_TYPE
    return response
