"""Reports that came without a sign-in: somebody at the desk calls the organization back before anything is shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from exchange import accounts, audit, incidents, outbox, sharing
from exchange.errors import NotFound, NotPermitted
from exchange.models import Case
from exchange.sharing import Viewer


def waiting(db: Session, by: Viewer) -> Sequence[Case]:
    """The cases whose organization must be called back, the longest wait first. Raises: NotPermitted."""
    return db.scalars(_waiting(by).order_by(Case.opened_at)).unique().all()


def disowned(db: Session, by: Viewer, *, most: int = 20) -> Sequence[Case]:
    """What was closed last because the organization knew nothing of it. Raises: NotPermitted."""
    return db.scalars(_disowned(by).order_by(Case.disowned_at.desc()).limit(most)).unique().all()


def open_call(db: Session, ref: str, *, by: Viewer, now: datetime) -> tuple[Case, Mapping[str, Any]]:
    """Whom to call: the case, and what its organization registered. Audited. Raises: NotPermitted, NotFound."""
    case = _find(db, ref, _waiting(by))
    audit.record(db, "callback.opened", by=by, subject=case.id, now=now)
    return case, accounts.profile_of(db, case.organization)


def confirm(db: Session, ref: str, *, by: Viewer, now: datetime) -> None:
    """The organization says that the report is its own: from now on it is shared as far as it allows.

    Raises: NotPermitted, NotFound.
    """
    case = _held(db, ref, _waiting(by))
    incidents.confirm(db, case, now=now)
    audit.record(db, "case.confirmed", by=by, subject=case.id, now=now)


def disown(db: Session, ref: str, *, by: Viewer, now: datetime) -> None:
    """The organization knows nothing of it: the case is closed and kept, and nothing of it is ever shared.

    Raises: NotPermitted, NotFound.
    """
    case = _held(db, ref, _waiting(by))
    case.closed_at = case.disowned_at = now
    audit.record(db, "case.disowned", by=by, subject=case.id, now=now)
    outbox.tell(db, "case.changed", case.id, now=now)


def undo(db: Session, ref: str, *, by: Viewer, now: datetime) -> None:
    """It was closed by mistake, and waits for a call again. Raises: NotPermitted, NotFound."""
    case = _held(db, ref, _disowned(by))
    case.closed_at = case.disowned_at = None
    audit.record(db, "case.disowning-undone", by=by, subject=case.id, now=now)
    outbox.tell(db, "case.changed", case.id, now=now)


def _unconfirmed(by: Viewer) -> Select[Case]:
    if not sharing.may_call_back(by):
        raise NotPermitted("only the desk calls back")
    return select(Case).where(Case.unconfirmed)


def _waiting(by: Viewer) -> Select[Case]:
    return _unconfirmed(by).where(Case.disowned_at.is_(None))


def _disowned(by: Viewer) -> Select[Case]:
    return _unconfirmed(by).where(Case.disowned_at.is_not(None))


def _find(db: Session, ref: str, among: Select[Case]) -> Case:
    case = db.scalars(among.where(Case.ref == ref)).unique().one_or_none() if ref.isprintable() else None
    if case is None:
        raise NotFound(f"case {ref}")
    return case


def _held(db: Session, ref: str, among: Select[Case]) -> Case:
    """Of two who decide at once, the second finds nothing: the row is locked, then looked for again."""
    incidents.hold(db, _find(db, ref, among).id)
    return _find(db, ref, among)
