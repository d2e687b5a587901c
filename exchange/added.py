"""Sectors, authorities, ISACs and reporting rules that an administrator added or changed: data, never code.

A row is checked as strictly as a report: it may only refer to what exists. Each decision keeps the version of the rules
by which it was made, so a later change says nothing about an earlier report.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from exchange import audit
from exchange.answer_types import wrong
from exchange.errors import Invalid, NotFound, Problem
from exchange.form import FIELDS, Profile
from exchange.models import AddedRow, Case, Organization
from exchange.sharing import Viewer
from exchange.tables import lay_over, packaged, table

_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True)
_PROFILE = {*Profile.__dataclass_fields__, "ministry"}

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
Said = Annotated[str, Field(min_length=1, max_length=400)]


def _is_day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise wrong("bad-date") from None


Day = Annotated[str, AfterValidator(_is_day)] | None


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _known(kind: str) -> AfterValidator:
    def check(value: str) -> str:
        if value not in {row["id"] for row in table("sectors")[kind]}:
            raise wrong("unknown-option")
        return value

    return AfterValidator(check)


class _Words(BaseModel):
    model_config = _STRICT
    ja: Said
    en: Said


class _Row(_Words):
    id: Id
    valid_from: Day = None
    valid_to: Day = None


class _Circle(_Words):
    id: Id


class _Anonymity(BaseModel):
    model_config = _STRICT
    k: Annotated[int, Field(ge=3, le=100)] = 3
    population: Annotated[int, Field(ge=10, le=10_000)] = 10


class SectorRow(_Row):
    """A critical infrastructure sector."""

    no: Annotated[int, Field(ge=1, le=99)]
    ministry: Annotated[str, _known("authorities")]
    isac: Annotated[tuple[Annotated[str, _known("isacs")], ...], BeforeValidator(_tuple)] = ()
    ceptoar: Annotated[tuple[_Circle, ...], BeforeValidator(_tuple)] = ()
    stix: Annotated[tuple[Id, ...], BeforeValidator(_tuple)] = ()
    weight: Literal["normal", "priority"] = "normal"
    anonymity: _Anonymity = _Anonymity()


class AuthorityRow(_Row):
    """Somebody who may receive reports."""

    kind: Literal["ci-ministry", "act-ministry", "statutory-receiver", "law-enforcement", "agency", "coordinator"]


class IsacRow(_Row):
    """An information sharing and analysis center."""

    sectors: Annotated[tuple[Annotated[str, _known("sectors")], ...], BeforeValidator(_tuple)] = ()


def _condition(value: object, depth: int = 0) -> object:
    """The language of `exchange.conditions`, over questions that exist."""
    if not isinstance(value, dict) or depth > 5:
        raise wrong("bad-condition")
    if value.keys() in ({"all"}, {"any"}) and isinstance(next(iter(value.values())), list):
        return {key: [_condition(one, depth + 1) for one in parts] for key, parts in value.items()}
    subject = value.get("answer", value.get("profile"))
    asks = value.keys() in ({"answer", "in"}, {"profile", "in"}) and isinstance(value["in"], list)
    if not (asks or (value.keys() == {"answer", "answered"} and isinstance(value["answered"], bool))):
        raise wrong("bad-condition")
    if subject not in _PROFILE if "profile" in value else str(subject).partition(".")[0] not in FIELDS:
        raise wrong("unknown-question")
    return value


Condition = Annotated[dict[str, Any], BeforeValidator(_condition)]


class _Stage(_Words):
    id: Id
    start: Literal["aware_at", "pd_aware_at", "accident_known_at", "occurred_at", "detected_at"]
    met_by: Literal["any", "update", "kakuhou"]
    hours: Annotated[int, Field(ge=1, le=8760)] | None = None
    target_hours: Annotated[int, Field(ge=1, le=8760)] | None = None
    days: Annotated[int, Field(ge=1, le=3650)] | None = None
    months: Annotated[int, Field(ge=1, le=120)] | None = None
    warn_days: Annotated[int, Field(ge=0, le=3650)] | None = None
    first_day_counted: bool = False
    roll_if_closed: bool = False
    when: Condition | None = None


class _Otherwise(_Words):
    code: Id
    when: Condition


def _recipient(value: str) -> str:
    if value != "ministry" and value not in {row["id"] for row in table("sectors")["authorities"]}:
        raise wrong("unknown-option")
    return value


class RuleRow(_Row):
    """A reporting regime: when it applies, who gets a copy, which clocks it starts."""

    regime: bool = True
    law: _Words
    when: Condition
    reason: _Words
    to: Annotated[tuple[Annotated[str, AfterValidator(_recipient)], ...], BeforeValidator(_tuple)]
    purpose: Literal["criminal-investigation", "statutory-supervision", "response", "warning", "statistics"]
    stages: Annotated[tuple[_Stage, ...], BeforeValidator(_tuple)] = ()
    otherwise: Annotated[tuple[_Otherwise, ...], BeforeValidator(_tuple)] = ()
    by_consent: bool = False


KINDS: Mapping[str, tuple[type[_Row], str, str]] = {
    "sector": (SectorRow, "sectors", "sectors"),
    "authority": (AuthorityRow, "sectors", "authorities"),
    "isac": (IsacRow, "sectors", "isacs"),
    "rule": (RuleRow, "rules", "rules"),
}
"""What can be added: its model, and the table and list that it goes into."""


def checked(kind: str, body: object) -> dict[str, Any]:
    """A row as it is kept. Raises: Invalid with every member that is wrong; NotFound for another kind."""
    if kind not in KINDS:
        raise NotFound(f"kind {kind}")
    try:
        row = KINDS[kind][0].model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise Invalid([Problem(".".join(map(str, one["loc"])), one["type"]) for one in found]) from None
    made: dict[str, Any] = orjson.loads(row.model_dump_json(exclude_none=True))
    for stage in made.get("stages", ()):
        if "days" not in stage:
            del stage["first_day_counted"], stage["roll_if_closed"]
    return made


def add(db: Session, kind: str, body: object, *, by: Viewer | str, now: datetime) -> dict[str, Any]:
    """Add a row, or put it in the place of one with the same id; it holds from the next request on. Raises: Invalid."""
    row = checked(kind, body)
    held = db.scalars(select(AddedRow).where(AddedRow.kind == kind, AddedRow.row_id == row["id"])).one_or_none()
    if held is None:
        held = AddedRow(kind=kind, row_id=row["id"])
        db.add(held)
    held.body, held.added_at = orjson.dumps(row).decode(), now
    held.added_by_id = by.person_id if isinstance(by, Viewer) else None
    db.flush()
    audit.record(db, "table.changed", by=by, subject=f"{kind}:{row['id']}", version=_version(_rows(db)), now=now)
    return row


def remove(db: Session, kind: str, row_id: str, *, by: Viewer | str, now: datetime) -> None:
    """Take an added row away; a packaged one of the same id shows again.

    Raises: NotFound; Invalid if organizations or cases are of this sector: give it an end (`valid_to`) instead.
    """
    held = db.scalars(select(AddedRow).where(AddedRow.kind == kind, AddedRow.row_id == row_id)).one_or_none()
    if held is None:
        raise NotFound(f"{kind} {row_id}")
    is_packaged = any(row["id"] == row_id for row in packaged(KINDS[kind][1])[KINDS[kind][2]])
    if kind == "sector" and not is_packaged and _is_used(db, row_id):
        raise Invalid([Problem("id", "in-use")])
    db.execute(delete(AddedRow).where(AddedRow.id == held.id))
    audit.record(db, "table.changed", by=by, subject=f"{kind}:{row_id}", version=_version(_rows(db)), now=now)


def _is_used(db: Session, sector: str) -> bool:
    used = [select(Organization.id).where(Organization.sector == sector), select(Case.id).where(Case.sector == sector)]
    return any(db.scalar(one.limit(1)) is not None for one in used)


def follow(db: Session) -> None:
    """Let the tables of this process be those of the store: once for each request and each step of a worker."""
    rows = _rows(db)
    version = _version(rows)
    if version != _laid.get("version"):
        lay_over({KINDS[kind][1:]: _of(rows, kind) for kind in KINDS}, version)
        _laid["version"] = version


_laid: dict[str, str] = {}


def of_kind(db: Session, kind: str) -> list[dict[str, Any]]:
    """The added rows of a kind."""
    return _of(_rows(db), kind)


def _rows(db: Session) -> Sequence[tuple[str, str]]:
    ordered = select(AddedRow.kind, AddedRow.body).order_by(AddedRow.kind, AddedRow.row_id)
    return [(row.kind, row.body) for row in db.execute(ordered)]


def _of(rows: Sequence[tuple[str, str]], kind: str) -> list[dict[str, Any]]:
    return [orjson.loads(body) for found, body in rows if found == kind]


def _version(rows: Sequence[tuple[str, str]]) -> str:
    """Eight letters that change with any row; empty without rows."""
    return hashlib.sha256(orjson.dumps(rows)).hexdigest()[:8] if rows else ""
