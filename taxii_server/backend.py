"""medallion's backend over the released store: every method asks for the viewer of this request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import medallion
import orjson
from flask import g, request
from medallion.backends.base import Backend
from medallion.exceptions import ProcessingError

from exchange import feed
from exchange.db import Store
from exchange.errors import NotFound
from exchange.models import Collection
from exchange.sharing import FeedViewer
from exchange.times import utcnow
from taxii_server import cursor, query
from taxii_server.errors import MEDIA_TYPE

API_ROOT = "api1"
STIX_TYPE = "application/stix+json;version=2.1"
_MAX_CONTENT_LENGTH = 10_000_000

Filters = Mapping[str, str]
Answer = tuple[Any, dict[str, str]]


@dataclass(frozen=True)
class Rendered:
    """A body that is bytes already."""

    body: bytes


@dataclass(frozen=True)
class _Asked:
    """A page, and the token to go on with."""

    page: feed.Page
    next: str | None


class ExchangeBackend(Backend):  # type: ignore[misc]
    """Discovery, collections and pages, each as the signed-in account may see them."""

    def __init__(self, store: Store, cursor_key: bytes) -> None:
        self._store = store
        self._cursor_key = cursor_key

    def server_discovery(self) -> dict[str, Any]:
        root = f"/{API_ROOT}/"
        words = {"title": "Noroshi", "description": "What was released, rendered once, the same to all."}
        return words | {"default": root, "api_roots": [root]}

    def get_api_root_information(self, api_root: str) -> dict[str, Any] | None:
        if api_root != API_ROOT:
            return None
        return {"title": "Noroshi", "versions": [MEDIA_TYPE], "max_content_length": _MAX_CONTENT_LENGTH}

    def get_collections(self, api_root: str) -> dict[str, Any]:
        with self._store.reading() as db:
            shown = [_shown(collection) for collection in feed.collections(db, _viewer())]
        return {"collections": shown} if shown else {}

    def get_collection(self, api_root: str, collection_id: str) -> dict[str, Any] | None:
        try:
            return _shown(self._collection(collection_id))
        except NotFound:
            return None

    def get_objects(
        self, api_root: str, collection_id: str, filter_args: Filters, allowed_filters: tuple[str, ...], limit: int
    ) -> Answer:
        asked = self._ask("objects", collection_id, filter_args, allowed_filters, limit)
        return _envelope(asked), _headers(asked.page)

    def get_object(
        self,
        api_root: str,
        collection_id: str,
        object_id: str,
        filter_args: Filters,
        allowed_filters: tuple[str, ...],
        limit: int,
    ) -> Answer:
        asked = self._ask("object", collection_id, filter_args, allowed_filters, limit, object_id)
        return _envelope(asked), _headers(asked.page)

    def get_object_manifest(
        self, api_root: str, collection_id: str, filter_args: Filters, allowed_filters: tuple[str, ...], limit: int
    ) -> Answer:
        asked = self._ask("manifest", collection_id, filter_args, allowed_filters, limit)
        records = [
            {"id": r.stix_id, "date_added": feed.added_at(r), "version": r.version, "media_type": STIX_TYPE}
            for r in asked.page.rows
        ]
        return _listed("objects", records, asked), _headers(asked.page)

    def get_object_versions(
        self,
        api_root: str,
        collection_id: str,
        object_id: str,
        filter_args: Filters,
        allowed_filters: tuple[str, ...],
        limit: int,
    ) -> Answer:
        asked = self._ask("versions", collection_id, filter_args, allowed_filters, limit, object_id)
        return _listed("versions", [r.version for r in asked.page.rows], asked), _headers(asked.page)

    def get_status(self, api_root: str, status_id: str) -> None:
        """No collection can be written to yet, so there is no status to read."""
        return

    def add_objects(self, *_args: object) -> None:
        raise ProcessingError("Forbidden", 403)

    def delete_object(self, *_args: object) -> None:
        raise ProcessingError("Forbidden", 403)

    def _collection(self, name: str) -> Collection:
        """Asked for several times in a request by medallion's views; the store is asked once."""
        kept: dict[str, Collection] = g.setdefault("collections_found", {})
        if name not in kept:
            with self._store.reading() as db:
                kept[name] = feed.find_collection(db, name, _viewer())
        return kept[name]

    def _ask(
        self,
        endpoint: str,
        collection_name: str,
        filters: Filters,
        allowed: tuple[str, ...],
        limit: int,
        object_id: str | None = None,
    ) -> _Asked:
        viewer, collection = _viewer(), self._collection(collection_name)
        query.check(request.args)
        wanted = query.wanted(filters, allowed)
        question = _question(endpoint, collection.id, object_id, filters, viewer)
        after = wanted.after
        if "next" in filters:
            after = max(after, cursor.read(self._cursor_key, question, filters["next"]))
        ids = frozenset({object_id}) if object_id else wanted.ids
        wanted = feed.Wanted(after, ids, wanted.types, wanted.versions, wanted.spec_versions)
        with self._store.reading() as db:
            if object_id and not feed.has_object(db, collection.id, object_id, viewer=viewer):
                raise NotFound(object_id)
            page = feed.page(db, collection.id, viewer=viewer, wanted=wanted, limit=limit)
        self._note(viewer, collection.id, page)
        more = cursor.write(self._cursor_key, question, page.rows[-1].date_added) if page.more else None
        return _Asked(page, more)

    def _note(self, viewer: FeedViewer, collection_id: UUID, page: feed.Page) -> None:
        if page.rows:
            with self._store.transaction() as db:
                feed.note(db, "feed.fetched", now=utcnow(), viewer=viewer, collection_id=collection_id, page=page)


def _viewer() -> FeedViewer:
    viewer = medallion.auth.current_user()
    assert isinstance(viewer, FeedViewer)
    return viewer


def _shown(collection: Collection) -> dict[str, Any]:
    return {
        "id": str(collection.id),
        "title": collection.title,
        "description": collection.description,
        "alias": collection.alias,
        "can_read": True,
        "can_write": False,
        "media_types": [STIX_TYPE],
    }


def _question(endpoint: str, collection_id: UUID, object_id: str | None, filters: Filters, viewer: FeedViewer) -> str:
    """What a page token is bound to; the page size may change on the way."""
    bound = sorted((name, text) for name, text in filters.items() if name not in {"next", "limit"})
    return orjson.dumps([endpoint, str(collection_id), object_id, bound, str(viewer.account_id)]).decode()


def _envelope(asked: _Asked) -> Rendered:
    if not asked.page.rows:
        return Rendered(b"{}")
    head = b'{"more":true,"next":"%s",' % asked.next.encode() if asked.next else b"{"
    return Rendered(head + b'"objects":[' + b",".join(row.body for row in asked.page.rows) + b"]}")


def _listed(name: str, items: list[Any], asked: _Asked) -> dict[str, Any]:
    paging = {"more": True, "next": asked.next} if asked.next else {}
    return paging | {name: items} if items else {}


def _headers(page: feed.Page) -> dict[str, str]:
    """TAXII 2.1, section 3.2: the first and last date_added of this page."""
    if not page.rows:
        return {}
    return {
        "X-TAXII-Date-Added-First": feed.added_at(page.rows[0]),
        "X-TAXII-Date-Added-Last": feed.added_at(page.rows[-1]),
    }
