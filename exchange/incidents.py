"""Reporting an incident: one transaction takes the report, the decision about it, the audit entry and the event."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import accounts, audit, form, outbox, rules
from exchange.db import vault_of
from exchange.errors import NotFound, NotPermitted
from exchange.form import Profile, QuickReport
from exchange.models import Case, Deadline, Delivery, Organization, ReportVersion
from exchange.rules import Decision
from exchange.sharing import Purpose, Viewer, purposes_of, seals, visible_to

# Crockford's base 32: no letter that is misheard or misread on the phone.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TWICE_WITHIN = timedelta(minutes=10)
_NOT_ANSWERS = {"organisation", "submitted_at"}


@dataclass(frozen=True)
class Filed:
    """A report that is kept. `duplicate_of`: another case with the very same answers, minutes ago."""

    version: ReportVersion
    decision: Decision
    duplicate_of: str | None

    @property
    def case(self) -> Case:
        """The case that the report opened."""
        return self.version.case


def profile_of(organization: Organization) -> Profile:
    """What the rules may know of the reporter. Raises: NotPermitted for one without a sector: no rule knows it."""
    if organization.sector is None:
        raise NotPermitted("only an organization of a sector can report")
    return Profile(
        sector=organization.sector,
        act_special_operator=organization.act_special_operator,
        public_body=organization.public_body,
        ci_operator=organization.ci_operator,
    )


def read(db: Session, answers: object, *, by: Viewer, now: datetime) -> QuickReport:
    """The answers, checked against the form for the organization that `by` speaks for.

    Raises: Invalid; NotPermitted; NotFound if they name another organization.
    """
    own = accounts.own_organization(db, by, None)
    checked = form.parse(answers, profile=profile_of(own), now=now)
    if checked.organisation is not None:
        accounts.own_organization(db, by, checked.organisation.org_id)
    return checked


def decide(db: Session, report: QuickReport, *, by: Viewer, now: datetime) -> Decision:
    """Who gets it, by which law, by when: shown before sending, and kept when it is sent."""
    return rules.decide(report, profile_of(accounts.own_organization(db, by, None)), at=now)


def report(db: Session, quick: QuickReport, *, by: Viewer, via: str, now: datetime, exercise: bool = False) -> Filed:
    """Record a quick report (速報) as a new case, and leave word for the workers.

    Args:
        via: web or api.
    Raises: NotPermitted if `by` speaks for no organization.
    """
    organization = accounts.own_organization(db, by, None)
    decision = decide(db, quick, by=by, now=now)
    answers = quick.model_dump(mode="json", exclude=_NOT_ANSWERS, exclude_none=True)
    fingerprint = vault_of(db).fingerprint(orjson.dumps(answers, option=orjson.OPT_SORT_KEYS))
    duplicate = _same_minutes_ago(db, organization, fingerprint, now)
    version = _version(db, quick, answers, decision, fingerprint=fingerprint, now=now)
    assert by.person_id is not None
    version.via, version.person_id = via, by.person_id
    version.case = _case(organization, quick, exercise=exercise, now=now)
    db.add(version)
    db.flush()
    _start(db, version, decision)
    db.flush()
    audit.record(db, "report.filed", by=by, subject=version.id, version=fingerprint, now=now)
    outbox.tell(db, "report.filed", version.id, now=now)
    return Filed(version, decision, duplicate)


def _case(organization: Organization, quick: QuickReport, *, exercise: bool, now: datetime) -> Case:
    return Case(
        id=uuid4(),
        ref=_new_ref(),
        organization_id=organization.id,
        organization=organization,
        incident_kind=quick.incident_kind,
        sector=organization.sector,
        share_scope=quick.share_scope,
        exercise=exercise,
        opened_at=now,
    )


def _new_ref() -> str:
    """Random, 40 bits, easy to say: it tells neither how many reports there are nor in which order."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"N-{letters[:4]}-{letters[4:]}"


def _version(
    db: Session, quick: QuickReport, answers: Mapping[str, Any], decision: Decision, *, fingerprint: str, now: datetime
) -> ReportVersion:
    version_id = uuid4()
    sealed = {name: value for name, value in answers.items() if seals(form.FIELDS[name])}
    return ReportVersion(
        id=version_id,
        seq=1,
        stage="sokuhou",
        answers={name: value for name, value in answers.items() if name not in sealed},
        sealed_answers=vault_of(db).seal(orjson.dumps(sealed), at=f"report_version:{version_id}"),
        fingerprint=fingerprint,
        claimed_at=quick.submitted_at,
        received_at=now,
        purposes=list(purposes_of(answers)),
        form_version=form.VERSION,
        rule_version=decision.rule_version,
        decision=orjson.loads(orjson.dumps(decision)),
    )


def _start(db: Session, version: ReportVersion, decision: Decision) -> None:
    for recipient in decision.recipients:
        purpose = Purpose(recipient.purpose)
        db.add(Delivery(report_version_id=version.id, recipient=recipient.id, purpose=purpose))
    for clock in decision.clocks:
        times = {"starts_at": clock.starts_at, "due_at": clock.due_at, "due_date": clock.due_date}
        db.add(Deadline(report_version_id=version.id, regime=clock.regime, stage=clock.stage, **times))


def _same_minutes_ago(db: Session, organization: Organization, fingerprint: str, now: datetime) -> str | None:
    same = select(Case.ref).join(ReportVersion).where(ReportVersion.fingerprint == fingerprint)
    same = same.where(Case.organization_id == organization.id, Case.opened_at > now - _TWICE_WITHIN)
    return db.scalar(same.order_by(Case.opened_at.desc()).limit(1))


# --- reading -------------------------------------------------------------------------------------------


def cases(db: Session, viewer: Viewer, *, most: int = 200) -> Sequence[Case]:
    """The cases that `viewer` may open, newest first."""
    seen = select(Case).where(visible_to(viewer, Case))
    return db.scalars(seen.order_by(Case.opened_at.desc()).limit(most)).unique().all()


def find(db: Session, ref: str, viewer: Viewer) -> Case:
    """Raises: NotFound."""
    seen = select(Case).where(Case.ref == ref.strip().upper(), visible_to(viewer, Case))
    # PostgreSQL refuses to look for a text that it could not hold.
    case = db.scalars(seen).unique().one_or_none() if ref.isprintable() else None
    if case is None:
        raise NotFound(f"case {ref}")
    return case


def latest(case: Case) -> ReportVersion:
    """The newest version of a case's report."""
    return case.versions[-1]


def open_answers(
    db: Session, version: ReportVersion, *, by: Viewer | str, purpose: Purpose, now: datetime
) -> dict[str, Any]:
    """Every answer, the sealed ones opened. The reading is audited in the same transaction, or does not happen.

    Raises: NotPermitted if the reporter did not allow this purpose.
    """
    if purpose not in version.purposes:
        raise NotPermitted(f"the reporter did not allow {purpose}")
    audit.record(db, "report.read", by=by, subject=version.id, version=version.fingerprint, purpose=purpose, now=now)
    return version.answers | unsealed(db, version)


def unsealed(db: Session, version: ReportVersion) -> dict[str, Any]:
    """The sealed answers alone, for a step of the worker, which notes what it did."""
    plain = vault_of(db).unseal(version.sealed_answers, at=f"report_version:{version.id}")
    answers: dict[str, Any] = orjson.loads(plain)
    return answers
