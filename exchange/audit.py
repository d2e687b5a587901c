"""The audit chain: append-only, each entry bound to the one before by a keyed hash. Ids and hashes, never content."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange.models import AuditEntry, AuditHead
from exchange.sharing import Purpose, Viewer
from exchange.times import rfc3339
from exchange.vault import Vault

_QUEUE = "audit-queue"
START = "0" * 64


def record(
    db: Session,
    action: str,
    *,
    by: Viewer | str,
    subject: object,
    now: datetime,
    purpose: Purpose | None = None,
    version: str | None = None,
) -> None:
    """Note an act; it is chained when the transaction commits, so that the chain is locked only then.

    Args:
        by: who acts; the name of a part of the system (`worker`) when nobody does.
        subject: the id of what it was done to.
        version: the keyed hash of the version that was read, made or released.
    """
    person = by if isinstance(by, str) else str(by.person_id)
    entry = {"at": rfc3339(now), "action": action, "actor": person, "object": str(subject)}
    optional = {"purpose": purpose, "version": version}
    entry |= {name: value for name, value in optional.items() if value is not None}
    db.info.setdefault(_QUEUE, []).append(entry)


def append_queued(db: Session, vault: Vault) -> None:
    """Chain what was recorded in this transaction. Called once, last, before the commit."""
    queue: list[dict[str, Any]] = db.info.pop(_QUEUE, [])
    if not queue:
        return
    head = db.scalars(select(AuditHead).where(AuditHead.id == 1).with_for_update()).one()
    for waiting in queue:
        head.seq += 1
        text = orjson.dumps(waiting | {"seq": head.seq}, option=orjson.OPT_SORT_KEYS)
        head.mac = vault.chain(head.mac, text)
        db.add(AuditEntry(seq=head.seq, entry=text.decode(), mac=head.mac))


@dataclass(frozen=True)
class Verdict:
    """What `verify` found: how many entries hold, and the first that does not (None: all do)."""

    entries: int
    first_bad: int | None


def verify(db: Session, vault: Vault) -> Verdict:
    """Walk the chain from its start: any changed bit, gap, swap, copy or cut is found and named."""
    mac, seq = START, 0
    chain = select(AuditEntry).order_by(AuditEntry.seq).execution_options(yield_per=1000)
    with closing(db.scalars(chain)) as rows:
        for row in rows:
            mac = vault.chain(mac, row.entry.encode())
            seq += 1
            if row.seq != seq or row.mac != mac or _seq_in(row.entry) != seq:
                return Verdict(seq - 1, seq)
    head = db.scalars(select(AuditHead)).one()
    return Verdict(seq, None if (head.seq, head.mac) == (seq, mac) else seq + 1)


def _seq_in(entry: str) -> object:
    try:
        return orjson.loads(entry).get("seq")
    except (orjson.JSONDecodeError, AttributeError):
        return None
