"""What a pasted text contains that others could watch for, and what of it must not go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import accounts, attachments, audit, incidents, known_good, outbox, victims
from exchange.db import add_if_absent, vault_of
from exchange.extraction import Found, extract
from exchange.listed import HELD, Listed, listed
from exchange.models import Observable, Organization, ReportVersion

# Pasted by a reporter and looked at by nobody yet: medium (STIX 2.1, appendix A).
PASTED_CONFIDENCE = 50
# Of one report. What comes after them is kept, and waits for a person: nobody pastes so much in haste.
_MOST = 300
LEFT_OUT = "reporter"
_FOR_A_PERSON = {"member", "with-member", "victim-term", "too-many", "low-confidence", "attached"}


@dataclass(frozen=True)
class Finding:
    """One observable, and why it stays here (None: it may go out)."""

    found: Found
    excluded: str | None
    stated: int | None = None

    @property
    def confidence(self) -> int:
        """0 to 100: what the reporter stated, or that it was only pasted."""
        return PASTED_CONFIDENCE if self.stated is None else self.stated

    def and_also(self, other: Finding) -> Finding:
        """Of one thing that is named twice the stricter reason counts, and the lower confidence."""
        reasons = [one.excluded for one in (self, other) if one.excluded]
        stated = [one.stated for one in (self, other) if one.stated is not None]
        return replace(self, excluded=min(reasons, key=HELD.index, default=None), stated=min(stated, default=None))


def look_through(
    db: Session,
    text: str,
    *,
    organization: Organization,
    callback: str | None,
    documentation_is_real: bool,
    rows: Sequence[Listed] = (),
    attached: str = "",
    left_out: Sequence[str] = (),
) -> list[Finding]:
    """Everything recognisable in `text` and all that `rows` list, once each, and what the reporter may be told of it.

    Whether something belongs to another member is not looked at: the answer would tell who the members are.

    Args:
        attached: what the files of the report say. Nobody said that what stands there is hostile: a log is full of
            customers. It is recognised, and waits for a person.
        left_out: values that the reporter does not want to share, however they are spelled.
    """
    named = [Finding(one, None) for one in extract(text, documentation_is_real=documentation_is_real)]
    named += [Finding(Found(row.type, row.value, 0, 0), row.held, row.confidence) for row in rows]
    found: dict[tuple[str, str], Finding] = {}
    for finding in named:
        key = finding.found.type, finding.found.value
        found[key] = found[key].and_also(finding) if key in found else finding
    for one in extract(attached, documentation_is_real=documentation_is_real):
        found.setdefault((one.type, one.value), Finding(one, "attached"))
    for one in extract("\n".join(left_out), documentation_is_real=documentation_is_real):
        if (one.type, one.value) in found:
            found[one.type, one.value] = Finding(one, LEFT_OUT)
    own = accounts.profile_of(db, organization) if found else {}
    terms = victims.terms(own, callback=callback)
    ours = _Ours([own], documentation_is_real)
    return [
        replace(one, excluded=(one.excluded or _reason(one.found, ours, terms)) if n < _MOST else "too-many")
        for n, one in enumerate(found.values())
    ]


def in_answers(
    db: Session,
    answers: Mapping[str, Any],
    *,
    organization: Organization,
    documentation_is_real: bool,
    attached: str = "",
) -> list[Finding]:
    """`look_through` over all that the answers of a report name."""
    return look_through(
        db,
        answers.get("ioc_paste", ""),
        organization=organization,
        callback=answers.get("callback"),
        documentation_is_real=documentation_is_real,
        rows=listed(answers, documentation_is_real=documentation_is_real),
        attached=attached,
        left_out=answers.get("ioc_left_out", ()),
    )


@dataclass(frozen=True)
class _Ours:
    """The domains and networks of some organizations, as one."""

    profiles: list[dict[str, Any]]
    documentation_is_real: bool

    @cached_property
    def domains(self) -> frozenset[str]:
        return frozenset(name for profile in self.profiles for name in profile.get("domains", ()))

    @cached_property
    def networks(self) -> frozenset[str]:
        return frozenset(network for profile in self.profiles for network in profile.get("networks", ()))

    def excluded(self, found: Found) -> str | None:
        return known_good.excluded(
            found.type,
            found.value,
            own_domains=self.domains,
            own_networks=self.networks,
            documentation_is_real=self.documentation_is_real,
        )


def _reason(found: Found, ours: _Ours, terms: frozenset[str]) -> str | None:
    return ours.excluded(found) or ("victim-term" if victims.told_by(found.value, terms) else None)


def own_values(text: str, profile: dict[str, Any]) -> list[str]:
    """The addresses and names in a text that belong to the organization of this profile, or are internal."""
    ours = _Ours([profile], documentation_is_real=True)
    found = extract(text, documentation_is_real=True)
    return [one.value for one in found if ours.excluded(one) in {"own", "private"}]


def normalise(db: Session, version_id: UUID, *, now: datetime, documentation_is_real: bool) -> None:
    """Keep what a report's pasted text contains; run twice, it is kept once."""
    version = db.get_one(ReportVersion, version_id)
    answers = incidents.whole_answers(db, version)
    audit.record(db, "report.normalised", by="worker", subject=version_id, version=version.fingerprint, now=now)
    attached = attachments.words_of(db, version)
    own = version.case.organization
    seen = in_answers(db, answers, organization=own, documentation_is_real=documentation_is_real, attached=attached)
    members = _Ours([accounts.profile_of(db, row) for row in db.scalars(select(Organization))], documentation_is_real)
    for position, finding in enumerate(_without_members(db, version, seen, members)):
        _keep(db, version_id, position, finding)
    outbox.tell(db, "report.normalised", version_id, now=now)


def _without_members(db: Session, version: ReportVersion, seen: list[Finding], members: _Ours) -> list[Finding]:
    """Where one value is another member's, all that would go out wait: which of them it is would list the members.

    What is out since an earlier version stays out, unless it is among those.
    """
    theirs = [one for one in seen if one.excluded is None and members.excluded(one.found) == "own"]
    if not theirs:
        return seen
    out = _out_before(db, version)
    stays = set() if out.intersection(_fingerprint(db, one) for one in theirs) else out
    held = ("member" if one in theirs else None if _fingerprint(db, one) in stays else "with-member" for one in seen)
    return [replace(one, excluded=one.excluded or why) for one, why in zip(seen, held, strict=True)]


def _out_before(db: Session, version: ReportVersion) -> set[str]:
    """Fingerprints of what may go out since an earlier version of the case."""
    earlier = select(Observable.fingerprint).join(ReportVersion).where(ReportVersion.case_id == version.case_id)
    return set(db.scalars(earlier.where(ReportVersion.seq < version.seq, Observable.excluded.is_(None))))


def _fingerprint(db: Session, finding: Finding) -> str:
    return vault_of(db).fingerprint(finding.found.type, finding.found.value)


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
        fingerprint=_fingerprint(db, finding),
        confidence=finding.confidence,
        excluded=finding.excluded,
    )


def told(reason: str | None) -> str | None:
    """What a reporter is told of a reason: not whether a value is another member's."""
    return "held" if reason in _FOR_A_PERSON else reason


def kept(db: Session, version_id: UUID) -> Sequence[tuple[Observable, str]]:
    """The observables of a report with their values, in the order of the text."""
    rows = db.scalars(
        select(Observable).where(Observable.report_version_id == version_id).order_by(Observable.position)
    )
    return [(row, vault_of(db).unseal(row.sealed_value, at=f"observable:{row.id}").decode()) for row in rows]
