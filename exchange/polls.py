"""What clients of the TAXII server did: word for the audit chain, and for each member how its own client behaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from exchange import pages
from exchange.db import add_if_absent
from exchange.models import ClientHabit, Collection, Entry, Poll
from exchange.sharing import FeedViewer
from exchange.times import from_micros


@dataclass(frozen=True)
class Note:
    """One request, as far as it must be known later.

    Attributes:
        action: `feed.fetched`, `feed.refused`, `feed.posted` or `feed.deleted`.
        walks: a page of objects without a filter, so that its position says how far the client has come.
        after: the position it asked from, date_added in µs; 0 from the beginning.
        first, last: of what it got.
        odd: which of the counters of `ClientHabit` it adds one to.
    """

    action: str
    at: datetime
    viewer: FeedViewer | None = None
    collection_id: UUID | None = None
    walks: bool = False
    after: int = 0
    first: int = 0
    last: int = 0
    objects: int = 0
    odd: frozenset[str] = frozenset()

    @property
    def says_something(self) -> bool:
        """Whether the audit chain must know: an empty answer told nobody anything."""
        return self.action != "feed.fetched" or self.objects > 0


def record(db: Session, notes: Sequence[Note]) -> None:
    """Keep what was noted: a row for each that the audit chain must know, and what it tells of the client."""
    rows = [_row(note) for note in notes if note.says_something]
    if rows:
        db.execute(insert(Poll), rows)
    of_client: dict[tuple[UUID, UUID], list[Note]] = {}
    for note in notes:
        if note.viewer and note.viewer.account_id and note.collection_id:
            of_client.setdefault((note.viewer.account_id, note.collection_id), []).append(note)
    for key in sorted(of_client):  # In one order everywhere, so that two servers never wait for one another.
        _count(db, key, of_client[key])


def _row(note: Note) -> dict[str, object]:
    account_id = note.viewer.account_id if note.viewer else None
    row: dict[str, object] = {
        "action": note.action,
        "account_id": account_id,
        "collection_id": note.collection_id,
        "at": note.at,
    }
    ends = {"first_added": note.first or None, "last_added": note.last or None}
    return row | ends | {"objects": note.objects}


def _count(db: Session, key: tuple[UUID, UUID], notes: Sequence[Note]) -> None:
    habit = db.get(ClientHabit, key, with_for_update=True)
    if habit is None:
        zeros = dict.fromkeys(_COUNTERS, 0)
        add_if_absent(db, ClientHabit, account_id=key[0], collection_id=key[1], since=notes[0].at, **zeros)
        habit = db.get_one(ClientHabit, key, with_for_update=True)
    for note in notes:
        for name in note.odd:
            setattr(habit, name, getattr(habit, name) + 1)
        if note.action == "feed.fetched":
            _count_poll(db, habit, note)


_MOST = 2**31 - 1
COUNTED = (
    "polls",
    "empty_polls",
    "objects",
    "restarts",
    "repeated",
    "skipped",
    "future",
    "furthest_ahead_s",
    "unknown_parameters",
    "no_version",
    "wrong_media",
)
"""What is counted of a client, in the order in which it is shown."""

_COUNTERS = ("position", *COUNTED)


def _count_poll(db: Session, habit: ClientHabit, note: Note) -> None:
    habit.polls += 1
    habit.polled_at = note.at
    habit.empty_polls += not note.objects
    habit.objects += note.objects
    ahead = note.after and (from_micros(note.after) - note.at).total_seconds()
    if ahead > 1:
        habit.future += 1
        habit.furthest_ahead_s = max(habit.furthest_ahead_s, min(int(ahead), _MOST))
    if note.walks and note.viewer:
        _follow(db, habit, note, note.viewer)


def _follow(db: Session, habit: ClientHabit, note: Note, viewer: FeedViewer) -> None:
    """How this page stands to the last one."""
    if habit.position == 0:
        pass  # Nothing was fetched yet, so nothing can be missed or read again.
    elif note.after == 0:
        habit.restarts += 1
    elif note.after < habit.position and note.objects:
        habit.repeated += 1
    elif note.after > habit.position and _anything_between(db, habit, note, viewer):
        habit.skipped += 1
    if note.objects:
        habit.position = note.last


def _anything_between(db: Session, habit: ClientHabit, note: Note, viewer: FeedViewer) -> bool:
    between = (Entry.collection_id == habit.collection_id, Entry.date_added > habit.position)
    seen = (Entry.date_added <= note.after, pages.receivable(viewer, habit.collection_id), pages.newest())
    return db.execute(select(Entry.date_added).where(*between, *seen).limit(1)).first() is not None


def take_notes(db: Session, *, most: int = 500) -> Sequence[Poll]:
    """The oldest notes, to be struck when they are across."""
    return db.scalars(select(Poll).order_by(Poll.at).limit(most)).all()


@dataclass(frozen=True)
class Habit:
    """How a client behaves in a collection, and how much lies there for it."""

    collection: Collection
    counted: ClientHabit | None
    offered: int


def habits(db: Session, viewer: FeedViewer, collections: Iterable[Collection]) -> list[Habit]:
    """How the client of this account behaves, for each of the collections that it may read."""
    return [
        Habit(one, db.get(ClientHabit, (viewer.account_id, one.id)), pages.count(db, one.id, viewer=viewer))
        for one in collections
        if one.id in viewer.reads
    ]


def forget_habits(db: Session, account_id: UUID, *, now: datetime) -> None:
    """Count an account's client anew. How far it has come and when it last polled are no counts, and stay."""
    own = select(ClientHabit).where(ClientHabit.account_id == account_id)
    for habit in db.scalars(own.order_by(ClientHabit.collection_id).with_for_update()):  # Locked in the same order.
        habit.since = now
        for name in _COUNTERS:
            if name != "position":
                setattr(habit, name, 0)
