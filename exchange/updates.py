"""What an update (続報) and the full report (確報) may say: every field of the dictionary, each when it is known.

The model is built from the dictionary, so a question is written down once. An update says only what is new: it is
merged into what was said before (RFC 7396, JSON Merge Patch), and the whole is checked again.
Source: the unified form, section 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model

from exchange import conditions, form, listed
from exchange.answer_types import LISTED, Moment, Past, Phone, Text, Time, chosen, within, wrong
from exchange.errors import Invalid, Problem
from exchange.form import FIELDS, QUICK, Profile
from exchange.tables import table

Row = Mapping[str, Any]
Answers = dict[str, Any]
SECTIONS: list[dict[str, Any]] = table("form")["sections"]
STAGES = ("sokuhou", "zokuhou", "kakuhou")

_MOST_ROWS, _MOST_LINES, _LONGEST, _MOST = 200, 100, 10_000, 10**12
_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True)


# --- the model -----------------------------------------------------------------------------------------


def _listed_type(one: Any, most: int) -> Any:
    return Annotated[tuple[one, ...], LISTED, Field(max_length=most)]


def _alone(field: Row) -> str:
    """The option that stands by itself, as “not known”; empty if there is none."""
    return next((str(one["value"]) for one in field.get("options", ()) if one.get("exclusive")), "")


def _options(field: Row) -> Any:
    """One of the options; `true` is not 1, whatever Python says."""
    offered = tuple(option["value"] for option in field["options"])
    return Annotated[Literal[offered], BeforeValidator(_no_boolean)]


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise wrong("unknown-option")
    return value


def _code(field: Row) -> Any:
    return _options(field) if "options" in field else _pattern(field["pattern"])


def _pattern(pattern: str) -> Any:
    """A text of one shape. The patterns are ours, and none of them can run long."""
    shape = re.compile(pattern)

    def check(value: str) -> str:
        if not shape.fullmatch(value):
            raise wrong("bad-code")
        return value

    return Annotated[Text, Field(max_length=64), AfterValidator(check)]


def _count(value: object) -> object:
    """A number, a range `{"min", "max"}` of what is not known exactly, or `unknown`."""
    if value == "unknown" or _is_number(value):
        return value
    if not (isinstance(value, dict) and value.keys() == {"min", "max"} and all(map(_is_number, value.values()))):
        raise wrong("bad-count")
    if value["min"] > value["max"]:
        raise wrong("bad-range")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def _yes_or_no(value: object) -> object:
    if not isinstance(value, bool) and value != "unknown":
        raise wrong("unknown-option")
    return value


_NUMBER = {"type": "integer", "minimum": 0, "maximum": _MOST}
_RANGE = {"type": "object", "properties": {"min": _NUMBER, "max": _NUMBER}, "required": ["min", "max"]}
_COUNT = WithJsonSchema({"oneOf": [_NUMBER, {**_RANGE, "additionalProperties": False}, {"const": "unknown"}]})
_YES_OR_NO = WithJsonSchema({"enum": [True, False, "unknown"]})


def _day(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise wrong("bad-date")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise wrong("bad-date") from None


def _is_http(value: str) -> str:
    if not re.match(r"h(?:tt|xx)ps?://\S+\Z", value):
        raise wrong("bad-url")
    return value


def _text(field: Row) -> Any:
    if "pattern" in field:
        return _pattern(field["pattern"])
    return Annotated[Text, Field(max_length=field.get("max_length", 400 if field["input"] == "text" else _LONGEST))]


def _time(field: Row) -> Any:
    if "max_days" in field:
        return Annotated[Time, within(field["max_days"])]
    if field.get("future"):
        return Time
    return Moment if field.get("near") else Past


def _number(kind: Any) -> Callable[[Row], Any]:
    def made(field: Row) -> Any:
        bounds = {"ge": field.get("min", 0), "le": field.get("max", _MOST)}
        return Annotated[kind, Field(allow_inf_nan=False, **bounds) if kind is float else Field(**bounds)]

    return made


_TYPES: Mapping[str, Callable[[Row], Any]] = {
    "radio": _options,
    "select": _options,
    "checkboxes": lambda field: Annotated[_listed_type(_options(field), 100), chosen(_alone(field))],
    "codes": lambda field: Annotated[_listed_type(_code(field), 200), chosen(_alone(field))],
    "text": _text,
    "textarea": _text,
    "lines": lambda field: _listed_type(Annotated[Text, Field(max_length=field.get("max_length", 1000))], _MOST_LINES),
    "datetime": _time,
    "date": lambda _: Annotated[date, BeforeValidator(_day)],
    "integer": _number(int),
    "number": _number(float),
    "count": lambda _: Annotated[Any, AfterValidator(_count), _COUNT],
    "yesno": lambda _: Annotated[Any, AfterValidator(_yes_or_no), _YES_OR_NO],
    "url": lambda _: Annotated[Text, Field(max_length=2048), AfterValidator(_is_http)],
    "tel": lambda _: Phone,
    "group": lambda field: _record(field),
    "table": lambda field: _listed_type(_record(field), field.get("max_items", _MOST_ROWS)),
}


def _record(field: Row) -> type[BaseModel]:
    name = "".join(part.capitalize() for part in field["id"].split("_"))
    return _model(name, field["items"])


def _model(name: str, fields: list[dict[str, Any]]) -> type[BaseModel]:
    made: dict[str, Any] = {field["id"]: _asked(field) for field in fields}
    return create_model(name, __config__=_STRICT, **made)


def _asked(field: Row) -> tuple[Any, Any]:
    kind, words = _TYPES[field["input"]](field), f"{field['label']['en']} / {field['label']['ja']}"
    return (kind, Field(description=words)) if field["required"] else (kind | None, Field(None, description=words))


Later = _model("Later", [field for name, field in FIELDS.items() if name not in QUICK])
"""The fields that are not asked in a quick report, all of them optional."""


# --- merging -------------------------------------------------------------------------------------------


def merged(before: Answers, changes: object, *, profile: Profile, now: datetime) -> Answers:
    """What is known after an update, as it is kept (JSON).

    Args:
        before: the answers of the version before this one, as they are kept.
        changes: a decoded JSON value, as it came; null takes an answer back.
    Raises: Invalid with every field that is wrong, each once.
    """
    if not isinstance(changes, dict):
        raise Invalid([Problem("", "wrong-type")])
    whole = _patched(before, changes)
    quick = {name: value for name, value in whole.items() if name in QUICK}
    later = {name: value for name, value in whole.items() if name not in QUICK}
    problems: list[Problem] = []
    kept: Answers = {}
    for model, answers in ((form.QuickReport, quick), (Later, later)):
        try:
            found = form.checked(model, answers, profile=profile, now=now, known=before)
            kept |= _without_empty(found.model_dump(mode="json", exclude_none=True))
        except Invalid as error:
            problems += error.problems
    problems += out_of_order(kept)
    problems += listed.problems(kept.get("iocs", ()), before.get("iocs", ()))
    if problems:
        raise Invalid(problems)
    return kept


def _patched(target: Mapping[str, Any], patch: Mapping[str, Any]) -> Answers:
    """Source: RFC 7396, section 2."""
    made = dict(target)
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        elif isinstance(value, dict) and name in FIELDS and FIELDS[name]["input"] == "group":
            made[name] = _patched(made.get(name) or {}, value)
        else:
            made[name] = value
    return made


def _without_empty(answers: Answers) -> Answers:
    """An empty text or list is no answer."""
    return {name: value for name, value in answers.items() if value not in ("", [], {})}


def out_of_order(answers: Answers) -> list[Problem]:
    """Times that come before what they must follow, each field once: `ddos.ended_at`, `affected_services.end`."""
    found = _out_of_order(FIELDS, answers, "")
    return list({problem.field: problem for problem in found}.values())


def _out_of_order(fields: Mapping[str, Row], answers: Answers, path: str) -> Iterator[Problem]:
    for name in (name for name in fields if name in answers):
        if "items" in fields[name]:
            inner = {item["id"]: item for item in fields[name]["items"]}
            for record in answers[name] if fields[name]["input"] == "table" else [answers[name]]:
                yield from _out_of_order(inner, record, f"{path}{name}.")
        earlier = _nearest_before(fields, name, answers)
        if earlier and datetime.fromisoformat(answers[name]) < datetime.fromisoformat(answers[earlier]):
            yield Problem(path + name, "out-of-order", {"field": path + earlier})


def _nearest_before(fields: Mapping[str, Row], name: str, answers: Answers) -> str | None:
    """The nearest of those that this one must follow which has an answer."""
    earlier = fields[name].get("not_before")
    return earlier if earlier is None or earlier in answers else _nearest_before(fields, earlier, answers)


# --- what there is to ask ------------------------------------------------------------------------------


def changed(before: Answers, after: Answers) -> list[str]:
    """The fields whose answers differ, in the order of the dictionary."""
    old, new = _without_empty(before), _without_empty(after)
    return [name for name in FIELDS if old.get(name) != new.get(name)]


def asked(stage: str, answers: Answers, profile: Profile) -> list[Row]:
    """The fields that a stage asks about such an incident, in the order of the dictionary."""
    known = vars(profile)
    shown = {one["id"] for one in SECTIONS if _is_asked(one, stage, answers, known)}
    return [field for field in FIELDS.values() if field["section"] in shown and _is_asked(field, stage, answers, known)]


def missing(stage: str, answers: Answers, profile: Profile) -> list[Row]:
    """What the stage should say and does not say yet. It may be filed all the same: nobody is kept from reporting."""
    return [
        field
        for field in asked(stage, answers, profile)
        if field.get("required_at") == stage and answers.get(field["id"]) in (None, "", [], {})
    ]


def _is_asked(entry: Row, stage: str, answers: Answers, known: Mapping[str, object]) -> bool:
    in_time = STAGES.index(entry["stage"]) <= STAGES.index(stage)
    return in_time and conditions.holds(entry.get("when", {"all": []}), answers, known)
