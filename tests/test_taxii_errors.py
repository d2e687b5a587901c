"""What the TAXII server refuses, and how: each refusal is a TAXII error message, and hidden is as absent."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

import taxii_server.auth
from config import Settings
from exchange import accounts, carrying, sectors, sharing
from exchange.models import Collection, Poll
from exchange.sharing import Kind, Role
from exchange.stores import Stores
from taxii_server.errors import MEDIA_TYPE
from tests.conftest import NOW
from tests.make import Clock, make_organization, make_viewer

ALLIED = {"kind": Kind.ALLIED}
OBJECTS = "/api1/collections/public/objects/"


@dataclass(frozen=True)
class Poller:
    """Somebody with a feed key."""

    app: Flask
    person_id: UUID
    username: str
    key: str

    def get(self, path: str, *, method: str = "GET", **more: Any) -> TestResponse:
        """Ask with Basic, in the right format."""
        return ask(self.app, path, basic(self.username, self.key), method=method, **more)

    def aliases(self) -> list[str]:
        """The collections shown, in their order."""
        listed = self.get("/api1/collections/").json
        return [one["alias"] for one in (listed or {}).get("collections", [])]


def basic(username: str, key: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + b64encode(f"{username}:{key}".encode()).decode()


def ask(
    app: Flask,
    path: str,
    authorization: str | None,
    *,
    method: str = "GET",
    accept: str | None = MEDIA_TYPE,
    **more: Any,
) -> TestResponse:
    """One request."""
    headers = {"Authorization": authorization, "Accept": accept, **more.pop("headers", {})}
    given = {name: value for name, value in headers.items() if value is not None}
    return app.test_client().open(path, method=method, headers=given, **more)


def refused(answer: TestResponse, status: int) -> dict[str, Any]:
    """The TAXII error message of a refusal (TAXII 2.1, section 3.6.1)."""
    assert (answer.status_code, answer.content_type) == (status, MEDIA_TYPE), answer.get_data(as_text=True)
    assert answer.json is not None
    assert answer.json["http_status"] == str(status)
    assert isinstance(answer.json["title"], str) and answer.json["title"]
    assert "<" not in answer.get_data(as_text=True)
    message: dict[str, Any] = answer.json
    return message


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time stands still at NOW."""
    clock = Clock()
    monkeypatch.setattr(taxii_server.auth, "utcnow", clock)
    return clock


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[Flask]:
    """The server, once on each database."""
    made = taxii_server.create_app(settings)
    yield made
    taxii_server.close(made)


@pytest.fixture
def alice(app: Flask, stores: Stores) -> Poller:
    """Of a port operator."""
    return make_poller(app, stores)


def make_poller(
    app: Flask, stores: Stores, organization: dict[str, Any] | None = None, *, scope: str = "feed", days: int = 365
) -> Poller:
    """Somebody of a new organization, with a key that the feed knows."""
    with stores.case.transaction() as db:
        person_id = make_viewer(db, make_organization(db, **(organization or {})), Role.READER).person_id
        assert person_id is not None
        person = accounts.lock_person(db, person_id)
        key = accounts.issue_key(db, person, scopes=[scope], now=NOW, days=days)
    carrying.account(stores, person_id, now=NOW)
    return Poller(app, person_id, person.username, key)


def _collection_id(stores: Stores, alias: str) -> str:
    with stores.released.reading() as db:
        return str(db.scalars(sa.select(Collection.id).where(Collection.alias == alias)).one())


# --- who ------------------------------------------------------------------------------------------------


def test_the_right_key_opens_the_door_in_both_schemes(alice: Poller) -> None:
    for authorization in (
        basic(alice.username, alice.key),
        basic(f" {alice.username.upper()} ", alice.key),
        f"Bearer {alice.key}",
    ):
        assert ask(alice.app, "/taxii2/", authorization).status_code == 200


def test_wrong_credentials_are_all_refused_alike(alice: Poller, app: Flask, stores: Stores) -> None:
    bob = make_poller(app, stores)
    wrong = {
        "empty": "",
        "empty password": basic(alice.username, ""),
        "empty name": basic("", alice.key),
        "wrong key": basic(alice.username, alice.key + "x"),
        "unknown name": basic("nobody", alice.key),
        "another's key, own name": basic(alice.username, bob.key),
        "own key, another's name": basic(bob.username, alice.key),
        "the password of the pages": basic(alice.username, "right horse"),
        "the hash of the key": basic(alice.username, accounts.hash_of(alice.key)),
        "medallion's default user": basic("user", "pass"),
        "NUL": basic(f"{alice.username}\0", alice.key),
        "no colon": "Basic " + b64encode(b"alice").decode(),
        "no base64": "Basic !!!",
        "no UTF-8": "Basic " + b64encode(b"\xff:\xfe").decode(),
        "empty bearer": "Bearer ",
        "wrong bearer": "Bearer x",
        "another scheme": 'Digest username="alice"',
        "no scheme": alice.key,
        "a key for reports alone": f"Bearer {make_poller(app, stores, scope='report').key}",
    }
    bodies = set()
    for name, authorization in wrong.items():
        answer = ask(app, "/api1/collections/", authorization)
        assert "Basic" in answer.headers["WWW-Authenticate"] or "Bearer" in answer.headers["WWW-Authenticate"], name
        refused(answer, 401)
        bodies.add(answer.get_data())
    assert len(bodies) == 1


def test_every_refused_sign_in_leaves_word_for_the_audit_chain(alice: Poller, stores: Stores) -> None:
    ask(alice.app, "/taxii2/", basic(alice.username, "x"))
    alice.app.extensions["notes"].keep()
    with stores.released.reading() as db:
        assert db.scalars(sa.select(Poll.action)).all() == ["feed.refused"]


def test_a_key_ends_at_its_last_moment(app: Flask, stores: Stores, clock: Clock) -> None:
    erin = make_poller(app, stores, days=1)
    clock.now = NOW + timedelta(days=1) - timedelta(microseconds=1)
    assert erin.get("/taxii2/").status_code == 200
    clock.now = NOW + timedelta(days=1)
    refused(erin.get("/taxii2/"), 401)


def test_a_revoked_key_is_refused_from_the_next_request_on(alice: Poller, stores: Stores) -> None:
    assert alice.get("/taxii2/").status_code == 200
    with stores.case.reading() as db:
        held = db.scalars(sa.select(accounts.ApiKey.id).where(accounts.ApiKey.person_id == alice.person_id)).one()
    carrying.revoke_key(stores, held, by="test", now=NOW)
    refused(alice.get("/taxii2/"), 401)
    refused(ask(alice.app, "/taxii2/", f"Bearer {alice.key}"), 401)


def test_without_credentials_there_is_discovery_and_the_public_collection_and_nothing_else(
    app: Flask, stores: Stores
) -> None:
    public = {"/taxii2/", "/api1/", "/api1/collections/"}
    public |= {f"/api1/collections/public/{rest}" for rest in ("", "objects/", "manifest/")}
    for path in public:
        assert ask(app, path, None).status_code == 200, path
    assert ask(app, "/taxii2/", None).json["api_roots"] == ["/api1/"]  # type: ignore[index]
    shown = ask(app, "/api1/collections/", None).json["collections"]  # type: ignore[index]
    assert [(one["alias"], one["can_read"], one["can_write"]) for one in shown] == [("public", True, False)]
    known = {"api_root": "api1", "collection_id": "council", "object_id": "x", "status_id": str(uuid4())}
    with app.test_request_context():
        every = {
            app.url_for(rule.endpoint, **{name: known[name] for name in rule.arguments})
            for rule in app.url_map.iter_rules()
            if rule.endpoint not in {"static", "healthz"}
        }
    for path in every - public:
        refused(ask(app, path, None), 401)
    for method in ("POST", "DELETE", "PUT", "HEAD", "GET"):
        told = [ask(app, f"/api1/collections/{name}/objects/", None, method=method) for name in ("council", "never")]
        assert [answer.status_code for answer in told] == [401, 401]
        assert told[0].headers == told[1].headers and told[0].data == told[1].data


# --- what ------------------------------------------------------------------------------------------------

CIRCLES: list[tuple[dict[str, Any], list[str]]] = [
    ({"sector": "port", "isacs": ["t-isac"], "ceptoar": "port-ceptoar"}, ["isac-t-isac", "ceptoar-port-ceptoar"]),
    ({"isacs": [], "ceptoar": None}, []),
    ({"isacs": ["t-isac", "ict-isac"], "ceptoar": None}, ["isac-t-isac", "isac-ict-isac"]),
    ({"isacs": [], "ceptoar": None, "council_member": True}, ["council"]),
    ({"kind": Kind.ISAC, "isacs": ["f-isac"]}, ["isac-f-isac"]),
    ({"kind": Kind.CEPTOAR, "ceptoar": "water-ceptoar"}, ["ceptoar-water-ceptoar"]),
    ({"kind": Kind.COUNCIL, "council_member": True}, ["council"]),
    ({"kind": Kind.ALLIED, "country": "US"}, ["allied", "allied-us"]),
    ({"kind": Kind.NCO}, ["nco", "allied-us"]),
    ({"kind": Kind.AUTHORITY, "authority": "mlit"}, []),
    ({"kind": Kind.ENFORCEMENT, "authority": "mlit", "isacs": ["t-isac"], "council_member": True}, []),
    ({"kind": Kind.ADMIN}, []),
    ({"kind": Kind.AUDITOR}, []),
    ({"kind": Kind.PUBLIC, "isacs": ["t-isac"], "ceptoar": "port-ceptoar"}, []),
]


def test_each_kind_of_account_sees_its_collections_and_no_other(app: Flask, stores: Stores) -> None:
    assert {one.get("kind", Kind.OPERATOR) for one, _ in CIRCLES} == set(Kind)
    with stores.released.reading() as db:
        every = list(db.scalars(sa.select(Collection.alias)))
    for organization, own in CIRCLES:
        poller, seen = make_poller(app, stores, organization), {"public", *own}
        assert set(poller.aliases()) == seen, organization
        for alias in every:
            wanted = 200 if alias in seen else 404
            assert poller.get(f"/api1/collections/{alias}/").status_code == wanted, (organization, alias)
        for alias in seen:
            path = f"/api1/collections/{_collection_id(stores, alias)}/objects/"
            assert poller.get(path).status_code == 200, (organization, alias)


def test_every_circle_of_the_day_has_somebody_who_may_poll_it(stores: Stores) -> None:
    with stores.released.reading() as db:
        every = set(db.scalars(sa.select(Collection.alias)))
    circles = {*map(sharing.isac_alias, sectors.isacs(NOW)), *map(sharing.ceptoar_alias, sectors.ceptoars(NOW))}
    assert every == circles | {"public", "nco", "council", "allied"}


@pytest.mark.parametrize("rest", ["", "objects/", "manifest/", "objects/x/", "objects/x/versions/", "objects/?limit=a"])
def test_anothers_collection_is_answered_as_one_that_never_was(alice: Poller, stores: Stores, rest: str) -> None:
    hidden = [alice.get(f"/api1/collections/{name}/{rest}") for name in ("allied", _collection_id(stores, "allied"))]
    never = [alice.get(f"/api1/collections/{name}/{rest}") for name in ("nothing", str(uuid4()))]
    for answer in (*hidden, *never):
        refused(answer, 404)
        assert answer.get_data() == never[0].get_data()
        assert answer.headers == never[0].headers


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_writing_is_forbidden_where_one_reads_and_impossible_elsewhere(alice: Poller, method: str) -> None:
    path = "/api1/collections/{}/objects/" + ("identity--x/" if method == "DELETE" else "")
    more: dict[str, Any] = {"data": b'{"objects": []}', "content_type": MEDIA_TYPE} if method == "POST" else {}
    refused(alice.get(path.format("public"), method=method, **more), 403)
    hidden, never = (alice.get(path.format(name), method=method, **more) for name in ("allied", "nothing"))
    refused(hidden, 404)
    assert (hidden.get_data(), list(hidden.headers)) == (never.get_data(), list(never.headers))


def test_a_body_of_another_type_is_not_looked_at(alice: Poller) -> None:
    own = alice.get("/sandbox/collections/").json["collections"][0]["id"]  # type: ignore[index]
    path = f"/sandbox/collections/{own}/objects/"
    refused(alice.get(path, method="POST", data=b"{}", content_type="application/json"), 415)


# --- how -------------------------------------------------------------------------------------------------

NOT_FOUND = [
    "/",
    "/taxii2",
    "/taxii/",
    "/api2/",
    "/api1",
    "/api1/collections",
    "/api1/collections/public",
    "/api1/collections/public/objects",
    "/api1/collections/PUBLIC/",
    "/api1/collections/%00/",
    "/api1/collections/public%00/objects/",
    "/api1/collections/%ED%A0%80/",
    "/api1/collections/..%2f..%2fetc/",
    "/api1/collections/{0}/",
    "/api1/collections/" + "x" * 5000 + "/",
    "/api1/collections/public/objects/x/",
    "/api1/collections/public/objects/%00/",
    "/api1/collections/public/objects/identity--%00/versions/",
    "/api1/collections/public/objects/x/?match[version]=all",
    "/api1/status/x/",
    "/api2/collections/public/objects/",
    "/static/x",
    "/<script>/",
]


def test_what_is_not_there_is_not_found(alice: Poller) -> None:
    for path in NOT_FOUND:
        refused(alice.get(path), 404)


MALFORMED = [
    "limit=0",
    "limit=-1",
    "limit=a",
    "limit=1.5",
    "limit=1_0",
    "limit=%2B5",
    "limit=%EF%BC%95",
    "limit=5&limit=5",
    "match[type]=indicator&match[type]=malware",
    "added_after=2026-11-21T00:00:00Z&added_after=2026-11-21T00:00:00Z",
    "limit=",
    "limit=%00",
    "limit=" + "9" * 5000,
    "added_after=",
    "added_after=yesterday",
    "added_after=2026-11-21",
    "added_after=2026-11-21T03:00:00",
    "added_after=2026-11-21T03:00:00%2B09:00",
    "added_after=2026-13-01T00:00:00Z",
    "added_after=2026-11-21T25:00:00Z",
    "added_after=2026-11-21T03:00:00.1234567890Z",
    "added_after=0000-01-01T00:00:00Z",
    "added_after=２０２６-11-21T03:00:00Z",
    "added_after=2026-11-21T03:00:00Z%0A",
    "match[version]=",
    "match[version]=newest",
    "match[version]=all,last",
    "match[version]=last,last",
    "match[version]=last,",
    "match[version]=%00",
    "match[id]=",
    "match[id]=a,,b",
    "match[id]=%00",
    "match[id]=" + ",".join(str(n) for n in range(101)),
    "match[type]=%00",
    "match[spec_version]=2.1%00",
    "next=",
    "next=x",
    "next=%00",
    "next=é",
    "next=" + "A" * 32,
    "next=" + "A" * 9000,
]


@pytest.mark.parametrize("path", [OBJECTS, "/api1/collections/public/manifest/"])
def test_a_malformed_parameter_is_refused(alice: Poller, path: str) -> None:
    for query in MALFORMED:
        refused(alice.get(f"{path}?{query}"), 400)


@pytest.mark.parametrize(
    "query",
    [
        "limit=1",
        "limit=100000",
        "added_after=0001-01-01T00:00:00Z",
        "added_after=9999-12-31T23:59:59.999999999Z",
        "match[version]=first,last",
        "match[id]=" + ",".join(str(n) for n in range(100)),
        "match[nothing]=x",
        "nothing=x",
    ],
)
def test_a_parameter_at_its_edge_is_taken(alice: Poller, query: str) -> None:
    answer = alice.get(f"{OBJECTS}?{query}")
    assert (answer.status_code, answer.content_type) == (200, MEDIA_TYPE)


@pytest.mark.parametrize(
    "accept", [None, "", "application/json", "text/html", "application/taxii+json;version=2.0", "é", "x" * 5000]
)
def test_another_format_is_not_acceptable(alice: Poller, accept: str | None) -> None:
    for path in ("/taxii2/", "/api1/", "/api1/collections/", OBJECTS):
        refused(alice.get(path, accept=accept), 406)
    refused(alice.get("/api2/", accept=accept), 404)


def test_an_unknown_method_is_told_the_known_ones(alice: Poller) -> None:
    for path, method in [("/taxii2/", "POST"), ("/api1/", "DELETE"), ("/api1/collections/", "PUT"), (OBJECTS, "PATCH")]:
        answer = alice.get(path, method=method)
        refused(answer, 405)
        assert "GET" in answer.headers["Allow"]


def test_every_answer_is_kept_out_of_caches_and_of_guesses(alice: Poller) -> None:
    for answer in (alice.get("/taxii2/"), alice.get("/nowhere/"), ask(alice.app, "/taxii2/", None)):
        assert answer.headers["Cache-Control"] == "no-store"
        assert {word.strip() for word in answer.headers["Vary"].split(",")} >= {"Accept", "Authorization"}
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


# --- page tokens -----------------------------------------------------------------------------------------


def _token(who: Poller, path: str, query: str = "") -> str:
    """A real token for the page after the first."""
    page = who.get(f"{path}?limit=1{query}").json
    assert page and page["more"] is True
    token: str = page["next"]
    return token


def test_a_page_token_is_good_for_its_own_question_alone(alice: Poller, app: Flask, stores: Stores) -> None:
    token, bob = _token(alice, OBJECTS), make_poller(app, stores)
    assert alice.get(f"{OBJECTS}?next={token}").status_code == 200
    refused(bob.get(f"{OBJECTS}?next={token}"), 400)
    for path in (
        f"/api1/collections/isac-t-isac/objects/?next={token}",
        f"/api1/collections/public/manifest/?next={token}",
        f"{OBJECTS}?match[type]=identity&next={token}",
        f"{OBJECTS}?added_after=2020-01-01T00:00:00Z&next={token}",
    ):
        refused(alice.get(path), 400)
    refused(alice.get(f"/api1/collections/allied/objects/?next={token}"), 404)


def test_a_page_token_changed_anywhere_is_refused(alice: Poller) -> None:
    token = _token(alice, OBJECTS)
    for at, char in enumerate(token):
        changed = token[:at] + ("A" if char != "A" else "B") + token[at + 1 :]
        refused(alice.get(f"{OBJECTS}?next={changed}"), 400)
    for changed in (token[:-1], token[1:], token + "AAAA", token[::-1]):
        refused(alice.get(f"{OBJECTS}?next={changed}"), 400)


def test_a_page_token_shows_nothing_after_the_right_is_gone(app: Flask, stores: Stores) -> None:
    dave = make_poller(app, stores, ALLIED)
    path = "/api1/collections/allied/objects/"
    token = _token(dave, path)
    with stores.case.transaction() as db:
        accounts.lock_person(db, dave.person_id).organization.kind = Kind.PUBLIC
    carrying.account(stores, dave.person_id, now=NOW)
    refused(dave.get(f"{path}?next={token}"), 404)


# --- our faults ------------------------------------------------------------------------------------------


def test_a_bug_is_a_taxii_error_that_tells_nothing(alice: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object) -> None:
        raise RuntimeError("the secret is tuna")

    monkeypatch.setattr(alice.app.medallion_backend, "server_discovery", bug)  # type: ignore[attr-defined]
    answer = alice.get("/taxii2/")
    refused(answer, 500)
    assert "tuna" not in answer.get_data(as_text=True)
