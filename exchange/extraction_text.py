"""Text as it acts, with the way back to where it was typed; and the words and letters that reading it needs."""

from __future__ import annotations

import re
import string
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from exchange.tables import table

WORDS: Any = table("extraction")
CJK = "\u3005\u3007\u3041-\u3096\u30a1-\u30fa\u30fc-\u30fe\u3400-\u4dbf\u4e00-\u9fff"
LETTERS = "A-Za-z\u00c0-\u024f\u0370-\u052f\u1e00-\u1fff"

ALNUM = string.ascii_letters + string.digits

Change = tuple[int, int, str]
"""A stretch of a text, start and end, and what stands there instead."""

# Everything that NFKC could change and somebody could type into an address, and all that cannot be seen.
_ODD = re.compile(
    "[\u00a0-\u00bf\u02b0-\u02ff\u061c\u180e\u2000-\u218f\u2460-\u24ff\u2776-\u2793\u2e80-\u2fdf\u3000\u3099\u309a"
    "\u3131-\u318f\u3200-\u33ff\uf900-\ufaff\ufb00-\ufb4f\ufe00-\uffef\U0001d400-\U0001d7ff\U0001f100-\U0001f1ff"
    "\U000e0000-\U000e0fff]+"
)
_LIST_NUMBER = re.compile("^[ \t\u3000]*+[(（]?[0-9０-９]{1,2}．(?![0-9０-９])", re.MULTILINE)
_HYPHENS = "\u2010\u2011\u2012\u2013\u2212"
_WAVE = "～"
_LOWER = frozenset(string.ascii_lowercase)
_LONGEST_SPELLING = 4  # One character stands for eighteen, and a text full of it would grow as much.


@dataclass(frozen=True)
class Live:
    """A text that was changed in places, above the one that it was made from (None: above the typed text)."""

    text: str
    below: Live | None = None
    edits: Sequence[tuple[int, int, int, int]] = ()
    starts: Sequence[int] = field(default=(), repr=False)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Positions in the typed text."""
        if self.below is None:
            return start, end
        return self.below.span(self._start_below(start), self._end_below(end))

    def _start_below(self, at: int) -> int:
        index = bisect_right(self.starts, at) - 1
        if index < 0:
            return at
        _, end, below_start, below_end = self.edits[index]
        return below_start if at < end else below_end + at - end

    def _end_below(self, at: int) -> int:
        index = bisect_right(self.starts, at - 1) - 1
        if index < 0:
            return at
        _, end, _, below_end = self.edits[index]
        return below_end + max(0, at - end)

    def was_edited(self, start: int, end: int) -> bool:
        """Whether something inside this stretch was spelled longer or shorter one text below."""
        index = bisect_left(self.starts, start) if self.starts else 0
        return index < len(self.starts) and self.starts[index] < end


def changed(below: Live, changes: Iterable[Change]) -> Live:
    """The text with these changes, which are in order and do not overlap."""
    pieces: list[str] = []
    edits: list[tuple[int, int, int, int]] = []
    done = grown = 0
    for start, end, new in changes:
        pieces += (below.text[done:start], new)
        if len(new) != end - start:
            edits.append((start + grown, start + grown + len(new), start, end))
        grown += len(new) - (end - start)
        done = end
    if not pieces:
        return below
    pieces.append(below.text[done:])
    return Live("".join(pieces), below, edits, [edit[0] for edit in edits])


def spelled_plainly(text: str) -> Live:
    """NFKC without what cannot be seen, and with a blank after the number of a list."""
    if text.isascii():
        return Live(text)
    unnumbered = _LIST_NUMBER.sub(lambda number: number[0][:-1] + " ", text)
    return changed(Live(unnumbered), _odd_changes(unnumbered))


def _odd_changes(text: str) -> Iterator[Change]:
    for run in _ODD.finditer(text):
        spelled = [_plain(char) for char in run[0]]
        if all(len(one) == 1 for one in spelled):
            yield run.start(), run.end(), "".join(spelled)
        else:
            yield from ((at, at + 1, one) for at, one in enumerate(spelled, run.start()))


@lru_cache(maxsize=8192)
def _plain(char: str) -> str:
    """Circled digits and footnote marks become a space, lest they grow onto the address beside them.

    The wide tilde stays, as it stands for «to» between two addresses.
    """
    kind = unicodedata.category(char)
    if kind == "Cf" or "\ufe00" <= char <= "\ufe0f":
        return ""
    if kind == "No":
        return " "
    if char == _WAVE:
        return char
    spelled = "-" if char in _HYPHENS else unicodedata.normalize("NFKC", char)
    return spelled if len(spelled) <= _LONGEST_SPELLING else " "


def is_alnum(text: str, at: int) -> bool:
    """Whether an ASCII letter or digit stands there."""
    return 0 <= at < len(text) and text[at] in ALNUM


def ends_in(before: str, words: tuple[str, ...], fillers: tuple[str, ...], gap: str) -> bool:
    """Whether a text ends in one of these words, with at most one filler and some of `gap` after it.

    A short word counts only where no letter stands before it; longer ones may end another, as in FileVersion.
    """
    before = before.lower().rstrip(gap)
    if _ends_in_word(before, words):
        return True
    if not before.endswith(fillers):
        return False
    filler = max((one for one in fillers if before.endswith(one)), key=len)
    return _ends_in_word(before[: -len(filler)].rstrip(gap), words)


def _ends_in_word(before: str, words: tuple[str, ...]) -> bool:
    if not before.endswith(words):
        return False
    return any(
        before.endswith(word)
        and (len(word) > 6 or not word.isascii() or before[-len(word) - 1 : -len(word)] not in _LOWER)
        for word in words
    )
