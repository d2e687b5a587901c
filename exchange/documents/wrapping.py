"""Text broken into lines that fit, by the rules of Japanese setting: 、 never begins a line, and 「 never ends one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Measure = Callable[[str], float]

_WORD = re.compile(r"[!-~\xa1-\xff]+|.", re.DOTALL)
_NUMBER = re.compile(r"[0-9]+\. ")
_NEVER_FIRST = frozenset(
    "、。，．・：；？！」』）】〕］｝〉》ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ々ゝゞヽヾ゛゜％／"
)
_NEVER_LAST = frozenset("「『（【〔［｛〈《")
# How many characters may move down together; without an end a row of 。 would cost the square of its length.
_MOST_CARRIED = 4


def wrap(text: str, width: float, measure: Measure) -> list[tuple[float, str]]:
    """The lines of one paragraph: (indent, text). What follows a number stands under its own beginning."""
    number = _NUMBER.match(text)
    indent = measure(number[0]) if number else 0.0
    if number is None or indent > width / 4:
        return [(0.0, line) for line in _broken(text, width, measure)]
    rest = _broken(text[number.end() :], width - indent, measure)
    return [(0.0, number[0] + rest[0]), *((indent, line) for line in rest[1:])]


def _broken(text: str, width: float, measure: Measure) -> list[str]:
    lines: list[str] = []
    line: list[str] = []
    used = 0.0
    for piece in _pieces(text, width, measure):
        size = measure(piece)
        if line and used + size > width:
            carried = _carried(line, piece)
            lines.append("".join(line).rstrip(" "))
            line, used = carried, sum(map(measure, carried))
        if line or piece != " ":
            line.append(piece)
            used += size
    return [*lines, "".join(line)] if line or not lines else lines


def _pieces(text: str, width: float, measure: Measure) -> Iterator[str]:
    """Words of Latin letters whole, unless one alone is too wide; everything else by the character."""
    for found in _WORD.finditer(text):
        yield from [found[0]] if measure(found[0]) <= width else found[0]


def _carried(line: list[str], piece: str) -> list[str]:
    """What must go down with `piece`, taken off the end of `line`."""
    first, carried = piece, 0
    while carried < min(_MOST_CARRIED, len(line) - 1) and (
        first[0] in _NEVER_FIRST or line[-1 - carried][-1] in _NEVER_LAST
    ):
        carried += 1
        first = line[-carried]
    taken = line[len(line) - carried :]
    del line[len(line) - carried :]
    return taken
