"""Who receives a report, under which rule, until when, and how far it may travel.

Pure: the rules are data (`data/rules.json`, `data/sectors.json`), each with its days of validity; here they
are only read. A case collects: whom an earlier version reached, and which clock it started, stays.
Source: the unified form, section 2 (form choice and routing).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import jpholiday

from exchange import conditions
from exchange.conditions import Answers
from exchange.form import Profile
from exchange.sectors import Sector, Text, day_of, is_valid, sector_of, text
from exchange.sharing import TLP, stricter
from exchange.tables import table

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Recipient:
    """An authority that receives a copy, for one purpose, and why.

    `by_consent`: nothing but the reporter's consent asks for it. `held`: it has earlier copies, but gets no further
    one: that consent was taken back.
    """

    id: str
    purpose: str
    regimes: tuple[str, ...]
    law: Text
    reason: Text
    by_consent: bool = False
    held: bool = False


@dataclass(frozen=True)
class Clock:
    """A deadline: an instant (`due_at`), a day in Japan (`due_date`), or neither: "without delay".

    `met_by`: which filing meets it: `any`, the next `update`, or the `kakuhou`.
    """

    regime: str
    stage: str
    starts_at: datetime
    due_at: datetime | None
    due_date: date | None
    warn_date: date | None
    target_at: datetime | None
    text: Text
    met_by: str


@dataclass(frozen=True)
class Reminder:
    """A question to ask again at `remind_at`, because its answer may start a clock of `regime`."""

    id: str
    regime: str
    remind_at: datetime
    text: Text


@dataclass(frozen=True)
class NotTriggered:
    """A regime that the reporter might have expected, and why it does not apply; `code` is for machines."""

    regime: str
    code: str
    reason: Text


@dataclass(frozen=True)
class Decision:
    """All that follows from a report, shown before it is filed and kept with it.

    `rules` are all that ever held; `since` tells of those that a later filing brought when that was.
    """

    form: str
    recipients: tuple[Recipient, ...]
    regimes: tuple[str, ...]
    clocks: tuple[Clock, ...]
    reminders: tuple[Reminder, ...]
    not_triggered: tuple[NotTriggered, ...]
    tlp_victim: TLP
    tlp_technical: TLP
    priority: str
    rules: tuple[str, ...]
    since: Mapping[str, datetime]
    rule_version: str


@dataclass(frozen=True)
class _Facts:
    """What the rules look at."""

    answers: Answers
    profile: Profile
    at: datetime

    @cached_property
    def sector(self) -> Sector:
        return sector_of(self.profile.sector, self.at)

    @cached_property
    def known(self) -> Mapping[str, object]:
        return {**vars(self.profile), "ministry": self.sector.ministry}

    def holds(self, condition: Row) -> bool:
        return conditions.holds(condition, self.answers, self.known)

    def named(self, to: Iterable[str]) -> list[str]:
        """The ids of those whom a rule names: `ministry` is the one in charge of the sector."""
        return [self.sector.ministry if who == "ministry" else who for who in to]


def _first(rows: Iterable[Row], facts: _Facts) -> Row | None:
    return next((row for row in rows if facts.holds(row["when"])), None)


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


def _recipients(rules: list[Row], facts: _Facts, before: Row) -> Iterable[Recipient]:
    """Everybody once, with the reasons of all rules that ask; then whom an earlier version reached and no rule now."""
    asked = [(rule, facts.named(rule["to"])) for rule in rules]
    order = facts.named(table("rules")["recipient_order"])
    now = dict.fromkeys([*order, *(who for _, named in asked for who in named)])
    reached = [_recipient(who, asking, facts) for who in now if (asking := [rule for rule, to in asked if who in to])]
    gone = [_stays(row) for row in before.get("recipients", ()) if row["id"] not in {one.id for one in reached}]
    return [*reached, *gone]


def _recipient(who: str, asking: list[Row], facts: _Facts) -> Recipient:
    by_consent = all(rule.get("by_consent", False) for rule in asking)
    regimes = [rule for rule in asking if rule["regime"]]
    return Recipient(
        id=who,
        purpose=_gravest(rule["purpose"] for rule in asking),
        regimes=tuple(rule["id"] for rule in regimes),
        law=_joined((text(rule["law"]) for rule in regimes or asking), "、", "; "),
        reason=_joined((text(rule["reason"]) for rule in asking), "。", ". "),
        by_consent=by_consent,
        held=by_consent and not any(facts.holds(rule["when"]) for rule in asking),
    )


def _stays(row: Row) -> Recipient:
    """A recipient of an earlier version, as it is kept. Without its rule nobody can tell if a consent still stands."""
    by_consent = row.get("by_consent", False)
    return Recipient(
        row["id"],
        row["purpose"],
        tuple(row["regimes"]),
        text(row["law"]),
        text(row["reason"]),
        by_consent=by_consent,
        held=by_consent or row.get("held", False),
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


def _nth_open_day(first: date, number: int) -> date:
    """The open day of this number (1 or more), counted from `first` on."""
    day = last_open_day(first)
    for _ in range(number - 1):
        day = last_open_day(day + timedelta(days=1))
    return day


def _due_date(stage: Row, starts_on: date) -> date | None:
    """The last day of so many open days, days or months; the last two may roll over to an open day."""
    first = starts_on if stage.get("first_day_counted") else starts_on + timedelta(days=1)
    if "business_days" in stage:
        return _nth_open_day(first, stage["business_days"])
    if "months" in stage:
        day = _months_from(first, stage["months"])
    elif "days" in stage:
        day = first + timedelta(days=stage["days"] - 1)
    else:
        return None
    return last_open_day(day) if stage.get("roll_if_closed") else day


def _months_from(first: date, months: int) -> date:
    """The day before the same day so many months later, or the last one of a month that has no such day.

    Source: Civil Code of Japan, Article 143.
    """
    years, month = divmod(first.month - 1 + months, 12)
    year, month = first.year + years, month + 1
    last = monthrange(year, month)[1]
    return date(year, month, last) if first.day > last else date(year, month, first.day) - timedelta(days=1)


def _clock(regime: str, stage: Row, starts_at: datetime) -> Clock:
    def after(unit: str) -> datetime | None:
        return starts_at + timedelta(hours=stage[unit]) if unit in stage else None

    first = day_of(starts_at)
    return Clock(
        regime,
        stage["id"],
        starts_at,
        due_at=after("hours"),
        due_date=_due_date(stage, first),
        warn_date=first + timedelta(days=stage["warn_days"]) if "warn_days" in stage else None,
        target_at=after("target_hours"),
        text=text(stage),
        met_by=stage["met_by"],
    )


def _start(stage: Row, answers: Answers, since: datetime | None) -> datetime:
    """The time that the rule names. Until that is known: when a later filing brought the rule, or one became aware."""
    told = answers.get(stage["start"])
    if told is None and since is not None:
        return since
    return datetime.fromisoformat(str(told or answers["aware_at"]))


def _clocks(rules: Iterable[Row], facts: _Facts, since: Mapping[str, datetime]) -> Iterable[Clock]:
    for rule in rules:
        for stage in rule["stages"]:
            if facts.holds(stage.get("when", {"all": []})):
                yield _clock(rule["id"], stage, _start(stage, facts.answers, since.get(rule["id"])))


def _not_triggered(rule: Row, facts: _Facts) -> NotTriggered | None:
    """Why a rule says nothing here, if the reporter may wonder."""
    if facts.holds(rule["when"]):
        return NotTriggered(rule["id"], "not-in-force", text(table("rules")["not_in_force"]))
    why = _first(rule["otherwise"], facts)
    return NotTriggered(rule["id"], why["code"], text(why)) if why else None


def _reminders(facts: _Facts, before: Row) -> Iterable[Reminder]:
    """A question that an earlier version left open is asked when that version said."""
    asked = {(one["id"], one["regime"]): one["remind_at"] for one in before.get("reminders", ())}
    for row in table("rules")["reminders"]:
        if facts.holds(row["when"]):
            kept = asked.get((row["id"], row["regime"]))
            remind_at = datetime.fromisoformat(kept) if kept else facts.at + timedelta(hours=row["hours"])
            yield Reminder(row["id"], row["regime"], remind_at, text(row))


def decide(answers: Answers, profile: Profile, *, at: datetime, before: Mapping[str, Any] | None = None) -> Decision:
    """All that follows from the answers by the rules of the day of `at`.

    Args:
        answers: as they are kept (JSON): times in RFC 3339.
        before: the decision about the version before this one, as it is kept (JSON).
    Raises: ValueError if the profile's sector is unknown, or was none on that day.
    """
    tables, facts, before = table("rules"), _Facts(answers, profile, at.astimezone(UTC)), before or {}
    earlier = set(before.get("rules", before.get("regimes", ())))
    rules = [rule for rule in tables["rules"] if rule["id"] in earlier or _applies(rule, facts)]
    others = [_not_triggered(rule, facts) for rule in tables["rules"] if rule not in rules]
    since = _since(rules, facts, before, earlier)
    return Decision(
        form=_chosen(tables["forms"], facts),
        recipients=tuple(_recipients(rules, facts, before)),
        regimes=tuple(rule["id"] for rule in rules if rule["regime"]),
        clocks=tuple(_clocks(rules, facts, since)),
        reminders=tuple(_reminders(facts, before)),
        not_triggered=tuple(one for one in others if one),
        tlp_victim=_marking("victim", "tlp_victim", facts),
        tlp_technical=_marking("technical", "tlp_tech", facts),
        priority="priority-sector" if facts.sector.weight == "priority" else "normal",
        rules=tuple(rule["id"] for rule in rules),
        since=since,
        rule_version=tables["version"],
    )


def _since(rules: list[Row], facts: _Facts, before: Row, earlier: set[str]) -> dict[str, datetime]:
    kept = {rule: datetime.fromisoformat(at) for rule, at in before.get("since", {}).items()}
    return kept | {rule["id"]: facts.at for rule in rules if before and rule["id"] not in earlier}


def _marking(part: str, wish: str, facts: _Facts) -> TLP:
    """What the rules say, or what the reporter wants if that is stricter."""
    ruled, wanted = TLP(_chosen(table("rules")["tlp"][part], facts)), facts.answers.get(wish)
    return stricter(ruled, TLP(str(wanted))) if wanted else ruled


def _applies(rule: Row, facts: _Facts) -> bool:
    return is_valid(rule, day_of(facts.at)) and facts.holds(rule["when"])


def _named(kind: str, wanted: str) -> Text:
    """A rule that was added and taken away again keeps its id for a name in the cases that it reached."""
    return next((text(row) for row in table("rules")[kind] if row["id"] == wanted), Text(wanted, wanted))


def regime_name(regime: str) -> Text:
    """The name of a regime, as `act-report`."""
    return _named("rules", regime)


def purpose_name(purpose: str) -> Text:
    """What `response` and the other purposes mean, in words."""
    return _named("purposes", purpose)
