"""What the API promises, field by field; a new column never leaks out by itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from exchange import rules, sectors
from exchange.incidents import Filed
from exchange.models import Case, ReportVersion
from exchange.times import rfc3339

Json = dict[str, Any]


def filed(report: Filed, *, lang: str, status_url: str) -> Json:
    """The receipt of a report."""
    body = routing(report.version, lang=lang) | {
        "case_id": report.case.ref,
        "report_id": f"{report.case.ref}-{report.version.seq}",
        "stage": report.version.stage,
        "received_at": rfc3339(report.version.received_at),
        "status_url": status_url,
    }
    if report.duplicate_of:
        body["possible_duplicate_of"] = report.duplicate_of
    return body


def routing(version: ReportVersion, *, lang: str) -> Json:
    """Who gets it and why, by when: as decided when it was filed."""
    decision = version.decision
    return {
        "form": decision["form"],
        "recipients": [_recipient(one, decision, version.received_at, lang) for one in decision["recipients"]],
        "regimes": decision["regimes"],
        "clocks": [_clock(one, lang) for one in decision["clocks"]],
        "reminders": [
            {"regime": one["regime"], "remind_at": one["remind_at"], "text": one["text"][lang]}
            for one in decision["reminders"]
        ],
        "not_triggered": [
            {"regime": one["regime"], "reason": one["reason"][lang]} for one in decision["not_triggered"]
        ],
        "tlp": {"victim": decision["tlp_victim"], "technical": decision["tlp_technical"]},
        "purposes": version.purposes,
        "rule_version": decision["rule_version"],
    }


def _recipient(one: Json, decision: Json, at: datetime, lang: str) -> Json:
    dues = [
        clock["due_at"] or clock["due_date"]
        for clock in decision["clocks"]
        if clock["regime"] in one["regimes"] and (clock["due_at"] or clock["due_date"])
    ]
    return {
        "id": one["id"],
        "name": getattr(sectors.authority(one["id"], at).name, lang),
        "reason": one["reason"][lang],
        "legal_basis": one["law"][lang],
        "purpose": one["purpose"],
        "regimes": one["regimes"],
        "due": min(dues, default=None),
    }


def _clock(one: Json, lang: str) -> Json:
    times = ("starts_at", "due_at", "due_date", "warn_date", "target_at")
    named = {"regime": one["regime"], "name": getattr(rules.regime_name(one["regime"]), lang)}
    return named | {"stage": one["stage"], "text": one["text"][lang]} | {name: one[name] for name in times}


def case(found: Case, version: ReportVersion, *, lang: str, released: list[Json], excluded: list[Json]) -> Json:
    """A case as its reporter sees it."""
    return routing(version, lang=lang) | {
        "case_id": found.ref,
        "stage": version.stage,
        "received_at": rfc3339(version.received_at),
        "share_scope": found.share_scope,
        "released": released,
        "excluded": excluded,
    }
