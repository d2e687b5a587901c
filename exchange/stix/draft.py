"""An object before it has times, and the properties that all of ours share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exchange.stix import ids
from exchange.stix.names import Words

IdOf = Callable[[str, str], str]
"""`id_of(key, stix_type)`: the random id kept for that source row, the same at every call."""


@dataclass(frozen=True)
class Draft:
    """One object of an edition, without id, created and modified.

    Attributes:
        key: the stable name of its source row inside the edition; as long as a pasted value may be.
        type: the STIX type.
        body: the properties, plain JSON.
        lifetime_days: how long an indicator is valid, None for ever.
        lang_of: the key of the object that a language-content translates.
    """

    key: str
    type: str
    body: dict[str, Any]
    lifetime_days: int | None = None
    lang_of: str | None = None


def common(tlp: str) -> dict[str, Any]:
    """What every SDO, SRO and language-content carries: made by us, and exactly one TLP 2.0 marking."""
    marking = ids.TLP_MARKING[tlp]
    return {"spec_version": "2.1", "created_by_ref": ids.PORTAL, "object_marking_refs": [marking]}


def in_language(texts: Mapping[str, Words | None], lang: str) -> dict[str, str]:
    """The properties that have a text in this language; STIX has no empty ones."""
    return {name: words[lang] for name, words in texts.items() if words and words.get(lang)}


def twin(key: str, target_id: str, tlp: str, lang: str, texts: Mapping[str, Words | None]) -> Draft:
    """The same texts in the language that the object itself is not in (STIX 2.1, section 7.1)."""
    other = {"ja": "en", "en": "ja"}[lang]
    own = in_language(texts, lang)
    translated = {name: text for name, text in in_language(texts, other).items() if name in own}
    body = {**common(tlp), "object_ref": target_id, "contents": {other: translated}}
    return Draft(f"language:{key}", "language-content", body, lang_of=key)
