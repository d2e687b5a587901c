"""What an item of a document is filled from: an answer, the profile, the decision, or what follows from the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from exchange import conditions
from exchange.documents.catalogue import Entry, fidelity_of, field_at, recipients_of, word
from exchange.documents.filing import Filing
from exchange.documents.values import Blank, blank, day, is_missing, labelled, lines_of, moment, same
from exchange.form import FIELDS
from exchange.sectors import Text, authority, sector_of, text
from exchange.tables import table

_STAGES = ("sokuhou", "zokuhou", "kakuhou")
Lines = list[Text]


def lines_from(path: str, document: Entry, filing: Filing) -> Lines:
    """What is said there, line by line; a `Blank` if nothing is."""
    if path.partition(".")[0] in FIELDS:
        return _answered(path, document, filing)
    return _OWN[path](document, filing)


def stage_of(document: Entry, filing: Filing) -> Text:
    """`速報（第1報）`, in the words of the document's law."""
    return word("report-no", stage=_stage_name(document, filing.stage), seq=filing.seq)


def _stage_name(document: Entry, stage: str) -> Text:
    return text({**table("documents")["stages"], **document.get("stages", {})}[stage])


# --- answers -------------------------------------------------------------------------------------------


def _answered(path: str, document: Entry, filing: Filing) -> Lines:
    value, field = conditions.answer(filing.answers, path), field_at(path)
    if is_missing(value):
        return [_why_missing(field, document, filing)]
    lines = lines_of(value, field, str(filing.answers.get(fidelity_of(path), "minute")))
    # An answer to an older form may have members that are no longer known.
    return lines or [_why_missing(field, document, filing)]


def _why_missing(field: Entry, document: Entry, filing: Filing) -> Blank:
    """Not asked of such a report, not asked yet, or not answered."""
    section = next(one for one in table("form")["sections"] if one["id"] == field["section"])
    if not all(_holds(one, filing) for one in (field, section)):
        return blank("not-applicable")
    if filing.stage in _STAGES and _STAGES.index(field["stage"]) > _STAGES.index(filing.stage):
        return blank("asked-later", stage=_stage_name(document, field["stage"]))
    return blank("unanswered")


def _holds(entry: Entry, filing: Filing) -> bool:
    return conditions.holds(entry.get("when", {"all": []}), filing.answers, filing.known)


# --- the profile ---------------------------------------------------------------------------------------


def _profile(name: str) -> Callable[[Entry, Filing], Lines]:
    def lines(_: Entry, filing: Filing) -> Lines:
        return _known(_of(filing.organisation, name))

    return lines


def _of(row: Mapping[str, Any], name: str) -> str:
    """A value that is kept in Japanese, with or without saying so in its name."""
    return str(row.get(f"{name}_ja") or row.get(name) or "")


def _known(value: str) -> Lines:
    return [same(value)] if value else [blank("not-registered")]


def _police(_: Entry, filing: Filing) -> Lines:
    """The police of the prefecture in which the organization is."""
    prefecture = _of(filing.organisation, "prefecture")
    if not prefecture:
        return _known("")
    found = table("documents")["prefectural_police"].get(prefecture)
    return [text(found) if found else blank("unknown")]


def _sector(_: Entry, filing: Filing) -> Lines:
    sector = filing.organisation.get("sector")
    return [sector_of(sector, filing.received_at).name] if sector else _known("")


def _contacts(_: Entry, filing: Filing) -> Lines:
    rows = filing.organisation.get("contacts", ())
    told = ["／".join(filter(None, (_of(row, part) for part in ("role", "name", "phone", "email")))) for row in rows]
    return [same(line) for line in told if line] or _known("")


# --- the report and the decision about it --------------------------------------------------------------


def _recipients(document: Entry, filing: Filing) -> Lines:
    """Those who get this very document; who else was told is no business of theirs."""
    reached = recipients_of(document["id"], filing.decision)
    told = [word("basis", who=_name_of(one["id"], filing), law=_law(one, document)) for one in reached]
    return told or [blank("not-applicable")]


def _name_of(recipient: str, filing: Filing) -> Text:
    return authority(recipient, filing.received_at).name


def _law(recipient: Entry, document: Entry) -> Text:
    """The law that asks for this document, where one does; a recipient may have more for others."""
    own = [row for row in table("rules")["rules"] if row["id"] in document["for_regimes"]]
    laws = [text(row["law"]) for row in own if row["id"] in recipient["regimes"]]
    return laws[0] if laws else text(recipient["law"])


def _deadlines(document: Entry, filing: Filing) -> Lines:
    clocks = [one for one in filing.decision["clocks"] if one["regime"] in document["for_regimes"]]
    return [_due(one) for one in clocks] or [blank("not-applicable")]


def _due(clock: Entry) -> Text:
    if clock.get("due_date"):
        return word("due", what=text(clock["text"]), day=day(date.fromisoformat(clock["due_date"])))
    if clock.get("due_at"):
        return word("due", what=text(clock["text"]), day=moment(datetime.fromisoformat(clock["due_at"])))
    return text(clock["text"])


# --- what follows from the answers ---------------------------------------------------------------------


def event_type(filing: Filing) -> Text:
    """The one type of event, of eight: the first in the table whose condition holds.

    Source: the information report of the action plan (single choice).
    """
    row = next(row for row in table("documents")["event_types"] if _holds(row, filing))
    return labelled(text(row["group"]), text(row))


def _event_type(_: Entry, filing: Filing) -> Lines:
    return [word("derived", words=event_type(filing))]


def _cause_groups(document: Entry, filing: Filing) -> Lines:
    """Each group with the causes that were chosen from it."""
    chosen = filing.answers.get("cause_category") or []
    if not chosen:
        return _answered("cause_category", document, filing)
    field, groups = FIELDS["cause_category"], table("documents")["cause_groups"]
    found = {text(group): [cause for cause in chosen if cause in group["causes"]] for group in groups}
    return [labelled(name, lines_of(causes, field)[0]) for name, causes in found.items() if causes]


def _malicious(_: Entry, filing: Filing) -> Lines:
    suspected = _holds({"when": table("documents")["malicious"]}, filing)
    return [word("suspected" if suspected else "unknown")]


_OWN: Mapping[str, Callable[[Entry, Filing], Lines]] = {
    "organisation.name_ja": _profile("name"),
    "organisation.name_en": lambda _, filing: _known(str(filing.organisation.get("name_en") or "")),
    "organisation.corporate_number": _profile("corporate_number"),
    "organisation.prefecture": _profile("prefecture"),
    "organisation.police": _police,
    "organisation.sector": _sector,
    "organisation.contacts": _contacts,
    "case.ref": lambda _, filing: [same(filing.ref)],
    "version.stage": lambda document, filing: [stage_of(document, filing)],
    "version.received_at": lambda _, filing: [moment(filing.received_at)],
    "decision.recipients": _recipients,
    "decision.deadlines": _deadlines,
    "derived.event_type": _event_type,
    "derived.cause_groups": _cause_groups,
    "derived.malicious": _malicious,
}
OWN = frozenset(_OWN)
"""Sources that are no answers; a document has no others."""
