"""Who polls: Basic with user name and key, Bearer with the key alone, or nobody in particular."""

from __future__ import annotations

import medallion
from flask import current_app, g, request

from exchange import feed_accounts
from exchange.accounts import canonical, hash_of
from exchange.db import Store
from exchange.feed_accounts import Caller
from exchange.times import utcnow


class _Door:
    """What medallion's views ask for: `entering` has let the caller in before they are reached."""

    def login_required(self, view: object) -> object:
        return view

    def current_user(self) -> str:
        return caller().viewer.username


# medallion's views bind `medallion.auth` when they are first imported, so ours is there before.
medallion.auth = _Door()


def sign_in() -> Caller | None:
    """Who this request is from; None if it shows credentials that open nothing."""
    if "Authorization" not in request.headers:
        return store().ask(feed_accounts.anybody)
    shown = request.authorization
    if shown is None:
        return None
    name = canonical(shown.username or "") if shown.type == "basic" else None
    key = {"basic": shown.password, "bearer": shown.token}.get(shown.type)
    if not key:
        return None
    return store().ask(lambda db: feed_accounts.caller_of_key(db, hash_of(key), username=name, now=utcnow()))


def caller() -> Caller:
    """Who this request is from, once it was let in."""
    found = g.caller
    assert isinstance(found, Caller)
    return found


def store() -> Store:
    """The released store of this server."""
    found = current_app.extensions["released"]
    assert isinstance(found, Store)
    return found
