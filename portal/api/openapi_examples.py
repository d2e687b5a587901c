"""An example of each thing that is sent; invented, and with addresses that nobody has."""

from __future__ import annotations

from typing import Any

from exchange.stix.ids import INCIDENT_CORE

REPORT: dict[str, Any] = {
    "incident_kind": "other",
    "aware_at": "2026-11-21T09:00:00+09:00",
    "service_impact": "degraded",
    "system_class": ["web"],
    "personal_data": "unknown",
    "current_status": "ongoing",
    "callback": "03-1234-5678",
    "share_scope": "council-anon",
    "designated_asset": "unknown",
    "ioc_paste": "198[.]51[.]100[.]7 hxxps://login[.]example/a",
}
UPDATE: dict[str, Any] = {
    "current_status": "contained",
    "contained_at": "2026-11-21T11:30:00+09:00",
    "personal_data": "no",
    "iocs": [{"type": "ipv4-addr", "value": "198.51.100.7", "role": "c2", "confidence": "high"}],
}
_TIMES = {"created": "2026-11-21T00:00:00.000Z", "modified": "2026-11-21T00:00:00.000Z"}
BUNDLE: dict[str, Any] = {
    "type": "bundle",
    "id": "bundle--5d2c4a0e-7a4b-4c7e-9a53-0d3a6f1f7c11",
    "objects": [
        {
            "type": "incident",
            "spec_version": "2.1",
            "id": "incident--0f6a4dc5-3d1c-4a6b-8a0e-5b0c8f2d9e42",
            **_TIMES,
            "name": "Unauthorized sign-in to a web server",
            "extensions": {
                INCIDENT_CORE: {
                    "extension_type": "property-extension",
                    "determination": "suspected",
                    "investigation_status": "open",
                    "incident_types": ["unauthorized-access-system"],
                }
            },
        },
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": "indicator--7b1b0a5e-2f4d-4c53-9a6e-1c9d8f7e6a30",
            **_TIMES,
            "pattern": "[ipv4-addr:value = '198.51.100.7']",
            "pattern_type": "stix",
            "valid_from": "2026-11-21T00:00:00Z",
        },
    ],
}
WEBHOOK = {"url": "https://soc.example/noroshi"}
MESSAGE: dict[str, Any] = {
    "id": "1c9b6f0e-6f0a-4f6e-8a57-2b7d0c3e9f15",
    "type": "case.changed",
    "at": "2026-11-21T02:31:00.000000Z",
    "case_id": "N-0000-0000",
    "changed": ["report", "receipts"],
    "state": "open",
    "report": {"seq": 2, "stage": "zokuhou"},
    "receipts": [{"recipient": "nco", "seq": 1}],
    "questions": 0,
    "deadlines": [{"regime": "act-report", "stage": "sokuhou", "state": "met"}],
    "editions": ["shared"],
}
