"""What a file is, by what is in it; and the name under which it is kept, which nobody can mistake for another kind."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NoReturn

from exchange.attachment_texts import decoded, is_mail
from exchange.errors import Invalid, Problem
from exchange.tables import table

LARGEST_BYTES = 10_000_000
_LONGEST_NAME = 100
_START = 1024
_PATH = re.compile(r"[\\/]")
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_TABLE: Mapping[str, Any] = table("attachments")
_MAGIC = [(bytes.fromhex(row["starts"]), row["is"]) for row in _TABLE["magic"]]
_BY_ENDING = {ending: kind for kind, endings in _TABLE["names"].items() for ending in endings}
_TAKEN = frozenset({"png", "jpg", "pdf", "zip"})
_TAR = (257, b"ustar")


class Refused(Invalid):
    """A file that is not taken, and why in words. Nothing of it is kept."""


class Unsupported(Refused):
    """Not because of what is wrong with it, but because of what it is."""


class TooBig(Refused):
    """Larger than is taken."""


def refuse(code: str, name: str, kind: type[Refused] = Refused, **params: object) -> NoReturn:
    """Raises: Refused with this code, a key of `data/problems.json`."""
    raise kind([Problem("attachment", code, {"name": shown_name(name), **params})])


def recognise(name: str, body: bytes) -> str:
    """txt, csv, json, eml, png, jpg, pdf or zip.

    Raises: Unsupported, TooBig, Refused for an empty file.
    """
    if not body:
        refuse("empty", name)
    if len(body) > LARGEST_BYTES:
        refuse("too-large", name, TooBig, max=LARGEST_BYTES // 1_000_000)
    found = _by_start(body)
    if found in _TAKEN:
        return str(found)
    if found is not None:
        refuse(found, name, Unsupported)
    return _text_kind(name, body)


def _by_start(body: bytes) -> str | None:
    at, mark = _TAR
    if body[at : at + len(mark)] == mark:
        return "archive"
    return next((kind for start, kind in _MAGIC if body.startswith(start) and not _is_words(start, body)), None)


def _is_words(start: bytes, body: bytes) -> bool:
    """Two letters alone also begin words, such as `BMW`, `MZ` or `BM`."""
    return len(start) == 2 and start.isalpha() and decoded(body) is not None


def _text_kind(name: str, body: bytes) -> str:
    text, ending = decoded(body), ending_of(name)
    if text is None:
        refuse("unknown", name, Unsupported)
    if ending in _BY_ENDING:
        refuse(_BY_ENDING[ending], name, Unsupported)
    start = text[:_START].lstrip("\ufeff \t\r\n").casefold()
    if start.startswith(tuple(_TABLE["text"]["scripts"])):
        refuse("script", name, Unsupported)
    if _COMMENT.sub("", start).lstrip().startswith(tuple(_TABLE["text"]["html"])):
        refuse("html", name, Unsupported)
    if is_mail(text):
        return "eml"
    return _words_kind(text, ending)


def _words_kind(text: str, ending: str) -> str:
    if ending == "csv":
        return "csv"
    outer = text[:_START].lstrip()[:1] + text[-_START:].rstrip()[-1:]
    return "json" if outer in {"{}", "[]"} else "txt"


def ending_of(name: str) -> str:
    """What stands after the last dot, in small letters."""
    return _bare(name).rpartition(".")[2].casefold() if "." in name else ""


def _bare(name: str) -> str:
    """Without folders, and without what cannot be seen or turns the direction of letters."""
    last = _PATH.split(unicodedata.normalize("NFC", name))[-1]
    seen = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C")
    return " ".join(seen.split()).strip(". ")


def shown_name(name: str) -> str:
    """A name that can be shown."""
    return _bare(name)[:_LONGEST_NAME] or "file"


def kept_name(name: str, kind: str) -> str:
    """The name under which it is kept: it ends as what it is, whatever it was called."""
    ending, shown = str(_TABLE["kinds"][kind]["ending"]), shown_name(name)
    if shown.casefold().endswith(f".{ending}"):
        return shown
    first, _, rest = ending.partition(".")
    missing = rest if rest and shown.casefold().endswith(f".{first}") else ending
    return f"{shown}.{missing}"


def media_type(kind: str) -> str:
    """Ours, never what was said."""
    return str(_TABLE["kinds"][kind]["media_type"])


def label(kind: str) -> Mapping[str, str]:
    """What to call it, in both languages."""
    words: Mapping[str, str] = _TABLE["kinds"][kind]["label"]
    return words
