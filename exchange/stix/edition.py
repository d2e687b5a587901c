"""The content of an edition as STIX 2.1 objects, before they are stamped and rendered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from exchange.stix import ids, names, observables
from exchange.stix.content import Content, Finding
from exchange.stix.draft import Draft, IdOf, common, in_language, twin
from exchange.stix.names import Words

__all__ = ["Draft", "IdOf", "drafts"]

_HOSTS: Final = frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url"})
_INCIDENT: Final = ("incident", "incident")
_IDENTITY: Final = ("identity", "identity")


def drafts(content: Content, id_of: IdOf) -> list[Draft]:
    """Every object of the edition, one draft for each key; none refers to one that comes after it.

    Args:
        id_of: gives the kept id of an SDO, SRO or language-content; an SCO's is computed.
    """
    edition = _Edition(content, id_of)
    made = [*edition.identity(), *edition.incident()]
    made.append(edition.related(*_IDENTITY))
    for finding in _distinct(content.findings):
        made += edition.finding(finding)
    for cve in dict.fromkeys(content.vulnerabilities):
        made += edition.vulnerability(cve)
    for technique in dict.fromkeys(content.techniques):
        made += edition.technique(*technique)
    for kind in dict.fromkeys(content.malware):
        made += edition.malware(kind)
    for role in names.infrastructure_roles():
        made += edition.infrastructure(role)
    return made


def _distinct(findings: tuple[Finding, ...]) -> list[Finding]:
    """One for each value. Of two that disagree, the one that indicates stays, then the surer one."""
    kept: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        other = kept.setdefault((finding.type, finding.value), finding)
        kept[finding.type, finding.value] = max(other, finding, key=lambda f: (f.indicates, f.confidence))
    return list(kept.values())


@dataclass(frozen=True)
class _Edition:
    """A maker of drafts, that knows what all objects of one edition share."""

    content: Content
    id_of: IdOf

    def identity(self) -> Iterator[Draft]:
        """Whoever was hit, as one of a class: never a name (STIX 2.1, section 4.5)."""
        sectors = list(self.content.sectors)
        name = names.victim(self.content.sector_names if sectors else None)
        body = {"identity_class": "class", **({"sectors": sectors} if sectors else {})}
        return self._worded(*_IDENTITY, {"name": name}, body)

    def incident(self) -> Iterator[Draft]:
        """The kind and nothing else, until a person approves a description (STIX 2.1, section 4.6)."""
        kind = self.content.incident_kind
        texts = {"name": names.incident(kind), "description": self.content.description}
        extensions = {ids.INCIDENT_CORE: _incident_core(kind)}
        body = {"labels": names.incident_labels(kind), "extensions": extensions}
        return self._worded(*_INCIDENT, texts, body)

    def finding(self, finding: Finding) -> Iterator[Draft]:
        """The observable, its observation, and what we say about it."""
        row = f"{finding.type}:{finding.value}"
        observed = (f"observed-data:{row}", "observed-data")
        yield from self._observed(*observed, finding)
        if not finding.indicates:
            yield self.related(*observed)
            return
        indicator = (f"indicator:{row}", "indicator")
        yield from self._indicator(*indicator, finding)
        yield self._link("based-on", indicator, observed)
        yield self.related(*indicator)

    def vulnerability(self, cve: str) -> Iterator[Draft]:
        """A CVE id is the same in every language, so there is no `lang` and no twin (section 4.19)."""
        row = (f"vulnerability:{cve}", "vulnerability")
        reference = {"source_name": "cve", "external_id": cve}
        yield self._plain(*row, {"name": cve, "external_references": [reference]})
        yield self.related(*row)

    def technique(self, technique: str, domain: str) -> Iterator[Draft]:
        """The id says it all; MITRE's names change from version to version (STIX 2.1, section 4.1)."""
        row = (f"attack-pattern:{technique}", "attack-pattern")
        yield self._plain(*row, {"name": technique, "external_references": [names.attack_reference(technique, domain)]})
        yield self.related(*row)

    def malware(self, kind: str) -> Iterator[Draft]:
        """What kind of malware was seen, without the name that somebody typed (STIX 2.1, section 4.12)."""
        row = (f"malware:{kind}", "malware")
        yield from self._worded(*row, {"name": names.malware(kind)}, {"is_family": False, **names.malware_types(kind)})
        yield self.related(*row)

    def infrastructure(self, role: str) -> Iterator[Draft]:
        """What served one purpose of the attacker, and what it consists of (STIX 2.1, section 4.8)."""
        parts = [one for one in _distinct(self.content.findings) if one.role == role and one.type in _HOSTS]
        if not parts:
            return
        row = (f"infrastructure:{role}", "infrastructure")
        types = names.infrastructure_types(role)
        yield from self._worded(*row, {"name": names.infrastructure(role)}, {"infrastructure_types": types})
        for one in parts:
            ends = {"source_ref": self.id_of(*row), "target_ref": ids.sco_id(*observables.sco(one))}
            body = {"relationship_type": "consists-of", **ends}
            yield self._plain(f"consists-of:{role}:{one.type}:{one.value}", "relationship", body)
        yield self.related(*row)

    def related(self, key: str, stix_type: str) -> Draft:
        """The incident and one of the others: STIX has no narrower word for any of these pairs."""
        return self._link("related-to", _INCIDENT, (key, stix_type))

    def _observed(self, key: str, stix_type: str, finding: Finding) -> Iterator[Draft]:
        """The SCO bare, since everybody shares its id; the marking is on the observation (section 4.14)."""
        sco_type, value = observables.sco(finding)
        yield Draft(f"observable:{finding.type}:{finding.value}", sco_type, {"spec_version": "2.1", **value})
        day = f"{self.content.observed_on:%Y-%m-%d}T00:00:00.000Z"
        body = {"first_observed": day, "last_observed": day, "number_observed": 1}
        yield self._plain(key, stix_type, {**body, "object_refs": [ids.sco_id(sco_type, value)]})

    def _indicator(self, key: str, stix_type: str, finding: Finding) -> Iterator[Draft]:
        """What a reporter found suspicious. That it is malicious, nobody has shown yet (section 4.7)."""
        body = {
            "indicator_types": ["anomalous-activity"],
            "confidence": finding.confidence,
            "pattern": observables.pattern(finding),
            "pattern_type": "stix",
            "pattern_version": "2.1",
        }
        name = names.indicator(finding.type, finding.value)
        texts = {"name": name, "description": names.INDICATOR_DESCRIPTION}
        return self._worded(key, stix_type, texts, body, observables.LIFETIME_DAYS[finding.type])

    def _link(self, kind: str, source: tuple[str, str], target: tuple[str, str]) -> Draft:
        ends = {"source_ref": self.id_of(*source), "target_ref": self.id_of(*target)}
        return self._plain(f"{kind}:{target[0]}", "relationship", {"relationship_type": kind, **ends})

    def _plain(self, key: str, stix_type: str, body: dict[str, Any]) -> Draft:
        return Draft(key, stix_type, {**common(self.content.tlp), **body})

    def _worded(
        self,
        key: str,
        stix_type: str,
        texts: Mapping[str, Words | None],
        body: dict[str, Any],
        lifetime_days: int | None = None,
    ) -> Iterator[Draft]:
        """An object with text, and its twin in the other language."""
        lang, tlp = self.content.lang, self.content.tlp
        words = in_language(texts, lang)
        yield Draft(key, stix_type, {**common(tlp), "lang": lang, **words, **body}, lifetime_days)
        yield twin(key, self.id_of(key, stix_type), tlp, lang, texts)


def _incident_core(kind: str) -> dict[str, Any]:
    """Only what both published revisions of the extension have (OASIS Incident extension suite)."""
    return {
        "extension_type": "property-extension",
        "determination": "suspected",
        "investigation_status": "new",
        "incident_types": names.incident_types(kind),
    }
