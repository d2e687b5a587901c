"""A text while it is read: what was understood is covered, so that nothing is read twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from exchange.extraction_text import Live
from exchange.indicator_values import Kind, OtherKind

LONGEST = 2048


class Hit(NamedTuple):
    """A stretch of live text that was understood; without a type it was understood to be none of ours."""

    start: int
    end: int
    type: Kind | OtherKind | None = None
    value: str = ""


class Page:
    """The live text, with NUL in the places that were understood.

    Attributes:
        real: whether `.example` names count, as they do in a demo or an exercise.
    """

    def __init__(self, live: Live, *, real: bool) -> None:
        self.live, self.text, self.real = live, live.text, real

    def cover(self, hits: Iterable[Hit]) -> None:
        pieces, done = [], 0
        for hit in hits:
            pieces += [self.text[done : hit.start], "\0" * (hit.end - hit.start)]
            done = hit.end
        if pieces:
            self.text = "".join([*pieces, self.text[done:]])
