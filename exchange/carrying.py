"""What goes across between the two stores. No transaction spans both: each step may run twice, and acts once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from exchange import (
    accounts,
    audit,
    contributions,
    desk,
    editions,
    feed,
    feed_accounts,
    incidents,
    outbox,
    polls,
    sectors,
    sharing,
)
from exchange.db import add_if_absent
from exchange.errors import NotFound, NotPermitted
from exchange.feed import Clock, Publication
from exchange.feed_accounts import KeyOnFile
from exchange.incidents import Filed, Filing
from exchange.models import ApiKey, CarriedNote, FeedAccount, Organization, Person, Poll
from exchange.sharing import TLP, Kind, Permission
from exchange.stix.portal import fixed_objects
from exchange.stores import Stores

_CARRIED_KEPT = timedelta(days=7)
_AFTER_ALL_CIRCLES = 1000


def release(stores: Stores, edition_id: UUID, *, clock: Clock) -> int:
    """Carry an edition into the feed: rendered and kept first, then published. Returns how many entries are new.

    Args:
        clock: tells the time; asked again when the collections are locked, so that no entry is older than its commit.

    Whoever leaves word of an edition need not know of an embargo: as long as it lasts, nothing is said that is not out
    already.
    """
    with stores.case.transaction() as db:
        # Whoever waits here for another worker must see what that worker saw: nothing is read before the lock.
        edition, now = editions.lock(db, edition_id), clock()
        embargo = editions.embargoed_until(edition.case, now=now)
        if embargo:
            outbox.tell(db, "edition.ready", edition_id, now=now, not_before=embargo)
            _take_back(stores, editions.cut_back(db, edition, now=now), clock)
            return 0
        prepared = editions.prepare(db, edition, desk.text_for(db, edition), now=now)
    with stores.case.transaction() as db:
        # Held until the feed has it: what a newer version takes back meanwhile must not come after it was taken back.
        if prepared.objects and not editions.is_current(editions.lock(db, edition_id), prepared):
            return 0
        with stores.released.transaction() as released:
            added = feed.publish(released, prepared.objects, aliases=prepared.aliases, tlp=prepared.tlp, clock=clock)
            _retire(released, prepared, clock)
            return added


def _take_back(stores: Stores, releases: Sequence[editions.Release], clock: Clock) -> None:
    """In one transaction; where nothing is taken back, the released store need not answer."""
    if releases:
        with stores.released.transaction() as released:
            for release in releases:
                _retire(released, release, clock)


def _retire(released: Session, release: editions.Release, clock: Clock) -> None:
    aliases, tlp = release.aliases, release.tlp
    feed.retire(released, release.revoked, release.gone, aliases=aliases, tlp=tlp, clock=clock)
    feed.restrict(released, release.restricted, aliases=aliases, tlp=tlp, clock=clock)


def file(stores: Stores, ref: str, changes: object, filing: Filing, *, clock: Clock) -> Filed:
    """File what is new about a case. What the reporter shares no more, or takes back, the feed knows first.

    Raises: Invalid, NotFound, NotPermitted, WrongState; Unavailable, and nothing was kept.
    """
    with stores.case.transaction() as db:
        return file_in(db, stores, ref, changes, filing, clock=clock)


def file_in(db: Session, stores: Stores, ref: str, changes: object, filing: Filing, *, clock: Clock) -> Filed:
    """`file`, in a transaction of the case store that is open already."""
    case = incidents.hold(db, incidents.find_own(db, ref, filing.by).id)
    filed = incidents.update(db, case, changes, filing, now=clock())
    _take_back(stores, editions.narrow(db, case, by=filing.by, now=clock()), clock)
    return filed


def account(stores: Stores, person_id: UUID, *, now: datetime) -> None:
    """Make the feed know an account as it is now: its rights, its keys, its sandbox."""
    with stores.case.transaction() as db:
        # Held until the feed knows: of two that carry the same account, the later one carries what is true later.
        person = accounts.lock_person(db, person_id)
        rights, keys = _feed_rights(db, person), _keys(db, person)
        with stores.released.transaction() as released:
            _open_bilaterals(db, released, person.organization, now)
            feed_accounts.put_account(released, person_id, username=person.username, rights=rights, keys=keys)
            if rights.sandbox:
                profile = accounts.profile_of(db, person.organization)
                feed.open_sandbox(released, person_id, title=profile["name_en"], description=profile["name_ja"])


def _feed_rights(db: Session, person: Person) -> sharing.FeedRights:
    own = person.organization
    if not person.active:
        return sharing.NOTHING
    return sharing.feed_rights(
        Kind(own.kind),
        isacs=own.isacs,
        ceptoar=own.ceptoar,
        council_member=own.council_member,
        country=own.country,
        bilaterals=accounts.allied_countries(db),
        cleared_until=person.clearance_until,
    )


def _keys(db: Session, person: Person) -> list[KeyOnFile]:
    rows = db.scalars(select(ApiKey).where(ApiKey.person_id == person.id)).unique().all()
    held = [KeyOnFile(k.id, k.key_hash, k.expires_at, k.revoked_at) for k in rows if "feed" in k.scopes]
    return held if person.active else []


def _open_bilaterals(db: Session, released: Session, own: Organization, now: datetime) -> None:
    """An ally's country has a collection from its first account on, and the national office learns of it."""
    if own.kind != Kind.ALLIED or feed.knows_collection(released, sharing.bilateral_alias(own.country)):
        return
    words = {"title": f"Allied CERTs: {own.country}", "description": f"海外CERT（{own.country}）"}
    _ensure(released, alias=sharing.bilateral_alias(own.country), position=_AFTER_ALL_CIRCLES, **words)
    for person_id in accounts.people_of(db, Kind.NCO):
        outbox.tell(db, "account.changed", person_id, now=now)


def revoke_key(stores: Stores, key_id: UUID, *, by: sharing.Viewer | str, now: datetime) -> None:
    """Narrowing reaches the feed first, and is confirmed after that. Raises: NotFound."""
    with stores.released.transaction() as db:
        feed_accounts.revoke_key(db, key_id, now=now)
    with stores.case.transaction() as db:
        key = db.get(ApiKey, key_id)
        if key is None:
            raise NotFound("key")
        key.revoked_at = key.revoked_at or now
        outbox.tell(db, "account.changed", key.person_id, now=now)
        audit.record(db, "key.revoked", by=by, subject=key_id, now=now)
    # One who carried the account meanwhile may have brought the key across after it was revoked there.
    account(stores, key.person_id, now=now)


def switch_off(stores: Stores, person_id: UUID, *, by: sharing.Viewer | str, now: datetime) -> None:
    """End an account: the feed knows first, then its logins and keys are over too."""
    with stores.released.transaction() as db:
        feed_accounts.forget_account(db, person_id)
    with stores.case.transaction() as db:
        accounts.end(db, accounts.lock_person(db, person_id), now=now)
        audit.record(db, "account.disabled", by=by, subject=person_id, now=now)
        outbox.tell(db, "account.changed", person_id, now=now)
    account(stores, person_id, now=now)


def clear(stores: Stores, person_id: UUID, *, until: datetime | None, by: sharing.Viewer | str, now: datetime) -> None:
    """Clear an account until a moment, or end that (None). What narrows reaches the feed first. Raises: NotFound."""
    end = until or now
    with stores.released.transaction() as db:
        longer = (FeedAccount.id == person_id, FeedAccount.cleared_until > end)
        db.execute(update(FeedAccount).where(*longer).values(cleared_until=end))
    with stores.case.transaction() as db:
        person = accounts.lock_person(db, person_id)
        person.clearance, person.clearance_until = ("valid", until) if until else (None, None)
        action = "account.cleared" if until else "account.clearance-ended"
        audit.record(db, action, by=by, subject=person_id, now=now)
        outbox.tell(db, "account.changed", person_id, now=now)
    account(stores, person_id, now=now)


def admit(stores: Stores, submission_id: UUID, *, by: sharing.Viewer, now: datetime) -> None:
    """A person lets a contribution out of quarantine; a worker carries it.

    Raises: NotPermitted; NotFound if nothing of it waits.
    """
    with stores.released.reading() as db:
        _may_decide(db, submission_id, by)
    with stores.case.transaction() as db:
        outbox.tell(db, "contribution.admitted", submission_id, now=now)
        audit.record(db, "contribution.admitted", by=by, subject=submission_id, now=now)


def turn_down(stores: Stores, submission_id: UUID, *, by: sharing.Viewer, now: datetime) -> None:
    """A person refuses a contribution: it is gone from the feed, then confirmed.

    Raises: NotPermitted; NotFound if nothing of it waits.
    """
    with stores.released.transaction() as db:
        _may_decide(db, submission_id, by)
        contributions.refuse(db, submission_id, now=now)
    with stores.case.transaction() as db:
        audit.record(db, "contribution.refused", by=by, subject=submission_id, now=now)


def _may_decide(db: Session, submission_id: UUID, by: sharing.Viewer) -> None:
    if not sharing.permitted(by, Permission.RELEASE):
        raise NotPermitted("only an approver of the national office decides this")
    if contributions.find_waiting(db, submission_id).account_id == by.person_id:
        raise NotPermitted("nobody lets out what they posted themselves")


def contribution(stores: Stores, submission_id: UUID, *, clock: Clock) -> None:
    """Carry an admitted contribution into the feed."""
    with stores.released.transaction() as db:
        contributions.let_out(db, submission_id, clock=clock)


def notes(stores: Stores) -> int:
    """Carry what pollers did into the audit chain, each note once; returns how many were taken."""
    with stores.released.reading() as db:
        taken = polls.take_notes(db)
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


def forget_carried(db: Session, *, now: datetime) -> int:
    """Notes of days ago were struck from the released store long since; returns how many."""
    old = delete(CarriedNote).where(CarriedNote.at < now - _CARRIED_KEPT)
    return len(db.execute(old.returning(*CarriedNote.__table__.primary_key)).all())


def install(stores: Stores, *, now: datetime) -> None:
    """Make the collections of this day's circles, each with the publisher's identity. May run at every start."""
    with stores.released.transaction() as db:
        for position, (alias, title, description) in enumerate(_collections(now)):
            _ensure(db, alias=alias, title=title, description=description, position=position)
        db.flush()
        fixed = [Publication(one.id, one.type, one.version, one.body) for one in fixed_objects()]
        feed.publish(db, fixed, aliases=[alias for alias, *_ in _collections(now)], tlp=TLP.CLEAR, clock=lambda: now)


def _ensure(db: Session, *, alias: str, title: str, description: str, position: int) -> None:
    ceiling = sharing.ceiling_of(alias)
    feed.ensure_collection(db, alias=alias, title=title, description=description, position=position, ceiling=ceiling)


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
