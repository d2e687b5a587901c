"""STIX bundles as the security tools of a reporter send them: one thing each, every argument optional."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

CORE = "extension-definition--ef765651-680c-498d-9894-99799f2fa126"
IMPACT = "extension-definition--7cc33dd6-f6a1-489b-98ea-522d351d71b9"
EVENT = "extension-definition--4ca6de00-5b0d-45ef-a1dc-ea7279ea910e"
TASK = "extension-definition--2074a052-8be4-4932-849e-f5e7798e0030"
CREATED = "2026-11-21T02:30:00.000Z"
Thing = dict[str, Any]


def stix_id(kind: str, name: str = "") -> str:
    """Always the same id for the same name."""
    digits = str(uuid5(NAMESPACE_URL, f"{kind}/{name}"))
    return f"{kind}--{digits[:14]}4{digits[15:]}"


def thing(kind: str, name: str = "", **more: Any) -> Thing:
    """An SDO or SRO."""
    common = {"type": kind, "spec_version": "2.1", "id": stix_id(kind, name), "created": CREATED, "modified": CREATED}
    return common | ({"name": name} if name else {}) | more


def incident(core: Thing | None = None, **more: Any) -> Thing:
    """An incident with the extension; `core` are properties of that."""
    said = {"extension_type": "property-extension", "determination": "suspected", "investigation_status": "open"}
    return thing("incident", "Strange traffic", extensions={CORE: said | (core or {})}) | more


def impact(category: str, said: Thing, **more: Any) -> Thing:
    """An impact of one category."""
    made = thing("impact", impact_category=category, extensions={IMPACT: {"extension_type": "new-sdo"}, category: said})
    return made | {"id": stix_id("impact", category)} | more


def event(**more: Any) -> Thing:
    """Something that happened."""
    return thing("event", status="occurred", extensions={EVENT: {"extension_type": "new-sdo"}}) | more


def task(kind: str, **more: Any) -> Thing:
    """Something that was done."""
    own = {"outcome": "successful", "task_types": [kind], "extensions": {TASK: {"extension_type": "new-sdo"}}}
    return thing("task") | {"id": stix_id("task", kind)} | own | more


def indicator(pattern: str, **more: Any) -> Thing:
    """Something to watch for."""
    own = {"pattern": pattern, "pattern_type": "stix", "valid_from": CREATED}
    return thing("indicator") | {"id": stix_id("indicator", pattern)} | own | more


def sco(kind: str, **more: Any) -> Thing:
    """An observable."""
    return {"type": kind, "spec_version": "2.1", "id": stix_id(kind, str(more)), **more}


def observed(*things: Thing, **more: Any) -> Thing:
    """These were seen."""
    refs = [one["id"] for one in things]
    times = {"first_observed": CREATED, "last_observed": CREATED, "number_observed": 1}
    return thing("observed-data") | {"id": stix_id("observed-data", str(refs)), **times, "object_refs": refs} | more


def linked(kind: str, source: Thing, target: Thing) -> Thing:
    """A relationship."""
    ends = {"relationship_type": kind, "source_ref": source["id"], "target_ref": target["id"]}
    return thing("relationship") | {"id": stix_id("relationship", str(ends))} | ends


def bundle(*things: Thing) -> Thing:
    """All in one; with an incident of its own unless there is one among them."""
    known = [] if any(one.get("type") == "incident" for one in things) else [incident()]
    return {"type": "bundle", "id": stix_id("bundle"), "objects": [*known, *things]}
