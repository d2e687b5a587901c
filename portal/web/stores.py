"""Both stores of the installation, for the pages about the feed."""

from __future__ import annotations

from flask import current_app

from exchange.db import Store
from exchange.stores import Stores


def both() -> Stores:
    """The case store and the released store."""
    found = current_app.extensions["stores"]
    assert isinstance(found, Stores)
    return found


def released() -> Store:
    """The released store alone. It may be away while the portal works."""
    return both().released
