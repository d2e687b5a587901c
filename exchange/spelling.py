"""Numbers and codes that people read to each other on the phone: no letter that is misheard, and a word for each."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Mapping

from exchange.tables import table

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: five bits a letter, without I, L, O and U."""

_GROUP = 4
_MEANT = str.maketrans({"O": "0", "I": "1", "L": "1"})


def made(length: int) -> str:
    """So many random letters, in groups: `7K3M-9QXZ`."""
    return grouped("".join(secrets.choice(LETTERS) for _ in range(length)))


def grouped(text: str) -> str:
    """In groups of four."""
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def plain(typed: str) -> str:
    """What was meant: no blanks or dashes, half-width, capital, and O for 0 put right."""
    folded = unicodedata.normalize("NFKC", typed).upper().translate(_MEANT)
    return "".join(letter for letter in folded if letter in LETTERS)


def spoken(text: str) -> list[tuple[str, Mapping[str, str]]]:
    """Each letter, and how to say it so that nobody mishears; what has no word is left out."""
    words: Mapping[str, Mapping[str, str]] = table("spelling")
    return [(letter, words[letter]) for letter in text if letter in words]
