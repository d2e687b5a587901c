"""What goes from one store to the other, when several carry at once."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from exchange import accounts, audit, carrying, desk, editions, feed, feed_accounts, installation, polls, sharing
from exchange.db import vault_of
from exchange.errors import Invalid
from exchange.installation import WrongKind
from exchange.models import ApiKey, AuditEntry, FeedKey, ObjectVersion, Poll
from exchange.polls import Note
from exchange.sharing import Kind, Role
from exchange.stores import Stores
from tests.conftest import NOW
from tests.make import make_organization, make_report, make_viewer, work
from tests.test_editions import TEXTS, release, reports


def test_a_worker_that_waited_for_another_does_not_take_back_what_that_one_released(stores: Stores) -> None:
    """Both carry the same edition; the text is approved between the claim of the one and its turn."""
    with stores.case.transaction() as db:
        office = make_organization(db, kind=Kind.NCO)
        analyst, approver = make_viewer(db, office, Role.ANALYST), make_viewer(db, office, Role.APPROVER)
        filed = make_report(db, make_viewer(db, make_organization(db)))
    edition = work(stores, filed)[0]
    carrying.release(stores, edition.id, clock=lambda: NOW)
    with stores.case.transaction() as db:
        proposal = desk.propose(db, filed.case.ref, TEXTS, by=analyst, now=NOW)
        shown = desk.view(db, filed.case, TEXTS, now=NOW).digest
    late = threading.Thread(
        target=lambda: carrying.release(stores, edition.id, clock=lambda: NOW + timedelta(minutes=2))
    )
    with stores.case.transaction() as db:
        editions.lock(db, edition.id)
        late.start()
        desk.release(db, proposal.id, shown=shown, by=approver, now=NOW)
        editions.prepare(db, editions.lock(db, edition.id), TEXTS, now=NOW + timedelta(minutes=1))
    late.join()
    newest = [one for one in reports(stores, "council") if one["type"] == "incident"][-1]
    assert newest["description"] == TEXTS["ja"]


def test_a_revocation_is_not_undone_by_a_picture_taken_before_it(stores: Stores) -> None:
    with stores.case.transaction() as db:
        person = accounts.lock_person(db, make_viewer(db, make_organization(db)).person_id)  # type: ignore[arg-type]
        accounts.issue_key(db, person, scopes=["feed"], now=NOW)
    carrying.account(stores, person.id, now=NOW)
    with stores.case.reading() as db:
        key = db.scalars(select(ApiKey).where(ApiKey.person_id == person.id)).unique().one()
    with stores.released.transaction() as db:
        feed_accounts.revoke_key(db, key.id, now=NOW)
    carrying.account(stores, person.id, now=NOW)
    with stores.released.reading() as db:
        assert db.get_one(FeedKey, key.id).revoked_at == NOW


def test_who_is_switched_off_polls_no_more(stores: Stores) -> None:
    with stores.case.transaction() as db:
        person = accounts.lock_person(db, make_viewer(db, make_organization(db)).person_id)  # type: ignore[arg-type]
        secret = accounts.issue_key(db, person, scopes=["feed"], now=NOW)
    carrying.account(stores, person.id, now=NOW)
    with stores.case.transaction() as db:
        accounts.lock_person(db, person.id).active = False
    carrying.account(stores, person.id, now=NOW)
    with stores.released.reading() as db:
        assert feed_accounts.caller_of_key(db, accounts.hash_of(secret), username=None, now=NOW) is None


def test_each_poll_is_in_the_audit_chain_once_with_its_own_time(stores: Stores) -> None:
    who = sharing.FeedViewer(uuid4(), "x", 2, ())
    with stores.released.transaction() as db:
        polls.record(db, [Note("feed.refused", NOW - timedelta(hours=2), who)])
    with stores.released.reading() as db:
        taken = db.scalars(select(Poll)).all()
    carrying.notes(stores)
    with stores.released.transaction() as db:  # Another carrier read it before it was struck, and comes back with it.
        db.add_all(Poll(id=one.id, action=one.action, account_id=one.account_id, at=one.at, objects=0) for one in taken)
    carrying.notes(stores)
    with stores.case.reading() as db:
        told = [entry for entry in db.scalars(select(AuditEntry.entry)) if str(who.account_id) in entry]
    assert len(told) == 1 and "T01:00:00" in told[0]


def test_a_tail_that_was_cut_off_is_missed_by_the_anchors(stores: Stores, tmp_path) -> None:  # type: ignore[no-untyped-def]
    anchors = tmp_path / "heads"
    for n in range(4):
        with stores.case.transaction() as db:
            audit.record(db, "test.act", by="worker", subject=n, now=NOW)
    with stores.case.transaction() as db:
        audit.anchor(db, anchors, now=NOW)
    with stores.case.transaction() as db:
        cut = db.get_one(AuditEntry, 4)
        db.delete(cut)
        head = db.get_one(audit.AuditHead, 1)
        head.seq, head.mac = 3, db.get_one(AuditEntry, 3).mac
    with stores.case.reading() as db:
        assert audit.verify(db, vault_of(db)).first_bad is None
        assert audit.verify(db, vault_of(db), audit.anchored(anchors)).first_bad == 4


def test_an_address_tells_a_circle_nothing_of_another(stores: Stores) -> None:
    """The same address, to the council on one day and to the allies on another."""
    for days, scope in ((0, "council-anon"), (4, "allied-anon")):
        with stores.case.transaction() as db:
            filed = make_report(db, make_viewer(db, make_organization(db)), share_scope=scope)
        release(stores, filed, minutes=days * 24 * 60)
    with stores.released.reading() as db:
        versions = db.scalars(select(ObjectVersion.version).where(ObjectVersion.type == "ipv4-addr")).all()
    assert versions == [feed.UNVERSIONED]


def test_an_account_switched_off_is_over_in_both_stores(stores: Stores) -> None:
    with stores.case.transaction() as db:
        person = accounts.lock_person(db, make_viewer(db, make_organization(db)).person_id)  # type: ignore[arg-type]
        secret = accounts.issue_key(db, person, scopes=["feed", "report"], now=NOW)
        token = accounts.open_login(db, person, now=NOW, hours=1)
    carrying.account(stores, person.id, now=NOW)
    carrying.switch_off(stores, person.id, by="installation", now=NOW)
    carrying.account(stores, person.id, now=NOW)
    with stores.case.reading() as db:
        assert accounts.viewer_of_login(db, token, now=NOW) is None
        assert accounts.viewer_of_key(db, secret, scope="report", now=NOW) is None
    with stores.released.reading() as db:
        assert feed_accounts.caller_of_key(db, accounts.hash_of(secret), username=None, now=NOW) is None


@pytest.mark.parametrize(
    "lacking",
    [
        {"kind": Kind.OPERATOR, "sector": None},
        {"kind": Kind.OPERATOR, "sector": "gambling"},
        {"kind": Kind.ISAC},
        {"kind": Kind.ISAC, "isacs": ["x-isac"]},
        {"kind": Kind.CEPTOAR},
        {"kind": Kind.AUTHORITY, "authority": "nope"},
    ],
)
def test_an_organization_that_could_do_nothing_is_not_registered(stores: Stores, lacking: dict[str, object]) -> None:
    with pytest.raises(Invalid), stores.case.transaction() as db:
        make_organization(db, **lacking)  # type: ignore[arg-type]


def test_nobody_is_approver_of_an_operator() -> None:
    with pytest.raises(Invalid):
        installation.check_roles(Kind.OPERATOR, [Role.APPROVER])
    installation.check_roles(Kind.NCO, [Role.APPROVER])


@pytest.mark.parametrize(
    "wrong", [{"networks": ["198.51.100.300/24"]}, {"networks": ["all"]}, {"domains": ["jp"]}, {"domains": ["co.jp"]}]
)
def test_an_organization_cannot_register_what_is_not_its_own(stores: Stores, wrong: dict[str, list[str]]) -> None:
    with pytest.raises(Invalid), stores.case.transaction() as db:
        make_organization(db, **wrong)


def test_stores_of_an_exercise_never_become_a_live_installation(stores: Stores) -> None:
    from config import Installation

    installation._settle_kind(stores, Installation.EXERCISE)
    installation._settle_kind(stores, Installation.EXERCISE)
    with pytest.raises(WrongKind):
        installation._settle_kind(stores, Installation.LIVE)


def test_a_key_that_was_not_across_yet_is_closed_there_when_its_revocation_is_confirmed(stores: Stores) -> None:
    with stores.case.transaction() as db:
        person = accounts.lock_person(db, make_viewer(db, make_organization(db)).person_id)  # type: ignore[arg-type]
        secret = accounts.issue_key(db, person, scopes=["feed"], now=NOW)
        key_id = db.scalars(select(ApiKey.id).where(ApiKey.person_id == person.id)).one()
    carrying.revoke_key(stores, key_id, by="installation", now=NOW)
    with stores.released.reading() as db:
        assert db.get_one(FeedKey, key_id).revoked_at == NOW
        assert feed_accounts.caller_of_key(db, accounts.hash_of(secret), username=None, now=NOW) is None
