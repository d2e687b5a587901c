"""What there is to write to somebody about: deadlines that come due, questions to ask again, news of a case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import boards, incidents
from exchange.models import Case, Deadline, Delivery, Letter, Message, ReportVersion
from exchange.sectors import Text, day_of, text
from exchange.tables import table
from exchange.times import JST

_LETTERS = table("letters")
_MORNING = time.fromisoformat(_LETTERS["morning"])
_FIRST = timedelta(hours=max(row.get("hours", 0) for row in _LETTERS["thresholds"]))
# What nobody was told of in time is no news any more.
_NEWS_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Matter:
    """One thing to write about.

    Attributes:
        topic: `deadline:<threshold>`, `again`, `question`, `received`, `copy` or `disowned`.
        mark: what makes it another matter when it changes: the end of a deadline, the time of a question.
        recipient: the authority to write to; None for the reporter.
    """

    topic: str
    subject_id: UUID
    case: Case
    mark: str = ""
    recipient: str | None = None
    opening: tuple[Text, ...] = ()
    deadline: Deadline | None = None

    @property
    def key(self) -> str:
        """Equal for what is the same matter."""
        return f"{self.topic}:{self.subject_id}:{self.mark}"

    @property
    def kind(self) -> str:
        """The topic without its threshold."""
        return self.topic.partition(":")[0]


def due(db: Session, *, now: datetime) -> Iterator[Matter]:
    """What reporters have to be reminded of."""
    near = (Deadline.runs_out_at <= now + _FIRST) | (Deadline.warn_date <= day_of(now))
    rows = select(Deadline).join(Case).where(Deadline.met_at.is_(None), Deadline.runs_out_at.is_not(None), near)
    # Two that write at once must come to the same rows in the same order, or each may wait for the other.
    for deadline in db.scalars(rows.where(Case.closed_at.is_(None)).order_by(Deadline.id)).unique():
        yield from _some(_of_deadline(db, deadline, now))
    waits = [timedelta(hours=row["hours"]) for row in table("rules")["reminders"]]
    open_still = Case.closed_at.is_(None) & (Case.opened_at <= now - min(waits))
    recent = open_still & (ReportVersion.received_at > now - max(waits) - _NEWS_FOR)
    for version in sorted(boards.newest(db, recent).values(), key=lambda one: one.case_id):
        yield from _some(_left_open(version, now))


def news(db: Session, case_id: UUID, *, now: datetime) -> Iterator[Matter]:
    """What happened in a case that somebody has to hear of."""
    for message in db.scalars(select(Message).where(Message.case_id == case_id).order_by(Message.id)):
        yield from _some(_of_message(db, message, now))
    sent = select(Delivery).join(ReportVersion, ReportVersion.id == Delivery.report_version_id)
    for delivery in db.scalars(sent.where(ReportVersion.case_id == case_id).order_by(Delivery.id)):
        yield from _some(_of_receipt(db, delivery, now))
        yield from _some(_of_copy(db, delivery, now))
        yield from _some(_of_disowned(db, delivery, now))


def of_letter(db: Session, letter: Letter, *, now: datetime) -> Matter | None:
    """What a letter is about, as it stands now; None if there is nothing to write about any more."""
    model, make = _MADE_FROM[letter.topic.partition(":")[0]]
    row = db.get(model, letter.subject_id, populate_existing=True)
    return make(db, row, now) if row is not None else None


def _some(found: Matter | None) -> Iterable[Matter]:
    return () if found is None else (found,)


def _of_deadline(_db: Session, deadline: Deadline, now: datetime) -> Matter | None:
    """The last threshold that a deadline has passed, if any, and nobody has met it yet."""
    if deadline.met_at is not None or deadline.case.closed_at is not None or deadline.runs_out_at is None:
        return None
    passed = [(at, row) for row in _LETTERS["thresholds"] if (at := _reached_at(deadline, row)) and at <= now]
    if not passed:
        return None
    _, row = max(passed, key=lambda one: one[0])
    end = deadline.runs_out_at.isoformat(timespec="minutes")
    topic, said = f"deadline:{row['id']}", (text(row),)
    return Matter(topic, deadline.id, deadline.case, mark=end, opening=said, deadline=deadline)


def _reached_at(deadline: Deadline, row: Mapping[str, Any]) -> datetime | None:
    """When a deadline passes a threshold; what was passed before the clock started is none."""
    assert deadline.runs_out_at is not None
    if "hours" in row:
        at = deadline.runs_out_at - timedelta(hours=row["hours"])
        return at if at > deadline.starts_at else None
    return datetime.combine(deadline.warn_date, _MORNING, JST) if deadline.warn_date else None


def _of_questions(_db: Session, case: Case, now: datetime) -> Matter | None:
    return _left_open(incidents.latest(case), now)


def _left_open(version: ReportVersion, now: datetime) -> Matter | None:
    """What the newest version of an open case left to be looked at again, once it is time."""
    case, reminders = version.case, version.decision["reminders"]
    asked = [one for one in reminders if datetime.fromisoformat(one["remind_at"]) <= now]
    if not asked or case.closed_at is not None:
        return None
    mark, said = max(one["remind_at"] for one in asked), (_opening("again"), *(text(one["text"]) for one in asked))
    is_news = datetime.fromisoformat(mark) > now - _NEWS_FOR
    return Matter("again", case.id, case, mark=mark, opening=said) if is_news else None


def _of_message(db: Session, message: Message, now: datetime) -> Matter | None:
    if message.from_reporter or message.at <= now - _NEWS_FOR:
        return None
    return Matter("question", message.id, db.get_one(Case, message.case_id), opening=(_opening("question"),))


def _of_receipt(db: Session, delivery: Delivery, now: datetime) -> Matter | None:
    if delivery.received_at is None or delivery.received_at <= now - _NEWS_FOR:
        return None
    case = db.get_one(ReportVersion, delivery.report_version_id).case
    return Matter("received", delivery.id, case, opening=(_opening("received"),))


def _of_copy(db: Session, delivery: Delivery, now: datetime) -> Matter | None:
    """A copy that has not been confirmed: who has confirmed it need not be told that it is there."""
    version = db.get_one(ReportVersion, delivery.report_version_id)
    disowned = version.case.disowned_at is not None
    if delivery.received_at is not None or disowned or version.received_at <= now - _NEWS_FOR:
        return None
    opening = (_opening("copy"),)
    return Matter("copy", delivery.id, version.case, recipient=delivery.recipient, opening=opening)


def _of_disowned(db: Session, delivery: Delivery, now: datetime) -> Matter | None:
    """A copy of a report of which its organization knew nothing."""
    case = db.get_one(ReportVersion, delivery.report_version_id).case
    if case.disowned_at is None or case.disowned_at <= now - _NEWS_FOR:
        return None
    mark, said = case.disowned_at.isoformat(), (_opening("disowned"),)
    return Matter("disowned", delivery.id, case, mark=mark, recipient=delivery.recipient, opening=said)


def _opening(topic: str) -> Text:
    return text(_LETTERS["openings"][topic])


_MADE_FROM: Mapping[str, tuple[Any, Callable[[Session, Any, datetime], Matter | None]]] = {
    "deadline": (Deadline, _of_deadline),
    "again": (Case, _of_questions),
    "question": (Message, _of_message),
    "received": (Delivery, _of_receipt),
    "copy": (Delivery, _of_copy),
    "disowned": (Delivery, _of_disowned),
}
