"""The objects of a collection: pages of them, of their manifest, of one object and of its versions.

In the place of medallion's views, which decode and encode each page again (the budget), send `next` with nothing that
survives the process (TAXII 2.1, section 3.5), read a repeated parameter as its first value and every time as text
(section 3.4), and look at Accept before they look whether the thing is there (section 5).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, g, request

from exchange import pages
from exchange.db import Asked
from exchange.errors import NotFound
from exchange.pages import Page, Wanted
from exchange.polls import Note
from exchange.times import utcnow
from taxii_server import auth, cursor, query, ready, refusals
from taxii_server.entering import collection

bp = Blueprint("feed", __name__, url_prefix="/<string:api_root>/collections/<string:collection_id>")
_ALL = ("id", "type", "version", "spec_version")


@bp.get("/objects/")
def get_objects(**_path: str) -> Response:
    """200 and an envelope; 400 if a parameter is malformed (TAXII 2.1, section 5.4)."""
    return _page("objects", "objects", _ALL)


@bp.get("/manifest/")
def get_manifest(**_path: str) -> Response:
    """200 and a manifest; 400 if a parameter is malformed (TAXII 2.1, section 5.3)."""
    return _page("manifest", "objects", _ALL)


@bp.get("/objects/<string:object_id>/")
def get_object(object_id: str, **_path: str) -> Response:
    """200 and an envelope; 400, or 404 if the object is not there for the caller (TAXII 2.1, section 5.6)."""
    return _page("objects", "objects", ("version", "spec_version"), object_id)


@bp.get("/objects/<string:object_id>/versions/")
def get_versions(object_id: str, **_path: str) -> Response:
    """200 and the versions; 400, or 404 if the object is not there for the caller (TAXII 2.1, section 5.8)."""
    return _page("versions", "versions", ("spec_version",), object_id)


def _page(face: str, name: str, filters: tuple[str, ...], object_id: str | None = None) -> Response:
    asked = query.Asked.read(request.args, filters, most=current_app.extensions["max_page_size"])
    question = _question(face, object_id)
    wanted = asked.wanted
    if asked.next is not None:
        wanted = replace(wanted, after=max(wanted.after, cursor.read(_cursor_key(), question, asked.next)))
    page = _found(face, wanted, asked.limit, object_id)
    _note(page, wanted, asked, walks=face == "objects" and object_id is None and not wanted.narrows)
    token = cursor.write(_cursor_key(), question, page.last) if page.more else None
    response = ready.listing(page, name, token)
    response.headers.update(_dates(page, wanted if "added_after" in request.args else None))
    return response


def _found(face: str, wanted: Wanted, limit: int, object_id: str | None) -> Page:
    viewer, own = auth.caller().viewer, collection()
    if object_id is None and pages.nothing_for(viewer, own, wanted):
        return pages.EMPTY
    gzip = ready.takes("gzip")

    def question(db: Asked) -> Page:
        return pages.read(db, own, viewer=viewer, wanted=wanted, limit=limit, face=face, packed=gzip)

    if object_id is None:
        return auth.store().ask(question)
    if not object_id.isprintable():  # PostgreSQL refuses to look for a text that it could not hold.
        raise NotFound(object_id)
    wanted = replace(wanted, ids=frozenset({object_id}))
    page = auth.store().ask(question)
    if not page.objects and not auth.store().ask(lambda db: pages.has_object(db, own, object_id, viewer=viewer)):
        raise NotFound(object_id)
    return page


def _question(face: str, object_id: str | None) -> str:
    """What a page token is bound to; the page size may change on the way."""
    bound = sorted((name, text) for name, text in request.args.items() if name not in {"next", "limit"})
    caller = str(auth.caller().viewer.account_id)
    return orjson.dumps([face, str(collection().id), object_id, bound, caller]).decode()


def _cursor_key() -> bytes:
    found = current_app.extensions["cursor_key"]
    assert isinstance(found, bytes)
    return found


def _dates(page: Page, asked: Wanted | None) -> dict[str, str]:
    """The first and last date_added of this page (TAXII 2.1, section 3.2); of none, the position that was asked for."""
    if page.objects:
        first, last = page.first, page.last
    elif asked is not None:
        first = last = asked.after
    else:
        return {}
    return {"X-TAXII-Date-Added-First": pages.added_at(first), "X-TAXII-Date-Added-Last": pages.added_at(last)}


def _note(page: Page, wanted: Wanted, asked: query.Asked, *, walks: bool) -> None:
    odd: dict[str, Any] = {
        "unknown_parameters": asked.unknown,
        "no_version": g.no_version,
    }
    note = Note(
        "feed.fetched",
        utcnow(),
        auth.caller().viewer,
        collection().id,
        walks=walks,
        after=wanted.after,
        first=page.first,
        last=page.last,
        objects=page.objects,
        odd=frozenset(name for name, true in odd.items() if true),
    )
    refusals.notebook().add(note)
