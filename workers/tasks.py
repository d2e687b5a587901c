"""Each task is a short sentence around a function of `exchange`. Run twice, it acts once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from uuid import UUID

import structlog
from celery import current_app, shared_task
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.orm import Session

from config import Settings
from exchange import (
    accounts,
    added,
    attachments,
    audit,
    carrying,
    contributions,
    drafts,
    editions,
    findings,
    idempotency,
    letters,
    outbox,
    sealing,
    webhooks,
)
from exchange.db import Store
from exchange.errors import Unavailable
from exchange.stores import Stores
from exchange.times import utcnow
from workers import post

_log = structlog.get_logger()
_KNOCKING = Lock()


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
    _across(event_id, _release)


def _release(edition_id: UUID) -> None:
    carrying.release(house().stores, edition_id, clock=utcnow)
    with house().stores.case.transaction() as db:
        webhooks.on_released(db, edition_id, now=utcnow())


@shared_task(name="contribution.admitted")
def release_contribution(event_id: str) -> None:
    """Carry what an approver let out of quarantine into the feed."""
    _across(event_id, lambda submission_id: carrying.contribution(house().stores, submission_id, clock=utcnow))


@shared_task(name="account.changed")
def carry_account(event_id: str) -> None:
    """Let the feed know an account as it is now."""
    _across(event_id, lambda person_id: carrying.account(house().stores, person_id, now=utcnow()))


@shared_task(name="case.changed")
def write_about_case(event_id: str) -> None:
    """Write to those who must hear of what happened in a case, and to their webhooks."""

    def write(db: Session, case_id: UUID, now: datetime) -> None:
        letters.on_case_changed(db, case_id, now=now)
        webhooks.on_case_changed(db, case_id, now=now)

    _step(event_id, write)


@shared_task(name="webhook.due")
def knock(_event_id: str) -> None:
    """Send what waits for webhooks, one after the other: who answers slowly holds one thread of a worker, no more."""
    if not _KNOCKING.acquire(blocking=False):  # The thread that sends, or the next ring, takes it.
        return
    try:
        _knock_everywhere(house().stores.case)
    finally:
        _KNOCKING.release()


def _knock_everywhere(case: Store) -> None:
    with case.reading() as db:
        waiting = webhooks.waiting(db, now=utcnow())
    deaf: set[UUID] = set()

    def send(webhook_id: UUID, knock_id: UUID) -> None:
        local = house().settings.local_webhooks
        if not webhooks.deliver(case, knock_id, clock=utcnow, this_machine=local):
            deaf.add(webhook_id)

    for event_id, webhook_id in waiting:
        # One that did not take the last message would not take the next one either.
        if webhook_id not in deaf:
            _across(str(event_id), partial(send, webhook_id))


@shared_task(name="letter.ready")
def send_letter(event_id: str) -> None:
    """Send one letter, if no other is on its way: a mail server that is slow holds one thread of a worker, no more."""
    with post.alone() as nobody_else:
        if nobody_else:  # Else the next ring takes it.
            post.deliver(house().stores, house().settings, UUID(event_id), clock=utcnow)


def _step(event_id: str, act: Callable[[Session, UUID, datetime], None]) -> None:
    """Claim an event, act on the case store and settle in one transaction, and ring for what follows."""

    def in_one_transaction(subject: UUID) -> None:
        now = utcnow()
        with house().stores.case.transaction() as db:
            added.follow(db)
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


@shared_task(name="post.remind")
def remind() -> None:
    """Write to reporters whose deadlines come due."""
    post.remind(house().stores, clock=utcnow)


@shared_task(name="post.hand-over")
def hand_over_letters() -> None:
    """Let every letter that was written be sent."""
    post.hand_over(house().stores, house().settings, clock=utcnow)


@shared_task(name="webhook.look")
def look_at_clocks() -> None:
    """Tell webhooks of deadlines that have become pressing."""
    with house().stores.case.transaction() as db:
        added.follow(db)
        webhooks.look_at_clocks(db, now=utcnow())


@shared_task(name="audit.anchor")
def anchor_audit() -> None:
    """Note the head of the audit chain where the application's databases do not reach."""
    with house().stores.case.reading() as db:
        audit.anchor(db, house().settings.audit_anchors, now=utcnow())


_FORGOTTEN = {
    "answers": idempotency.forget,
    "sign_in_failures": accounts.forget_failures,
    "drafts": drafts.forget,
    "carried_accounts": carrying.forget_carried,
    "attachments": attachments.forget,
    "knocks": webhooks.forget,
}


@shared_task(name="house.sweep")
def sweep() -> None:
    """Remove what has had its time, and say how much."""
    with house().stores.case.transaction() as db:
        gone = {name: forget(db, now=utcnow()) for name, forget in _FORGOTTEN.items()}
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
    _log.info("swept", **gone, sandbox_entries=sandboxed, submission_statuses=statuses)
