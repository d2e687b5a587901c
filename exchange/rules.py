"""Who receives a report, under which rule, until when, and how far it may travel.

Pure: the rules are data (`data/rules.json`, `data/sectors.json`), each with its days of validity; here they
are only read. Source: the unified form, section 2 (form choice and routing).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import jpholiday

from exchange.form import Profile, QuickReport
from exchange.sectors import Sector, Text, day_of, is_valid, sector_of, text
from exchange.sharing import TLP
from exchange.tables import table

VERSION: str = table("rules")["version"]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Recipient:
    """An authority that receives a copy, for one purpose, and why."""

    id: str
    purpose: str
    regimes: tuple[str, ...]
    law: Text
    reason: Text


@dataclass(frozen=True)
class Clock:
    """A deadline: an instant (`due_at`), a day in Japan (`due_date`), or neither: "without delay"."""

    regime: str
    stage: str
    starts_at: datetime
    due_at: datetime | None
    due_date: date | None
    warn_date: date | None
    target_at: datetime | None
    text: Text


@dataclass(frozen=True)
class Reminder:
    """A question to ask again at `remind_at`, because its answer may start a clock of `regime`."""

    id: str
    regime: str
    remind_at: datetime
    text: Text


@dataclass(frozen=True)
class NotTriggered:
    """A regime that the reporter might have expected, and why it does not apply."""

    regime: str
    reason: Text


@dataclass(frozen=True)
class Decision:
    """All that follows from a report, shown before it is filed and kept with it."""

    form: str
    recipients: tuple[Recipient, ...]
    regimes: tuple[str, ...]
    clocks: tuple[Clock, ...]
    reminders: tuple[Reminder, ...]
    not_triggered: tuple[NotTriggered, ...]
    tlp_victim: TLP
    tlp_technical: TLP
    priority: str
    rule_version: str


@dataclass(frozen=True)
class _Facts:
    """What conditions can ask about."""

    report: QuickReport
    profile: Profile
    at: datetime

    @cached_property
    def sector(self) -> Sector:
        return sector_of(self.profile.sector, self.at)

    def value(self, condition: Row) -> object:
        if "answer" in condition:
            return getattr(self.report, condition["answer"])
        if condition["profile"] == "ministry":
            return self.sector.ministry
        return getattr(self.profile, condition["profile"])


def _holds(condition: Row, facts: _Facts) -> bool:
    """`all` of none is true. A question with several answers holds if any of them is `in` the list."""
    if "all" in condition:
        return all(_holds(part, facts) for part in condition["all"])
    if "any" in condition:
        return any(_holds(part, facts) for part in condition["any"])
    value = facts.value(condition)
    return any(one in condition["in"] for one in (value if isinstance(value, tuple) else (value,)))


def _first(rows: Iterable[Row], facts: _Facts) -> Row | None:
    return next((row for row in rows if _holds(row["when"], facts)), None)


def _chosen(rows: Iterable[Row], facts: _Facts) -> str:
    """The first value whose condition holds; the last row of each such table always does."""
    row = _first(rows, facts)
    assert row is not None, "the last row of this table must hold always"
    return str(row.get("value", row.get("id")))


def _joined(texts: Iterable[Text], comma: str, semicolon: str) -> Text:
    unique = list(dict.fromkeys(texts))
    return Text(comma.join(one.ja for one in unique), semicolon.join(one.en for one in unique))


def _gravest(purposes: Iterable[str]) -> str:
    """One purpose for a copy that several rules ask for: the first in the table's order."""
    wanted = set(purposes)
    return next(str(row["id"]) for row in table("rules")["purposes"] if row["id"] in wanted)


def _recipient(who: str, rules: list[Row], facts: _Facts) -> Recipient | None:
    asking = [rule for rule in rules if who in rule["to"]]
    if not asking:
        return None
    regimes = [rule for rule in asking if rule["regime"]]
    return Recipient(
        id=facts.sector.ministry if who == "ministry" else who,
        purpose=_gravest(rule["purpose"] for rule in asking),
        regimes=tuple(rule["id"] for rule in regimes),
        law=_joined((text(rule["law"]) for rule in regimes or asking), "、", "; "),
        reason=_joined((text(rule["reason"]) for rule in asking), "。", ". "),
    )


def _is_closed(day: date) -> bool:
    """Saturdays, Sundays, public holidays, and the days around New Year on which offices are closed."""
    closed, this = table("rules")["closed_days"], day.strftime("%m-%d")
    new_year = this >= closed["from"] or this <= closed["to"]
    return new_year or day.weekday() >= 5 or bool(jpholiday.is_holiday(day))


def last_open_day(day: date) -> date:
    """`day`, or the next day on which offices are open. Source: the holidays act of administrative organs."""
    while _is_closed(day):
        day += timedelta(days=1)
    return day


def _due_date(stage: Row, first: date) -> date | None:
    if "days" not in stage:
        return None
    day = first + timedelta(days=stage["days"] - (1 if stage["first_day_counted"] else 0))
    return last_open_day(day) if stage["roll_if_closed"] else day


def _clock(regime: str, stage: Row, report: QuickReport) -> Clock:
    """A clock starts at the time its own rule names; a quick report knows only when one became aware."""
    starts_at: datetime = getattr(report, stage["start"], None) or report.aware_at

    def after(unit: str) -> datetime | None:
        return starts_at + timedelta(hours=stage[unit]) if unit in stage else None

    warn = day_of(starts_at) + timedelta(days=stage["warn_days"]) if "warn_days" in stage else None
    return Clock(
        regime,
        stage["id"],
        starts_at,
        after("hours"),
        _due_date(stage, day_of(starts_at)),
        warn,
        after("target_hours"),
        text(stage),
    )


def _clocks(rules: Iterable[Row], facts: _Facts) -> Iterable[Clock]:
    for rule in rules:
        for stage in rule["stages"]:
            if _holds(stage.get("when", {"all": []}), facts):
                yield _clock(rule["id"], stage, facts.report)


def _not_triggered(rule: Row, facts: _Facts) -> NotTriggered | None:
    """Why a rule says nothing here, if the reporter may wonder."""
    if _holds(rule["when"], facts):
        return NotTriggered(rule["id"], text(table("rules")["not_in_force"]))
    why = _first(rule["otherwise"], facts)
    return NotTriggered(rule["id"], text(why)) if why else None


def _reminders(facts: _Facts) -> Iterable[Reminder]:
    for row in table("rules")["reminders"]:
        if _holds(row["when"], facts):
            yield Reminder(row["id"], row["regime"], facts.at + timedelta(hours=row["hours"]), text(row))


def decide(report: QuickReport, profile: Profile, *, at: datetime) -> Decision:
    """All that follows from `report` by the rules of the day of `at`.

    Raises: ValueError if the profile's sector is unknown, or was none on that day.
    """
    tables, facts = table("rules"), _Facts(report, profile, at.astimezone(UTC))
    rules = [rule for rule in tables["rules"] if is_valid(rule, day_of(at)) and _holds(rule["when"], facts)]
    others = [_not_triggered(rule, facts) for rule in tables["rules"] if rule not in rules]
    recipients = [_recipient(who, rules, facts) for who in tables["recipient_order"]]
    return Decision(
        form=_chosen(tables["forms"], facts),
        recipients=tuple(one for one in recipients if one),
        regimes=tuple(rule["id"] for rule in rules if rule["regime"]),
        clocks=tuple(_clocks(rules, facts)),
        reminders=tuple(_reminders(facts)),
        not_triggered=tuple(one for one in others if one),
        tlp_victim=TLP(_chosen(tables["tlp"]["victim"], facts)),
        tlp_technical=TLP(_chosen(tables["tlp"]["technical"], facts)),
        priority="priority-sector" if facts.sector.weight == "priority" else "normal",
        rule_version=VERSION,
    )


def _named(kind: str, wanted: str) -> Text:
    return next(text(row) for row in table("rules")[kind] if row["id"] == wanted)


def regime_name(regime: str) -> Text:
    """The name of a regime, as `act-report`."""
    return _named("rules", regime)


def purpose_name(purpose: str) -> Text:
    """What `response` and the other purposes mean, in words."""
    return _named("purposes", purpose)
