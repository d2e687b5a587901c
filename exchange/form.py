"""The quick report (速報): its fields, what may stand in them, and how to say what is wrong.

The words, labels and options are data: `data/form.json`, the one dictionary of all stages, and `data/problems.json`.
A test holds the dictionary and the model together. What later stages ask is in `exchange.updates`.
Source: the unified form, fields 1 to 13.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from exchange.answer_types import (
    LISTED,
    NOT_EMPTY,
    PRINTABLE,
    Moment,
    Paste,
    Phone,
    Text,
    Time,
    Values,
    chosen,
    wrong,
)
from exchange.errors import Invalid, Problem
from exchange.japanese_dates import moment
from exchange.tables import table

Model = TypeVar("Model", bound=BaseModel)
VERSION: str = table("form")["version"]
FIELDS: dict[str, dict[str, Any]] = {field["id"]: field for field in table("form")["fields"]}
QUICK: dict[str, dict[str, Any]] = {name: field for name, field in FIELDS.items() if field["stage"] == "sokuhou"}
ASKED: dict[str, dict[str, Any]] = {name: field for name, field in QUICK.items() if field["input"] != "recognised"}
"""What an empty form asks: what is recognised in an answer can be looked over only after that."""

IncidentKind = Literal["ddos", "ransomware", "other", "unknown"]
Fidelity = Literal["minute", "hour", "day"]
Impact = Literal["stopped", "degraded", "none", "unknown"]
SystemClass = Literal["it", "ot", "web", "cloud", "endpoint", "network", "vendor", "unknown"]
PersonalData = Literal["yes", "possible", "no", "unknown"]
Status = Literal["ongoing", "contained", "recovered", "unknown"]
ShareScope = Literal["legal-only", "nco", "council-anon", "allied-anon"]
DesignatedAsset = Literal["yes", "no", "unknown"]
Support = Literal["technical-advice", "first-response", "ot-support", "information", "advisory-to-customers", "none"]
PoliceConsult = Literal["requested-here", "done", "later", "no"]


def _asked(name: str, **more: Any) -> Any:
    """A pydantic field whose description, and example, are the dictionary's."""
    entry = FIELDS[name]
    examples = [entry["example"]["en"]] if "example" in entry and entry["input"] != "datetime" else None
    return Field(description=f"{entry['label']['en']} / {entry['label']['ja']}", examples=examples, **more)


@dataclass(frozen=True)
class Profile:
    """What is known of an organization and never asked."""

    sector: str
    act_special_operator: bool
    public_body: bool
    ci_operator: bool


class OrganisationRef(BaseModel):
    """For whom a machine reports; another organisation's id is answered as if there were none."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    org_id: Annotated[str, Field(min_length=1, max_length=64), PRINTABLE]


class QuickReport(BaseModel):
    """The answers of a quick report, as they are kept: times in UTC, the telephone number as E.164."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    incident_kind: IncidentKind = _asked("incident_kind")
    aware_at: Moment = _asked("aware_at")
    aware_fidelity: Fidelity = _asked("aware_fidelity", default="minute")
    service_impact: Impact = _asked("service_impact")
    system_class: Annotated[tuple[SystemClass, ...], LISTED, NOT_EMPTY, chosen("unknown")] = _asked(
        "system_class", json_schema_extra={"minItems": 1, "uniqueItems": True}
    )
    personal_data: PersonalData = _asked("personal_data")
    current_status: Status = _asked("current_status")
    callback: Phone = _asked("callback")
    share_scope: ShareScope = _asked("share_scope")
    designated_asset: DesignatedAsset | None = _asked("designated_asset", default=None, validate_default=True)
    summary: Annotated[Text, Field(max_length=400)] = _asked("summary", default="")
    ioc_paste: Paste = _asked("ioc_paste", default="")
    ioc_left_out: Values = _asked("ioc_left_out", default=())
    support_wanted: Annotated[tuple[Support, ...], LISTED, chosen("none")] = _asked(
        "support_wanted", default=(), json_schema_extra={"uniqueItems": True}
    )
    police_consult: PoliceConsult | None = _asked("police_consult", default=None)
    submitted_at: Time | None = Field(None, description="The client's own claim: kept, never trusted.")
    organisation: OrganisationRef | None = None

    @field_validator("designated_asset", mode="after")
    @classmethod
    def _needed_under_the_act(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Whoever carries the Act's duties answers, if it did when it first reported; else an answer means nothing."""
        profile: Profile | None = (info.context or {}).get("profile")
        known = (info.context or {}).get("known")
        asked = profile is not None and profile.act_special_operator
        if value is None and asked and (known is None or "designated_asset" in known):
            raise wrong("required")
        return value


_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown-field",
    "literal_error": "unknown-option",
    "string_unicode": "bad-text",
    "string_too_long": "too-long",
    "too_long": "too-long",
    "string_too_short": "required",
}


def _code(error: ErrorDetails) -> str:
    """Our word for what pydantic found. An empty answer to a required question is a missing one."""
    kind, value = error["type"], error["input"]
    if value in (None, "") and FIELDS.get(_field(error), {}).get("required") is True:
        return "required"
    if kind == "literal_error" and not isinstance(value, str):
        return "wrong-type"
    return _CODES.get(kind, kind if kind in table("problems") else "wrong-type")


def _field(error: ErrorDetails) -> str:
    """The field's id: `system_class` for any of its choices, `organisation.org_id` for a nested one."""
    names = ".".join(part for part in error["loc"] if isinstance(part, str))
    return names.encode(errors="replace").decode()


def _problem(error: ErrorDetails) -> Problem:
    context = error.get("ctx", {})
    known = {"max_length": "max", "max": "max", "option": "option"}
    params = {known[name]: value for name, value in context.items() if name in known}
    return Problem(_field(error), _code(error), params)


def parse(answers: object, *, profile: Profile, now: datetime) -> QuickReport:
    """The answers as a report.

    Args:
        answers: a decoded JSON value, as it came.
    Raises:
        Invalid: with every field that is wrong, each once.
    """
    return checked(QuickReport, answers, profile=profile, now=now)


def checked(
    model: type[Model], answers: object, *, profile: Profile, now: datetime, known: Mapping[str, Any] | None = None
) -> Model:
    """The answers as `model` takes them.

    Args:
        known: what was said before, as it is kept (JSON); None for a first report.
    Raises: Invalid with every field that is wrong, each once.
    """
    try:
        return model.model_validate(answers, context={"profile": profile, "now": now, "known": known})
    except ValidationError as error:
        problems = [_problem(one) for one in error.errors(include_url=False)]
    raise Invalid(list({problem.field: problem for problem in reversed(problems)}.values())[::-1])


_NOT_ANSWERS = {"csrf_token", "idempotency_key", "action", "lang"}


def _value(name: str, values: list[str]) -> object:
    """Checkboxes and lines as a list; one answer as text; several answers to one question stay a list, and fail."""
    kind = FIELDS.get(name, {}).get("input")
    if kind == "checkboxes":
        return [value for value in values if value]
    if kind == "recognised":
        return [line.strip() for line in "\n".join(values).split("\n") if line.strip()]
    return values[0] if len(values) == 1 else values


def _is_blank(name: str, value: object) -> bool:
    return value == [] or (value == "" and FIELDS.get(name, {}).get("required") is not True)


def from_form(pairs: Mapping[str, list[str]], *, today: date) -> dict[str, object]:
    """A posted HTML form as the same dictionary that a machine sends; what the form does not know is kept.

    Args:
        today: when it was typed, for dates without a year.
    """
    answers = {name: _value(name, list(values)) for name, values in pairs.items() if name not in _NOT_ANSWERS}
    day, clock = (str(answers.pop(name, "")).strip() for name in ("aware_date", "aware_time"))
    if day and not clock and answers.get("aware_fidelity") == "day":
        clock = "00:00"
    if day or clock:
        answers["aware_at"] = moment(day, clock, today)
    return {name: value for name, value in answers.items() if not _is_blank(name, value)}


def label(field: str, option: object, lang: str) -> str:
    """The words of one option, in `lang` (ja or en)."""
    words = {known["value"]: known["label"][lang] for known in FIELDS[field].get("options", ())}
    return str(words.get(option, option))


def _question(path: str) -> Mapping[str, Any]:
    """A field, or a member of one: `affected_services.start`."""
    root, *rest = path.split(".")
    found = FIELDS[root]
    for name in rest:
        found = next(item for item in found["items"] if item["id"] == name)
    return found


def message(problem: Problem, lang: str) -> str:
    """What to do about a problem, in `lang` (ja or en): the field's own words if there are any."""
    words = table("problems")
    own = words.get(f"{problem.field}.{problem.code}")
    text: str = (own or words.get(problem.code) or words["invalid"])[lang]
    params = dict(problem.params)
    if "option" in params and problem.field in FIELDS:
        params["option"] = label(problem.field, params["option"], lang)
    if "field" in params:
        params["field"] = _question(str(params["field"]))["label"][lang]
    return text.format_map(params)
