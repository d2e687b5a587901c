"""What an edition may say. What has no field here cannot leave the house."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Finding:
    """One observable that the reporter pasted.

    Attributes:
        type: ipv4-addr, ipv6-addr, domain-name, url, email-addr, md5, sha1, sha256 or sha512.
        value: normalised and live, never defanged.
        indicates: False keeps it as observed data only, as the sources of a DDoS, which are victims too.
        confidence: 0 to 100 (STIX 2.1, appendix A).
        role: what it was used for, of the dictionary's list.
    """

    type: str
    value: str
    indicates: bool
    confidence: int
    role: str = "unknown"


@dataclass(frozen=True)
class Content:
    """One edition of one case, as the policy's allow-list built it.

    Attributes:
        lang: `ja` or `en`, the objects' own language; the other comes as language-content.
        tlp: clear, green, amber, amber+strict or red, for every object alike.
        incident_kind: a key of `incidents` in `data/stix_names.json`.
        sectors: values of industry-sector-ov; empty unless the k-check passed.
        sector_names: the sector in `ja` and `en`; not looked at while `sectors` is empty.
        observed_on: a day in UTC, never finer.
        vulnerabilities: CVE ids.
        techniques: (id, domain) of MITRE ATT&CK; the domain is enterprise or ics.
        malware: kinds of the dictionary's list; a name is typed text, and waits for a person.
        description: `ja` and `en`, approved by a person; None otherwise.
    """

    lang: str
    tlp: str
    incident_kind: str
    sectors: tuple[str, ...]
    sector_names: Mapping[str, str] | None
    observed_on: date
    findings: tuple[Finding, ...]
    vulnerabilities: tuple[str, ...]
    description: Mapping[str, str] | None
    techniques: tuple[tuple[str, str], ...] = ()
    malware: tuple[str, ...] = ()
