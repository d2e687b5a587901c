"""Webhooks: where an organization hears that something changed in a case of its own.

A message says which case it is and how it stands, in ids and states, never what was reported. It is signed, sent by a
worker, and tried again for a day; nobody who files waits for it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from exchange import accounts, audit, clocks, fetch, incidents, outbox
from exchange.clocks import Urgency
from exchange.db import Store, vault_of
from exchange.errors import Invalid, NotFound, NotPermitted, Problem
from exchange.feed import Clock
from exchange.fetch import NotFetched
from exchange.models import (
    Case,
    Deadline,
    Delivery,
    Edition,
    EditionObject,
    Event,
    Knock,
    Message,
    ReportVersion,
    Webhook,
)
from exchange.sharing import Viewer, may_report_on
from exchange.times import rfc3339

MOST: Final = 5
SIGNATURE: Final = "Noroshi-Signature"
_PREFIX: Final = "noroshi_hook_"
_TOPIC, _DUE = "case.changed", "webhook.due"
_MOST_AT_ONCE: Final = 100
_SOONEST_RETRY, _TRIED_FOR, _KEPT = timedelta(minutes=1), timedelta(days=1), timedelta(days=90)
_PRESSING: Final = {Urgency.SOON, Urgency.LATE}


# --- registering ---------------------------------------------------------------------------------------


def register(db: Session, url: object, *, by: Viewer, now: datetime, this_machine: bool) -> tuple[Webhook, str]:
    """Register an address; returns its secret, which is shown this once.

    Args:
        this_machine: whether http://127.0.0.1 may be meant, as in an exercise.
    Raises: Invalid; NotPermitted if `by` may not report.
    """
    own = accounts.own_organization(db, by, None)
    if not may_report_on(by, organization_id=own.id):
        raise NotPermitted("only a reporter registers webhooks")
    address = _checked(url, this_machine=this_machine)
    if len(of_organization(db, by, now=now)) >= MOST:
        raise Invalid([Problem("url", "too-many-webhooks", {"max": MOST})])
    webhook = Webhook(id=uuid4(), organization_id=own.id, person_id=by.person_id, key_id=by.key_id, created_at=now)
    webhook.sealed_url = vault_of(db).seal(address.encode(), at=f"webhook.url:{webhook.id}")
    secret = _PREFIX + secrets.token_urlsafe(32)
    webhook.sealed_secret = vault_of(db).seal(secret.encode(), at=f"webhook:{webhook.id}")
    db.add(webhook)
    db.flush()
    audit.record(db, "webhook.added", by=by, subject=webhook.id, now=now)
    return webhook, secret


def _checked(url: object, *, this_machine: bool) -> str:
    try:
        fetch.target_of(url if isinstance(url, str) else "", this_machine=this_machine)
    except NotFetched:
        raise Invalid([Problem("url", "bad-webhook-url")]) from None
    return str(url)


def of_organization(db: Session, by: Viewer, *, now: datetime) -> Sequence[Webhook]:
    """The webhooks of the organization of `by`, the oldest first."""
    if by.organization_id is None or not may_report_on(by, organization_id=by.organization_id):
        return []
    return _standing_at(db, by.organization_id, now)


def _standing_at(db: Session, organization_id: UUID, now: datetime) -> list[Webhook]:
    rows = select(Webhook).where(Webhook.organization_id == organization_id, Webhook.revoked_at.is_(None))
    return [one for one in db.scalars(rows.order_by(Webhook.created_at, Webhook.id)).unique() if _stands(one, now)]


def _stands(webhook: Webhook, now: datetime) -> bool:
    """As long as whoever registered it could do so again: the account reports, and its key opens something."""
    maker, key = accounts.viewer_of(webhook.person), webhook.key
    if webhook.revoked_at or not webhook.person.active or (key and (key.revoked_at or key.expires_at <= now)):
        return False
    return may_report_on(maker, organization_id=webhook.organization_id)


def url_of(db: Session, webhook: Webhook) -> str:
    """Where its messages go: a host of the organization, which its case numbers must not lie beside."""
    return vault_of(db).unseal(webhook.sealed_url, at=f"webhook.url:{webhook.id}").decode()


def revoke(db: Session, webhook_id: UUID, *, by: Viewer, now: datetime) -> Webhook:
    """Nothing is sent there any more, not even what waits; its key or its account gone, neither. Raises: NotFound."""
    webhook = next((one for one in of_organization(db, by, now=now) if one.id == webhook_id), None)
    if webhook is None:
        raise NotFound("webhook")
    webhook.revoked_at = now
    audit.record(db, "webhook.revoked", by=by, subject=webhook.id, now=now)
    return webhook


def last_knock(db: Session, webhook: Webhook, case_id: UUID | None = None) -> Knock | None:
    """The newest message to a webhook, or the newest about one case."""
    rows = select(Knock).where(Knock.webhook_id == webhook.id)
    rows = rows.where(Knock.case_id == case_id) if case_id else rows
    return db.scalars(rows.order_by(Knock.at.desc(), Knock.id).limit(1)).unique().first()


# --- what is said --------------------------------------------------------------------------------------


def on_case_changed(db: Session, case_id: UUID, *, now: datetime) -> int:
    """Leave a message for each webhook that does not know yet how the case stands; returns how many."""
    own = db.get_one(Case, case_id).organization_id
    webhooks = _standing_at(db, own, now)
    if not webhooks:
        return 0
    # Of two that look at once, the second sees what the first left.
    case = incidents.hold(db, case_id)
    stands = _standing(db, case, now)
    return sum(_knock(db, webhook, case, stands, now) for webhook in webhooks)


def on_released(db: Session, edition_id: UUID, *, now: datetime) -> int:
    """The same after an edition went into the feed."""
    return on_case_changed(db, db.get_one(Edition, edition_id).case_id, now=now)


def look_at_clocks(db: Session, *, now: datetime) -> int:
    """Say of which cases a deadline has become pressing: no filing tells of that. Returns how many messages."""
    running = select(Deadline).join(Case).join(Webhook, Webhook.organization_id == Case.organization_id)
    running = running.where(Webhook.revoked_at.is_(None), Case.closed_at.is_(None), Deadline.met_at.is_(None))
    dated = db.scalars(running.where(Deadline.runs_out_at.is_not(None))).unique().all()
    pressing = {one.case_id for one in dated if clocks.stands(one, now).urgency in _PRESSING}
    return sum(on_case_changed(db, case_id, now=now) for case_id in pressing)


def _standing(db: Session, case: Case, now: datetime) -> dict[str, Any]:
    """How a case stands, in ids and states."""
    version = incidents.latest(case)
    asked = (
        select(func.count()).select_from(Message).where(Message.case_id == case.id, Message.from_reporter.is_(False))
    )
    return {
        "state": "closed" if case.closed_at else "open",
        "report": {"seq": version.seq, "stage": version.stage},
        "receipts": _receipts(db, case),
        "questions": db.scalar(asked) or 0,
        "deadlines": [
            {"regime": one.regime, "stage": one.stage, "state": clocks.stands(one, now).urgency}
            for one in clocks.of_case(db, case)
        ],
        "editions": _editions(db, case),
    }


def _receipts(db: Session, case: Case) -> list[dict[str, Any]]:
    """Which authorities have confirmed which version."""
    rows = select(Delivery.recipient, ReportVersion.seq).join(ReportVersion).where(ReportVersion.case_id == case.id)
    rows = rows.where(Delivery.received_at.is_not(None)).order_by(ReportVersion.seq, Delivery.recipient)
    return [{"recipient": recipient, "seq": seq} for recipient, seq in db.execute(rows)]


def _editions(db: Session, case: Case) -> list[str]:
    """The editions of which others have something."""
    rows = select(Edition.kind).join(EditionObject).where(Edition.case_id == case.id, Edition.withdrawn_at.is_(None))
    rows = rows.where(EditionObject.body.is_not(None), EditionObject.retired.is_(False))
    return list(db.scalars(rows.distinct().order_by(Edition.kind)))


def _knock(db: Session, webhook: Webhook, case: Case, stands: Mapping[str, Any], now: datetime) -> bool:
    before = last_knock(db, webhook, case.id)
    known = orjson.loads(_body_of(db, before)) if before else {}
    changed = [name for name, value in stands.items() if (known.get(name) != value if before else value)]
    if not changed:
        return False
    knock_id = uuid4()
    said = {"id": str(knock_id), "type": _TOPIC, "at": rfc3339(now), "case_id": case.ref, "changed": changed, **stands}
    sealed = vault_of(db).seal(orjson.dumps(said), at=f"knock.body:{knock_id}")
    db.add(Knock(id=knock_id, webhook_id=webhook.id, case_id=case.id, topic=_TOPIC, sealed_body=sealed, at=now))
    outbox.tell(db, "webhook.due", knock_id, now=now)
    return True


def _body_of(db: Session, knock: Knock) -> bytes:
    return vault_of(db).unseal(knock.sealed_body, at=f"knock.body:{knock.id}")


# --- sending -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Parcel:
    """One message, and where it goes."""

    url: str
    body: bytes
    secret: str


def waiting(db: Session, *, now: datetime) -> list[tuple[UUID, UUID]]:
    """(event, webhook) of the messages that are due and in nobody's hands, oldest first."""
    free = or_(Event.leased_until.is_(None), Event.leased_until <= now)
    due = select(Event.id, Knock.webhook_id).join(Knock, Knock.id == Event.subject_id)
    due = due.where(Event.topic == _DUE, Event.done_at.is_(None), Event.at <= now, free)
    return [(event_id, webhook_id) for event_id, webhook_id in db.execute(due.order_by(Event.at).limit(_MOST_AT_ONCE))]


def deliver(case: Store, knock_id: UUID, *, clock: Clock, this_machine: bool) -> bool:
    """Send one message, or find that it does not go out any more; returns False if it was not taken.

    It is tried again then, later each time.
    """
    with case.reading() as db:
        parcel = _parcel(db, knock_id, now=clock())
    if parcel is None:
        return True
    # No connection to the database is held meanwhile.
    status = _sent(parcel, at=clock(), this_machine=this_machine)
    with case.transaction() as db:
        return _settle(db, knock_id, status, now=clock())


def _parcel(db: Session, knock_id: UUID, *, now: datetime) -> _Parcel | None:
    knock = db.get_one(Knock, knock_id)
    webhook = knock.webhook
    if knock.delivered_at is not None or not _stands(webhook, now):
        return None
    secret = vault_of(db).unseal(webhook.sealed_secret, at=f"webhook:{webhook.id}").decode()
    return _Parcel(url_of(db, webhook), _body_of(db, knock), secret)


def _sent(parcel: _Parcel, *, at: datetime, this_machine: bool) -> int | None:
    """The status of the answer; None if there was none."""
    headers = {
        SIGNATURE: signature(parcel.secret, parcel.body, at=at),
        "Content-Type": "application/json",
        "User-Agent": "Noroshi",
    }
    try:
        return fetch.post(parcel.url, parcel.body, headers, this_machine=this_machine).status
    except NotFetched:
        return None


def signature(secret: str, body: bytes, *, at: datetime) -> str:
    """`t=<unix>,v1=<hex>`: the HMAC-SHA-256 of the time, a dot and the body."""
    stamp = int(at.timestamp())
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    return f"t={stamp},v1={mac.hexdigest()}"


def _settle(db: Session, knock_id: UUID, status: int | None, *, now: datetime) -> bool:
    knock = db.get_one(Knock, knock_id)
    knock.status = status
    if status is not None and 200 <= status < 300:
        knock.delivered_at, knock.webhook.failing_since = now, None
        return True
    knock.webhook.failing_since = knock.webhook.failing_since or now
    # As long again as it has waited already: the pauses double by themselves.
    again = now + max(_SOONEST_RETRY, now - knock.at)
    if again - knock.at <= _TRIED_FOR:
        outbox.tell(db, "webhook.due", knock_id, now=now, not_before=again)
    return False


def forget(db: Session, *, now: datetime) -> int:
    """Remove messages older than 90 days; returns how many."""
    gone = db.execute(delete(Knock).where(Knock.at < now - _KEPT))
    return int(gone.rowcount)  # type: ignore[attr-defined]
