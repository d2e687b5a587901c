"""The audit chain: append-only, each entry bound to the one before by a keyed hash. Ids and hashes, never content."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
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


def is_queued(db: Session) -> bool:
    """Whether something was recorded that no commit has chained yet."""
    return bool(db.info.get(_QUEUE))


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


def anchor(db: Session, anchors: Path, *, now: datetime) -> None:
    """Note the head of the chain in a file where the application's databases do not reach."""
    head = db.get_one(AuditHead, 1)
    descriptor = os.open(anchors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="ascii") as out:
        out.write(f"{rfc3339(now)} {head.seq} {head.mac}\n")


def anchored(anchors: Path) -> dict[int, str]:
    """The heads noted before: the mac that each of these entries had. None without the file."""
    if not anchors.exists():
        return {}
    lines = [line.split() for line in anchors.read_text(encoding="ascii").splitlines()]
    return {int(seq): mac for _, seq, mac in lines}


def verify(db: Session, vault: Vault, heads: Mapping[int, str] | None = None) -> Verdict:
    """Walk the chain from its start: any changed bit, gap, swap or copy is found and named.

    Args:
        heads: noted elsewhere; without them somebody who holds the database can cut the tail off unseen.
    """
    heads = heads or {}
    mac, seq = START, 0
    chain = select(AuditEntry).order_by(AuditEntry.seq).execution_options(yield_per=1000)
    with closing(db.scalars(chain)) as rows:
        for row in rows:
            mac = vault.chain(mac, row.entry.encode())
            seq += 1
            if row.seq != seq or row.mac != mac or _seq_in(row.entry) != seq or heads.get(seq, mac) != mac:
                return Verdict(seq - 1, seq)
    head = db.scalars(select(AuditHead)).one()
    whole = (head.seq, head.mac) == (seq, mac) and max(heads, default=0) <= seq
    return Verdict(seq, None if whole else seq + 1)


def _seq_in(entry: str) -> object:
    try:
        return orjson.loads(entry).get("seq")
    except (orjson.JSONDecodeError, AttributeError):
        return None
