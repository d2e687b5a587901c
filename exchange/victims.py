"""Does a text tell who was hit? Everything on its way out is asked; the check blocks, it does not edit."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

# Legal forms and remarks around a name: what is left is what people call the organization.
_AROUND_NAMES = re.compile(
    r"株式会社|有限会社|合同会社|医療法人|学校法人|一般社団法人|公益社団法人|一般財団法人|独立行政法人|\(.*?\)"
    r"|\bk\.?k\.?(?=\W|$)|\bco\.,? ?ltd\.?|\binc\.?(?=\W|$)|\bltd\.?(?=\W|$)|\bcorp(oration)?\.?(?=\W|$)"
)
_NOISE = re.compile(r"[\s\-‐-―ー・,.'\"_()\[\]{}<>/]+")
_SHORTEST = 3


def plain(text: str) -> str:
    """One spelling for comparing: percent-decoded, NFKC, no case, no blanks, dots, hyphens, brackets, no marks that
    cannot be seen."""
    seen = "".join(char for char in unquote(text) if unicodedata.category(char) != "Cf")
    return _NOISE.sub("", unicodedata.normalize("NFKC", seen).casefold())


def terms(profile: Mapping[str, Any], *, callback: str | None = None) -> frozenset[str]:
    """What would tell who the reporter is: names, number, domains, networks, people, phones, mail addresses.

    Args:
        profile: an organization's sealed profile, opened.
    """
    found = {plain(word) for word in _words(profile)}
    if callback:
        found |= {plain(callback), plain(callback.replace("+81", "0", 1))}
    return frozenset(term for term in found if len(term) >= _SHORTEST)


def told_by(text: str, known: frozenset[str]) -> list[str]:
    """The terms that `text` contains, in its own order of the alphabet; empty when it tells nothing."""
    bare = plain(text)
    return sorted(term for term in known if term in bare)


def _words(profile: Mapping[str, Any]) -> Iterator[str]:
    for name in ("name_ja", "name_en", "corporate_number"):
        value = str(profile.get(name) or "")
        yield value
        yield _AROUND_NAMES.sub("", unicodedata.normalize("NFKC", value).casefold())
    yield from profile.get("aliases", ())
    yield from profile.get("domains", ())
    yield from profile.get("networks", ())
    for contact in profile.get("contacts", ()):
        yield from (str(contact.get(part) or "") for part in ("phone", "email"))
        yield str(contact.get("phone") or "").replace("+81", "0", 1)
        yield from _names_of_people(str(contact.get("name") or ""))


def _names_of_people(name: str) -> Iterator[str]:
    yield _AROUND_NAMES.sub("", unicodedata.normalize("NFKC", name))
