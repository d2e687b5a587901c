"""What a request needs to know of its installation."""

from __future__ import annotations

from flask import current_app, g

from config import Settings
from exchange.db import Store
from exchange.sharing import PUBLIC, Viewer
from exchange.stores import Stores


def settings() -> Settings:
    """The settings of this installation."""
    found = current_app.extensions["settings"]
    assert isinstance(found, Settings)
    return found


def stores() -> Stores:
    """The case store and the released store; the second may be away while the portal works."""
    found = current_app.extensions["stores"]
    assert isinstance(found, Stores)
    return found


def case_store() -> Store:
    """The case store."""
    return stores().case


def viewer() -> Viewer:
    """Who asks; PUBLIC if nobody signed in, and for a request refused before that was asked."""
    found = g.get("viewer", PUBLIC)
    assert isinstance(found, Viewer)
    return found
