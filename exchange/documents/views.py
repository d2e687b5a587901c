"""A document as a view of a filing: what stands in it and in which words, before anybody asks how it looks.

Pure: the same filing gives the same view. Nothing stands in it but answers of the dictionary, the profile of the
organization, and what was decided about the report.
Source: the unified form, section 4 (which answer belongs to which authority's document).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from exchange import conditions
from exchange.documents.catalogue import Entry, document, label_of, sections_of, word
from exchange.documents.filing import Filing
from exchange.documents.sources import lines_from, stage_of
from exchange.documents.values import Blank, blank, moment, under
from exchange.sectors import Text, text
from exchange.sharing import TLP


class Row(NamedTuple):
    """One item of a document and what is said about it, line by line; there is always a line."""

    label: Text
    lines: tuple[Text, ...]


class Section(NamedTuple):
    """Items under one title."""

    title: Text
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class View:
    """What stands in a document. `note` tells how far its layout can be relied on, or what it is not."""

    title: Text
    note: Text
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Marks:
    """What stands on every page."""

    tlp: TLP
    exercise: bool
    doubt: str | None
    ref: str
    stage: Text
    received_at: datetime

    @property
    def warnings(self) -> list[Text]:
        """What a reader must know before anything else."""
        return [word(name) for name in ("exercise" if self.exercise else None, self.doubt) if name]

    @property
    def received(self) -> Text:
        """The time of receipt in words."""
        return moment(self.received_at)


def marks(document_id: str, filing: Filing) -> Marks:
    """The marks of a document, which is handled as its part about the victim. Raises: NotFound."""
    tlp = TLP(filing.decision["tlp_victim"])
    stage = stage_of(document(document_id), filing)
    return Marks(tlp, filing.exercise, filing.doubt, filing.ref, stage, filing.received_at)


def view(document_id: str, filing: Filing) -> View:
    """The document, filled in. What is not answered says so. Raises: NotFound."""
    entry = document(document_id)
    sections = [
        Section(text(section["title"]), tuple(_row(item, entry, filing) for item in section["items"]))
        for section in sections_of(document_id)
    ]
    return View(text(entry["title"]), text(entry["note"]), tuple(sections))


def _row(item: Entry, entry: Entry, filing: Filing) -> Row:
    label = text(item["label"]) if "label" in item else label_of(item["from"][0])
    if not conditions.holds(item.get("when", {"all": []}), filing.answers, filing.known):
        return Row(label, (blank("not-applicable"),))
    return Row(label, tuple(_lines(item["from"], entry, filing)))


def _lines(paths: Sequence[str], entry: Entry, filing: Filing) -> list[Text]:
    """Of several sources each under its own label, unless all are empty."""
    found = {path: lines_from(path, entry, filing) for path in paths}
    blanks = [lines[0] for lines in found.values() if isinstance(lines[0], Blank)]
    if len(blanks) == len(paths):
        return [next((one for one in blanks if one != blank("not-applicable")), blanks[0])]
    if len(paths) == 1:
        return found[paths[0]]
    return [line for path, lines in found.items() for line in under(label_of(path), lines)]
