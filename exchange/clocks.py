"""The deadlines of cases: set by each filing, met by the filing that the rule names, extended by an authority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import audit, outbox
from exchange.errors import Invalid, NotFound, Problem
from exchange.models import Case, Deadline
from exchange.rules import Clock, Decision
from exchange.sharing import Viewer, visible_to
from exchange.times import JST

_MEETS = {
    "sokuhou": {"any"},
    "zokuhou": {"any", "update"},
    "correction": {"any"},
    "kakuhou": {"any", "update", "kakuhou"},
}
_SOON = timedelta(days=3)


class Urgency(StrEnum):
    """How a deadline stands. `late` is what nobody may miss."""

    MET = "met"
    LATE = "late"
    SOON = "soon"
    RUNNING = "running"


@dataclass(frozen=True)
class Running:
    """A deadline at a moment; `left` is negative when it is over, None without a fixed end."""

    deadline: Deadline
    urgency: Urgency
    left: timedelta | None


def meets(stage: str, met_by: str) -> bool:
    """Whether a filing of this stage meets a deadline. A correction, as of a telephone number, is no follow-up."""
    return met_by in _MEETS[stage]


def set_by(db: Session, case: Case, decision: Decision, *, stage: str, now: datetime) -> None:
    """Let the clocks of a case follow a filing of this stage: start, move, meet. None is ever lost."""
    held = {(one.regime, one.stage): one for one in of_case(db, case)}
    for clock in decision.clocks:
        deadline = held.get((clock.regime, clock.stage))
        if deadline is None:
            deadline = Deadline(case_id=case.id, case=case, regime=clock.regime, stage=clock.stage)
            db.add(deadline)
        _follow(deadline, clock)
        if deadline.met_at is None and meets(stage, deadline.met_by):
            deadline.met_at = now
    db.flush()


def _follow(deadline: Deadline, clock: Clock) -> None:
    for name in ("starts_at", "due_at", "due_date", "warn_date", "target_at", "met_by"):
        setattr(deadline, name, getattr(clock, name))
    deadline.runs_out_at = _end(deadline)


def _end(deadline: Deadline) -> datetime | None:
    """The last moment; a day lasts to its end in Japan."""
    day = max(filter(None, (deadline.due_date, deadline.extended_to)), default=None)
    if day is not None:
        return datetime.combine(day, time.max, JST).astimezone(UTC)
    return deadline.due_at


def extend(
    db: Session, case: Case, regime: str, stage: str, *, until: date, authority: str, by: Viewer, now: datetime
) -> Deadline:
    """An authority gives more time. Raises: NotFound; Invalid if that would be no later."""
    deadline = next((one for one in of_case(db, case) if (one.regime, one.stage) == (regime, stage)), None)
    if deadline is None or deadline.due_date is None:
        raise NotFound(f"deadline {regime} {stage}")
    if until <= (deadline.extended_to or deadline.due_date):
        raise Invalid([Problem("until", "not-later")])
    deadline.extended_to, deadline.extended_by, deadline.warned = until, authority, 0
    deadline.runs_out_at = _end(deadline)
    audit.record(db, "deadline.extended", by=by, subject=deadline.id, now=now)
    outbox.tell(db, "case.changed", case.id, now=now)
    return deadline


def of_case(db: Session, case: Case) -> Sequence[Deadline]:
    """The deadlines of a case, the next to run out first."""
    rows = select(Deadline).where(Deadline.case_id == case.id)
    return db.scalars(rows.order_by(Deadline.runs_out_at.nulls_last(), Deadline.regime, Deadline.stage)).unique().all()


def board(db: Session, viewer: Viewer, *, now: datetime, most: int = 500) -> list[Running]:
    """Every deadline that still runs in the open cases that `viewer` may see, the most pressing first."""
    rows = select(Deadline).join(Case).where(visible_to(viewer, Case), Deadline.met_at.is_(None))
    rows = rows.where(Case.closed_at.is_(None), Deadline.runs_out_at.is_not(None))
    return [stands(one, now) for one in db.scalars(rows.order_by(Deadline.runs_out_at).limit(most)).unique()]


def stands(deadline: Deadline, now: datetime) -> Running:
    """How a deadline stands at this moment."""
    left = deadline.runs_out_at - now if deadline.runs_out_at else None
    if deadline.met_at is not None:
        return Running(deadline, Urgency.MET, left)
    if left is None:
        return Running(deadline, Urgency.RUNNING, None)
    if left < timedelta(0):
        return Running(deadline, Urgency.LATE, left)
    return Running(deadline, Urgency.SOON if left <= _SOON else Urgency.RUNNING, left)
