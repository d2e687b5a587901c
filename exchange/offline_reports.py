"""Filing what came in a file of the offline form: one file is one report, however often and by whom it is brought."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import accounts, audit, form, idempotency, incidents, phone, spelling
from exchange.db import vault_of
from exchange.errors import Invalid, Problem
from exchange.form import Profile
from exchange.idempotency import Once
from exchange.models import Case, Organization, ReportVersion
from exchange.offline import Parcel, Typed
from exchange.sharing import Viewer

_ROUTE = "offline"
Read = tuple[Parcel, Typed]


def take(
    db: Session, read: Read, *, organization: str | None, by: Viewer, now: datetime, exercise: bool
) -> tuple[Case, bool]:
    """File what a file tells; returns its case, and whether the file was new. Brought again, it gives the first case.

    Args:
        read: as `offline.read` gives it.
        organization: the register number of the organization for which the desk brings it; None for one's own.
    Raises: Invalid with what is wrong; NotFound, NotPermitted.
    """
    parcel, typed = read
    whose = _whose(db, organization, by=by, now=now)
    once = Once(parcel.file_id, _ROUTE, parcel.id)
    given = idempotency.first_answer(db, once, fingerprint=vault_of(db).fingerprint(parcel.sealed), now=now)
    ref = given["ref"] if given else None
    answers = _answers(typed, incidents.profile_of(whose))
    before = _case(db, ref) if ref else _filed_before(db, whose, answers, now)
    if before is None:
        filed = _file(db, whose, organization, answers, by=by, now=now, exercise=exercise)
    elif before.organization_id != whose.id:
        raise Invalid([Problem("file", "taken-elsewhere")])
    case = before or filed
    idempotency.keep(db, once, {"ref": case.ref})
    return case, before is None


def check_code(parcel: Parcel, typed: str) -> None:
    """Compare the digits that the reporter reads out; none are none to compare. Raises: Invalid."""
    said = spelling.plain(typed)
    if said and not hmac.compare_digest(said, spelling.plain(parcel.code)):
        raise Invalid([Problem("code", "wrong-code")])


def _whose(db: Session, organization: str | None, *, by: Viewer, now: datetime) -> Organization:
    if organization is None:
        return accounts.own_organization(db, by, None)
    return phone.find(db, organization, by=by, now=now).row


def _answers(typed: Typed, profile: Profile) -> dict[str, object]:
    """The page does not know who fills it in: what only some must answer is not known, if they left it out."""
    answers = form.from_form(typed.answers) | {"submitted_at": typed.made_at}
    return {"designated_asset": "unknown"} | answers if profile.act_special_operator else answers


def _file(
    db: Session,
    whose: Organization,
    organization: str | None,
    answers: Mapping[str, Any],
    *,
    by: Viewer,
    now: datetime,
    exercise: bool,
) -> Case:
    audit.record(db, "offline.imported", by=by, subject=whose.id, now=now)
    if organization is not None:
        return phone.report(db, whose, answers, by=by, via="offline", now=now, exercise=exercise).case
    quick = incidents.read(db, answers, by=by, now=now)
    return incidents.report(db, quick, by=by, via="offline", now=now, exercise=exercise).case


def _filed_before(db: Session, whose: Organization, answers: Mapping[str, Any], now: datetime) -> Case | None:
    """The case of the same file, brought longer ago than first answers are kept: the same words, made at one moment."""
    quick = form.parse(answers, profile=incidents.profile_of(whose), now=now)
    said = orjson.dumps(incidents.answers_of(quick), option=orjson.OPT_SORT_KEYS)
    same = select(Case).join(ReportVersion).where(ReportVersion.fingerprint == vault_of(db).fingerprint(said))
    same = same.where(ReportVersion.via == "offline", ReportVersion.claimed_at == quick.submitted_at)
    return db.scalars(same.limit(1)).unique().first()


def _case(db: Session, ref: str) -> Case:
    return db.scalars(select(Case).where(Case.ref == ref)).unique().one()
