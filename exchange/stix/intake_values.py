"""The values in a bundle that others could watch for, as rows of the dictionary's table `iocs`, and how to hunt."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from exchange.listed import is_of_type
from exchange.sharing import TLP
from exchange.stix import ids
from exchange.tables import table

Thing = Mapping[str, Any]
Row = dict[str, Any]

_TABLE: Final = table("stix_intake")
_PATHS: Final[Mapping[str, str]] = _TABLE["paths"]
_LONGEST_NOTE: Final = 1000
_RECOGNISED: Final = {"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr"} | {
    f"file:{algorithm}" for algorithm in ("md5", "sha1", "sha256", "sha512")
}
# Which end of a relationship is an infrastructure, and which is what it consists of or what points to it.
_PLACES: Final = {"consists-of": ("source_ref", "target_ref"), "indicates": ("target_ref", "source_ref")}

_CONTENTS: Final = {"observed-data": "object_refs", "malware": "sample_refs"}

# Strings and comments are taken first, so that nothing inside of one is read as a comparison.
_TEXT = r"'(?:[^'\\]|\\.)*+'"
_COMPARISON = re.compile(
    r"/\*(?s:.*?)\*/|//[^\r\n]*+"
    rf"|(?<![a-z0-9-])(?P<path>[a-z][a-z0-9-]*+:[a-z0-9_]++(?:\.(?:[A-Za-z0-9_]++|{_TEXT}))*+)\s*+"
    rf"(?:==?\s*+(?P<one>{_TEXT})|IN\s*+\((?P<many>(?:\s*+{_TEXT}\s*+,?)*+)\))"
    rf"|{_TEXT}"
)
# STIX 2.1, appendix A (None / Low / Med / High).
_LOW, _HIGH = 30, 70


@dataclass(frozen=True)
class Links:
    """Who refers to whom in a bundle, for what interests us.

    Attributes:
        observed: by the id of an SCO, when it was seen first.
        roles: by the id of an SCO or an indicator, what the infrastructure that it belongs to is for.
        levels: by the id of an object, the strictest marking of it and of what tells us of it; absent without one.
    """

    observed: Mapping[str, str]
    roles: Mapping[str, str]
    levels: Mapping[str, TLP]


def links(objects: Mapping[str, Thing]) -> Links:
    """Read what refers to what."""
    observed: dict[str, str] = {}
    for thing in _of_type(objects, "observed-data"):
        for ref in thing.get("object_refs", ()):
            observed[ref] = min(thing["first_observed"], observed.get(ref, thing["first_observed"]))
    roles: dict[str, str] = {}
    for link in _of_type(objects, "relationship"):
        place, value = _PLACES.get(link["relationship_type"], ("", ""))
        if role := _role(objects.get(link.get(place, ""), {})):
            roles[link[value]] = role
    return Links(observed, roles, _levels(objects))


def _levels(objects: Mapping[str, Thing]) -> dict[str, TLP]:
    own = {stix_id: tlp(thing, objects) for stix_id, thing in objects.items()}
    found = {stix_id: [level] for stix_id, level in own.items()}
    for thing, ref in _tellers(objects):
        found.setdefault(ref, []).append(own.get(thing))
    levels = {stix_id: strictest(several) for stix_id, several in found.items()}
    return {stix_id: level for stix_id, level in levels.items() if level}


def _tellers(objects: Mapping[str, Thing]) -> Iterator[tuple[str, str]]:
    """The id of what tells of an object, and the id of that."""
    for thing in objects.values():
        place, value = _PLACES.get(thing.get("relationship_type", ""), ("", ""))
        if place:
            yield from ((thing["id"], thing[value]), (thing[place], thing[value]))
        yield from ((thing["id"], ref) for ref in thing.get(_CONTENTS.get(thing["type"], ""), ()))


def _of_type(objects: Mapping[str, Thing], name: str) -> Iterator[Thing]:
    return (thing for thing in objects.values() if thing["type"] == name)


def _role(thing: Thing) -> str | None:
    return next((_TABLE["role"][one] for one in thing.get("infrastructure_types", ()) if one in _TABLE["role"]), None)


def iocs(objects: Mapping[str, Thing], known: Links) -> list[Row]:
    """A row for each value that an indicator watches for, or that was observed. What is only observed is not sure."""
    rows = dict[tuple[str, str], Row]()
    for thing in _of_type(objects, "indicator"):
        if "benign" not in thing.get("indicator_types", ()):
            for kind, value in _watched(thing):
                _merge(rows, _indicator_row(kind, value, thing, known))
    for stix_id in {**known.observed, **known.roles}:
        for kind, value in _values_of(objects.get(stix_id, {})):
            _merge(rows, _observed_row(kind, value, objects[stix_id], known))
    return list(rows.values())


def _merge(rows: dict[tuple[str, str], Row], row: Row) -> None:
    """Of two about one value the first is kept, and what only the other tells; of two markings the stricter."""
    before = rows.get((row["type"], row["value"]), {})
    level = strictest(TLP(one["tlp"]) for one in (before, row) if "tlp" in one)
    rows[row["type"], row["value"]] = {**row, **before} | ({"tlp": level.value} if level else {})


def _indicator_row(kind: str, value: str, thing: Thing, known: Links) -> Row:
    role, note = known.roles.get(thing["id"]), cut(str(thing.get("name", "")), _LONGEST_NOTE)
    level = known.levels.get(thing["id"])
    return _row(kind, value, confidence=_word_for(thing.get("confidence")), role=role, note_ja=note, tlp=level)


def _word_for(confidence: int | None) -> str:
    if confidence is None:
        return "medium"
    return "high" if confidence >= _HIGH else "medium" if confidence >= _LOW else "low"


def _observed_row(kind: str, value: str, thing: Thing, known: Links) -> Row:
    role, seen, level = (one.get(thing["id"]) for one in (known.roles, known.observed, known.levels))
    return _row(kind, value, confidence="medium" if role else "low", role=role, first_seen=seen, tlp=level)


def _row(kind: str, value: str, **more: str | None) -> Row:
    kind = _kind_of_host(value) if kind == "host" else kind
    kind = kind if is_of_type(kind, value) else "other"
    return {"type": kind, "value": value} | {name: text for name, text in more.items() if text}


def _kind_of_host(value: str) -> str:
    try:
        return f"ipv{ipaddress.ip_network(value, strict=False).version}-addr"
    except ValueError:
        return "domain-name"


def tlp(thing: Thing, objects: Mapping[str, Thing]) -> TLP | None:
    """The strictest level of its markings and those of its parts; None without one.

    A marking that tells no level of TLP may forbid anything: AMBER+STRICT.
    """
    parts = [one["marking_ref"] for one in thing.get("granular_markings", ()) if "marking_ref" in one]
    return strictest(_level_of(ref, objects) for ref in [*thing.get("object_marking_refs", ()), *parts])


def _level_of(marking: str, objects: Mapping[str, Thing]) -> TLP:
    """A marking of another id with the TLP 2.0 extension counts as that level (TLP 2.0 in STIX)."""
    extension = objects.get(marking, {}).get("extensions", {}).get(ids.TLP_EXTENSION)
    told = extension.get("tlp_2_0") if isinstance(extension, Mapping) else None
    level = ids.TLP_OF_MARKING.get(marking, told)
    return TLP(level) if level in set(TLP) else TLP.AMBER_STRICT


def strictest(levels: Iterable[TLP | None]) -> TLP | None:
    """None if there is none."""
    return max((level for level in levels if level), key=lambda level: level.rank, default=None)


def is_strict(level: TLP | None) -> bool:
    """Whether it is for fewer than the community."""
    return level is not None and level.rank > TLP.GREEN.rank


def _values_of(thing: Thing) -> Iterator[tuple[str, str]]:
    """What an SCO is itself, by the same paths as in a pattern."""
    for path, kind in _PATHS.items():
        name, _, inside = path.partition(":")
        value: Any = thing if thing.get("type") == name else None
        for step in inside.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        if isinstance(value, str) and value:
            yield kind, value


def _watched(thing: Thing) -> list[tuple[str, str]]:
    """The values that a STIX pattern compares something with, for equality."""
    if thing["pattern_type"] != "stix":
        return []
    found = []
    for match in _COMPARISON.finditer(thing["pattern"]):
        kind = _PATHS.get((match["path"] or "").replace("'", ""))
        if kind:
            found += [(kind, _plain(one)) for one in re.findall(_TEXT, match["one"] or match["many"])]
    return [(kind, value) for kind, value in found if value]


def _plain(literal: str) -> str:
    """What a string of a pattern says (STIX 2.1, section 9.2)."""
    return re.sub(r"\\(.)", r"\1", literal[1:-1], flags=re.DOTALL)


def hunting(objects: Mapping[str, Thing]) -> list[Row]:
    """Patterns that no value stands for: those of other languages, and those that compare something else."""
    kinds = _TABLE["hunting"]
    return [
        {"kind": kinds.get(thing["pattern_type"], "text"), "body": thing["pattern"]}
        for thing in _of_type(objects, "indicator")
        if not _watched(thing)
    ]


def pasted(values: Iterable[str], most_bytes: int) -> str:
    """The values as lines of text, as many as fit."""
    lines, size = [], 0
    for value in values:
        size += len(value.encode()) + 1
        if size > most_bytes:
            break
        lines.append(value)
    return "\n".join(lines)


def is_sure(row: Row) -> bool:
    """Whether it is of a kind that is exchanged, and not only observed."""
    return row["type"] in _RECOGNISED and row["confidence"] != "low"


def cut(text: str, most: int) -> str:
    """Not longer than that, and it shows."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
