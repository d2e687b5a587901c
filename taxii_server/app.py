"""The Flask application that serves the feed."""

from __future__ import annotations

from typing import Any

import medallion
from flask import Flask
from flask.json.provider import DefaultJSONProvider

from config import Settings
from exchange.db import Store
from exchange.vault import secret_file
from taxii_server import auth as _auth  # noqa: F401  Puts our accounts where medallion's views look for theirs.
from taxii_server import errors, health, negotiation, transport
from taxii_server.backend import ExchangeBackend, Rendered


class ReadyMadeJson(DefaultJSONProvider):
    """Passes on what is rendered already; medallion's views call this for every body."""

    sort_keys = False

    def dumps(self, obj: Any, **kwargs: Any) -> Any:
        return obj.body if isinstance(obj, Rendered) else super().dumps(obj, **kwargs)


def create_app(settings: Settings) -> Flask:
    """The server over `settings.released_url`; it never sees the case store or a content key."""
    app = Flask("taxii_server")
    app.json = ReadyMadeJson(app)
    store = Store(settings.released_url, "released")
    app.extensions["released"] = store
    app.taxii_config = {"max_page_size": settings.max_page_size}  # type: ignore[attr-defined]
    app.medallion_backend = ExchangeBackend(  # type: ignore[attr-defined]
        store, secret_file(settings.keys, "feed")
    )
    negotiation.install(app)
    medallion.register_blueprints(app)
    health.install(app, store)
    transport.install(app)
    errors.install(app)
    return app
