"""What a draft of an update says so far: what it asks, what it changes, what is wrong or missing. Pure.

A draft is filled with the answers of the newest version, and says what differs from them. When a further version is
filed meanwhile, what nobody has touched in the draft follows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from exchange import conditions, form, typed, updates
from exchange.errors import Invalid, Problem
from exchange.form import FIELDS, Profile
from exchange.typed import Answers, Pairs, Row

_EMPTY: tuple[Any, ...] = (None, "", [], {})


class Progress(StrEnum):
    """How far a section of a draft is."""

    NOT_STARTED = "not-started"
    IN_PROGRESS = "in-progress"
    DONE = "done"
    NOT_ASKED = "not-asked"


@dataclass(frozen=True)
class Part:
    """A section of a draft. `missing`: what this stage should say and does not say yet."""

    section: Row
    progress: Progress
    missing: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Work:
    """What was typed so far into a draft of `stage`, on top of all that is `known`.

    `reached` is the furthest stage filed before: a correction asks what was asked by then. `today` is the day on which
    it was typed. `done` are the sections that somebody has gone through.
    """

    stage: str
    reached: str
    profile: Profile
    known: Answers
    typed: Pairs
    today: date
    done: frozenset[str] = frozenset()

    @cached_property
    def changes(self) -> Answers:
        """What is new, as a JSON Merge Patch. What was typed and is asked no more stays out."""
        return {name: value for name, value in self._all_changes.items() if name in self._asked}

    @cached_property
    def answers(self) -> Answers:
        """All that would be known; what cannot be read stands there as typed."""
        return _together(self.known, self._all_changes)

    @cached_property
    def fields(self) -> list[Row]:
        """What to ask, and what was answered before, in the order of the dictionary; of a group only what is asked."""
        narrowed = (self._narrowed(field) for name, field in FIELDS.items() if name in self._asked)
        return [field for field in narrowed if field.get("items") != []]

    def fields_of(self, section: str) -> list[Row]:
        """The questions of one section."""
        return [field for field in self.fields if field["section"] == section]

    @cached_property
    def missing(self) -> list[tuple[Row, Row]]:
        """(field, field or member of it) that this stage should say and does not say yet."""
        whole = [(field, field) for field in updates.missing(self._as_stage, self.answers, self.profile)]
        return whole + [pair for field in self.fields if field["input"] == "group" for pair in self._members(field)]

    @cached_property
    def _all_changes(self) -> Answers:
        fields = list(FIELDS.values())
        patch = typed.to_answers(fields, self.typed, today=self.today)
        shown = _by_field(typed.from_answers(fields, self.known))
        own = _by_field(self.typed)
        differing = {name: self._new(name, patch[name]) for name in FIELDS if own.get(name) != shown.get(name)}
        return {name: value for name, value in differing.items() if value != self.known.get(name)}

    def _new(self, name: str, answer: Any) -> Any:
        """Of a group only the members that differ."""
        before = self.known.get(name)
        if FIELDS[name]["input"] != "group" or before is None or answer is None:
            return answer
        return {member: value for member, value in answer.items() if value != before.get(member)} or before

    @cached_property
    def _asked(self) -> set[str]:
        asked = {str(field["id"]) for field in updates.asked(self._as_stage, self.answers, self.profile)}
        if not self.profile.act_special_operator:
            asked.discard("designated_asset")
        return asked | {name for name, value in self.known.items() if value not in _EMPTY}

    @property
    def _as_stage(self) -> str:
        return self.reached if self.stage == "correction" else self.stage

    def _narrowed(self, field: Row) -> Row:
        if field["input"] != "group":
            return field
        known = self.known.get(field["id"], {})
        return {**field, "items": [item for item in field["items"] if item["id"] in known or self._is_asked(item)]}

    def _is_asked(self, item: Row) -> bool:
        return conditions.holds(item.get("when", {"all": []}), self.answers, vars(self.profile))

    def _members(self, field: Row) -> Iterator[tuple[Row, Row]]:
        given = self.answers.get(field["id"]) or {}
        for item in field["items"] if given else ():
            if item.get("required_at") == self._as_stage and given.get(item["id"]) in _EMPTY:
                yield field, item


def rebased(fields: list[Row], mine: Pairs, then: Answers, latest: Answers) -> Pairs:
    """What was typed over the answers of `then`, over those of `latest`: what nobody touched follows them."""
    old, new = typed.from_answers(fields, then), typed.from_answers(fields, latest)
    tables = {field["id"] for field in fields if field["input"] == "table"}
    own, was = _by_field(mine), _by_field(old)
    made: Pairs = {}
    for name in {**mine, **old, **new}:
        root = name.partition(".")[0]
        is_mine = own.get(root) != was.get(root) if root in tables else _of(own, name) != _of(was, name)
        values = (mine if is_mine else new).get(name)
        made |= {name: values} if values else {}
    return made


def _by_field(pairs: Mapping[str, list[str]]) -> dict[str, Pairs]:
    """To compare: several choices are the same in any order."""
    found: dict[str, Pairs] = {}
    for name, values in pairs.items():
        found.setdefault(name.partition(".")[0], {})[name] = sorted(values)
    return found


def _of(pairs: Mapping[str, Pairs], name: str) -> list[str] | None:
    return pairs.get(name.partition(".")[0], {}).get(name)


def _together(known: Answers, changes: Answers) -> Answers:
    whole = known | changes
    for name in changes.keys() & known.keys():
        if FIELDS[name]["input"] == "group" and changes[name] is not None:
            members = {**known[name], **changes[name]}
            whole[name] = {member: value for member, value in members.items() if value is not None}
    return {name: value for name, value in whole.items() if value not in _EMPTY}


# --- what is wrong, and what is left -------------------------------------------------------------------


def problems(work: Work, *, now: datetime) -> list[Problem]:
    """Everything that keeps the draft from being filed, by the names of its questions in the form."""
    touched = [FIELDS[name] for name in FIELDS if name in work.changes]
    found = typed.problems(touched, work.typed, today=work.today)
    try:
        updates.merged(work.known, work.changes, profile=work.profile, now=now)
    except Invalid as error:
        for problem in error.problems:
            found += _in_rows(work, problem, now) or [problem]
    unique: dict[str, Problem] = {}
    for problem in found:
        unique.setdefault(problem.field, problem)
    places = {name: place for place, name in enumerate(FIELDS)}
    return sorted(unique.values(), key=lambda one: places[root_of(one)])


def root_of(problem: Problem) -> str:
    """The field that a problem belongs to."""
    return problem.field.partition(".")[0]


def _in_rows(work: Work, problem: Problem, now: datetime) -> list[Problem]:
    """The same problem of a table, once for each row that has it."""
    table, _, member = problem.field.partition(".")
    if not member or member[0].isdecimal() or FIELDS[table]["input"] != "table":
        return []
    return [
        Problem(f"{table}.{number}.{member}", one.code, one.params)
        for number, row in enumerate(work.answers[table])
        for one in _problems_of({table: [row]}, work.profile, now)
        if one.field == problem.field
    ]


def _problems_of(answers: Answers, profile: Profile, now: datetime) -> list[Problem]:
    try:
        form.checked(updates.Later, answers, profile=profile, now=now)
    except Invalid as error:
        return error.problems
    return updates.out_of_order(answers)


def parts(work: Work, wrong: list[Problem]) -> list[Part]:
    """Every section of this stage, and how far it is."""
    return [_part(section, work, wrong) for section in updates.SECTIONS if _belongs(section, work)]


def _belongs(section: Row, work: Work) -> bool:
    stage = work.reached if work.stage == "correction" else work.stage
    in_time = updates.STAGES.index(section["stage"]) <= updates.STAGES.index(stage)
    return in_time or bool(work.fields_of(section["id"]))


def _part(section: Row, work: Work, wrong: list[Problem]) -> Part:
    fields = {field["id"]: field for field in work.fields_of(section["id"])}
    if not fields:
        return Part(section, Progress.NOT_ASKED)
    missing = tuple(inner for field, inner in work.missing if field["section"] == section["id"])
    open_fields = [name for name in fields if work.answers.get(name) in _EMPTY]
    if len(open_fields) == len(fields) and section["id"] not in work.done:
        return Part(section, Progress.NOT_STARTED, missing)
    faulty = any(root_of(problem) in fields for problem in wrong)
    gone_through = section["id"] in work.done or not open_fields
    done = gone_through and not missing and not faulty
    return Part(section, Progress.DONE if done else Progress.IN_PROGRESS, missing)
