"""The released store: rendered object versions, where they were published, and who may poll them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from exchange.models.base import ReleasedBase

# SQLite numbers rows itself only where the column is exactly INTEGER.
_RowNumber = BigInteger().with_variant(Integer, "sqlite")


class Collection(ReleasedBase):
    """A TAXII collection. `last_added` (µs since 1970) is locked by whoever publishes into it."""

    __tablename__ = "collection"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    alias: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    description: Mapped[str]
    position: Mapped[int]
    last_added: Mapped[int] = mapped_column(BigInteger, default=0)


class ObjectVersion(ReleasedBase):
    """One version of one STIX object, as the bytes that everybody gets."""

    __tablename__ = "object_version"
    __table_args__ = (UniqueConstraint("stix_id", "version"),)

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True)
    stix_id: Mapped[str]
    version: Mapped[str]
    type: Mapped[str]
    spec_version: Mapped[str]
    body: Mapped[bytes]


class Entry(ReleasedBase):
    """An object version in a collection. `date_added` is unique there, and rises in commit order."""

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("collection_id", "object_version_id"),
        Index("ix_entry_object", "collection_id", "stix_id", "date_added"),
    )

    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id"), primary_key=True)
    date_added: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    object_version_id: Mapped[int] = mapped_column(ForeignKey("object_version.id"), index=True)
    stix_id: Mapped[str]
    type: Mapped[str]
    tlp: Mapped[int]
    first: Mapped[bool]
    last: Mapped[bool]


class FeedAccount(ReleasedBase):
    """Who polls: no name but the one it signs in with. `tlp` is the strictest level it may receive."""

    __tablename__ = "feed_account"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    tlp: Mapped[int]


class FeedKey(ReleasedBase):
    """A key's SHA-256. Revoked here, it is over from the next request on."""

    __tablename__ = "feed_key"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("feed_account.id"), index=True)
    key_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Grant(ReleasedBase):
    """What an account may do with a collection."""

    __tablename__ = "feed_grant"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("feed_account.id"), primary_key=True)
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id"), primary_key=True)
    can_read: Mapped[bool]
    can_write: Mapped[bool]


class Poll(ReleasedBase):
    """Something the TAXII process must tell the audit chain: a page fetched, or a refusal. Carried by a worker."""

    __tablename__ = "poll"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID | None]
    collection_id: Mapped[UUID | None]
    action: Mapped[str]
    first_added: Mapped[int | None] = mapped_column(BigInteger)
    last_added: Mapped[int | None] = mapped_column(BigInteger)
    objects: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime] = mapped_column(index=True)
