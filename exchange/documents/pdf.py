"""A view as a PDF to print: A4, in the Japanese fonts that every PDF reader brings or finds; no font file of our own.

The same view gives the same bytes. What was typed is only ever drawn, never read as markup.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from io import BytesIO
from typing import Any

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from exchange.documents.catalogue import word
from exchange.documents.characters import MISSING, drawable
from exchange.documents.layout import LEADING, PADDING, Cells, Group, Heading, Line, Placed, pages
from exchange.documents.values import Blank
from exchange.documents.views import Marks, Row, Section, View
from exchange.documents.wrapping import wrap
from exchange.sectors import Text
from exchange.sharing import TLP

_JAPANESE, _LATIN = "HeiseiKakuGo-W5", "Helvetica"
pdfmetrics.registerFont(UnicodeCIDFont(_JAPANESE))
# Every reader has the Latin font in its true widths; the Japanese one is often replaced by another.
_RUN = re.compile(r"[\x00-\xff]+|[^\x00-\xff]+")

# Points from the left edge, and from the top.
_WIDTH, _HEIGHT = 595.28, 841.89
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 549.28, 66.0, 786.0
_VALUES = _LEFT + 132.0
_SIZE, _LABEL_SIZE, _SMALL = 10.0, 9.5, 8.5
_TITLE_SIZE, _SMALLEST_TITLE = 17.0, 13.0

_INK, _FAINT, _BLUE, _PALE, _TINT, _RULE = "#1a1a1a", "#767676", "#0017c1", "#e8f1fe", "#f2f2f2", "#949494"
_EXERCISE = "#8b0a50"
# Source: FIRST, TLP 2.0: the labels are black, the words in these colours.
_TLP_COLOUR = {
    TLP.RED: "#ff2b2b",
    TLP.AMBER_STRICT: "#ffc000",
    TLP.AMBER: "#ffc000",
    TLP.GREEN: "#33ff00",
    TLP.CLEAR: "#ffffff",
}


def pdf(view: View, *, lang: str, marks: Marks) -> bytes:
    """The document as a PDF, in `lang` (ja or en)."""
    sheet = _Sheet(lang)
    groups = [sheet.group(section) for section in view.sections]
    notes = sheet.notes(view, groups)
    first_top = sheet.opening_height(view, notes)
    laid = pages(groups, first_top=first_top, top=_TOP, bottom=_BOTTOM, continued=sheet.say(word("continued")))
    for number, placed in enumerate(laid, 1):
        sheet.frame(view, marks, number, len(laid))
        if number == 1:
            sheet.opening(view, marks, notes)
        for one in placed:
            sheet.place(one)
        sheet.canvas.showPage()
    return sheet.bytes(view, marks)


class _Sheet:
    """One canvas and one language. Distances are from the top, as they are read."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.out = BytesIO()
        # Without `invariant` the time of day and a random id would stand in the file.
        self.canvas: Any = Canvas(self.out, pagesize=(_WIDTH, _HEIGHT), invariant=1, pageCompression=1, lang=lang)

    def bytes(self, view: View, marks: Marks) -> bytes:
        self.canvas.setTitle(self.say(view.title))
        self.canvas.setSubject(marks.ref)
        self.canvas.setAuthor("")
        self.canvas.setCreator("Noroshi")
        self.canvas.save()
        return self.out.getvalue()

    def say(self, text: Text) -> str:
        said: str = getattr(text, self.lang)
        return drawable(said).replace("\n", " ")

    # --- breaking lines --------------------------------------------------------------------------------

    def group(self, section: Section) -> Group:
        return Group(self.say(section.title), [self._cells(row) for row in section.rows])

    def _cells(self, row: Row) -> Cells:
        label = self._wrapped(row.label, _VALUES - _LEFT - 2 * PADDING, _LABEL_SIZE)
        width = _RIGHT - _VALUES - 2 * PADDING
        return Cells(label, [line for text in row.lines for line in self._wrapped(text, width, _SIZE)])

    def _wrapped(self, text: Text, width: float, size: float) -> list[Line]:
        lines = wrap(self.say(text), width, partial(_measure, size))
        return [Line(indent, line, isinstance(text, Blank)) for indent, line in lines]

    # --- what stands on every page ---------------------------------------------------------------------

    def frame(self, view: View, marks: Marks, number: int, count: int) -> None:
        if marks.warnings:
            self._box(0, 0, _WIDTH, 20, fill=_EXERCISE)
            said = "　".join(self.say(one) for one in marks.warnings)
            self._text(_WIDTH / 2, 5, said, _fitting(said, _WIDTH - 40, most=10), "#ffffff", shift=0.5)
        if number > 1:
            self._text(_LEFT, 36, self.say(view.title), _SMALL, _INK)
        self._tlp(marks.tlp)
        self._rule(_BOTTOM + 12, 0.5, _RULE)
        foot = f"{marks.ref}　{self.say(marks.stage)}"
        self._text(_LEFT, _BOTTOM + 17, foot, _SMALL, _INK)
        page = self.say(word("page", number=number, count=count))
        self._text(_RIGHT, _BOTTOM + 17, page, _SMALL, _INK, shift=1)

    def _tlp(self, tlp: TLP) -> None:
        width = _measure(10, tlp.label) + 14
        self._box(_RIGHT - width, 31, width, 19, fill="#000000")
        self._text(_RIGHT - 7, 36, tlp.label, 10, _TLP_COLOUR[tlp], shift=1)

    # --- the head of the first page --------------------------------------------------------------------

    def _title(self, view: View) -> tuple[float, list[str]]:
        """Its size and lines: in one line, smaller if need be, as long as it can still be seen to be a title."""
        title, width = self.say(view.title), _RIGHT - _LEFT
        size = max(_SMALLEST_TITLE, _fitting(title, width, most=_TITLE_SIZE))
        return size, [line for _, line in wrap(title, width, partial(_measure, size))]

    def notes(self, view: View, groups: list[Group]) -> list[Line]:
        """The document's note, and a word about characters that could not be drawn."""
        drawn = (line.text for group in groups for row in group.rows for line in row.lines)
        texts = [view.note, *([word("replaced")] if any(MISSING in line for line in drawn) else [])]
        return [line for text in texts for line in self._wrapped(text, _RIGHT - _LEFT, _SMALL)]

    def opening_height(self, view: View, notes: list[Line]) -> float:
        return _TOP + len(self._title(view)[1]) * 24 + 52 + len(notes) * 12 + 6

    def opening(self, view: View, marks: Marks, notes: list[Line]) -> None:
        top = _TOP
        size, title = self._title(view)
        for line in title:
            self._text(_WIDTH / 2, top, line, size, _INK, shift=0.5)
            top += 24
        self._facts(marks, top + 4)
        for number, note in enumerate(notes):
            self._text(_LEFT + note.indent, top + 50 + number * 12, note.text, _SMALL, _INK)

    def _facts(self, marks: Marks, top: float) -> None:
        facts = (("case", marks.ref), ("stage", self.say(marks.stage)), ("received", self.say(marks.received)))
        edges = (_LEFT, _LEFT + 110, _LEFT + 245, _RIGHT)
        for (name, value), left, right in zip(facts, edges, edges[1:], strict=False):
            self._box(left, top, right - left, 36, line=_INK)
            self._text(left + PADDING, top + 5, self.say(word(name)), 7.5, _FAINT)
            self._text(left + PADDING, top + 18, value, _fitting(value, right - left - 2 * PADDING, most=_SIZE), _INK)

    # --- sections and rows -----------------------------------------------------------------------------

    def place(self, placed: Placed) -> None:
        if isinstance(placed.what, Heading):
            self._heading(placed.top, placed.what)
        else:
            self._row(placed.top, placed.what)

    def _heading(self, top: float, heading: Heading) -> None:
        self._box(_LEFT, top, _RIGHT - _LEFT, heading.height, fill=_PALE, line=_RULE)
        self._box(_LEFT, top, 4, heading.height, fill=_BLUE)
        self._text(_LEFT + 11, top + 5.5, heading.text, 11, _INK)

    def _row(self, top: float, row: Cells) -> None:
        self._box(_LEFT, top, _VALUES - _LEFT, row.height, fill=_TINT, line=_RULE)
        self._box(_VALUES, top, _RIGHT - _VALUES, row.height, line=_RULE)
        for left, lines, size in ((_LEFT, row.label, _LABEL_SIZE), (_VALUES, row.lines, _SIZE)):
            for number, line in enumerate(lines):
                at = top + PADDING + number * LEADING + (LEADING - size) / 2
                self._text(left + PADDING + line.indent, at, line.text, size, _FAINT if line.faint else _INK)

    # --- the pen ---------------------------------------------------------------------------------------

    def _text(self, left: float, top: float, text: str, size: float, colour: str, *, shift: float = 0) -> None:
        """`shift`: the part of the width that stands left of `left`: 0.5 centres, 1 ends there."""
        start = left - shift * _measure(size, text)
        pen = self.canvas.beginText(start, _HEIGHT - top - 0.88 * size)
        pen.setFillColor(colour)
        for run in _RUN.finditer(text):
            pen.setFont(_font(run[0]), size)
            pen.textOut(run[0])
        self.canvas.drawText(pen)

    def _box(self, left: float, top: float, width: float, height: float, *, fill: str = "", line: str = "") -> None:
        if fill:
            self.canvas.setFillColor(fill)
        if line:
            self.canvas.setStrokeColor(line)
            self.canvas.setLineWidth(0.5)
        self.canvas.rect(left, _HEIGHT - top - height, width, height, stroke=int(bool(line)), fill=int(bool(fill)))

    def _rule(self, top: float, thickness: float, colour: str) -> None:
        self.canvas.setStrokeColor(colour)
        self.canvas.setLineWidth(thickness)
        self.canvas.line(_LEFT, _HEIGHT - top, _RIGHT, _HEIGHT - top)


def _measure(size: float, text: str) -> float:
    return size * sum(map(_width, text))


@lru_cache(maxsize=16384)
def _width(char: str) -> float:
    width: float = pdfmetrics.stringWidth(char, _font(char), 1)
    return width


def _font(run: str) -> str:
    return _LATIN if run[0] <= "\xff" else _JAPANESE


def _fitting(text: str, width: float, *, most: float) -> float:
    """The size at which a line fits, and no more than `most`."""
    return min(most, width / max(1.0, _measure(1, text)))
