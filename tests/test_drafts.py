"""Drafts: nothing typed is lost, nobody else sees it, and what is filed is what was checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from exchange import drafting, drafts, incidents
from exchange.drafting import Progress
from exchange.drafts import Opened
from exchange.errors import Conflict, Invalid, NotFound, NotPermitted, WrongState
from exchange.form import FIELDS
from exchange.incidents import Filing
from exchange.models import Attachment, Case, Draft, Organization
from exchange.sharing import PUBLIC, Role, Viewer
from exchange.stores import Stores
from tests.conftest import NOW
from tests.make import make_organization, make_report, make_viewer

Json = dict[str, Any]
LATER = NOW + timedelta(minutes=10)


@dataclass
class Desk:
    """Alice and her colleague Aki, with a case of their own; Carol works elsewhere."""

    stores: Stores
    alice: Viewer
    aki: Viewer
    carol: Viewer
    case: Case

    def start(self, stage: str = "zokuhou", by: Viewer | None = None) -> Draft:
        with self.stores.case.transaction() as db:
            case = incidents.find(db, self.case.ref, self.alice)
            return drafts.start(db, by=by or self.alice, stage=stage, now=NOW, case=case)

    def save(
        self,
        draft: Draft,
        by: Viewer | None = None,
        *,
        revision: int | None = None,
        base: int | None = None,
        **said: str,
    ) -> Opened:
        """What was typed into whole questions; `x__y` stands for `x.y`."""
        pairs = {name.replace("__", "."): [value] for name, value in said.items()}
        fields = [FIELDS[name] for name in dict.fromkeys(name.partition(".")[0] for name in pairs)]
        with self.stores.case.transaction() as db:
            found = drafts.find(db, draft.id, by or self.alice, held=True)
            seen = {
                "revision": found.row.revision if revision is None else revision,
                "base": found.base if base is None else base,
            }
            return drafts.save(db, found, pairs, fields=fields, by=by or self.alice, now=LATER, **seen)

    def work(self, draft: Draft) -> drafting.Work:
        with self.stores.case.reading() as db:
            return drafts.work_on(db, drafts.find(db, draft.id, self.alice))

    def file(self, draft: Draft, *, revision: int | None = None, after: int | None = None) -> incidents.Filed:
        with self.stores.case.transaction() as db:
            found = drafts.find(db, draft.id, self.alice)
            return drafts.file(
                db,
                self.stores,
                draft.id,
                by=self.alice,
                revision=found.row.revision if revision is None else revision,
                after=found.base if after is None else after,
                clock=lambda: LATER,
            )

    def update(self, **changes: Any) -> None:
        """Somebody files an update by another way."""
        with self.stores.case.transaction() as db:
            case = incidents.hold(db, self.case.id)
            incidents.update(db, case, changes, Filing("zokuhou", "api", self.aki), now=LATER)

    def answers(self) -> Json:
        with self.stores.case.reading() as db:
            return incidents.whole_answers(db, incidents.latest(incidents.find(db, self.case.ref, self.alice)))


def _desk(stores: Stores, **organization: Any) -> Desk:
    with stores.case.transaction() as db:
        own = make_organization(db, **organization)
        alice, aki = make_viewer(db, own), make_viewer(db, own)
        carol = make_viewer(db, make_organization(db))
        return Desk(stores, alice, aki, carol, make_report(db, alice, summary="画面に脅迫文", now=NOW).case)


@pytest.fixture
def desk(stores: Stores) -> Iterator[Desk]:
    """A house with one open case, on each database."""
    return _desk(stores)


# --- whose it is ----------------------------------------------------------------------------------------


def test_a_draft_of_a_case_begins_with_what_is_known(desk: Desk) -> None:
    work = desk.work(desk.start())
    assert work.typed["summary"] == ["画面に脅迫文"] and work.typed["callback"] == ["+81312345678"]
    assert work.changes == {} and work.answers["incident_kind"] == "ransomware"


def test_beginning_twice_goes_on_with_the_same_draft(desk: Desk) -> None:
    assert desk.start().id == desk.start(by=desk.aki).id
    assert desk.start("kakuhou").id != desk.start().id


def test_a_colleague_goes_on_and_nobody_else_learns_that_there_is_a_draft(desk: Desk) -> None:
    draft = desk.start()
    desk.save(draft, desk.aki, attack_vector="保守用のVPN装置")
    with desk.stores.case.transaction() as db:
        assert drafts.find(db, draft.id, desk.alice).row.person_id == desk.aki.person_id
        reader = make_viewer(db, db.get_one(Organization, desk.alice.organization_id), Role.READER)
        for stranger in (desk.carol, reader, PUBLIC):
            with pytest.raises(NotFound):
                drafts.find(db, draft.id, stranger)
            assert drafts.of_organization(db, stranger) == []
            with pytest.raises((NotFound, NotPermitted)):
                drafts.start(db, by=stranger, stage="zokuhou", now=NOW, case=desk.case)
        with pytest.raises(NotFound):
            drafts.find(db, uuid4(), desk.alice)
        assert [one.id for one in drafts.of_organization(db, desk.aki)] == [draft.id]


def test_only_one_who_reports_begins_a_quick_report(desk: Desk) -> None:
    with desk.stores.case.transaction() as db:
        for stage in ("sokuhou", "zokuhou"):
            with pytest.raises(NotPermitted):
                drafts.start(db, by=PUBLIC, stage=stage, now=NOW)


@pytest.mark.parametrize("stage", ["sokuhou", "", "final"])
def test_a_case_has_no_draft_of_another_stage(desk: Desk, stage: str) -> None:
    with pytest.raises(NotFound):
        desk.start(stage)


def test_what_was_typed_lies_sealed(desk: Desk) -> None:
    desk.save(desk.start(), attack_vector="極秘の経路")
    with desk.stores.case.reading() as db:
        for row in db.execute(text("SELECT * FROM draft")):
            kept = b" ".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
            assert "極秘の経路".encode() not in kept and b"attack_vector" not in kept


# --- saving ---------------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_kept_as_it_was_typed_and_named(desk: Desk) -> None:
    draft = desk.start()
    said = {"affected_services__0__name_ja": "出荷", "affected_services__0__users_affected": "たくさん"}
    desk.save(draft, **said, affected_services__1__users_pct="180", pd_subject_count="3人か4人")
    work = desk.work(draft)
    assert work.typed["affected_services.0.users_affected"] == ["たくさん"]
    assert [(one.field, one.code) for one in drafting.problems(work, now=LATER)] == [
        ("affected_services.0.users_affected", "bad-count"),
        ("affected_services.1.users_pct", "out-of-range"),
    ], "personal data is not asked of this incident, so nothing is wrong with it"
    with pytest.raises(Invalid):
        desk.file(draft)
    assert desk.work(draft).typed == work.typed


def test_a_problem_of_the_form_is_told_for_each_row_that_has_it(desk: Desk) -> None:
    draft = desk.start()
    desk.save(
        draft,
        iocs__0__type="url",
        iocs__0__value="https://a.example",
        iocs__1__type="url",
        iocs__2__value="192.0.2.1",
        iocs__3__type="nothing",
        iocs__3__value="x\x00y",
        malware__0__hashes="x" * 200,
    )
    assert {(one.field, one.code) for one in drafting.problems(desk.work(draft), now=LATER)} == {
        ("iocs.1.value", "required"),
        ("iocs.2.type", "required"),
        ("iocs.3.type", "unknown-option"),
        ("iocs.3.value", "control-character"),
        ("malware.0.hashes", "too-long"),
    }


def test_two_who_save_the_same_section_at_once_find_out(desk: Desk) -> None:
    draft = desk.start()
    desk.save(draft, desk.aki, attack_vector="VPN装置", revision=1)
    with pytest.raises(Conflict):
        desk.save(draft, attack_vector="標的型メール", revision=1)
    assert desk.work(draft).typed["attack_vector"] == ["VPN装置"]
    assert desk.save(draft, attack_vector="標的型メール", revision=2).row.revision == 3


def test_two_who_save_different_sections_do_not_disturb_each_other(desk: Desk) -> None:
    draft = desk.start()
    desk.save(draft, desk.aki, attack_vector="VPN装置", revision=1)
    desk.save(draft, severity_self="3", revision=1)
    assert desk.work(draft).changes == {"attack_vector": "VPN装置", "severity_self": 3}


def test_a_page_from_before_a_filing_takes_nothing_back_that_was_filed(desk: Desk) -> None:
    draft = desk.start()
    desk.update(share_scope="legal-only", severity_self=2)
    for base in (1, 0, 99):
        with pytest.raises(Conflict):
            desk.save(draft, base=base, share_scope="council-anon", current_status="contained")
    assert desk.work(draft).typed["share_scope"] == ["legal-only"] and desk.work(draft).changes == {}
    desk.save(draft, base=1, attack_vector="VPN装置")
    desk.save(draft, base=1, share_scope="legal-only")
    assert desk.work(draft).changes == {"attack_vector": "VPN装置"}
    desk.save(draft, base=2, share_scope="council-anon")
    assert desk.work(draft).changes["share_scope"] == "council-anon", "whoever has seen it decides"


def test_saving_the_same_twice_is_no_conflict_and_no_revision(desk: Desk) -> None:
    draft = desk.start()
    for _ in range(2):
        assert desk.save(draft, attack_vector="VPN装置", revision=1).row.revision == 2


def test_a_section_saved_replaces_its_questions_and_no_others(desk: Desk) -> None:
    draft = desk.start()
    desk.save(draft, malware__0__name="甲", malware__1__name="乙", attack_vector="VPN装置")
    desk.save(draft, malware__1__name="乙")
    assert desk.work(draft).changes == {"malware": [{"name": "乙"}], "attack_vector": "VPN装置"}


# --- what it says ---------------------------------------------------------------------------------------


def test_an_answer_that_was_emptied_is_taken_back(desk: Desk) -> None:
    draft = desk.start()
    desk.save(draft, summary="")
    assert desk.work(draft).changes == {"summary": None}
    desk.file(draft)
    assert not desk.answers().get("summary")


def test_only_the_members_of_a_group_that_differ_are_said(desk: Desk) -> None:
    desk.update(police={"status": "consulted", "reference": "12"}, ransomware={"name": "甲", "encrypted_hosts": 3})
    draft = desk.start()
    desk.save(
        draft, police__status="consulted", police__reference="", ransomware__name="乙", ransomware__encrypted_hosts="3"
    )
    assert desk.work(draft).changes == {"police": {"reference": None}, "ransomware": {"name": "乙"}}


def test_what_is_asked_no_more_is_not_said(desk: Desk) -> None:
    draft = desk.start()
    desk.save(draft, cross_border="yes", countries="US, KR")
    assert desk.work(draft).changes == {"cross_border": "yes", "countries": ["US", "KR"]}
    desk.save(draft, cross_border="no", countries="US, KR")
    assert desk.work(draft).changes == {"cross_border": "no"}


def test_a_text_that_a_form_cannot_show_as_it_is_stays_as_it_is(desk: Desk) -> None:
    """What came by the API and was not touched here: lines within a line, blanks at its ends."""
    desk.update(prevention_ja=[" 一行目\n続き ", "二行目"], attack_vector="  前後の空白  \n", lessons=[""])
    draft = desk.start("kakuhou")
    assert desk.work(draft).changes == {}
    desk.save(draft, severity_self="2")
    desk.file(draft)
    assert desk.answers()["prevention_ja"] == [" 一行目\n続き ", "二行目"]


def test_what_nobody_touched_follows_a_version_that_was_filed_meanwhile(desk: Desk) -> None:
    desk.update(police={"status": "consulted"}, malware=[{"name": "甲"}], lessons=["早く切る"])
    draft = desk.start("kakuhou")
    desk.save(draft, police__status="complaint-filed", severity_self="3")
    desk.update(
        current_status="contained",
        police={"reference": "県警12"},
        malware=[{"name": "甲"}, {"name": "乙"}],
        lessons=None,
    )
    work = desk.work(draft)
    assert work.changes == {"police": {"status": "complaint-filed"}, "severity_self": 3}
    assert work.typed["current_status"] == ["contained"] and work.typed["malware.1.name"] == ["乙"]
    assert "lessons" not in work.typed
    desk.file(draft)
    kept = desk.answers()
    assert kept["police"] == {"status": "complaint-filed", "reference": "県警12"} and len(kept["malware"]) == 2


# --- how far it is --------------------------------------------------------------------------------------


def progress(work: drafting.Work) -> dict[str, str]:
    return {part.section["id"]: part.progress for part in drafting.parts(work, drafting.problems(work, now=LATER))}


def test_the_list_of_sections_tells_how_far_each_is(desk: Desk) -> None:
    draft = desk.start()
    assert progress(desk.work(draft)) == {
        "first": "in-progress",
        "timeline": "not-started",
        "impact": "not-started",
        "systems": "not-started",
        "technique": "not-started",
        "ransomware": "not-started",
        "ddos": "not-asked",
        "personal-data": "not-asked",
        "response": "not-started",
        "sharing": "not-started",
    }
    desk.save(draft, detected_at__date="きのう", detected_at__time="")
    assert progress(desk.work(draft))["timeline"] == Progress.IN_PROGRESS
    with desk.stores.case.transaction() as db:
        found = drafts.find(db, draft.id, desk.alice, held=True)
        fields = drafts.work_on(db, found).fields_of("systems")
        drafts.save(db, found, {}, fields=fields, by=desk.alice, revision=9, base=1, now=LATER, gone_through=True)
    assert progress(desk.work(draft))["systems"] == Progress.DONE


def test_a_full_report_names_what_is_missing_and_is_filed_all_the_same(desk: Desk) -> None:
    draft = desk.start("kakuhou")
    desk.save(draft, ransomware__name="甲", cause_strength="suspected")
    work = desk.work(draft)
    missing = {f"{field['id']}.{inner['id']}" if inner is not field else field["id"] for field, inner in work.missing}
    assert {"root_cause_ja", "prevention_ja", "ransomware.type", "affected_services"} <= missing
    assert not {"ransomware", "ddos", "pd_items_ja"} & missing
    assert progress(work)["cause"] == Progress.IN_PROGRESS
    assert desk.file(draft).version.stage == "kakuhou"


def test_a_correction_asks_what_was_asked_so_far(desk: Desk) -> None:
    assert set(progress(desk.work(desk.start("correction")))) == {"first"}
    desk.update(attack_vector="VPN装置")
    assert {"first", "technique"} <= set(progress(desk.work(desk.start("correction"))))


def test_a_sector_is_asked_only_its_own_questions(desk: Desk) -> None:
    items = next(field for field in desk.work(desk.start()).fields if field["id"] == "sector_extra")["items"]
    assert [item["id"] for item in items] == ["vessels_delayed", "containers_delayed"]


# --- filing and ending ----------------------------------------------------------------------------------


def test_filing_ends_the_draft_and_its_attachments_go_with_the_version(desk: Desk) -> None:
    draft = desk.start()
    desk.save(draft, current_status="contained")
    with desk.stores.case.transaction() as db:
        db.add(_attachment(draft))
    filed = desk.file(draft)
    assert filed.version.changed == ["current_status"] and filed.version.via == "web"
    with desk.stores.case.reading() as db:
        assert db.get(Draft, draft.id) is None
        kept = db.scalars(select(Attachment)).one()
        assert (kept.draft_id, kept.report_version_id) == (None, filed.version.id)


def test_what_is_filed_is_what_was_checked(desk: Desk) -> None:
    draft = desk.start()
    desk.save(draft, current_status="contained")
    with pytest.raises(Conflict):
        desk.file(draft, revision=1)
    desk.update(severity_self=2)
    with pytest.raises(Conflict):
        desk.file(draft, after=1)
    assert desk.file(draft, revision=2, after=2).version.seq == 3


def test_an_update_with_nothing_new_is_refused_and_stays_a_draft(desk: Desk) -> None:
    draft = desk.start()
    with pytest.raises(Invalid):
        desk.file(draft)
    assert desk.work(draft).changes == {}


def test_a_closed_case_takes_no_draft_and_loses_none(desk: Desk) -> None:
    draft = desk.start()
    desk.save(draft, current_status="contained")
    with desk.stores.case.transaction() as db:
        incidents.close(db, incidents.hold(db, desk.case.id), by=desk.alice, now=LATER)
    with pytest.raises(WrongState):
        desk.start("kakuhou")
    with pytest.raises(WrongState):
        desk.file(draft)
    with desk.stores.case.transaction() as db:
        incidents.reopen(db, incidents.hold(db, desk.case.id), by=desk.alice, now=LATER)
    assert desk.file(draft).version.seq == 2


def test_a_discarded_draft_is_gone_with_its_attachments(desk: Desk) -> None:
    draft = desk.start()
    with desk.stores.case.transaction() as db:
        db.add(_attachment(draft))
    with desk.stores.case.transaction() as db:
        drafts.discard(db, drafts.find(db, draft.id, desk.aki, held=True), by=desk.aki, now=LATER)
    with desk.stores.case.reading() as db:
        assert db.scalars(select(Attachment)).all() == [] == db.scalars(select(Draft)).all()


def test_a_draft_that_nobody_touched_for_ninety_days_is_forgotten(desk: Desk) -> None:
    old, fresh = desk.start(), desk.start("kakuhou")
    with desk.stores.case.transaction() as db:
        db.add(_attachment(old))
    desk.save(fresh, current_status="contained")
    with desk.stores.case.transaction() as db:
        assert drafts.forget(db, now=NOW + timedelta(days=90, minutes=5)) == 1
    with desk.stores.case.reading() as db:
        assert [one.id for one in db.scalars(select(Draft))] == [fresh.id]


def _attachment(draft: Draft) -> Attachment:
    return Attachment(
        organization_id=draft.organization_id,
        draft_id=draft.id,
        route="read",
        media_type="text/plain",
        size_bytes=1,
        fingerprint="f",
        sealed_name=b"n",
        sealed_body=b"b",
        sealed_text=b"t",
        added_at=NOW,
    )
