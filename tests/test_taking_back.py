"""What a later stage adds to the feed, and what a correction or a narrower consent takes out of it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from stix2validator import ValidationOptions, validate_instance

from exchange import accounts, carrying, clocks, findings, form, incidents, lanes, outbox
from exchange.db import Store
from exchange.errors import Invalid, NotFound, WrongState
from exchange.incidents import Filed, Filing
from exchange.models import Collection, Entry, Event, ObjectVersion
from exchange.sharing import TLP, Viewer
from exchange.stix.ids import TLP_MARKING
from exchange.stores import Stores
from portal.web import previews
from tests.conftest import NOW
from tests.make import DEMO, SAMPLES, file_sample, make_organization, make_report, make_viewer, work
from tests.test_editions import leaks, polled, release, reports

LATER = NOW + timedelta(hours=2)
HASH = "343e702325437e2b0e75857dc78c45c4e5e2ab2300c6c90a0eb21c5b7edc9692"
TECHNICAL = {
    "ttps": [{"id": "T1190", "domain": "enterprise"}, {"id": "T0836", "domain": "ics", "evidence_ja": "設定値の変更"}],
    "malware": [{"name": "内部で付けた名前", "kind": "ransomware", "hashes": [HASH]}],
    "vulnerabilities": [{"cve": "CVE-2024-55591", "relation": "exploited"}],
    "iocs": [
        {"type": "domain-name", "value": "c2[.]bad.example", "role": "c2", "confidence": "high"},
        {"type": "ipv4-addr", "value": "198.51.100.7", "role": "ddos-source", "confidence": "high"},
        {"type": "ipv4-addr", "value": "198.51.100.8", "role": "c2", "confidence": "low"},
        {"type": "ipv4-addr", "value": "198.51.100.9", "role": "c2", "tlp": "amber"},
    ],
}


@pytest.fixture
def alice(stores: Stores) -> Viewer:
    with stores.case.transaction() as db:
        return make_viewer(db, make_organization(db))


def filed_by(stores: Stores, alice: Viewer, **answers: Any) -> Filed:
    with stores.case.transaction() as db:
        filed = make_report(db, alice, **answers)
    release(stores, filed)
    return filed


def update(stores: Stores, filed: Filed, alice: Viewer, changes: Any, *, stage: str = "zokuhou") -> Filed:
    """File what is new, and let the workers do their part."""
    found = carrying.file(stores, filed.case.ref, changes, Filing(stage, "api", alice), clock=lambda: LATER)
    release(stores, found, minutes=121)
    return found


def test_what_a_later_stage_learns_of_the_attack_goes_out(stores: Stores, alice: Viewer) -> None:
    filed = filed_by(stores, alice)
    update(stores, filed, alice, TECHNICAL)
    newest = {one["id"]: one for one in reports(stores, "council")}.values()
    kinds = Counter(one["type"] for one in newest)
    assert (kinds["attack-pattern"], kinds["malware"], kinds["infrastructure"]) == (2, 1, 1)
    patterns = " ".join(one["pattern"] for one in newest if one["type"] == "indicator")
    assert "c2.bad.example" in patterns and HASH in patterns and "198.51.100.7" not in patterns
    text = str(list(newest))
    assert "内部で付けた名前" not in text and "設定値" not in text and "198.51.100.8" not in text
    assert "198.51.100.9" not in text and "CVE-2024-55591" in text


@pytest.mark.parametrize("name", SAMPLES)
def test_every_stage_of_a_sample_is_valid_stix_and_tells_nobody_who_was_hit(stores: Stores, name: str) -> None:
    filed = file_sample(stores, name)
    release(stores, filed)
    with stores.case.transaction() as db:
        alice = accounts.viewer_of(accounts.lock_person(db, filed.version.person_id))
    for stage in next(row for row in DEMO["reports"] if row["sample"] == name)["later"]:
        at = datetime.fromisoformat(stage["answers"].get("submitted_at", "2027-01-15T00:00:00+09:00"))
        changes = {key: value for key, value in stage["answers"].items() if key != "submitted_at"}
        found = carrying.file(
            stores, filed.case.ref, changes, Filing(stage["stage"], "api", alice), clock=lambda at=at: at
        )
        release(stores, found, minutes=1)
    out = [one for alias in ("council", "allied") for one in polled(stores, alias)]
    assert_valid(out)
    plain = unicodedata.normalize("NFKC", str(out)).casefold()
    told = [*leaks(), *typed_later(name)]
    assert not [leak for leak in told if unicodedata.normalize("NFKC", leak).casefold() in plain]


def typed_later(name: str) -> Iterator[str]:
    """What people typed at later stages, in pieces of 12 characters; what is plain ASCII may be a value or an id."""
    for stage in next(row for row in DEMO["reports"] if row["sample"] == name)["later"]:
        for field, answer in stage["answers"].items():
            if field in form.FIELDS and form.FIELDS[field]["free_text"]:
                for text in texts(answer):
                    pieces = (text[i : i + 12] for i in range(0, max(1, len(text) - 12), 6))
                    yield from (piece for piece in pieces if len(piece) > 5 and not piece.isascii())


def texts(answer: Any) -> Iterator[str]:
    if isinstance(answer, str):
        yield answer
    elif isinstance(answer, dict):
        for member, value in answer.items():
            if member not in {"value", "cve", "hashes"}:
                yield from texts(value)
    elif isinstance(answer, list):
        for one in answer:
            yield from texts(one)


def assert_valid(objects: list[dict[str, Any]]) -> None:
    options = ValidationOptions(version="2.1", disabled="all")
    assert [(one, r.errors) for one in objects if not (r := validate_instance(one, options)).is_valid] == []


def test_a_correction_takes_back_what_was_wrong_and_leaves_nothing_of_it(stores: Stores, alice: Viewer) -> None:
    filed = filed_by(stores, alice, ioc_paste="203.0.113.45 198.51.100.99")
    before = reports(stores, "council")
    wrong = next(one for one in before if "198.51.100.99" in one.get("pattern", ""))
    correction = Filing("correction", "api", alice)
    found = carrying.file(stores, filed.case.ref, {"ioc_paste": "203.0.113.45"}, correction, clock=lambda: LATER)
    after = reports(stores, "council")
    release(stores, found, minutes=121)
    assert reports(stores, "council") == after, "it was out of the feed before it was confirmed"
    revoked = [one for one in after if one["id"] == wrong["id"]]
    assert [one["revoked"] for one in revoked] == [True] and revoked[0]["modified"] > wrong["modified"]
    assert "198.51.100.99" not in str(after) and "203.0.113.45" in str(after)
    assert {one["id"] for one in before if one["type"] == "incident"} <= {one["id"] for one in after}


def test_what_comes_back_has_another_id(stores: Stores, alice: Viewer) -> None:
    filed = filed_by(stores, alice, ioc_paste="203.0.113.45 198.51.100.99")
    first = next(one for one in reports(stores, "council") if "198.51.100.99" in one.get("pattern", ""))
    update(stores, filed, alice, {"ioc_paste": "203.0.113.45"})
    found = carrying.file(
        stores, filed.case.ref, {"ioc_paste": "203.0.113.45 198.51.100.99"}, Filing("zokuhou", "api", alice),
        clock=lambda: LATER + timedelta(hours=1),
    )  # fmt: skip
    release(stores, found, minutes=200)
    again = [one for one in reports(stores, "council") if "198.51.100.99" in one.get("pattern", "")]
    assert len(again) == 1 and again[0]["id"] != first["id"] and "revoked" not in again[0]
    assert [one for one in reports(stores, "council") if one.get("value") == "198.51.100.99"]


@pytest.mark.parametrize("scope", ["nco", "legal-only"])
def test_a_consent_taken_back_is_out_of_the_feed_before_it_is_confirmed(
    stores: Stores, alice: Viewer, scope: str
) -> None:
    filed = filed_by(stores, alice, share_scope="allied-anon")
    known = {alias: {one["id"] for one in reports(stores, alias)} for alias in ("council", "allied")}
    carrying.file(stores, filed.case.ref, {"share_scope": scope}, Filing("zokuhou", "web", alice), clock=lambda: LATER)
    for alias, ids in known.items():
        left = reports(stores, alias)
        assert all(one.get("revoked") for one in left) and left
        assert {one["id"] for one in left} <= ids
        assert not [
            word for word in ("203.0.113.45", "bad.example", "CVE-2024-21887", "ランサムウェア") if word in str(left)
        ]
    assert_valid(reports(stores, "council"))


def test_a_narrower_scope_ends_only_the_circle_that_it_leaves(stores: Stores, alice: Viewer) -> None:
    filed = filed_by(stores, alice, share_scope="allied-anon")
    before = reports(stores, "council")
    update(stores, filed, alice, {"share_scope": "council-anon"})
    assert reports(stores, "council") == before
    assert all(one["revoked"] for one in reports(stores, "allied"))


def test_an_address_that_another_case_shares_stays(stores: Stores, alice: Viewer) -> None:
    filed = filed_by(stores, alice, ioc_paste="203.0.113.45")
    with stores.case.transaction() as db:
        other = make_report(db, make_viewer(db, make_organization(db)), ioc_paste="203.0.113.45", incident_kind="other")
    release(stores, other, minutes=3)
    carrying.file(stores, filed.case.ref, {"share_scope": "nco"}, Filing("zokuhou", "web", alice), clock=lambda: LATER)
    assert [one for one in reports(stores, "council") if one.get("value") == "203.0.113.45"]


class _Meanwhile:
    """A case store on which something happens between a worker's first transaction and its second."""

    def __init__(self, store: Store, act: Callable[[], object]) -> None:
        self._store, self._act, self._begun = store, act, 0

    def transaction(self) -> AbstractContextManager[Session]:
        self._begun += 1
        if self._begun == 2:
            self._act()
        return self._store.transaction()


def test_a_worker_that_is_late_does_not_bring_back_what_was_withdrawn(stores: Stores, alice: Viewer) -> None:
    """It has rendered the edition, and publishes after the reporter took the consent back."""
    with stores.case.transaction() as db:
        filed = make_report(db, alice)
    (edition,) = work(stores, filed)
    withdrawal = Filing("zokuhou", "web", alice)
    slow = _Meanwhile(
        stores.case,
        lambda: carrying.file(stores, filed.case.ref, {"share_scope": "nco"}, withdrawal, clock=lambda: LATER),
    )
    carrying.release(replace(stores, case=slow), edition.id, clock=lambda: LATER)  # type: ignore[arg-type]
    assert slow._begun == 2
    assert not [one for one in reports(stores, "council") if not one.get("revoked")]


def test_who_shares_again_is_shared_again_under_other_ids(stores: Stores, alice: Viewer) -> None:
    filed = filed_by(stores, alice)
    update(stores, filed, alice, {"share_scope": "nco"})
    ended = {one["id"] for one in reports(stores, "council")}
    later = NOW + timedelta(days=1)
    found = carrying.file(
        stores, filed.case.ref, {"share_scope": "council-anon"}, Filing("zokuhou", "web", alice), clock=lambda: later
    )
    release(stores, found, minutes=24 * 60 + 1)
    alive = {one["id"] for one in reports(stores, "council") if not one.get("revoked") and "modified" in one}
    assert alive and not alive & ended


def test_an_embargo_holds_the_edition(stores: Stores, alice: Viewer) -> None:
    until = NOW + timedelta(days=2)
    with stores.case.transaction() as db:
        filed = make_report(db, alice)
    found = carrying.file(
        stores, filed.case.ref, {"embargo_until": until.isoformat()}, Filing("zokuhou", "web", alice), clock=lambda: NOW
    )
    work(stores, found)
    with stores.case.reading() as db:
        assert "edition.ready" not in [topic for topic, _ in outbox.to_ring(db, now=until - timedelta(minutes=1))]
        assert "edition.ready" in [topic for topic, _ in outbox.to_ring(db, now=until)]


def test_whoever_leaves_word_of_it_nothing_under_an_embargo_goes_out(stores: Stores, alice: Viewer) -> None:
    until = NOW + timedelta(days=2)
    with stores.case.transaction() as db:
        filed = make_report(db, alice)
    (edition,) = work(stores, filed)
    carrying.file(stores, filed.case.ref, embargo(until), Filing("zokuhou", "web", alice), clock=lambda: NOW)
    carrying.release(stores, edition.id, clock=lambda: until - timedelta(seconds=1))
    assert reports(stores, "council") == []
    with stores.case.reading() as db:
        assert rung(db, edition.id, until) and not rung(db, edition.id, until - timedelta(seconds=1), after=NOW)
    carrying.release(stores, edition.id, clock=lambda: until)
    assert reports(stores, "council")


def embargo(until: datetime) -> dict[str, str]:
    return {"embargo_until": until.isoformat()}


def rung(db: Session, edition_id: UUID, at: datetime, *, after: datetime = NOW) -> bool:
    """Whether word of an edition is heard by then, and not at once."""
    heard = select(Event.id).where(Event.subject_id == edition_id, Event.ring_at > after, Event.ring_at <= at)
    return db.scalar(heard.limit(1)) is not None


def test_what_is_out_when_an_embargo_begins_stays_and_only_shrinks(stores: Stores, alice: Viewer) -> None:
    filed = filed_by(stores, alice, ioc_paste="203.0.113.45 198.51.100.99 203.0.113.46")
    before = reports(stores, "council")
    more = {"ioc_paste": "203.0.113.45 203.0.113.46", "ttps": [{"id": "T1190"}], "incident_kind": "ddos"}
    found = carrying.file(
        stores,
        filed.case.ref,
        embargo(LATER + timedelta(days=2)) | more,
        Filing("correction", "api", alice),
        clock=lambda: LATER,
    )
    confirmed = reports(stores, "council")
    with stores.case.transaction() as db:
        make_organization(db, networks=["203.0.113.46/32"])
    (edition,) = work(stores, found, now=LATER)
    with stores.case.reading() as db:
        assert rung(db, edition.id, LATER)
    release(stores, found, minutes=121)
    after = reports(stores, "council")
    assert "198.51.100.99" in str(before) and "198.51.100.99" not in str(confirmed)
    assert "203.0.113.46" in str(confirmed) and "203.0.113.46" not in str(after)
    assert "T1190" not in str(after) and "DDoS" not in str(after)
    assert {one["id"] for one in after} <= {one["id"] for one in before}
    release(stores, found, minutes=3 * 24 * 60)
    assert "T1190" in str(reports(stores, "council")) and "DDoS" in str(reports(stores, "council"))


def test_a_worker_that_is_late_does_not_publish_what_is_under_an_embargo_by_now(stores: Stores, alice: Viewer) -> None:
    with stores.case.transaction() as db:
        filed = make_report(db, alice)
    (edition,) = work(stores, filed)
    changes = embargo(LATER + timedelta(days=1)) | {"tlp_tech": "amber"}
    act = Filing("zokuhou", "web", alice)
    slow = _Meanwhile(stores.case, lambda: carrying.file(stores, filed.case.ref, changes, act, clock=lambda: LATER))
    carrying.release(replace(stores, case=slow), edition.id, clock=lambda: LATER)  # type: ignore[arg-type]
    assert slow._begun == 2 and reports(stores, "council") == []


def received(stores: Stores, alias: str, tlp: TLP) -> list[dict[str, Any]]:
    """What a collection serves to those who may receive up to this level, without the publisher."""
    with stores.released.reading() as db:
        rows = select(ObjectVersion.body, Entry.lane).join(Entry).join(Collection, Collection.id == Entry.collection_id)
        entries = db.execute(rows.where(Collection.alias == alias).order_by("date_added")).all()[2:]
    return [orjson.loads(body) for body, lane in entries if lanes.rank_of(lane) <= tlp.rank]


@pytest.mark.parametrize("level", [TLP.AMBER, TLP.AMBER_STRICT, TLP.RED])
def test_a_stricter_level_holds_from_the_moment_of_its_confirmation(stores: Stores, alice: Viewer, level: TLP) -> None:
    filed = filed_by(stores, alice)
    before = reports(stores, "council")
    found = carrying.file(
        stores, filed.case.ref, {"tlp_tech": level}, Filing("correction", "api", alice), clock=lambda: LATER
    )
    for looser in TLP:
        served = received(stores, "council", looser)
        assert {one["id"] for one in served} == ({one["id"] for one in before} if looser.rank >= level.rank else set())
    confirmed = reports(stores, "council")
    newest = {one["id"]: one for one in confirmed}.values()
    assert {one["object_marking_refs"][0] for one in newest if "modified" in one} == {TLP_MARKING[level]}
    assert_valid(confirmed)
    release(stores, found, minutes=121)
    assert reports(stores, "council") == confirmed, "the same is rendered when a worker comes to it"


def test_an_address_is_as_open_as_the_most_open_report_of_it(stores: Stores, alice: Viewer) -> None:
    def values(level: TLP) -> list[str]:
        return [one["value"] for one in received(stores, "council", level) if one["type"] == "ipv4-addr"]

    filed = filed_by(stores, alice, ioc_paste="203.0.113.45 203.0.113.46")
    with stores.case.transaction() as db:
        bob = make_viewer(db, make_organization(db))
        other = make_report(db, bob, ioc_paste="203.0.113.45", incident_kind="other")
    release(stores, other, minutes=3)
    update(stores, filed, alice, {"tlp_tech": "red"}, stage="correction")
    assert values(TLP.GREEN) == ["203.0.113.45"]
    update(stores, other, bob, {"tlp_tech": "amber+strict"}, stage="correction")
    assert values(TLP.AMBER) == [] and values(TLP.AMBER_STRICT) == ["203.0.113.45"]
    with stores.case.transaction() as db:
        third = make_report(db, make_viewer(db, make_organization(db)), ioc_paste="203.0.113.45 203.0.113.46")
    release(stores, third, minutes=130)
    assert sorted(values(TLP.GREEN)) == ["203.0.113.45", "203.0.113.46"]


def test_what_may_not_be_used_for_warnings_is_out_of_the_feed_before_it_is_confirmed(
    stores: Stores, alice: Viewer
) -> None:
    filed = filed_by(stores, alice, share_scope="allied-anon")
    purposes = {"permitted_purposes": ["response", "statistics"]}
    with stores.case.transaction() as db:
        case = incidents.find(db, filed.case.ref, alice)
        told = previews.of(db, case, purposes, "zokuhou", by=alice, now=LATER)["consent"]
    assert told.before == told.after and len(told.ended) == 2 and not told.opened
    found = carrying.file(stores, filed.case.ref, purposes, Filing("zokuhou", "web", alice), clock=lambda: LATER)
    release(stores, found, minutes=121)
    for alias in ("council", "allied"):
        left = reports(stores, alias)
        assert left and all(one["revoked"] for one in left)


def test_the_kinds_of_a_ddos_attack_go_out_as_techniques(stores: Stores, alice: Viewer) -> None:
    filed = filed_by(stores, alice, incident_kind="ddos")
    details = {"ddos": {"vectors": ["T1498.002", "T1499.002"], "targets": ["www.victim.example"]}}
    update(stores, filed, alice, details)
    out = reports(stores, "council")
    assert sorted(one["name"] for one in out if one["type"] == "attack-pattern") == ["T1498.002", "T1499.002"]
    assert "victim" not in str(out)
    assert_valid(out)


def test_a_closed_case_takes_no_update_until_it_is_opened_again(stores: Stores, alice: Viewer) -> None:
    filed = filed_by(stores, alice)
    with stores.case.transaction() as db:
        incidents.close(db, incidents.hold(db, filed.case.id), by=alice, now=LATER)
    with pytest.raises(WrongState):
        update(stores, filed, alice, {"current_status": "recovered"})
    with stores.case.transaction() as db:
        incidents.reopen(db, incidents.hold(db, filed.case.id), by=alice, now=LATER)
    assert update(stores, filed, alice, {"current_status": "recovered"}).version.seq == 2


def test_nobody_else_files_an_update(stores: Stores, alice: Viewer) -> None:
    filed = filed_by(stores, alice)
    with stores.case.transaction() as db:
        mallory = make_viewer(db, make_organization(db))
    with pytest.raises(NotFound):
        update(stores, filed, mallory, {"current_status": "recovered"})


@pytest.mark.parametrize(
    "wrong", [{}, {"nonsense": 1}, {"current_status": "gone"}, {"aware_at": None}, [], {"iocs": [{}]}]
)
def test_a_wrong_update_leaves_nothing_behind(stores: Stores, alice: Viewer, wrong: Any) -> None:
    filed = filed_by(stores, alice)
    with pytest.raises(Invalid):
        update(stores, filed, alice, wrong)
    with stores.case.reading() as db:
        case = incidents.find(db, filed.case.ref, alice)
        assert len(case.versions) == 1 and findings.kept(db, case.versions[0].id)
        assert {one.met_by for one in clocks.of_case(db, case)} <= {"any", "update", "kakuhou"}
