"""What differs between two versions of a report, and what that brings: recipients, deadlines, sharing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exchange import sharing
from exchange.clocks import Running, Urgency, meets
from exchange.form import FIELDS
from exchange.sharing import EditionKind, Scope
from portal.web import wording
from portal.web.wording import Clock, Recipient, Words

Json = Mapping[str, Any]
_EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True)
class Difference:
    """A question whose answer changed; of a table only the rows that did, and how many did not."""

    field: Mapping[str, Any]
    before: list[Any]
    after: list[Any]
    same: int


def between(before: Json, after: Json, names: Iterable[str]) -> list[Difference]:
    """The changes of these fields, old and new."""
    return [_difference(FIELDS[name], before.get(name), after.get(name)) for name in names]


def _difference(field: Json, before: Any, after: Any) -> Difference:
    old, new = (wording.shown(field, value) if value not in _EMPTY else [] for value in (before, after))
    if field["input"] != "table":
        return Difference(field, old, new, 0)
    same = [piece for piece in new if piece in old]
    return Difference(
        field, [one for one in old if one not in same], [one for one in new if one not in same], len(same)
    )


@dataclass(frozen=True)
class Paper:
    """A document of a recipient, and the labels of the answers in it that are new to it."""

    title: Words
    new: list[Words]


@dataclass(frozen=True)
class Reached:
    """A recipient and what it sees. `mark`: `new`, `held` (it gets no further copy), or empty."""

    recipient: Recipient
    mark: str
    papers: list[Paper]


def reached(
    before: Json, decision: Json, recipients: Sequence[Recipient], papers: Mapping[str, list[Paper]]
) -> list[Reached]:
    """Who gets it, against those of the version before."""
    known = {one["id"] for one in before["recipients"] if not one.get("held")}
    held = {one["id"] for one in decision["recipients"] if one.get("held")}
    marks = {one.id: "held" if one.id in held else "" if one.id in known else "new" for one in recipients}
    return [Reached(one, marks[one.id], papers[one.id]) for one in recipients]


@dataclass(frozen=True)
class Due:
    """A deadline. `mark`: `new`, `met` (by this filing), `late`, `done` (met before), or empty."""

    clock: Clock
    mark: str


def dues(clocks: Sequence[Clock], decision: Json, running: Sequence[Running], stage: str) -> list[Due]:
    """The deadlines after this filing; `running` are those of the case until now."""
    held = {(one.deadline.regime, one.deadline.stage): one for one in running}
    met_by = {(one["regime"], one["stage"]): one["met_by"] for one in decision["clocks"]}
    return [Due(one, _mark(held.get((one.regime, one.stage)), met_by[one.regime, one.stage], stage)) for one in clocks]


def _mark(until_now: Running | None, met_by: str, stage: str) -> str:
    if until_now is not None and until_now.urgency is Urgency.MET:
        return "done"
    if meets(stage, met_by):
        return "met"
    if until_now is None:
        return "new"
    return "late" if until_now.urgency is Urgency.LATE else ""


@dataclass(frozen=True)
class Consent:
    """How far it may be shared, before and now. `ended` and `opened`: editions that others lose, or get."""

    before: Words
    after: Words
    ended: list[Words]
    opened: list[Words]
    legal_only: bool


def consent(before: Json, after: Json) -> Consent | None:
    """What other answers bring about the scope and the purposes; None if nobody gets or loses anything."""
    known, scope = before["share_scope"], after["share_scope"]
    old, new = (sharing.editions_of(Scope(one["share_scope"]), sharing.purposes_of(one)) for one in (before, after))
    if known == scope and old == new:
        return None
    return Consent(
        wording.option("share_scope", known),
        wording.option("share_scope", scope),
        ended=_named(one for one in old if one not in new),
        opened=_named(one for one in new if one not in old),
        legal_only=scope == Scope.LEGAL_ONLY,
    )


def _named(editions: Iterable[EditionKind]) -> list[Words]:
    return [wording.EDITIONS[one] for one in editions]
