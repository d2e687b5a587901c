"""Reporting an incident, stage after stage: one transaction takes the version, the decision about it, its clocks, the
audit entry and the event. Versions are only added, never changed.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import accounts, audit, clocks, form, outbox, quotas, rules, updates
from exchange.db import add_if_absent, vault_of
from exchange.errors import Invalid, NotFound, NotPermitted, Problem, WrongState
from exchange.form import Profile, QuickReport
from exchange.models import Case, Delivery, Organization, ReportVersion
from exchange.rules import Decision
from exchange.sharing import Purpose, Viewer, may_report_on, purposes_of, seals, visible_to

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


def answers_of(quick: QuickReport) -> dict[str, Any]:
    """The answers of a quick report as they are kept (JSON)."""
    return quick.model_dump(mode="json", exclude=_NOT_ANSWERS, exclude_none=True)


def report(
    db: Session,
    quick: QuickReport,
    *,
    by: Viewer,
    via: str,
    now: datetime,
    exercise: bool = False,
    organization: Organization | None = None,
) -> Filed:
    """Record a quick report (速報) as a new case, and leave word for the workers.

    Args:
        via: web, api, stix, phone, offline or emergency.
        organization: for whom `by` takes it down; None for its own.
    Raises: NotPermitted if `by` speaks for no organization.
    """
    assert by.person_id is not None
    whose = organization or accounts.own_organization(db, by, None)
    answers = answers_of(quick)
    decision = rules.decide(answers, profile_of(whose), at=now)
    fingerprint = _fingerprint(db, answers)
    duplicate = _same_minutes_ago(db, whose, fingerprint, now)
    case = _case(whose, quick, exercise=exercise, now=now)
    filing = Filing("sokuhou", via, by, claimed_at=quick.submitted_at)
    return Filed(_add(db, case, answers, decision, filing, now=now), decision, duplicate)


@dataclass(frozen=True)
class Filing:
    """How a version is filed. `stage`: sokuhou, zokuhou, kakuhou or correction."""

    stage: str
    via: str
    by: Viewer
    claimed_at: datetime | None = None


def preview(db: Session, case: Case, changes: object, *, now: datetime) -> tuple[dict[str, Any], list[str], Decision]:
    """What an update would make of a case: (all answers, the fields that change, what follows).

    Raises: Invalid; WrongState if the case is closed.
    """
    if case.closed_at is not None:
        raise WrongState("the case is closed")
    before = latest(case)
    known = whole_answers(db, before)
    answers = updates.merged(known, changes, profile=profile_of(case.organization), now=now)
    decision = rules.decide(answers, profile_of(case.organization), at=now, before=before.decision)
    return answers, updates.changed(known, answers), decision


def update(db: Session, case: Case, changes: object, filing: Filing, *, now: datetime) -> Filed:
    """File what is new about a case: a further version of all that is known, with its own decision and clocks.

    The case must be locked (`hold`). Raises: Invalid, also if nothing changes; WrongState if it is closed or full.
    """
    answers, fields, decision = preview(db, case, changes, now=now)
    if not fields and filing.stage != "kakuhou":
        raise Invalid([Problem("", "nothing-new")])
    version = _add(db, case, answers, decision, filing, changed=fields, now=now)
    case.incident_kind, case.share_scope = answers["incident_kind"], answers["share_scope"]
    case.for_statistics = Purpose.STATISTICS in version.purposes
    return Filed(version, decision, None)


def close(db: Session, case: Case, *, by: Viewer, now: datetime) -> None:
    """The reporter says that it is over; a correction may still come when it is opened again. Raises: WrongState."""
    if case.closed_at is not None:
        raise WrongState("the case is closed already")
    case.closed_at = now
    audit.record(db, "case.closed", by=by, subject=case.id, now=now)
    outbox.tell(db, "case.changed", case.id, now=now)


def reopen(db: Session, case: Case, *, by: Viewer, now: datetime) -> None:
    """Go on with a closed case; one that was disowned waits for a call again. Raises: WrongState."""
    if case.closed_at is None:
        raise WrongState("the case is open")
    case.closed_at = case.disowned_at = None
    audit.record(db, "case.reopened", by=by, subject=case.id, now=now)
    outbox.tell(db, "case.changed", case.id, now=now)


def hold(db: Session, case_id: UUID) -> Case:
    """The case, locked until the transaction ends, with everything that others committed before."""
    held = select(Case).where(Case.id == case_id).with_for_update(of=Case)
    return db.scalars(held.execution_options(populate_existing=True)).unique().one()


def _fingerprint(db: Session, answers: Mapping[str, Any]) -> str:
    return vault_of(db).fingerprint(orjson.dumps(answers, option=orjson.OPT_SORT_KEYS))


def _add(
    db: Session,
    case: Case,
    answers: dict[str, Any],
    decision: Decision,
    filing: Filing,
    *,
    changed: Sequence[str] = (),
    now: datetime,
) -> ReportVersion:
    quotas.check_case(case)
    version = _version(db, answers, decision, fingerprint=_fingerprint(db, answers), now=now)
    version.seq = len(case.versions) + 1
    version.stage, version.via, version.claimed_at = filing.stage, filing.via, filing.claimed_at
    version.person_id, version.changed = _person(filing.by), list(changed)
    version.taken_by_id = version.person_id if filing.via == "phone" else None
    version.case = case
    db.add(version)
    db.flush()
    _deliver(db, version, consented=filing.via != "emergency")
    clocks.set_by(db, case, decision, stage=filing.stage, now=now)
    audit.record(db, "report.filed", by=filing.by, subject=version.id, version=version.fingerprint, now=now)
    outbox.tell(db, "report.filed", version.id, now=now)
    outbox.tell(db, "case.changed", case.id, now=now)
    return version


def _person(by: Viewer) -> UUID:
    assert by.person_id is not None
    return by.person_id


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
    db: Session, answers: Mapping[str, Any], decision: Decision, *, fingerprint: str, now: datetime
) -> ReportVersion:
    version_id = uuid4()
    sealed = {name: value for name, value in answers.items() if seals(form.FIELDS[name])}
    return ReportVersion(
        id=version_id,
        answers={name: value for name, value in answers.items() if name not in sealed},
        sealed_answers=vault_of(db).seal(orjson.dumps(sealed), at=f"report_version:{version_id}"),
        fingerprint=fingerprint,
        received_at=now,
        purposes=list(purposes_of(answers)),
        form_version=form.VERSION,
        rule_version=decision.rule_version,
        decision=orjson.loads(orjson.dumps(decision)),
    )


def _deliver(db: Session, version: ReportVersion, *, consented: bool) -> None:
    """A copy for each recipient that has none yet; who rests on a consent that was taken back gets no further one.

    Args:
        consented: False as long as nobody knows whether a consent is the organization's own.
    """
    for one in version.decision["recipients"]:
        if not one["held"] and (consented or not one["by_consent"]):
            given = {"report_version_id": version.id, "recipient": one["id"], "purpose": Purpose(one["purpose"])}
            add_if_absent(db, Delivery, id=uuid4(), **given)


def confirm(db: Session, case: Case, *, now: datetime) -> None:
    """The organization says that a report which came without a sign-in is its own: its consent counts from now on."""
    case.unconfirmed = False
    _deliver(db, latest(case), consented=True)
    outbox.tell(db, "report.normalised", latest(case).id, now=now)
    outbox.tell(db, "case.changed", case.id, now=now)


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


def find_own(db: Session, ref: str, by: Viewer) -> Case:
    """A case that `by` may go on reporting about. Raises: NotFound."""
    case = find(db, ref, by)
    if not may_report_on(by, organization_id=case.organization_id):
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


def whole_answers(db: Session, version: ReportVersion) -> dict[str, Any]:
    """Every answer, for a step that goes on with them; who shows them to somebody says so with `open_answers`."""
    return version.answers | unsealed(db, version)


def unsealed(db: Session, version: ReportVersion) -> dict[str, Any]:
    """The sealed answers alone, for a step of the worker, which notes what it did."""
    plain = vault_of(db).unseal(version.sealed_answers, at=f"report_version:{version.id}")
    answers: dict[str, Any] = orjson.loads(plain)
    return answers
