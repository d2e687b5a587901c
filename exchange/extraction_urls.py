"""URLs in a text: where they begin, where they end, and what scheme and host are meant."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import NamedTuple

from exchange.extraction_page import LONGEST, Hit, Page
from exchange.extraction_text import CJK, LETTERS, WORDS
from exchange.indicator_values import host_text, live_scheme, public_name

_ANCHOR = re.compile(r":(?://|\\\\)")
_SCHEME_LETTERS = string.ascii_letters + string.digits + "+*_#"
_LONGEST_SCHEME = 24
_KNOWN = re.compile(
    rf"(?:{'|'.join(sorted(WORDS['schemes'], key=len, reverse=True))}|[hx][txyzw*_#]{{2}}ps?|meows?|ttps?|s?f[tx]ps?)$",
    re.IGNORECASE,
)
_OTHER = re.compile(r"[A-Za-z][A-Za-z0-9+]++")
_AUTHORITY = re.compile(
    rf"(?:[A-Za-z0-9._~%:+-]*+@)?+(?:\[[0-9A-Fa-f:.%]{{2,60}}+\](?::\d++)?+|[{LETTERS}{CJK}0-9._~%:+-]*+)"
)
_BEFORE_NATIVE = re.compile(f"[^{CJK}]*+")
_NATIVE_LABEL = f"[{LETTERS}{CJK}0-9_-]"
_NATIVE_HOST = re.compile(rf"{_NATIVE_LABEL}*+(?:\.{_NATIVE_LABEL}++){{0,8}}?\.[A-Za-z]{{2,24}}+(?::\d{{1,5}}+)?+")
_PATH = re.compile(rf"[{LETTERS}0-9!#$%*+./:=?@_~-]*+")
_BACKSLASHED = re.compile(rf"[{LETTERS}0-9!#$%*+./:=?@_~\\-]*+")
_ENTITY = re.compile("&(?:quot|apos|gt|lt|nbsp|#39|#34|#x27|#x22);", re.IGNORECASE)
_NEXT_VALUE = re.compile(
    r"[,;](?:[a-z*#]{3,6}+:|[0-9a-f]{32}|CVE-|\d{4}-\d\d-\d\d|(?:\d{1,3}\.){3}\d"
    r"|(?P<name>(?:[a-z0-9-]{1,63}+\.){1,4}+[a-z]{2,24}+)(?![a-z0-9/?=_-]))",
    re.IGNORECASE,
)
_REST = re.compile(r"[^\s\0:\"'<>]*+")
_PAIRS = frozenset({"()", "[]"})


class _Scheme(NamedTuple):
    start: int
    word: str


def urls(page: Page) -> Iterator[Hit]:
    """Each URL with a public host; one without is understood, so that its path is not read as names."""
    done = 0
    for anchor in _ANCHOR.finditer(page.text):
        scheme = _scheme(page.text, anchor.start(), done) if anchor.start() >= done else None
        if scheme:
            hit = _url(page, scheme, anchor.end())
            done = hit.end
            yield hit


def _scheme(text: str, end: int, done: int) -> _Scheme | None:
    """The word before the colon; of a word grown together with one that we know, the known one."""
    before = text[max(done, end - _LONGEST_SCHEME) : end]
    word = before[len(before.rstrip(_SCHEME_LETTERS)) :]
    known = _KNOWN.search(word)
    if known:
        return _Scheme(end - len(known[0]), live_scheme(known[0]))
    is_whole = len(word) < _LONGEST_SCHEME and _OTHER.fullmatch(word) is not None
    return _Scheme(end - len(word), word.lower()) if is_whole else None


def _url(page: Page, scheme: _Scheme, at: int) -> Hit:
    text, written = page.text, _authority(page.text, at)
    authority = _without_sentence(written, page.real)
    host = host_text(authority, page.real)
    if host is None:
        return Hit(scheme.start, _rest_end(text, at + len(written)))
    end = at + len(authority)
    if authority == written:
        end = _path_end(text, end, scheme.start)
    if end - scheme.start >= LONGEST:
        return Hit(scheme.start, end)
    user = authority.rpartition("@")[0]
    tail = text[at + len(authority) : end].replace("&amp;", "&").replace("\\", "/")
    return Hit(scheme.start, end, "url", f"{scheme.word}://{user + '@' if user else ''}{host}{tail}")


def _rest_end(text: str, at: int) -> int:
    """Where what belongs to a URL of no public host ends: at the latest where another may begin."""
    rest = _REST.match(text, at)
    end = rest.end() if rest else at
    return end if text[end : end + 1] != ":" else at + len(text[at:end].rstrip(_SCHEME_LETTERS))


def _authority(text: str, at: int) -> str:
    found = _AUTHORITY.match(text, at)
    return found[0].rstrip(".,:-_~%+") if found else ""


def _without_sentence(authority: str, real: bool) -> str:
    """Where Japanese follows the host it is the sentence going on; where it comes first it is the host."""
    if authority.isascii():
        return authority
    ascii_part = _BEFORE_NATIVE.match(authority)
    before = ascii_part[0].rstrip(".,:") if ascii_part else ""
    if before == authority or host_text(before, real):
        return before
    named = _NATIVE_HOST.match(authority)
    return named[0] if named else before


def _path_end(text: str, at: int, start: int) -> int:
    """Up to a bracket that stands alone, the sign of a next value, or Japanese."""
    if text[at : at + 1] not in {"/", "?", "#", "\\"}:
        return at
    plain = _BACKSLASHED if text[at] == "\\" else _PATH
    in_table = text[start - 1 : start] in {",", ";"}
    begun, opened, in_query = at, [], False
    while found := plain.match(text, at):
        at = found.end()
        in_query = in_query or "?" in found[0] or "#" in found[0]
        char = text[at : at + 1] or " "
        if char == "(" or (char == "[" and in_query):
            opened.append(at)
        elif char in ")]" and opened and text[opened[-1]] + char in _PAIRS:
            opened.pop()
        elif char not in ",;&" or _is_over(text, at, in_table):
            break
        at += 1
    end = opened[0] if opened else at
    return begun + len(text[begun:end].rstrip(".,;:!?*(["))


def _is_over(text: str, at: int, in_table: bool) -> bool:
    if text[at] == "&":
        return _ENTITY.match(text, at) is not None
    following = _NEXT_VALUE.match(text, at)
    is_value = following is not None and (following["name"] is None or public_name(following["name"], True) is not None)
    return in_table or is_value
