"""The released store: rendered object versions, where they were published, and who may poll them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from exchange.models.base import ReleasedBase

# SQLite numbers rows itself only where the column is exactly INTEGER.
_RowNumber = BigInteger().with_variant(Integer, "sqlite")


class Collection(ReleasedBase):
    """A TAXII collection. `last_added` (µs since 1970) is locked by whoever publishes into it.

    `news` is the last date_added of each TLP rank, so that nobody is woken by what is not for them; `ceiling` the
    strictest rank that may be posted; `unsealed` says that there may be pages to seal. A sandbox has an owner, and
    its objects are kept apart from all others.
    """

    __tablename__ = "collection"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    alias: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    description: Mapped[str]
    position: Mapped[int]
    last_added: Mapped[int] = mapped_column(BigInteger, default=0)
    news: Mapped[list[int]] = mapped_column(JSON, default=lambda: [0] * 5)
    ceiling: Mapped[int] = mapped_column(default=0)
    unsealed: Mapped[bool] = mapped_column(default=True)
    owner_id: Mapped[UUID | None] = mapped_column(index=True)


class ObjectVersion(ReleasedBase):
    """One version of one STIX object, as the bytes that everybody gets.

    `space` is empty for what was released; each sandbox, and each contributor in quarantine, has a space of its own.
    """

    __tablename__ = "object_version"
    __table_args__ = (UniqueConstraint("space", "stix_id", "version"), Index("ix_object_version_version", "version"))

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True)
    space: Mapped[str] = mapped_column(default="", server_default="")
    stix_id: Mapped[str]
    version: Mapped[str]
    type: Mapped[str]
    spec_version: Mapped[str]
    body: Mapped[bytes]


class Entry(ReleasedBase):
    """An object version in a collection. `date_added` is unique there, and rises in commit order.

    `lane` says who may see it and which version it is, see `exchange.lanes`; who has a ceiling up to `first_upto` sees
    no older version. `contributor_id` is the account that posted it; while it is in quarantine, nobody else sees it.
    """

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("collection_id", "object_version_id"),
        Index("ix_entry_object", "collection_id", "stix_id", "date_added"),
        Index("ix_entry_lane", "collection_id", "lane", "date_added"),
        Index("ix_entry_type_lane", "collection_id", "type", "lane", "date_added"),
        Index("ix_entry_contributor", "contributor_id", "collection_id", "lane"),
    )

    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id"), primary_key=True)
    date_added: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    object_version_id: Mapped[int] = mapped_column(ForeignKey("object_version.id"), index=True)
    stix_id: Mapped[str]
    type: Mapped[str]
    tlp: Mapped[int]
    lane: Mapped[int]
    first_upto: Mapped[int]
    contributor_id: Mapped[UUID | None]
    submission_id: Mapped[UUID | None] = mapped_column(index=True)


class SealedPage(ReleasedBase):
    """What readers of the ranks `rank` to `upto` get of the entries after `after` up to `last`, joined and packed once.

    `dates` and `ends` tell for each object its date_added and where its bytes end (arrays of 64 and 32 bits, little
    endian). Deleted when an entry of its range changes; what is missing is read from the entries.
    """

    __tablename__ = "sealed_page"
    __table_args__ = (Index("ix_sealed_page_range", "collection_id", "face", "last", "rank", "upto"),)

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True)
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id"))
    face: Mapped[str]
    rank: Mapped[int]
    upto: Mapped[int]
    after: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[int] = mapped_column(BigInteger)
    objects: Mapped[int]
    size_bytes: Mapped[int]
    crc32: Mapped[int] = mapped_column(BigInteger)
    zstd: Mapped[bytes]
    deflate: Mapped[bytes]
    dates: Mapped[bytes]
    ends: Mapped[bytes]


class Submission(ReleasedBase):
    """Objects that an account posted, and what became of each: a TAXII status resource.

    `envelope` is there while the objects wait for a worker.
    """

    __tablename__ = "submission"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("feed_account.id"), index=True)
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id"))
    requested_at: Mapped[datetime]
    completed_at: Mapped[datetime | None] = mapped_column(index=True)
    status: Mapped[bytes]
    envelope: Mapped[bytes | None]


class Contributor(ReleasedBase):
    """Whose a `created_by_ref` is: of the account of which something by it was first let out, and where that was."""

    __tablename__ = "contributor"

    stix_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("feed_account.id"))
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id"))


class FeedAccount(ReleasedBase):
    """Who polls: no name but the one it signs in with.

    `tlp` is the strictest rank it may receive, `cleared_tlp` the same while its clearance is valid.
    """

    __tablename__ = "feed_account"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    tlp: Mapped[int]
    cleared_tlp: Mapped[int]
    cleared_until: Mapped[datetime | None]


class FeedKey(ReleasedBase):
    """A key's SHA-256. Revoked here, it is over from the next request on."""

    __tablename__ = "feed_key"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("feed_account.id"), index=True)
    key_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Grant(ReleasedBase):
    """What an account may do with a collection, and whether something of its own is in quarantine there."""

    __tablename__ = "feed_grant"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("feed_account.id"), primary_key=True)
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id"), primary_key=True)
    can_read: Mapped[bool]
    can_write: Mapped[bool]
    quarantined: Mapped[bool] = mapped_column(default=False, server_default=false())


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


class ClientHabit(ReleasedBase):
    """How an account's client behaves in a collection, counted since `since`; for its owner's eyes.

    `position` is the date_added of the last object fetched without a filter.
    """

    __tablename__ = "client_habit"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    collection_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    polled_at: Mapped[datetime | None]
    position: Mapped[int] = mapped_column(BigInteger, default=0)
    polls: Mapped[int] = mapped_column(default=0)
    empty_polls: Mapped[int] = mapped_column(default=0)
    objects: Mapped[int] = mapped_column(BigInteger, default=0)
    restarts: Mapped[int] = mapped_column(default=0)
    repeated: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    future: Mapped[int] = mapped_column(default=0)
    furthest_ahead_s: Mapped[int] = mapped_column(default=0)
    unknown_parameters: Mapped[int] = mapped_column(default=0)
    no_version: Mapped[int] = mapped_column(default=0)
    wrong_media: Mapped[int] = mapped_column(default=0)
