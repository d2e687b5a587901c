"""Rows laid out on pages: what stands where, in points from the top, before a pen touches paper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

LEADING = 14.5
PADDING = 5.0
HEADING_HEIGHT = 22.0
GAP = 9.0
# A row is not torn apart for fewer lines than these, here or there.
_FEWEST_LINES = 3


class Line(NamedTuple):
    """One line of a cell. `faint`: words for what is missing."""

    indent: float
    text: str
    faint: bool = False


@dataclass(frozen=True)
class Heading:
    """The title of a section."""

    text: str

    @property
    def height(self) -> float:
        """In points."""
        return HEADING_HEIGHT


@dataclass(frozen=True)
class Cells:
    """A row of two cells, or the part of one that fits a page."""

    label: Sequence[Line]
    lines: Sequence[Line]

    @property
    def height(self) -> float:
        """In points."""
        return max(len(self.label), len(self.lines)) * LEADING + 2 * PADDING


class Placed(NamedTuple):
    """Something at its place: the distance from the top of the page."""

    top: float
    what: Heading | Cells


class Group(NamedTuple):
    """A section, its lines broken but not yet placed."""

    title: str
    rows: Sequence[Cells]


def pages(
    groups: Iterable[Group], *, first_top: float, top: float, bottom: float, continued: str
) -> list[list[Placed]]:
    """The pages, each with what stands on it.

    Args:
        first_top: where the rows begin on the first page; `top`: on the others.
        bottom: where they end on each.
        continued: what follows a label, or a title, on the next page.
    """
    press = _Press([[]], first_top, top, bottom)
    for group in groups:
        press.section(group, continued)
    return press.pages


@dataclass
class _Press:
    pages: list[list[Placed]]
    at: float
    top: float
    bottom: float

    @property
    def left(self) -> float:
        return self.bottom - self.at

    def section(self, group: Group, continued: str) -> None:
        """A title never stands alone at the foot of a page."""
        self.at += GAP if self.pages[-1] else 0
        if self.left < HEADING_HEIGHT + self._beginning(group.rows[0]):
            self._turn()
        self._put(Heading(group.title))
        for row in group.rows:
            for part in self._parts(row, continued):
                if self.left < part.height:
                    self._turn()
                    self._put(Heading(group.title + continued))
                self._put(part)

    def _turn(self) -> None:
        self.pages.append([])
        self.at = self.top

    def _put(self, what: Heading | Cells) -> None:
        self.pages[-1].append(Placed(self.at, what))
        self.at += what.height

    @property
    def _whole_page(self) -> float:
        return self.bottom - self.top - HEADING_HEIGHT

    def _beginning(self, row: Cells) -> float:
        """How much of a row must stand together: all of a short one, some lines of a long one."""
        return row.height if row.height <= self._whole_page / 3 else _shortest()

    def _parts(self, row: Cells, continued: str) -> Iterator[Cells]:
        """The row whole where it fits here or is short; else as many lines as each page holds."""
        if row.height <= self.left or row.height <= self._whole_page / 3:
            yield row
            return
        label, rest = row.label, row.lines
        while rest:
            room = self.left if self.left >= _shortest() else self._whole_page
            count = max(_FEWEST_LINES, int((room - 2 * PADDING) // LEADING))
            count = len(rest) if len(rest) <= count else min(count, max(1, len(rest) - _FEWEST_LINES))
            yield Cells(label, rest[:count])
            label, rest = [*row.label, Line(0.0, continued.strip())], rest[count:]


def _shortest() -> float:
    return _FEWEST_LINES * LEADING + 2 * PADDING
