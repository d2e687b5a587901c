"""Sealed pages say what the entries say, whatever happens to these, for every reader and from every position."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from exchange import feed, pages, sealing
from exchange.models import Collection, Entry, SealedPage
from exchange.pages import Page, Wanted
from exchange.sharing import TLP, FeedViewer
from exchange.stores import Stores
from taxii_server import ready
from tests.conftest import NOW
from tests.test_feed import collection_of, objects_of, put, thing, viewer

pytestmark = pytest.mark.timeout(300)


def new_collection(stores: Stores) -> str:
    """A collection of its own, so that one store serves many examples."""
    alias = f"t{uuid4().hex}"
    with stores.released.transaction() as db:
        feed.ensure_collection(db, alias=alias, title=alias, description="", position=999)
    return alias


def reader(stores: Stores, alias: str, tlp: TLP) -> FeedViewer:
    """Somebody with this ceiling."""
    return viewer(stores, alias, tlp=tlp)


def walk(
    stores: Stores, alias: str, who: FeedViewer, *, limit: int, after: int = 0, face: str = "objects"
) -> list[str]:
    """All that the reader gets, page after page, and that every page but the last is full."""
    seen: list[str] = []
    with stores.released.reading() as db:
        collection = collection_of(db, alias)
        while True:
            page = pages.read(db, collection, viewer=who, wanted=Wanted(after), limit=limit, face=face)
            items = objects_of(page)
            seen += [f"{one['id'][-4:]} {one.get('modified', one.get('version'))}" for one in items]
            if not page.more:
                return seen
            assert page.objects == limit
            after = page.last


def told_by_the_entries(stores: Stores, alias: str, who: FeedViewer) -> list[str]:
    """The same, read from the entries alone."""
    with stores.released.reading() as db:
        rows = pages.entries(db, collection_of(db, alias).id, viewer=who, wanted=Wanted(), limit=10_000)
    return [f"{row.stix_id[-4:]} {row.version}" for row in rows]


def remove(stores: Stores, alias: str, number: int) -> None:
    """Take all versions of the n-th object out."""
    with stores.released.transaction() as db:
        collection = feed.lock(db, collection_of(db, alias).id)
        own = (Entry.collection_id == collection.id, Entry.stix_id == thing(number).stix_id)
        feed.remove(db, collection, db.scalars(select(Entry.date_added).where(*own)).all(), now=NOW)


STEPS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 9), st.integers(1, 4), st.sampled_from(list(TLP))),
    st.tuples(st.just("many"), st.integers(1, 9), st.just(0), st.sampled_from([TLP.CLEAR, TLP.GREEN, TLP.AMBER])),
    st.tuples(st.just("remove"), st.integers(0, 9), st.just(0), st.just(TLP.CLEAR)),
    st.tuples(st.just("seal"), st.just(0), st.just(0), st.just(TLP.CLEAR)),
)


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=4, max_size=24), limit=st.integers(1, 7), skip=st.integers(0, 9))
def test_sealed_or_not_every_reader_gets_the_same(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, steps: list[Any], limit: int, skip: int
) -> None:
    monkeypatch.setattr(sealing, "PAGE", 4)
    monkeypatch.setattr(sealing, "_THIN", 2)
    alias, fresh, known = new_collection(stores), 1000, set()
    for verb, number, version, tlp in steps:
        if verb == "seal":
            sealing.seal(stores.released)
        elif verb == "remove":
            remove(stores, alias, number)
            known = {pair for pair in known if pair[0] != number}
        elif verb == "many":
            put(stores, *[thing(fresh + n) for n in range(number)], aliases=(alias,), tlp=tlp)
            fresh += number
        elif (number, version) not in known:
            put(stores, thing(number, version), aliases=(alias,), tlp=tlp)
            known.add((number, version))
    for tlp in TLP:
        who = reader(stores, alias, tlp)
        wanted = told_by_the_entries(stores, alias, who)
        assert walk(stores, alias, who, limit=limit) == wanted
        assert walk(stores, alias, who, limit=limit, face="manifest") == wanted
    with stores.released.reading() as db:
        dates = db.scalars(select(Entry.date_added).where(Entry.collection_id == collection_of(db, alias).id)).all()
    if dates:
        who, after = reader(stores, alias, TLP.RED), sorted(dates)[min(skip, len(dates) - 1)]
        wanted = told_by_the_entries(stores, alias, who)
        assert (
            walk(stores, alias, who, limit=limit, after=after) == wanted[len(wanted) - _later(stores, alias, after) :]
        )


def _later(stores: Stores, alias: str, after: int) -> int:
    with stores.released.reading() as db:
        who = reader(stores, alias, TLP.RED)
        return len(pages.entries(db, collection_of(db, alias).id, viewer=who, wanted=Wanted(after), limit=10_000))


def test_full_pages_are_sealed_once_and_gaps_are_closed_again(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "PAGE", 10)
    monkeypatch.setattr(sealing, "_THIN", 5)
    alias = new_collection(stores)
    put(stores, *[thing(1000 + n) for n in range(35)], aliases=(alias,))
    assert sealing.seal(stores.released) == 3
    assert sealing.seal(stores.released) == 0
    put(stores, thing(1012, 2), aliases=(alias,))
    assert sealing.seal(stores.released) == 1, "the page that lost an object; the tail is not full yet"
    put(stores, *[thing(2000 + n) for n in range(4)], aliases=(alias,))
    assert sealing.seal(stores.released) == 1


def test_who_sees_the_same_shares_a_sealed_page(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "PAGE", 10)
    alias = new_collection(stores)
    put(stores, *[thing(1000 + n) for n in range(10)], aliases=(alias,))
    put(stores, *[thing(2000 + n) for n in range(5)], aliases=(alias,), tlp=TLP.AMBER)
    put(stores, *[thing(3000 + n) for n in range(10)], aliases=(alias,))
    sealing.seal(stores.released)
    with stores.released.reading() as db:
        own = SealedPage.collection_id == collection_of(db, alias).id
        kept = db.execute(
            select(SealedPage.rank, SealedPage.upto).where(own, SealedPage.face == "objects").order_by(SealedPage.id)
        ).all()
    assert [tuple(row) for row in kept] == [(1, 4), (1, 1), (2, 4)]


def test_the_packed_page_is_one_gzip_member_of_the_same_bytes(stores: Stores) -> None:
    alias = new_collection(stores)
    put(stores, *[thing(1000 + n) for n in range(sealing.PAGE + 1)], aliases=(alias,))
    sealing.seal(stores.released)
    with stores.released.reading() as db:
        who, collection = reader(stores, alias, TLP.GREEN), collection_of(db, alias)
        plain, packed = (
            pages.read(db, collection, viewer=who, wanted=Wanted(), limit=sealing.PAGE, packed=packed)
            for packed in (False, True)
        )
    assert packed.packed is not None and not packed.body
    body = ready.envelope(packed, "objects", "token")
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    told = unpacker.decompress(body)
    assert unpacker.eof and not unpacker.unused_data
    assert told == gzip.decompress(body) == ready.envelope(plain, "objects", "token")
    assert json.loads(told)["next"] == "token"


@pytest.mark.parametrize("resealed", [False, True])
def test_a_packed_walk_over_what_was_superseded_is_whole(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, resealed: bool
) -> None:
    monkeypatch.setattr(sealing, "PAGE", 10)
    alias, told, after = new_collection(stores), [], 0
    put(stores, *[thing(1000 + n) for n in range(20)], aliases=(alias,))
    sealing.seal(stores.released)
    put(stores, *[thing(1000 + n, 2) for n in range(10)], aliases=(alias,))
    if resealed:
        sealing.seal(stores.released)
    who = reader(stores, alias, TLP.GREEN)
    with stores.released.reading() as db:
        collection = collection_of(db, alias)
        while True:
            page = pages.read(db, collection, viewer=who, wanted=Wanted(after), limit=10, packed=True)
            body = ready.envelope(page, "objects", None)
            told += json.loads(gzip.decompress(body) if page.packed else body)["objects"]
            if not page.more:
                break
            after = page.last
    assert sorted(one["id"] for one in told) == sorted(thing(1000 + n).stix_id for n in range(20))


def test_an_empty_page_is_an_empty_envelope() -> None:
    assert ready.envelope(Page(), "objects", None) == b"{}"


def test_sealing_holds_nobody_up_for_what_is_not_full(stores: Stores) -> None:
    alias = new_collection(stores)
    put(stores, thing(1), aliases=(alias,))
    assert sealing.seal(stores.released) == 0
    with stores.released.reading() as db:
        assert db.scalar(select(func.count()).select_from(Collection).where(Collection.unsealed)) == 0
