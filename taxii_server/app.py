"""The Flask application that serves the feed."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask
from flask.json.provider import DefaultJSONProvider

from config import Settings
from config.proxies import BehindProxies
from exchange.db import Store
from exchange.vault import secret_file
from taxii_server import auth as _auth  # noqa: F401  Puts our door where medallion's views look for theirs.
from taxii_server import entering, errors, health, objects, selftest, transport, writing
from taxii_server.backend import ExchangeBackend
from taxii_server.notes import Notebook
from taxii_server.ready import Rendered


class ReadyMadeJson(DefaultJSONProvider):
    """Passes on what is rendered already; medallion's views call this for every body."""

    sort_keys = False

    def dumps(self, obj: Any, **kwargs: Any) -> Any:
        return obj.body if isinstance(obj, Rendered) else super().dumps(obj, **kwargs)


def create_app(settings: Settings) -> Flask:
    """The server over `settings.released_url`; it never sees the case store or a content key."""
    app = Flask("taxii_server")
    app.json = ReadyMadeJson(app)
    app.wsgi_app = BehindProxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    store = Store(settings.released_url, "released")
    app.extensions |= {
        "released": store,
        "notes": Notebook(store),
        "cursor_key": secret_file(settings.keys, "feed"),
        "max_page_size": settings.max_page_size,
    }
    app.medallion_backend = ExchangeBackend(store)  # type: ignore[attr-defined]
    entering.install(app)
    for blueprint in (_medallion_discovery(), _medallion_collections(), objects.bp, writing.bp, selftest.bp):
        app.register_blueprint(blueprint)
    health.install(app, store)
    transport.install(app)
    errors.install(app)
    return app


def close(app: Flask) -> None:
    """Keep what is still to be kept, and let go of the store."""
    app.extensions["notes"].close()
    app.extensions["released"].close()


def _medallion_discovery() -> Blueprint:
    """Discovery, API roots and status. Bound to our door when it is imported, so not before it stands."""
    from medallion.views.discovery import discovery_bp

    assert isinstance(discovery_bp, Blueprint)
    return discovery_bp


def _medallion_collections() -> Blueprint:
    from medallion.views.collections import collections_bp

    assert isinstance(collections_bp, Blueprint)
    return collections_bp
