"""Which documents there are, whom each is for, and what of the dictionary it shows: read from `data/documents.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from exchange import conditions
from exchange.errors import NotFound
from exchange.form import FIELDS, Profile
from exchange.sectors import Text, text
from exchange.tables import table

Entry = Mapping[str, Any]
# A derived value tells what it was derived from where it repeats the answer itself.
_TOLD_BY = {"derived.cause_groups": "cause_category"}


def document(document_id: str) -> Entry:
    """The document's row. Raises: NotFound."""
    for row in table("documents")["documents"]:
        if row["id"] == document_id:
            found: Entry = row
            return found
    raise NotFound(f"document {document_id}")


def sections_of(document_id: str) -> list[Entry]:
    """Its sections in order, each with its `title` and its `items`; what several documents share is looked up."""
    parts = table("documents")["parts"]
    return [parts[one] if isinstance(one, str) else one for one in document(document_id)["sections"]]


def sources_of(document_id: str) -> Iterator[str]:
    """Where its items come from: a field, a member of one (`group.member`), or what the house knows itself."""
    for section in sections_of(document_id):
        for item in section["items"]:
            yield from item["from"]


@cache
def fields_of(document_id: str) -> frozenset[str]:
    """The fields of the dictionary that a document shows; of a group that it shows in part, `group.member`.

    Raises: NotFound.
    """
    shown = {_TOLD_BY.get(source, source) for source in sources_of(document_id)}
    fields = {source for source in shown if source.partition(".")[0] in FIELDS}
    return frozenset(fields | {fidelity_of(field) for field in fields} - {""})


def fidelity_of(field: str) -> str:
    """The field that says how exact a time is; empty if none does."""
    companion = f"{field.removesuffix('_at')}_fidelity"
    return companion if companion in FIELDS else ""


def field_at(path: str) -> dict[str, Any]:
    """The dictionary's entry for `field` or `group.member`; a member has its group's class where it has none itself."""
    first, *rest = path.split(".")
    found = FIELDS[first]
    for name in rest:
        found = {**inherited(found), **next(item for item in found["items"] if item["id"] == name)}
    return found


def inherited(field: Entry) -> dict[str, Any]:
    """What a member takes over from its group or table."""
    return {name: field[name] for name in ("class", "stage", "section") if name in field}


def label_of(path: str) -> Text:
    """What a document calls a source: its own word for it, or the dictionary's."""
    own = table("documents")["labels"].get(path)
    return text(own or field_at(path)["label"])


def word(name: str, **values: Text | str | int) -> Text:
    """A word of the documents, its gaps filled in each language."""
    entry = table("documents")["words"][name]
    return Text(*(entry[lang].format_map(_in_language(values, lang)) for lang in ("ja", "en")))


def _in_language(values: Mapping[str, Text | str | int], lang: str) -> dict[str, object]:
    return {name: getattr(value, lang) if isinstance(value, Text) else value for name, value in values.items()}


def documents_for(
    decision: Mapping[str, Any], answers: Mapping[str, Any], profile: Profile, *, recipient: str | None = None
) -> list[str]:
    """The documents that a filing makes, in the table's order.

    Args:
        decision: as it is kept (JSON of `rules.Decision`).
        recipient: an authority's id, for its documents alone; None for those of all recipients.
    """
    known = {**vars(profile), "regimes": decision["regimes"], "form": decision["form"]}
    made = [row for row in table("documents")["documents"] if conditions.holds(row["when"], answers, known)]
    told = [one for one in _reached(decision) if recipient in (None, one["id"])]
    due = {row["id"] for one in told for row in _due_to(one, decision)}
    return [row["id"] for row in made if row["id"] in due]


def recipients_of(document_id: str, decision: Mapping[str, Any]) -> list[Entry]:
    """Who gets this document by a decision, as the decision's rows."""
    return [one for one in _reached(decision) if document(document_id) in _due_to(one, decision)]


def _reached(decision: Mapping[str, Any]) -> list[Entry]:
    """Whom a rule asks to be told, but not who rests on a consent that was taken back."""
    return [one for one in decision["recipients"] if not one.get("held")]


def _due_to(recipient: Entry, decision: Mapping[str, Any]) -> list[Entry]:
    """The documents of a recipient's own legal basis; the common form for who has none."""
    rows: list[Entry] = table("documents")["documents"]
    own = [row for row in rows if _is_due(row, recipient, decision)]
    return own or [row for row in rows if "ministry" in row["to"]]


def _is_due(row: Entry, recipient: Entry, decision: Mapping[str, Any]) -> bool:
    """A regime's document goes to whoever was told under it; another, and beside them, to those named in `to`."""
    is_named = recipient["id"] in row["to"] or ("ministry" in row["to"] and _is_in_charge(recipient, decision))
    if not row["for_regimes"]:
        return is_named
    return bool(set(row["for_regimes"]) & set(decision["regimes"] if is_named else recipient["regimes"]))


def _is_in_charge(recipient: Entry, decision: Mapping[str, Any]) -> bool:
    """The ministry of the reporter's sector stands first in every decision; the others of the order have names."""
    first = decision["recipients"][0]["id"]
    return bool(recipient["id"] == first and first not in table("rules")["recipient_order"])
