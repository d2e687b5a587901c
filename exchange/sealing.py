"""Sealed pages: what a walk through a collection will ask for again and again, joined and packed once.

Every reader of one rank sees the same, so a page is sealed for the ranks between which nothing in its range differs.
A worker seals; whoever changes an entry deletes the pages around it in the same transaction (`feed.unseal`).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any
from uuid import UUID

import zstandard
from sqlalchemy import Row, delete, func, select
from sqlalchemy.orm import Session

from exchange import feed, lanes, pages
from exchange.db import Store
from exchange.models import Collection, Entry, SealedPage
from exchange.pages import Wanted
from exchange.sharing import TLP, FeedViewer

PAGE = 1000
"""Objects of a sealed page. One that takes the place of another may hold fewer, see `thin`."""

FACES = ("objects", "manifest")
_THIN = PAGE // 2
_READERS = [tlp.rank for tlp in TLP]
_LAST_LANES = [n for n in range(lanes.QUARANTINED) if lanes.ends_of(n) & lanes.LAST]


def seal(store: Store) -> int:
    """Seal every full page that is not sealed yet, each in a transaction of its own; returns how many were."""
    with store.reading() as db:
        waiting = db.scalars(select(Collection.id).where(Collection.unsealed, Collection.owner_id.is_(None))).all()
    made = sum(_seal_collection(store, collection_id) for collection_id in waiting)
    if made:
        store.refresh_statistics()
    return made


def thin(db: Session) -> Sequence[UUID]:
    """Collections where sealed pages became thin on the whole."""
    pages_of = select(SealedPage.collection_id).where(SealedPage.face == FACES[0]).group_by(SealedPage.collection_id)
    return db.scalars(pages_of.having(func.count() > 1, func.avg(SealedPage.objects) < _THIN)).all()


def give_up(db: Session, collection_id: UUID) -> None:
    """The sealed pages of a collection are over, and are sealed anew."""
    feed.lock(db, collection_id).unsealed = True
    db.execute(delete(SealedPage).where(SealedPage.collection_id == collection_id))


def _seal_collection(store: Store, collection_id: UUID) -> int:
    made, reached = 0, dict.fromkeys(_READERS, 0)
    while True:
        with store.transaction() as db:
            collection = feed.lock(db, collection_id)
            if any(_seal_next(db, collection, reader, reached) for reader in _READERS):
                made += 1
            elif any(reached.values()):  # What went away meanwhile left gaps behind us.
                reached = dict.fromkeys(_READERS, 0)
            else:
                collection.unsealed = False
                return made


def _seal_next(db: Session, collection: Collection, reader: int, reached: dict[int, int]) -> bool:
    """Seal the next page that a reader of this rank misses, if there is one to seal.

    It is shared with stricter ranks as far as they would seal the very same: where a page ends never tells what lies
    beyond a reader's rank.
    """
    gap = _gap(db, collection, reader, reached[reader])
    everything = FeedViewer(None, "", reader, frozenset({collection.id}))
    rows = pages.entries(db, collection.id, viewer=everything, wanted=Wanted(gap.after), limit=PAGE, upto=gap.upto)
    if gap.upto is None and len(rows) < PAGE:
        return False
    last = rows[-1].date_added if gap.upto is None or len(rows) == PAGE else gap.upto
    upto = _shared_upto(db, collection, gap, last, reader, reached)
    for face in FACES:
        db.add(_sealed(collection, face, rows, rank=reader, upto=upto, after=gap.after, last=last))
    db.flush()
    reached[reader] = last
    return True


def _shared_upto(
    db: Session, collection: Collection, gap: _Gap, last: int, reader: int, reached: dict[int, int]
) -> int:
    for other in range(reader + 1, len(_READERS)):
        more = select(Entry.date_added).where(
            Entry.collection_id == collection.id,
            Entry.date_added > gap.after,
            Entry.date_added <= last,
            Entry.lane.in_([n for n in _LAST_LANES if lanes.rank_of(n) == other]),
        )
        if db.scalar(more.limit(1)) is not None or _gap(db, collection, other, reached[other]) != gap:
            return other - 1
    return _READERS[-1]


@dataclass(frozen=True)
class _Gap:
    """A range of date_added that no sealed page covers for a reader; without `upto`, the rest of the collection."""

    after: int
    upto: int | None


def _gap(db: Session, collection: Collection, reader: int, reached: int) -> _Gap:
    """The first gap after `reached`."""
    for page in db.execute(_pages(collection, reader, reached)):
        if page.after > reached:
            return _Gap(reached, page.after)
        reached = max(reached, page.last)
    return _Gap(reached, None)


def _pages(collection: Collection, reader: int, reached: int) -> Any:
    mine = (SealedPage.collection_id == collection.id, SealedPage.face == FACES[0])
    of_reader = (SealedPage.rank <= reader, SealedPage.upto >= reader)
    asked = select(SealedPage.after, SealedPage.last).where(*mine, *of_reader)
    return asked.where(SealedPage.last > reached).order_by(SealedPage.last)


def _sealed(collection: Collection, face: str, rows: Sequence[Row[Any]], **range_: int) -> SealedPage:
    parts = pages.faces_of(rows, face)
    plain = b",".join(parts)
    ends = accumulate(parts, lambda end, part: end + 1 + len(part), initial=-1)
    return SealedPage(
        collection_id=collection.id,
        face=face,
        objects=len(rows),
        size_bytes=len(plain),
        crc32=zlib.crc32(plain) ^ zlib.crc32(bytes(len(plain))),
        zstd=zstandard.ZstdCompressor(level=3).compress(plain),
        deflate=_deflated(plain),
        dates=pages.kept_numbers("q", [row.date_added for row in rows]),
        ends=pages.kept_numbers("I", list(ends)[1:]),
        **range_,
    )


def _deflated(plain: bytes) -> bytes:
    """A raw deflate stream without its end, so that other bytes can be put before and behind it (RFC 1951)."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH)
