"""The types of `data/stix_objects.json` as checks, made once: what is in an object, and what must be beside what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from exchange.stix import valid_forms as forms
from exchange.stix.valid_containers import CONTAINERS
from exchange.stix.valid_rules import RULES
from exchange.stix.valid_values import (
    MOST_FAULTS,
    VALUES,
    Check,
    Rule,
    anything,
    dictionary_of,
    integer,
    list_of,
    number,
    said,
    shown,
    text_where,
)
from exchange.tables import table

TABLE: Final[dict[str, Any]] = table("stix_objects")


def _types_of(*kinds: str) -> list[str]:
    return [name for name, entry in TABLE["objects"].items() if entry["kind"] in kinds]


# What a reference may not point to, by the word that the table has for it.
_NOT_A: Final[Mapping[str, tuple[str, list[str]]]] = {
    "object": ("an object", []),
    "node": ("an SDO or SCO", _types_of("sro", "smo")),
    "sdo": ("an SDO", _types_of("sco", "sro", "smo")),
    "sco": ("an SCO", _types_of("sdo", "sro", "smo")),
    "observation": ("an SCO or SRO", _types_of("sdo", "smo")),
}

_NAMED: Final[Mapping[str, Check]] = {**VALUES, **CONTAINERS}


def check_for(words: str) -> Check:
    """The check of a type as the table writes it: `list of identifier identity`, `integer 0..100`, `hashes`."""
    for plural, made_of in (("list of ", list_of), ("dictionary of ", dictionary_of)):
        if words.startswith(plural):
            return made_of(check_for(words.removeprefix(plural)))
    name, _, rest = words.partition(" ")
    if words in _NAMED:
        return _NAMED[words]
    return _WITH_WORDS[name](rest) if name in _WITH_WORDS else _nested(words)


def _nested(name: str) -> Check:
    entry = TABLE["types"][name]
    return members(properties_of(entry), entry.get("required", []), rules_of(name, entry))


def properties_of(entry: Mapping[str, Any]) -> dict[str, Check]:
    """The checks of a type's own properties."""
    return {name: check_for(words) for name, words in entry["properties"].items()}


def _identifier(words: str) -> Check:
    if words in _NOT_A:
        what, refused = _NOT_A[words]
        types = f"(?!(?:{'|'.join([*refused, 'bundle'])})--){forms.TYPE_NAME}"
    else:
        what, types = " or ".join(words.split()), "|".join(words.split())
    return text_where(forms.identifier_of(types).fullmatch, f"the identifier of {what}")


def _enum(name: str) -> Check:
    values = TABLE["enums"][name]
    what = f"one of {', '.join(values)}" if len(values) < 8 else f"a value of {name}"
    return text_where(frozenset(values).__contains__, what)


def _integer(words: str) -> Check:
    low, _, high = words.partition("..")
    return integer(*map(int, filter(None, (low, high))))


def _float(words: str) -> Check:
    return number(*map(float, filter(None, words.split(".."))))


_WITH_WORDS: Final[Mapping[str, Callable[[str], Check]]] = {
    "identifier": _identifier,
    "enum": _enum,
    "integer": _integer,
    "float": _float,
}


def members(known: Mapping[str, Check], required: Collection[str], rules: Collection[Rule]) -> Check:
    """The check of a JSON object: its known properties, names of others, what is missing, and at last the rules."""

    def check(value: Any, at: str, faults: list[str]) -> None:
        if not isinstance(value, dict):
            faults.append(f"{at} must be an object, not {said(value)}.")
            return
        before, prefix = len(faults), f"{at}." if at else ""
        for name, item in value.items():
            found = known.get(name)
            if found is not None:
                found(item, prefix + name, faults)
            else:
                _unknown(name, item, prefix, faults)
            if len(faults) >= MOST_FAULTS:
                return
        faults += [f"{prefix}{name} is missing." for name in required if name not in value]
        if len(faults) == before:
            for rule in rules:
                rule(value, at or "the object", faults)

    return check


def _unknown(name: object, value: Any, prefix: str, faults: list[str]) -> None:
    """A custom property may have any name that is one (STIX 2.1, sections 3.1 and 11.1.1); its end tells a type."""
    if not isinstance(name, str) or forms.PROPERTY_NAME.fullmatch(name) is None:
        faults.append(f"{prefix}{_name(name)} cannot be the name of a property: 3 to 250 of a-z, 0-9 and _.")
        return
    _BY_SUFFIX.get(name[-4:], anything)(value, prefix + shown(name, 20), faults)


def _name(key: object) -> str:
    return shown(key, 20) if isinstance(key, str) else "?"


_BY_SUFFIX: Final = {"_bin": VALUES["binary"], "_hex": VALUES["hex"]}


def rules_of(name: str, entry: Mapping[str, Any]) -> list[Rule]:
    """What the table says of properties together, and what it cannot say."""
    return [*_written(entry), *([RULES[name]] if name in RULES else [])]


def _written(entry: Mapping[str, Any]) -> Iterator[Rule]:
    if "any" in entry:
        yield _any(_names(entry))
    if "one" in entry:
        yield _one(entry["one"])
    for name, others in entry.get("needs", {}).items():
        yield _needs(name, others)
    for first, last in entry.get("order", []):
        yield in_order(first, last)
    for first, last in entry.get("before", []):
        yield _before(first, last)
    if "random_id_without" in entry:
        yield _random_without(entry["random_id_without"])


def _names(entry: Mapping[str, Any]) -> list[str]:
    """`*` stands for every property of the type that is not required."""
    optional = [name for name in entry["properties"] if name not in entry.get("required", [])]
    return [one for name in entry["any"] for one in (optional if name == "*" else [name])]


def _any(names: list[str]) -> Rule:
    wanted = f"one of {', '.join(names)}" if len(names) < 8 else "one property of its own"

    def rule(value: Mapping[str, Any], at: str, faults: list[str]) -> None:
        if not any(name in value for name in names):
            faults.append(f"{at} needs at least {wanted}.")

    return rule


def _one(names: list[str]) -> Rule:
    def rule(value: Mapping[str, Any], at: str, faults: list[str]) -> None:
        if sum(name in value for name in names) != 1:
            faults.append(f"{at} needs exactly one of {' and '.join(names)}.")

    return rule


def _needs(name: str, others: list[str]) -> Rule:
    def rule(value: Mapping[str, Any], at: str, faults: list[str]) -> None:
        if name in value and not all(other in value for other in others):
            faults.append(f"{at} has {name}, which needs {' and '.join(others)} beside it.")

    return rule


def in_order(first: str, last: str) -> Rule:
    """The one time is not later than the other, if both are there."""

    def rule(value: Mapping[str, Any], at: str, faults: list[str]) -> None:
        if first in value and last in value and forms.instant(value[first]) > forms.instant(value[last]):
            faults.append(f"{last} of {at} must not be earlier than {first}.")

    return rule


def _before(first: str, last: str) -> Rule:
    def rule(value: Mapping[str, Any], at: str, faults: list[str]) -> None:
        if first in value and last in value and forms.instant(value[first]) >= forms.instant(value[last]):
            faults.append(f"{last} of {at} must be later than {first}.")

    return rule


def _random_without(names: list[str]) -> Rule:
    """An id is computed from these, so without them it must be random (STIX 2.1, section 2.9)."""

    def rule(value: Mapping[str, Any], _at: str, faults: list[str]) -> None:
        if value["id"][-22] != "4" and not any(name in value for name in names):
            faults.append("id must have a UUID of version 4, for there is nothing here to compute it from.")

    return rule
