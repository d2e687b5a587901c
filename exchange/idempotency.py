"""Every POST that creates may be sent twice and acts once: the first answer is kept, and given again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from exchange.db import add_if_absent
from exchange.errors import Conflict, Invalid, Problem
from exchange.models import Answer

KEPT = timedelta(days=7)
_LONGEST = 128


@dataclass(frozen=True)
class Once:
    """What may happen once: one key, of one account, on one route."""

    account_id: UUID
    route: str
    key: str


def first_answer(db: Session, once: Once, *, fingerprint: str, now: datetime) -> dict[str, Any] | None:
    """The answer given before under this key, or None: then this transaction is the first, and must `keep` one.

    Args:
        fingerprint: the keyed hash of the request's body.
    Raises:
        Conflict: the key came before with another body.
        Invalid: not 1 to 128 printable ASCII characters.
    """
    if not (1 <= len(once.key) <= _LONGEST and once.key.isascii() and once.key.isprintable()):
        raise Invalid([Problem("Idempotency-Key", "bad-idempotency-key", {"max": _LONGEST})])
    if add_if_absent(db, Answer, id=uuid4(), fingerprint=fingerprint, given=None, at=now, **vars(once)):
        return None
    found = db.scalars(select(Answer).filter_by(**vars(once))).one()
    if found.fingerprint != fingerprint:
        raise Conflict("this Idempotency-Key came before with another body")
    return found.given


def keep(db: Session, once: Once, answer: dict[str, Any]) -> None:
    """Keep the answer that is about to be given, in the transaction that makes it true."""
    db.scalars(select(Answer).filter_by(**vars(once))).one().given = answer


def forget(db: Session, *, now: datetime) -> int:
    """Remove answers older than 7 days; returns how many."""
    gone = db.execute(delete(Answer).where(Answer.at < now - KEPT))
    return int(gone.rowcount)  # type: ignore[attr-defined]
