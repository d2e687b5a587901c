"""medallion's backend over the released store: what its views for discovery, API roots, collections and status ask."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from medallion.backends.base import Backend

from exchange import contributions
from exchange.db import Store
from exchange.errors import NotFound
from exchange.pages import STIX_TYPE
from taxii_server import auth
from taxii_server.entering import ROOTS, collection
from taxii_server.errors import MEDIA_TYPE
from taxii_server.ready import Rendered

MAX_CONTENT_LENGTH_BYTES = 10_000_000
_TITLES = {"api1": "Noroshi", "sandbox": "Noroshi: sandbox"}
_WORDS = {
    "api1": "What was released, rendered once, the same to all.",
    "sandbox": "A collection of your own to try a client in: nothing leaves it, and it is emptied every night.",
}


class ExchangeBackend(Backend):  # type: ignore[misc]
    """Each answer as the caller of this request may see it; `entering` has looked up who that is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def server_discovery(self) -> dict[str, Any]:
        roots = [f"/{root}/" for root, sandbox in ROOTS.items() if not sandbox or auth.caller().viewer.account_id]
        return {"title": _TITLES["api1"], "description": _WORDS["api1"], "default": roots[0], "api_roots": roots}

    def get_api_root_information(self, api_root: str) -> dict[str, Any]:
        described = {"title": _TITLES[api_root], "description": _WORDS[api_root]}
        return described | {"versions": [MEDIA_TYPE], "max_content_length": MAX_CONTENT_LENGTH_BYTES}

    def get_collections(self, api_root: str) -> dict[str, Any]:
        shown = [_shown(row) for row in auth.caller().collections if (row.owner_id is not None) is ROOTS[api_root]]
        return {"collections": shown} if shown else {}

    def get_collection(self, api_root: str, collection_id: str) -> dict[str, Any]:
        return _shown(collection())

    def get_status(self, api_root: str, status_id: str) -> Rendered:
        """Raises: NotFound also for what another account posted, or posted below the other root."""
        try:
            wanted = UUID(status_id)
        except ValueError:
            raise NotFound(status_id) from None
        viewer, sandbox = auth.caller().viewer, ROOTS[api_root]
        return Rendered(self._store.ask(lambda db: contributions.status(db, wanted, viewer=viewer, sandbox=sandbox)))


def _shown(row: Any) -> dict[str, Any]:
    viewer = auth.caller().viewer
    return {
        "id": str(row.id),
        "title": row.title,
        "description": row.description,
        "alias": row.alias,
        "can_read": row.id in viewer.reads,
        "can_write": row.id in viewer.writes,
        "media_types": [STIX_TYPE],
    }
