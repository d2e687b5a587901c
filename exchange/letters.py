"""Mails as rows: one for each thing that came due and each address, read anew when it goes out.

What a letter says, and whether anybody may still have it, is settled when it is sent: until then a row is an intention.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from uuid import UUID, uuid4

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from exchange import accounts, audit, matters
from exchange.db import add_if_absent, vault_of
from exchange.letter_texts import message
from exchange.matters import Matter
from exchange.models import Event, Letter, Organization, Person
from exchange.sharing import Scope, Viewer, may_open_copy, may_report_on

_MOST_AT_ONCE = 500
# One plain address: no list, no name, no blank, nothing that a header or a command of SMTP could end at.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z0-9-]{2,63}")


@dataclass(frozen=True)
class _Missing:
    """A letter that ought to be there."""

    matter: Matter
    address: str
    natural_key: str


# --- writing -------------------------------------------------------------------------------------------


def remind(db: Session, *, now: datetime) -> int:
    """Write to the reporters whose deadlines come due, or who were asked to look again; returns how many letters."""
    added = [one.matter for one in _missing(db, matters.due(db, now=now)) if _add(db, one, now)]
    for deadline in {matter.deadline for matter in added if matter.deadline is not None}:
        deadline.warned += 1
    return len(added)


def anything_to_remind_of(db: Session, *, now: datetime) -> bool:
    """Whether `remind` would write something: a read, so that an idle minute writes nothing."""
    return bool(_missing(db, matters.due(db, now=now)))


def on_case_changed(db: Session, case_id: UUID, *, now: datetime) -> int:
    """Write to the reporter about what authorities did, and to an authority about its copy; returns how many."""
    return sum(_add(db, one, now) for one in _missing(db, matters.news(db, case_id, now=now)))


def _missing(db: Session, found: Iterable[Matter]) -> list[_Missing]:
    addresses = _Addresses(db)
    wanted = [_Missing(one, to, _key(db, one, to)) for one in found for to in addresses.of(one)]
    known: set[str] = set()
    for start in range(0, len(wanted), _MOST_AT_ONCE):
        keys = [one.natural_key for one in wanted[start : start + _MOST_AT_ONCE]]
        known |= set(db.scalars(select(Letter.natural_key).where(Letter.natural_key.in_(keys))))
    return [one for one in wanted if one.natural_key not in known]


def _key(db: Session, matter: Matter, address: str) -> str:
    return f"{matter.key}:{vault_of(db).fingerprint('letter', address.casefold())[:32]}"


def _add(db: Session, one: _Missing, now: datetime) -> bool:
    letter_id = uuid4()
    sealed = vault_of(db).seal(one.address.encode(), at=f"letter:{letter_id}")
    what = {"case_id": one.matter.case.id, "topic": one.matter.topic, "subject_id": one.matter.subject_id}
    values = what | {"natural_key": one.natural_key, "sealed_address": sealed, "at": now}
    return add_if_absent(db, Letter, id=letter_id, **values)


# --- to whom -------------------------------------------------------------------------------------------


class _Addresses:
    """The addresses of organizations, each looked up once: those of the contacts in its profile, as long as somebody
    there has an account that may see the thing."""

    def __init__(self, db: Session) -> None:
        self._db = db
        self._people: dict[UUID, list[Viewer]] = {}

    def of(self, matter: Matter) -> list[str]:
        if matter.recipient is None:
            own = matter.case.organization
            told = any(may_report_on(one, organization_id=own.id) for one in self._viewers(own))
            return self._contacts(own) if told else []
        scope = Scope(matter.case.share_scope)
        return [address for own in self._standing_for(matter.recipient, scope) for address in self._contacts(own)]

    def _standing_for(self, authority: str, scope: Scope) -> Iterator[Organization]:
        standing = select(Organization).where(Organization.authority == authority).order_by(Organization.id)
        for own in self._db.scalars(standing):
            viewers = self._viewers(own)
            if any(may_open_copy(one, own=own.authority, recipient=authority, scope=scope) for one in viewers):
                yield own

    def _viewers(self, own: Organization) -> list[Viewer]:
        if own.id not in self._people:
            active = select(Person).where(Person.organization_id == own.id, Person.active)
            self._people[own.id] = [accounts.viewer_of(one) for one in self._db.scalars(active).unique()]
        return self._people[own.id]

    def _contacts(self, own: Organization) -> list[str]:
        given = [str(one.get("email") or "") for one in accounts.profile_of(self._db, own).get("contacts", ())]
        usable = {one.casefold(): one for one in given if _ADDRESS.fullmatch(one)}
        return list(usable.values())


# --- sending -------------------------------------------------------------------------------------------


def hand_over(db: Session, *, now: datetime) -> int:
    """Leave word for the post of every letter that it has not heard of; each is told of once, under its own id."""
    waiting = db.scalars(_unheard_of().order_by(Letter.at, Letter.id).limit(_MOST_AT_ONCE)).all()
    told = {"topic": "letter.ready", "at": now, "ring_at": now}
    return sum(add_if_absent(db, Event, id=one, subject_id=one, **told) for one in waiting)


def anything_to_hand_over(db: Session) -> bool:
    """Whether `hand_over` has something: a read."""
    return db.scalar(_unheard_of().limit(1)) is not None


def _unheard_of() -> Select[UUID]:
    return select(Letter.id).where(Letter.sent_at.is_(None), ~exists().where(Event.id == Letter.id))


def read(db: Session, letter_id: UUID, *, portal_url: str, sender: str, now: datetime) -> EmailMessage | None:
    """The mail as it has to be at this moment; None, and the letter is gone, if nobody may or need have it any more."""
    letter = db.get(Letter, letter_id)
    if letter is None or letter.sent_at is not None:
        return None
    address = vault_of(db).unseal(letter.sealed_address, at=f"letter:{letter.id}").decode()
    matter = matters.of_letter(db, letter, now=now)
    entitled = matter is not None and address in _Addresses(db).of(matter)
    if matter is None or not entitled or _key(db, matter, address) != letter.natural_key:
        audit.record(db, "letter.dropped", by="worker", subject=letter.id, now=now)
        db.delete(letter)
        return None
    return message(db, letter, matter, to=address, sender=sender, portal_url=portal_url, now=now)


def sent(db: Session, letter_id: UUID, *, now: datetime) -> None:
    """The mail server has taken it."""
    db.get_one(Letter, letter_id).sent_at = now
    audit.record(db, "letter.sent", by="worker", subject=letter_id, now=now)


def refused(db: Session, letter_id: UUID, *, fault: str, now: datetime) -> None:
    """The mail server will never take it: no further try, and the letter stays for people to see."""
    event = db.get_one(Event, letter_id)
    event.done_at, event.leased_until, event.fault = now, None, fault
    audit.record(db, "letter.refused", by="worker", subject=letter_id, now=now)


def remarks(db: Session, *, has_post: bool) -> list[str]:
    """What a person should know about letters that have not gone out, in words; none if all is well."""
    unsent = select(func.count()).select_from(Letter).where(Letter.sent_at.is_(None))
    given_up = unsent.where(exists().where(Event.id == Letter.id, Event.done_at.is_not(None)))
    lost = db.scalar(given_up) or 0
    waiting = (db.scalar(unsent) or 0) - lost
    said = []
    if waiting and not has_post:
        said.append(f"letters that wait, since no mail server is set (NOROSHI_MAIL_URL): {waiting}")
    if lost:
        said.append(f"letters that the mail server refused for good: {lost}")
    return said
