"""A view as an Excel workbook: one sheet, one row for each item, nothing in it but text.

The same view gives the same bytes. No cell is a formula, a link or a number, whatever was typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from io import BytesIO
from typing import Any, NamedTuple

from xlsxwriter import Workbook

from exchange.documents.catalogue import word
from exchange.documents.characters import plain
from exchange.documents.values import Blank
from exchange.documents.views import Marks, Row, View
from exchange.sectors import Text

# Source: the limits of Excel: characters in a cell, counted as UTF-16 has them, and line ends in one.
_LONGEST, _MOST_LINES = 32767, 250
_PLAIN_TEXT = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_FONT = {"font_name": "Yu Gothic", "font_size": 10, "valign": "top", "text_wrap": True}
_FORMATS: dict[str, dict[str, Any]] = {
    "title": {"bold": True, "font_size": 14, "text_wrap": False},
    "mark": {"bold": True, "text_wrap": False},
    "note": {"text_wrap": False, "font_color": "#595959"},
    "head": {"bold": True, "border": 1, "bg_color": "#0017C1", "font_color": "#FFFFFF"},
    "section": {"border": 1, "bg_color": "#E8F1FE"},
    "label": {"border": 1, "bg_color": "#F2F2F2"},
    "value": {"border": 1},
    "blank": {"border": 1, "font_color": "#767676"},
}


class _Cell(NamedTuple):
    text: str
    format: str


def xlsx(view: View, *, lang: str, marks: Marks) -> bytes:
    """The document as a workbook, in `lang` (ja or en)."""
    out = BytesIO()
    book: Any = Workbook(out, _PLAIN_TEXT)
    title = plain(getattr(view.title, lang))
    # Without a time of its own the workbook would carry that of its making.
    book.set_properties({"title": title, "subject": marks.ref, "created": marks.received_at.astimezone(UTC)})
    formats = {name: book.add_format({**_FONT, **own}) for name, own in _FORMATS.items()}
    sheet = book.add_worksheet(marks.ref)
    head = _head(view, marks, lang)
    for number, cells in enumerate([*head, *_body(view, lang)]):
        for column, cell in enumerate(cells):
            sheet.write_string(number, column, cell.text, formats[cell.format])
    _for_paper(sheet, title, marks, lang, rows=len(head))
    book.close()
    return out.getvalue()


def _head(view: View, marks: Marks, lang: str) -> list[list[_Cell]]:
    """Title, marks and note; its last row names the columns."""

    def fact(name: str, value: str) -> list[_Cell]:
        return [_Cell(getattr(word(name), lang), "mark"), _Cell(plain(value), "mark")]

    warnings = [[_Cell(getattr(one, lang), "mark")] for one in marks.warnings]
    return [
        [_Cell(plain(getattr(view.title, lang)), "title")],
        *warnings,
        fact("case", marks.ref),
        fact("stage", getattr(marks.stage, lang)),
        fact("received", getattr(marks.received, lang)),
        fact("tlp", marks.tlp.label),
        [_Cell(plain(getattr(view.note, lang)), "note")],
        [_Cell(getattr(word(name), lang), "head") for name in ("section", "item", "content")],
    ]


def _body(view: View, lang: str) -> Iterator[list[_Cell]]:
    for section in view.sections:
        for row in section.rows:
            yield from _rows(section.title, row, lang)


def _rows(title: Text, row: Row, lang: str) -> Iterator[list[_Cell]]:
    """One row, or several where an answer is longer than a cell can be."""
    kind = "blank" if isinstance(row.lines[0], Blank) else "value"
    for number, part in enumerate(_parts([plain(getattr(line, lang)) for line in row.lines])):
        label = getattr(row.label, lang) + (getattr(word("continued"), lang) if number else "")
        yield [_Cell(getattr(title, lang), "section"), _Cell(label, "label"), _Cell(part, kind)]


def _parts(lines: list[str]) -> Iterator[str]:
    for start in range(0, len(lines), _MOST_LINES):
        yield from _cut("\n".join(lines[start : start + _MOST_LINES]))


def _cut(text: str) -> Iterator[str]:
    """Pieces of what a cell holds; a character of two units is never cut through."""
    units = text.encode("utf-16-le")
    start, end = 0, 2 * _LONGEST
    while end < len(units):
        end -= 2 if 0xD8 <= units[end - 1] <= 0xDB else 0
        yield units[start:end].decode("utf-16-le")
        start, end = end, end + 2 * _LONGEST
    yield units[start:].decode("utf-16-le")


def _for_paper(sheet: Any, title: str, marks: Marks, lang: str, *, rows: int) -> None:
    """A4, one page wide, the marks on each page; on the screen the columns' names stay in sight."""
    for column, width in enumerate((24, 30, 84)):
        sheet.set_column(column, column, width)
    sheet.freeze_panes(rows, 0)
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(rows - 1)
    mark = getattr(word("exercise-mark"), lang) if marks.exercise else ""
    sheet.set_header(f"&L{mark}{_shown(title)}&R{_shown(marks.tlp.label)}")
    page = getattr(word("page", number="&P", count="&N"), lang)
    sheet.set_footer(f"&L{_shown(marks.ref)}　{_shown(getattr(marks.stage, lang))}&R{page}")


def _shown(text: str) -> str:
    """An & would begin a command of Excel's."""
    return text.replace("&", "&&")
