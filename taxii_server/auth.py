"""Who polls: Basic with user name and key, or Bearer with the key alone."""

from __future__ import annotations

import medallion
from flask import Response
from flask_httpauth import HTTPBasicAuth, HTTPTokenAuth, MultiAuth

from exchange import feed
from exchange.accounts import canonical, hash_of
from exchange.sharing import FeedViewer
from exchange.times import utcnow
from taxii_server import refusals
from taxii_server.errors import error_response

_basic, _bearer = HTTPBasicAuth(realm="TAXII"), HTTPTokenAuth("Bearer", realm="TAXII")
# medallion's views bind `medallion.auth` when they are first imported, so ours is there before.
medallion.auth = MultiAuth(_basic, _bearer)


@_basic.verify_password  # type: ignore[untyped-decorator]
def _by_name_and_key(username: str, key: str) -> FeedViewer | None:
    return _viewer(key, canonical(username))


@_bearer.verify_token  # type: ignore[untyped-decorator]
def _by_key(key: str) -> FeedViewer | None:
    return _viewer(key, None)


@_basic.error_handler  # type: ignore[untyped-decorator]
@_bearer.error_handler  # type: ignore[untyped-decorator]
def _refused(status: int) -> Response:
    refusals.note()
    words = "Sign in with Basic (user name and feed key) or Bearer (feed key)."
    refused = error_response(status, "Unauthorized", words)
    for scheme in ("Basic", "Bearer"):  # One challenge for each (TAXII 2.1, section 1.6.9).
        refused.headers.add("WWW-Authenticate", f'{scheme} realm="TAXII"')
    return refused


def _viewer(key: str, username: str | None) -> FeedViewer | None:
    if not key:
        return None
    with refusals.store().reading() as db:
        return feed.viewer_of_key(db, hash_of(key), username=username, now=utcnow())
