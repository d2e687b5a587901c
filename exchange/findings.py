"""What a pasted text contains that others could watch for, and what of it must not go out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import accounts, audit, incidents, known_good, outbox, victims
from exchange.db import add_if_absent, vault_of
from exchange.extraction import Found, extract
from exchange.models import Observable, Organization, ReportVersion

# Pasted by a reporter and looked at by nobody yet: medium (STIX 2.1, appendix A).
PASTED_CONFIDENCE = 50


@dataclass(frozen=True)
class Finding:
    """One observable, and why it stays here (None: it may go out)."""

    found: Found
    excluded: str | None


def look_through(
    db: Session, text: str, *, organization: Organization, callback: str | None, documentation_is_real: bool
) -> list[Finding]:
    """Everything recognisable in `text`, once each, in its order."""
    found = extract(text, documentation_is_real=documentation_is_real)
    if not found:
        return []
    own = accounts.profile_of(db, organization)
    others = [accounts.profile_of(db, row) for row in db.scalars(select(Organization))]
    terms = victims.terms(own, callback=callback)
    return [Finding(one, _reason(one, own, others, terms, documentation_is_real)) for one in found]


def _reason(
    found: Found,
    own: dict[str, Any],
    others: list[dict[str, Any]],
    terms: frozenset[str],
    documentation_is_real: bool,
) -> str | None:
    reason = _excluded(found, [own], documentation_is_real)
    if reason is None and _excluded(found, others, documentation_is_real) == "own":
        reason = "member"
    if reason is None and victims.told_by(found.value, terms):
        reason = "victim-term"
    return reason


def _excluded(found: Found, profiles: list[dict[str, Any]], documentation_is_real: bool) -> str | None:
    return known_good.excluded(
        found.type,
        found.value,
        own_domains=[name for profile in profiles for name in profile.get("domains", ())],
        own_networks=[network for profile in profiles for network in profile.get("networks", ())],
        documentation_is_real=documentation_is_real,
    )


def normalise(db: Session, version_id: UUID, *, now: datetime, documentation_is_real: bool) -> None:
    """Keep what a report's pasted text contains; run twice, it is kept once."""
    version = db.get_one(ReportVersion, version_id)
    answers = incidents.unsealed(db, version)
    audit.record(db, "report.normalised", by="worker", subject=version_id, version=version.fingerprint, now=now)
    seen = look_through(
        db,
        answers.get("ioc_paste", ""),
        organization=version.case.organization,
        callback=answers.get("callback"),
        documentation_is_real=documentation_is_real,
    )
    for position, finding in enumerate(seen):
        _keep(db, version_id, position, finding)
    outbox.tell(db, "report.normalised", version_id, now=now)


def _keep(db: Session, version_id: UUID, position: int, finding: Finding) -> None:
    row_id, vault = uuid4(), vault_of(db)
    add_if_absent(
        db,
        Observable,
        id=row_id,
        report_version_id=version_id,
        position=position,
        type=finding.found.type,
        sealed_value=vault.seal(finding.found.value.encode(), at=f"observable:{row_id}"),
        fingerprint=vault.fingerprint(finding.found.type, finding.found.value),
        confidence=PASTED_CONFIDENCE,
        excluded=finding.excluded,
    )


def kept(db: Session, version_id: UUID) -> Sequence[tuple[Observable, str]]:
    """The observables of a report with their values, in the order of the text."""
    rows = db.scalars(
        select(Observable).where(Observable.report_version_id == version_id).order_by(Observable.position)
    )
    return [(row, vault_of(db).unseal(row.sealed_value, at=f"observable:{row.id}").decode()) for row in rows]
