"""A TAXII server in a process of its own, asked over HTTP: its store, who polls and posts there, and what they post."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from sqlalchemy import select

from config import Settings
from exchange import accounts, contributions, feed, feed_accounts, sharing
from exchange.db import Store
from exchange.feed import Publication
from exchange.feed_accounts import KeyOnFile
from exchange.models import Collection, Grant, ReleasedBase
from exchange.sharing import TLP, FeedRights
from exchange.stix.ids import TLP_MARKING
from exchange.times import utcnow
from tests.live import free_port, is_open, until

Json = dict[str, Any]
Headers = Mapping[str, str | None]

MEDIA_TYPE = "application/taxii+json;version=2.1"
ACCEPT = {"Accept": MEDIA_TYPE}
SENDING = ACCEPT | {"Content-Type": MEDIA_TYPE}
DATABASES = ["sqlite", "postgresql"]
SHELVES = ["public", "council", "allied", "isac-t-isac", "isac-ict-isac"]
"""The real collections, in their order."""

V1, V2, V3 = (f"2026-11-0{day}T00:00:00.000Z" for day in (1, 2, 3))
START = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
GREEN = TLP_MARKING["green"]


# --- the server ------------------------------------------------------------------------------------------


class Door:
    """A running TAXII server. `released` is its store, for what publishers and workers do beside it."""

    def __init__(self, settings: Settings, released: Store) -> None:
        self.settings, self.released = settings, released
        self.url = f"http://127.0.0.1:{settings.taxii_port}"
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(self, method: str, path: str, headers: Headers = ACCEPT, **more: Any) -> requests.Response:
        """One request without credentials, unless `auth` is given. A header that is None is left out."""
        sent: Any = headers
        return self.session.request(method, self.url + path, headers=sent, timeout=60, allow_redirects=False, **more)

    def join(
        self,
        *,
        reads: Iterable[str] = ("public", "council"),
        writes: Iterable[str] = (),
        only_writes: str | None = None,
        tlp: TLP = TLP.AMBER,
        sandbox: bool = True,
    ) -> Member:
        """A new account with a feed key, and with a sandbox of its own.

        Args:
            only_writes: a collection that it may write, and not read.
        """
        account_id, key = uuid4(), f"noroshi_{uuid4().hex}"
        on_file = KeyOnFile(uuid4(), accounts.hash_of(key), utcnow() + timedelta(days=1), None)
        rights = FeedRights(frozenset(reads), tlp, frozenset(writes))
        username = f"member-{account_id.hex[:12]}"
        with self.released.transaction() as db:
            feed_accounts.put_account(db, account_id, username=username, rights=rights, keys=[on_file])
            if only_writes:
                own = db.scalars(select(Collection.id).where(Collection.alias == only_writes)).one()
                db.add(Grant(account_id=account_id, collection_id=own, can_read=False, can_write=True))
            if sandbox:
                feed.open_sandbox(db, account_id, title="A member", description="To try a client in.")
        return Member(self, account_id, username, key)

    def publish(self, objects: Iterable[Json], *aliases: str, tlp: TLP = TLP.GREEN, at: datetime | None = None) -> None:
        """What a publisher does, in one commit, at this time."""
        ready = [publication(one) for one in objects]
        with self.released.transaction() as db:
            feed.publish(db, ready, aliases=aliases, tlp=tlp, clock=lambda: at or utcnow())

    def work(self) -> bool:
        """What a worker does for one submission that waits; False if none does."""
        with self.released.transaction() as db:
            return contributions.complete_next(db, now=utcnow())

    @contextmanager
    def twin(self) -> Iterator[Door]:
        """Another process over the same store, for a moment."""
        other = Door(replace(self.settings, taxii_port=free_port()), self.released)
        try:
            with other.serving():
                yield other
        finally:
            other.session.close()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The process, as long as it is needed."""
        port = str(self.settings.taxii_port)
        granian: list[str | Path] = [
            Path(sys.executable).with_name("granian"),
            "--interface",
            "wsgi",
            "--no-ws",
            "--port",
            port,
        ]
        granian += ["--blocking-threads", "64", "--log-level", "error", "taxii_server.wsgi:app"]
        server = subprocess.Popen(granian, env=self.settings.environment() | {"PATH": ""})
        try:
            until(lambda: is_open(self.settings.taxii_port))
            yield
        finally:
            server.terminate()
            server.wait(timeout=20)


@contextmanager
def open_door(request: pytest.FixtureRequest, folder: Path) -> Iterator[Door]:
    """A server on the database that the fixture's parameter names, with empty real collections."""
    environ = {"NOROSHI_VAR": str(folder / "var"), "NOROSHI_INSTALLATION": "exercise"}
    environ["NOROSHI_TAXII_PORT"] = str(free_port())
    if request.param == "postgresql":
        urls = request.getfixturevalue("_postgresql_urls")
        environ |= {"NOROSHI_DATABASE_URL": urls["case"], "NOROSHI_RELEASED_URL": urls["released"]}
    settings = Settings.read(environ)
    store = Store(settings.released_url, "released")
    _furnish(store)
    door = Door(settings, store)
    try:
        with door.serving():
            yield door
    finally:
        door.session.close()
        store.close()


def _furnish(store: Store) -> None:
    store.migrate()
    with store.engine.begin() as connection:  # Other tests were here before.
        for table in reversed(ReleasedBase.metadata.sorted_tables):
            connection.execute(table.delete())
    with store.transaction() as db:
        for position, alias in enumerate(SHELVES):
            ceiling = sharing.ceiling_of(alias)
            feed.ensure_collection(
                db, alias=alias, title=f"Of {alias}", description="x", position=position, ceiling=ceiling
            )


# --- who -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Member:
    """An account that polls and posts, with Basic."""

    door: Door
    account_id: UUID
    username: str
    key: str

    @property
    def auth(self) -> tuple[str, str]:
        """Its name and key."""
        return self.username, self.key

    @property
    def sandbox(self) -> str:
        """The path of its own collection."""
        return f"/sandbox/collections/sandbox-{self.account_id}/"

    def ask(self, method: str, path: str, headers: Headers = ACCEPT, **more: Any) -> requests.Response:
        """One request."""
        return self.door.ask(method, path, headers, **({"auth": self.auth} | more))

    def get(self, path: str, **params: str) -> requests.Response:
        """GET, as TAXII wants it."""
        return self.ask("GET", path, params=params)

    def post(self, collection: str, *objects: Any, **more: Any) -> requests.Response:
        """POST an envelope with these objects."""
        return self.send(collection, json.dumps({"objects": objects} | more).encode())

    def send(self, collection: str, body: Any, headers: Headers = SENDING) -> requests.Response:
        """POST a body as it is."""
        return self.ask("POST", f"{collection}objects/", headers, data=body)

    def delete(self, collection: str, stix_id: str, **params: str) -> requests.Response:
        """DELETE an object."""
        return self.ask("DELETE", f"{collection}objects/{stix_id}/", params=params)

    def keys(self, collection: str, **params: str) -> list[tuple[str, str]]:
        """Id and version of everything in a collection, by its manifest; of all versions unless told otherwise."""
        found = self.get(f"{collection}manifest/", **({"match[version]": "all"} | params)).json()
        return [(one["id"], one["version"]) for one in found.get("objects", [])]


# --- what ------------------------------------------------------------------------------------------------


_MORE: Mapping[str, Json] = {
    "indicator": {"pattern": "[ipv4-addr:value = '203.0.113.9']", "pattern_type": "stix", "valid_from": V1},
    "malware": {"is_family": False},
    "identity": {"name": "A member", "identity_class": "organization"},
    "marking-definition": {"definition_type": "statement", "definition": {"statement": "x"}},
    "ipv4-addr": {"value": "203.0.113.9"},
    "relationship": {"relationship_type": "indicates"},
}


def thing(kind: str = "indicator", **more: Any) -> Json:
    """A right STIX 2.1 object of its own id, marked TLP:GREEN."""
    made: Json = {"type": kind, "spec_version": "2.1", "id": f"{kind}--{uuid4()}", "object_marking_refs": [GREEN]}
    if kind != "ipv4-addr":
        made |= {"created": V1} if kind == "marking-definition" else {"created": V1, "modified": V1}
    made |= _MORE[kind]
    return {name: value for name, value in (made | more).items() if value is not None}


def version_of(one: Json) -> str | None:
    """`modified`, else `created`."""
    found = one.get("modified", one.get("created"))
    return None if found is None else str(found)


def publication(one: Json) -> Publication:
    """The object as a publisher hands it in."""
    return Publication(one["id"], one["type"], version_of(one), json.dumps(one).encode())
