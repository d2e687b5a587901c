"""What members post: each object validated, kept in quarantine until a person lets it out, or at once in a sandbox.

A contributor's objects keep their `created_by_ref`, their markings and every other byte of meaning. Until they are let
out they lie in a space of their own, so that nobody can occupy an id, or learn what is there under it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from exchange import feed, feed_accounts, lanes, pages, sharing
from exchange.db import Asked, add_if_absent
from exchange.errors import NotFound, NotPermitted
from exchange.feed import UNVERSIONED, Place, Publication
from exchange.models import Collection, Contributor, Entry, FeedAccount, Grant, ObjectVersion, Submission
from exchange.pages import Wanted
from exchange.sharing import TLP, FeedViewer
from exchange.stix import ids, valid
from exchange.times import JST, micros, rfc3339

AT_ONCE = 1000
"""So many objects are settled while their sender waits; more are left to a worker."""

MOST = 10_000
MOST_KEPT = 100_000
"""So many entries an account may have in its sandbox, and in quarantine."""

_STIX_ID = re.compile(r"[a-z0-9-]{1,250}--[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATUS_KEPT = timedelta(hours=48)
_EMPTIED_AT_HOUR_JST = 3

Thing = Mapping[str, Any]


# --- posting -----------------------------------------------------------------------------------------------


def submit(
    db: Session, collection_id: UUID, things: Sequence[Any], *, by: FeedViewer, now: datetime
) -> tuple[UUID, bytes]:
    """Take objects in; returns the id and the JSON of the status resource (TAXII 2.1, section 4.3).

    Args:
        things: the `objects` of an envelope, 1 to `MOST`, whatever they are.
    """
    assert by.account_id is not None
    made = Submission(id=uuid4(), account_id=by.account_id, collection_id=collection_id, requested_at=now, status=b"")
    db.add(made)
    if len(things) > AT_ONCE:
        made.envelope = orjson.dumps(things)
        made.status = _status(made, waiting=[_Outcome(*_named(n, one)) for n, one in enumerate(things)])
    else:
        _settle(db, made, things, by, now)
    return made.id, made.status


def any_waits(db: Session) -> bool:
    """Whether `complete_next` has something: a read, so that an idle second writes nothing."""
    return db.execute(select(Submission.id).where(Submission.completed_at.is_(None)).limit(1)).first() is not None


def complete_next(db: Session, *, now: datetime) -> bool:
    """Settle the oldest submission that waits for a worker; False if none does."""
    waiting = select(Submission).where(Submission.completed_at.is_(None)).order_by(Submission.requested_at)
    found = db.scalars(waiting.limit(1).with_for_update(skip_locked=True)).one_or_none()
    if found is None:
        return False
    things = orjson.loads(found.envelope or b"[]")
    caller = feed_accounts.caller_of_account(db, found.account_id, now=now)
    if caller is None or found.collection_id not in caller.viewer.writes:  # It had the right when it posted.
        outcomes = [_Outcome(*_named(n, one), "you may not write here any more") for n, one in enumerate(things)]
        _complete(found, outcomes, now)
    else:
        _settle(db, found, things, caller.viewer, now)
    return True


def give_up_next(db: Session, *, now: datetime) -> None:
    """The oldest submission that waits cannot be settled: each of its objects has failed, and others get their turn."""
    waiting = select(Submission).where(Submission.completed_at.is_(None)).order_by(Submission.requested_at)
    found = db.scalars(waiting.limit(1).with_for_update(skip_locked=True)).one_or_none()
    if found is not None:
        things = orjson.loads(found.envelope or b"[]")
        _complete(
            found, [_Outcome(*_named(n, one), "this is our fault; it was logged") for n, one in enumerate(things)], now
        )


def status(db: Asked, submission_id: UUID, *, viewer: FeedViewer, sandbox: bool) -> bytes:
    """The status resource, for the account that posted. Raises: NotFound."""
    own = select(Submission.status).join(Collection, Collection.id == Submission.collection_id)
    own = own.where(Submission.id == submission_id, Submission.account_id == viewer.account_id)
    own = own.where(Collection.owner_id.is_not(None) if sandbox else Collection.owner_id.is_(None))
    found = db.execute(own).scalar_one_or_none()
    if found is None:
        raise NotFound(f"status {submission_id}")
    return bytes(found)


@dataclass
class _Outcome:
    """What became of one object. `message` says why it was not taken."""

    stix_id: str
    version: str
    message: str | None = None

    def detail(self) -> dict[str, str]:
        shown = {"id": self.stix_id, "version": self.version}
        return shown | {"message": self.message} if self.message else shown


def _named(number: int, thing: object) -> tuple[str, str]:
    """Id and version for a status-details, also for what has neither (TAXII 2.1, section 4.3.1)."""
    known = thing if isinstance(thing, dict) else {}
    stix_id, version = known.get("id"), known.get("modified", known.get("created"))
    if not (isinstance(stix_id, str) and _STIX_ID.fullmatch(stix_id)):
        stix_id = f"x-unidentified--{UUID(int=number + 1, version=4)}"
    if not (isinstance(version, str) and version.isprintable() and 0 < len(version) <= 40):
        version = UNVERSIONED
    return stix_id, version


def _status(made: Submission, *, settled: Sequence[_Outcome] = (), waiting: Sequence[_Outcome] = ()) -> bytes:
    lists = {
        "success": ("successes", [one.detail() for one in settled if one.message is None]),
        "failure": ("failures", [one.detail() for one in settled if one.message is not None]),
        "pending": ("pendings", [one.detail() for one in waiting]),
    }
    shown: dict[str, Any] = {
        "id": str(made.id),
        "status": "pending" if waiting else "complete",
        "request_timestamp": rfc3339(made.requested_at),
        "total_count": len(settled) + len(waiting),
    }
    for kind, (name, details) in lists.items():
        shown[f"{kind}_count"] = len(details)
        shown |= {name: details} if details else {}
    return orjson.dumps(shown)


def _complete(made: Submission, outcomes: Sequence[_Outcome], now: datetime) -> None:
    made.status, made.envelope, made.completed_at = _status(made, settled=outcomes), None, now


def _settle(db: Session, made: Submission, things: Sequence[Any], by: FeedViewer, now: datetime) -> None:
    outcomes = [_Outcome(*_named(n, one)) for n, one in enumerate(things)]
    for outcome, thing in zip(outcomes, things, strict=True):
        outcome.message = _fault(thing)
    right = [(outcome, thing) for outcome, thing in zip(outcomes, things, strict=True) if outcome.message is None]
    # Nobody waits while objects are looked at; two posts of one account wait for one another, for they share a space.
    _lock_account(db, made.account_id)
    collection = feed.lock(db, made.collection_id)
    sandbox = collection.owner_id is not None
    if _kept(db, made.account_id, sandbox) + len(right) > MOST_KEPT:
        for outcome, _ in right:
            outcome.message = "too much of yours is kept here already; delete some, or wait until it was decided upon"
        right = []
    levels = {} if sandbox else levels_of([thing for _, thing in right])
    if not sandbox:
        _check_policy(db, collection, right, levels, by)
        right = [pair for pair in right if pair[0].message is None]
    _keep(db, collection, made, right, levels, by, now)
    _complete(made, outcomes, now)


def _lock_account(db: Session, account_id: UUID) -> None:
    own = select(FeedAccount.id).where(FeedAccount.id == account_id)
    db.scalars(own.with_for_update(key_share=True)).one()


def _fault(thing: object) -> str | None:
    if valid.is_stix_20(thing):
        return "this is STIX 2.0; send STIX 2.1, with spec_version 2.1"
    return "; ".join(valid.faults(thing)) or None


def _keep(
    db: Session,
    collection: Collection,
    made: Submission,
    right: Sequence[tuple[_Outcome, Thing]],
    levels: Mapping[str, TLP],
    by: FeedViewer,
    now: datetime,
) -> None:
    """Store what is right, each version once; what is there already with the same content is a success too."""
    ids, space = [outcome.stix_id for outcome, _ in right], _space(collection, made.account_id)
    released = _seen_already(db, collection, ids, by)
    own = feed.stored_versions(db, ids, space=space)
    content: dict[tuple[str, str], Any] = {key: orjson.loads(row.body) for key, row in own.items()} | released
    wanted: dict[tuple[str, str], Publication] = {}
    for outcome, thing in right:
        published = _publication(thing)
        before = content.setdefault(published.key, thing)
        if before is not thing and _canonical(before) != _canonical(thing):
            outcome.message = "this version already exists with different content"
        elif published.key not in released:
            wanted[published.key] = published
    fresh = [one for key, one in wanted.items() if key not in own]
    again = [feed.Stored(own[key].id, key[0], one.type, key[1]) for key, one in wanted.items() if key in own]
    ranks = {stix_id: level.rank for stix_id, level in levels.items()}
    place = Place(lanes.QUARANTINE, space, made.account_id, made.id, ranks)
    if collection.owner_id is not None:
        place = Place(TLP.CLEAR.rank, space, made.account_id)
    elif wanted:
        _mark_quarantined(db, collection.id, made.account_id)
    feed.enter(db, collection, [*again, *feed.store(db, fresh, space=space)], place, now=now)


def _mark_quarantined(db: Session, collection_id: UUID, account_id: UUID) -> None:
    mine = (Grant.collection_id == collection_id, Grant.account_id == account_id)
    db.execute(update(Grant).where(*mine).values(quarantined=True))


def _unmark_quarantined(db: Session, collection_id: UUID) -> None:
    """For everybody of whom nothing waits there any more."""
    waits = exists().where(
        Entry.collection_id == Grant.collection_id,
        Entry.contributor_id == Grant.account_id,
        Entry.lane >= lanes.QUARANTINED,
    )
    over = (Grant.collection_id == collection_id, Grant.quarantined.is_(True), ~waits)
    db.execute(update(Grant).where(*over).values(quarantined=False), execution_options={"synchronize_session": False})


def _publication(thing: Thing) -> Publication:
    return Publication(thing["id"], thing["type"], valid.version_of(thing), orjson.dumps(thing))


def _canonical(thing: Thing) -> bytes:
    """What two spellings of one content have in common; `1` and `true` are not one."""
    return orjson.dumps(thing, option=orjson.OPT_SORT_KEYS)


def _kept(db: Session, account_id: UUID, sandbox: bool) -> int:
    own = select(func.count()).select_from(Entry).where(Entry.contributor_id == account_id)
    owned = Collection.owner_id.is_not(None) if sandbox else Entry.lane >= lanes.QUARANTINED
    return db.scalar(own.join(Collection, Collection.id == Entry.collection_id).where(owned)) or 0


def _space(collection: Collection, account_id: UUID) -> str:
    return f"sandbox:{account_id}" if collection.owner_id else f"quarantine:{account_id}"


def _seen_already(
    db: Session, collection: Collection, stix_ids: Sequence[str], by: FeedViewer
) -> dict[tuple[str, str], Any]:
    """What is released of these there, as far as the contributor sees it; the rest answers as if it were new."""
    if collection.owner_id is not None or collection.id not in by.reads:
        return {}
    columns = (Entry.stix_id, ObjectVersion.version, ObjectVersion.body)
    seen = select(*columns).join(ObjectVersion, ObjectVersion.id == Entry.object_version_id)
    seen = seen.where(Entry.collection_id == collection.id, Entry.lane < lanes.QUARANTINED)
    seen = seen.where(pages.receivable(by, collection.id))
    found: dict[tuple[str, str], Any] = {}
    for some in feed.in_parts(stix_ids):
        rows = db.execute(seen.where(Entry.stix_id.in_(some)))
        found |= {(row.stix_id, row.version): orjson.loads(row.body) for row in rows}
    return found


# --- what the collection allows ----------------------------------------------------------------------------


def _check_policy(
    db: Session,
    collection: Collection,
    right: Sequence[tuple[_Outcome, Thing]],
    levels: Mapping[str, TLP],
    by: FeedViewer,
) -> None:
    ids_posted = [outcome.stix_id for outcome, _ in right]
    claimed = _claims(db, {ref for _, thing in right if (ref := _creator(thing))}, seen_in=by.reads)
    seen = _seen_already(db, collection, ids_posted, by)
    strangers = _given_by_others(db, collection, ids_posted, by.account_id, pages.receivable(by, collection.id))
    for outcome, thing in right:
        creator, level = _creator(thing), levels[outcome.stix_id]
        if seen and seen.get(_publication(thing).key) == thing:
            continue
        if level.rank > collection.ceiling:
            outcome.message = _too_strict(level, collection.ceiling)
        elif creator in _RESERVED or claimed.get(creator or "", by.account_id) != by.account_id:
            outcome.message = "created_by_ref names another contributor"
        elif outcome.stix_id in strangers and "created" in thing:
            outcome.message = "only who gave an object adds versions to it"


def _given_by_others(
    db: Session, collection: Collection, stix_ids: Sequence[str], account_id: UUID | None, *seen: ColumnElement[bool]
) -> set[str]:
    """Which of these are released there by anybody else."""
    others = or_(Entry.contributor_id.is_(None), Entry.contributor_id != account_id)
    asked = select(Entry.stix_id).where(Entry.collection_id == collection.id, Entry.lane < lanes.QUARANTINED, others)
    found: set[str] = set()
    for some in feed.in_parts(stix_ids):
        found |= set(db.scalars(asked.where(Entry.stix_id.in_(some), *seen)))
    return found


def _creator(thing: Thing) -> str | None:
    """Whose the object says it is; an identity that nobody made made itself."""
    ref = thing.get("created_by_ref")
    return str(ref) if ref else (str(thing["id"]) if thing["type"] == "identity" else None)


def _too_strict(level: TLP, ceiling: int) -> str:
    most = list(TLP)[ceiling].label
    return f"this collection carries at most {most}; the object is {level.label}, as is what has no TLP marking"


def _claims(db: Session, refs: set[str], *, seen_in: Iterable[UUID]) -> dict[str, UUID]:
    """Whose these are, as far as it can be seen in these collections."""
    found = select(Contributor.stix_id, Contributor.account_id).where(Contributor.stix_id.in_(refs))
    rows = db.execute(found.where(Contributor.collection_id.in_(seen_in)))
    return {row.stix_id: row.account_id for row in rows}


_RESERVED = frozenset({ids.PORTAL})
_UNMARKED_ALLOWED = frozenset({"marking-definition", "extension-definition"})


def levels_of(things: Sequence[Thing]) -> dict[str, TLP]:
    """The TLP level of each object of one submission, by id.

    What has no marking of its own is as strict as the strictest that refers to it, else AMBER+STRICT.
    """
    own_markings = {thing["id"]: _tlp_of_definition(thing) for thing in things if thing["type"] == "marking-definition"}
    direct: dict[str, list[TLP | None]] = {}
    for thing in things:  # Several versions of one object are as strict as the strictest of them.
        direct.setdefault(thing["id"], []).extend(_marked(thing, own_markings))
    inherited: dict[str, list[TLP | None]] = {}
    for thing in things:
        for ref in _references(thing):
            inherited.setdefault(ref, []).extend(direct[thing["id"]])
    levels: dict[str, TLP] = {}
    for thing in things:
        found = direct[thing["id"]] or inherited.get(thing["id"], [])
        exempt = not found and thing["type"] in _UNMARKED_ALLOWED
        levels[thing["id"]] = TLP.CLEAR if exempt else sharing.contributed_tlp(found)
    return levels


def _marked(thing: Thing, own_markings: Mapping[str, TLP | None]) -> list[TLP | None]:
    refs = list(thing.get("object_marking_refs", ()))
    refs += [one["marking_ref"] for one in thing.get("granular_markings", ()) if "marking_ref" in one]
    fixed = [TLP(ids.TLP_OF_MARKING[ref]) for ref in refs if ref in ids.TLP_OF_MARKING]
    return [*fixed, *(own_markings[ref] for ref in refs if own_markings.get(ref))]


def _tlp_of_definition(thing: Thing) -> TLP | None:
    """A marking of another id with the TLP 2.0 extension counts as that level (TLP 2.0 in STIX)."""
    extension = thing.get("extensions", {}).get(ids.TLP_EXTENSION, {})
    value = extension.get("tlp_2_0") if isinstance(extension, dict) else None
    return TLP(value) if value in set(TLP) else None


def _references(thing: Thing) -> Iterator[str]:
    for name, value in thing.items():
        if name.endswith("_ref") and isinstance(value, str):
            yield value
        elif name.endswith("_refs") and isinstance(value, list) and name != "object_marking_refs":
            yield from (ref for ref in value if isinstance(ref, str))


# --- taking back -------------------------------------------------------------------------------------------


def remove(
    db: Session, collection_id: UUID, stix_id: str, *, versions: frozenset[str], by: FeedViewer, now: datetime
) -> int:
    """Delete an object, or some versions of it, from a collection; returns how many versions.

    Raises:
        NotFound: there is none that `by` sees.
        NotPermitted: somebody else gave it.
    Source: TAXII 2.1, section 5.7.
    """
    assert by.account_id is not None
    _lock_account(db, by.account_id)
    collection = feed.lock(db, collection_id)
    wanted = Wanted(ids=frozenset({stix_id}), versions=versions)
    rows = pages.entries(db, collection_id, viewer=by, wanted=wanted, limit=MOST) if stix_id.isprintable() else []
    dates = [row.date_added for row in rows]
    if not dates:
        raise NotFound(stix_id)
    givers = select(Entry.contributor_id).where(Entry.collection_id == collection_id, Entry.date_added.in_(dates))
    sandbox = collection.owner_id is not None
    if not all(sharing.may_remove(by, contributor_id=giver, sandbox=sandbox) for giver in db.scalars(givers)):
        raise NotPermitted(stix_id)
    feed.remove(db, collection, dates, now=now)
    _unmark_quarantined(db, collection_id)
    return len(dates)


# --- out of quarantine -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Waiting:
    """Objects of one submission that wait for a person."""

    submission_id: UUID
    account_id: UUID
    collection_id: UUID
    posted_at: datetime
    objects: int


def waiting(db: Session) -> list[Waiting]:
    """What waits in quarantine, the oldest first."""
    counted = (
        select(Submission.id, Submission.account_id, Submission.collection_id, Submission.requested_at, func.count())
        .join(Entry, Entry.submission_id == Submission.id)
        .where(Entry.lane >= lanes.QUARANTINED)
        .group_by(Submission.id, Submission.account_id, Submission.collection_id, Submission.requested_at)
    )
    return [Waiting(*row) for row in db.execute(counted.order_by(Submission.requested_at))]


def find_waiting(db: Session, submission_id: UUID) -> Waiting:
    """One of `waiting`. Raises: NotFound."""
    found = next((one for one in waiting(db) if one.submission_id == submission_id), None)
    if found is None:
        raise NotFound(f"submission {submission_id}")
    return found


def quarantined(db: Session, submission_id: UUID) -> list[dict[str, Any]]:
    """The objects of a submission that wait, as they were posted."""
    return [orjson.loads(row.body) for row in _in_quarantine(db, submission_id)]


def _in_quarantine(db: Session, submission_id: UUID) -> Sequence[Any]:
    rows = select(Entry.date_added, Entry.tlp, Entry.stix_id, ObjectVersion.version, ObjectVersion.body)
    rows = rows.join(ObjectVersion, ObjectVersion.id == Entry.object_version_id)
    rows = rows.where(Entry.submission_id == submission_id, Entry.lane >= lanes.QUARANTINED)
    return db.execute(rows.order_by(Entry.date_added)).all()


def let_out(db: Session, submission_id: UUID, *, clock: feed.Clock) -> int:
    """Publish what waits, with the contributor's bytes, at the level it had when it was posted; returns how many.

    They stay in a space of the contributor, so that they are in nobody's way. What is there meanwhile, or is not the
    contributor's to give, is left out.
    """
    made = db.get(Submission, submission_id)
    if made is None:
        return 0
    _lock_account(db, made.account_id)
    collection = next(one for one in feed.lock_all(db) if one.id == made.collection_id)
    rows, now = _in_quarantine(db, submission_id), clock()
    feed.remove(db, collection, [row.date_added for row in rows], now=now)
    _unmark_quarantined(db, collection.id)
    strangers = _given_by_others(db, collection, [row.stix_id for row in rows], made.account_id)
    by_rank: dict[int, list[Publication]] = {}
    for row in rows:
        thing = orjson.loads(row.body)
        if row.stix_id not in strangers and _claim(db, thing, made):
            by_rank.setdefault(row.tlp, []).append(_publication(thing))
    space, out = f"contributor:{made.account_id}", 0
    for rank, published in by_rank.items():
        known = feed.stored_versions(db, [one.stix_id for one in published], space=space)
        same = [one for one in published if one.key not in known or known[one.key].body == one.body]
        place = Place(rank, space, made.account_id)
        out += feed.enter(db, collection, feed.store(db, same, space=space), place, now=now)
    return out


def _claim(db: Session, thing: Thing, made: Submission) -> bool:
    """Whether its creator is this contributor's, from now on if it was nobody's."""
    creator = _creator(thing)
    if creator is None:
        return True
    if creator in _RESERVED:
        return False
    row = {"stix_id": creator, "account_id": made.account_id, "collection_id": made.collection_id}
    return add_if_absent(db, Contributor, **row) or db.get_one(Contributor, creator).account_id == made.account_id


def refuse(db: Session, submission_id: UUID, *, now: datetime) -> int:
    """Take what waits away; returns how many objects that were."""
    made = db.get(Submission, submission_id)
    if made is None:
        return 0
    _lock_account(db, made.account_id)
    collection = feed.lock(db, made.collection_id)
    dates = [row.date_added for row in _in_quarantine(db, submission_id)]
    feed.remove(db, collection, dates, now=now)
    _unmark_quarantined(db, made.collection_id)
    return len(dates)


# --- keeping house -----------------------------------------------------------------------------------------


def sandboxes(db: Session) -> Sequence[UUID]:
    """Every sandbox."""
    return db.scalars(select(Collection.id).where(Collection.owner_id.is_not(None))).all()


def empty_sandbox(db: Session, collection_id: UUID, *, now: datetime) -> int:
    """Remove what was put into a sandbox before the last 3 a.m. in Japan; returns how many entries that were."""
    night = now.astimezone(JST).replace(hour=_EMPTIED_AT_HOUR_JST, minute=0, second=0, microsecond=0)
    before = micros(night if night <= now else night - timedelta(days=1))
    old = select(Entry.date_added).where(Entry.collection_id == collection_id, Entry.date_added < before)
    dates = db.scalars(old).all()
    if dates:
        feed.remove(db, feed.lock(db, collection_id), dates, now=now)
    return len(dates)


def forget_statuses(db: Session, *, now: datetime) -> int:
    """Remove status resources that were settled two days ago; returns how many.

    What still waits in quarantine for a person stays. Source: TAXII 2.1, section 4.3: at least 24 hours.
    """
    waiting = select(Entry.submission_id).where(Entry.lane >= lanes.QUARANTINED, Entry.submission_id.is_not(None))
    old = delete(Submission).where(Submission.completed_at < now - _STATUS_KEPT, Submission.id.not_in(waiting))
    gone = db.scalars(old.returning(Submission.id)).all()
    return len(gone)
