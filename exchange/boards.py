"""The board of clocks: what runs, what is over and what is to be looked at again, in the cases that one may see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, aliased

from exchange import clocks
from exchange.clocks import Running, Urgency
from exchange.models import Case, Deadline, ReportVersion
from exchange.sectors import Text, text
from exchange.sharing import Viewer, may_report_on, visible_to
from exchange.tables import table

_AT_ONCE = 500
_SPANS = table("letters")["spans"]


@dataclass(frozen=True)
class Again:
    """Something that a rule asks to be looked at again from `at` on; it stands there until a filing answers it."""

    case: Case
    at: datetime
    text: dict[str, str]


@dataclass(frozen=True)
class Board:
    """The deadlines of the open cases by urgency, the next to run out first; `versions`: the newest of each case."""

    running: dict[Urgency, list[Running]]
    again: list[Again]
    versions: dict[UUID, ReportVersion]


def show(db: Session, viewer: Viewer, *, now: datetime) -> Board:
    """Everything that `viewer` may see of the open cases: at most 500 deadlines that run, and 500 others."""
    rows = [*clocks.board(db, viewer, now=now, most=_AT_ONCE), *_others(db, viewer, now)]
    versions = newest(db, and_(Case.closed_at.is_(None), visible_to(viewer, Case)))
    grouped = {urgency: [row for row in rows if row.urgency is urgency] for urgency in Urgency}
    return Board(grouped, again(versions.values()), versions)


def of_case(db: Session, case: Case, *, now: datetime) -> list[Running]:
    """The deadlines of one case, as they stand."""
    return [clocks.stands(one, now) for one in clocks.of_case(db, case)]


def own_pressing(db: Session, viewer: Viewer, *, now: datetime) -> list[Running]:
    """What is late or soon over in the cases that `viewer` reports on, the most pressing first."""
    pressing = {Urgency.LATE, Urgency.SOON}
    rows = [row for row in clocks.board(db, viewer, now=now) if row.urgency in pressing]
    return [row for row in rows if may_report_on(viewer, organization_id=row.deadline.case.organization_id)]


def _others(db: Session, viewer: Viewer, now: datetime) -> list[Running]:
    """What has been met, the last first, and what has no fixed end."""
    rows = select(Deadline).join(Case).where(visible_to(viewer, Case), Case.closed_at.is_(None))
    rows = rows.where(Deadline.met_at.is_not(None) | Deadline.runs_out_at.is_(None))
    rows = rows.order_by(Deadline.met_at.desc().nulls_first(), Deadline.id).limit(_AT_ONCE)
    return [clocks.stands(one, now) for one in db.scalars(rows).unique()]


def newest(db: Session, of: ColumnElement[bool], *, most: int = _AT_ONCE) -> dict[UUID, ReportVersion]:
    """The newest version of each case for which `of` holds, by the case's id; of the 500 last ones."""
    other = aliased(ReportVersion)
    last = select(func.max(other.seq)).where(other.case_id == ReportVersion.case_id).scalar_subquery()
    found = select(ReportVersion).join(Case, Case.id == ReportVersion.case_id).where(of, ReportVersion.seq == last)
    found = found.order_by(ReportVersion.received_at.desc()).limit(most)
    return {version.case_id: version for version in db.scalars(found).unique()}


def again(versions: Iterable[ReportVersion]) -> list[Again]:
    """What the newest versions leave to be looked at again, the first to come first."""
    rows = [(version.case, one) for version in versions for one in version.decision["reminders"]]
    listed = [Again(case, datetime.fromisoformat(one["remind_at"]), one["text"]) for case, one in rows]
    return sorted(listed, key=lambda one: one.at)


def regime_of(deadline: Deadline) -> Text:
    """The name of its regime; the id, where an administrator took the rule away and its clock runs on."""
    rows = (row for row in table("rules")["rules"] if row["id"] == deadline.regime)
    return next(map(text, rows), Text(deadline.regime, deadline.regime))


def extended_by(deadline: Deadline) -> Text | None:
    """Who gave more time, by its name of today."""
    if deadline.extended_by is None:
        return None
    rows = (row for row in table("sectors")["authorities"] if row["id"] == deadline.extended_by)
    return next(map(text, rows), Text(deadline.extended_by, deadline.extended_by))


def in_words(left: timedelta) -> Text:
    """Time left or time over, in its two largest units, never more than there is: あと2日4時間."""
    minutes = int(abs(left) / timedelta(minutes=1))
    (days, rest), over = divmod(minutes, 1440), left < timedelta(0)
    parts = [("day", days), ("hour", rest // 60), ("minute", rest % 60)]
    first = next((n for n, (_, count) in enumerate(parts) if count), len(parts))
    told = [part for part in parts[first : first + (1 if days >= 7 else 2)] if part[1]]
    return Text(_spoken(told, "ja", over=over), _spoken(told, "en", over=over))


def _spoken(told: Sequence[tuple[str, int]], lang: str, *, over: bool) -> str:
    if not told:
        return str(_SPANS["just-over" if over else "at-once"][lang])
    words = [_SPANS[unit][f"{lang}-one" if (lang, count) == ("en", 1) else lang].format(count) for unit, count in told]
    return str(_SPANS["over" if over else "left"][lang]).format((" " if lang == "en" else "").join(words))
