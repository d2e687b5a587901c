"""Characters as a document can carry them: nothing that is not seen, and, on paper, nothing the font lacks."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MISSING = "〓"
_LINE_END = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
# What turns the direction of writing may make a text read differently from what it says.
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NO_CHARACTER = re.compile("[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_COMBINED = re.compile(".[\u0300-\u036f\u3099\u309a]+")
_VARIANT = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def plain(text: str) -> str:
    """One kind of line end and of tab, no control characters; half a character becomes 〓."""
    seen = _UNSEEN.sub("", _LINE_END.sub("\n", text).replace("\t", " "))
    return _NO_CHARACTER.sub(MISSING, seen)


def drawable(text: str) -> str:
    """`text` with 〓 for every character that the PDF's Japanese fonts do not have."""
    composed = _COMBINED.sub(lambda found: unicodedata.normalize("NFC", found[0]), plain(text))
    return "".join(map(_drawn, _VARIANT.sub("", composed)))


@lru_cache(maxsize=16384)
def _drawn(char: str) -> str:
    """Source: the fonts have Adobe-Japan1-2, which holds JIS X 0208, the common extensions and Latin-1."""
    if unicodedata.category(char) == "Cf":
        return ""
    if char == "\n" or "\xa1" <= char <= "\xff" or char in "‐‑‒–—•ゔ":
        return char
    if unicodedata.category(char) == "Zs":
        return char if char == "\u3000" else " "
    private = "\ue000" <= char <= "\uf8ff"
    return char if not private and any(_has(code, char) for code in ("cp932", "shift_jis")) else MISSING


def _has(code: str, char: str) -> bool:
    try:
        char.encode(code)
    except UnicodeEncodeError:
        return False
    return True
