"""An answer as people read it: options by their words, times in Japan with the era, tables as numbered entries.

Whatever was typed is defanged, so that no reader's program makes a link of an attacker's address.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from exchange.documents.catalogue import Entry, inherited, word
from exchange.documents.characters import plain
from exchange.extraction import defang, extract
from exchange.sectors import Text, text
from exchange.tables import table
from exchange.times import JST

_UNKNOWABLE = {"count", "yesno"}
_JOIN = Text("／", " / ")


class Blank(Text):
    """Words that stand where an answer is missing."""


def blank(name: str, **values: Text | str) -> Blank:
    """One of the words for what is missing."""
    found = word(name, **values)
    return Blank(found.ja, found.en)


def is_missing(value: object) -> bool:
    """Whether there is nothing to print, here or in any part; `false` and 0 are answers."""
    if isinstance(value, Mapping):
        return all(map(is_missing, value.values()))
    return all(map(is_missing, value)) if isinstance(value, list) else value in (None, "")


def same(words: object) -> Text:
    """What reads alike in both languages, as names and numbers do."""
    seen = plain(str(words))
    return Text(seen, seen)


def labelled(label: Text, line: Text) -> Text:
    """`label：line`."""
    return Text(f"{label.ja}：{line.ja}", f"{label.en}: {line.en}")


def under(label: Text, lines: list[Text]) -> list[Text]:
    """One line with the label before it; several below it."""
    return [labelled(label, lines[0])] if len(lines) == 1 else [labelled(label, same("")), *lines]


def lines_of(value: object, field: Entry, fidelity: str = "minute") -> list[Text]:
    """An answer, line by line.

    Args:
        value: as it is kept (JSON).
        field: the dictionary's entry.
        fidelity: minute, hour or day: how exact a time is.
    """
    if isinstance(value, Mapping):
        return [_range(value)] if field["input"] == "count" else _members(value, field)
    if isinstance(value, list):
        return _listed(value, field)
    return _single(value, field, fidelity)


def _single(value: object, field: Entry, fidelity: str) -> list[Text]:
    if value == "unknown" and ("options" in field or field["input"] in _UNKNOWABLE):
        return [word("unknown")]
    if "options" in field:
        return [_option(value, field)]
    if isinstance(value, bool):
        return [word("yes" if value else "no")]
    if isinstance(value, int | float):
        return [same(_number(value))]
    if field["input"] == "datetime":
        return [moment(datetime.fromisoformat(str(value)), fidelity)]
    if field["input"] == "tel":
        return [_phone(str(value))]
    if field["input"] == "date":
        return [day(date.fromisoformat(str(value)))]
    return [same(line) for line in _typed(str(value), field).split("\n")]


def _option(value: object, field: Entry) -> Text:
    labels = (text(option["label"]) for option in field["options"] if option["value"] == value)
    return word("unknown") if value == "unknown" else next(labels, same(value))


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:,}"


def _phone(number: str) -> Text:
    """A number in E.164, and, of a Japanese one, how to dial it there."""
    if not number.startswith("+81"):
        return same(number)
    return word("from-japan", phone=number, domestic=f"0{number[3:]}")


def _range(value: Mapping[str, Any]) -> Text:
    return word("range", min=_number(value["min"]), max=_number(value["max"]))


# --- typed text ----------------------------------------------------------------------------------------


def _typed(typed: str, field: Entry) -> str:
    """The reporter's own address, of class A, stays one that can be opened."""
    if field["input"] == "url":
        return typed if field.get("class") == "A" else defang(plain(typed), "url")
    return harmless(plain(typed))


def harmless(typed: str) -> str:
    """Every address and name that the extraction recognises, defanged wherever it stands."""
    spelled = {
        typed[one.start : one.end]: defang(one.value, one.type) for one in extract(typed, documentation_is_real=True)
    }
    for spelling in sorted(spelled, key=len, reverse=True):
        typed = typed.replace(spelling, spelled[spelling])
    return typed


# --- lists, groups and tables --------------------------------------------------------------------------


def _listed(values: list[Any], field: Entry) -> list[Text]:
    if field["input"] == "table":
        return [line for number, row in enumerate(values, 1) for line in _entry(number, row, field)]
    if field["input"] == "lines":
        return [same(f"{number}. {_one_line(str(value), field)}") for number, value in enumerate(values, 1)]
    return [_in_a_row([_single(value, field, "minute")[0] for value in values])]


def _in_a_row(found: list[Text]) -> Text:
    return Text("、".join(one.ja for one in found), ", ".join(one.en for one in found))


def _one_line(typed: str, field: Entry) -> str:
    return _typed(typed, field).replace("\n", " ")


def _members(value: Mapping[str, Any], field: Entry) -> list[Text]:
    """Each answered member under its label, in the dictionary's order; a group in a group in one line."""
    found: list[Text] = []
    for item in field["items"]:
        if not is_missing(value.get(item["id"])):
            lines = lines_of(value[item["id"]], {**inherited(field), **item})
            found += under(text(item["label"]), [_joined(lines)] if item["input"] == "group" else lines)
    return found


def _entry(number: int, row: Mapping[str, Any], field: Entry) -> list[Text]:
    """One row of a table: in one line, but for members of several lines, which follow, set in."""
    shown = {**row, "value": defang(str(row["value"]), str(row.get("type")))} if "value" in row else row
    short: list[Text] = []
    long: list[Text] = []
    for item in field["items"]:
        if not is_missing(shown.get(item["id"])) and item["id"] != "defanged":
            told = under(text(item["label"]), _part(shown[item["id"]], {**inherited(field), **item}))
            (short if len(told) == 1 else long).extend(told)
    first = _joined(short)
    return [Text(f"{number}. {first.ja}", f"{number}. {first.en}"), *map(_set_in, long)]


def _part(value: object, field: Entry) -> list[Text]:
    """What stands in a row of a table; numbers within numbers would mislead, so a list is told in a row."""
    if field["input"] == "lines" and isinstance(value, list):
        return [_in_a_row([same(_one_line(str(one), field)) for one in value])]
    return lines_of(value, field)


def _set_in(line: Text) -> Text:
    return Text(f"　{line.ja}", f"　{line.en}")


def _joined(lines: list[Text]) -> Text:
    return Text(_JOIN.ja.join(one.ja for one in lines), _JOIN.en.join(one.en for one in lines))


# --- times ---------------------------------------------------------------------------------------------


def moment(when: datetime, fidelity: str = "minute") -> Text:
    """`2026-11-04 05:12（令和8年11月4日 5時12分）`, in Japan; as exact as it is known."""
    there = when.astimezone(JST)
    if fidelity == "day":
        return day(there.date())
    era, english = _in_era(there.date()), f"{there.day} {there:%B %Y}"
    if fidelity == "hour":
        about = word("about", hour=there.hour)
        return Text(f"{there:%Y-%m-%d} {about.ja}（{era} {about.ja}）", f"{english}, {about.en}")
    return Text(f"{there:%Y-%m-%d %H:%M}（{era} {there.hour}時{there.minute}分）", f"{english}, {there:%H:%M} JST")


def day(on: date) -> Text:
    """`2026-11-04（令和8年11月4日）`."""
    return Text(f"{on.isoformat()}（{_in_era(on)}）", f"{on.day} {on:%B %Y}")


def _in_era(on: date) -> str:
    era = next(row for row in table("documents")["eras"] if row["from"] <= on.isoformat())
    year = on.year - int(era["first_year"]) + 1
    return f"{era['name']}{'元' if year == 1 else year}年{on.month}月{on.day}日"
