"""The questions of the later stages on a page: their choices, their rows, and what is wrong or missing, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from exchange import drafting, form, typed
from exchange.drafting import Work
from exchange.errors import Problem
from exchange.form import FIELDS
from exchange.sectors import day_of
from exchange.times import utcnow
from exchange.typed import Pairs, Row
from portal import language
from portal.web import wording
from portal.web.wording import Words

Choice = tuple[str, Words, Words | None, bool]
"""(value, label, hint, whether it stands alone)."""

_TITLE = 80
_UNFOLDED = 25
_YES_NO: list[Choice] = [
    ("yes", {"ja": "はい", "en": "Yes"}, None, False),
    ("no", {"ja": "いいえ", "en": "No"}, None, False),
    ("unknown", {"ja": "分からない", "en": "Not known yet"}, None, False),
]


@dataclass(frozen=True)
class Told:
    """Something wrong or missing: the question's name in the form, its section, its label, and what to do."""

    name: str
    section: str
    label: Words
    message: str = ""


@dataclass(frozen=True)
class Record:
    """A row of a table. `title`: what is in it, in a few words; None for a new one.

    `folded`: what was typed into it, where there are so many that their boxes would be a page of their own.
    """

    number: int
    title: Words | None
    is_open: bool
    folded: list[tuple[str, str]]


def context(
    fields: Sequence[Row], values: Pairs, wrong: Iterable[Problem] = (), *, add: str = "", opened: str = ""
) -> dict[str, Any]:
    """What `fields.html` looks at.

    Args:
        add: the table that gets one more row.
        opened: a row to be opened, as `iocs.7`.
    """
    errors = told(wrong)
    to_open = {opened, *(".".join(one.name.split(".")[:2]) for one in errors)}
    tables = [field for field in fields if field["input"] == "table"]
    return {
        "fields": fields,
        "typed": values,
        "options": choices,
        "rows": {field["id"]: _records(field, values, field["id"] == add, to_open) for field in tables},
        "errors": [(one.name, one.label, one.message) for one in errors],
        "messages": {one.name: one.message for one in errors},
    }


def _records(field: Row, values: Pairs, one_more: bool, to_open: Collection[str]) -> list[Record]:
    typed_in: dict[int, Pairs] = {}
    for name, texts in values.items():
        if name.startswith(f"{field['id']}."):
            typed_in.setdefault(int(name.split(".")[1]), {})[name] = texts
    made = []
    for number, pairs in sorted(typed_in.items()):
        row = f"{field['id']}.{number}"
        is_open = row in to_open or len(typed_in) == 1
        folds = not is_open and len(typed_in) > _UNFOLDED
        folded = [(name, text) for name, texts in pairs.items() for text in texts] if folds else []
        made.append(Record(number, _title(field, row, values), is_open, folded))
    return [*made, Record(len(made), None, True, [])] if one_more else made


def _title(field: Row, row: str, values: Pairs) -> Words:
    """The first answers of a row, in a few words."""
    pieces = []
    for item in field["items"]:
        texts = values.get(f"{row}.{item['id']}") or values.get(f"{row}.{item['id']}.date") or []
        known = {value: words for value, words, *_ in choices(item)}
        pieces += [known.get(text) or dict.fromkeys(("ja", "en"), wording.defanged(text)) for text in texts[:1]]
    return {lang: _short(" / ".join(words[lang] for words in pieces[:3])) for lang in ("ja", "en")}


def _short(text: str) -> str:
    return text if len(text) <= _TITLE else f"{text[:_TITLE]}…"


def choices(field: Row) -> list[Choice]:
    """What can be chosen; the value as a form posts it."""
    if field["input"] == "yesno":
        return _YES_NO
    return [
        (str(one["value"]), one["label"], one.get("hint"), bool(one.get("exclusive")))
        for one in field.get("options", ())
    ]


def told(wrong: Iterable[Problem]) -> list[Told]:
    """Problems in the reader's language, with the label of their question and of its row."""
    lang = language.chosen()
    return [
        Told(one.field, str(FIELDS[drafting.root_of(one)]["section"]), label(one.field), form.message(one, lang))
        for one in wrong
    ]


def label(name: str) -> Words:
    """`affected_services.1.name_ja` as “Services affected, row 2, name of the service”."""
    root, *rest = name.split(".")
    field: Row = FIELDS[root]
    words = {lang: [str(field["label"][lang])] for lang in ("ja", "en")}
    for part in rest:
        if part.isdecimal():
            words["ja"].append(f"{int(part) + 1}行目")
            words["en"].append(f"row {int(part) + 1}")
        else:
            field = next(item for item in field["items"] if item["id"] == part)
            words["ja"].append(field["label"]["ja"])
            words["en"].append(field["label"]["en"])
    return {"ja": "・".join(words["ja"]), "en": ", ".join(words["en"])}


def missing(work: Work) -> list[Told]:
    """What this stage should say and does not say yet."""
    found = []
    for field, inner in work.missing:
        name = field["id"] if inner is field else f"{field['id']}.{inner['id']}"
        found.append(Told(name, str(field["section"]), label(name)))
    return found


def said(field: Row, values: Pairs) -> list[Any]:
    """What was typed into a question, in words; as it was typed if it cannot be read."""
    today = day_of(utcnow())
    answer = typed.to_answers([field], values, today=today)[field["id"]]
    if answer is None:
        return []
    if not typed.problems([field], values, today=today):
        return wording.shown(field, answer)
    texts = [text for name, own in values.items() if name.split(".")[0] == field["id"] for text in own]
    return [{"ja": text, "en": text} for text in texts]


def differing(fields: Sequence[Row], mine: Pairs, theirs: Pairs) -> list[tuple[Row, list[Any], list[Any]]]:
    """(question, mine, theirs) where two have typed different things."""
    tidy = ((field, typed.tidied([field], mine), typed.tidied([field], theirs)) for field in fields)
    return [(field, said(field, own), said(field, other)) for field, own, other in tidy if own != other]
