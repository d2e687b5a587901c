"""What may stand in an answer: times, texts, telephone numbers and choices, each as it is kept.

A refused answer raises a pydantic error whose type is one of our own codes, a key of `data/problems.json`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from exchange.times import JST

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")
_BIDI = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_PHONE_NOISE = re.compile(r"[\s()\-\u2010-\u2015\u2212\u2500\u2501\u30fc]")
_E164 = re.compile(r"\+(?:81[1-9][0-9]{8,9}|(?!81)[1-9][0-9]{6,14})")
_DOMESTIC = re.compile(r"0[1-9][0-9]{8,9}")
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_FUTURE_SLACK = timedelta(minutes=5)
_OLDEST_YEARS = 2
_PASTE_BYTES = 64 * 1024


def wrong(code: str, **params: object) -> PydanticCustomError:
    """An error whose type is one of our own codes, a key of `data/problems.json`."""
    return PydanticCustomError(code, code, params or None)


def _read_time(value: object) -> object:
    """An RFC 3339 text as an aware UTC time; digits after the sixth are dropped. Nothing else is coerced."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise wrong("wrong-type")
    match = _RFC3339.fullmatch(value)
    if match is None or match[1] < "1970":
        raise wrong("bad-time")
    text = f"{match[1]}T{match[2]}.{(match[3] or '0')[:6]:0<6}{match[4].upper()}"
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong("bad-time") from None


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise wrong("bad-time")
    return value.astimezone(UTC)


def _years_before(when: datetime, years: int) -> datetime:
    """The same day `years` earlier; 29 February becomes the 28th in a common year."""
    try:
        return when.replace(year=when.year - years)
    except ValueError:
        return when.replace(year=when.year - years, day=28)


def _near(value: datetime, info: ValidationInfo) -> datetime:
    """Not longer before now, or before one became aware, than anyone reports. What was said before stays."""
    now: datetime | None = (info.context or {}).get("now")
    known = (info.context or {}).get("known") or {}
    told, aware_at = (_told(known, name) for name in (info.field_name, "aware_at"))
    if now is not None and value != told and value < _years_before(min(now, aware_at or now), _OLDEST_YEARS):
        raise wrong("too-early")
    return value


def _told(known: Mapping[str, str], name: str | None) -> datetime | None:
    """A time among the answers that are kept (JSON)."""
    return datetime.fromisoformat(known[name]) if name is not None and name in known else None


def within(days: int) -> AfterValidator:
    """Until the end of the day so many days after today, in Japan."""

    def check(value: datetime, info: ValidationInfo) -> datetime:
        now: datetime | None = (info.context or {}).get("now")
        if now is not None:
            last = now.astimezone(JST).date() + timedelta(days=days)
            if value > datetime.combine(last, time.max, JST):
                raise wrong("too-far", max=days)
        return value

    return AfterValidator(check)


def _past(value: datetime, info: ValidationInfo) -> datetime:
    """Not in the future, but for clocks that run fast."""
    now: datetime | None = (info.context or {}).get("now")
    if now is not None and value > now + _FUTURE_SLACK:
        raise wrong("too-late")
    return value


def _unix_lines(value: object) -> object:
    return re.sub(r"\r\n?", "\n", value) if isinstance(value, str) else value


def _printable(value: str) -> str:
    if _HALF_CHARACTER.search(value):
        raise wrong("bad-text")
    if _CONTROL.search(value):
        raise wrong("control-character")
    return value


def _pasteable(value: str) -> str:
    if len(value.encode()) > _PASTE_BYTES:
        raise wrong("too-long", max=_PASTE_BYTES)
    return value


def _short_together(value: tuple[str, ...]) -> tuple[str, ...]:
    _pasteable("\n".join(value))
    return value


def _phone(value: str) -> str:
    """The number as E.164; one that begins with a single 0 is taken as Japanese."""
    if _BIDI.search(value):
        raise wrong("bidi-character")
    if _CONTROL.search(value):
        raise wrong("control-character")
    number = _PHONE_NOISE.sub("", unicodedata.normalize("NFKC", value)).replace("+810", "+81", 1)
    if _DOMESTIC.fullmatch(number):
        return f"+81{number[1:]}"
    if not _E164.fullmatch(number):
        raise wrong("bad-phone")
    return number


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def chosen(alone: str) -> AfterValidator:
    """Each choice once, and `alone` by itself."""

    def check(value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise wrong("repeated")
        if alone in value and len(value) > 1:
            raise wrong("exclusive", option=alone)
        return value

    return AfterValidator(check)


def _at_least_one(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise wrong("empty-choice")
    return value


Time = Annotated[datetime, BeforeValidator(_read_time), AfterValidator(_aware)]
Text = Annotated[str, BeforeValidator(_unix_lines), AfterValidator(_printable)]
LISTED = BeforeValidator(_listed)
NOT_EMPTY = AfterValidator(_at_least_one)
PRINTABLE = AfterValidator(_printable)
Past = Annotated[Time, AfterValidator(_past)]
Moment = Annotated[Past, AfterValidator(_near)]
Paste = Annotated[Text, AfterValidator(_pasteable)]
Values = Annotated[tuple[Annotated[Text, Field(max_length=2048)], ...], LISTED, AfterValidator(_short_together)]
Phone = Annotated[str, Field(max_length=40), AfterValidator(_phone)]
