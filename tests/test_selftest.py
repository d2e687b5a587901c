"""How a client behaves: what the counters mean, and who is told of them, on the TAXII server and on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

import portal.web.feed
import taxii_server.auth
import taxii_server.objects
import taxii_server.selftest
from config import Settings
from exchange import accounts, carrying, feed, habits, polls
from exchange.habits import Finding, findings
from exchange.models import ClientHabit, Collection
from exchange.polls import Habit
from exchange.sharing import TLP, Kind, Role
from exchange.stores import Stores
from exchange.tables import table
from portal.app import create_app
from taxii_server.errors import MEDIA_TYPE
from tests.conftest import NOW
from tests.make import Clock, make_organization, make_viewer
from tests.taxii_house import publication, thing

MINUTE = timedelta(minutes=1)


# --- what the counters mean ------------------------------------------------------------------------------


def make_habit(*, alias: str = "council", offered: int = 10, polled_at: datetime | None = NOW, **counted: Any) -> Habit:
    """A client that polled well, but for what is told."""
    zeros = dict.fromkeys((*polls.COUNTED, "position"), 0)
    own = ClientHabit(
        since=NOW, polled_at=polled_at, **(zeros | {"polls": 100, "objects": 10, "restarts": 1} | counted)
    )
    return Habit(Collection(alias=alias, title=alias, description=alias), own, offered)


def codes(*seen: Habit) -> list[str]:
    """The findings, by their codes."""
    return [one.code for one in findings(seen, now=NOW)]


@pytest.mark.parametrize(
    ("counted", "code"),
    [
        ({}, None),
        ({"skipped": 1}, "skipped"),
        ({"future": 1, "furthest_ahead_s": 32_400}, "future"),
        ({"wrong_media": 1}, "wrong_media"),
        ({"unknown_parameters": 1}, "unknown_parameters"),
        ({"no_version": 1}, "no_version"),
        ({"repeated": 5}, None),
        ({"repeated": 6}, "repeated"),
        ({"restarts": 2, "objects": 19}, None),
        ({"restarts": 2, "objects": 20}, "restarts"),
        ({"restarts": 100, "objects": 0, "empty_polls": 100, "offered": 0}, None),
        ({"empty_polls": 99}, None),
    ],
)
def test_a_counter_becomes_a_finding_only_where_something_is_amiss(counted: dict[str, Any], code: str | None) -> None:
    assert codes(make_habit(**counted)) == ([code] if code else [])


def test_findings_are_gathered_over_the_collections_and_the_worst_comes_first() -> None:
    both: dict[str, Any] = {"no_version": 3, "skipped": 1}
    seen = [make_habit(**both), make_habit(alias="public", **both), make_habit(alias="allied", repeated=50)]
    found = findings(seen, now=NOW)
    assert [(one.code, one.times, [where.alias for where in one.where]) for one in found] == [
        ("skipped", 2, ["council", "public"]),
        ("repeated", 50, ["allied"]),
        ("no_version", 6, ["council", "public"]),
    ]
    assert [one.kind for one in found] == ["error", "warning", "info"]


def test_who_never_polled_and_who_stopped_a_day_ago_are_told() -> None:
    unused = Habit(Collection(alias="public", title="x", description="x"), None, 3)
    assert codes() == codes(unused) == codes(unused, make_habit(polled_at=None, polls=0, restarts=0)) == ["never"]
    assert codes(unused, make_habit(polled_at=NOW - timedelta(days=1))) == []
    late = NOW - timedelta(days=1, microseconds=1)
    assert codes(unused, make_habit(polled_at=late)) == ["stopped"]
    assert codes(make_habit(polled_at=late), make_habit(alias="public")) == []


def test_every_finding_has_its_words_in_both_languages() -> None:
    for code, words in table("habits").items():
        assert words["kind"] in {"error", "warning", "info"}, code
        for lang in ("ja", "en"):
            assert Finding(code).says[lang] and Finding(code).advice[lang], (code, lang)
    assert set(table("habits")) == {*habits._RULES, "never", "stopped"}


# --- on the TAXII server ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Member:
    """An account with a client, and its owner at the pages."""

    server: Flask
    portal: Flask
    person_id: UUID
    username: str
    key: str

    def get(self, path: str, *, accept: str = MEDIA_TYPE) -> Any:
        """One request to the server; what it leaves behind is kept."""
        headers = {"Authorization": f"Bearer {self.key}", "Accept": accept}
        answer = self.server.test_client().get(path, headers=headers)
        self.server.extensions["notes"].keep()
        return answer

    def selftest(self) -> dict[str, Any]:
        """What the server says of this member's client."""
        answer = self.get("/taxii2/self-test/")
        assert (answer.status_code, answer.content_type) == (200, MEDIA_TYPE), answer.data
        found: dict[str, Any] = answer.json
        return found

    def counted(self, alias: str) -> dict[str, Any]:
        """What the server counted in a collection."""
        one: dict[str, Any] = next(one for one in self.selftest()["collections"] if one["alias"] == alias)
        return one

    def browser(self, lang: str = "en") -> FlaskClient:
        """Signed in at the pages, which speak this language."""
        client = self.portal.test_client()
        client.get(f"/language/{lang}")
        typed = {"username": self.username, "password": "right horse", "csrf_token": token_in(client, "/login")}
        assert client.post("/login", data=typed).status_code == 303
        return client


def token_in(client: FlaskClient, path: str) -> str:
    """The token of the forms on a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).get_data(as_text=True))
    assert found
    return found[1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time stands still at NOW on both doors, until a test moves it."""
    clock = Clock()
    for module in (taxii_server.auth, taxii_server.objects, taxii_server.selftest, portal.web.feed):
        monkeypatch.setattr(module, "utcnow", clock)
    return clock


@pytest.fixture
def server(settings: Settings, clock: Clock) -> Iterator[Flask]:
    """The TAXII server, once on each database."""
    made = taxii_server.create_app(settings)
    yield made
    taxii_server.close(made)


@pytest.fixture
def pages(settings: Settings, clock: Clock) -> Iterator[Flask]:
    """The portal of the same installation."""
    made = create_app(settings)
    yield made
    made.extensions["stores"].close()


@pytest.fixture
def alice(server: Flask, pages: Flask, stores: Stores) -> Member:
    """Of a council member, with a sandbox."""
    return join(server, pages, stores, kind=Kind.COUNCIL, council_member=True)


def join(server: Flask, pages: Flask, stores: Stores, **organization: Any) -> Member:
    """Somebody of a new organization, with a key that the feed knows."""
    with stores.case.transaction() as db:
        viewer = make_viewer(db, make_organization(db, **organization), Role.READER)
        assert viewer.person_id is not None
        key = accounts.issue_key(db, accounts.lock_person(db, viewer.person_id), scopes=["feed"], now=NOW)
    carrying.account(stores, viewer.person_id, now=NOW)
    return Member(server, pages, viewer.person_id, viewer.username, key)


def publish(stores: Stores, count: int, *, at: datetime = NOW, alias: str = "council") -> None:
    """New objects, a microsecond between them."""
    with stores.released.transaction() as db:
        ready = [publication(thing()) for _ in range(count)]
        feed.publish(db, ready, aliases=[alias], tlp=TLP.GREEN, clock=lambda: at)


COUNCIL = "/api1/collections/council/objects/"


def last_of(answer: Any) -> str:
    """Where to go on after a page."""
    return str(answer.headers["X-TAXII-Date-Added-Last"])


def test_a_client_that_follows_the_pages_and_goes_on_where_it_stopped_is_told_that_all_is_well(
    alice: Member, stores: Stores, clock: Clock
) -> None:
    publish(stores, 3)
    page = alice.get(f"{COUNCIL}?limit=2")
    while page.json.get("more"):
        page = alice.get(f"{COUNCIL}?limit=2&next={page.json['next']}")
    clock.now += MINUTE
    alice.get(f"{COUNCIL}?added_after={last_of(page)}")
    publish(stores, 1, at=clock.now)
    alice.get(f"{COUNCIL}?added_after={last_of(page)}")
    told = alice.selftest()
    assert (told["ok"], told["findings"]) == (True, [])
    own = alice.counted("council")
    assert own["objects_offered"] == own["objects_fetched"] > 4
    assert (own["empty_polls"], own["restarts"]) == (1, 0)
    assert own["last_poll"] == "2026-11-21T03:01:00.123456Z" and own["counted_since"] == "2026-11-21T03:00:00.123456Z"
    assert own["id"] in alice.get("/api1/collections/").get_data(as_text=True)


def test_what_a_client_does_amiss_is_told_with_what_to_do(alice: Member, stores: Stores, clock: Clock) -> None:
    publish(stores, 1)
    assert alice.get(f"{COUNCIL}?limit=1", accept="application/taxii+json").status_code == 200
    publish(stores, 2, at=NOW + MINUTE)
    clock.now += 2 * MINUTE
    alice.get(f"{COUNCIL}?added_after=2026-11-21T03:01:30Z")
    alice.get(f"{COUNCIL}?added_after=2026-11-21T12:02:00Z&status=new")
    alice.get(COUNCIL, accept="application/json")
    told = alice.selftest()
    assert told["ok"] is False
    wrong = [("skipped", 2), ("future", 1), ("wrong_media", 1), ("unknown_parameters", 1), ("no_version", 1)]
    assert [(one["code"], one["times"]) for one in told["findings"]] == wrong
    assert all(one["text"] and one["advice"] and one["severity"] for one in told["findings"])
    assert {tuple(one["collections"]) for one in told["findings"]} == {("council",)}
    assert 32_350 < alice.counted("council")["furthest_ahead_s"] <= 32_400
    assert "half a second" in told["note"]


def test_the_self_test_is_for_accounts_and_tells_each_only_of_itself(
    alice: Member, server: Flask, pages: Flask, stores: Stores
) -> None:
    bob = join(server, pages, stores)
    publish(stores, 1)
    bob.get(f"{COUNCIL}?limit=1")
    alice.get(f"{COUNCIL}?x=1")
    assert [one["code"] for one in bob.selftest()["findings"]] == ["never"]
    sandbox = f"sandbox-{bob.person_id}"
    aliases = {one["alias"] for one in bob.selftest()["collections"]}
    assert aliases == {"public", "isac-t-isac", "ceptoar-port-ceptoar", sandbox}
    assert server.test_client().get("/taxii2/self-test/", headers={"Accept": MEDIA_TYPE}).status_code == 401
    assert alice.get("/taxii2/self-test/", accept="application/json").status_code == 406
    assert alice.get("/taxii2/self-test").status_code == 404


def test_what_one_may_not_see_is_not_offered(alice: Member, stores: Stores) -> None:
    before = alice.counted("council")["objects_offered"]
    publish(stores, 2)
    with stores.released.transaction() as db:
        feed.publish(db, [publication(thing())], aliases=["council"], tlp=TLP.AMBER_STRICT, clock=lambda: NOW)
    assert alice.counted("council")["objects_offered"] == before + 2


# --- on the page -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_the_page_says_the_same_in_the_readers_language(alice: Member, stores: Stores, lang: str) -> None:
    publish(stores, 1)
    alice.get(f"{COUNCIL}?limit=1&status=new")
    page = alice.browser(lang).get("/feed").get_data(as_text=True)
    words = table("habits")["unknown_parameters"]
    assert words["says"][lang] in page and words["advice"][lang] in page
    assert {"ja": "協議会", "en": "Council"}[lang] in page
    assert alice.username in page and "/taxii2/" in page and "/sandbox/" in page
    assert words["says"]["en" if lang == "ja" else "ja"] not in page


def test_a_quiet_page_says_that_nothing_is_amiss(alice: Member, stores: Stores) -> None:
    publish(stores, 1)
    alice.get(COUNCIL)
    assert "Nothing is amiss" in alice.browser().get("/feed").get_data(as_text=True)


def test_an_account_that_the_feed_does_not_know_yet_is_told_to_wait(pages: Flask, stores: Stores) -> None:
    with stores.case.transaction() as db:
        viewer = make_viewer(db, make_organization(db), Role.READER)
    assert viewer.person_id is not None
    new = Member(pages, pages, viewer.person_id, viewer.username, "")
    page = new.browser().get("/feed")
    assert page.status_code == 200 and "not in the feed yet" in page.get_data(as_text=True)
    assert "not polled" not in page.get_data(as_text=True)


def test_counting_anew_forgets_the_faults_and_neither_the_place_nor_the_last_poll(
    alice: Member, stores: Stores, clock: Clock
) -> None:
    publish(stores, 1)
    page = alice.get(f"{COUNCIL}?status=new")
    client = alice.browser()
    clock.now += MINUTE
    assert client.post("/feed/forget", data={"csrf_token": token_in(client, "/feed")}).status_code == 303
    own = alice.counted("council")
    assert (own["polls"], own["unknown_parameters"], own["objects_fetched"]) == (0, 0, 0)
    assert own["counted_since"] > own["last_poll"] == "2026-11-21T03:00:00.123456Z"
    publish(stores, 1, at=clock.now)
    alice.get(f"{COUNCIL}?added_after={last_of(page)}")
    assert alice.selftest()["ok"] is True


def test_counting_anew_touches_nobody_else(alice: Member, server: Flask, pages: Flask, stores: Stores) -> None:
    bob = join(server, pages, stores, kind=Kind.COUNCIL, council_member=True)
    publish(stores, 1)
    for member in (alice, bob):
        member.get(f"{COUNCIL}?status=new")
    with stores.released.transaction() as db:
        polls.forget_habits(db, alice.person_id, now=NOW)
        polls.forget_habits(db, uuid4(), now=NOW)
    assert bob.counted("council")["unknown_parameters"] == 1
    with stores.released.reading() as db:
        assert db.scalars(sa.select(ClientHabit.polls).where(ClientHabit.account_id == alice.person_id)).all() == [0]
