"""The words and vocabulary values of our objects, as data: `data/stix_names.json`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

import orjson

Words = Mapping[str, str]
"""One text in every language we speak: `ja` and `en`."""

_NAMES: Final[dict[str, Any]] = orjson.loads(files("exchange").joinpath("data/stix_names.json").read_bytes())

PORTAL: Final[Words] = _NAMES["portal"]["name"]
INDICATOR_DESCRIPTION: Final[Words] = _NAMES["indicator_description"]


def victim(sector: Words | None) -> Words:
    """What we call the one who was hit: the operators of a sector, or just an operator."""
    if sector is None:
        return dict(_NAMES["identity"]["name"])
    templates = _NAMES["identity"]["with_sector"]
    return {lang: text.format(sector=sector[lang]) for lang, text in templates.items()}


def indicator(finding_type: str, value: str) -> Words:
    """For example `Suspicious URL …`. Suspicious, because the reporter's word is all we have."""
    templates = _NAMES["indicators"][finding_type]
    return {lang: text.format(value=value) for lang, text in templates.items()}


def attack_reference(technique: str, domain: str) -> dict[str, str]:
    """Where MITRE describes a technique."""
    path = technique.replace(".", "/")
    source = "mitre-ics-attack" if domain == "ics" else "mitre-attack"
    return {"source_name": source, "external_id": technique, "url": f"https://attack.mitre.org/techniques/{path}"}


def malware(kind: str) -> Words:
    """For example `Ransomware`."""
    return dict(_NAMES["malware"][kind]["name"])


def malware_types(kind: str) -> dict[str, list[str]]:
    """Values of malware-type-ov, or nothing."""
    types = _NAMES["malware"][kind]["types"]
    return {"malware_types": list(types)} if types else {}


def infrastructure_roles() -> list[str]:
    """The roles of indicators that make an infrastructure."""
    return list(_NAMES["infrastructure"])


def infrastructure(role: str) -> Words:
    """For example `Command and control`."""
    return dict(_NAMES["infrastructure"][role]["name"])


def infrastructure_types(role: str) -> list[str]:
    """Values of infrastructure-type-ov."""
    return list(_NAMES["infrastructure"][role]["types"])


def incident(kind: str) -> Words:
    """The kind is all that the name says."""
    return dict(_NAMES["incidents"][kind]["name"])


def incident_types(kind: str) -> list[str]:
    """Values of event-type-ov (OASIS Incident extension suite)."""
    return list(_NAMES["incidents"][kind]["incident_types"])


def incident_labels(kind: str) -> list[str]:
    """Tags of the Reference Security Incident Taxonomy, version 1003."""
    return list(_NAMES["incidents"][kind]["labels"])
