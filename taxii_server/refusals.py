"""Every refusal leaves a note, which a worker carries into the audit chain."""

from __future__ import annotations

from flask import current_app, g

from exchange.polls import Note
from exchange.times import utcnow
from taxii_server.notes import Notebook


def note(*odd: str) -> None:
    """Leave word that this request was refused, and to whom if that is known.

    Args:
        odd: which counters of the client's self-test it adds to.
    """
    caller, collection = g.get("caller"), g.get("collection")
    viewer = caller.viewer if caller else None
    collection_id = collection.id if collection is not None else None
    notebook().add(Note("feed.refused", utcnow(), viewer, collection_id, odd=frozenset(odd)))


def notebook() -> Notebook:
    """The notes of this server."""
    found = current_app.extensions["notes"]
    assert isinstance(found, Notebook)
    return found
