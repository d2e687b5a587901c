"""The receipts of a report: each authority confirms what came in, and its reporter sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import audit, clocks, inbox, incidents, outbox, talk
from exchange.errors import Conflict
from exchange.inbox import Copy
from exchange.models import Case, Deadline, Delivery, ReportVersion
from exchange.sharing import Viewer

_LONGEST_REFERENCE = 100


@dataclass(frozen=True)
class Receipt:
    """What became of a report at one recipient.

    Attributes:
        sent: the newest copy that it has.
        received: the newest one that it confirmed; None before the first.
        extended: the deadlines for which it gave more time.
    """

    sent: Copy
    received: Copy | None
    extended: Sequence[Deadline]

    @property
    def recipient(self) -> str:
        """Its id."""
        return self.sent.delivery.recipient

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.received == self.sent


def receive(db: Session, ref: str, seq: int, reference: str, *, known: str, by: Viewer, now: datetime) -> Delivery:
    """Confirm that a version came in, with those before it. Done twice it acts once; the number may be put right.

    Args:
        reference: the authority's own number; empty while it has none.
        known: the number that was shown to whoever typed: if a colleague gave another meanwhile, that one stands.
    Raises: NotFound; Invalid; Conflict.
    """
    wanted = _number(reference)
    copies = inbox.held(db, ref, by)
    last = inbox.chosen(copies, seq).delivery
    before = last.reference or ""
    if last.received_at is not None and before == wanted:
        return last
    if before != known:
        raise Conflict("somebody gave it another number meanwhile")
    if last.received_at is not None:
        last.reference = wanted or None
        audit.record(db, "delivery.renumbered", by=by, subject=last.id, now=now)
    for one in copies:
        if one.version.seq <= seq and one.delivery.received_at is None:
            _confirm(db, one.delivery, wanted, by, now)
    outbox.tell(db, "case.changed", copies[-1].version.case_id, now=now)
    return last


def _number(reference: str) -> str:
    """A number on one line; an authority may have none yet."""
    line = " ".join(reference.split())
    return talk.clean(line, "reference", most=_LONGEST_REFERENCE) if line else ""


def _confirm(db: Session, delivery: Delivery, reference: str, by: Viewer, now: datetime) -> None:
    delivery.received_at, delivery.received_by_id, delivery.reference = now, by.person_id, reference or None
    audit.record(db, "delivery.received", by=by, subject=delivery.id, now=now)


def of_case(db: Session, case: Case) -> list[Receipt]:
    """What became of a case at each of its recipients, for its reporter, in the order of the decision."""
    rows = select(Delivery, ReportVersion).join(ReportVersion, Delivery.report_version_id == ReportVersion.id)
    sent: dict[str, list[Copy]] = {}
    for delivery, version in db.execute(rows.where(ReportVersion.case_id == case.id).order_by(ReportVersion.seq)):
        sent.setdefault(delivery.recipient, []).append(Copy(delivery, version))
    given = [one for one in clocks.of_case(db, case) if one.extended_to]
    order = [one["id"] for one in incidents.latest(case).decision["recipients"]]
    found = [_receipt(copies, given) for copies in sent.values()]
    return sorted(found, key=lambda one: order.index(one.recipient) if one.recipient in order else len(order))


def _receipt(copies: Sequence[Copy], given: Sequence[Deadline]) -> Receipt:
    received = next((one for one in reversed(copies) if one.delivery.received_at), None)
    extended = [one for one in given if one.extended_by == copies[-1].delivery.recipient]
    return Receipt(copies[-1], received, extended)
