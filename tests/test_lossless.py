"""Several processes publish, several pollers follow: each gets every version once, in order."""

from __future__ import annotations

import json
import multiprocessing
import threading
from uuid import UUID, uuid4

import pytest

from config import Settings
from exchange import feed, pages
from exchange.db import Store
from exchange.feed import Publication
from exchange.pages import Wanted
from exchange.sharing import TLP, FeedViewer
from exchange.stores import Stores
from exchange.times import utcnow
from tests.test_feed import collection_of, viewer

pytestmark = pytest.mark.timeout(300)

WRITERS, READERS, OBJECTS = 4, 8, 10_000
COMMIT = 25
EVERYTHING = frozenset({"all"})


def version_of(writer: int, number: int) -> Publication:
    """Every fifth is a new version of the one before it."""
    base, second = (number - 1, "2") if number % 5 == 4 else (number, "1")
    stix_id = f"indicator--{UUID(int=writer * OBJECTS + base, version=4)}"
    modified = f"2026-11-21T00:00:00.00{second}Z"
    return Publication(stix_id, "indicator", modified, json.dumps({"id": stix_id, "modified": modified}).encode())


def write(url: str, writer: int) -> None:
    """One process that publishes its share, a commit at a time."""
    store, share = Store(url, "released"), OBJECTS // WRITERS
    for start in range(0, share, COMMIT):
        things = [version_of(writer, number) for number in range(start, start + COMMIT)]
        with store.transaction() as db:
            feed.publish(db, things, aliases=["council"], tlp=TLP.GREEN, clock=utcnow)
    store.close()


def follow(stores: Stores, who: FeedViewer, done: threading.Event, seen: list[tuple[int, str, str]]) -> None:
    """A poller that goes on from where it stopped until nothing comes any more."""
    after = 0
    while True:
        last_round = done.is_set()
        with stores.released.reading() as db:
            collection = collection_of(db, "council")
            rows = pages.entries(db, collection.id, viewer=who, wanted=Wanted(after, versions=EVERYTHING), limit=300)
        seen += [(row.date_added, row.stix_id, row.version) for row in rows]
        after = rows[-1].date_added if rows else after
        if last_round and not rows:
            return


def test_four_writers_and_eight_pollers_over_ten_thousand_versions(stores: Stores, settings: Settings) -> None:
    who, done = viewer(stores, "council"), threading.Event()
    seen: list[list[tuple[int, str, str]]] = [[] for _ in range(READERS)]
    readers = [threading.Thread(target=follow, args=(stores, who, done, mine)) for mine in seen]
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=write, args=(settings.released_url, number)) for number in range(WRITERS)]
    for one in (*readers, *writers):
        one.start()
    for process in writers:
        process.join()
    done.set()
    for thread in readers:
        thread.join()
    assert [process.exitcode for process in writers] == [0] * WRITERS
    wanted = {
        (thing.stix_id, thing.version)
        for w in range(WRITERS)
        for n in range(OBJECTS // WRITERS)
        for thing in [version_of(w, n)]
    }
    for mine in seen:
        assert [row[0] for row in mine] == sorted({row[0] for row in mine})
        own = [(stix_id, version) for _, stix_id, version in mine if (stix_id, version) in wanted]
        assert len(own) == len(wanted) == OBJECTS and set(own) == wanted


def test_a_thousand_objects_of_one_commit_are_walked_page_by_page(stores: Stores) -> None:
    things = [
        Publication(i, "indicator", "2026-11-21T00:00:00.000Z", b"{}")
        for i in (f"indicator--{uuid4()}" for _ in range(1000))
    ]
    with stores.released.transaction() as db:
        feed.publish(db, things, aliases=["council"], tlp=TLP.GREEN, clock=utcnow)
    who, done = viewer(stores, "council"), threading.Event()
    done.set()
    seen: list[tuple[int, str, str]] = []
    follow(stores, who, done, seen)
    assert [row[1] for row in seen if row[2] == things[0].version][-1000:] == [thing.stix_id for thing in things]
