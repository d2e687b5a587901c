"""Each task is a short sentence around a function of `exchange`. Run twice, it acts once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from celery import current_app, shared_task
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.orm import Session

from config import Settings
from exchange import accounts, audit, carrying, contributions, editions, findings, idempotency, outbox, sealing
from exchange.db import Store
from exchange.errors import Unavailable
from exchange.stores import Stores
from exchange.times import utcnow

_log = structlog.get_logger()


@dataclass(frozen=True)
class House:
    """What a task needs to know of its installation."""

    settings: Settings
    stores: Stores


def house() -> House:
    """The installation of the running worker."""
    found = current_app.house
    assert isinstance(found, House)
    return found


# --- steps: one for each topic of the outbox, named after it --------------------------------------------


@shared_task(name="report.filed")
def normalise_report(event_id: str) -> None:
    """Find what a filed report contains."""
    real = house().settings.documentation_is_real
    _step(event_id, lambda db, version_id, now: findings.normalise(db, version_id, now=now, documentation_is_real=real))


@shared_task(name="report.normalised")
def decide_editions(event_id: str) -> None:
    """Decide what others may know of it."""
    _step(event_id, lambda db, version_id, now: editions.decide(db, version_id, now=now))


@shared_task(name="edition.ready")
def release_edition(event_id: str) -> None:
    """Carry an edition into the feed."""
    _across(event_id, lambda edition_id: carrying.release(house().stores, edition_id, clock=utcnow))


@shared_task(name="contribution.admitted")
def release_contribution(event_id: str) -> None:
    """Carry what an approver let out of quarantine into the feed."""
    _across(event_id, lambda submission_id: carrying.contribution(house().stores, submission_id, clock=utcnow))


@shared_task(name="account.changed")
def carry_account(event_id: str) -> None:
    """Let the feed know an account as it is now."""
    _across(event_id, lambda person_id: carrying.account(house().stores, person_id, now=utcnow()))


def _step(event_id: str, act: Callable[[Session, UUID, datetime], None]) -> None:
    """Claim an event, act on the case store and settle in one transaction, and ring for what follows."""

    def in_one_transaction(subject: UUID) -> None:
        now = utcnow()
        with house().stores.case.transaction() as db:
            act(db, subject, now)
            outbox.settle(db, UUID(event_id), now=now)

    _claimed(event_id, in_one_transaction)


def _across(event_id: str, act: Callable[[UUID], object]) -> None:
    """Claim an event, act on both stores one after the other, then settle."""

    def then_settle(subject: UUID) -> None:
        act(subject)
        with house().stores.case.transaction() as db:
            outbox.settle(db, UUID(event_id), now=utcnow())

    _claimed(event_id, then_settle)


def _claimed(event_id: str, act: Callable[[UUID], None]) -> None:
    event, case = UUID(event_id), house().stores.case
    lease = timedelta(seconds=house().settings.claim_lease_s)
    with case.transaction() as db:
        subject = outbox.claim(db, event, now=utcnow(), lease=lease)
    if subject is None:  # Done, or in another worker's hands.
        return
    try:
        act(subject)
    except Exception as error:  # noqa: BLE001  Whatever failed, others must be able to take the event.
        _log.error("step.failed", event_id=event_id, kind=type(error).__name__, exc_info=True)
        with case.transaction() as db:
            outbox.let_go(db, event, now=utcnow(), fault=type(error).__name__)
        return
    drain()


# --- periodic -------------------------------------------------------------------------------------------


@shared_task(name="outbox.drain")
def drain() -> None:
    """Ring for every event that waits; a lost ring is repeated."""
    case = house().stores.case
    with case.reading() as db:
        waiting = outbox.anything_to_ring(db, now=utcnow())
    if not waiting:
        return
    with case.transaction() as db:
        due = outbox.to_ring(db, now=utcnow())
    try:
        for topic, event_id in due:
            current_app.send_task(topic, [str(event_id)])
    except BrokerError:
        # Each further try would take as long to fail. The rows still wait, and are rung for again.
        _log.warning("broker.silent", events=len(due))


@shared_task(name="feed.carry-notes")
def carry_notes() -> None:
    """Carry what pollers did into the audit chain."""
    while carrying.notes(house().stores):
        pass


@shared_task(name="feed.settle")
def settle_submissions() -> None:
    """Validate and keep what was posted in envelopes too large for the request."""
    released = house().stores.released
    while True:
        with released.reading() as db:
            waiting = contributions.any_waits(db)
        if not waiting:
            return
        if not _settle_next(released):  # Another worker has it.
            return


def _settle_next(released: Store) -> bool:
    try:
        with released.transaction() as db:
            return contributions.complete_next(db, now=utcnow())
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001  Whatever is wrong with it, it must not keep all others waiting.
        _log.error("submission.failed", kind=type(error).__name__, exc_info=True)
        with released.transaction() as db:
            contributions.give_up_next(db, now=utcnow())
        return True


@shared_task(name="feed.seal")
def seal_pages() -> None:
    """Join and pack the full pages that are not sealed yet."""
    sealing.seal(house().stores.released)


@shared_task(name="audit.anchor")
def anchor_audit() -> None:
    """Note the head of the audit chain where the application's databases do not reach."""
    with house().stores.case.reading() as db:
        audit.anchor(db, house().settings.audit_anchors, now=utcnow())


@shared_task(name="house.sweep")
def sweep() -> None:
    """Remove what has had its time, and say how much."""
    with house().stores.case.transaction() as db:
        answers = idempotency.forget(db, now=utcnow())
        failures = accounts.forget_failures(db, now=utcnow())
        carrying.forget_carried(db, now=utcnow())
    released = house().stores.released
    with released.reading() as db:
        sandboxes, thin = contributions.sandboxes(db), sealing.thin(db)
    sandboxed = 0
    for collection_id in sandboxes:  # One at a time, so that nobody waits for all.
        with released.transaction() as db:
            sandboxed += contributions.empty_sandbox(db, collection_id, now=utcnow())
    for collection_id in thin:
        with released.transaction() as db:
            sealing.give_up(db, collection_id)
    with released.transaction() as db:
        statuses = contributions.forget_statuses(db, now=utcnow())
    _log.info(
        "swept", answers=answers, sign_in_failures=failures, sandbox_entries=sandboxed, submission_statuses=statuses
    )
