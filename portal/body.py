"""One way to read a body: whole, within its limit, in time, and no other than was announced."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from io import BytesIO
from typing import IO, Any, BinaryIO, TypeVar

from flask import Flask, Request, current_app, g, request, session
from werkzeug.exceptions import (
    BadRequest,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)

from exchange import accounts, streams
from exchange.errors import CutShort, TooLarge, TooSlow, Unavailable
from exchange.times import utcnow
from exchange.turns import Turns
from portal import current

_API, _API_BYTES = "/api/", 1_000_000
_FORM_BYTES = 500_000
_FORM_FIELDS = 200
_DRAFT_FIELDS = 12_000  # A table of a thousand indicators is one form.
_FORM = "application/x-www-form-urlencoded"
_METHODS_WITH_BODY = {"POST", "PUT", "PATCH", "DELETE"}
_FILES_BYTES = 31_000_000
_FILES_FORM = "multipart/form-data"
# Of what a signed-in person typed here and is too large to be taken: it is read as far, and given back.
_GIVEN_BACK_BYTES = 2_000_000
_GIVES_BACK = ("/drafts/", "/reports")
_FILES_MARK = "takes_files"

# Of bodies with files: each lies in memory as a whole, and once more while it is taken apart.
_large = Turns(8, of_one=2)
Route = TypeVar("Route", bound=Callable[..., Any])


def takes_files(route: Route) -> Route:
    """Declare that a route takes files: three of 10 MB, from whoever signed in."""
    setattr(route, _FILES_MARK, True)
    return route


class _Request(Request):
    """A request whose files never touch the disk: what is in them is kept sealed or not at all."""

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        return BytesIO()


def install(app: Flask) -> None:
    """Put the whole body in front of the application, before anything else looks at it."""
    app.request_class = _Request
    app.before_request(_take)
    app.teardown_request(_let_go)


def _take() -> None:
    if request.method not in _METHODS_WITH_BODY:
        return
    stream, announced = request.environ["wsgi.input"], request.content_length
    # Until it is here as a whole nobody reads any of it, not even to see in which language to refuse it.
    _put(b"")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType
    body = read(stream, announced, _limit(announced))
    if request.mimetype == _FORM and not request.path.startswith(_API) and _is_too_much(body):
        if _gives_back():
            request.max_form_memory_size = _GIVEN_BACK_BYTES
            _put(body)
        raise RequestEntityTooLarge
    _put(body)
    if request.mimetype == _FILES_FORM:
        _take_apart()


def _is_too_much(body: bytes) -> bool:
    most = _DRAFT_FIELDS if request.path.startswith("/drafts/") else _FORM_FIELDS
    return len(body) > _FORM_BYTES or body.count(b"&") >= most


def _gives_back() -> bool:
    return request.mimetype == _FORM and request.path.startswith(_GIVES_BACK) and bool(session.get("login"))


def _take_apart() -> None:
    """Once, and here: the page that refuses a form with too many parts must not stumble over it again."""
    try:
        len(request.form)
    except RequestEntityTooLarge:
        request.__dict__.pop("stream", None)
        _put(b"")
        raise


def _limit(announced: int | None) -> int:
    """In bytes. Files come from people who signed in, and a few at a time. Raises: Unavailable while many come."""
    if request.path.startswith(_API):
        return _API_BYTES
    if _gives_back():
        return _GIVEN_BACK_BYTES
    is_small = announced is not None and announced <= _FORM_BYTES
    sender = None if is_small or not _takes_files() else _sender()
    if sender is None:
        return _FORM_BYTES
    if not _large.take(sender):
        raise Unavailable("many files come at once")
    g.sends_a_large_body = sender
    return _FILES_BYTES


def _sender() -> Hashable:
    """Who signed in, if that login still stands; the cookie itself while the database cannot tell."""
    token = session.get("login")
    if not token:
        return None
    try:
        with current.case_store().reading() as db:
            viewer = accounts.viewer_of_login(db, token, now=utcnow())
    except Unavailable:
        return str(token)
    return viewer.person_id if viewer else None


def _takes_files() -> bool:
    route = current_app.view_functions.get(request.endpoint or "")
    return request.mimetype == _FILES_FORM and getattr(route, _FILES_MARK, False)


def _let_go(_error: BaseException | None) -> None:
    if sender := g.pop("sends_a_large_body", None):
        _large.give(sender)


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
