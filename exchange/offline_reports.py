"""Filing what came in a file of the offline form: one file is one report, however often and by whom it is brought."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import accounts, audit, form, idempotency, incidents, phone, spelling
from exchange.answer_types import Time
from exchange.db import vault_of
from exchange.errors import Invalid, Problem
from exchange.form import Profile
from exchange.idempotency import Once
from exchange.models import Case, Organization, ReportVersion
from exchange.offline import Parcel, Typed
from exchange.sectors import day_of
from exchange.sharing import Viewer

_TIME: TypeAdapter[datetime] = TypeAdapter(Time)
_ROUTE = "offline"
Read = tuple[Parcel, Typed]


class NotTheirs(Invalid):
    """A file that is somebody else's, or may be. Nothing of it is kept, and it can still be brought by others."""

    def __init__(self, problem: Problem, file_id: UUID) -> None:
        super().__init__([problem])
        self.file_id = file_id


def take(
    db: Session, read: Read, *, organization: str | None, by: Viewer, now: datetime, exercise: bool
) -> tuple[Case, bool]:
    """File what a file tells; returns its case, and whether the file was new. Brought again, it gives the first case.

    Args:
        read: as `offline.read` gives it.
        organization: the register number of the organization for which the desk brings it; None for one's own.
    Raises: NotTheirs, to be noted; Invalid with what else is wrong; NotFound, NotPermitted.
    """
    parcel, typed = read
    whose = _whose(db, organization, by=by, now=now)
    if wrong := _misplaced(typed, whose, at_desk=organization is not None):
        raise NotTheirs(wrong, parcel.file_id)
    once = Once(parcel.file_id, _ROUTE, parcel.id)
    given = idempotency.first_answer(db, once, fingerprint=vault_of(db).fingerprint(parcel.sealed), now=now)
    ref = given["ref"] if given else None
    answers = _answers(typed, incidents.profile_of(whose), now)
    before = _case(db, ref) if ref else _filed_before(db, whose, answers, now)
    if before is None:
        filed = _file(db, whose, organization, answers, by=by, now=now, exercise=exercise)
    elif before.organization_id != whose.id:
        raise NotTheirs(Problem("file", "taken-elsewhere"), parcel.file_id)
    case = before or filed
    idempotency.keep(db, once, {"ref": case.ref})
    return case, before is None


def check_code(parcel: Parcel, typed: str) -> None:
    """Compare the digits that the reporter reads out; none are none to compare. Raises: Invalid."""
    said = spelling.plain(typed)
    if said and not hmac.compare_digest(said, spelling.plain(parcel.code)):
        raise Invalid([Problem("code", "wrong-code")])


def note(db: Session, refused: NotTheirs, *, by: Viewer | str, now: datetime) -> None:
    """Leave word of a file that was brought for the wrong organization."""
    audit.record(db, "offline.refused", by=by, subject=refused.file_id, now=now)


def _misplaced(typed: Typed, whose: Organization, *, at_desk: bool) -> Problem | None:
    """Whoever gets hold of a file must not read it as their own. The desk may know whose a file without a number is."""
    named, own = accounts.canonical(typed.organization), accounts.canonical(whose.ref)
    if named == own or (at_desk and not named):
        return None
    if at_desk:
        return Problem("organization", "other-number", {"number": typed.organization})
    return Problem("file", "anothers" if named else "nobodys")


def _whose(db: Session, organization: str | None, *, by: Viewer, now: datetime) -> Organization:
    if organization is None:
        return accounts.own_organization(db, by, None)
    return phone.find(db, organization, by=by, now=now).row


def _answers(typed: Typed, profile: Profile, now: datetime) -> dict[str, object]:
    """The page does not know who fills it in: what only some must answer is not known, if they left it out."""
    answers = form.from_form(typed.answers, today=_day_of(typed, now)) | {"submitted_at": typed.made_at}
    return {"designated_asset": "unknown"} | answers if profile.act_special_operator else answers


def _day_of(typed: Typed, now: datetime) -> date:
    """When it was typed; if the file does not tell, which is refused, today."""
    try:
        return day_of(_TIME.validate_python(typed.made_at))
    except ValidationError:
        return day_of(now)


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
