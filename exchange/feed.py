"""The released store: what was published, in which collections, for whom; and the pages that pollers get.

Everything here works on the released store alone, so that the TAXII process needs nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Collection as AbstractCollection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, delete, exists, false, insert, or_, select, update
from sqlalchemy.orm import Session, aliased

from exchange.db import add_if_absent
from exchange.errors import Conflict, NotFound
from exchange.models import Collection, Entry, FeedAccount, FeedKey, Grant, ObjectVersion, Poll
from exchange.sharing import TLP, FeedRights, FeedViewer, receivable_by
from exchange.times import from_micros, micros, rfc3339

Clock = Callable[[], datetime]

# The version of what has none, the same everywhere and always (TAXII 2.1, section 3.4.1: a consistent value). A time
# would tell a reader of one collection when an address came into another.
UNVERSIONED = "1970-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class Publication:
    """One rendered object version. `version` is its `modified`; None for a SCO, which has none."""

    stix_id: str
    type: str
    version: str | None
    body: bytes


# --- publishing ----------------------------------------------------------------------------------------


def publish(
    db: Session,
    objects: Sequence[Publication],
    *,
    aliases: AbstractCollection[str],
    tlp: TLP,
    clock: Clock,
) -> int:
    """Put objects into collections, in one commit; what is there already stays. Returns how many entries are new.

    Every publisher locks all collections first: `date_added` then rises in commit order, and an object
    reaches all circles at the same moment.

    Raises: Conflict if a version is there with other content.
    Source: TAXII 2.1, section 3.3 (Sorting).
    """
    locked = db.scalars(select(Collection).order_by(Collection.position).with_for_update()).all()
    now = clock()
    chosen = [collection for collection in locked if collection.alias in aliases]
    versions = _versions(db, objects)
    return sum(_enter(db, collection, versions, tlp, now) for collection in chosen)


def _versions(db: Session, objects: Sequence[Publication]) -> list[ObjectVersion]:
    """The stored versions of these objects."""
    ids = {published.stix_id for published in objects}
    rows = db.scalars(select(ObjectVersion).where(ObjectVersion.stix_id.in_(ids)))
    stored = {(row.stix_id, row.version): row for row in rows}
    made = dict.fromkeys(_version(published, stored) for published in objects)
    db.add_all(made)
    db.flush()
    return list(made)


def _version(published: Publication, stored: dict[tuple[str, str], ObjectVersion]) -> ObjectVersion:
    version = published.version or UNVERSIONED
    found = stored.get((published.stix_id, version))
    if found is None:
        found = ObjectVersion(stix_id=published.stix_id, version=version, type=published.type)
        found.spec_version, found.body = "2.1", published.body
        stored[published.stix_id, version] = found
    if found.body != published.body:
        raise Conflict(f"{published.stix_id}: this version already exists with different content")
    return found


def _enter(db: Session, collection: Collection, versions: list[ObjectVersion], tlp: TLP, now: datetime) -> int:
    here = _versions_here(db, collection, versions)
    fresh = [version for version in versions if version.id not in here[version.stix_id].values()]
    grown = {version.stix_id for version in fresh if here[version.stix_id]}
    for version in fresh:
        here[version.stix_id][version.version] = version.id
    entries = []
    for version in fresh:
        own = here[version.stix_id]
        collection.last_added = max(micros(now), collection.last_added + 1)
        ends = {"first": version.version == min(own), "last": version.version == max(own)}
        entries.append(_entry(collection, version, tlp) | ends)
    if entries:
        db.execute(insert(Entry), entries)
    for stix_id in grown:
        _mark_ends(db, collection, stix_id, here[stix_id])
    return len(fresh)


def _versions_here(db: Session, collection: Collection, versions: list[ObjectVersion]) -> dict[str, dict[str, int]]:
    """For each of these objects, the versions that the collection holds, with their row numbers."""
    ids = [version.stix_id for version in versions]
    known = select(Entry.stix_id, ObjectVersion.version, ObjectVersion.id).join(ObjectVersion)
    here: dict[str, dict[str, int]] = {stix_id: {} for stix_id in ids}
    for row in db.execute(known.where(Entry.collection_id == collection.id, Entry.stix_id.in_(ids))):
        here[row.stix_id][row.version] = row.id
    return here


def _mark_ends(db: Session, collection: Collection, stix_id: str, own: dict[str, int]) -> None:
    """Of several versions, which is the first and which the last: by version, whenever they were added."""
    first, last = Entry.object_version_id == own[min(own)], Entry.object_version_id == own[max(own)]
    these = update(Entry).where(Entry.collection_id == collection.id, Entry.stix_id == stix_id)
    db.execute(these.values(first=first, last=last))


def _entry(collection: Collection, version: ObjectVersion, tlp: TLP) -> dict[str, object]:
    return {
        "collection_id": collection.id,
        "date_added": collection.last_added,
        "object_version_id": version.id,
        "stix_id": version.stix_id,
        "type": version.type,
        "tlp": tlp.rank,
    }


def ensure_collection(db: Session, *, alias: str, title: str, description: str, position: int) -> None:
    """Make a collection, or bring its words up to date."""
    found = db.scalars(select(Collection).where(Collection.alias == alias)).one_or_none()
    if found is None:
        found = Collection(alias=alias)
        db.add(found)
    found.title, found.description, found.position = title, description, position


# --- accounts ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyOnFile:
    """A feed key as the released store keeps it."""

    id: UUID
    key_hash: str
    expires_at: datetime
    revoked_at: datetime | None


def put_account(db: Session, account_id: UUID, *, username: str, rights: FeedRights, keys: Sequence[KeyOnFile]) -> None:
    """Make the released store's picture of an account the given one: rights, keys, nothing more."""
    add_if_absent(db, FeedAccount, id=account_id, username=username, tlp=rights.tlp.rank)
    account = db.scalars(select(FeedAccount).where(FeedAccount.id == account_id).with_for_update()).one()
    account.username, account.tlp = username, rights.tlp.rank
    wanted = set(db.scalars(select(Collection.id).where(Collection.alias.in_(rights.reads))))
    held = {grant.collection_id: grant for grant in db.scalars(select(Grant).where(Grant.account_id == account_id))}
    for gone in held.keys() - wanted:
        db.delete(held[gone])
    for added in wanted - held.keys():
        db.add(Grant(account_id=account_id, collection_id=added, can_read=True, can_write=False))
    on_file = {key.id: key for key in db.scalars(select(FeedKey).where(FeedKey.account_id == account_id))}
    for forgotten in on_file.keys() - {key.id for key in keys}:
        db.delete(on_file[forgotten])
    for key in keys:
        known = on_file.get(key.id)
        if known is None:
            db.add(FeedKey(account_id=account_id, **vars(key)))
        else:  # A revocation came here first, and stays.
            known.revoked_at = known.revoked_at or key.revoked_at


def forget_account(db: Session, account_id: UUID) -> None:
    """It polls no more, from the next request on."""
    db.execute(delete(FeedKey).where(FeedKey.account_id == account_id))
    db.execute(delete(Grant).where(Grant.account_id == account_id))


def revoke_key(db: Session, key_id: UUID, *, now: datetime) -> None:
    """Over, from the next request on."""
    db.execute(update(FeedKey).where(FeedKey.id == key_id).values(revoked_at=now))


def viewer_of_key(db: Session, key_hash: str, *, username: str | None, now: datetime) -> FeedViewer | None:
    """Who polls with this key; with Basic the name must be the key's own."""
    found = select(FeedAccount).join(FeedKey, FeedKey.account_id == FeedAccount.id)
    found = found.where(FeedKey.key_hash == key_hash, FeedKey.revoked_at.is_(None), FeedKey.expires_at > now)
    account = db.scalars(found).one_or_none()
    if account is None or (username is not None and username != account.username):
        return None
    reads = db.scalars(select(Grant.collection_id).where(Grant.account_id == account.id, Grant.can_read)).all()
    return FeedViewer(account.id, account.username, account.tlp, tuple(reads))


# --- polling -------------------------------------------------------------------------------------------


def collections(db: Session, viewer: FeedViewer) -> Sequence[Collection]:
    """The collections that `viewer` may know of, always in the same order."""
    own = select(Collection).where(Collection.id.in_(viewer.reads))
    return db.scalars(own.order_by(Collection.position)).all()


def find_collection(db: Session, name: str, viewer: FeedViewer) -> Collection:
    """By id or alias. Raises: NotFound."""
    try:
        by_name: ColumnElement[bool] = Collection.id == UUID(name)
    except ValueError:
        by_name = Collection.alias == name
    # PostgreSQL refuses to look for a text that it could not hold.
    own = select(Collection).where(by_name, Collection.id.in_(viewer.reads))
    found = db.scalars(own).one_or_none() if name.isprintable() else None
    if found is None:
        raise NotFound(f"collection {name}")
    return found


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


@dataclass(frozen=True)
class Page:
    """Rows of (date_added, stix_id, version, body) in order of date_added, and whether more follow."""

    rows: Sequence[Row[int, str, str, bytes]]
    more: bool


def page(db: Session, collection_id: UUID, *, viewer: FeedViewer, wanted: Wanted, limit: int) -> Page:
    """The next objects of a collection, oldest first; continue after the last row's date_added.

    Source: TAXII 2.1, sections 3.4 (Filtering) and 3.5 (Pagination).
    """
    columns = (Entry.date_added, Entry.stix_id, ObjectVersion.version, ObjectVersion.body)
    asked = select(*columns).join(ObjectVersion, ObjectVersion.id == Entry.object_version_id)
    asked = asked.where(Entry.collection_id == collection_id, receivable_by(viewer, Entry), *_clauses(viewer, wanted))
    rows = db.execute(asked.order_by(Entry.date_added).limit(limit + 1)).all()
    return Page(rows[:limit], len(rows) > limit)


def has_object(db: Session, collection_id: UUID, stix_id: str, *, viewer: FeedViewer) -> bool:
    """Whether `viewer` may know that this object is in the collection."""
    wanted = Wanted(ids=frozenset({stix_id}))
    return stix_id.isprintable() and bool(page(db, collection_id, viewer=viewer, wanted=wanted, limit=1).rows)


def _clauses(viewer: FeedViewer, wanted: Wanted) -> list[ColumnElement[bool]]:
    clauses = [Entry.date_added > wanted.after] if wanted.after else []
    clauses += [Entry.stix_id.in_(wanted.ids)] if wanted.ids else []
    clauses += [Entry.type.in_(wanted.types)] if wanted.types else []
    if wanted.spec_versions:
        clauses.append(ObjectVersion.spec_version.in_(wanted.spec_versions))
    return [*clauses, _version_clause(viewer, wanted.versions)]


def _version_clause(viewer: FeedViewer, versions: frozenset[str]) -> ColumnElement[bool]:
    """Whose newest version `viewer` may not receive shows no older one either: the first test of each branch."""
    if versions == {"last"}:
        return Entry.last.is_(True)
    newest = aliased(Entry)
    newest_is_seen = exists().where(
        newest.collection_id == Entry.collection_id,
        newest.stix_id == Entry.stix_id,
        newest.last.is_(True),
        receivable_by(viewer, newest),
    )
    if "all" in versions:
        return newest_is_seen
    named = versions - {"first", "last"}
    chosen = or_(
        Entry.first.is_(True) if "first" in versions else false(),
        Entry.last.is_(True) if "last" in versions else false(),
        ObjectVersion.version.in_(named) if named else false(),
    )
    return and_(newest_is_seen, chosen)


# --- what the audit chain must know --------------------------------------------------------------------


def note(
    db: Session,
    action: str,
    *,
    now: datetime,
    viewer: FeedViewer | None = None,
    collection_id: UUID | None = None,
    page: Page | None = None,
) -> None:
    """Leave word of a page fetched or a refusal; a worker carries it into the audit chain."""
    row = Poll(action=action, account_id=viewer.account_id if viewer else None, collection_id=collection_id, at=now)
    if page and page.rows:
        row.first_added, row.last_added = page.rows[0].date_added, page.rows[-1].date_added
        row.objects = len(page.rows)
    db.add(row)


def take_notes(db: Session, *, most: int = 500) -> Sequence[Poll]:
    """The oldest notes, to be struck when they are across."""
    return db.scalars(select(Poll).order_by(Poll.at).limit(most)).all()


def added_at(row: Row[int, str, str, bytes]) -> str:
    """A row's date_added as a TAXII timestamp."""
    return rfc3339(from_micros(row.date_added))
