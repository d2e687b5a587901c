"""Whether a text is a STIX pattern (STIX 2.1, section 9): read once from left to right, however long it is.

A regular expression inside a pattern is text to us: it is kept, and never run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from exchange.stix.valid_forms import PROPERTY_NAME, TYPE, hidden
from exchange.tables import table

LONGEST: Final = 10_000
DEEPEST: Final = 20
MOST_COMPARISONS: Final = 250

_UNREADABLE = "is not in the grammar of STIX patterns"

# The words of the grammar (STIXPattern.g4 of OASIS). Where one could be read in two lengths, the longer one counts, so
# nothing here gives back what it took.
_SPACE = (
    r"(?:[ \t\r\n\x0b\x0c\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]++"
    r"|/\*(?s:.*?)\*/|//[^\r\n]*+)*+"
)
_END = r"(?![A-Za-z0-9_-])"
_KEYWORD = (
    r"(?:AND|OR|NOT|FOLLOWEDBY|LIKE|MATCHES|ISSUPERSET|ISSUBSET|EXISTS|LAST|IN|START|STOP|SECONDS|true|false"
    rf"|WITHIN|REPEATS|TIMES){_END}"
)
_STRING = r"'[^'\\]*+(?:\\['\\][^'\\]*+)*+'"
_POSITIVE = r"\+?+(?:0|[1-9][0-9]*+)"
_FRACTION = r"[0-9]*+\.[0-9]++"
_TIME = (
    r"t'[0-9]{4}-(?:0[1-9]|1[012])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)"
    r"(?:\.[0-9]++)?+Z'"
)
_BYTES = (
    r"(?:h'(?:[0-9A-Fa-f]{2})*+'|b'(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)')"
)
_ORDERED = rf"(?:{_STRING}|[+-]?+(?:{_FRACTION}|0|[1-9][0-9]*+)|{_TIME}|{_BYTES})"
_CONSTANT = rf"(?:{_ORDERED}|(?:true|false){_END})"
_SET = rf"\({_SPACE}(?:{_CONSTANT}(?:{_SPACE},{_SPACE}{_CONSTANT})*+{_SPACE})?\)"
_NAME = rf"(?:(?!{_KEYWORD})[A-Za-z_][A-Za-z0-9_]*+(?!-)|{_STRING})"
_INDEX = rf"\[{_SPACE}(?:\*|[+-]?+(?:0|[1-9][0-9]*+)){_SPACE}\]"
_PATH = (
    rf"(?P<type>(?!{_KEYWORD})[A-Za-z_][A-Za-z0-9_-]*+){_SPACE}:{_SPACE}"
    rf"(?P<path>(?P<first>{_NAME})(?:{_SPACE}(?:\.{_SPACE}{_NAME}|{_INDEX}))*+)"
)
_TEST = (
    rf"(?:NOT{_END}{_SPACE})?+(?:(?P<equal>(?:==?+|!=|<>){_SPACE}{_CONSTANT}|[<>]=?+{_SPACE}{_ORDERED}|IN{_END}{_SPACE}{_SET})"
    rf"|(?:LIKE|MATCHES|ISSUBSET|ISSUPERSET){_END}{_SPACE}{_STRING})"
)


_QUALIFIER = (
    rf"WITHIN{_END}{_SPACE}(?:\+?+{_FRACTION}|{_POSITIVE}){_SPACE}SECONDS{_END}"
    rf"|REPEATS{_END}{_SPACE}{_POSITIVE}{_SPACE}TIMES{_END}|START{_END}{_SPACE}{_TIME}{_SPACE}STOP{_END}{_SPACE}{_TIME}"
)
_TOKEN: Final = re.compile(
    rf"{_SPACE}(?:(?P<mark>[\[\]()])|(?P<joint>AND|OR|FOLLOWEDBY){_END}"
    rf"|(?P<comparison>(?P<exists>EXISTS{_END}{_SPACE})?+{_PATH}(?(exists)|{_SPACE}{_TEST}))"
    rf"|(?P<qualifier>{_QUALIFIER})|(?P<end>\Z))"
)

_OBSERVABLES = frozenset(name for name, entry in table("stix_objects")["objects"].items() if entry["kind"] == "sco")
_HASHES = re.compile(r"(?:^|\.\s*)(?:hashes|'hashes')(?=\s*[.\[]|\Z)")
_HEX_DIGITS: Final = {
    name: tuple(map(int, digits.split()))
    for name, digits in {
        "MD5": "32",
        "MD6": "32 40 56 64 96 128",
        "RIPEMD160": "40",
        "SHA1": "40",
        "SHA224": "56",
        "SHA256": "64",
        "SHA384": "96",
        "SHA512": "128",
        "SHA3224": "56",
        "SHA3256": "64",
        "SHA3384": "96",
        "SHA3512": "128",
        "WHIRLPOOL": "128",
    }.items()
}


class _Wrong(Exception):
    """It is no pattern, and this is why."""


def pattern_fault(pattern: str) -> str | None:
    """Why this is no STIX pattern, as the end of a sentence that begins with `pattern`; None if it is one.

    The patterns of STIX 2.0 are among those of 2.1, so the indicator's `pattern_version` does not matter.
    """
    if len(pattern) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if hidden(pattern):
        return "has a character that cannot be seen, or that turns the writing round"
    try:
        _read(pattern)
    except _Wrong as wrong:
        return str(wrong)
    return None


def _read(pattern: str) -> None:
    reader = _Reader()
    for word in _words(pattern):
        getattr(reader, word.lastgroup or "")(word)
    reader.end()


def _words(pattern: str) -> Iterator[re.Match[str]]:
    at = 0
    while (word := _TOKEN.match(pattern, at)) is not None:
        if word.lastgroup == "end":
            return
        yield word
        at = word.end()
    raise _Wrong(_UNREADABLE)


class _Level:
    """What is between two parentheses or brackets: sides joined by OR, each of them terms joined by AND.

    Attributes:
        mark: `(` or `[`; nothing for the whole pattern.
    """

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.sides: set[str] = set()
        self.terms: set[str] | None = None

    def add(self, types: set[str]) -> None:
        """One more term. All terms of a side are about one object, so about one type (section 9.5)."""
        self.terms = types if self.terms is None else self.terms & types
        if not self.terms:
            raise _Wrong("joins two types of objects by AND, and no object is of both")

    def end_side(self) -> set[str]:
        """The types that this level can be about."""
        self.sides |= self.terms or set()
        self.terms = None
        return self.sides


class _Reader:
    """Takes a pattern word by word. Either an operand must come next, or what can stand behind one."""

    def __init__(self) -> None:
        self._levels = [_Level("")]
        self._operand_next = True
        self._in_observation = False
        self._comparisons = 0
        self._qualifiers: set[str] | None = None

    def _expect(self, right: bool) -> None:
        if not right:
            raise _Wrong(_UNREADABLE)

    def mark(self, word: re.Match[str]) -> None:
        """A parenthesis or a bracket."""
        mark = word["mark"]
        if mark in "([":
            self._open(mark)
        else:
            self._close("(" if mark == ")" else "[")

    def _open(self, mark: str) -> None:
        self._expect(self._operand_next and not (mark == "[" and self._in_observation))
        self._levels.append(_Level(mark))
        self._in_observation |= mark == "["
        if sum(level.mark == "(" for level in self._levels) > DEEPEST:
            raise _Wrong(f"has more than {DEEPEST} parentheses inside of one another")

    def _close(self, opened_by: str) -> None:
        level = self._levels.pop()
        self._expect(level.mark == opened_by and not self._operand_next)
        if opened_by == "[":
            self._in_observation, self._qualifiers = False, set()
        elif self._in_observation:
            self._levels[-1].add(level.end_side())
        else:
            self._qualifiers = None

    def joint(self, word: re.Match[str]) -> None:
        """AND, OR or FOLLOWEDBY."""
        self._expect(not self._operand_next and not (self._in_observation and word["joint"] == "FOLLOWEDBY"))
        self._operand_next = True
        if word["joint"] == "OR":
            self._levels[-1].end_side()

    def comparison(self, word: re.Match[str]) -> None:
        """A path and what it is compared to; the grammar alone would let names and hashes pass that are none."""
        self._expect(self._operand_next and self._in_observation)
        self._operand_next = False
        self._comparisons += 1
        if self._comparisons > MOST_COMPARISONS:
            raise _Wrong(f"has more than {MOST_COMPARISONS} comparisons")
        if not _right_names(word["type"], word["first"].strip("'")):
            raise _Wrong("has a type or property that cannot be the name of one")
        if "hashes" in word["path"] and not _right_hash(word["path"], word["equal"]):
            raise _Wrong("compares a hash to what is none of that name")
        self._levels[-1].add({word["type"]})

    def qualifier(self, word: re.Match[str]) -> None:
        """One of each kind, behind an observation (section 9.5.1); a group in parentheses may have more."""
        self._expect(not self._operand_next and not self._in_observation)
        if self._qualifiers is not None:
            if word["qualifier"][0] in self._qualifiers:
                raise _Wrong("has the same qualifier twice")
            self._qualifiers.add(word["qualifier"][0])

    def end(self) -> None:
        """Nothing may be open."""
        self._expect(len(self._levels) == 1 and not self._operand_next)


def _right_names(kind: str, first: str) -> bool:
    """Names as STIX has them (sections 3.1 and 9.7); only an object that the standard knows has an `id` to ask for."""
    named = PROPERTY_NAME.fullmatch(first) is not None or (first == "id" and kind in _OBSERVABLES)
    return named and TYPE.fullmatch(kind) is not None


def _right_hash(path: str, test: str | None) -> bool:
    """Whether every constant has the length of the hash it is compared to; LIKE and MATCHES need only a part of it."""
    if test is None or _HASHES.search(path) is None or path.endswith("*]"):
        return True
    if path.endswith("]"):
        return False
    lengths = _HEX_DIGITS.get(path.rpartition(".")[2].strip("' ").upper().replace("-", ""))
    return lengths is None or all(_is_digest(one, lengths) for one in re.findall(_CONSTANT, test))


def _is_digest(constant: str, lengths: tuple[int, ...]) -> bool:
    digits = constant.strip("'")
    return len(digits) in lengths and re.fullmatch("[0-9a-fA-F]+", digits) is not None
