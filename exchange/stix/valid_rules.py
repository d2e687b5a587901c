"""What the standard asks of some types and no table can say, by their names in `data/stix_objects.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from exchange.stix.valid_pattern import pattern_fault
from exchange.stix.valid_values import Rule, shown
from exchange.tables import table

_Object = Mapping[str, Any]

_CVE = re.compile(r"CVE-[0-9]{4}-(?:0[0-9]{3}|[1-9][0-9]{3,})")
_CAPEC = re.compile(r"CAPEC-[0-9]+")
_TLP: Final = table("stix_objects")["tlp"]


def selectors(thing: _Object, _at: str, faults: list[str]) -> None:
    """Each selector finds something (STIX 2.1, section 7.2.3)."""
    for index, marking in enumerate(thing.get("granular_markings", ())):
        for selector in marking["selectors"]:
            if not _finds(thing, selector):
                faults.append(f'granular_markings[{index}] selects "{shown(selector)}", which is not there.')
                return


def _finds(value: Any, selector: str) -> bool:
    for step in selector.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.startswith("[") and int(step[1:-1]) < len(value):
            value = value[int(step[1:-1])]
        else:
            return False
    return True


def _indicator(thing: _Object, _at: str, faults: list[str]) -> None:
    """A STIX pattern is read; what the pattern languages of others mean, we cannot tell (section 4.7)."""
    if thing["pattern_type"] == "stix":
        why = pattern_fault(thing["pattern"])
    else:
        why = None if thing["pattern"].strip() else "must not be empty"
    if why:
        faults.append(f"pattern {why}.")


def _malware(thing: _Object, _at: str, faults: list[str]) -> None:
    if thing["is_family"] and "name" not in thing:
        faults.append("name is missing: a family of malware has one.")


def _observed_data(thing: _Object, _at: str, faults: list[str]) -> None:
    refs = thing.get("object_refs")
    if refs and all(ref.startswith(("relationship--", "sighting--")) for ref in refs):
        faults.append("object_refs must have at least one SCO.")


def _email_message(thing: _Object, _at: str, faults: list[str]) -> None:
    wrong = "body" if thing["is_multipart"] else "body_multipart"
    if wrong in thing:
        faults.append(f"{wrong} must not be there when is_multipart is {str(thing['is_multipart']).lower()}.")


def _network_traffic(thing: _Object, _at: str, faults: list[str]) -> None:
    if thing.get("is_active") and "end" in thing:
        faults.append("end must not be there while is_active is true.")


def _marking_definition(thing: _Object, at: str, faults: list[str]) -> None:
    """The four markings of TLP 1 are as the standard has them, and there is no fifth (section 7.2.1)."""
    if thing.get("definition_type") == "tlp" and thing not in _TLP:
        faults.append(
            "definition must be one of the four of TLP 1, in an object that is word by word as in the standard."
        )
    elif "extensions" not in thing and not ("definition" in thing and "definition_type" in thing):
        faults.append("extensions are missing, or else definition_type and definition.")
    elif thing.get("definition_type") == "statement" and not isinstance(_statement(thing), str):
        faults.append("definition.statement must be a string.")
    _not_of_itself(thing, at, faults)


def _statement(thing: _Object) -> Any:
    return thing.get("definition", {}).get("statement")


def _not_of_itself(thing: _Object, _at: str, faults: list[str]) -> None:
    refs = [*thing.get("object_marking_refs", ())]
    refs += [marking.get("marking_ref") for marking in thing.get("granular_markings", ())]
    if thing["id"] in refs:
        faults.append("object_marking_refs and granular_markings must not mark the marking-definition itself.")


def _extension_definition(thing: _Object, _at: str, faults: list[str]) -> None:
    if "extension_properties" in thing and "toplevel-property-extension" not in thing["extension_types"]:
        faults.append("extension_properties must not be there without toplevel-property-extension.")


def _external_reference(value: _Object, at: str, faults: list[str]) -> None:
    """CVE and CAPEC are written in one way only (sections 4.1 and 4.19)."""
    for name, form in (("cve", _CVE), ("capec", _CAPEC)):
        if (value["source_name"] == name) != bool(form.fullmatch(value.get("external_id", ""))):
            faults.append(f"{at}.external_id must be an id of {name} when source_name is {name}, and only then.")


RULES: Final[Mapping[str, Rule]] = {
    "email-message": _email_message,
    "extension-definition": _extension_definition,
    "external-reference": _external_reference,
    "indicator": _indicator,
    "malware": _malware,
    "marking-definition": _marking_definition,
    "network-traffic": _network_traffic,
    "observed-data": _observed_data,
}
