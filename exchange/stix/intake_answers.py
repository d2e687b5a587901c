"""What the objects of a bundle tell, question by question. The vocabularies are data: `data/stix_intake.json`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from exchange.sharing import TLP
from exchange.stix import valid_forms as forms
from exchange.stix.intake_values import (
    Links,
    Row,
    Thing,
    cut,
    hunting,
    iocs,
    is_strict,
    is_sure,
    links,
    pasted,
    strictest,
)
from exchange.tables import table

_TABLE: Final = table("stix_intake")
_LONGEST_SUMMARY, _LONGEST_NAME, _LONGEST_LINE, _LONGEST_TEXT = 400, 200, 1000, 4000
_PASTE_BYTES: Final = 64 * 1024
_TECHNIQUE = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?")
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}")
_DOMAINS: Final = {"mitre-attack": "enterprise", "mitre-ics-attack": "ics"}


@dataclass(frozen=True)
class Told:
    """The objects of one bundle, its incident, and the extension of that."""

    objects: Mapping[str, Thing]
    incident: Thing
    core: Thing

    def quick(self) -> dict[str, Any]:
        """Answers of the quick report, as far as a bundle can tell them."""
        aware_at, fidelity = self._aware()
        return {
            "incident_kind": self._kind(),
            "aware_at": aware_at,
            "aware_fidelity": fidelity,
            "service_impact": self._service_impact(),
            "system_class": self._systems() or ["unknown"],
            "personal_data": self._personal_data(),
            "current_status": self._status(),
            "summary": cut(self.incident.get("description") or self.incident["name"], _LONGEST_SUMMARY),
            "ioc_paste": pasted(self._for_all(), _PASTE_BYTES),
        }

    def later(self) -> dict[str, Any]:
        """Answers of the other stages; what it does not tell is empty."""
        return {
            **self._timeline(),
            "detection_method": _first(self.core.get("detection_methods", ()), _TABLE["detection_method"]),
            "severity_self": self._severity(),
            "physical_impact": self._physical_impact(),
            "attack_vector": cut("; ".join(self._unnumbered()), _LONGEST_TEXT),
            "iocs": self._iocs,
            "ttps": list(self._techniques()),
            "vulnerabilities": list(self._vulnerabilities()),
            "malware": list(self._malware()),
            "hunting": hunting(self.objects),
            "actions": list(self._actions()),
            "prevention_ja": [cut(_told(one), _LONGEST_LINE) for one in self._all("course-of-action")],
            "tlp_tech": self._level(),
        }

    def is_incident(self) -> bool:
        """Whether its maker takes it for one."""
        return self.core.get("determination") not in _TABLE["no_incident"]

    @cached_property
    def _links(self) -> Links:
        return links(self.objects)

    @cached_property
    def _iocs(self) -> list[Row]:
        return iocs(self.objects, self._links)

    @property
    def _samples(self) -> list[str]:
        return [ref for one in self._all("malware") for ref in one.get("sample_refs", ())]

    def _all(self, name: str) -> list[Thing]:
        return [one for one in self.objects.values() if one["type"] == name]

    def _impacts(self, category: str) -> list[Thing]:
        """The extensions of impacts of one category that no later one has taken the place of."""
        held = [one for one in self._all("impact") if one["impact_category"] == category]
        lasting = [one for one in held if "superseded_by_ref" not in one]
        return [one["extensions"][category] for one in lasting if category in one.get("extensions", {})]

    def _tasks(self, *types: str) -> list[Thing]:
        return [one for one in self._all("task") if set(types) & set(one.get("task_types", ()))]

    # --- the quick report

    def _kind(self) -> str:
        """What it was by its types; those that tell nothing of the kind are left out."""
        kinds = _TABLE["incident_kind"]
        telling = set(self.core.get("incident_types", ())) - set(kinds["unknown"])
        if telling & set(kinds["ransomware"]):
            return "ransomware"
        if not telling:
            return "unknown"
        return "ddos" if telling <= set(kinds["ddos"]) else "other"

    def _aware(self) -> tuple[str, str]:
        """When it was detected or declared an incident; else when somebody first wrote that it is one."""
        told = [one for one in self._tasks("detected", "declared") if _fidelity(one)]
        first = min(told, key=lambda one: forms.instant(one["start_time"]), default=None)
        return (first["start_time"], _fidelity(first) or "") if first else (self.incident["created"], "minute")

    def _service_impact(self) -> str:
        worst = max((one["availability_impact"] for one in self._impacts("availability")), default=None)
        if worst is None:
            return "unknown"
        return [str(word) for word, least in _TABLE["service_impact"] if worst >= least][-1]

    def _systems(self) -> list[str]:
        counts = [self.core.get("impacted_entity_counts", {})]
        counts += [one.get("impacted_entity_counts", {}) for one in self._all("impact")]
        named = [name for one in counts for name, number in one.items() if number]
        named += [one["asset_type"] for one in self._impacts("physical") if "asset_type" in one]
        return list(dict.fromkeys(_TABLE["system_class"][one] for one in named if one in _TABLE["system_class"]))

    def _personal_data(self) -> str:
        words = _TABLE["personal_data"]
        lost = {
            words["losses"].get(one["loss_type"], "possible")
            for one in self._impacts("confidentiality")
            if one.get("information_type") in {*words["information"], None}
        }
        return next((word for word in ("yes", "possible", "no") if word in lost), "unknown")

    def _status(self) -> str:
        done = [one for one in self._all("task") if one.get("outcome") == "successful"]
        phases = {phase for one in done for phase in one.get("task_types", ())}
        if self.core.get("investigation_status") == "closed" or "recovery" in phases:
            return "recovered"
        if "containment" in phases:
            return "contained"
        return "ongoing" if any(one.get("status") == "ongoing" for one in self._all("event")) else "unknown"

    def _for_all(self) -> list[str]:
        """The sure values, and the numbers of vulnerabilities and techniques, that nothing marks for fewer."""
        if is_strict(self._links.levels.get(self.incident["id"])):
            return []
        values = [row["value"] for row in self._iocs if is_sure(row)]
        values += [*(one["cve"] for one in self._vulnerabilities()), *(one["id"] for one in self._techniques())]
        kept_back = {value.casefold() for value in self._kept_back()}
        return [value for value in values if value.casefold() not in kept_back]

    def _kept_back(self) -> Iterator[str]:
        """What is marked for fewer, by any of the objects that name it."""
        yield from (row["value"] for row in self._iocs if is_strict(TLP(row.get("tlp", TLP.CLEAR))))
        for stix_id, level in self._links.levels.items():
            if is_strict(level) and stix_id in self.objects:
                yield from _named(self.objects[stix_id])

    # --- the other stages

    def _level(self) -> str | None:
        """As strict as the strictest of what was read."""
        read = [one["id"] for one in self.objects.values() if one["type"] in _TABLE["read"]]
        read += [*self._links.observed, *self._links.roles, *self._samples]
        found = strictest(self._links.levels.get(stix_id) for stix_id in read)
        return found.value if found else None

    def _timeline(self) -> dict[str, str | None]:
        occurred = [one for one in self._all("event") if _fidelity(one)]
        first = min(occurred, key=lambda one: forms.instant(one["start_time"]), default={})
        return {
            "occurred_at": first.get("start_time"),
            "occurred_fidelity": _fidelity(first),
            "detected_at": _earliest(one.get("start_time") for one in self._tasks("detected")),
            "contained_at": _earliest(one.get("end_time") for one in self._tasks("containment")),
            "recovered_at": _earliest(one.get("end_time") for one in self._tasks("recovery")),
        }

    def _physical_impact(self) -> str | None:
        return _first((one["impact_type"] for one in self._impacts("physical")), _TABLE["physical_impact"])

    def _severity(self) -> int | None:
        level = self.core.get("criticality")
        steps = _TABLE["severity"]
        return None if level is None else min(range(len(steps)), key=lambda step: abs(steps[step] - level))

    def _techniques(self) -> Iterator[Row]:
        seen = set()
        for thing in self._all("attack-pattern"):
            for number, domain in _numbers(thing):
                if number not in seen:
                    seen.add(number)
                    yield {"id": number, "name": cut(thing["name"], _LONGEST_NAME), "domain": domain}

    def _unnumbered(self) -> list[str]:
        """The names of methods that have no number."""
        numbered = {one["name"] for one in self._techniques()}
        return [one["name"] for one in self._all("attack-pattern") if cut(one["name"], _LONGEST_NAME) not in numbered]

    def _vulnerabilities(self) -> Iterator[Row]:
        links = [one for one in self._all("relationship") if one["relationship_type"] in {"exploits", "targets"}]
        exploited, seen = {one["target_ref"] for one in links}, set()
        for thing in self._all("vulnerability"):
            number = _cve(thing)
            if number and number not in seen:
                seen.add(number)
                yield {"cve": number} | ({"relation": "exploited"} if thing["id"] in exploited else {})

    def _malware(self) -> Iterator[Row]:
        for thing in self._all("malware"):
            kind = _first(thing.get("malware_types", ()), _TABLE["malware_kind"]) or "other"
            samples = (self.objects.get(ref, {}) for ref in thing.get("sample_refs", ()))
            hashes = [value for one in samples for value in one.get("hashes", {}).values()]
            named = {"name": cut(thing["name"], _LONGEST_NAME)} if "name" in thing else {}
            yield {**named, "kind": kind} | ({"hashes": list(dict.fromkeys(hashes))} if hashes else {})

    def _actions(self) -> Iterator[Row]:
        for thing in self._all("task"):
            told, status = cut(_told(thing), _LONGEST_LINE), _TABLE["task_status"].get(thing.get("outcome"))
            if told:
                row = {"at": thing.get("start_time"), "action_ja": told, "status": status}
                yield {name: value for name, value in row.items() if value}


def _named(thing: Thing) -> list[str]:
    """The number of a vulnerability, those of a technique, the hashes of a sample."""
    if thing["type"] == "vulnerability":
        return [number for number in [_cve(thing)] if number]
    if thing["type"] == "attack-pattern":
        return [number for number, _ in _numbers(thing)]
    return list(thing.get("hashes", {}).values())


def _cve(thing: Thing) -> str | None:
    names = [thing["name"], *(one.get("external_id", "") for one in thing.get("external_references", ()))]
    return next((name for name in names if _CVE.fullmatch(name)), None)


def _numbers(thing: Thing) -> Iterator[tuple[str, str]]:
    """The numbers of a technique, each with its domain."""
    for reference in thing.get("external_references", ()):
        domain, number = _DOMAINS.get(reference["source_name"]), reference.get("external_id", "")
        if domain and _TECHNIQUE.fullmatch(number):
            yield number, domain


def _told(thing: Thing) -> str:
    """The name and the description of an object."""
    return ": ".join(filter(None, (thing.get("name"), thing.get("description"))))


def _first(words: Iterable[str], known: Mapping[str, str]) -> str | None:
    return next((known[word] for word in words if word in known), None)


def _fidelity(thing: Thing) -> str | None:
    """How exactly a beginning is known, in the dictionary's words; None if it is not, or to the month at best."""
    if "start_time" not in thing:
        return None
    found: str | None = _TABLE["fidelity"].get(thing.get("start_time_fidelity", "minute"))
    return found


def _earliest(times: Iterable[str | None]) -> str | None:
    return min((time for time in times if time), key=forms.instant, default=None)
