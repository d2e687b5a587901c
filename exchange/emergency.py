"""Emergency codes: issued in quiet times, each opens one quick report on the day when nobody can sign in.

What comes that way is taken like any report, and nothing of it is shared until somebody has called the organization
back, at the number that it registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from exchange import accounts, audit, form, idempotency, incidents, spelling
from exchange.db import vault_of
from exchange.errors import Invalid, NotFound, Problem, WrongState
from exchange.form import Profile
from exchange.idempotency import Once
from exchange.models import Case, EmergencyCode, Organization, Person, SignInFailure
from exchange.sharing import Viewer

VALID = timedelta(days=365)
_LENGTH = 16  # Letters of five bits: 80 bits.
_MOST = 20
_WINDOW = timedelta(minutes=15)
_OF_A_NETWORK, _OF_ALL = 10, 500
_ROUTE = "POST /emergency"
_NOBODY = Profile(sector="", act_special_operator=False, public_body=False, ci_operator=False)


class State(StrEnum):
    """What has become of a code."""

    USABLE = "usable"
    USED = "used"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Listed:
    """A code as its organization sees it, by whom it was issued: never the code itself."""

    row: EmergencyCode
    issuer: str
    state: State


class Unusable(Invalid):
    """Wrong, used, revoked or expired: on purpose, the same answer."""


# --- issuing -------------------------------------------------------------------------------------------


def issue(db: Session, *, by: Viewer, now: datetime) -> str:
    """A new code for one's own organization, shown this once.

    Raises: NotPermitted if it cannot report; WrongState if it has many that are usable.
    """
    own = accounts.own_organization(db, by, None)
    incidents.profile_of(own)
    if sum(one.state is State.USABLE for one in listed(db, by=by, now=now)) >= _MOST:
        raise WrongState("there are many usable codes")
    assert by.person_id is not None
    code = spelling.made(_LENGTH)
    row = EmergencyCode(organization_id=own.id, code_hash=_hash(code), issued_by_id=by.person_id, issued_at=now)
    row.expires_at = now + VALID
    db.add(row)
    db.flush()
    audit.record(db, "emergency.code-issued", by=by, subject=row.id, now=now)
    return code


def listed(db: Session, *, by: Viewer, now: datetime) -> list[Listed]:
    """The codes of one's own organization, the newest first."""
    own = accounts.own_organization(db, by, None)
    rows = select(EmergencyCode, Person).join(Person, Person.id == EmergencyCode.issued_by_id)
    rows = rows.where(EmergencyCode.organization_id == own.id).order_by(EmergencyCode.issued_at.desc())
    return [Listed(row, issuer.username, _state(row, issuer, now)) for row, issuer in db.execute(rows)]


def revoke(db: Session, code_id: UUID, *, by: Viewer, now: datetime) -> None:
    """It opens nothing from now on. Raises: NotFound; WrongState if it opens nothing already."""
    own = accounts.own_organization(db, by, None)
    held = select(EmergencyCode).where(EmergencyCode.id == code_id, EmergencyCode.organization_id == own.id)
    row = db.scalars(held.with_for_update()).one_or_none()
    if row is None:
        raise NotFound("emergency code")
    if row.used_at or row.revoked_at:
        raise WrongState("the code is over")
    row.revoked_at = now
    audit.record(db, "emergency.code-revoked", by=by, subject=row.id, now=now)


def _state(row: EmergencyCode, issuer: Person, now: datetime) -> State:
    """A code ends with the account that issued it."""
    if row.used_at:
        return State.USED
    if row.revoked_at or not issuer.active:
        return State.REVOKED
    return State.USABLE if now < row.expires_at else State.EXPIRED


def _hash(typed: str) -> str:
    return accounts.hash_of(f"emergency\n{spelling.plain(typed)}")


# --- reporting with a code ------------------------------------------------------------------------------


def admit(db: Session, typed: str, answers: object, *, network: str, now: datetime) -> None:
    """Look at a code before anything is locked for it.

    One that can be used is never refused for what others try. Raises: TooManyAttempts from this network, or from all,
        for any other code; Unusable if nobody ever had such a code, with all that is wrong in the answers too.
    """
    row = db.scalars(select(EmergencyCode).where(EmergencyCode.code_hash == _hash(typed))).one_or_none()
    if row is not None and _state(row, db.get_one(Person, row.issued_by_id), now) is State.USABLE:
        return
    for subject, allowed in _counted(network).items():
        recent = select(func.count()).select_from(SignInFailure)
        recent = recent.where(SignInFailure.subject == subject, SignInFailure.at > now - _WINDOW)
        if (db.scalar(recent) or 0) >= allowed:
            raise accounts.TooManyAttempts
    if row is None:
        raise _unusable(answers, now)


def file(db: Session, typed: str, answers: Mapping[str, object], *, key: str, now: datetime, exercise: bool) -> Case:
    """Take a quick report on a code, which is spent with it. Sent again with the same key, it gives the same case.

    Raises: Unusable; Invalid, and the code stays good.
    """
    held = select(EmergencyCode).where(EmergencyCode.code_hash == _hash(typed)).with_for_update()
    row = db.scalars(held).one_or_none()
    if row is None:
        raise _unusable(answers, now)
    once = Once(row.id, _ROUTE, key)
    fingerprint = vault_of(db).fingerprint(orjson.dumps(answers, option=orjson.OPT_SORT_KEYS))
    given = idempotency.first_answer(db, once, fingerprint=fingerprint, now=now)
    if given is not None:
        return find(db, given["ref"])
    issuer = db.get_one(Person, row.issued_by_id)
    if _state(row, issuer, now) is not State.USABLE:
        raise _unusable(answers, now)
    case = _report(db, row, accounts.viewer_of(issuer), answers, now=now, exercise=exercise)
    idempotency.keep(db, once, {"ref": case.ref})
    return case


def _report(db: Session, row: EmergencyCode, issuer: Viewer, answers: object, *, now: datetime, exercise: bool) -> Case:
    """In the name of whoever issued the code; the audit chain says that nobody knows who used it."""
    whose = db.get_one(Organization, row.organization_id)
    quick = form.parse(answers, profile=incidents.profile_of(whose), now=now)
    row.used_at = now
    audit.record(db, "emergency.code-used", by="unknown", subject=row.id, now=now)
    filed = incidents.report(db, quick, by=issuer, via="emergency", now=now, exercise=exercise, organization=whose)
    filed.case.unconfirmed = True
    return filed.case


def _unusable(answers: object, now: datetime) -> Unusable:
    """With what else is wrong: nobody should have to correct a form twice on such a day."""
    problems = [Problem("code", "unusable-code")]
    try:
        form.parse(answers, profile=_NOBODY, now=now)
    except Invalid as error:
        problems += error.problems
    return Unusable(problems)


def find(db: Session, ref: str) -> Case:
    """A case that came on a code, for whoever holds its receipt. Raises: NotFound."""
    case = db.scalars(select(Case).where(Case.ref == ref)).unique().one_or_none()
    if case is None:
        raise NotFound(f"case {ref}")
    return case


def count_failure(db: Session, *, network: str, now: datetime) -> None:
    """Note that a code opened nothing."""
    db.add_all(SignInFailure(subject=subject, at=now) for subject in _counted(network))
    audit.record(db, "emergency.refused", by="unknown", subject="emergency", now=now)


def _counted(network: str) -> dict[str, int]:
    """What is counted, and how often it may fail: a brake, and with 80 bits no lock."""
    own, everybody = f"emergency\n{accounts.household(network)}", "emergency"
    return {accounts.hash_of(own): _OF_A_NETWORK, accounts.hash_of(everybody): _OF_ALL}
