"""A report that comes as a STIX bundle: what it says, in the words of the dictionary.

Pure. The incident must carry the Incident Core extension; of the rest whatever the dictionary has a place for is taken.
Source: OASIS, Incident extension suite for STIX 2.1 (incident core, impact, event, task), revisions 1 and 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exchange.errors import Invalid, Problem
from exchange.stix import ids, valid
from exchange.stix import valid_forms as forms
from exchange.stix.intake_answers import Told
from exchange.stix.intake_values import Thing
from exchange.stix.valid_types import check_for, members
from exchange.stix.valid_values import Check, shown
from exchange.tables import table

_TABLE: Final = table("stix_intake")
_MOST_PROBLEMS: Final = 20
_NEVER: Final = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Intake:
    """What a bundle says.

    Attributes:
        quick: answers of the quick report; `callback` and `share_scope` are not among them.
        later: answers of the other stages.
        is_incident: whether its maker takes it for one.
    """

    quick: dict[str, Any]
    later: dict[str, Any]
    is_incident: bool


def read(bundle: object) -> Intake:
    """What a bundle says. Raises: Invalid, naming each object that is wrong and why."""
    objects = _latest(_checked(bundle))
    incident = _incident(objects)
    told = Told(objects, incident, incident["extensions"][ids.INCIDENT_CORE])
    return Intake(_without_empty(told.quick()), _without_empty(told.later()), told.is_incident())


def completed(
    quick: Mapping[str, Any], *, phone: str | None, standing_scope: str | None, act_special_operator: bool
) -> dict[str, Any]:
    """The answers of a bundle, and what only the organization's own entry tells; None stays unanswered."""
    own = {"callback": phone, "share_scope": standing_scope}
    own |= {"designated_asset": "unknown" if act_special_operator else None}
    return {**_without_empty(own), **quick}


def _without_empty(answers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answers.items() if value not in (None, "", [], {})}


# --- is it one? ----------------------------------------------------------------------------------------


def _checked(bundle: object) -> list[Thing]:
    if not isinstance(bundle, dict) or bundle.get("type") != "bundle":
        raise Invalid([Problem("type", "stix-no-bundle")])
    objects = bundle.get("objects")
    if not isinstance(objects, list) or not objects:
        raise Invalid([Problem("objects", "stix-no-bundle")])
    problems = []
    for number, thing in enumerate(objects):
        if faults := _faults(thing):
            named = str(thing.get("id", "?")) if isinstance(thing, dict) else "?"
            problems.append(Problem(f"objects.{number}", "stix-object", {"id": shown(named, 60), "fault": faults[0]}))
        if len(problems) == _MOST_PROBLEMS:
            break
    if problems:
        raise Invalid(problems)
    return objects


def _faults(thing: Any) -> list[str]:
    """What our validator says, and what of the extension suite is not of the type that it has there."""
    if not isinstance(thing, dict):
        return valid.faults(thing)
    if valid.is_stix_20(thing):
        return ["spec_version must be 2.1."]
    category = thing.get("impact_category") if thing.get("type") == "impact" else None
    found = valid.faults(_without_extension(thing, category))
    for name, part in () if found else _parts(thing, category):
        _CHECKS[name](part, "" if name == thing["type"] else name, found)
    return found


def _without_extension(thing: Thing, category: object) -> Thing:
    """An impact has an extension that is named after its category (Incident extension suite, section 2.3.2)."""
    extensions = thing.get("extensions")
    if not isinstance(category, str) or not isinstance(extensions, dict):
        return thing
    return {**thing, "extensions": {name: one for name, one in extensions.items() if name != category}}


def _parts(thing: Thing, category: object) -> Iterator[tuple[str, Any]]:
    extensions = thing.get("extensions", {})
    if thing["type"] == "incident" and ids.INCIDENT_CORE in extensions:
        yield "core", extensions[ids.INCIDENT_CORE]
    if thing["type"] in _CHECKS:
        # What all objects have in common was looked at before.
        yield thing["type"], {name: value for name, value in thing.items() if name in _TABLE["types"][thing["type"]]}
    if isinstance(category, str) and category in _CHECKS and category in extensions:
        yield category, extensions[category]


def _checks() -> Mapping[str, Check]:
    required = _TABLE["required"]
    known = {name: {key: check_for(words) for key, words in one.items()} for name, one in _TABLE["types"].items()}
    return {name: members(checks, required.get(name, []), []) for name, checks in known.items()}


_CHECKS: Final = _checks()


def _latest(objects: Sequence[Thing]) -> dict[str, Thing]:
    """The newest version of each object, without those that were revoked."""
    newest: dict[str, Thing] = {}
    for thing in objects:
        known = newest.setdefault(thing["id"], thing)
        newest[thing["id"]] = max(known, thing, key=lambda one: forms.instant(valid.version_of(one) or _NEVER))
    return {stix_id: thing for stix_id, thing in newest.items() if not thing.get("revoked")}


def _incident(objects: Mapping[str, Thing]) -> Thing:
    found = [one for one in objects.values() if one["type"] == "incident"]
    found = [one for one in found if ids.INCIDENT_CORE in one.get("extensions", {})]
    if len(found) != 1:
        raise Invalid([Problem("objects", "stix-incidents", {"extension": ids.INCIDENT_CORE, "found": len(found)})])
    return found[0]
