"""What goes across between the two stores. No transaction spans both: each step may run twice, and acts once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from exchange import accounts, audit, desk, editions, feed, sectors, sharing
from exchange.errors import NotFound
from exchange.feed import KeyOnFile, Publication
from exchange.models import ApiKey, Edition, Poll
from exchange.sharing import TLP, Kind
from exchange.stix.portal import fixed_objects
from exchange.stores import Stores


def release(stores: Stores, edition_id: UUID, *, now: datetime) -> int:
    """Carry an edition into the feed: rendered and kept first, then published. Returns how many entries are new."""
    with stores.case.transaction() as db:
        case_id = db.get_one(Edition, edition_id).case_id
        prepared = editions.prepare(db, edition_id, desk.released_text(db, case_id), now=now)
    with stores.released.transaction() as db:
        return feed.publish(db, prepared.objects, aliases=prepared.aliases, tlp=prepared.tlp, now=now)


def account(stores: Stores, person_id: UUID) -> None:
    """Make the feed know an account as it is now: its rights and its keys."""
    with stores.case.reading() as db:
        person = accounts.find_person(db, person_id)
        own = person.organization
        rights = sharing.feed_rights(
            Kind(own.kind), isacs=own.isacs, ceptoar=own.ceptoar, council_member=own.council_member
        )
        rows = db.scalars(select(ApiKey).where(ApiKey.person_id == person_id)).unique().all()
        keys = [KeyOnFile(k.id, k.key_hash, k.expires_at, k.revoked_at) for k in rows if "feed" in k.scopes]
    with stores.released.transaction() as db:
        feed.put_account(db, person_id, username=person.username, rights=rights, keys=keys)


def revoke_key(stores: Stores, key_id: UUID, *, by: sharing.Viewer | str, now: datetime) -> None:
    """Narrowing reaches the feed first, and is confirmed after that. Raises: NotFound."""
    with stores.released.transaction() as db:
        feed.revoke_key(db, key_id, now=now)
    with stores.case.transaction() as db:
        key = db.get(ApiKey, key_id)
        if key is None:
            raise NotFound("key")
        key.revoked_at = key.revoked_at or now
        audit.record(db, "key.revoked", by=by, subject=key_id, now=now)


def notes(stores: Stores, *, now: datetime) -> int:
    """Carry what pollers did into the audit chain; returns how many notes.

    A crash between the two commits repeats a few notes in the chain, each with its own number: none is lost.
    """
    with stores.released.reading() as db:
        taken = feed.take_notes(db)
    if not taken:
        return 0
    with stores.case.transaction() as db:
        for note in taken:
            _chain(db, note, now)
    with stores.released.transaction() as db:
        db.execute(delete(Poll).where(Poll.id.in_([note.id for note in taken])))
    return len(taken)


def _chain(db: Session, note: Poll, now: datetime) -> None:
    what = f"collection:{note.collection_id} entries:{note.first_added}-{note.last_added} poll:{note.id}"
    audit.record(db, note.action, by=str(note.account_id or "unknown"), subject=what, now=now)


def install(stores: Stores, *, now: datetime) -> None:
    """Make the collections of this day's circles, each with the publisher's identity. May run at every start."""
    with stores.released.transaction() as db:
        for position, (alias, title, description) in enumerate(_collections(now)):
            feed.ensure_collection(db, alias=alias, title=title, description=description, position=position)
        db.flush()
        fixed = [Publication(one.id, one.type, one.version, one.body) for one in fixed_objects()]
        feed.publish(db, fixed, aliases=[alias for alias, *_ in _collections(now)], tlp=TLP.CLEAR, now=now)


def _collections(now: datetime) -> list[tuple[str, str, str]]:
    """(alias, title, description) of every collection, in their order."""
    isacs = [(sharing.isac_alias(key), name.en, name.ja) for key, name in sectors.isacs(now).items()]
    ceptoars = [(sharing.ceptoar_alias(key), name.en, name.ja) for key, name in sectors.ceptoars(now).items()]
    return [
        ("public", "Public warnings", "公開の注意喚起"),
        ("nco", "National office", "国家サイバー統括室"),
        ("council", "Council", "協議会"),
        ("allied", "Allied CERTs", "海外CERT"),
        *isacs,
        *ceptoars,
    ]
