"""Whether something that was posted is a STIX 2.1 object: every MUST of the standard, no SHOULD, and our input limits.

The checks are made once, at import, from `data/stix_objects.json`. They look at one object and at nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from exchange.stix import valid_forms as forms
from exchange.stix.valid_rules import selectors
from exchange.stix.valid_types import TABLE, check_for, in_order, members, properties_of, rules_of
from exchange.stix.valid_values import MOST_FAULTS, VALUES, Check, said, shown, text_where

_Kind = str
"""`sdo`, `sro`, `sco` or `smo`."""

_EXTENSION = forms.identifier_of("extension-definition")
_OLD_EXTENSION = re.compile(rf"(?=.{{3,250}}\Z){forms.TYPE_NAME}-ext")
_NEW_KINDS: Final = {"new-sdo": "sdo", "new-sro": "sro", "new-sco": "sco"}
_VERSIONS: Final = in_order("created", "modified")
_ADDRESSES: Final = frozenset({"domain-name", "email-addr", "ipv4-addr", "ipv6-addr", "mac-addr", "url"})


def faults(thing: object) -> list[str]:
    """What keeps this from being a STIX 2.1 object, in short sentences, five at most; none if it is one.

    A sentence names the property, and quotes at most 60 characters of what was sent. Nothing is ever raised.
    """
    if not isinstance(thing, dict):
        return [f"A STIX object is a JSON object, not {said(thing)}."]
    name = thing.get("type")
    if name == "bundle":
        return ["A bundle is not an object: post the objects that are in it."]
    if not isinstance(name, str) or forms.TYPE.fullmatch(name) is None:
        return [f"type must be the name of a type, not {said(name)}."]
    found: list[str] = []
    _check_of(name, thing)(thing, "", found)
    return found[:MOST_FAULTS]


def version_of(thing: Mapping[str, Any]) -> str | None:
    """`modified`, else `created`, else None: an SCO has no versions."""
    return next((time for name in ("modified", "created") if isinstance(time := thing.get(name), str)), None)


def is_stix_20(thing: object) -> bool:
    """Whether it says, or leaves to be understood, that it is of STIX 2.0; an SCO without a version is of 2.1."""
    if not isinstance(thing, Mapping) or thing.get("spec_version", "2.0") != "2.0":
        return False
    return thing.get("type") == "marking-definition" or _kind_of(thing.get("type"), thing) in {"sdo", "sro"}


def _kind_of(name: object, thing: Mapping[str, Any]) -> _Kind:
    """Of a type that the standard does not know: as its extension says, or else by whether it has versions."""
    if isinstance(name, str) and name in TABLE["objects"]:
        return str(TABLE["objects"][name]["kind"])
    extensions = thing.get("extensions")
    for extension in extensions.values() if isinstance(extensions, dict) else ():
        kind = extension.get("extension_type") if isinstance(extension, dict) else None
        if isinstance(kind, str) and kind in _NEW_KINDS:
            return _NEW_KINDS[kind]
    return "sdo" if "created" in thing or "modified" in thing else "sco"


def _check_of(name: str, thing: Mapping[str, Any]) -> Check:
    if name not in _CHECKS:
        return _CUSTOM[_kind_of(name, thing)]
    defanged = name in _ADDRESSES and thing.get("defanged") is True
    return _DEFANGED[name] if defanged else _CHECKS[name]


def _extensions(predefined: Mapping[str, Check], may_be_old: bool) -> Check:
    """The check of `extensions` (STIX 2.1, sections 3.2, 7.3 and 11.3).

    Args:
        predefined: by name, the extensions that the standard has for this type.
        may_be_old: whether a custom extension may have a name instead of a definition.
    """

    def check(value: Any, at: str, faults: list[str]) -> None:
        if not isinstance(value, dict) or not value:
            faults.append(f"{at} must be a dictionary of at least one extension.")
            return
        for key, extension in value.items():
            if key in predefined:
                predefined[key](extension, f"{at}.{key}", faults)
            elif isinstance(key, str) and _EXTENSION.fullmatch(key):
                _defined(extension, f"{at}.extension-definition--{key[22:30]}", faults)
            elif may_be_old and isinstance(key, str) and _OLD_EXTENSION.fullmatch(key):
                _named(extension, f"{at}.{shown(key, 12)}", faults)
            else:
                faults.append(f"{at} has a key that is not the id of an extension-definition.")
            if len(faults) >= MOST_FAULTS:
                return

    return check


def _not_empty(value: Mapping[str, Any], at: str, faults: list[str]) -> None:
    if not value:
        faults.append(f"{at} must have at least one property.")


_defined = members({"extension_type": check_for("enum extension-type-enum")}, ["extension_type"], [])
_named = members({}, [], [_not_empty])


def _never(why: str) -> Check:
    def check(_: Any, at: str, faults: list[str]) -> None:
        faults.append(f"{at} {why}.")

    return check


def _already(_: Any, _at: str, _faults: list[str]) -> None:
    """`type` is looked at before anything else."""


def _own_id(value: Mapping[str, Any], _at: str, faults: list[str]) -> None:
    if not value["id"].startswith(value["type"] + "--"):
        faults.append("id must begin with the type of the object.")


def _common(kind: _Kind) -> dict[str, Check]:
    common = {name: check_for(words) for name, words in TABLE["common"].items()}
    common |= {name: _never("is a reserved name") for name in TABLE["reserved"]}
    if kind != "sco":
        common["defanged"] = _never("is for cyber-observable objects only")
    return {**common, "type": _already, "extensions": _extensions({}, may_be_old=True)}


def _object_check(name: str, entry: Mapping[str, Any], changed: Mapping[str, Check]) -> Check:
    predefined = {key: check_for(key) for key in entry.get("extensions", [])}
    known = {
        **_common(entry["kind"]),
        "id": text_where(forms.identifier_of(name).fullmatch, f"an identifier of {name}"),
        "extensions": _extensions(predefined, may_be_old=name != "marking-definition"),
        **properties_of(entry),
        **changed,
    }
    required = ["id", *TABLE["required"][entry["kind"]], *entry.get("required", [])]
    return members(known, required, [_VERSIONS, *rules_of(name, entry), selectors])


def _custom_check(kind: _Kind) -> Check:
    """Of a type that the standard does not know (section 11.2): what all types have in common."""
    known = {**_common(kind), "id": check_for("identifier object")}
    return members(known, ["id", *TABLE["required"][kind]], [_own_id, _VERSIONS, selectors])


_CHECKS: Final = {name: _object_check(name, entry, {}) for name, entry in TABLE["objects"].items()}
_DEFANGED: Final = {
    name: _object_check(name, TABLE["objects"][name], {"value": VALUES["string"]}) for name in _ADDRESSES
}
_CUSTOM: Final = {kind: _custom_check(kind) for kind in ("sdo", "sro", "sco")}
