"""The cast of the authorisation test: who polls, what lies where, and one table of who may see what of it."""

from __future__ import annotations

import gzip
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

import psycopg
import sqlalchemy as sa
from flask import Flask

from exchange import accounts, carrying, feed
from exchange.feed import Publication
from exchange.models import Collection, Organization
from exchange.sharing import TLP, Kind, Role
from exchange.stix import ids
from exchange.stores import Stores
from taxii_server.errors import MEDIA_TYPE
from tests.conftest import NOW
from tests.make import make_organization, make_viewer

# --- the table ---------------------------------------------------------------------------------------------

LEVELS = ("clear", "green", "amber", "amber+strict", "red")
"""From what everybody may have to what no collection gives to anybody."""


TABLE = """
account           | reads, beside `public`                   | writes              | ceiling | cleared      | sandbox
operator          | isac-t-isac ceptoar-port-ceptoar         | all                 | amber   | amber        | yes
operator alone    | -                                        | -                   | amber   | amber        | yes
operator, council | isac-t-isac ceptoar-port-ceptoar council | all                 | amber   | amber+strict | yes
isac              | isac-ict-isac                            | all                 | amber   | amber        | yes
ceptoar           | ceptoar-water-ceptoar                    | all                 | amber   | amber        | yes
council           | council                                  | all                 | amber   | amber+strict | yes
ally, US          | allied allied-us                         | all                 | amber   | amber+strict | yes
ally, AU          | allied allied-au                         | all                 | amber   | amber+strict | yes
nco               | nco allied-us allied-au                  | allied-us allied-au | amber   | amber+strict | yes
authority         | -                                        | -                   | clear   | clear        | no
enforcement       | -                                        | -                   | clear   | clear        | no
admin             | -                                        | -                   | clear   | clear        | no
auditor           | -                                        | -                   | clear   | clear        | no
public            | -                                        | -                   | clear   | clear        | no
anonymous         | -                                        | -                   | clear   | clear        | no
"""
"""Who gets what. Nobody writes to `public`; `cleared` is the ceiling while a clearance is valid."""

_PORT = {"isacs": ["t-isac"], "ceptoar": "port-ceptoar"}
_IN_ALL = _PORT | {"council_member": True}
ORGANIZATIONS: dict[str, dict[str, Any]] = {
    "operator": _PORT,
    "operator alone": {"isacs": [], "ceptoar": None},
    "operator, council": _IN_ALL,
    "isac": {"kind": Kind.ISAC, "isacs": ["ict-isac"]},
    "ceptoar": {"kind": Kind.CEPTOAR, "ceptoar": "water-ceptoar"},
    "council": {"kind": Kind.COUNCIL, "council_member": True},
    "ally, US": {"kind": Kind.ALLIED, "country": "US"},
    "ally, AU": {"kind": Kind.ALLIED, "country": "AU"},
    "nco": {"kind": Kind.NCO, **_IN_ALL},
    # What would open something to a member opens nothing to these.
    "authority": {"kind": Kind.AUTHORITY, "authority": "mlit", **_IN_ALL},
    "enforcement": {"kind": Kind.ENFORCEMENT, **_IN_ALL},
    "admin": {"kind": Kind.ADMIN, **_IN_ALL},
    "auditor": {"kind": Kind.AUDITOR, **_IN_ALL},
    "public": {"kind": Kind.PUBLIC, **_IN_ALL},
}


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    reads: frozenset[str]
    writes: frozenset[str]
    ceiling: str
    cleared: str
    sandbox: bool

    @classmethod
    def read(cls, reads: str, writes: str, ceiling: str, cleared: str, sandbox: str) -> Row:
        """A row from its cells."""
        own = frozenset(reads.split()) - {"-"}
        written = own if writes == "all" else frozenset(writes.split()) - {"-"}
        return cls(own | {"public"}, written, ceiling, cleared, sandbox == "yes")


def _rows() -> dict[str, Row]:
    lines = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()[1:]]
    return {name: Row.read(*cells) for name, *cells in lines}


ROWS = _rows()

CLEARANCES = {"": None, ", cleared": NOW + timedelta(microseconds=1), ", lapsed": NOW}
"""A clearance holds until its last moment, and at that moment no more."""

COLLECTIONS = ["public", "nco", "council", "allied", "isac-t-isac", "isac-ict-isac", "ceptoar-port-ceptoar"]
COLLECTIONS += ["ceptoar-water-ceptoar", "allied-us", "allied-au"]


# --- people ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Account:
    """Somebody who polls, and the row of the table that says what they get."""

    name: str
    row: Row
    authorization: str | None = None
    key: str = ""
    person_id: UUID = field(default_factory=uuid4)
    cleared: bool = False

    @property
    def anonymous(self) -> bool:
        """Whether it shows no credentials."""
        return self.authorization is None

    def receives(self, level: str) -> bool:
        """Whether this level is within its ceiling."""
        ceiling = self.row.cleared if self.cleared else self.row.ceiling
        return LEVELS.index(level) <= LEVELS.index(ceiling)


ANONYMOUS = Account("anonymous", ROWS["anonymous"])


def let_in(
    stores: Stores,
    name: str,
    *,
    kind: str = "",
    clearance: datetime | None = None,
    organization_id: UUID | None = None,
    days: int = 365,
) -> Account:
    """Give somebody an account and a key, and make the feed know it, as the portal and the workers do."""
    kind = kind or name
    with stores.case.transaction() as db:
        known = organization_id is not None
        own = db.get_one(Organization, organization_id) if known else make_organization(db, **ORGANIZATIONS[kind])
        person = accounts.lock_person(db, _some(make_viewer(db, own, Role.READER).person_id))
        person.clearance_until = clearance
        key = accounts.issue_key(db, person, scopes=["feed"], now=NOW, days=days)
    carrying.account(stores, person.id, now=NOW)
    cleared = clearance is not None and clearance > NOW
    return Account(name, ROWS[kind], f"Bearer {key}", key, person.id, cleared)


def let_all_in(stores: Stores) -> dict[str, Account]:
    """Everybody of the table with each state of a clearance, three to an organization; allies come first."""
    everybody = {"anonymous": ANONYMOUS}
    for name in sorted(ORGANIZATIONS, key=lambda one: not one.startswith("ally")):
        with stores.case.transaction() as db:
            own = make_organization(db, **ORGANIZATIONS[name]).id
        for state, until in CLEARANCES.items():
            account = let_in(stores, name + state, kind=name, clearance=until, organization_id=own)
            everybody[account.name] = account
    return everybody


def organization_of(db: sa.orm.Session, account: Account) -> Organization:
    """The organization that an account belongs to, for a test that changes it."""
    return accounts.lock_person(db, account.person_id).organization


def _some(found: UUID | None) -> UUID:
    assert found is not None
    return found


# --- things ------------------------------------------------------------------------------------------------

V1, V2, V3 = (f"2026-11-0{day}T00:00:00.000Z" for day in (1, 2, 3))

_TYPE_OF = {
    "clear": "indicator",
    "green": "malware",
    "amber": "tool",
    "amber+strict": "campaign",
    "red": "attack-pattern",
    "tightened": "intrusion-set",
    "quarantined": "infrastructure",
}
TYPES = list(_TYPE_OF.values())
NO_TYPE = "course-of-action"
"""A type of which there is none anywhere."""

_NEEDED: dict[str, dict[str, Any]] = {
    "indicator": {"pattern": "[ipv4-addr:value = '203.0.113.9']", "pattern_type": "stix", "valid_from": V1},
    "malware": {"is_family": False},
}


def stix(stix_id: str, version: str = V1, *, level: str = "green", **more: Any) -> dict[str, Any]:
    """A valid object, marked with this level."""
    kind = stix_id.partition("--")[0]
    common = {"type": kind, "spec_version": "2.1", "id": stix_id, "created": V1, "modified": version, "name": "one"}
    marked = {"object_marking_refs": [ids.TLP_MARKING[level]]}
    return common | marked | _NEEDED.get(kind, {}) | more


def new_id(kind: str = "tool") -> str:
    """An id that nobody knows yet."""
    return f"{kind}--{uuid4()}"


def publication(thing: dict[str, Any]) -> Publication:
    """An object as the national office publishes it."""
    return Publication(thing["id"], thing["type"], thing["modified"], json.dumps(thing).encode())


def publish(stores: Stores, alias: str, *things: dict[str, Any], level: str = "green") -> None:
    """Put objects into one collection, in one commit."""
    with stores.released.transaction() as db:
        feed.publish(db, [publication(one) for one in things], aliases=[alias], tlp=TLP(level), clock=lambda: NOW)


@dataclass(frozen=True)
class Thing:
    """An object in a collection.

    Attributes:
        versions: each time and its level, in their order.
        giver: who posted it, while it is in quarantine.
    """

    alias: str
    stix_id: str
    versions: tuple[tuple[str, str], ...]
    giver: str = ""

    @property
    def type(self) -> str:
        """Its STIX type."""
        return self.stix_id.partition("--")[0]

    def seen_by(self, account: Account) -> list[str]:
        """The times of its versions that this account may see: none if the newest one is too strict."""
        if self.alias not in account.row.reads or self.giver not in {"", account.name}:
            return []
        if not self.giver and not account.receives(self.versions[-1][1]):
            return []
        return [time for time, level in self.versions if self.giver or account.receives(level)]


# --- the door ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """All that a client can tell of an answer, and what it cost: the number of statements stands for the time."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    statements: int

    @property
    def json(self) -> dict[str, Any]:
        """The body, unpacked and read."""
        packed = dict(self.headers).get("Content-Encoding") == "gzip"
        found: dict[str, Any] = json.loads(gzip.decompress(self.body) if packed else self.body)
        return found

    def header(self, name: str) -> str:
        """The value of a header that is there."""
        return dict(self.headers)[name]


class Door:
    """The TAXII server, asked in this process."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._client = app.test_client(use_cookies=False)
        self._statements = 0
        self._thread = threading.get_ident()
        # Counted at the drivers, since not every statement of the server passes through SQLAlchemy.
        sa.event.listen(sa.Pool, "checkout", self._trace_sqlite)
        self._patches = [self._counting(name) for name in ("execute", "executemany")]
        for path in ("/taxii2/", "/healthz"):  # The first connection of a pool asks for more than is asked of it.
            self.ask(ANONYMOUS, path)

    def close(self) -> None:
        """Count no more."""
        sa.event.remove(sa.Pool, "checkout", self._trace_sqlite)
        for patch in self._patches:
            patch.stop()

    def _trace_sqlite(self, connection: Any, *_: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(self._count)

    def _counting(self, name: str) -> Any:
        """The same method of PostgreSQL's driver, which counts."""
        real = getattr(psycopg.Cursor, name)

        def counted(cursor: Any, text: Any, *given: Any, **more: Any) -> Any:
            if text not in ("SELECT 1", ";"):  # Whether a connection lives is asked of those used before.
                self._count()
            return real(cursor, text, *given, **more)

        patch = mock.patch.object(psycopg.Cursor, name, counted)
        patch.start()
        return patch

    def _count(self, *told: Any) -> None:
        # The server keeps its notes in a thread of its own, whenever that comes to it.
        self._statements += threading.get_ident() == self._thread and told[:1] != ("SELECT 1",)

    def ask(self, who: Account, path: str, method: str = "GET", *, objects: Any = None, **headers: str) -> Answer:
        """One request. `objects` is what is posted; `Accept_Encoding` is written with an underscore."""
        given = {"Accept": MEDIA_TYPE, **{name.replace("_", "-"): value for name, value in headers.items()}}
        given |= {"Authorization": who.authorization} if who.authorization is not None else {}
        posted: dict[str, Any] = {"data": json.dumps({"objects": objects or []}), "content_type": MEDIA_TYPE}
        before = self._statements
        answer = self._client.open(path, method=method, headers=given, **(posted if method == "POST" else {}))
        shown = tuple(sorted((name, value) for name, value in answer.headers if name != "Date"))
        return Answer(answer.status_code, shown, answer.get_data(), self._statements - before)

    def post(self, who: Account, alias: str, *things: dict[str, Any], root: str = "api1") -> str:
        """Post objects that are all taken; returns the id of the status."""
        answer = self.ask(who, f"/{root}/collections/{alias}/objects/", "POST", objects=list(things))
        assert (answer.status, answer.json["success_count"]) == (202, len(things)), answer.body
        return str(answer.json["id"])

    def ids(self, who: Account, path: str) -> list[str]:
        """The ids of one page, or of one list of collections; none where there is nothing to see."""
        found = self.ask(who, path)
        listed = found.json.get("objects") or found.json.get("collections") or [] if found.status == 200 else []
        return [str(one["id"]) for one in listed]

    def walk(self, who: Account, path: str, **headers: str) -> Iterator[Answer]:
        """All pages from this one on."""
        joint, token = "&" if "?" in path else "?", ""
        while True:
            page = self.ask(who, path + token, **headers)
            yield page
            if page.status != 200 or not page.json.get("more"):
                return
            token = f"{joint}next={page.json['next']}"


# --- the whole scene ---------------------------------------------------------------------------------------

POSTERS = {
    "council": "council",
    "allied": "ally, US",
    "isac-t-isac": "operator",
    "isac-ict-isac": "isac",
    "ceptoar-port-ceptoar": "operator",
    "ceptoar-water-ceptoar": "ceptoar",
    "allied-us": "nco",
    "allied-au": "ally, AU",
}
"""Who has something in quarantine, by collection."""


@dataclass
class Scene:
    """Everybody, and one object for each collection and level, and more that is hidden from some.

    Attributes:
        entries: what went into each collection, as (object, time of the version), in this order.
        submissions: who posted, below which root, and the id of the status.
        sandboxed: ids of what lies in the sandboxes, by account.
    """

    door: Door
    people: dict[str, Account]
    collection_ids: dict[str, str]
    sandboxes: dict[str, str]
    things: dict[str, list[Thing]] = field(default_factory=dict)
    entries: dict[str, list[tuple[Thing, str]]] = field(default_factory=dict)
    submissions: list[tuple[str, str, str]] = field(default_factory=list)
    sandboxed: dict[str, list[str]] = field(default_factory=dict)

    def seen(self, who: Account, alias: str) -> list[tuple[str, str]]:
        """(id, time) of every version in a collection that this account may see, in order."""
        return [(one.stix_id, time) for one, time in self.entries[alias] if time in one.seen_by(who)]


def set_scene(door: Door, stores: Stores) -> Scene:
    """Let everybody in, publish, and let members post."""
    people = let_all_in(stores)
    with stores.released.reading() as db:
        rows = db.execute(sa.select(Collection.id, Collection.alias, Collection.owner_id)).all()
    names = {person.person_id: person.name for person in people.values()}
    sandboxes = {names[row.owner_id]: str(row.id) for row in rows if row.owner_id}
    shared = {row.alias: str(row.id) for row in rows if not row.owner_id}
    scene = Scene(door, people, shared, sandboxes)
    for alias in COLLECTIONS:
        _furnish(scene, stores, alias)
    for name in ("operator", "isac"):
        thing = stix(new_id())
        scene.submissions.append((name, "sandbox", door.post(people[name], sandboxes[name], thing, root="sandbox")))
        scene.sandboxed[name] = [thing["id"]]
    return scene


def _furnish(scene: Scene, stores: Stores, alias: str) -> None:
    """One object of each level, the strict between the open; one that was tightened; one in quarantine."""
    things = {name: _thing(alias, name) for name in _TYPE_OF}
    scene.things[alias], scene.entries[alias] = list(things.values()), []
    for name in ("clear", "red", "green", "tightened", "amber"):
        _enter(scene, stores, things[name], 0)
    if alias in POSTERS:
        giver = scene.people[POSTERS[alias]]
        posted = scene.door.post(giver, alias, stix(things["quarantined"].stix_id))
        scene.submissions.append((giver.name, "api1", posted))
        scene.entries[alias].append((things["quarantined"], V1))
    _enter(scene, stores, things["amber+strict"], 0)
    _enter(scene, stores, things["tightened"], 1)


def _thing(alias: str, name: str) -> Thing:
    giver = POSTERS.get(alias, "nobody") if name == "quarantined" else ""
    versions = {"tightened": ((V1, "green"), (V2, "amber+strict")), "quarantined": ((V1, "green"),)}
    return Thing(alias, new_id(_TYPE_OF[name]), versions.get(name, ((V1, name),)), giver)


def _enter(scene: Scene, stores: Stores, thing: Thing, number: int) -> None:
    time, level = thing.versions[number]
    publish(stores, thing.alias, stix(thing.stix_id, time, level=level), level=level)
    scene.entries[thing.alias].append((thing, time))


@contextmanager
def changing(stores: Stores, account: Account) -> Iterator[Organization]:
    """Change an account's organization; then the feed is told."""
    with stores.case.transaction() as db:
        yield organization_of(db, account)
    carrying.account(stores, account.person_id, now=NOW)


def listed(answer: Answer) -> list[tuple[str, str]]:
    """(id, version) of each object or record of a page."""
    objects: Sequence[dict[str, Any]] = answer.json.get("objects", [])
    return [(one["id"], one.get("modified") or one.get("version") or one["created"]) for one in objects]
