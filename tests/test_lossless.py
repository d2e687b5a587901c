"""Several processes publish, several pollers follow: each gets every version once, in order."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from uuid import UUID, uuid4

import pytest

from config import Settings
from exchange import feed, pages, sealing
from exchange.db import Store
from exchange.feed import Publication
from exchange.pages import Wanted
from exchange.sharing import TLP, FeedViewer
from exchange.stores import Stores
from exchange.times import utcnow
from tests.test_feed import collection_of, objects_of, viewer

pytestmark = pytest.mark.timeout(1200)

WRITERS, READERS = 4, 8
OBJECTS = int(os.environ.get("NOROSHI_LOSSLESS_OBJECTS", "10000"))
"""Versions, four writers together; `make lossless` takes a hundred thousand."""

COMMIT = 25
Seen = list[tuple[int, str, str]]


def version_of(writer: int, number: int) -> Publication:
    """Every fifth is a new version of the one before it; of these some revoke, and some are too strict to be seen."""
    base, second = (number - 1, "2") if number % 5 == 4 else (number, "1")
    stix_id = f"indicator--{UUID(int=writer * OBJECTS + base, version=4)}"
    modified = f"2026-11-21T00:00:00.00{second}Z"
    body = {"id": stix_id, "modified": modified} | ({"revoked": True} if number % 25 == 14 else {})
    return Publication(stix_id, "indicator", modified, json.dumps(body).encode())


def tlp_of(number: int) -> TLP:
    """Each fifth of the new versions is re-marked beyond what the pollers may receive."""
    return TLP.RED if number % 25 == 24 else TLP.GREEN


def write(url: str, writer: int) -> None:
    """One process that publishes its share, a commit at a time; the first of them seals pages now and then."""
    store, share = Store(url, "released"), OBJECTS // WRITERS
    for start in range(0, share, COMMIT):
        with store.transaction() as db:
            for tlp in (TLP.GREEN, TLP.RED):
                numbers = [number for number in range(start, start + COMMIT) if tlp_of(number) is tlp]
                things = [version_of(writer, number) for number in numbers]
                feed.publish(db, things, aliases=["council"], tlp=tlp, clock=utcnow)
        if writer == 0 and start % 500 == 0:
            sealing.seal(store)
    store.close()


def follow(
    stores: Stores, who: FeedViewer, done: threading.Event, seen: Seen, versions: frozenset[str], limit: int
) -> None:
    """A poller that goes on from where it stopped until nothing comes any more."""
    after = 0
    while True:
        last_round = done.is_set()
        with stores.released.reading() as db:
            wanted, collection = Wanted(after, versions=versions), collection_of(db, "council")
            records = pages.read(db, collection, viewer=who, wanted=wanted, limit=limit, face="manifest")
        for one in objects_of(records):
            seen.append((one["date_added"], one["id"], one["version"]))
        after = records.last or after
        if last_round and not records.objects:
            return


def test_four_writers_and_eight_pollers_over_ten_thousand_versions(stores: Stores, settings: Settings) -> None:
    """Half of the pollers take every version, half the newest; pages are sealed meanwhile."""
    who, done = viewer(stores, "council"), threading.Event()
    questions = [frozenset({word}) for word in ("all", "last")] * (READERS // 2)
    seen: list[Seen] = [[] for _ in range(READERS)]
    readers = [
        threading.Thread(target=follow, args=(stores, who, done, mine, question, limit))
        for mine, question, limit in zip(seen, questions, (300, 1000, 77, 250, 1000, 999, 40, 500), strict=True)
    ]
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
    every, newest, hidden = _published()
    for mine, question in zip(seen, questions, strict=True):
        assert [row[0] for row in mine] == sorted({row[0] for row in mine}), "in order, no moment twice"
        own = [(stix_id, version) for _, stix_id, version in mine if (stix_id, version) in every | hidden]
        assert len(own) == len(set(own)), "nothing twice"
        assert set(own) >= (every if question == {"all"} else newest), "nothing lost"
        assert not any((stix_id, version) in hidden and version.endswith("2Z") for stix_id, version in own)


def _published() -> tuple[set[tuple[str, str]], set[tuple[str, str]], set[tuple[str, str]]]:
    """What must be seen of every version, and of the newest; and what was re-marked, both versions of it."""
    every, newest, hidden = {}, {}, set()
    for writer in range(WRITERS):
        for number in range(OBJECTS // WRITERS):
            thing = version_of(writer, number)
            if tlp_of(number) is TLP.RED:
                hidden.add(thing.stix_id)
            every[thing.key] = newest[thing.stix_id] = thing.key
    pairs = set(every.values())
    return (
        {key for key in pairs if key[0] not in hidden},
        {key for stix_id, key in newest.items() if stix_id not in hidden},
        {key for key in pairs if key[0] in hidden},
    )


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
    follow(stores, who, done, seen, frozenset({"last"}), 300)
    assert [row[1] for row in seen if row[2] == things[0].version][-1000:] == [thing.stix_id for thing in things]
