"""The wire between the feed and its pollers: conditional, packed, and the same bytes for all."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from config import Settings
from exchange import accounts, carrying
from exchange.sharing import Kind, Role
from exchange.stores import Stores
from exchange.times import utcnow
from taxii_server import close, create_app
from tests.conftest import NOW
from tests.make import make_organization, make_report, make_viewer
from tests.test_editions import release

ACCEPT = {"Accept": "application/taxii+json;version=2.1"}


@pytest.fixture
def poller(settings: Settings, stores: Stores) -> Iterator[FlaskClient]:
    """A council member at a feed with one report in it."""
    with stores.case.transaction() as db:
        council = make_organization(db, kind=Kind.COUNCIL, council_member=True)
        person = accounts.lock_person(db, make_viewer(db, council, Role.READER).person_id)  # type: ignore[arg-type]
        key = accounts.issue_key(db, person, scopes=["feed"], now=utcnow())
        filed = make_report(db, make_viewer(db, make_organization(db)))
    carrying.account(stores, person.id, now=NOW)
    release(stores, filed)
    app: Flask = create_app(settings)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    yield client
    close(app)


@pytest.mark.parametrize("path", ["/taxii2/", "/api1/", "/api1/collections/", "/api1/collections/council/"])
def test_what_has_not_changed_is_not_sent_again(poller: FlaskClient, path: str) -> None:
    first = poller.get(path, headers=ACCEPT)
    again = poller.get(path, headers=ACCEPT | {"If-None-Match": first.headers["ETag"]})
    other = poller.get(path, headers=ACCEPT | {"If-None-Match": 'W/"another"'})
    assert (first.status_code, again.status_code, other.status_code) == (200, 304, 200)
    assert again.get_data() == b""


def test_a_page_is_never_kept_by_a_cache(poller: FlaskClient) -> None:
    page = poller.get("/api1/collections/council/objects/", headers=ACCEPT)
    assert page.headers["Cache-Control"] == "no-store" and "ETag" not in page.headers


def test_a_page_packed_holds_the_same_bytes(poller: FlaskClient) -> None:
    plain = poller.get("/api1/collections/council/objects/", headers=ACCEPT)
    packed = poller.get("/api1/collections/council/objects/", headers=ACCEPT | {"Accept-Encoding": "gzip"})
    refused = poller.get("/api1/collections/council/objects/", headers=ACCEPT | {"Accept-Encoding": "gzip;q=0"})
    assert packed.headers["Content-Encoding"] == "gzip" and "Content-Encoding" not in refused.headers
    assert gzip.decompress(packed.get_data()) == plain.get_data() == refused.get_data()
    assert int(packed.headers["Content-Length"]) == len(packed.get_data()) < len(plain.get_data())
    assert "Accept-Encoding" in packed.headers["Vary"]


def test_head_is_get_without_a_body(poller: FlaskClient) -> None:
    for path in ("/taxii2/", "/api1/collections/council/objects/"):
        get, head = poller.get(path, headers=ACCEPT), poller.head(path, headers=ACCEPT)
        assert head.status_code == 200 and head.get_data() == b""
        same = {"Content-Type", "Content-Length", "X-TAXII-Date-Added-Last"}
        assert {n: head.headers.get(n) for n in same} == {n: get.headers.get(n) for n in same}


def test_options_names_the_methods_in_the_media_type_of_the_rest(poller: FlaskClient) -> None:
    answer = poller.options("/api1/collections/council/objects/")
    assert answer.content_type == ACCEPT["Accept"] and "GET" in answer.headers["Allow"]
