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
    return [row["id"] for row in made if _readers(row, decision, recipient)]


def recipients_of(document_id: str, decision: Mapping[str, Any]) -> list[Entry]:
    """Who gets this document by a decision, as the decision's rows."""
    return _readers(document(document_id), decision, None)


def _readers(row: Entry, decision: Mapping[str, Any], only: str | None) -> list[Entry]:
    """Whom a rule asks to be told gets it; not who rests on a consent that was taken back."""
    if row["for_regimes"] and not set(row["for_regimes"]) & set(decision["regimes"]):
        return []
    reached = [one for one in decision["recipients"] if not one.get("held") and only in (None, one["id"])]
    return [one for one in reached if _role(one["id"]) in row["to"]]


def _role(authority: str) -> str:
    """Ministries differ by sector; in the tables they are all `ministry`."""
    return authority if authority in table("rules")["recipient_order"] else "ministry"
