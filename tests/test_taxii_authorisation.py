"""Each caller's view: (account kinds × TLP × edition × endpoint) against one table, side channels included.

The table stands in `tests/taxii_cast.py`. What is hidden must answer as what never was: the same status, headers and
body, for the same number of statements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

import taxii_server
import taxii_server.auth
import taxii_server.writing
from config import Settings
from exchange import accounts, carrying, contributions, feed, sealing
from exchange.models import ApiKey, Collection, Entry, SealedPage
from exchange.sharing import Kind, Role
from exchange.stix import ids
from exchange.stores import Stores
from tests.conftest import NOW
from tests.make import Clock, make_organization, make_viewer
from tests.taxii_cast import (
    ANONYMOUS,
    COLLECTIONS,
    NO_TYPE,
    ORGANIZATIONS,
    ROWS,
    TYPES,
    V1,
    V2,
    V3,
    Account,
    Answer,
    Door,
    Scene,
    Thing,
    changing,
    let_in,
    listed,
    new_id,
    publish,
    set_scene,
    stix,
)

pytestmark = pytest.mark.timeout(300)

C = "/<string:api_root>/collections/<string:collection_id>/"
ROUTES = {
    "/static/<path:filename>": "GET HEAD OPTIONS",
    "/healthz": "GET HEAD OPTIONS",
    "/taxii2/": "GET HEAD OPTIONS",
    "/taxii2/self-test/": "GET HEAD OPTIONS",
    "/<string:api_root>/": "GET HEAD OPTIONS",
    "/<string:api_root>/status/<string:status_id>/": "GET HEAD OPTIONS",
    "/<string:api_root>/collections/": "GET HEAD OPTIONS",
    C: "GET HEAD OPTIONS",
    C + "manifest/": "GET HEAD OPTIONS",
    C + "objects/": "GET HEAD OPTIONS POST",
    C + "objects/<string:object_id>/": "GET HEAD OPTIONS DELETE",
    C + "objects/<string:object_id>/versions/": "GET HEAD OPTIONS",
}
"""Every route of the server and its methods. The matrix asks them all."""

NEVER = {"collection_id": "never-was", "object_id": new_id(), "status_id": str(uuid4()), "filename": "never-was"}
FIXED = {ids.PORTAL, ids.PORTAL_IN_ENGLISH}
"""What every collection of the exchange begins with."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time stands still at NOW."""
    clock = Clock()
    monkeypatch.setattr(taxii_server.auth, "utcnow", clock)
    monkeypatch.setattr(taxii_server.writing, "utcnow", clock)
    return clock


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[Flask]:
    """The server, once on each database."""
    made = taxii_server.create_app(settings)
    yield made
    taxii_server.close(made)


@pytest.fixture
def door(app: Flask) -> Iterator[Door]:
    """The server, asked in this process."""
    opened = Door(app)
    yield opened
    opened.close()


# --- the matrix ----------------------------------------------------------------------------------------------


def routes_of(app: Flask) -> dict[str, str]:
    """The routes of the application itself, with their methods."""
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        found.setdefault(rule.rule, set()).update(rule.methods or ())
    return {rule: " ".join(sorted(methods)) for rule, methods in found.items()}


def test_every_route_of_the_server_is_asked_by_the_matrix(app: Flask) -> None:
    assert routes_of(app) == {rule: " ".join(sorted(methods.split())) for rule, methods in ROUTES.items()}
    assert {one.get("kind", Kind.OPERATOR) for one in ORGANIZATIONS.values()} == set(Kind)
    assert ROWS.keys() - ORGANIZATIONS.keys() == {"anonymous"}


def path_of(rule: str, root: str = "api1", **named: str) -> str:
    """A path below this rule; what is not named never was."""
    values = NEVER | {"api_root": root} | named
    return re.sub(r"<\w+:(\w+)>", lambda found: values[found[1]], rule)


OF_COLLECTIONS = [rule for rule in ROUTES if rule.startswith(C)]
OF_OBJECTS = [rule for rule in ROUTES if "object_id" in rule]


@dataclass
class Inquiry:
    """One account asks for everything. What the table does not foretell is noted in `faults`.

    The second and third of a kind, who differ by their clearance alone, leave out HEAD and OPTIONS of what is hidden.
    """

    scene: Scene
    who: Account
    faults: list[str] = field(default_factory=list)
    nevers: dict[tuple[str, str, str, str], Answer] = field(default_factory=dict)
    offered: dict[str, int] = field(default_factory=dict)

    @property
    def is_first(self) -> bool:
        """Whether this is the first of its kind, without a clearance."""
        return self.who.name in ROWS

    def ask(self, path: str, method: str = "GET") -> Answer:
        """One request of this account."""
        return self.scene.door.ask(self.who, path, method)

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Note a difference."""
        if found != wanted:
            self.faults.append(f"{self.who.name}: {what}: {found!r}, but by the table {wanted!r}")

    def never(self, method: str, rule: str, root: str, collection: str, query: str = "") -> Answer:
        """The answer for what was never there."""
        key = (method, rule, root, collection + query)
        if key not in self.nevers:
            self.nevers[key] = self.ask(path_of(rule, root, collection_id=collection) + query, method)
        return self.nevers[key]

    def everything(self) -> list[str]:
        """Ask every route; returns the differences."""
        self._of_the_server()
        self._discovery()
        self._lists()
        for number, alias in enumerate(COLLECTIONS):
            if alias in self.who.row.reads:
                self._readable(alias)
            else:
                self._hidden(alias, number)
        self._sandboxes()
        self._statuses()
        self._self_test()
        return self.faults

    # --- what belongs to no collection

    def _of_the_server(self) -> None:
        denied = 401 if self.who.anonymous else 200
        answers = {"/taxii2/": 200, "/api1/": 200, "/sandbox/": denied, "/api2/": 404, "/healthz": 200}
        for path, status in ({**answers, "/static/never-was": 404} if self.is_first else {"/api1/": 200}).items():
            self._with_head(path, status)
            self.expect(f"OPTIONS {path}", self.ask(path, "OPTIONS").status, 200 if "static" in path else status)

    def _discovery(self) -> None:
        roots = ["/api1/"] if self.who.anonymous else ["/api1/", "/sandbox/"]
        self.expect("discovery", self.ask("/taxii2/").json["api_roots"], roots)

    def _with_head(self, path: str, status: int = 200) -> Answer:
        """The answer to GET; HEAD gives the same without a body."""
        got, head = self.ask(path), self.ask(path, "HEAD")
        self.expect(path, got.status, status)
        self.expect(f"HEAD {path}", head, replace(got, body=b""))
        return got

    def _lists(self) -> None:
        shown = self._with_head("/api1/collections/").json["collections"]
        wanted = {alias: (True, alias in self.who.row.writes) for alias in self.who.row.reads}
        self.expect("collections", {one["alias"]: (one["can_read"], one["can_write"]) for one in shown}, wanted)
        own = self.scene.sandboxes.get(self.who.name)
        answer = self._with_head("/sandbox/collections/", 401 if self.who.anonymous else 200)
        self.expect("sandboxes", [one["id"] for one in answer.json.get("collections", [])], [own] if own else [])
        self.expect("has a sandbox", own is not None, self.who.row.sandbox)

    # --- collections that are not for this account

    def _hidden(self, alias: str, number: int) -> None:
        """By alias or by id: no route knows it. HEAD and OPTIONS take turns, which leaves out none of them."""
        name = alias if number % 2 else self.scene.collection_ids[alias]
        turn = OF_COLLECTIONS[number % len(OF_COLLECTIONS)]
        for rule in OF_COLLECTIONS if self.is_first else {turn, C + "objects/"}:
            skipped = set() if self.is_first and rule == turn else {"HEAD", "OPTIONS"}
            for method in set(ROUTES[rule].split()) - skipped:
                self._absent("api1", name, rule, method, object_id=self.scene.things[alias][0].stix_id)
        if self.is_first:
            self._absent("sandbox", name, C + "objects/", "GET")

    def _absent(self, root: str, name: str, rule: str, method: str, **named: str) -> None:
        what = f"{method} {root} {name} {rule.removeprefix(C)}"
        answer = self.ask(path_of(rule, root, collection_id=name, **named), method)
        self.expect(what, answer, self.never(method, rule, root, NEVER["collection_id"]))
        self.expect(what, answer.status, 401 if self.who.anonymous else 404)

    # --- collections that are

    def _readable(self, alias: str) -> None:
        self._the_collection(alias)
        for number, (query, wanted) in enumerate(self._by_filter(alias).items()):
            for face in ("objects", "manifest")[: 1 + number % 2]:
                self._page(f"/api1/collections/{alias}/{face}/?{query}", wanted)
        self._step_by_step(alias)
        for thing in self.scene.things[alias]:
            if thing.seen_by(self.who):
                self._seen(thing)
            else:
                self._unseen(thing, set() if self.is_first else {"HEAD", "OPTIONS"})
        self._unseen_in_pages(alias)

    def _the_collection(self, alias: str) -> None:
        path = f"/api1/collections/{alias}/"
        shown = self._with_head(path).json
        self.expect(f"can_write {alias}", shown["can_write"], alias in self.who.row.writes)
        writer = 422 if alias in self.who.row.writes else 403
        status = 401 if self.who.anonymous else writer
        self.expect(f"POST {alias}", self.ask(path + "objects/", "POST").status, status)
        self.offered[alias] = len(listed(self._with_head(path + "objects/")))

    def _by_filter(self, alias: str) -> dict[str, list[tuple[str, str]]]:
        """What the table foretells of each filter, the fixed objects left out."""
        seen = self.scene.seen(self.who, alias)
        every = [one.stix_id for elsewhere in self.scene.things.values() for one in elsewhere]
        times = {one.stix_id: one.seen_by(self.who) for one in self.scene.things[alias]}
        newest = [(stix_id, time) for stix_id, time in seen if time == times[stix_id][-1]]
        oldest = [(stix_id, time) for stix_id, time in seen if time == times[stix_id][0]]
        return {
            "": newest,
            "match[version]=all": seen,
            "match[version]=first": oldest,
            f"match[type]={','.join(TYPES)}": newest,
            f"match[version]={V1}": [one for one in seen if one[1] == V1],
            f"match[id]={','.join(every)}": newest,
        }

    def _page(self, path: str, wanted: list[tuple[str, str]]) -> None:
        page = self.ask(path)
        self.expect(path, [one for one in listed(page) if one[0] not in FIXED], wanted)
        self.expect(f"{path}: more", page.json.get("more", False), False)

    def _step_by_step(self, alias: str) -> None:
        """One at a time: as many pages as there are objects to see, no more, and then nothing."""
        path = f"/api1/collections/{alias}/objects/?match[version]=all&match[type]={','.join(TYPES)}"
        walked = list(self.scene.door.walk(self.who, f"{path}&limit=1"))
        seen = self.scene.seen(self.who, alias)
        self.expect(f"pages of {alias}", [listed(page) for page in walked], [[one] for one in seen])
        dates = [page.header("X-TAXII-Date-Added-Last") for page in walked]
        self.expect(f"after {dates[-1]} in {alias}", self.ask(f"{path}&added_after={dates[-1]}").body, b"{}")
        self._page(f"{path}&added_after={dates[0]}", seen[1:])

    def _seen(self, thing: Thing) -> None:
        path = f"/api1/collections/{thing.alias}/objects/{thing.stix_id}/"
        times = thing.seen_by(self.who)
        self.expect(path, listed(self.ask(path)), [(thing.stix_id, times[-1])])
        self.expect(f"versions of {path}", self.ask(f"{path}versions/").json["versions"], times)
        if not thing.giver:  # Who posted it may take it back, which is another test.
            self.expect(f"DELETE {path}", self.ask(path, "DELETE").status, 401 if self.who.anonymous else 403)

    def _unseen(self, thing: Thing, skipped: set[str]) -> None:
        deleted = 401 if self.who.anonymous else 404 if thing.alias in self.who.row.writes else 403
        for rule in OF_OBJECTS:
            for method in set(ROUTES[rule].split()) - skipped:
                path = path_of(rule, collection_id=thing.alias, object_id=thing.stix_id)
                answer = self.ask(path, method)
                self.expect(f"{method} {path}", answer, self.never(method, rule, "api1", thing.alias))
                status = {"DELETE": deleted, "OPTIONS": 200}.get(method, 404)
                self.expect(f"{method} {path}", answer.status, status)

    def _unseen_in_pages(self, alias: str) -> None:
        """Ids and types of which all is hidden, against as many that never were."""
        unseen = [thing for thing in self.scene.things[alias] if not thing.seen_by(self.who)]
        never = {"id": [new_id() for _ in unseen], "type": [f"{NO_TYPE}-{n}" for n, _ in enumerate(unseen)]}
        known = {"id": [one.stix_id for one in unseen], "type": [one.type for one in unseen]}
        for face, name in (("objects", "id"), ("manifest", "type")):
            path = f"/api1/collections/{alias}/{face}/?match[version]=all&match[{name}]="
            answers = [self.ask(path + ",".join(values[name])) for values in (known, never)]
            self.expect(path, answers[0], answers[1])
            self.expect(path, answers[0].body, b"{}")

    # --- sandboxes and submissions

    def _sandboxes(self) -> None:
        for owner in {"operator", "isac"} - {self.who.name}:
            for rule, method in ((C, "GET"), (C + "objects/", "GET"), (C + "objects/", "POST")):
                self._absent("sandbox", self.scene.sandboxes[owner], rule, method)
        own = self.scene.sandboxes.get(self.who.name)
        if own:
            self._absent("api1", own, C + "objects/", "GET")
            there = self._with_head(f"/sandbox/collections/{own}/objects/")
            mine = [(stix_id, V1) for stix_id in self.scene.sandboxed.get(self.who.name, [])]
            self.expect("own sandbox", listed(there), mine)
            self.offered[f"sandbox-{self.who.person_id}"] = len(mine)

    def _self_test(self) -> None:
        """It counts what there is for this account, and no more."""
        answer = self.ask("/taxii2/self-test/")
        self.expect("self-test", answer.status, 401 if self.who.anonymous else 200)
        counted = {one["alias"]: one["objects_offered"] for one in answer.json.get("collections", [])}
        self.expect("counts", counted, {} if self.who.anonymous else self.offered)

    def _statuses(self) -> None:
        """Of what one posted oneself, below the root where it was posted."""
        rule = "/<string:api_root>/status/<string:status_id>/"
        for owner, own_root, status_id in self.scene.submissions:
            for root in ("api1", "sandbox") if owner == self.who.name else (own_root,):
                path = path_of(rule, root, status_id=status_id)
                if (owner, own_root) == (self.who.name, root):
                    self._with_head(path)
                    continue
                answer = self.ask(path)
                self.expect(path, answer, self.never("GET", rule, root, ""))
                self.expect(path, answer.status, 401 if self.who.anonymous else 404)


def test_what_an_answer_costs_is_counted(door: Door) -> None:
    costs = [door.ask(ANONYMOUS, path).statements for path in ("/taxii2/", "/api1/collections/public/objects/")]
    assert 0 < costs[0] < costs[1]


def test_every_account_gets_from_every_route_what_the_table_says(door: Door, stores: Stores) -> None:
    scene = set_scene(door, stores)
    faults = [fault for who in scene.people.values() for fault in Inquiry(scene, who).everything()]
    assert faults == []
    lists: dict[Any, set[Answer]] = {}
    for who in scene.people.values():
        rights = (who.anonymous, who.row.reads, who.row.writes)
        lists.setdefault(rights, set()).add(scene.door.ask(who, "/api1/collections/"))
    assert all(len(answers) == 1 for answers in lists.values()), "the same rights, the same list with the same tag"


# --- rights that end, and rights that begin --------------------------------------------------------------------


def never_below(door: Door, who: Account, rest: str, method: str = "GET") -> Answer:
    """What this account is told of a collection that never was."""
    return door.ask(who, f"/api1/collections/{NEVER['collection_id']}/{rest}", method)


def key_of(stores: Stores, who: Account) -> UUID:
    """The id of an account's only key."""
    with stores.case.reading() as db:
        return db.scalars(sa.select(ApiKey.id).where(ApiKey.person_id == who.person_id)).one()


def test_a_key_that_is_over_is_a_key_that_never_was(door: Door, stores: Stores) -> None:
    revoked, off = let_in(stores, "operator"), let_in(stores, "operator")
    expired = let_in(stores, "operator", days=0)
    for who in (revoked, off):
        assert door.ask(who, "/api1/collections/isac-t-isac/objects/").status == 200
    carrying.revoke_key(stores, key_of(stores, revoked), by="test", now=NOW)
    carrying.switch_off(stores, off.person_id, by="test", now=NOW)
    stranger = replace(revoked, authorization="Bearer noroshi_never-was")
    for rule in ROUTES:
        for method in ROUTES[rule].split():
            path = path_of(rule, collection_id="isac-t-isac")
            told = [door.ask(who, path, method) for who in (stranger, revoked, off, expired)]
            assert told == [told[0]] * 4, (method, path)
            assert told[0].status == (200 if rule == "/healthz" else 401)


def test_who_leaves_a_circle_is_a_stranger_to_it_from_the_next_request_on(door: Door, stores: Stores) -> None:
    who, path = let_in(stores, "operator, council", clearance=NOW + timedelta(days=1)), "/api1/collections/"
    strict = stix(new_id())
    for alias in ("council", "isac-t-isac", "public"):
        publish(stores, alias, strict, level="amber+strict")
    token = door.ask(who, f"{path}council/objects/?limit=1").json["next"]
    tag = door.ask(who, f"{path}council/").header("ETag")
    with changing(stores, who) as own:
        own.council_member, own.isacs = False, []
    for alias in ("council", "isac-t-isac"):
        for rest in ("", "objects/", f"objects/?limit=1&next={token}", "manifest/", f"objects/{strict['id']}/"):
            assert door.ask(who, f"{path}{alias}/{rest}") == never_below(door, who, rest)
        assert door.ask(who, f"{path}{alias}/objects/", "POST") == never_below(door, who, "objects/", "POST")
    tagged = [door.ask(who, f"{path}{name}/", If_None_Match=tag) for name in ("council", NEVER["collection_id"])]
    assert tagged[0] == tagged[1]
    listed_now = {one["alias"] for one in door.ask(who, path).json["collections"]}
    assert listed_now == {"public", "ceptoar-port-ceptoar"}
    # The clearance counted because of the council.
    assert door.ask(who, f"{path}public/objects/{strict['id']}/").status == 404


def test_a_clearance_that_ends_hides_what_it_opened_at_that_moment(door: Door, stores: Stores, clock: Clock) -> None:
    who = let_in(stores, "council", clearance=NOW + timedelta(hours=1))
    first, strict, last = (stix(new_id()) for _ in range(3))
    publish(stores, "council", first)
    publish(stores, "council", strict, level="amber+strict")
    publish(stores, "council", last)
    path = "/api1/collections/council/objects/"
    clock.now += timedelta(hours=1) - timedelta(microseconds=1)
    assert door.ids(who, path)[-3:] == [first["id"], strict["id"], last["id"]]
    token = door.ask(who, f"{path}?limit=3").json["next"]
    clock.now += timedelta(microseconds=1)
    assert door.ids(who, path)[-2:] == [first["id"], last["id"]]
    assert door.ids(who, f"{path}?limit=1&next={token}") == [last["id"]]
    for rest in ("", "versions/"):
        assert door.ask(who, f"{path}{strict['id']}/{rest}") == door.ask(who, f"{path}{NEVER['object_id']}/{rest}")


def test_what_widens_is_there_once_the_account_was_carried_and_not_before(door: Door, stores: Stores) -> None:
    who, strict, path = let_in(stores, "council"), stix(new_id()), "/api1/collections/"
    publish(stores, "council", strict, level="amber+strict")
    with stores.case.transaction() as db:
        person = accounts.lock_person(db, who.person_id)
        person.clearance_until, person.organization.isacs = NOW + timedelta(days=1), ["t-isac"]
    assert door.ask(who, f"{path}isac-t-isac/") == never_below(door, who, "")
    assert strict["id"] not in door.ids(who, f"{path}council/objects/")
    carrying.account(stores, who.person_id, now=NOW)
    assert door.ask(who, f"{path}isac-t-isac/").json["can_write"] is True
    assert strict["id"] in door.ids(who, f"{path}council/objects/")


def test_a_page_token_is_for_the_account_and_the_question_that_it_was_given_for(door: Door, stores: Stores) -> None:
    alice, bob, path = let_in(stores, "operator"), let_in(stores, "operator"), "/api1/collections/isac-t-isac/"
    token = door.ask(alice, f"{path}objects/?limit=1").json["next"]
    assert door.ask(alice, f"{path}objects/?limit=1&next={token}").status == 200
    forged = door.ask(bob, f"{path}objects/?limit=1&next={'A' * len(token)}")
    assert forged.status == 400
    assert door.ask(bob, f"{path}objects/?limit=1&next={token}") == forged
    elsewhere = ("manifest/?", "objects/?match[type]=tool&", "objects/?match[version]=all&", f"objects/{ids.PORTAL}/?")
    for rest in elsewhere:
        assert door.ask(alice, f"{path}{rest}limit=1&next={token}") == forged, rest
    assert door.ask(alice, f"/api1/collections/public/objects/?limit=1&next={token}") == forged
    assert door.ask(ANONYMOUS, f"/api1/collections/public/objects/?limit=1&next={token}") == forged


ODD: list[dict[str, str]] = [
    {"Accept": "text/html"},
    {"Accept": ""},
    {"Accept_Encoding": "gzip"},
    {"If_None_Match": "*"},
    {"Range": "bytes=0-10"},
    {"X_HTTP_Method_Override": "DELETE"},
]


def test_however_oddly_one_asks_hidden_is_as_never(door: Door, stores: Stores) -> None:
    who, red = let_in(stores, "operator, council"), stix(new_id())
    publish(stores, "council", red, level="red")
    hidden = {
        "allied/": f"{NEVER['collection_id']}/",
        "allied/objects/": f"{NEVER['collection_id']}/objects/",
        f"council/objects/{red['id']}/": f"council/objects/{NEVER['object_id']}/",
        f"council/objects/{red['id']}/versions/": f"council/objects/{NEVER['object_id']}/versions/",
    }
    for paths in hidden.items():
        for query in ("", "?limit=a", "?next=x", f"?match[version]={V1}"):
            for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
                told = [door.ask(who, f"/api1/collections/{path}{query}", method) for path in paths]
                assert told[0] == told[1], (method, paths[0], query)
                assert told[0].status == 404 or "council" in paths[0], (method, paths[0], query)
        for headers in ODD:
            told = [door.ask(who, f"/api1/collections/{path}", **headers) for path in paths]
            assert told[0] == told[1], (paths[0], headers)


# --- pages with something hidden in them -----------------------------------------------------------------------

_TOKEN = re.compile(rb'"next":"[\w-]+"')
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WITH, _WITHOUT = "/api1/collections/isac-t-isac/", "/api1/collections/isac-ict-isac/"


def veiled(answer: Answer, *, names: bool = False) -> Answer:
    """The answer without moments and tokens; with `names`, without UUIDs too. Lengths stay as they are."""

    def veil(text: str) -> str:
        text = _MOMENT.sub("M" * 27, text)
        return _UUID.sub("U" * 36, text) if names else text

    body = veil(_TOKEN.sub(b'"next":"' + b"N" * 32 + b'"', answer.body).decode("latin-1")).encode("latin-1")
    return replace(answer, body=body, headers=tuple((name, veil(value)) for name, value in answer.headers))


def reader_of_both(stores: Stores) -> Account:
    """Somebody who reads two collections, with nothing but TLP:AMBER as a ceiling."""
    who = let_in(stores, "operator")
    with changing(stores, who) as own:
        own.isacs = ["t-isac", "ict-isac"]
    return who


def publish_in_both(stores: Stores, *things: dict[str, Any]) -> None:
    """The same into both, to compare them."""
    for alias in ("isac-t-isac", "isac-ict-isac"):
        publish(stores, alias, *things)


def take_out(stores: Stores, alias: str, stix_id: str) -> None:
    """Remove an object from a collection, as the national office does."""
    with stores.released.transaction() as db:
        held = db.scalars(sa.select(Collection.id).where(Collection.alias == alias)).one()
        this = sa.select(Entry.date_added).where(Entry.collection_id == held, Entry.stix_id == stix_id)
        feed.remove(db, feed.lock(db, held), db.scalars(this).all(), now=NOW)


def hide_between(door: Door, stores: Stores) -> Iterator[None]:
    """Each step puts something into the first collection that a reader of TLP:AMBER must not notice."""
    publish(stores, "isac-t-isac", stix(new_id()), level="red")
    yield
    publish(stores, "isac-t-isac", stix(new_id()), level="amber+strict")
    yield
    door.post(let_in(stores, "operator"), "isac-t-isac", stix(new_id()), stix(new_id("malware")))
    yield
    tightened, removed = stix(new_id()), stix(new_id())
    publish(stores, "isac-t-isac", tightened, removed)
    yield
    publish(stores, "isac-t-isac", stix(tightened["id"], V2, level="red"), level="red")
    take_out(stores, "isac-t-isac", removed["id"])
    yield
    hidden = [stix(new_id(), time, level="red") for time in (V1, V2, V3)]
    publish(stores, "isac-t-isac", *hidden, stix(hidden[0]["id"], V3, level="red"), level="red")
    yield


def test_what_is_hidden_between_leaves_no_trace_in_pages(door: Door, stores: Stores) -> None:
    who, shown = reader_of_both(stores), [stix(new_id(kind)) for kind in ("tool", "malware", "tool", "tool") * 2]
    for thing, _ in zip(shown, hide_between(door, stores), strict=False):
        publish_in_both(stores, thing)
    publish_in_both(stores, stix(shown[0]["id"], V2), stix(new_id()))
    publish(stores, "isac-t-isac", stix(new_id()), level="red")
    asked = ["", "match[type]=tool", "match[version]=all", "match[version]=first", f"match[version]={V1}"]
    asked += ["match[id]=" + ",".join(one["id"] for one in shown)]
    for query in asked:
        for rest in ("objects/", "manifest/", f"objects/{shown[0]['id']}/", f"objects/{shown[0]['id']}/versions/"):
            for limit in (1, 3, 1000):
                question = f"{rest}?{query}&limit={limit}"
                walks = [[veiled(page) for page in door.walk(who, path + question)] for path in (_WITH, _WITHOUT)]
                assert walks[0] == walks[1], question
    door.app.extensions["notes"].keep()
    counted = {one.pop("alias"): one for one in door.ask(who, "/taxii2/self-test/").json["collections"]}
    same = counted["isac-t-isac"].keys() - {"id", "title", "counted_since", "last_poll"}
    told = [{name: counted[alias][name] for name in same} for alias in ("isac-t-isac", "isac-ict-isac")]
    assert told[0] == told[1]
    assert told[0]["objects_offered"] == len(door.ids(who, _WITH + "objects/"))


def test_a_poll_for_news_costs_the_same_whether_there_is_none_or_it_is_hidden(door: Door, stores: Stores) -> None:
    who = reader_of_both(stores)
    publish_in_both(stores, stix(new_id()))
    publish(stores, "isac-t-isac", stix(new_id()), level="red")
    for rest in ("objects/", "manifest/", "objects/?match[type]=tool"):
        joint = "&" if "?" in rest else "?"
        last = [door.ask(who, path + rest).header("X-TAXII-Date-Added-Last") for path in (_WITH, _WITHOUT)]
        polls = [
            veiled(door.ask(who, f"{path}{rest}{joint}added_after={at}"))
            for path, at in zip((_WITH, _WITHOUT), last, strict=True)
        ]
        assert polls[0].body == b"{}"
        assert polls[0] == polls[1], rest


def test_first_is_the_first_of_what_one_may_see(door: Door, stores: Stores) -> None:
    """An object with a last version and no first one would tell that there was an earlier, stricter one."""
    who, thing = reader_of_both(stores), new_id()
    publish(stores, "isac-t-isac", stix(thing, V1, level="red"), level="red")
    publish_in_both(stores, stix(thing, V2))
    for rest in ("objects/?", "manifest/?", f"objects/{thing}/?", f"objects/{thing}/versions/?"):
        for versions in ("all", "last", "first", "first,last", V1, V2):
            question = f"{rest}match[version]={versions}"
            told = [veiled(door.ask(who, path + question)) for path in (_WITH, _WITHOUT)]
            assert told[0] == told[1], question


# --- posting and deleting among what is hidden -----------------------------------------------------------------

_COUNCIL = "/api1/collections/council/"


def hidden_from_members(door: Door, stores: Stores, **more: Any) -> dict[str, str]:
    """Ids of objects that an uncleared member in the council does not see there, by why not."""
    found = {why: new_id() for why in ("red", "amber+strict", "tightened", "quarantine", "elsewhere", "sandbox")}
    for level in ("red", "amber+strict"):
        publish(stores, "council", stix(found[level], level=level, **more), level=level)
    publish(stores, "council", stix(found["tightened"], **more))
    publish(stores, "council", stix(found["tightened"], V2, level="red", **more), level="red")
    publish(stores, "allied", stix(found["elsewhere"], **more))
    other = let_in(stores, "council")
    door.post(other, "council", stix(found["quarantine"], **more))
    own = door.ids(other, "/sandbox/collections/")[0]
    door.post(other, own, stix(found["sandbox"], **more), root="sandbox")
    return found


def life_of(door: Door, who: Account, stix_id: str) -> list[Answer]:
    """Post it twice, then with other content, then a version of it; look at it, take it back, look again."""
    posted = [stix(stix_id), stix(stix_id), stix(stix_id, name="two"), stix(stix_id, V3, name="three")]
    path, one = f"{_COUNCIL}objects/", f"{_COUNCIL}objects/{stix_id}/"
    look = [one, f"{one}versions/", f"{path}?match[id]={stix_id}&match[version]=all"]
    told = [door.ask(who, path, "POST", objects=[thing]) for thing in posted]
    told += [door.ask(who, each) for each in look]
    told += [door.ask(who, one, "DELETE"), door.ask(who, one, "DELETE")]
    told += [door.ask(who, each) for each in look]
    return [veiled(answer, names=True) for answer in told]


def test_posting_what_exists_only_in_hidden_data_is_posting_something_new(door: Door, stores: Stores) -> None:
    hidden = hidden_from_members(door, stores)
    alice = let_in(stores, "operator, council")
    life_of(door, alice, new_id())
    new = life_of(door, alice, new_id())
    assert [answer.status for answer in new] == [202] * 4 + [200] * 4 + [404, 404, 404, 200]
    assert new[0].json["success_count"] == 1 and new[2].json["failure_count"] == 1
    for why, stix_id in hidden.items():
        assert life_of(door, alice, stix_id) == new, why


def test_what_waits_for_a_worker_is_compared_with_what_its_sender_sees_and_no_more(door: Door, stores: Stores) -> None:
    hidden = hidden_from_members(door, stores)
    alice = let_in(stores, "operator, council")
    probes = {**hidden, "never": new_id()}
    things = [stix(stix_id, name="two") for stix_id in probes.values()] + [stix(new_id()) for _ in range(1000)]
    posted = door.ask(alice, f"{_COUNCIL}objects/", "POST", objects=things).json["id"]
    with stores.released.transaction() as db:
        assert contributions.complete_next(db, now=NOW)
    status = door.ask(alice, f"/api1/status/{posted}/").json
    why = {stix_id: name for name, stix_id in probes.items()}
    assert {why[one["id"]]: one["message"] for one in status.get("failures", [])} == {}


def test_whose_name_stands_on_a_hidden_object_is_not_told(door: Door, stores: Stores) -> None:
    creator = new_id("identity")
    hidden_from_members(door, stores, created_by_ref=creator)
    alice = let_in(stores, "operator, council")
    door.post(alice, "council", stix(new_id()))  # The first post of a client costs the row that counts it.
    told = [
        door.ask(alice, f"{_COUNCIL}objects/", "POST", objects=[stix(new_id(), created_by_ref=by)])
        for by in (creator, new_id("identity"))
    ]
    assert veiled(told[0], names=True) == veiled(told[1], names=True)


@pytest.mark.parametrize("level", ["green", "amber+strict"])
def test_what_was_let_out_is_seen_by_its_level_and_taken_back_by_its_giver_alone(
    door: Door, stores: Stores, level: str
) -> None:
    alice, bob = let_in(stores, "operator, council"), let_in(stores, "council")
    carol, thing = let_in(stores, "council", clearance=NOW + timedelta(days=1)), stix(new_id(), level=level)
    with stores.case.transaction() as db:
        approver = make_viewer(db, make_organization(db, kind=Kind.NCO), Role.APPROVER)
    posted = UUID(door.post(alice, "council", thing))
    carrying.admit(stores, posted, by=approver, now=NOW)
    carrying.contribution(stores, posted, clock=lambda: NOW)
    path, never = f"{_COUNCIL}objects/{thing['id']}/", f"{_COUNCIL}objects/{new_id()}/"
    assert door.ask(carol, path, "DELETE").status == 403
    for who in (alice, bob, carol):
        if who.receives(level):
            assert listed(door.ask(who, path)) == [(thing["id"], V1)]
        else:
            assert [door.ask(who, path, method) for method in ("GET", "DELETE")] == [
                door.ask(who, never, method) for method in ("GET", "DELETE")
            ]
    if alice.receives(level):
        assert door.ask(alice, path, "DELETE").status == 200
        assert door.ask(carol, path) == door.ask(carol, never)


def test_two_members_who_post_the_same_do_not_meet(door: Door, stores: Stores) -> None:
    alice, bob, thing = let_in(stores, "operator, council"), let_in(stores, "council"), stix(new_id())
    path = f"{_COUNCIL}objects/{thing['id']}/"
    for who in (alice, bob):
        door.post(who, "council", thing)
    assert door.ask(alice, path, "DELETE").status == 200
    assert door.ask(alice, path) == door.ask(alice, f"{_COUNCIL}objects/{new_id()}/")
    assert listed(door.ask(bob, path)) == [(thing["id"], V1)]


# --- sealed pages ----------------------------------------------------------------------------------------------

_GZIP = {"Accept_Encoding": "gzip"}


@dataclass
class Shelf:
    """What lies in `public`, and what of it each ceiling must get."""

    stores: Stores
    levels: dict[str, str] = field(default_factory=dict)
    order: list[tuple[str, str]] = field(default_factory=list)

    def put(self, level: str, count: int = 1, *, stix_id: str = "", version: str = V1) -> None:
        """Publish new objects, or another version of one."""
        things = [stix(stix_id or new_id(), version, level=level) for _ in range(count)]
        publish(self.stores, "public", *things, level=level)
        self.order = [one for one in self.order if one[0] != stix_id]
        self.order += [(one["id"], version) for one in things]
        self.levels |= {one["id"]: level for one in things}

    def some(self, level: str) -> str:
        """One that lies in the middle."""
        found = [stix_id for stix_id, _ in self.order if self.levels[stix_id] == level]
        return found[len(found) // 2]

    def remove(self, stix_id: str) -> None:
        """Take an object away."""
        take_out(self.stores, "public", stix_id)
        self.order = [one for one in self.order if one[0] != stix_id]

    def of(self, who: Account) -> list[tuple[str, str]]:
        """What this account gets."""
        return [one for one in self.order if who.receives(self.levels[one[0]])]


def sealed_pages(stores: Stores) -> int:
    """How many sealed pages of objects there are."""
    with stores.released.reading() as db:
        return db.scalar(sa.select(sa.func.count()).where(SealedPage.face == "objects")) or 0


def test_through_sealed_pages_each_ceiling_gets_exactly_its_objects(door: Door, stores: Stores) -> None:
    shelf = Shelf(stores)
    people = [ANONYMOUS, let_in(stores, "operator"), let_in(stores, "council", clearance=NOW + timedelta(days=1))]
    for _ in range(12):
        for level, count in (("clear", 89), ("amber", 2), ("green", 88), ("amber+strict", 2), ("clear", 1), ("red", 2)):
            shelf.put(level, count)

    def check(when: str) -> None:
        for who in people:
            for query, more in (("objects/", {}), ("objects/", _GZIP), ("manifest/?limit=300", {})):
                pages_of = door.walk(who, f"/api1/collections/public/{query}", **more)
                found = [one for page in pages_of for one in listed(page) if one[0] not in FIXED]
                assert found == shelf.of(who), (when, who.name, query)

    check("before")
    assert sealing.seal(stores.released) and sealed_pages(stores) >= 3
    check("sealed")
    shelf.put("red", stix_id=shelf.some("clear"), version=V2)
    shelf.put("amber", stix_id=shelf.some("green"), version=V2)
    check("re-marked")
    sealing.seal(stores.released)
    check("re-marked and sealed again")
    for level in ("clear", "amber", "red"):
        shelf.remove(shelf.some(level))
    check("removed")
    sealing.seal(stores.released)
    check("removed and sealed again")


def whole_pages(door: Door, who: Account, path: str) -> list[Answer]:
    """A collection of a thousand objects, asked in all ways; without `more` an answer holds nothing that is random."""
    asked: list[dict[str, str]] = [{}, _GZIP, {"Accept_Encoding": "zstd"}]
    return [door.ask(who, f"{path}objects/", **more) for more in asked] + [door.ask(who, f"{path}manifest/")]


def test_what_is_hidden_between_leaves_no_trace_in_sealed_pages(door: Door, stores: Stores) -> None:
    """Two thousand objects to see: the second page is the last, and holds nothing that is random."""
    who, things = reader_of_both(stores), [stix(new_id()) for _ in range(1998)]
    publish_in_both(stores, *things[:500])
    publish(stores, "isac-t-isac", stix(new_id()), level="red")
    publish_in_both(stores, *things[500:])
    sealing.seal(stores.released)
    for face, more in (("objects/", {}), ("objects/", _GZIP), ("manifest/", {})):
        walks = [list(door.walk(who, path + face, **more)) for path in (_WITH, _WITHOUT)]
        assert [len(listed(page)) for page in walks[0]] == [1000, 1000]
        assert [page.statements for page in walks[0]] == [page.statements for page in walks[1]], (face, more)
        assert veiled(walks[0][1]) == veiled(walks[1][1]), (face, more)


def _tighten(stores: Stores, hidden: dict[str, Any], _posted: Callable[..., Any]) -> None:
    publish(stores, "isac-t-isac", stix(hidden["id"], V2, level="red"), level="red")


def _take_out(stores: Stores, hidden: dict[str, Any], _posted: Callable[..., Any]) -> None:
    take_out(stores, "isac-t-isac", hidden["id"])


def _take_back(_stores: Stores, _hidden: dict[str, Any], posted: Callable[..., Any]) -> None:
    posted("DELETE")


@pytest.mark.parametrize("change", [_tighten, _take_out, _take_back])
def test_what_changes_unseen_leaves_sealed_pages_as_they_are(
    door: Door, stores: Stores, change: Callable[..., None]
) -> None:
    who, bob = reader_of_both(stores), let_in(stores, "operator")
    things, hidden, own = [stix(new_id()) for _ in range(998)], stix(new_id(), level="red"), stix(new_id())
    publish(stores, "isac-t-isac", *things[:500])
    publish(stores, "isac-t-isac", hidden, level="red")
    door.post(bob, "isac-t-isac", own)
    publish(stores, "isac-t-isac", *things[500:])
    sealing.seal(stores.released)
    before = whole_pages(door, who, _WITH)
    change(stores, hidden, lambda method: door.ask(bob, f"{_WITH}objects/{own['id']}/", method))
    assert whole_pages(door, who, _WITH) == before
