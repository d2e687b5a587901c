"""What organizations tell the desk on the telephone: the duty officer finds them in the register and takes it down."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import accounts, attachments, audit, form, incidents, sharing
from exchange.errors import Invalid, NotFound, NotPermitted, Problem
from exchange.incidents import Filed
from exchange.models import Case, Organization, ReportVersion
from exchange.sharing import Kind, Scope, Viewer

_SHORTEST, _MOST = 2, 20
_NOTE = "電話をかけてきた人.txt"
_SEARCHED = ("name_ja", "name_en", "corporate_number")


@dataclass(frozen=True)
class Registered:
    """An organization that can report, and what it registered: names, contacts."""

    row: Organization
    profile: Mapping[str, Any]

    @property
    def scope(self) -> Scope:
        """How far its reports go unless it says otherwise on the phone."""
        return Scope(self.row.standing_scope or Scope.LEGAL_ONLY)


def search(db: Session, words: str, *, by: Viewer, now: datetime) -> list[Registered]:
    """At most 20 organizations whose name or number contains `words`, by their register number. Audited.

    Raises: NotPermitted; Invalid for less than two characters.
    """
    _need(by)
    wanted = _folded(words)
    if len(wanted) < _SHORTEST:
        raise Invalid([Problem("words", "too-short", {"min": _SHORTEST})])
    audit.record(db, "register.searched", by=by, subject="register", now=now)
    rows = select(Organization).where(Organization.kind == Kind.OPERATOR, Organization.sector.is_not(None))
    listed = (Registered(row, accounts.profile_of(db, row)) for row in db.scalars(rows.order_by(Organization.ref)))
    return [one for one in listed if any(wanted in text for text in _texts(one))][:_MOST]


def _texts(one: Registered) -> list[str]:
    return [_folded(one.row.ref), *(_folded(str(one.profile.get(name, ""))) for name in _SEARCHED)]


def _folded(text: str) -> str:
    """Without case, width and blanks."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def find(db: Session, ref: str, *, by: Viewer, now: datetime) -> Registered:
    """One of the register, with its contacts. Audited. Raises: NotPermitted, NotFound."""
    _need(by)
    held = select(Organization).where(Organization.ref == ref, Organization.kind == Kind.OPERATOR)
    row = db.scalars(held).one_or_none() if ref.isprintable() else None
    if row is None or row.sector is None:
        raise NotFound("organization")
    audit.record(db, "register.opened", by=by, subject=row.id, now=now)
    return Registered(row, accounts.profile_of(db, row))


def report(
    db: Session, whose: Organization, answers: object, *, by: Viewer, via: str, now: datetime, exercise: bool
) -> Filed:
    """Take a quick report down for an organization, which sees it among its own and may correct it.

    Args:
        via: phone, or offline for a file that it handed over.
    Raises: NotPermitted, Invalid.
    """
    _need(by)
    quick = form.parse(answers, profile=incidents.profile_of(whose), now=now)
    filed = incidents.report(db, quick, by=by, via=via, now=now, exercise=exercise, organization=whose)
    filed.version.taken_by_id = by.person_id
    return filed


def take_down(
    db: Session, whose: Organization, answers: object, *, caller: str, by: Viewer, now: datetime, exercise: bool
) -> Filed:
    """A report told on the telephone; who told it is kept sealed beside it. Raises: NotPermitted, Invalid."""
    problems = [] if caller.strip() else [Problem("caller", "required")]
    try:
        filed = report(db, whose, answers, by=by, via="phone", now=now, exercise=exercise)
    except Invalid as error:
        raise Invalid(problems + error.problems) from None
    if problems:
        raise Invalid(problems)
    attachments.note(db, filed.version, name=_NOTE, text=caller.strip(), now=now)
    return filed


def taken(db: Session, ref: str, by: Viewer) -> ReportVersion:
    """What `by` took down itself, to read the number out, whatever the scope. Raises: NotFound."""
    own = select(ReportVersion).join(Case).where(Case.ref == ref, ReportVersion.taken_by_id == by.person_id)
    found = db.scalars(own.order_by(ReportVersion.seq)).unique().first() if ref.isprintable() else None
    if found is None:
        raise NotFound(f"case {ref}")
    return found


def _need(by: Viewer) -> None:
    if not sharing.may_report_for(by):
        raise NotPermitted("only the desk reports for others")
