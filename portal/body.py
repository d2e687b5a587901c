"""One way to read a body: whole, within its limit, in time, and no other than was announced."""

from __future__ import annotations

from io import BytesIO
from typing import BinaryIO

from flask import Flask, request
from werkzeug.exceptions import (
    BadRequest,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)

from exchange import streams
from exchange.errors import CutShort, TooLarge, TooSlow

_API_BYTES = 1_000_000
_FORM_BYTES = 500_000
_FORM_FIELDS = 200
_FORM = "application/x-www-form-urlencoded"
_METHODS_WITH_BODY = {"POST", "PUT", "PATCH", "DELETE"}


def install(app: Flask) -> None:
    """Put the whole body in front of the application, before anything else looks at it."""
    app.before_request(_take)


def _take() -> None:
    if request.method not in _METHODS_WITH_BODY:
        return
    stream, announced = request.environ["wsgi.input"], request.content_length
    # Until it is here as a whole nobody reads any of it, not even to see in which language to refuse it.
    _put(b"")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType
    body = read(stream, announced, _API_BYTES if request.path.startswith("/api/") else _FORM_BYTES)
    if request.mimetype == _FORM and body.count(b"&") >= _FORM_FIELDS:
        raise RequestEntityTooLarge
    _put(body)


def _put(body: bytes) -> None:
    request.environ["wsgi.input"] = BytesIO(body)
    request.environ["CONTENT_LENGTH"] = str(len(body))
    request.environ.pop("HTTP_TRANSFER_ENCODING", None)


def read(stream: BinaryIO, announced: int | None, limit: int) -> bytes:
    """The whole body. Raises: RequestEntityTooLarge, RequestTimeout, BadRequest (shorter than announced)."""
    try:
        return streams.read(stream, announced, limit)
    except TooLarge:
        raise RequestEntityTooLarge from None
    except TooSlow:
        raise RequestTimeout from None
    except CutShort:
        raise BadRequest from None
