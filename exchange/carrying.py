"""What goes across between the two stores. No transaction spans both: each step may run twice, and acts once."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from exchange import accounts, audit, desk, editions, feed, outbox, sectors, sharing
from exchange.db import add_if_absent
from exchange.errors import NotFound
from exchange.feed import Clock, KeyOnFile, Publication
from exchange.models import ApiKey, CarriedNote, Poll
from exchange.sharing import TLP, Kind
from exchange.stix.portal import fixed_objects
from exchange.stores import Stores

_CARRIED_KEPT = timedelta(days=7)


def release(stores: Stores, edition_id: UUID, *, clock: Clock) -> int:
    """Carry an edition into the feed: rendered and kept first, then published. Returns how many entries are new.

    Args:
        clock: tells the time; asked again when the collections are locked, so that no entry is older than its commit.
    """
    with stores.case.transaction() as db:
        # Whoever waits here for another worker must see what that worker saw: nothing is read before the lock.
        edition = editions.lock(db, edition_id)
        prepared = editions.prepare(db, edition, desk.released_text(db, edition.case_id), now=clock())
    with stores.released.transaction() as db:
        return feed.publish(db, prepared.objects, aliases=prepared.aliases, tlp=prepared.tlp, clock=clock)


def account(stores: Stores, person_id: UUID) -> None:
    """Make the feed know an account as it is now: its rights and its keys."""
    with stores.case.transaction() as db:
        # Held until the feed knows: of two that carry the same account, the later one carries what is true later.
        person = accounts.lock_person(db, person_id)
        own = person.organization
        rights = sharing.feed_rights(
            Kind(own.kind), isacs=own.isacs, ceptoar=own.ceptoar, council_member=own.council_member
        )
        rows = db.scalars(select(ApiKey).where(ApiKey.person_id == person_id)).unique().all()
        keys = [KeyOnFile(k.id, k.key_hash, k.expires_at, k.revoked_at) for k in rows if "feed" in k.scopes]
        with stores.released.transaction() as released:
            feed.put_account(
                released,
                person_id,
                username=person.username,
                rights=rights if person.active else sharing.NOTHING,
                keys=keys if person.active else [],
            )


def revoke_key(stores: Stores, key_id: UUID, *, by: sharing.Viewer | str, now: datetime) -> None:
    """Narrowing reaches the feed first, and is confirmed after that. Raises: NotFound."""
    with stores.released.transaction() as db:
        feed.revoke_key(db, key_id, now=now)
    with stores.case.transaction() as db:
        key = db.get(ApiKey, key_id)
        if key is None:
            raise NotFound("key")
        key.revoked_at = key.revoked_at or now
        outbox.tell(db, "account.changed", key.person_id, now=now)
        audit.record(db, "key.revoked", by=by, subject=key_id, now=now)
    # One who carried the account meanwhile may have brought the key across after it was revoked there.
    account(stores, key.person_id)


def switch_off(stores: Stores, person_id: UUID, *, by: sharing.Viewer | str, now: datetime) -> None:
    """End an account: the feed knows first, then its logins and keys are over too."""
    with stores.released.transaction() as db:
        feed.forget_account(db, person_id)
    with stores.case.transaction() as db:
        accounts.end(db, accounts.lock_person(db, person_id), now=now)
        audit.record(db, "account.disabled", by=by, subject=person_id, now=now)
        outbox.tell(db, "account.changed", person_id, now=now)
    account(stores, person_id)


def notes(stores: Stores) -> int:
    """Carry what pollers did into the audit chain, each note once; returns how many were taken."""
    with stores.released.reading() as db:
        taken = feed.take_notes(db)
    if not taken:
        return 0
    with stores.case.transaction() as db:
        for note in taken:
            if add_if_absent(db, CarriedNote, id=note.id, at=note.at):
                what = f"collection:{note.collection_id} entries:{note.first_added}-{note.last_added}"
                audit.record(db, note.action, by=str(note.account_id or "unknown"), subject=what, now=note.at)
    with stores.released.transaction() as db:
        db.execute(delete(Poll).where(Poll.id.in_([note.id for note in taken])))
    return len(taken)


def forget_carried(db: Session, *, now: datetime) -> None:
    """Notes of days ago were struck from the released store long since."""
    db.execute(delete(CarriedNote).where(CarriedNote.at < now - _CARRIED_KEPT))


def install(stores: Stores, *, now: datetime) -> None:
    """Make the collections of this day's circles, each with the publisher's identity. May run at every start."""
    with stores.released.transaction() as db:
        for position, (alias, title, description) in enumerate(_collections(now)):
            feed.ensure_collection(db, alias=alias, title=title, description=description, position=position)
        db.flush()
        fixed = [Publication(one.id, one.type, one.version, one.body) for one in fixed_objects()]
        feed.publish(db, fixed, aliases=[alias for alias, *_ in _collections(now)], tlp=TLP.CLEAR, clock=lambda: now)


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
