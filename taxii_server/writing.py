"""Adding objects to a collection, and deleting them.

In the place of medallion's views, which store what no standard knows, half of an envelope if the rest is wrong, and
call an object that is there already a failure (TAXII 2.1, section 5.5); which delete one version where all are meant
(section 5.7); and which trust the length that a client tells.
"""

from __future__ import annotations

import threading
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import (
    BadRequest,
    RequestEntityTooLarge,
    RequestTimeout,
    UnprocessableEntity,
    UnsupportedMediaType,
)

from exchange import contributions, json_text, pages, polls, streams
from exchange.errors import CutShort, NotFound, TooLarge, TooSlow, Unreadable
from exchange.polls import Note
from exchange.times import utcnow
from taxii_server import auth, negotiation, query, refusals
from taxii_server.backend import MAX_CONTENT_LENGTH_BYTES
from taxii_server.entering import collection
from taxii_server.errors import MEDIA_TYPE, Busy

bp = Blueprint("writing", __name__, url_prefix="/<string:api_root>/collections/<string:collection_id>")
_LARGE_BYTES = 1_000_000
_LARGE_ONES = threading.BoundedSemaphore(2)


@bp.post("/objects/")
def add_objects(**_path: str) -> Response:
    """202 and a status resource; 415, 413 or 422 and nothing kept (TAXII 2.1, section 5.5)."""
    if not negotiation.sends_taxii(request.headers.get("Content-Type", "")) or "Content-Encoding" in request.headers:
        refusals.note("wrong_media")
        raise UnsupportedMediaType
    things = _objects(_body())
    viewer, now = auth.caller().viewer, utcnow()
    with auth.store().transaction() as db:
        _, status = contributions.submit(db, collection().id, things, by=viewer, now=now)
        polls.record(db, [Note("feed.posted", now, viewer, collection().id, objects=len(things))])
    return Response(status, 202, content_type=MEDIA_TYPE)


@bp.delete("/objects/<string:object_id>/")
def delete_object(object_id: str, **_path: str) -> Response:
    """200 and no body; 403 for what others gave, 404 for what is not there (TAXII 2.1, section 5.7)."""
    asked = query.Asked.read(request.args, ("version", "spec_version"), most=1)
    versions = asked.wanted.versions if "match[version]" in request.args else frozenset({"all"})
    if asked.wanted.spec_versions and pages.SPEC_VERSION not in asked.wanted.spec_versions:
        raise NotFound(object_id)
    viewer, now = auth.caller().viewer, utcnow()
    with auth.store().transaction() as db:
        gone = contributions.remove(db, collection().id, object_id, versions=versions, by=viewer, now=now)
        polls.record(db, [Note("feed.deleted", now, viewer, collection().id, objects=gone)])
    return Response(status=200, content_type=MEDIA_TYPE)


def _body() -> bytes:
    """All of the body, whatever its length says. Raises: RequestEntityTooLarge, RequestTimeout, BadRequest."""
    try:
        return streams.read(request.environ["wsgi.input"], request.content_length, MAX_CONTENT_LENGTH_BYTES)
    except TooLarge:
        raise RequestEntityTooLarge from None
    except TooSlow:
        raise RequestTimeout from None
    except CutShort:
        raise BadRequest from None


def _objects(body: bytes) -> list[Any]:
    """The objects of an envelope; a bundle's too, which other clients post. Raises: UnprocessableEntity, Busy."""
    envelope = _parsed(body)
    things = envelope.get("objects") if isinstance(envelope, dict) else None
    if not isinstance(things, list) or not 0 < len(things) <= contributions.MOST:
        raise UnprocessableEntity
    return things


def _parsed(body: bytes) -> Any:
    large = len(body) > _LARGE_BYTES
    if large and not _LARGE_ONES.acquire(blocking=False):
        raise Busy
    try:
        return json_text.loads(body)
    except Unreadable:
        raise UnprocessableEntity from None
    finally:
        if large:
            _LARGE_ONES.release()
