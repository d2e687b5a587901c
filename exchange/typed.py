"""What a form of HTML posts, as answers, and answers as such a form shows them: one codec for every kind of question.

A member of a group is named `ransomware.type`, one of a row `affected_services.0.name_ja`; a time has two boxes,
`detected_at.date` and `detected_at.time`, in Japan's time. Nothing is guessed: what cannot be read stays as typed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from exchange.errors import Problem
from exchange.japanese_dates import moment, read_date
from exchange.times import JST

Row = Mapping[str, Any]
Answers = dict[str, Any]
Typed = Mapping[str, Sequence[str]]
Pairs = dict[str, list[str]]

_ROW = re.compile(r"([a-z0-9_]{1,64})\.(0|[1-9][0-9]{0,4})\..{1,128}", re.DOTALL)
_SPLIT = re.compile(r"[\s,、;/・]+")
_SECONDS = re.compile(r"([0-9]{1,2})(:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)")
_WHOLE = re.compile(r"(?:([0-9]{1,8})億)?(?:([0-9]{1,8})万)?([0-9]{1,15})?[円人名件台戸社回便本]?")
_DECIMAL = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,400})?)%?")
_RANGE = re.compile(r"[-~〜‐‑‒–—―−ー]|から")
_NOT_KNOWN = {"unknown", "notknown", "notknownyet", "不明", "不詳", "未定", "調査中", "分からない", "わからない"}
_YES_NO: Mapping[object, str] = {True: "yes", False: "no", "unknown": "unknown"}
_MOST = 10**12


# --- from a form ---------------------------------------------------------------------------------------


def to_answers(fields: Iterable[Row], typed: Typed, *, today: date) -> Answers:
    """What was typed, as a JSON Merge Patch for `updates.merged`: a question left blank is null.

    Args:
        today: when it was typed, for dates without a year.
    """
    return _Reading(typed, today).patch(fields)


def problems(fields: Iterable[Row], typed: Typed, *, today: date) -> list[Problem]:
    """What cannot be read, by the name of its question: `pd_subject_count`, `affected_services.0.users_affected`."""
    reading = _Reading(typed, today)
    reading.patch(fields)
    return reading.problems


def tidied(fields: Iterable[Row], typed: Typed) -> Pairs:
    """What was typed into these fields and nothing else: without blanks, the rows of tables numbered from 0."""
    form = _Form(typed)
    return dict(pair for field in fields for pair in form.pairs(field, field["id"], field["id"]))


class _Form:
    """What was typed, by question and row."""

    def __init__(self, typed: Typed) -> None:
        said = {name: [_unix(value) for value in values if value.strip()] for name, values in typed.items()}
        self._typed: Pairs = {name: values for name, values in said.items() if values}
        self._rows: dict[str, set[int]] = {}
        for match in filter(None, map(_ROW.fullmatch, self._typed)):
            self._rows.setdefault(match[1], set()).add(int(match[2]))

    def pairs(self, field: Row, name: str, new_name: str) -> Iterator[tuple[str, list[str]]]:
        if field["input"] == "table":
            for number, row in enumerate(self.rows_of(field, name)):
                for item in field["items"]:
                    yield from self.pairs(item, f"{row}.{item['id']}", f"{new_name}.{number}.{item['id']}")
        elif field["input"] == "group":
            for item in field["items"]:
                yield from self.pairs(item, f"{name}.{item['id']}", f"{new_name}.{item['id']}")
        else:
            for box in _boxes(field):
                if values := self._typed.get(name + box):
                    yield new_name + box, values

    def one(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        return self._typed.get(name, [])

    def rows_of(self, field: Row, name: str) -> list[str]:
        """The names of the rows in which something was typed."""
        boxes = [f"{item['id']}{box}" for item in field["items"] for box in _boxes(item)]
        rows = (f"{name}.{number}" for number in sorted(self._rows.get(name, ())))
        return [row for row in rows if any(f"{row}.{box}" in self._typed for box in boxes)]


class _Reading(_Form):
    """One form, while it is read."""

    def __init__(self, typed: Typed, today: date) -> None:
        super().__init__(typed)
        self.today = today
        self.problems: list[Problem] = []

    def patch(self, fields: Iterable[Row]) -> Answers:
        return {field["id"]: self._value(field, field["id"], patch=True) for field in fields}

    def refuse(self, name: str, typed: str, code: str, **params: object) -> str:
        self.problems.append(Problem(name, code, params))
        return typed

    def _value(self, field: Row, name: str, *, patch: bool = False) -> Any:
        if field["input"] == "table":
            return [self._record(field, row) for row in self.rows_of(field, name)] or None
        if field["input"] == "group":
            given = self._record(field, name)
            return {item["id"]: given.get(item["id"]) for item in field["items"]} if given and patch else given or None
        return _READERS[field["input"]](self, field, name)

    def _record(self, field: Row, name: str) -> Answers:
        members = ((item["id"], self._value(item, f"{name}.{item['id']}")) for item in field["items"])
        return {member: value for member, value in members if value is not None}


def _boxes(field: Row) -> tuple[str, ...]:
    return (".date", ".time") if field["input"] == "datetime" else ("",)


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _plain(text: str) -> str:
    """Half-width, without blanks and without the commas of thousands."""
    return re.sub(r"[\s,]", "", unicodedata.normalize("NFKC", text))


def _text(form: _Reading, field: Row, name: str) -> object:
    text = form.one(name)
    return (_shaped(text, field["pattern"]) if "pattern" in field else text) or None


def _shaped(text: str, pattern: str) -> str:
    """A code as it is written, if it is one that was typed in full width or in small letters."""
    for spelling in (text, _plain(text), _plain(text).upper()):
        if re.fullmatch(pattern, spelling):
            return spelling
    return text


def _trimmed(form: _Reading, _field: Row, name: str) -> object:
    return form.one(name).strip() or None


def _lines(form: _Reading, _field: Row, name: str) -> object:
    return [line.strip() for line in form.one(name).split("\n") if line.strip()] or None


def _recognised(form: _Reading, _field: Row, name: str) -> object:
    return [line.strip() for text in form.all(name) for line in text.split("\n") if line.strip()] or None


def _option(form: _Reading, field: Row, name: str) -> object:
    return _chosen(field, form.one(name)) if form.all(name) else None


def _chosen(field: Row, text: str) -> object:
    return next((option["value"] for option in field["options"] if str(option["value"]) == text), text)


def _options(form: _Reading, field: Row, name: str) -> object:
    if "options" in field:
        return [_chosen(field, text) for text in form.all(name)] or None
    words = _SPLIT.split(unicodedata.normalize("NFKC", form.one(name)))
    return [_shaped(word, field["pattern"]) for word in words if word] or None


def _day(form: _Reading, field: Row, typed: str) -> date | None:
    return read_date(typed, form.today, ahead=field.get("future", False))


def _date(form: _Reading, field: Row, name: str) -> object:
    typed = form.one(name)
    if not typed:
        return None
    day = _day(form, field, typed)
    return day.isoformat() if day else form.refuse(name, typed, "bad-date")


def _datetime(form: _Reading, field: Row, name: str) -> object:
    day, clock = form.one(f"{name}.date").strip(), form.one(f"{name}.time").strip()
    if not day and not clock:
        return None
    if not clock and form.one(f"{name.removesuffix('_at')}_fidelity") == "day":
        clock = "00:00"
    if found := _moment(form, field, day, clock):
        return found.isoformat().replace("+00:00", "Z")
    no_time = not clock and _day(form, field, day) is not None
    return form.refuse(name, f"{day} {clock}".strip(), "time-missing" if no_time else "bad-time")


def _moment(form: _Reading, field: Row, day: str, clock: str) -> datetime | None:
    """The moment that two boxes tell, in UTC; seconds count only where they are typed in full."""
    exact, known_day = _SECONDS.fullmatch(unicodedata.normalize("NFKC", clock)), _day(form, field, day)
    typed = moment(day, clock, form.today, ahead=field.get("future", False))
    try:
        found = datetime.fromisoformat(f"{known_day}T{exact[1]:0>2}{exact[2]}+09:00" if exact and known_day else typed)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _whole(text: str) -> int | None:
    """`1,200`, `１２００`, `3,000万円`, `1億2000万`; None if it is no whole number."""
    match = _WHOLE.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    hundred_millions, ten_thousands, ones = (int(part or 0) for part in match.groups())
    return hundred_millions * 10**8 + ten_thousands * 10**4 + ones


def _integer(form: _Reading, field: Row, name: str) -> object:
    typed = form.one(name)
    if not typed:
        return None
    number = _whole(_plain(typed))
    return form.refuse(name, typed, "bad-number") if number is None else _bounded(form, field, name, number)


def _number(form: _Reading, field: Row, name: str) -> object:
    typed = form.one(name)
    if not typed:
        return None
    match = _DECIMAL.fullmatch(_plain(typed))
    return _bounded(form, field, name, float(match[1])) if match else form.refuse(name, typed, "bad-number")


def _bounded(form: _Reading, field: Row, name: str, number: float) -> object:
    least, most = field.get("min", 0), field.get("max", _MOST)
    if not least <= number <= most:
        form.refuse(name, form.one(name), "out-of-range", min=least, max=most)
    return number


def _count(form: _Reading, _field: Row, name: str) -> object:
    typed = form.one(name)
    if not typed:
        return None
    plain = _plain(typed).casefold()
    if plain in _NOT_KNOWN:
        return "unknown"
    numbers = [_whole(part) for part in _RANGE.split(plain)]
    if None in numbers or len(numbers) > 2:
        return form.refuse(name, typed, "bad-count")
    return numbers[0] if len(numbers) == 1 else {"min": numbers[0], "max": numbers[1]}


def _yes_or_no(form: _Reading, _field: Row, name: str) -> object:
    typed = form.one(name)
    return next((answer for answer, text in _YES_NO.items() if text == typed), typed) if typed else None


_READERS: Mapping[str, Callable[[_Reading, Row, str], object]] = {
    "radio": _option,
    "select": _option,
    "checkboxes": _options,
    "codes": _options,
    "text": _text,
    "textarea": _text,
    "lines": _lines,
    "recognised": _recognised,
    "datetime": _datetime,
    "date": _date,
    "integer": _integer,
    "number": _number,
    "count": _count,
    "yesno": _yes_or_no,
    "url": _trimmed,
    "tel": _trimmed,
}


# --- into a form ---------------------------------------------------------------------------------------


def from_answers(fields: Iterable[Row], answers: Mapping[str, Any]) -> Pairs:
    """The answers as `to_answers` reads them; fields without an answer have no pair."""
    return dict(pair for field in fields for pair in _written(field, field["id"], answers.get(field["id"])))


def _written(field: Row, name: str, value: Any) -> Iterator[tuple[str, list[str]]]:
    if value in (None, "", [], {}):
        return
    if field["input"] == "table":
        for number, row in enumerate(value):
            yield from _members(field, f"{name}.{number}", row)
    elif field["input"] == "group":
        yield from _members(field, name, value)
    elif field["input"] == "datetime":
        yield from _two_boxes(name, value)
    else:
        yield name, _WRITERS.get(field["input"], _as_text)(field, value)


def _members(field: Row, name: str, record: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for item in field["items"]:
        yield from _written(item, f"{name}.{item['id']}", record.get(item["id"]))


def _two_boxes(name: str, value: str) -> Iterator[tuple[str, list[str]]]:
    try:
        local = datetime.fromisoformat(value).astimezone(JST)
    except OverflowError:  # The last day of the calendar has no later zone.
        yield f"{name}.date", [value]
        return
    exact = local.second or local.microsecond
    yield f"{name}.date", [f"{local.date()}"]
    yield f"{name}.time", [local.time().isoformat() if exact else f"{local:%H:%M}"]


def _as_text(_field: Row, value: Any) -> list[str]:
    return [str(value)]


def _as_boxes(field: Row, value: Sequence[Any]) -> list[str]:
    return [str(one) for one in value] if "options" in field else [", ".join(value)]


def _as_decimal(_field: Row, value: float) -> list[str]:
    text = f"{Decimal(repr(value)):f}"
    return [text.rstrip("0").rstrip(".") if "." in text else text]


def _as_count(_field: Row, value: Any) -> list[str]:
    return [f"{value['min']}-{value['max']}" if isinstance(value, dict) else str(value)]


_WRITERS: Mapping[str, Callable[[Row, Any], list[str]]] = {
    "checkboxes": _as_boxes,
    "codes": _as_boxes,
    "lines": lambda _, value: ["\n".join(value)],
    "recognised": lambda _, value: list(value),
    "number": _as_decimal,
    "count": _as_count,
    "yesno": lambda _, value: [_YES_NO[value]],
}
