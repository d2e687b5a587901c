"""What an authority asks about its copy, and what the reporter answers. Nobody else reads it; the texts are sealed."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import audit, incidents, outbox
from exchange.db import vault_of
from exchange.errors import Invalid, NotFound, Problem
from exchange.models import Case, Message
from exchange.sharing import Viewer, said_to

LONGEST = 4000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BIDI = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Said(NamedTuple):
    """One message, opened."""

    from_reporter: bool
    text: str
    at: datetime


def say(
    db: Session, case: Case, authority: str, text: str, *, from_reporter: bool, by: Viewer, now: datetime
) -> Message:
    """Add a message between this authority and the reporter; whether `by` may is settled before. Raises: Invalid."""
    assert by.person_id is not None
    said = Message(id=uuid4(), case_id=case.id, authority=authority, from_reporter=from_reporter, at=now)
    said.person_id = by.person_id
    said.sealed_text = vault_of(db).seal(clean(text, "text", most=LONGEST).encode(), at=f"message:{said.id}")
    db.add(said)
    audit.record(db, "question.answered" if from_reporter else "question.asked", by=by, subject=said.id, now=now)
    outbox.tell(db, "case.changed", case.id, now=now)
    return said


def answer(db: Session, ref: str, authority: str, text: str, *, by: Viewer, now: datetime) -> Message:
    """The reporter answers an authority that has asked. Raises: NotFound, Invalid."""
    case = incidents.find_own(db, ref, by)
    asked = select(Message.authority).where(Message.case_id == case.id, Message.from_reporter.is_(False))
    if authority not in set(db.scalars(asked)):
        raise NotFound(f"question of {authority}")
    return say(db, case, authority, text, from_reporter=True, by=by, now=now)


def threads(db: Session, case: Case, *, own: str | None, viewer: Viewer, now: datetime) -> dict[str, list[Said]]:
    """All that was said about a case and that `viewer` may read, by authority, in the order in which it was said.

    Args:
        own: the authority that the viewer's organization stands for.
    """
    rows = select(Message).join(Case).where(Message.case_id == case.id, said_to(viewer, own, Message, Case))
    found: dict[str, list[Said]] = {}
    for row in db.scalars(rows.order_by(Message.at, Message.id)):
        text = vault_of(db).unseal(row.sealed_text, at=f"message:{row.id}").decode()
        found.setdefault(row.authority, []).append(Said(row.from_reporter, text, row.at))
    if found:
        audit.record(db, "questions.read", by=viewer, subject=case.id, now=now)
    return found


def waits(thread: list[Said]) -> bool:
    """Whether the last word is a question."""
    return bool(thread) and not thread[-1].from_reporter


def clean(text: str, field: str, *, most: int) -> str:
    """A typed text, with the line ends of Unix and nothing around it. Raises: Invalid; linear in its length."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    for code, wrong in (
        ("required", not plain),
        ("too-long", len(plain) > most),
        ("control-character", _CONTROL.search(plain)),
        ("bidi-character", _BIDI.search(plain)),
    ):
        if wrong:
            raise Invalid([Problem(field, code, {"max": most})])
    return plain
