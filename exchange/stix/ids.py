"""Identifiers that never change: minted once by us, or fixed by OASIS, or computed from a value."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid5

import orjson

PORTAL: Final = "identity--c35c8154-f774-4a69-8531-c37c26c15f84"
PORTAL_IN_ENGLISH: Final = "language-content--73e9a43e-4afb-43b9-bab8-c8106818df53"

# The OASIS Incident extension suite, property-extension of `incident`.
INCIDENT_CORE: Final = "extension-definition--ef765651-680c-498d-9894-99799f2fa126"

# The OASIS objects of FIRST TLP 2.0, by the value of their `tlp_2_0`.
TLP_MARKING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
        "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
        "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
        "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
        "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
    }
)

# The extension by which a marking-definition says its level of TLP 2.0.
TLP_EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

# What members may mark with: the objects of TLP 2.0, and those of STIX 2.1, section 7.2.1.4, for TLP 1.
TLP_OF_MARKING: Final[Mapping[str, str]] = MappingProxyType(
    {marking: level for level, marking in TLP_MARKING.items()}
    | {
        "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": "clear",
        "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": "green",
        "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": "amber",
        "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "red",
    }
)

# STIX 2.1, section 2.9: the namespace of every SCO's id, and of nothing else.
SCO_NAMESPACE: Final = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")


def sco_id(stix_type: str, contributing: Mapping[str, Any]) -> str:
    """The id that everybody computes for this SCO.

    Args:
        contributing: its ID-contributing properties, text only; `hashes` with one hash.
    Source: STIX 2.1, sections 2.9 and 3.4 (UUIDv5 over RFC 8785 JSON; for text, sorted keys are all of it).
    """
    name = orjson.dumps(dict(contributing), option=orjson.OPT_SORT_KEYS).decode()
    return f"{stix_type}--{uuid5(SCO_NAMESPACE, name)}"
