"""One way to read a body: whole, within its limit, in time, and no other than was announced."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from io import BytesIO
from typing import BinaryIO

from flask import Flask, request
from werkzeug.exceptions import (
    BadRequest,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)

_API_BYTES = 1_000_000
_FORM_BYTES = 500_000
_FORM_FIELDS = 200
_FORM = "application/x-www-form-urlencoded"
_PIECE = 65_536
_SECONDS, _BYTES_PER_SECOND = 10.0, 100_000
_METHODS_WITH_BODY = {"POST", "PUT", "PATCH", "DELETE"}

# A read that waits for a stalled client cannot be interrupted: it waits in here, and its request goes on.
_readers = ThreadPoolExecutor(max_workers=256, thread_name_prefix="body")


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
    """The whole body.

    Args:
        announced: its Content-Length in bytes; None for a chunked one.
    Raises:
        RequestEntityTooLarge, RequestTimeout, BadRequest (shorter than announced).
    """
    if announced is not None and announced > limit:
        raise RequestEntityTooLarge
    most = announced if announced is not None else limit + 1
    if most == 0:
        return b""
    try:
        body = _readers.submit(_all, stream, most).result(_SECONDS + most / _BYTES_PER_SECOND)
    except Late:
        raise RequestTimeout from None
    if len(body) > limit:
        raise RequestEntityTooLarge
    if announced is not None and len(body) < announced:
        raise BadRequest
    return body


def _all(stream: BinaryIO, most: int) -> bytes:
    """At most `most` bytes; gives up between two pieces when the time is over."""
    deadline = time.monotonic() + _SECONDS + most / _BYTES_PER_SECOND
    pieces, size = [], 0
    while size < most and time.monotonic() < deadline:
        piece = stream.read(min(_PIECE, most - size))
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)
