"""What the API promises, field by field; a new column never leaks out by itself."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from exchange import rules, sectors
from exchange.clocks import Running
from exchange.incidents import Filed
from exchange.models import Case, Draft, Knock, ReportVersion, Webhook
from exchange.receipts import Receipt
from exchange.times import rfc3339

Json = dict[str, Any]


def filed(report: Filed, *, lang: str, status_url: str) -> Json:
    """The receipt of a report."""
    body = routing(report.version, lang=lang) | {
        "case_id": report.case.ref,
        "report_id": f"{report.case.ref}-{report.version.seq}",
        "seq": report.version.seq,
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
        "held": bool(one.get("held")),
    }


def _clock(one: Json, lang: str) -> Json:
    times = ("starts_at", "due_at", "due_date", "warn_date", "target_at")
    named = {"regime": one["regime"], "name": getattr(rules.regime_name(one["regime"]), lang)}
    return named | {"stage": one["stage"], "text": one["text"][lang]} | {name: one[name] for name in times}


def case(found: Case, version: ReportVersion, *, lang: str, released: list[Json], excluded: list[Json]) -> Json:
    """A case as its reporter sees it."""
    return routing(version, lang=lang) | {
        "case_id": found.ref,
        "seq": version.seq,
        "stage": version.stage,
        "received_at": rfc3339(version.received_at),
        "opened_at": rfc3339(found.opened_at),
        "closed_at": _moment(found.closed_at),
        "share_scope": found.share_scope,
        "released": released,
        "excluded": excluded,
    }


def updated(report: Filed, *, lang: str, status_url: str) -> Json:
    """The receipt of an update, and what it changed."""
    version, before = report.version, report.case.versions[-2].decision
    known = {one["id"] for one in before["recipients"] if not one.get("held")}
    running = {(one["regime"], one["stage"]) for one in before["clocks"]}
    body = filed(report, lang=lang, status_url=status_url)
    return body | {
        "changed": version.changed,
        "new_recipients": [one["id"] for one in body["recipients"] if one["id"] not in known and not one["held"]],
        "new_clocks": [one for one in body["clocks"] if (one["regime"], one["stage"]) not in running],
        "version_url": f"{status_url}/versions/{version.seq}",
    }


def listed(found: Case, newest: ReportVersion, *, status_url: str) -> Json:
    """A case in a list."""
    return {
        "case_id": found.ref,
        "incident_kind": found.incident_kind,
        "seq": newest.seq,
        "stage": newest.stage,
        "received_at": rfc3339(newest.received_at),
        "opened_at": rfc3339(found.opened_at),
        "closed_at": _moment(found.closed_at),
        "share_scope": found.share_scope,
        "exercise": found.exercise,
        "status_url": status_url,
    }


def version(one: ReportVersion, *, url: str) -> Json:
    """A version of a report, without what it says."""
    return {
        "seq": one.seq,
        "stage": one.stage,
        "received_at": rfc3339(one.received_at),
        "claimed_at": _moment(one.claimed_at),
        "via": one.via,
        "changed": one.changed,
        "form_version": one.form_version,
        "version_url": url,
    }


def deadline(one: Running, *, lang: str) -> Json:
    """A deadline as it stands."""
    row = one.deadline
    return {
        "regime": row.regime,
        "name": getattr(rules.regime_name(row.regime), lang),
        "stage": row.stage,
        "state": one.urgency.value,
        "starts_at": rfc3339(row.starts_at),
        "due_at": _moment(row.due_at),
        "due_date": _day(row.due_date),
        "warn_date": _day(row.warn_date),
        "target_at": _moment(row.target_at),
        "extended_to": _day(row.extended_to),
        "extended_by": row.extended_by,
        "met_at": _moment(row.met_at),
    }


def receipt(one: Receipt) -> Json:
    """What an authority has of a case, and what it confirmed."""
    received = one.received.delivery if one.received else None
    return {
        "recipient": one.recipient,
        "purpose": one.sent.delivery.purpose,
        "sent_seq": one.sent.version.seq,
        "received_seq": one.received.version.seq if one.received else None,
        "received_at": _moment(received.received_at) if received else None,
        "reference": received.reference if received else None,
    }


def draft(row: Draft, *, status_url: str) -> Json:
    """A draft that waits for a person, without what it says."""
    return {
        "draft_id": str(row.id),
        "stage": row.stage,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "status_url": status_url,
        "review_url": f"/drafts/{row.id}",
    }


def webhook(row: Webhook, url: str, last: Knock | None) -> Json:
    """A webhook, and how the last message to it went."""
    return {
        "id": str(row.id),
        "url": url,
        "created_at": rfc3339(row.created_at),
        "revoked_at": _moment(row.revoked_at),
        "failing_since": _moment(row.failing_since),
        "last_message_at": _moment(last.at) if last else None,
        "last_delivered_at": _moment(last.delivered_at) if last else None,
        "last_status": last.status if last else None,
    }


def _moment(when: datetime | None) -> str | None:
    return rfc3339(when) if when else None


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
