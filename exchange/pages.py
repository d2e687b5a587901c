"""What pollers get: the next objects of a collection, in order of date_added, as ready bytes.

A page is a join of bytes that are stored already. Where pages were sealed, it is cut from them; the rest is read from
the entries, lane by lane, so that neither depth nor size nor what the caller may not see makes it slower.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson
import zstandard
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    String,
    Uuid,
    and_,
    bindparam,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from exchange import lanes
from exchange.db import Asked
from exchange.models import Entry, ObjectVersion, SealedPage
from exchange.questions import Question, dialect_of
from exchange.sharing import FeedViewer, receivable_lanes
from exchange.times import from_micros, rfc3339

SPEC_VERSION = "2.1"
STIX_TYPE = "application/stix+json;version=2.1"
_MOST_BRANCHES = 48


@dataclass(frozen=True)
class Wanted:
    """A question about a collection (TAXII 2.1, section 3.4). Empty sets do not narrow.

    Attributes:
        after: date_added, µs since 1970; strictly after it.
        versions: of `first`, `last`, `all` and STIX timestamps.
    """

    after: int = 0
    ids: frozenset[str] = field(default_factory=frozenset)
    types: frozenset[str] = field(default_factory=frozenset)
    versions: frozenset[str] = frozenset({"last"})
    spec_versions: frozenset[str] = field(default_factory=frozenset)

    @property
    def narrows(self) -> bool:
        """Whether it asks for less than the newest version of everything."""
        return bool(self.ids or self.types or self.spec_versions) or self.versions != {"last"}


@dataclass(frozen=True)
class Packed:
    """The bytes of a page as they were packed when it was sealed: a raw deflate stream that is not at its end.

    `crc32` is that of the plain bytes, added to that of as many zeros: what is left of it when it begins elsewhere.
    """

    deflate: bytes
    crc32: int
    size_bytes: int


@dataclass(frozen=True)
class Page:
    """Objects joined by commas, and whether more follow.

    Attributes:
        first, last: date_added of the first and last object, µs since 1970; 0 if there is none.
        packed: the same bytes packed, if they were asked for and are there; `body` is then empty.
    """

    objects: int = 0
    first: int = 0
    last: int = 0
    body: bytes = b""
    more: bool = False
    packed: Packed | None = None


EMPTY = Page()


def read(
    db: Asked,
    collection: Row[Any],
    *,
    viewer: FeedViewer,
    wanted: Wanted,
    limit: int,
    face: str = "objects",
    packed: bool = False,
) -> Page:
    """The next objects of a collection, oldest first; continue after the page's `last`.

    Args:
        collection: as `feed_accounts.Caller` has it.
        face: `objects`, `manifest` (records of TAXII 2.1, section 5.3.1) or `versions` (JSON strings).
        packed: give sealed bytes as they are, if the page is a sealed one as a whole.
    Source: TAXII 2.1, sections 3.4 (Filtering) and 3.5 (Pagination).
    """
    if nothing_for(viewer, collection, wanted):
        return EMPTY
    own = collection.id in viewer.quarantined
    if wanted.narrows or face == "versions" or own:
        return _from_entries(db, collection.id, viewer, wanted, limit, face)
    return _from_seals(db, collection.id, viewer, wanted.after, limit, face, packed)


def nothing_for(viewer: FeedViewer, collection: Any, wanted: Wanted) -> bool:
    """Whether it needs no question to know that there is nothing.

    What is added from now on lies after all that `collection` tells of, so that nothing can be lost.
    """
    if collection.id not in viewer.reads or (wanted.spec_versions and SPEC_VERSION not in wanted.spec_versions):
        return True
    news: int = max(collection.news[: viewer.tlp + 1])
    return wanted.after >= news and collection.id not in viewer.quarantined


def has_object(db: Asked, collection: Row[Any], stix_id: str, *, viewer: FeedViewer) -> bool:
    """Whether `viewer` may know that this object is in the collection."""
    this = (Entry.collection_id == collection.id, Entry.stix_id == stix_id, receivable(viewer, collection.id))
    return db.execute(select(Entry.date_added).where(*this).limit(1)).first() is not None


def receivable(viewer: FeedViewer, collection_id: UUID) -> ColumnElement[bool]:
    """What `viewer` may receive of a collection, as a clause over its entries."""
    allowed = receivable_lanes(viewer, collection_id)
    return or_(*(_in_lane(number, viewer) for number in allowed)) if allowed else literal_column("1 = 0")


def newest() -> ColumnElement[bool]:
    """The newest version of each object, as a clause over entries: what a question without `match[version]` means."""
    return Entry.lane.in_([number for number in lanes.ALL if lanes.ends_of(number) & lanes.LAST])


def count(db: Asked, collection_id: UUID, *, viewer: FeedViewer) -> int:
    """How many objects a walk through the collection would give."""
    own = (Entry.collection_id == collection_id, receivable(viewer, collection_id), newest())
    return db.scalar(select(func.count()).select_from(Entry).where(*own)) or 0


def _in_lane(number: int, viewer: FeedViewer) -> ColumnElement[bool]:
    if number >= lanes.QUARANTINED:
        return and_(Entry.lane == number, Entry.contributor_id == viewer.account_id)
    return Entry.lane == number


# --- from the entries ------------------------------------------------------------------------------------


def _from_entries(
    db: Asked, collection_id: UUID, viewer: FeedViewer, wanted: Wanted, limit: int, face: str, upto: int | None = None
) -> Page:
    rows = entries(db, collection_id, viewer=viewer, wanted=wanted, limit=limit + 1, upto=upto)
    return page_of(rows[:limit], face, more=len(rows) > limit)


def page_of(rows: Sequence[Row[Any]], face: str, *, more: bool = False) -> Page:
    """Rows of (date_added, stix_id, version, body) as a page."""
    if not rows:
        return EMPTY
    return Page(len(rows), rows[0].date_added, rows[-1].date_added, b",".join(_FACES[face](rows)), more)


def faces_of(rows: Sequence[Row[Any]], face: str) -> list[bytes]:
    """Each row as it stands in an answer."""
    return _FACES[face](rows)


def _records(rows: Sequence[Row[Any]]) -> list[bytes]:
    return [
        orjson.dumps(
            {"id": r.stix_id, "date_added": added_at(r.date_added), "version": r.version, "media_type": STIX_TYPE}
        )
        for r in rows
    ]


_FACES: Mapping[str, Callable[[Sequence[Row[Any]]], list[bytes]]] = {
    "objects": lambda rows: [row.body for row in rows],
    "manifest": _records,
    "versions": lambda rows: [orjson.dumps(row.version) for row in rows],
}


def entries(
    db: Asked, collection_id: UUID, *, viewer: FeedViewer, wanted: Wanted, limit: int, upto: int | None = None
) -> Sequence[Row[Any]]:
    """Rows of (date_added, lane, stix_id, version, body) that `viewer` may receive, in order of date_added.

    Args:
        upto: a date_added to stop at, included.
    """
    numbers = tuple(receivable_lanes(viewer, collection_id))
    if collection_id not in viewer.quarantined:
        numbers = tuple(number for number in numbers if number < lanes.QUARANTINED)
    named = wanted.versions - {"first", "last", "all"}
    ends = lanes.ends_wanted(wanted.versions)
    chosen = tuple(number for number in numbers if lanes.ends_of(number) in ends)
    firsts = tuple(number for number in chosen if _only_as_first(number, wanted.versions))
    values: dict[str, Any] = {"collection": collection_id, "after": wanted.after, "limit": limit, "tlp": viewer.tlp}
    values |= {"me": viewer.account_id} if collection_id in viewer.quarantined else {}
    values |= {"upto": upto} if upto is not None else {}
    types = sorted(wanted.types)
    if wanted.ids or named:
        if len(wanted.ids) == 1 and not named and not types:
            return _in_order(_one(chosen, firsts, upto is not None).put(db, values | {"id": min(wanted.ids)}))
        values |= {"ids": sorted(wanted.ids), "named": sorted(named), "types": types}
        shape = (bool(wanted.ids), bool(named), bool(types), upto is not None)
        return _in_order(db.execute(_picked(numbers, chosen, firsts, *shape), values).all())
    if not chosen:
        return []
    spread = len(chosen) * max(1, len(types)) <= _MOST_BRANCHES
    values |= {f"type{n}": name for n, name in enumerate(types)} if spread else {"types": types}
    if not spread:
        return _in_order(db.execute(_filtered(chosen, firsts, upto is not None), values).all())
    # SQLite merges sorted ranges as it reads them; PostgreSQL plans well only when each range is cut.
    cut = dialect_of(db).name != "sqlite"
    return _in_order(_merged(chosen, firsts, len(types), upto is not None, cut).put(db, values))


def _in_order(rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Nearly sorted already; the databases would carry the bodies through a sort of their own."""
    return sorted(rows, key=attrgetter("date_added"))


_COLLECTION = bindparam("collection", type_=Uuid())
_AFTER = bindparam("after", type_=BigInteger())
_UPTO = bindparam("upto", type_=BigInteger())
_LIMIT = bindparam("limit", type_=BigInteger())
_NOTHING: ColumnElement[int] = literal_column("0")
_ME = bindparam("me", type_=Uuid())
_TLP = bindparam("tlp", type_=BigInteger())


@lru_cache(maxsize=1024)
def _merged(numbers: tuple[int, ...], firsts: tuple[int, ...], types: int, bounded: bool, cut: bool) -> Question:
    """Each lane, of each type, is a range of an index; the ranges are merged until there is enough."""
    entry = aliased(Entry)
    branches = [
        select(entry.date_added.label("date_added"), entry.lane, entry.stix_id, entry.object_version_id).where(
            *_bounds(entry, bounded), _lane_clause(entry, (number,), firsts), *([entry.type == kind] if types else [])
        )
        for number in numbers
        for kind in _type_binds(types)
    ]
    if cut:
        branches = [select(one.order_by("date_added").limit(_LIMIT).subquery()) for one in branches]
    merged = union_all(*branches) if len(branches) > 1 else branches[0]
    chosen = merged.order_by("date_added").limit(_LIMIT).subquery()
    columns = (chosen.c.date_added, chosen.c.lane, chosen.c.stix_id, ObjectVersion.version, ObjectVersion.body)
    return Question(select(*columns).join(ObjectVersion, ObjectVersion.id == chosen.c.object_version_id))


def _several(name: str) -> Any:
    return bindparam(name, expanding=True, type_=String())


def _type_binds(count: int) -> list[Any]:
    return [bindparam(f"type{n}", type_=String()) for n in range(count)] or [None]


def _bounds(entry: Any, bounded: bool) -> list[ColumnElement[bool]]:
    clauses = [entry.collection_id == _COLLECTION, entry.date_added > _AFTER]
    return [*clauses, entry.date_added <= _UPTO] if bounded else clauses


def _only_as_first(number: int, versions: frozenset[str]) -> bool:
    """Whether an entry of this lane is wanted because it is the first of its object that the reader may see."""
    as_last = "last" in versions and lanes.ends_of(number) & lanes.LAST
    return "first" in versions and not as_last and number < lanes.QUARANTINED


def _lane_clause(
    entry: Any, numbers: Sequence[int], firsts: Sequence[int] = (), lane: Any = None
) -> ColumnElement[bool]:
    """Lanes are few and known, so they stand in the statement itself, where a planner can read them."""
    lane = entry.lane if lane is None else lane
    clause = _among(lane, numbers)
    if any(number >= lanes.QUARANTINED for number in numbers):
        clause = and_(clause, or_(entry.lane < literal_column(str(lanes.QUARANTINED)), entry.contributor_id == _ME))
    wanted_as_first = [number for number in numbers if number in firsts]
    if not wanted_as_first:
        return clause
    return and_(clause, or_(not_(_among(lane, wanted_as_first)), entry.first_upto >= _TLP))


def _among(lane: Any, numbers: Sequence[int]) -> ColumnElement[bool]:
    written: list[ColumnElement[int]] = [literal_column(str(number)) for number in numbers]
    clause: ColumnElement[bool] = lane == written[0] if len(written) == 1 else lane.in_(written)
    return clause


@lru_cache(maxsize=64)
def _filtered(numbers: tuple[int, ...], firsts: tuple[int, ...], bounded: bool) -> Any:
    """Of very many types: everything in order, and what is not asked for left out."""
    columns = (Entry.date_added, Entry.lane, Entry.stix_id, ObjectVersion.version, ObjectVersion.body)
    joined = select(*columns).join(ObjectVersion, ObjectVersion.id == Entry.object_version_id)
    clauses = (*_bounds(Entry, bounded), _lane_clause(Entry, numbers, firsts), Entry.type.in_(_several("types")))
    return joined.where(*clauses).order_by(Entry.date_added).limit(_LIMIT)


@lru_cache(maxsize=256)
def _picked(
    numbers: tuple[int, ...],
    chosen: tuple[int, ...],
    firsts: tuple[int, ...],
    by_id: bool,
    by_version: bool,
    by_type: bool,
    bounded: bool,
) -> Any:
    """A few objects by id, or by the time of their version: found by that first, and only then put in order."""
    # Of a sum no index knows: a planner without statistics would else walk through all that was added since.
    lane = Entry.lane + _NOTHING
    may = _lane_clause(Entry, chosen, firsts, lane) if chosen else false()
    if by_version:
        either = or_(may, ObjectVersion.version.in_(_several("named")))
        may = and_(_lane_clause(Entry, numbers, (), lane), either) if numbers else false()
    clauses = [may]
    clauses += [Entry.stix_id.in_(_several("ids"))] if by_id else []
    clauses += [Entry.type.in_(_several("types"))] if by_type else []
    return _found_first(clauses, bounded)


@lru_cache(maxsize=256)
def _one(chosen: tuple[int, ...], firsts: tuple[int, ...], bounded: bool) -> Question:
    """One object by id."""
    may = _lane_clause(Entry, chosen, firsts, Entry.lane + _NOTHING) if chosen else false()
    return Question(_found_first([may, Entry.stix_id == bindparam("id", type_=String())], bounded))


def _found_first(clauses: Sequence[Any], bounded: bool) -> Any:
    date_added = Entry.date_added + _NOTHING
    bounds = [Entry.collection_id == _COLLECTION, date_added > _AFTER]
    bounds += [date_added <= _UPTO] if bounded else []
    keys = select(Entry.date_added, Entry.lane, Entry.stix_id, Entry.object_version_id, ObjectVersion.version)
    keys = keys.join(ObjectVersion, ObjectVersion.id == Entry.object_version_id)
    # An offset, even of nothing, is what both databases do not look through when they plan.
    found = keys.where(*bounds, *clauses).offset(0).subquery()
    first = select(found).order_by(found.c.date_added).limit(_LIMIT).subquery()
    columns = (first.c.date_added, first.c.lane, first.c.stix_id, first.c.version, ObjectVersion.body)
    return select(*columns).join(ObjectVersion, ObjectVersion.id == first.c.object_version_id)


# --- from sealed pages -------------------------------------------------------------------------------------


def _from_seals(
    db: Asked, collection_id: UUID, viewer: FeedViewer, after: int, limit: int, face: str, packed: bool
) -> Page:
    """Sealed pages, and what lies between and behind them from the entries, until there are `limit` objects."""
    pieces: list[Page] = []
    more = False
    while (missing := limit - sum(piece.objects for piece in pieces)) > 0:
        whole = packed and missing == limit
        sealed = _sealed_at(db, collection_id, viewer, after, face, packed=whole)
        if sealed is None or sealed.after > after:
            upto = sealed.after if sealed else None
            piece = _from_entries(db, collection_id, viewer, Wanted(after), missing, face, upto)
        else:
            piece = _cut(db, sealed, after, missing, whole=whole)
        pieces.append(piece)
        more = piece.more
        if more or sealed is None:
            return _joined(pieces, more=more)
        if sealed.after > after:
            more, after = bool(sealed.objects or sealed.followed), sealed.after
        else:
            more, after = bool(sealed.followed), sealed.last
    return _joined(pieces, more=more)


def _joined(pieces: Sequence[Page], *, more: bool) -> Page:
    full = [piece for piece in pieces if piece.objects]
    if not full:
        return EMPTY
    body = full[0].body if len(full) == 1 else b",".join(piece.body for piece in full)
    count = sum(piece.objects for piece in full)
    return Page(count, full[0].first, full[-1].last, body, more, full[0].packed)


_RANK, _FACE = bindparam("rank", type_=BigInteger()), bindparam("face", type_=String())


@lru_cache(maxsize=64)
def _covering(packed: bool, numbers: tuple[int, ...]) -> Question:
    """The sealed page of a reader that covers the next entry, or else the next there is; and whether more follows."""
    s, entry = SealedPage, aliased(Entry)
    mine = (s.collection_id == _COLLECTION, s.face == _FACE, s.rank <= _RANK, s.upto >= _RANK)

    def behind(number: int) -> ColumnElement[bool]:
        later = (entry.collection_id == _COLLECTION, entry.date_added > s.last)
        return exists().where(*later, _lane_clause(entry, (number,)))

    followed = or_(*map(behind, numbers))
    bytes_kept = s.deflate if packed else s.zstd
    columns = (s.id, s.after, s.last, s.objects, s.size_bytes, s.crc32, s.dates, s.ends, bytes_kept.label("kept"))
    asked = select(*columns, followed.label("followed")).where(*mine, s.last > _AFTER)
    return Question(asked.order_by(s.last).limit(1))


def _sealed_at(
    db: Asked, collection_id: UUID, viewer: FeedViewer, after: int, face: str, *, packed: bool
) -> Row[Any] | None:
    asked = {"collection": collection_id, "after": after, "rank": viewer.tlp, "face": face}
    return next(iter(_covering(packed, _newest_lanes(viewer, collection_id)).put(db, asked)), None)


def _newest_lanes(viewer: FeedViewer, collection_id: UUID) -> tuple[int, ...]:
    """Where the newest version of an object may lie, the fullest lanes first."""
    seen = (n for n in receivable_lanes(viewer, collection_id) if n < lanes.QUARANTINED)
    return tuple(sorted((n for n in seen if lanes.ends_of(n) & lanes.LAST), key=lanes.ends_of, reverse=True))


def _cut(db: Asked, sealed: Row[Any], after: int, limit: int, *, whole: bool) -> Page:
    """The objects of a sealed page after `after`, at most `limit`; `more` if that page has more.

    Args:
        whole: give it packed as it is, if that is all of it and all that was asked for.
    """
    dates, ends = _numbers("q", sealed.dates), _numbers("I", sealed.ends)
    start = bisect_right(dates, after)
    stop = min(start + limit, len(dates))
    if start == stop:
        return EMPTY
    page = Page(stop - start, dates[start], dates[stop - 1], more=stop < len(dates))
    all_of_it = stop - start == len(dates)
    if whole and all_of_it and stop - start == limit:
        return replace(page, packed=Packed(sealed.kept, sealed.crc32, sealed.size_bytes))
    plain = unpacked(db, sealed.id) if whole else _plain(sealed.kept)
    return replace(page, body=plain if all_of_it else plain[ends[start - 1] + 1 if start else 0 : ends[stop - 1]])


def kept_numbers(code: str, values: Sequence[int]) -> bytes:
    """An array as the store keeps it, little endian."""
    made = array(code, values)
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()


def _numbers(code: str, kept: bytes) -> Sequence[int]:
    found = array(code, kept)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _plain(kept: bytes) -> bytes:
    # One for each call: a decompressor is not for several threads.
    return zstandard.ZstdDecompressor().decompress(kept)


def unpacked(db: Asked, sealed_id: int) -> bytes:
    """The plain bytes of a sealed page."""
    return _plain(db.execute(select(SealedPage.zstd).where(SealedPage.id == sealed_id)).scalar_one())


def added_at(date_added: int) -> str:
    """A date_added as a TAXII timestamp."""
    return rfc3339(from_micros(date_added))
