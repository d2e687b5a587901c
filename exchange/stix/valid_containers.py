"""Types of STIX whose keys are not chosen by the standard: translations, tags, and observables within observed data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from exchange.stix import valid_forms as forms
from exchange.stix.valid_values import VALUES, Check, anything, dictionary_of, plain_object


def translations(value: Any, at: str, faults: list[str]) -> None:
    """For each language, properties and what they are in it (section 7.1.1)."""
    before = len(faults)
    dictionary_of(_translation)(value, at, faults)
    if len(faults) == before and not all(map(forms.is_language, value)):
        faults.append(f"{at} must have language tags of RFC 5646 for keys.")


def _translation(value: Any, at: str, faults: list[str]) -> None:
    dictionary_of(anything)(value, at, faults)
    names = [key for key in value if isinstance(key, str)] if isinstance(value, dict) else []
    if not all(map(forms.PROPERTY_NAME.fullmatch, names)):
        faults.append(f"{at} must have names of properties for keys.")


def observable_container(value: Any, at: str, faults: list[str]) -> None:
    """Observables as STIX 2.0 had them: each has a type, and refers to no other than these (section 2.13)."""
    plain_object(value, at, faults)
    if not isinstance(value, dict) or not value:
        faults.append(f"{at} must have at least one object.")
        return
    for one in value.values():
        name = one.get("type") if isinstance(one, dict) else None
        if not isinstance(name, str) or forms.TYPE.fullmatch(name) is None:
            faults.append(f"{at} must have objects, each with a type.")
            return
    if any(ref not in value for ref in _references(value, 32)):
        faults.append(f"{at} must have every object that one of them refers to.")


def _references(value: Any, deep: int) -> list[str]:
    """The text of every `_ref` and `_refs`, at any depth."""
    if isinstance(value, list) and deep:
        return [ref for item in value for ref in _references(item, deep - 1)]
    if not isinstance(value, dict) or not deep:
        return []
    found = []
    for name, item in value.items():
        if isinstance(name, str) and name.endswith(("_ref", "_refs")):
            found += [ref for ref in (item if isinstance(item, list) else [item]) if isinstance(ref, str)]
        else:
            found += _references(item, deep - 1)
    return found


def exif_tags(value: Any, at: str, faults: list[str]) -> None:
    """EXIF tags as EXIF writes them, each with a capital (section 6.7.5)."""
    _TAGS(value, at, faults)
    if isinstance(value, dict) and not all(key[:1].isupper() for key in value if isinstance(key, str)):
        faults.append(f"{at} must have names of EXIF tags for keys, as in XResolution.")


_TAGS = dictionary_of(VALUES["integer or string"])

CONTAINERS: Final[Mapping[str, Check]] = {
    "exif-tags": exif_tags,
    "translations": translations,
    "observable-container": observable_container,
}
