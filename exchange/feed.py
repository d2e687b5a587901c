"""The released store: what was published, in which collections, and for whom.

Everything here works on the released store alone, so that the TAXII process needs nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Collection as AbstractCollection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, delete, insert, select, update
from sqlalchemy.orm import Session

from exchange import lanes
from exchange.db import add_if_absent
from exchange.errors import Conflict
from exchange.models import Collection, Entry, Grant, ObjectVersion, SealedPage
from exchange.sharing import TLP
from exchange.times import micros, version_key

Clock = Callable[[], datetime]

# The version of what has none, the same everywhere and always (TAXII 2.1, section 3.4.1: a consistent value). A time
# would tell a reader of one collection when an address came into another.
UNVERSIONED = "1970-01-01T00:00:00.000Z"

# SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535.
_AT_ONCE = 5_000


@dataclass(frozen=True)
class Publication:
    """One rendered object version. `version` is its `modified`; None for a SCO, which has none."""

    stix_id: str
    type: str
    version: str | None
    body: bytes

    @property
    def key(self) -> tuple[str, str]:
        """Id and version, which say everything about the content."""
        return self.stix_id, version_key(self.version) if self.version else UNVERSIONED


@dataclass(frozen=True)
class Place:
    """How objects go into a collection.

    Attributes:
        rank: of the TLP level, or `lanes.QUARANTINE`.
        space: whose objects these are, see `ObjectVersion`.
        levels: the rank that each object, by id, has when it leaves quarantine.
    """

    rank: int
    space: str = ""
    contributor_id: UUID | None = None
    submission_id: UUID | None = None
    levels: Mapping[str, int] = field(default_factory=dict)


# --- publishing ----------------------------------------------------------------------------------------


def publish(
    db: Session, objects: Sequence[Publication], *, aliases: AbstractCollection[str], tlp: TLP, clock: Clock
) -> int:
    """Put objects into collections, in one commit; what is there already stays. Returns how many entries are new.

    Every publisher locks all collections that are not sandboxes first: `date_added` then rises in commit order, and an
    object reaches all circles at the same moment. What has no versions is at the loosest level of all that say it.

    Raises: Conflict if a version is there with other content.
    Source: TAXII 2.1, section 3.3 (Sorting).
    """
    chosen = [one for one in lock_all(db) if one.alias in aliases]
    now, place = clock(), Place(tlp.rank)
    stricter = _unversioned(db, chosen, objects, Entry.tlp > tlp.rank)
    for collection in chosen:
        remove(db, collection, stricter[collection.id], now=now)
    versions = store(db, objects)
    here = _lineages(db, chosen, {one.stix_id for one in versions}, place)
    with db.no_autoflush:  # A circle's own row need not be written before the next circle's entries.
        return sum(_enter(db, one, versions, place, here[one.id], now=now) for one in chosen)


def retire(
    db: Session,
    revoked: Sequence[Publication],
    gone: Sequence[str],
    *,
    aliases: AbstractCollection[str],
    tlp: TLP,
    clock: Clock,
) -> None:
    """Take objects of ours back: revoked ones stay with their last version alone, the others go altogether."""
    if not revoked and not gone:
        return
    publish(db, revoked, aliases=aliases, tlp=tlp, clock=clock)
    last = {one.stix_id: one.key[1] for one in revoked}
    for collection in lock_all(db):
        if collection.alias in aliases:
            dates = _earlier(db, collection, [*last, *gone], last)
            remove(db, collection, dates, now=clock())


def restrict(
    db: Session, objects: Sequence[Publication], *, aliases: AbstractCollection[str], tlp: TLP, clock: Clock
) -> None:
    """Keep objects of ours for those who may receive `tlp`, by a version of each at that level.

    What has no versions is added anew. Nothing comes into a collection that does not have it.
    """
    if not objects:
        return
    chosen = [one for one in lock_all(db) if one.alias in aliases]
    now = clock()
    for collection in chosen:
        here = _ours(db, collection, [one.stix_id for one in objects])
        known = [one for one in objects if one.stix_id in here]
        remove(db, collection, _unversioned(db, [collection], known, Entry.tlp < tlp.rank)[collection.id], now=now)
        enter(db, collection, store(db, known), Place(tlp.rank), now=now)


def _ours(db: Session, collection: Collection, stix_ids: Sequence[str]) -> set[str]:
    """Which of these objects a collection has from us."""
    rows = select(Entry.stix_id).where(Entry.collection_id == collection.id, Entry.contributor_id.is_(None))
    return {stix_id for some in in_parts(stix_ids) for stix_id in db.scalars(rows.where(Entry.stix_id.in_(some)))}


def _unversioned(
    db: Session, collections: Sequence[Collection], objects: Sequence[Publication], clause: ColumnElement[bool]
) -> dict[UUID, list[int]]:
    """By collection, our entries of those objects that have no versions, as far as the clause holds."""
    stix_ids = sorted({one.stix_id for one in objects if one.version is None})
    found: dict[UUID, list[int]] = {one.id: [] for one in collections}
    rows = select(Entry.collection_id, Entry.date_added).where(Entry.collection_id.in_(found), clause)
    for some in in_parts(stix_ids):
        for row in db.execute(rows.where(Entry.contributor_id.is_(None), Entry.stix_id.in_(some))):
            found[row.collection_id].append(row.date_added)
    return found


def _earlier(db: Session, collection: Collection, stix_ids: Sequence[str], last: Mapping[str, str]) -> list[int]:
    """The entries of these objects, but for the version that is their last. What members contributed is not ours."""
    rows = select(Entry.date_added, Entry.stix_id, ObjectVersion.version).join(ObjectVersion)
    rows = rows.where(Entry.collection_id == collection.id, Entry.contributor_id.is_(None))
    return [
        row.date_added
        for some in in_parts(stix_ids)
        for row in db.execute(rows.where(Entry.stix_id.in_(some)))
        if row.version != last.get(row.stix_id)
    ]


def lock_all(db: Session) -> Sequence[Collection]:
    """Every collection of the exchange, locked, in their order."""
    shared = select(Collection).where(Collection.owner_id.is_(None))
    return db.scalars(shared.order_by(Collection.position, Collection.id).with_for_update(key_share=True)).all()


def lock(db: Session, collection_id: UUID) -> Collection:
    """One collection, locked: for what concerns no other."""
    return db.scalars(select(Collection).where(Collection.id == collection_id).with_for_update(key_share=True)).one()


class Stored(NamedTuple):
    """A stored object version."""

    id: int
    stix_id: str
    type: str
    version: str


def store(db: Session, objects: Iterable[Publication], *, space: str = "") -> list[Stored]:
    """The stored versions of these objects, in their order, each once. Raises: Conflict."""
    wanted: dict[tuple[str, str], Publication] = {}
    for one in objects:
        _same(wanted.setdefault(one.key, one).body, one)
    known = stored_versions(db, [stix_id for stix_id, _ in wanted], space=space)
    for key in wanted.keys() & known.keys():
        _same(known[key].body, wanted[key])
    fresh = [one for key, one in wanted.items() if key not in known]
    made = dict(zip((one.key for one in fresh), _insert_versions(db, fresh, space), strict=True))
    ids = {key: row.id for key, row in known.items()} | made
    return [Stored(ids[key], one.stix_id, one.type, key[1]) for key, one in wanted.items()]


def _same(body: bytes, published: Publication) -> None:
    if body != published.body:
        raise Conflict(f"{published.stix_id}: this version already exists with different content")


def stored_versions(db: Session, stix_ids: Sequence[str], *, space: str) -> dict[tuple[str, str], Row[Any]]:
    """What is stored of these objects in a space: rows of (id, stix_id, version, body) by id and version."""
    columns = (ObjectVersion.id, ObjectVersion.stix_id, ObjectVersion.version, ObjectVersion.body)
    found: dict[tuple[str, str], Row[Any]] = {}
    for some in in_parts(stix_ids):
        rows = db.execute(select(*columns).where(ObjectVersion.space == space, ObjectVersion.stix_id.in_(some)))
        found |= {(row.stix_id, row.version): row for row in rows}
    return found


def _insert_versions(db: Session, fresh: list[Publication], space: str) -> list[int]:
    rows = [
        {"space": space, "stix_id": one.stix_id, "version": one.key[1], "type": one.type, "body": one.body}
        | {"spec_version": "2.1"}
        for one in fresh
    ]
    adding = insert(ObjectVersion).returning(ObjectVersion.id, sort_by_parameter_order=True)
    return list(db.scalars(adding, rows)) if rows else []


def enter(db: Session, collection: Collection, versions: Sequence[Stored], place: Place, *, now: datetime) -> int:
    """Put stored versions into a locked collection; returns how many were not there."""
    here = _lineages(db, [collection], {one.stix_id for one in versions}, place)[collection.id]
    return _enter(db, collection, versions, place, here, now=now)


def _enter(
    db: Session,
    collection: Collection,
    versions: Sequence[Stored],
    place: Place,
    here: dict[str, list[_Held]],
    *,
    now: datetime,
) -> int:
    """`enter`, with the lineages that are `here` already."""
    fresh = [one for one in versions if all(one.id != held.version_id for held in here[one.stix_id])]
    grown = {one.stix_id for one in fresh if here[one.stix_id]}
    added = [_Held(one.id, one.version, place.rank, -1, _next_moment(collection, now)) for one in fresh]
    for one, held in zip(fresh, added, strict=True):
        here[one.stix_id].append(held)
    laned = {held.date_added: held for stix_id in {v.stix_id for v in fresh} for held in _laned(here[stix_id])}
    rows = [_row(collection, one, laned[held.date_added], place) for one, held in zip(fresh, added, strict=True)]
    if rows:
        db.execute(insert(Entry), rows)
        collection.unsealed = True
        _tell_news(collection, place.rank, added[-1].date_added)
    _move(db, collection, [held for stix_id in grown for held in here[stix_id]], laned, now)
    return len(rows)


def _tell_news(collection: Collection, rank: int, date_added: int) -> None:
    if rank < lanes.QUARANTINE:
        collection.news = [date_added if n == rank else last for n, last in enumerate(collection.news)]


class _Held(NamedTuple):
    """A version of an object in a collection."""

    version_id: int
    version: str
    tlp: int
    lane: int
    date_added: int
    first_upto: int = 0


def _lineages(
    db: Session, collections: Sequence[Collection], stix_ids: set[str], place: Place
) -> dict[UUID, dict[str, list[_Held]]]:
    """By collection, the versions of these objects that are compared with one another: the released, or a contributor's
    own."""
    here: dict[UUID, dict[str, list[_Held]]] = {one.id: {stix_id: [] for stix_id in stix_ids} for one in collections}
    columns = (Entry.stix_id, ObjectVersion.id, ObjectVersion.version, Entry.tlp, Entry.lane, Entry.date_added)
    known = select(*columns, Entry.first_upto, Entry.collection_id).join(ObjectVersion)
    known = known.where(Entry.collection_id.in_(here))
    quarantined = Entry.lane >= lanes.QUARANTINED
    if place.rank == lanes.QUARANTINE:
        known = known.where(quarantined, Entry.contributor_id == place.contributor_id)
    else:
        known = known.where(~quarantined)
    for some in in_parts(sorted(stix_ids)):
        for row in db.execute(known.where(Entry.stix_id.in_(some))):
            tlp = row.tlp if place.rank < lanes.QUARANTINE else lanes.QUARANTINE
            held = _Held(row.id, row.version, tlp, row.lane, row.date_added, row.first_upto)
            here[row.collection_id][row.stix_id].append(held)
    return here


def _laned(held: Sequence[_Held]) -> list[_Held]:
    """The versions of one object, each in its lane: by version, whenever they were added.

    Nobody who may not see the newest version sees an older one; the first is the first of what a reader may see.
    """
    ordered = sorted(held, key=_moment_of)
    newest, older, laned = ordered[-1], lanes.QUARANTINE + 1, []
    for one in ordered:
        rank = max(one.tlp, newest.tlp)
        lane = lanes.lane(rank, first=rank < older, last=one is newest)
        laned.append(one._replace(lane=lane, first_upto=older - 1))
        older = min(older, rank)
    return laned


def _moment_of(held: _Held) -> str:
    """What versions are compared by; without the Z, a finer fraction comes after a coarser one."""
    return held.version.removesuffix("Z")


def _next_moment(collection: Collection, now: datetime) -> int:
    collection.last_added = max(micros(now), collection.last_added + 1)
    return collection.last_added


def _row(collection: Collection, version: Stored, held: _Held, place: Place) -> dict[str, Any]:
    return {
        "collection_id": collection.id,
        "date_added": held.date_added,
        "object_version_id": version.id,
        "stix_id": version.stix_id,
        "type": version.type,
        "tlp": place.levels.get(version.stix_id, place.rank),
        "lane": held.lane,
        "first_upto": held.first_upto,
        "contributor_id": place.contributor_id,
        "submission_id": place.submission_id,
    }


def _move(db: Session, collection: Collection, held: Sequence[_Held], laned: dict[int, _Held], now: datetime) -> None:
    """Put older entries into the lanes that are theirs now.

    What comes into somebody's view is added anew: who has passed its place would never get it.
    """
    for before in held:
        after = laned[before.date_added]
        if before.lane == -1 or (before.lane, before.first_upto) == (after.lane, after.first_upto):
            continue
        values = {"lane": after.lane, "first_upto": after.first_upto}
        if _widens(before.lane, after.lane):
            values["date_added"] = _next_moment(collection, now)
            _tell_news(collection, before.tlp, values["date_added"])
        this = (Entry.collection_id == collection.id, Entry.date_added == before.date_added)
        db.execute(update(Entry).where(*this).values(values), execution_options={"synchronize_session": False})
        unseal(db, collection, before.date_added, min(lanes.rank_of(before.lane), lanes.rank_of(after.lane)))


def _widens(before: int, after: int) -> bool:
    gains_last = lanes.ends_of(after) & lanes.LAST > lanes.ends_of(before) & lanes.LAST
    return gains_last or lanes.rank_of(after) < lanes.rank_of(before)


def unseal(db: Session, collection: Collection, date_added: int, rank: int) -> None:
    """For readers of this rank and above, the sealed pages that this entry stands in, or may stand in now, are over."""
    if rank >= lanes.QUARANTINE:
        return
    around = (SealedPage.after < date_added, SealedPage.last >= date_added, SealedPage.upto >= rank)
    these = (SealedPage.collection_id == collection.id, *around)
    db.execute(delete(SealedPage).where(*these, SealedPage.rank >= rank))
    db.execute(update(SealedPage).where(*these).values(upto=rank - 1))
    collection.unsealed = True


def remove(db: Session, collection: Collection, dates_added: Sequence[int], *, now: datetime) -> None:
    """Take entries out of a locked collection; what is left of their objects finds its lanes anew."""
    entries: list[Any] = []
    for some in in_parts(dates_added):
        these = (Entry.collection_id == collection.id, Entry.date_added.in_(some))
        columns = (Entry.date_added, Entry.stix_id, Entry.lane, Entry.contributor_id, Entry.object_version_id)
        entries += db.execute(select(*columns).where(*these)).all()
        db.execute(delete(Entry).where(*these), execution_options={"synchronize_session": False})
    families: dict[tuple[bool, UUID | None], set[str]] = {}
    for one in entries:
        unseal(db, collection, one.date_added, lanes.rank_of(one.lane))
        hidden = one.lane >= lanes.QUARANTINED
        families.setdefault((hidden, one.contributor_id if hidden else None), set()).add(one.stix_id)
    for (hidden, contributor_id), stix_ids in families.items():
        place = Place(lanes.QUARANTINE if hidden else TLP.CLEAR.rank, contributor_id=contributor_id)
        for left in _lineages(db, [collection], stix_ids, place)[collection.id].values():
            if left:
                _move(db, collection, left, {held.date_added: held for held in _laned(left)}, now)
    _forget_versions(db, {one.object_version_id for one in entries})


def _forget_versions(db: Session, ids: Iterable[int]) -> None:
    """Objects that are in no collection any more."""
    for some in in_parts(sorted(ids)):
        used = select(Entry.object_version_id).where(Entry.object_version_id.in_(some))
        db.execute(delete(ObjectVersion).where(ObjectVersion.id.in_(some), ObjectVersion.id.not_in(used)))


def in_parts(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """So many at once as both databases take in one statement."""
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))


def ensure_collection(
    db: Session, *, alias: str, title: str, description: str, position: int, ceiling: TLP = TLP.CLEAR
) -> Collection:
    """Make a collection, or bring its words up to date."""
    found = db.scalars(select(Collection).where(Collection.alias == alias)).one_or_none()
    if found is None:
        found = Collection(alias=alias)
        db.add(found)
    found.title, found.description, found.position, found.ceiling = title, description, position, ceiling.rank
    return found


def knows_collection(db: Session, alias: str) -> bool:
    """Whether there is one of this alias."""
    return db.scalar(select(Collection.id).where(Collection.alias == alias)) is not None


def open_sandbox(db: Session, account_id: UUID, *, title: str, description: str) -> None:
    """A collection of an account's own, where it may do everything; nobody else knows of it."""
    db.flush()
    own = db.scalars(select(Collection).where(Collection.owner_id == account_id)).one_or_none()
    if own is None:
        own = Collection(alias=f"sandbox-{account_id}", position=0, owner_id=account_id)
        db.add(own)
    own.title, own.description = title, description
    db.flush()
    add_if_absent(db, Grant, account_id=account_id, collection_id=own.id, can_read=True, can_write=True)
