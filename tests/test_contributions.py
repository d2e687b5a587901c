"""What members post: into quarantine, out of it by a person's decision, and never further than its marking."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import select

from exchange import carrying, contributions, feed, feed_accounts, pages
from exchange.db import Store
from exchange.errors import NotFound, NotPermitted
from exchange.feed_accounts import Caller
from exchange.models import AuditEntry, Contributor, Entry, Event, ObjectVersion, Submission
from exchange.pages import Wanted
from exchange.sharing import TLP, FeedRights, Kind, Role
from exchange.stix import ids
from exchange.stores import Stores
from tests.conftest import NOW
from tests.make import make_organization, make_viewer
from tests.test_feed import collection_of, objects_of, viewer

STARTED = "2026-11-20T00:00:00.000Z"
IDENTITY = f"identity--{UUID(int=77, version=4)}"


def indicator(*, tlp: TLP | None = TLP.AMBER, **more: Any) -> dict[str, Any]:
    """A right indicator, a new one each time."""
    marking = {"object_marking_refs": [ids.TLP_MARKING[tlp]]} if tlp else {}
    found = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid4()}",
        "created_by_ref": IDENTITY,
        "created": STARTED,
        "modified": STARTED,
        "pattern": "[ipv4-addr:value = '203.0.113.77']",
        "pattern_type": "stix",
        "valid_from": STARTED,
    }
    return found | marking | more


def member(stores: Stores, *writes: str) -> Caller:
    """An account that may write to these collections, and has a sandbox."""
    account, rights = uuid4(), FeedRights(frozenset(writes), TLP.AMBER, frozenset(writes), sandbox=True)
    with stores.released.transaction() as db:
        feed_accounts.put_account(db, account, username=str(account), rights=rights, keys=[])
        feed.open_sandbox(db, account, title="Trial", description="試験")
        return known(feed_accounts.caller_of_account(db, account, now=NOW))


def known(caller: Caller | None) -> Caller:
    """It is there."""
    assert caller is not None
    return caller


def sandbox_of(caller: Caller) -> UUID:
    """The collection of its own."""
    found: UUID = next(row.id for row in caller.collections if row.owner_id is not None)
    return found


def post(stores: Stores, caller: Caller, where: str | UUID, *things: Any, now: Any = NOW) -> dict[str, Any]:
    """The status resource of a post."""
    with stores.released.transaction() as db:
        collection_id = where if isinstance(where, UUID) else collection_of(db, where).id
        _, status = contributions.submit(db, collection_id, things, by=caller.viewer, now=now)
    told: dict[str, Any] = orjson.loads(status)
    assert told["success_count"] + told["failure_count"] + told["pending_count"] == told["total_count"] == len(things)
    return told


def seen(stores: Stores, alias: str, tlp: TLP = TLP.AMBER) -> list[dict[str, Any]]:
    """What another reader of the collection gets, the publisher left out."""
    with stores.released.reading() as db:
        who = viewer(stores, alias, tlp=tlp)
        page = pages.read(db, collection_of(db, alias), viewer=who, wanted=Wanted(), limit=1000)
    return [one for one in objects_of(page) if one["id"] not in {ids.PORTAL, ids.PORTAL_IN_ENGLISH}]


def waiting(store: Store) -> list[contributions.Waiting]:
    """What waits for a person."""
    with store.reading() as db:
        return contributions.waiting(db)


def test_nobody_else_sees_a_contribution_until_it_is_let_out_and_then_as_it_was_posted(stores: Stores) -> None:
    own, thing = member(stores, "council"), indicator()
    assert post(stores, own, "council", thing)["success_count"] == 1
    assert seen(stores, "council") == [] and len(waiting(stores.released)) == 1
    with stores.released.reading() as db:
        assert own.viewer.account_id is not None
        now_own = known(feed_accounts.caller_of_account(db, own.viewer.account_id, now=NOW)).viewer
        page = pages.read(db, collection_of(db, "council"), viewer=now_own, wanted=Wanted(), limit=9)
        assert thing in objects_of(page)
    with stores.released.transaction() as db:
        assert contributions.let_out(db, waiting(stores.released)[0].submission_id, clock=lambda: NOW) == 1
    assert seen(stores, "council") == [thing]
    assert seen(stores, "council", TLP.GREEN) == []
    assert waiting(stores.released) == []


def test_what_is_refused_is_gone_for_its_contributor_too(stores: Stores) -> None:
    own = member(stores, "council")
    post(stores, own, "council", indicator(), indicator())
    with stores.released.transaction() as db:
        assert contributions.refuse(db, waiting(stores.released)[0].submission_id, now=NOW) == 2
    with stores.released.reading() as db:
        assert db.scalars(select(Entry).where(Entry.contributor_id.is_not(None))).all() == []
        assert db.scalars(select(ObjectVersion).where(ObjectVersion.space != "")).all() == []


def test_what_is_there_by_now_from_another_stays_behind(stores: Stores) -> None:
    own, thing = member(stores, "council"), indicator()
    post(stores, own, "council", thing)
    other = feed.Publication(thing["id"], "indicator", STARTED, orjson.dumps(thing | {"name": "another"}))
    with stores.released.transaction() as db:
        feed.publish(db, [other], aliases=["council"], tlp=TLP.RED, clock=lambda: NOW)
        assert contributions.let_out(db, waiting(stores.released)[0].submission_id, clock=lambda: NOW) == 0
    assert seen(stores, "council") == [] and waiting(stores.released) == []


def test_a_contributed_observable_never_keeps_a_warning_with_the_same_address_back(stores: Stores) -> None:
    own, address = member(stores, "council"), {"type": "ipv4-addr", "value": "203.0.113.77", "x_note": "mine"}
    address |= {"id": ids.sco_id("ipv4-addr", {"value": "203.0.113.77"}), "spec_version": "2.1"}
    post(stores, own, "council", address | {"object_marking_refs": [ids.TLP_MARKING[TLP.GREEN]]})
    with stores.released.transaction() as db:
        assert contributions.let_out(db, waiting(stores.released)[0].submission_id, clock=lambda: NOW) == 1
    ours = feed.Publication(address["id"], "ipv4-addr", None, b'{"id": "%s", "x": 1}' % address["id"].encode())
    with stores.released.transaction() as db:
        assert feed.publish(db, [ours], aliases=["council", "nco"], tlp=TLP.GREEN, clock=lambda: NOW) == 2
    assert seen(stores, "council") == [{"id": address["id"], "x": 1}]


def test_each_version_answers_for_its_own_creator(stores: Stores) -> None:
    own, mine = member(stores, "council"), indicator()
    forged = mine | {"modified": "2026-11-20T01:00:00.000Z", "created_by_ref": ids.PORTAL}
    told = post(stores, own, "council", forged, mine)
    assert [one["version"] for one in told["failures"]] == [forged["modified"]]


def test_nobody_takes_over_what_has_no_creator(stores: Stores) -> None:
    first, second = member(stores, "council"), member(stores, "council")
    thing = indicator()
    del thing["created_by_ref"]
    post(stores, first, "council", thing)
    with stores.released.transaction() as db:
        contributions.let_out(db, waiting(stores.released)[0].submission_id, clock=lambda: NOW)
    later = thing | {"modified": "2026-11-20T01:00:00.000Z", "revoked": True}
    assert post(stores, second, "council", later)["failure_count"] == 1
    assert post(stores, first, "council", later)["success_count"] == 1


def test_the_level_at_posting_is_the_level_in_the_feed(stores: Stores) -> None:
    """A marking of one's own counts, also after it was let out by itself."""
    own, extension = member(stores, "council"), {"extension_type": "property-extension", "tlp_2_0": "amber+strict"}
    strict = {"type": "marking-definition", "spec_version": "2.1", "id": f"marking-definition--{uuid4()}"}
    strict |= {"created": STARTED, "name": "own", "extensions": {ids.TLP_EXTENSION: extension}}
    post(stores, own, "council", strict)
    with stores.released.transaction() as db:
        contributions.let_out(db, waiting(stores.released)[0].submission_id, clock=lambda: NOW)
    both = indicator(object_marking_refs=[ids.TLP_MARKING[TLP.GREEN], strict["id"]])
    post(stores, own, "council", strict, both)
    with stores.released.transaction() as db:
        assert contributions.let_out(db, waiting(stores.released)[0].submission_id, clock=lambda: NOW) == 1
    assert both not in seen(stores, "council", TLP.AMBER) and both in seen(stores, "council", TLP.AMBER_STRICT)


def test_odd_references_do_not_stop_anybody(stores: Stores) -> None:
    own = member(stores, "council")
    assert post(stores, own, "council", indicator(x_foo_refs=[{}, [1]]))["pending_count"] == 0


def test_what_comes_into_view_again_is_added_anew(stores: Stores) -> None:
    own, thing = member(stores, "council"), indicator(tlp=TLP.GREEN)
    later = thing | {"modified": "2026-11-20T01:00:00.000Z"}
    sandbox = sandbox_of(own)
    for one in (thing, indicator(), later):
        post(stores, own, sandbox, one)
    with stores.released.transaction() as db:
        collection = known(feed_accounts.caller_of_account(db, own.viewer.account_id or uuid4(), now=NOW)).collections[
            0
        ]
        passed = max(collection.news)
        versions = frozenset({later["modified"]})
        contributions.remove(db, sandbox, thing["id"], versions=versions, by=own.viewer, now=NOW)
    with stores.released.reading() as db:
        row = next(
            one
            for one in known(feed_accounts.caller_of_account(db, own.viewer.account_id or uuid4(), now=NOW)).collections
            if one.id == sandbox
        )
        page = pages.read(db, row, viewer=own.viewer, wanted=Wanted(passed), limit=9)
    assert objects_of(page) == [thing]


@pytest.mark.parametrize(
    ("tlp", "alias", "taken"),
    [
        (TLP.CLEAR, "council", True),
        (TLP.AMBER, "council", True),
        (TLP.AMBER_STRICT, "council", True),
        (TLP.RED, "council", False),
        (None, "council", True),
        (TLP.AMBER, "isac-t-isac", True),
        (TLP.AMBER_STRICT, "isac-t-isac", False),
        (None, "isac-t-isac", False),
        (TLP.AMBER, "ceptoar-port-ceptoar", True),
        (TLP.RED, "allied", False),
    ],
)
def test_a_marking_that_forbids_what_the_collection_does_is_a_failure(
    stores: Stores, tlp: TLP | None, alias: str, taken: bool
) -> None:
    told = post(stores, member(stores, alias), alias, indicator(tlp=tlp))
    assert told["success_count"] == taken
    if not taken:
        assert "carries at most" in told["failures"][0]["message"]
        assert waiting(stores.released) == []


def test_an_observable_is_as_strict_as_what_refers_to_it() -> None:
    address = {"type": "ipv4-addr", "id": f"ipv4-addr--{uuid4()}", "value": "203.0.113.77"}
    observed = {"type": "observed-data", "id": f"observed-data--{uuid4()}", "object_refs": [address["id"]]}
    amber, green = ({"object_marking_refs": [ids.TLP_MARKING[level]]} for level in (TLP.AMBER, TLP.GREEN))
    again = observed | green | {"id": f"observed-data--{uuid4()}"}
    assert contributions.levels_of([address, observed | amber, again])[str(address["id"])] is TLP.AMBER
    assert contributions.levels_of([address])[str(address["id"])] is TLP.AMBER_STRICT


def test_a_granular_marking_counts_and_the_older_protocol_too() -> None:
    older_red = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
    thing = indicator(tlp=TLP.GREEN, granular_markings=[{"marking_ref": older_red, "selectors": ["pattern"]}])
    assert contributions.levels_of([thing]) == {thing["id"]: TLP.RED}


def test_a_creator_belongs_to_the_account_of_which_something_was_first_let_out(stores: Stores) -> None:
    first, second = member(stores, "council"), member(stores, "council")
    for one in (first, second):  # What another has in quarantine nobody learns.
        assert post(stores, one, "council", indicator())["success_count"] == 1
    out = []
    for one in waiting(stores.released):
        with stores.released.transaction() as db:
            out.append(contributions.let_out(db, one.submission_id, clock=lambda: NOW))
    assert sorted(out) == [0, 1]
    with stores.released.reading() as db:
        owner = db.scalars(select(Contributor.account_id)).one()
    first, second = (first, second) if first.viewer.account_id == owner else (second, first)
    told = post(stores, second, "council", indicator(), indicator(created_by_ref=ids.PORTAL))
    assert [one["message"] for one in told["failures"]] == ["created_by_ref names another contributor"] * 2
    assert post(stores, first, "council", indicator())["success_count"] == 1


def test_two_versions_of_one_object_are_as_strict_as_the_stricter(stores: Stores) -> None:
    own, thing = member(stores, "isac-t-isac"), indicator(tlp=TLP.RED)
    later = indicator(tlp=TLP.GREEN, id=thing["id"], modified="2026-11-20T01:00:00.000Z")
    assert post(stores, own, "isac-t-isac", thing, later)["failure_count"] == 2


def test_only_its_creator_adds_a_version_to_what_is_there(stores: Stores) -> None:
    own, thing = member(stores, "council"), indicator(created_by_ref=f"identity--{uuid4()}")
    released = feed.Publication(thing["id"], "indicator", STARTED, orjson.dumps(thing))
    with stores.released.transaction() as db:
        feed.publish(db, [released], aliases=["council"], tlp=TLP.GREEN, clock=lambda: NOW)
    later = {"modified": "2026-11-20T01:00:00.000Z", "revoked": True, "created_by_ref": IDENTITY}
    told = post(stores, own, "council", thing | later, thing)
    assert told["failures"][0]["message"] == "only who gave an object adds versions to it"
    assert told["success_count"] == 1, "what is there already is no failure"


def test_what_exists_in_secret_is_posted_as_if_it_were_new(stores: Stores) -> None:
    own, thing = member(stores, "council"), indicator()
    hidden = feed.Publication(thing["id"], "indicator", STARTED, orjson.dumps(thing | {"name": "secret"}))
    with stores.released.transaction() as db:
        feed.publish(db, [hidden], aliases=["council"], tlp=TLP.RED, clock=lambda: NOW)
    assert post(stores, own, "council", thing)["success_count"] == 1


def test_a_large_post_waits_for_a_worker_that_acts_with_the_rights_of_that_moment(stores: Stores) -> None:
    own = member(stores, "council")
    many = [indicator() for _ in range(contributions.AT_ONCE + 1)]
    told = [post(stores, own, "council", *many), post(stores, own, sandbox_of(own), *many)]
    assert [one["status"] for one in told] == ["pending", "pending"]
    assert {one["pending_count"] for one in told} == {len(many)} == {len(one["pendings"]) for one in told}
    with stores.released.transaction() as db:
        account_id, reads_only = own.viewer.account_id, FeedRights(frozenset({"council"}), TLP.AMBER, sandbox=True)
        assert account_id is not None
        feed_accounts.put_account(db, account_id, username="x", rights=reads_only, keys=[])
    for _ in range(2):
        with stores.released.transaction() as db:
            assert contributions.complete_next(db, now=NOW)
    with stores.released.reading() as db:
        statuses = [
            orjson.loads(contributions.status(db, UUID(one["id"]), viewer=own.viewer, sandbox=sandbox))
            for one, sandbox in zip(told, (False, True), strict=True)
        ]
        assert not contributions.any_waits(db)
    assert [one["status"] for one in statuses] == ["complete", "complete"]
    assert [one["failure_count"] for one in statuses] == [len(many), 0]


def test_an_approver_decides_and_nobody_else(stores: Stores) -> None:
    post(stores, member(stores, "council"), "council", indicator())
    submission = waiting(stores.released)[0].submission_id
    with stores.case.transaction() as db:
        office = make_organization(db, kind=Kind.NCO)
        analyst, approver = make_viewer(db, office, Role.ANALYST), make_viewer(db, office, Role.APPROVER)
    for act in (carrying.admit, carrying.turn_down):
        with pytest.raises(NotPermitted):
            act(stores, submission, by=analyst, now=NOW)
        with pytest.raises(NotFound):
            act(stores, uuid4(), by=approver, now=NOW)
    carrying.admit(stores, submission, by=approver, now=NOW)
    with stores.case.reading() as db:
        assert db.scalars(select(Event.subject_id).where(Event.topic == "contribution.admitted")).all() == [submission]
    for _ in range(2):
        carrying.contribution(stores, submission, clock=lambda: NOW)
    assert len(seen(stores, "council")) == 1
    with stores.case.reading() as db:
        assert any('"contribution.admitted"' in entry for entry in db.scalars(select(AuditEntry.entry)))


def test_sandboxes_are_emptied_every_night_and_nothing_else_is(stores: Stores) -> None:
    own = member(stores, "council")
    before_the_night, after_it = NOW.replace(hour=17), NOW.replace(hour=19)  # 3 a.m. in Japan is 18:00 UTC.
    post(stores, own, sandbox_of(own), indicator(), now=before_the_night)
    post(stores, own, "council", indicator(), now=before_the_night)
    with stores.released.transaction() as db:
        assert contributions.sandboxes(db) == [sandbox_of(own)]
        assert contributions.empty_sandbox(db, sandbox_of(own), now=NOW.replace(hour=17, minute=59)) == 0
        assert contributions.empty_sandbox(db, sandbox_of(own), now=after_it) == 1
        assert contributions.empty_sandbox(db, sandbox_of(own), now=after_it) == 0
    post(stores, own, sandbox_of(own), indicator(), now=after_it)
    with stores.released.transaction() as db:
        assert contributions.empty_sandbox(db, sandbox_of(own), now=after_it + timedelta(hours=20)) == 0
    assert len(waiting(stores.released)) == 1


def test_a_status_is_kept_for_two_days_and_longer_while_a_person_has_to_decide(stores: Stores) -> None:
    own = member(stores, "council")
    post(stores, own, sandbox_of(own), indicator())
    post(stores, own, "council", indicator())
    with stores.released.transaction() as db:
        assert contributions.forget_statuses(db, now=NOW + timedelta(hours=47)) == 0
        assert contributions.forget_statuses(db, now=NOW + timedelta(hours=49)) == 1
        assert len(db.scalars(select(Submission)).all()) == 1
