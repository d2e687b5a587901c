"""What a new row would change: plain reports of every organization, decided by the tables as they are and would be.

The reports are data (`data/trial.json`). Nothing is kept, and nobody else sees the tables that are tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from exchange import added, rules, sectors
from exchange.conditions import Answers
from exchange.documents.catalogue import word
from exchange.documents.values import day, labelled, moment
from exchange.form import Profile
from exchange.models import Organization
from exchange.rules import Clock
from exchange.sectors import Text, text
from exchange.sharing import Kind
from exchange.tables import table, tried
from exchange.times import JST


@dataclass(frozen=True)
class Outcome:
    """Who receives a report, and what is due, in words."""

    recipients: tuple[Text, ...] = ()
    clocks: tuple[Text, ...] = ()

    def without(self, other: Outcome) -> Outcome:
        """What is not in `other` too."""
        return Outcome(
            tuple(one for one in self.recipients if one not in other.recipients),
            tuple(one for one in self.clocks if one not in other.clocks),
        )


@dataclass(frozen=True)
class Change:
    """What one of the plain reports would bring to so many organizations of a sector, and what no longer."""

    report: Text
    sector: Text
    organizations: int
    more: Outcome
    less: Outcome


@dataclass(frozen=True)
class Trial:
    """The changes, by report and sector. `at`: now, or when the row begins to hold."""

    at: datetime
    changes: tuple[Change, ...]


def run(db: Session, kind: str, row: Mapping[str, Any], *, now: datetime) -> Trial:
    """What a row that is `added.ready` would change. A sector without organizations is tried with a plain one."""
    at, counted = _begins(row, now), _organizations(db)
    with tried(added.as_if(db, kind, row)):
        counted |= {Profile(sector, False, False, True): 0 for sector in _empty(counted, at)}
        after = _outcomes(counted, at)
        names = {one["id"]: text(one) for one in table("sectors")["sectors"]}
    before = _outcomes(counted, at)
    found: Counter[tuple[Text, str, Outcome, Outcome]] = Counter()
    for report, profile in after:
        old, new = before[report, profile], after[report, profile]
        if old != new:
            found[report, profile.sector, new.without(old), old.without(new)] += counted[profile]
    reports, order = [text(one) for one in table("trial")["reports"]], list(names)
    rows = sorted(found.items(), key=lambda one: (reports.index(one[0][0]), order.index(one[0][1])))
    return Trial(at, tuple(Change(report, names[sector], n, more, less) for (report, sector, more, less), n in rows))


def _begins(row: Mapping[str, Any], now: datetime) -> datetime:
    first = row.get("valid_from")
    return max(now, datetime.combine(date.fromisoformat(first), time.min, JST)) if first else now


def _organizations(db: Session) -> dict[Profile, int]:
    """How many there are of each kind that the rules can tell apart."""
    told = (
        Organization.sector,
        Organization.act_special_operator,
        Organization.public_body,
        Organization.ci_operator,
    )
    rows = select(*told, func.count()).where(Organization.kind == Kind.OPERATOR, Organization.sector.is_not(None))
    found = db.execute(rows.group_by(*told)).all()
    return {Profile(str(sector), act, public, ci): n for sector, act, public, ci, n in found}


def _empty(counted: Mapping[Profile, int], at: datetime) -> list[str]:
    settled = {profile.sector for profile in counted}
    return [sector for sector in sectors.sector_ids(at) if sector not in settled]


def _outcomes(profiles: Mapping[Profile, int], at: datetime) -> dict[tuple[Text, Profile], Outcome]:
    """By report and profile, by the tables of this thread."""
    return {
        (text(report), profile): _outcome({**report["answers"], "aware_at": at.isoformat()}, profile, at)
        for report in table("trial")["reports"]
        for profile in profiles
    }


def _outcome(answers: Answers, profile: Profile, at: datetime) -> Outcome:
    """Nothing follows in a sector that there is not, or not yet."""
    try:
        decision = rules.decide(answers, profile, at=at)
    except ValueError:
        return Outcome()
    names = tuple(sectors.authority(one.id, at).name for one in decision.recipients)
    return Outcome(names, tuple(map(_in_words, decision.clocks)))


def _in_words(clock: Clock) -> Text:
    named = labelled(rules.regime_name(clock.regime), clock.text)
    if clock.due_at:
        return word("due", what=named, day=moment(clock.due_at))
    return word("due", what=named, day=day(clock.due_date)) if clock.due_date else named
