"""What happened, left for the workers in the same transaction. The row is the truth, the broker only a bell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from exchange.models import Event

_RING_AGAIN = timedelta(seconds=10)
_MOST_AT_ONCE = 200
_LATE = timedelta(minutes=2)
_OUTWARD = ("letter.ready", "webhook.due")
_SLOWEST_RETRY = timedelta(minutes=5)


def tell(db: Session, topic: str, subject_id: UUID, *, now: datetime, not_before: datetime | None = None) -> UUID:
    """Leave word of something; returns the event's id. It is heard when the transaction commits, or at `not_before`."""
    at = max(now, not_before) if not_before else now
    event = Event(id=uuid4(), topic=topic, subject_id=subject_id, at=at, ring_at=at)
    db.add(event)
    return event.id


def to_ring(db: Session, *, now: datetime) -> list[tuple[str, UUID]]:
    """(topic, id) of events that nobody has been told of lately: at most 200, oldest first."""
    due = select(Event).where(Event.done_at.is_(None), Event.ring_at <= now)
    free = due.where(or_(Event.leased_until.is_(None), Event.leased_until <= now))
    events = db.scalars(free.order_by(Event.ring_at).limit(_MOST_AT_ONCE).with_for_update(skip_locked=True)).all()
    for event in events:
        event.ring_at = now + _RING_AGAIN
    return [(event.topic, event.id) for event in events]


def anything_to_ring(db: Session, *, now: datetime) -> bool:
    """Whether `to_ring` has something: a read, so that an idle second writes nothing."""
    return db.scalar(select(Event.id).where(Event.done_at.is_(None), Event.ring_at <= now).limit(1)) is not None


def in_work(db: Session, subjects: Sequence[UUID]) -> bool:
    """Whether a step about one of these is still to be done."""
    waiting = select(Event.id).where(Event.done_at.is_(None), Event.subject_id.in_(subjects))
    return db.scalar(waiting.limit(1)) is not None


def stuck(db: Session, *, now: datetime) -> int:
    """How many events wait longer than a worker that is well would let them; what waits for others' servers aside."""
    waiting = select(func.count()).select_from(Event).where(Event.topic.not_in(_OUTWARD))
    return db.scalar(waiting.where(Event.done_at.is_(None), Event.at < now - _LATE)) or 0


def claim(db: Session, event_id: UUID, *, now: datetime, lease: timedelta) -> UUID | None:
    """Take an event for `lease`; returns its subject, or None if it is done or in another worker's hands."""
    free = or_(Event.leased_until.is_(None), Event.leased_until <= now)
    taking = update(Event).where(Event.id == event_id, Event.done_at.is_(None), free)
    taking = taking.values(leased_until=now + lease, attempts=Event.attempts + 1)
    return db.scalar(taking.returning(Event.subject_id))


def settle(db: Session, event_id: UUID, *, now: datetime) -> None:
    """The effect is in this transaction, or committed before it: the event is done."""
    db.execute(update(Event).where(Event.id == event_id).values(done_at=now, leased_until=None, fault=None))


def let_go(db: Session, event_id: UUID, *, now: datetime, fault: str) -> None:
    """The step failed: others may take it, later each time; `fault` is a type, no content."""
    event = db.get_one(Event, event_id)
    event.leased_until, event.fault = None, fault
    event.ring_at = now + min(timedelta(seconds=2 ** min(event.attempts, 10)), _SLOWEST_RETRY)
