"""The feed loses nothing and shows nothing twice, whoever publishes and whoever polls."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import literal_column, select, text
from sqlalchemy.orm import Session

from exchange import feed, feed_accounts, pages
from exchange.db import Store
from exchange.errors import Conflict, NotFound
from exchange.feed import Publication
from exchange.feed_accounts import KeyOnFile
from exchange.models import Collection, Entry
from exchange.pages import Page, Wanted
from exchange.questions import Question
from exchange.sharing import TLP, FeedRights, FeedViewer, may_receive
from exchange.stores import Stores
from tests.conftest import NOW

EVERYTHING = Wanted(versions=frozenset({"all"}))


def thing(number: int, version: int = 1) -> Publication:
    """The n-th object, in its n-th version."""
    stix_id = f"indicator--{UUID(int=number)}"
    modified = f"2026-11-21T00:00:00.{version:03d}Z"
    return Publication(stix_id, "indicator", modified, json.dumps({"id": stix_id, "modified": modified}).encode())


def put(stores: Stores, *things: Publication, aliases: tuple[str, ...] = ("council",), tlp: TLP = TLP.GREEN) -> int:
    """Publish in one commit."""
    with stores.released.transaction() as db:
        return feed.publish(db, things, aliases=aliases, tlp=tlp, clock=lambda: NOW)


def viewer(stores: Stores, *aliases: str, tlp: TLP = TLP.AMBER) -> FeedViewer:
    """Somebody who reads these collections."""
    with stores.released.reading() as db:
        reads = db.scalars(select(Collection.id).where(Collection.alias.in_(aliases))).all()
    return FeedViewer(uuid4(), "x", tlp.rank, tuple(reads))


def collection_of(db: Session, alias: str) -> Collection:
    """A collection by its alias, whoever may see it."""
    return db.scalars(select(Collection).where(Collection.alias == alias)).one()


def objects_of(page: Page) -> list[dict[str, Any]]:
    """What a page holds."""
    found: list[dict[str, Any]] = json.loads(b"[" + page.body + b"]")
    assert len(found) == page.objects
    return found


def walk(stores: Stores, who: FeedViewer, alias: str = "council", *, limit: int = 3, **asked: Any) -> list[str]:
    """All pages of a collection, as `id version`, the publisher left out."""
    seen: list[str] = []
    after = 0
    with stores.released.reading() as db:
        collection = collection_of(db, alias)
        while True:
            page = pages.read(db, collection, viewer=who, wanted=Wanted(after=after, **asked), limit=limit)
            own = [one for one in objects_of(page) if one["id"].startswith("indicator--00000000")]
            seen += [f"{one['id'][-1]} {one['modified'][-4:-1]}" for one in own]
            if not page.more:
                return seen
            after = page.last


def test_pages_follow_one_another_without_loss_or_repetition(stores: Stores) -> None:
    put(stores, *[thing(n) for n in range(8)])
    for limit in range(1, 12):
        assert walk(stores, viewer(stores, "council"), limit=limit) == [f"{n} 001" for n in range(8)]


def test_publishing_again_adds_nothing_and_other_content_is_refused(stores: Stores) -> None:
    assert put(stores, thing(1)) == 1
    assert put(stores, thing(1)) == 0
    changed = Publication(thing(1).stix_id, "indicator", thing(1).version, b"{}")
    with pytest.raises(Conflict):
        put(stores, changed)


def test_versions_are_chosen_as_the_standard_says(stores: Stores) -> None:
    put(stores, thing(1))
    put(stores, thing(2), thing(1, 2))
    put(stores, thing(1, 3))
    who = viewer(stores, "council")

    def chosen(*versions: str) -> list[str]:
        return walk(stores, who, versions=frozenset(versions))

    assert chosen("last") == ["2 001", "1 003"]
    assert chosen("first") == ["1 001", "2 001"]
    assert chosen("all") == ["1 001", "2 001", "1 002", "1 003"]
    assert chosen("first", "last") == ["1 001", "2 001", "1 003"]
    assert chosen("2026-11-21T00:00:00.002Z") == ["1 002"]


def test_an_older_version_that_arrives_late_does_not_become_the_last(stores: Stores) -> None:
    put(stores, thing(1, 2))
    put(stores, thing(1, 1))
    who = viewer(stores, "council")
    assert walk(stores, who) == ["1 002"]
    assert walk(stores, who, versions=frozenset({"first"})) == ["1 001"]


def test_whose_newest_version_is_too_strict_is_not_there_at_all(stores: Stores) -> None:
    put(stores, thing(1))
    put(stores, thing(1, 2), tlp=TLP.RED)
    who = viewer(stores, "council")
    for versions in ("last", "first", "all"):
        assert walk(stores, who, versions=frozenset({versions})) == []


def test_a_collection_of_others_is_as_absent_as_one_that_never_was(stores: Stores) -> None:
    put(stores, thing(1))
    outsider = viewer(stores, "public")
    with stores.released.reading() as db:
        hidden = collection_of(db, "council")
        assert not pages.read(db, hidden, viewer=outsider, wanted=EVERYTHING, limit=10).objects
        assert not pages.has_object(db, hidden, thing(1).stix_id, viewer=outsider)
        caller = feed_accounts.anybody(db)
        for name in ("council", "never", str(uuid4()), str(hidden.id)):
            with pytest.raises(NotFound):
                caller.collection(name)


@pytest.mark.parametrize("tlp", list(TLP))
def test_the_feed_rule_and_its_clause_agree(stores: Stores, tlp: TLP) -> None:
    put(stores, thing(1), tlp=tlp)
    for ceiling in TLP:
        for aliases in (("council",), ("public",), ()):
            who = viewer(stores, *aliases, tlp=ceiling)
            with stores.released.reading() as db:
                row = db.scalars(select(Entry).where(Entry.stix_id == thing(1).stix_id)).one()
                own = (Entry.stix_id == row.stix_id, pages.receivable(who, row.collection_id))
                listed = db.scalar(select(Entry.date_added).where(*own))
                page = pages.read(
                    db, collection_of(db, "council"), viewer=who, wanted=Wanted(ids=frozenset({row.stix_id})), limit=9
                )
            told = may_receive(who, collection_id=row.collection_id, lane=row.lane, contributor_id=None)
            assert told == (listed is not None) == (page.objects == 1)
            assert told == ("council" in aliases and tlp.rank <= ceiling.rank)


def test_a_revoked_or_expired_key_opens_nothing_from_the_next_request_on(stores: Stores) -> None:
    account, key = uuid4(), KeyOnFile(uuid4(), "a" * 64, NOW + timedelta(days=1), None)
    with stores.released.transaction() as db:
        feed_accounts.put_account(
            db, account, username="me", rights=FeedRights(frozenset({"council"}), TLP.AMBER), keys=[key]
        )
    with stores.released.reading() as db:
        assert feed_accounts.caller_of_key(db, key.key_hash, username="me", now=NOW) is not None
        assert feed_accounts.caller_of_key(db, key.key_hash, username="you", now=NOW) is None
        assert feed_accounts.caller_of_key(db, key.key_hash, username=None, now=NOW + timedelta(days=2)) is None
    with stores.released.transaction() as db:
        feed_accounts.revoke_key(db, key.id, now=NOW)
    with stores.released.reading() as db:
        assert feed_accounts.caller_of_key(db, key.key_hash, username="me", now=NOW) is None


def test_a_right_that_was_taken_away_is_gone(stores: Stores) -> None:
    account = uuid4()
    for aliases in (frozenset({"council", "public"}), frozenset({"public"})):
        with stores.released.transaction() as db:
            feed_accounts.put_account(db, account, username="me", rights=FeedRights(aliases, TLP.AMBER), keys=[])
    with stores.released.transaction() as db:
        key = KeyOnFile(uuid4(), "b" * 64, NOW + timedelta(days=1), None)
        feed_accounts.put_account(
            db, account, username="me", rights=FeedRights(frozenset({"public"}), TLP.CLEAR), keys=[key]
        )
    with stores.released.reading() as db:
        found = feed_accounts.caller_of_key(db, "b" * 64, username="me", now=NOW)
        assert found is not None and [c.alias for c in found.collections] == ["public"]


def test_pollers_see_everything_once_while_several_publish(stores: Stores) -> None:
    """Three writers in threads, three readers that follow the feed while it grows."""
    writers, each = 3, 12
    done = threading.Event()
    faults: list[str] = []

    def publish(writer: int) -> None:
        for n in range(each):
            put(stores, thing(1000 + writer * 100 + n * 2), thing(1001 + writer * 100 + n * 2))

    def follow() -> None:
        who, seen, after = viewer(stores, "council"), [], 0
        while True:
            last_round = done.is_set()
            with stores.released.reading() as db:
                page = pages.read(db, collection_of(db, "council"), viewer=who, wanted=Wanted(after=after), limit=5)
            seen += [one["id"] for one in objects_of(page)]
            after = page.last or after
            if last_round and not page.objects:
                break
        if len(seen) != len(set(seen)) or len(seen) != writers * each * 2 + 2:
            faults.append(f"{len(seen)} seen, {len(set(seen))} different")

    readers = [threading.Thread(target=follow) for _ in range(3)]
    publishers = [threading.Thread(target=publish, args=(n,)) for n in range(writers)]
    for thread in (*readers, *publishers):
        thread.start()
    for thread in publishers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert faults == []


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    commits=st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), min_size=1, max_size=4), max_size=6),
    limit=st.integers(1, 7),
)
def test_any_history_is_walked_completely(stores: Stores, commits: list[list[tuple[int, int]]], limit: int) -> None:
    with stores.released.transaction() as db:
        alias = f"t{uuid4().hex}"
        feed.ensure_collection(db, alias=alias, title=alias, description="", position=999)
    for commit in commits:
        put(stores, *[thing(n, v) for n, v in dict.fromkeys(commit)], aliases=(alias,))
    published = {f"{n} {v:03d}" for commit in commits for n, v in commit}
    newest = {n: max(v for m, v in published_pairs(commits) if m == n) for n, _ in published_pairs(commits)}
    who = viewer(stores, alias)
    everything = walk(stores, who, alias, limit=limit, versions=frozenset({"all"}))
    assert sorted(everything) == sorted(published)
    assert sorted(walk(stores, who, alias, limit=limit)) == sorted(f"{n} {v:03d}" for n, v in newest.items())


def published_pairs(commits: list[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """Every (object, version) of a history."""
    return [pair for commit in commits for pair in commit]


def test_a_question_survives_connections_that_were_cut(_postgresql_urls: dict[str, str]) -> None:
    store, others = Store(_postgresql_urls["released"], "released"), "pid <> pg_backend_pid()"
    cut = text(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others} AND datname = current_database()"
    )
    one = Question(select(literal_column("1").label("one")))
    for _ in range(2):
        assert store.ask(lambda db: one.put(db, {})) == [(1,)]
        assert store.ask(lambda db: db.execute(text("SELECT 1")).scalar_one()) == 1
        with store.transaction() as db:
            db.execute(cut)
    assert store.ask(lambda db: db.execute(text("SELECT 1")).scalar_one()) == 1
    store.close()
