"""What stands around a dotted number or name, and whether it then is a version, a file or code."""

from __future__ import annotations

import re
from functools import lru_cache

from exchange.extraction_text import WORDS, ends_in, is_alnum

_VERSION_WORDS, _VERSION_FILLERS = tuple(WORDS["version_words"]), tuple(WORDS["version_fillers"])
_VERSIONED_PRODUCTS, _NUMBERED = tuple(WORDS["versioned_products"]), tuple(WORDS["numbered_or_addressed"])
_NAME_WORDS, _NAME_FILLERS = tuple(WORDS["name_words"]), tuple(WORDS["name_fillers"])
_NUMBER_GAP, _NAME_GAP = " \t\r\n.:=/#「『(\"'|", " \t\r\n:=「『(\"'|"
_SMALL = re.compile(r"(?:[12]?[0-9]|30)\.(?:[12]?[0-9]|3[01])\.")
_LOG_HEADER = re.compile(r"(?:CEF|LEEF):[^|\r\n]{0,8}+\|[^|\r\n]{0,40}+\|[^|\r\n]{0,60}+\|$")
_VERSION_AFTER = re.compile(
    r"[ \t]?(?:(?:より前|以前|以降|未満|以下|以上)[のにを、。)]|より(?:古|新し)い|の?(?:版|系|バージョン|ファーム)"
    r"|[項章節条]|(?:に|へ)の?(?:更新|アップ|バージョン)|(?:and|or) (?:earlier|later|below|prior|newer|older|above)\b)",
    re.IGNORECASE,
)
_VERSION_CHAIN = re.compile(
    r"[\s,、/・~〜～-]{0,3}(?:and|or|to|through|から|と|または|又は|および|及び|ならびに)?[\s,、]{0,2}",
    re.IGNORECASE,
)
_USED = re.compile(r"\((?:\)|[\"'])|\[[\"']| import\b")
_CALLED = re.compile("\\([a-z_]")
_FILES, _FILES_OR_COUNTRIES = frozenset(WORDS["file_extensions"]), frozenset(WORDS["file_extensions_and_countries"])
_INNER, _FIRST = frozenset(WORDS["inner_extensions"]), frozenset(WORDS["names_of_files"])
_PRODUCTS = frozenset(WORDS["product_names"])
_MALWARE, _ROOTS = frozenset(WORDS["malware_kinds"]), frozenset(WORDS["package_roots"])
_OBJECTS, _FIELD_OBJECTS = frozenset(WORDS["code_objects"]), frozenset(WORDS["field_objects"])
_FIELDS, _ORDINARY = frozenset(WORDS["field_names"]), frozenset(WORDS["ordinary_endings"])
_PORTS_FROM, _PORTS = 1024, frozenset({21, 22, 23, 25, 53, 80, 81, 88, 110, 143, 389, 443, 445, 465, 587, 993, 995})
_BACK_TO_VERSION, _BACK_TO_NAME, _LONGEST_CHAIN = 32, 24, 16


class Versions:
    """Tells version numbers from addresses; remembers the last one, for a list of them."""

    def __init__(self) -> None:
        self._end = -99

    def is_version(self, text: str, start: int, end: int) -> bool:
        """Whether the four or more numbers that stand here are a version or the number of a section.

        After the name of what has addresses too, only small numbers are one.
        """
        before = text[max(0, start - _BACK_TO_VERSION) : start]
        found = (
            ends_in(before, _VERSION_WORDS, _VERSION_FILLERS, _NUMBER_GAP)
            or ends_in(before, _VERSIONED_PRODUCTS, (), " /")
            or (ends_in(before, _NUMBERED, (), " /") and _SMALL.match(text, start) is not None)
            or _VERSION_AFTER.match(text, end) is not None
            or self._goes_on(text, start)
            or text.startswith(".0.0.0", end - 6)
            or (text[start - 1 : start] == "|" and _LOG_HEADER.search(text[max(0, start - 128) : start]) is not None)
        )
        self._end = end if found else self._end
        return found

    def _goes_on(self, text: str, start: int) -> bool:
        gap = text[self._end : start] if 0 < start - self._end <= _LONGEST_CHAIN else ""
        return gap != "" and _VERSION_CHAIN.fullmatch(gap) is not None


def is_called_a_name(text: str, start: int) -> bool:
    """Whether the words before say that a name of a host follows."""
    return ends_in(text[max(0, start - _BACK_TO_NAME) : start], _NAME_WORDS, _NAME_FILLERS, _NAME_GAP)


def may_have_line(token: str, number: int) -> bool:
    """Whether the number after the colon may be that of a line in a file, and no port."""
    return number < _PORTS_FROM and number not in _PORTS and "." in token and _is_file(token.lower().split("."))


def is_file_or_code(text: str, start: int, end: int) -> bool:
    """Whether a dotted name is rather that of a file, a product, a malware family, a package or an object's member."""
    token = text[start:end]
    if token.startswith("www."):
        return False
    return (
        _reads_as_other(token)
        or _USED.match(text, end) is not None
        or (_CALLED.match(text, end) is not None and token.rpartition(".")[2].lower() not in _ORDINARY)
        or (text[start - 1 : start] == "{" and text[end : end + 1] == "}")
    )


@lru_cache(maxsize=4096)
def _reads_as_other(token: str) -> bool:
    labels = token.lower().split(".")
    return (
        _is_file(labels)
        or token.lower() in _PRODUCTS
        or (labels[0] in _MALWARE and (labels[-1] not in _ORDINARY or not token[len(labels[0]) :].islower()))
        or (not token.isupper() and not token.rpartition(".")[2].islower())
        or _is_code(labels)
        or (labels[-1] not in _ORDINARY and "".join(labels[:-1]).isdigit())
    )


def _is_file(labels: list[str]) -> bool:
    """Where an extension is a country too, a longer name is a host's unless its other labels are a file's."""
    if labels[-1] in _FILES:
        return True
    inner = labels[-2]
    is_files = len(labels) == 2 or inner in _INNER or inner.isdigit() or labels[0] in _FIRST
    return labels[-1] in _FILES_OR_COUNTRIES and is_files


def _is_code(labels: list[str]) -> bool:
    first, last, is_ordinary = labels[0], labels[-1], labels[-1] in _ORDINARY
    if first in _ROOTS and len(labels) > 2 and not is_ordinary and "".join(labels).isalpha():
        return True
    if first in _OBJECTS and not is_ordinary:
        return True
    return last in _FIELDS and (first in _FIELD_OBJECTS or first in _OBJECTS)


def is_cut(text: str, start: int) -> bool:
    """Whether the first part of the name stands at the end of the line before."""
    before = text[max(0, start - 4) : start]
    line = before.rstrip("\r\n")
    return line != before and line.endswith("-") and is_alnum(line, len(line) - 2)
