"""Every refusal leaves a note, which a worker carries into the audit chain."""

from __future__ import annotations

from flask import current_app, g

from exchange import feed
from exchange.db import Store
from exchange.sharing import FeedViewer
from exchange.times import utcnow


def note() -> None:
    """Leave word that this request was refused, and to whom if that is known."""
    viewer = g.get("flask_httpauth_user")
    with store().transaction() as db:
        feed.note(db, "feed.refused", now=utcnow(), viewer=viewer if isinstance(viewer, FeedViewer) else None)


def store() -> Store:
    """The released store of this server."""
    found = current_app.extensions["released"]
    assert isinstance(found, Store)
    return found
