"""Sectors, authorities, ISACs and reporting rules that an administrator added or changed: data, never code.

A row is checked as strictly as a report: it may only refer to what exists. Each decision keeps the version of the rules
by which it was made, so a later change says nothing about an earlier report.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from exchange import audit
from exchange.answer_types import wrong
from exchange.errors import Invalid, NotFound, Problem
from exchange.form import FIELDS, Profile
from exchange.models import AddedRow, Case, Delivery, Organization
from exchange.sharing import Viewer
from exchange.tables import Rows, lay_over, packaged, table

_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True)
_PROFILE = {*Profile.__dataclass_fields__, "ministry"}

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
Said = Annotated[str, Field(min_length=1, max_length=400)]


def _is_day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise wrong("bad-date") from None


Day = Annotated[str, AfterValidator(_is_day)]


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
    valid_from: Day | None = None
    valid_to: Day | None = None


class _Circle(_Words):
    id: Id


class _Anonymity(BaseModel):
    model_config = _STRICT
    k: Annotated[int, Field(ge=3, le=100)] = 3
    population: Annotated[int, Field(ge=10, le=10_000)] = 10


class _MinistryBefore(BaseModel):
    model_config = _STRICT
    ministry: Annotated[str, _known("authorities")]
    until: Day


class SectorRow(_Row):
    """A critical infrastructure sector; `ministry_before`: who was in charge until when."""

    no: Annotated[int, Field(ge=1, le=99)]
    ministry: Annotated[str, _known("authorities")]
    ministry_before: Annotated[tuple[_MinistryBefore, ...], BeforeValidator(_tuple)] = ()
    isac: Annotated[tuple[Annotated[str, _known("isacs")], ...], BeforeValidator(_tuple)] = ()
    ceptoar: Annotated[tuple[_Circle, ...], BeforeValidator(_tuple)] = ()
    stix: Annotated[tuple[Id, ...], BeforeValidator(_tuple)] = ()
    weight: Literal["normal", "priority"] = "normal"
    anonymity: _Anonymity = _Anonymity()


class _NameBefore(_Words):
    until: Day


class AuthorityRow(_Row):
    """Somebody who may receive reports; `before`: its earlier names, each until a day."""

    kind: Literal[
        "ci-ministry",
        "act-ministry",
        "statutory-receiver",
        "law-enforcement",
        "agency",
        "coordinator",
        "csirt",
        "response-agency",
        "diplomacy",
        "oversight",
        "other",
    ]
    before: Annotated[tuple[_NameBefore, ...], BeforeValidator(_tuple)] = ()


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


_IN_DAYS = ("days", "business_days", "months")


class _Stage(_Words):
    """A clock: due after one amount of hours, days, business days or months, or without delay."""

    id: Id
    start: Literal["aware_at", "pd_aware_at", "accident_known_at", "occurred_at", "detected_at"]
    met_by: Literal["any", "update", "kakuhou"]
    hours: Annotated[int, Field(ge=1, le=8760)] | None = None
    target_hours: Annotated[int, Field(ge=1, le=8760)] | None = None
    days: Annotated[int, Field(ge=1, le=3650)] | None = None
    business_days: Annotated[int, Field(ge=1, le=365)] | None = None
    months: Annotated[int, Field(ge=1, le=120)] | None = None
    warn_days: Annotated[int, Field(ge=0, le=3650)] | None = None
    first_day_counted: bool = False
    roll_if_closed: bool = False
    when: Condition | None = None

    @model_validator(mode="after")
    def _is_due_once(self) -> Self:
        if sum(getattr(self, unit) is not None for unit in ("hours", *_IN_DAYS)) > 1:
            raise wrong("one-unit")
        return self


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


_CODES = {
    "missing": "required",
    "string_too_short": "required",
    "extra_forbidden": "unknown-field",
    "literal_error": "unknown-option",
    "string_pattern_mismatch": "bad-code",
    "int_type": "wrong-type",
    "string_type": "wrong-type",
}


def checked(kind: str, body: object) -> dict[str, Any]:
    """A row as it is kept. Raises: Invalid with every member that is wrong; NotFound for another kind."""
    if kind not in KINDS:
        raise NotFound(f"kind {kind}")
    try:
        row = KINDS[kind][0].model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        named = ((".".join(map(str, one["loc"])), one["type"]) for one in found)
        raise Invalid([Problem(at, _CODES.get(code, code)) for at, code in named]) from None
    made: dict[str, Any] = orjson.loads(row.model_dump_json(exclude_none=True))
    for stage in made.get("stages", ()):
        if not any(unit in stage for unit in _IN_DAYS):
            del stage["first_day_counted"], stage["roll_if_closed"]
    return made


def ready(db: Session, kind: str, body: object) -> dict[str, Any]:
    """A row as it is kept, also checked against the store: a sector in use neither ends nor begins later.

    Raises: Invalid, NotFound.
    """
    follow(db)
    row = checked(kind, body)
    if kind == "sector":
        wrong_days = [Problem(day, "in-use") for day, users in _kept_from(row) if _is_any(db, users)]
        if wrong_days:
            raise Invalid(wrong_days)
    return row


def _kept_from(row: Mapping[str, Any]) -> Iterator[tuple[str, list[Select[Any]]]]:
    """The days of a sector's row that take it from somebody, and who that would be."""
    now = next((one for one in table("sectors")["sectors"] if one["id"] == row["id"]), row)
    if row.get("valid_to"):
        yield "valid_to", [_of_sector(row["id"])]
    if row.get("valid_from", "") > (now.get("valid_from") or ""):
        yield "valid_from", [_of_sector(row["id"]), _cases_of(row["id"])]


def add(db: Session, kind: str, body: object, *, by: Viewer | str, now: datetime) -> dict[str, Any]:
    """Add a row, or put it in the place of one with the same id; it holds from the next request on. Raises: Invalid."""
    row = ready(db, kind, body)
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

    Raises: NotFound; Invalid for a sector of organizations or cases, and an authority that a rule, a sector, an office
    or a case names.
    """
    follow(db)
    held = db.scalars(select(AddedRow).where(AddedRow.kind == kind, AddedRow.row_id == row_id)).one_or_none()
    if held is None:
        raise NotFound(f"{kind} {row_id}")
    is_packaged = any(row["id"] == row_id for row in packaged(KINDS[kind][1])[KINDS[kind][2]])
    if not is_packaged and _is_used(db, kind, row_id):
        raise Invalid([Problem("id", "in-use")])
    db.execute(delete(AddedRow).where(AddedRow.id == held.id))
    audit.record(db, "table.changed", by=by, subject=f"{kind}:{row_id}", version=_version(_rows(db)), now=now)


def _is_used(db: Session, kind: str, row_id: str) -> bool:
    if kind == "sector":
        return _is_any(db, [_of_sector(row_id), _cases_of(row_id)])
    office = select(Organization.id).where(Organization.authority == row_id)
    told = select(Delivery.id).where(Delivery.recipient == row_id)
    return kind == "authority" and (row_id in _named_authorities() or _is_any(db, [office, told]))


def _of_sector(sector: str) -> Select[Any]:
    return select(Organization.id).where(Organization.sector == sector)


def _cases_of(sector: str) -> Select[Any]:
    return select(Case.id).where(Case.sector == sector)


def _is_any(db: Session, rows: Sequence[Select[Any]]) -> bool:
    return any(db.scalar(one.limit(1)) is not None for one in rows)


def _named_authorities() -> set[str]:
    """The authorities that rules send to, and the ministries in charge, now or before."""
    sectors = table("sectors")["sectors"]
    ministries = {one["ministry"] for row in sectors for one in (row, *row.get("ministry_before", ()))}
    return ministries | {who for rule in table("rules")["rules"] for who in rule["to"]}


def as_if(db: Session, kind: str, row: Mapping[str, Any]) -> Rows:
    """The rows of the store with this one among them, as `exchange.tables` lays them over."""
    rows = _rows(db)
    return {KINDS[name][1:]: [*_of(rows, name), *([row] if name == kind else [])] for name in KINDS}


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
