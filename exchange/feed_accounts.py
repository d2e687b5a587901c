"""Who polls the released store: accounts, their keys and rights, and what each caller may know of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from exchange.db import Asked, add_if_absent
from exchange.errors import NotFound
from exchange.models import Collection, FeedAccount, FeedKey, Grant
from exchange.models.base import UtcTime
from exchange.questions import Question
from exchange.sharing import TLP, FeedRights, FeedViewer


@dataclass(frozen=True)
class KeyOnFile:
    """A feed key as the released store keeps it."""

    id: UUID
    key_hash: str
    expires_at: datetime
    revoked_at: datetime | None


def put_account(db: Session, account_id: UUID, *, username: str, rights: FeedRights, keys: Sequence[KeyOnFile]) -> None:
    """Make the released store's picture of an account the given one: rights, keys, nothing more."""
    add_if_absent(
        db, FeedAccount, id=account_id, username=username, tlp=rights.tlp.rank, cleared_tlp=rights.cleared_tlp.rank
    )
    account = db.scalars(select(FeedAccount).where(FeedAccount.id == account_id).with_for_update(key_share=True)).one()
    account.username, account.tlp = username, rights.tlp.rank
    account.cleared_tlp, account.cleared_until = rights.cleared_tlp.rank, rights.cleared_until
    _put_grants(db, account_id, rights)
    if not rights.sandbox:
        sandboxes = select(Collection.id).where(Collection.owner_id == account_id)
        db.execute(delete(Grant).where(Grant.account_id == account_id, Grant.collection_id.in_(sandboxes)))
    _put_keys(db, account_id, keys)


def _put_grants(db: Session, account_id: UUID, rights: FeedRights) -> None:
    named = db.execute(select(Collection.id, Collection.alias).where(Collection.alias.in_(rights.reads))).all()
    wanted = {row.id: row.alias in rights.writes for row in named}
    held = {grant.collection_id: grant for grant in db.scalars(_shared_grants(account_id))}
    for gone in held.keys() - wanted.keys():
        db.delete(held[gone])
    for added in wanted.keys() - held.keys():
        db.add(Grant(account_id=account_id, collection_id=added, can_read=True, can_write=wanted[added]))
    for kept in wanted.keys() & held.keys():
        held[kept].can_write = wanted[kept]


def _shared_grants(account_id: UUID) -> Any:
    """An account's grants but the one on its sandbox, which is its own business."""
    shared = select(Collection.id).where(Collection.owner_id.is_(None))
    return select(Grant).where(Grant.account_id == account_id, Grant.collection_id.in_(shared))


def _put_keys(db: Session, account_id: UUID, keys: Sequence[KeyOnFile]) -> None:
    on_file = {key.id: key for key in db.scalars(select(FeedKey).where(FeedKey.account_id == account_id))}
    for forgotten in on_file.keys() - {key.id for key in keys}:
        db.delete(on_file[forgotten])
    for key in keys:
        known = on_file.get(key.id)
        if known is None:
            db.add(FeedKey(account_id=account_id, **vars(key)))
        else:  # A revocation came here first, and stays.
            known.revoked_at = known.revoked_at or key.revoked_at


def forget_account(db: Session, account_id: UUID) -> None:
    """It polls no more, from the next request on."""
    db.execute(delete(FeedKey).where(FeedKey.account_id == account_id))
    db.execute(delete(Grant).where(Grant.account_id == account_id))


def revoke_key(db: Session, key_id: UUID, *, now: datetime) -> None:
    """Over, from the next request on."""
    db.execute(update(FeedKey).where(FeedKey.id == key_id).values(revoked_at=now))


@dataclass(frozen=True)
class Caller:
    """Who asks the TAXII server, and the collections that it may know of, in their order, as rows."""

    viewer: FeedViewer
    collections: Sequence[Any]

    def collection(self, name: str, *, sandbox: bool = False) -> Any:
        """By id or alias. Raises: NotFound."""
        for row in self.collections:
            if (row.owner_id is not None) is sandbox and name in {str(row.id), row.alias}:
                return row
        raise NotFound(f"collection {name}")


_SHELF = (
    Collection.id,
    Collection.alias,
    Collection.title,
    Collection.description,
    Collection.news,
    Collection.ceiling,
    Collection.owner_id,
)
_OF_ACCOUNT = (
    select(
        FeedAccount.id.label("account_id"),
        FeedAccount.username,
        FeedAccount.tlp,
        FeedAccount.cleared_tlp,
        (FeedAccount.cleared_until > bindparam("now", type_=UtcTime())).label("cleared"),
        Grant.can_read,
        Grant.can_write,
        Grant.quarantined,
        *_SHELF,
    )
    .outerjoin(Grant, Grant.account_id == FeedAccount.id)
    .outerjoin(Collection, Collection.id == Grant.collection_id)
    .order_by(Collection.position)
)
_OF_KEY = Question(
    _OF_ACCOUNT.join(FeedKey, FeedKey.account_id == FeedAccount.id).where(
        FeedKey.key_hash == bindparam("key_hash"),
        FeedKey.revoked_at.is_(None),
        FeedKey.expires_at > bindparam("now", type_=UtcTime()),
    )
)
_OF_ID = Question(_OF_ACCOUNT.where(FeedAccount.id == bindparam("account")))
_OF_ANYBODY = Question(select(*_SHELF).where(Collection.alias == "public", Collection.owner_id.is_(None)))


def caller_of_key(db: Asked, key_hash: str, *, username: str | None, now: datetime) -> Caller | None:
    """Who polls with this key, and what it may do at this moment; with Basic the name must be the key's own."""
    rows = _OF_KEY.put(db, {"key_hash": key_hash, "now": now})
    if not rows or (username is not None and username != rows[0].username):
        return None
    return _caller(rows)


def caller_of_account(db: Session, account_id: UUID, *, now: datetime) -> Caller | None:
    """What an account may do at this moment, for a worker that acts as it; None if there is no such account."""
    rows = _OF_ID.put(db, {"account": account_id, "now": now})
    return _caller(rows) if rows else None


def _caller(rows: Sequence[Any]) -> Caller:
    own = rows[0]
    granted = ("can_read", "can_write", "quarantined")
    reads, writes, waiting = (frozenset(row.id for row in rows if row.id and getattr(row, may)) for may in granted)
    tlp = max(own.tlp, own.cleared_tlp) if own.cleared else own.tlp
    viewer = FeedViewer(own.account_id, own.username, tlp, reads, writes, waiting)
    return Caller(viewer, [row for row in rows if row.can_read or row.can_write])


def anybody(db: Asked) -> Caller:
    """Who shows no credentials: the public collection, and nothing else."""
    rows = _OF_ANYBODY.put(db, {})
    return Caller(FeedViewer(None, "", TLP.CLEAR.rank, frozenset(row.id for row in rows)), rows)
