"""What an authority sees of a case: its copies, its documents, its own talk with the reporter, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from config import Settings
from exchange import added, documents, inbox, incidents, receipts, sharing, talk
from exchange.errors import Conflict, Invalid, NotFound, NotPermitted, WrongState
from exchange.inbox import Copy, Opened, State
from exchange.incidents import Filed, Filing
from exchange.models import AuditEntry, Case, Deadline, Delivery, Event, Message, Organization, ReportVersion
from exchange.sharing import PUBLIC, Kind, Purpose, Role, Scope, Viewer
from exchange.stores import Stores
from exchange.tables import lay_over, table
from portal.app import create_app
from tests.conftest import NOW
from tests.make import SAMPLES, make_organization, make_report, make_viewer, sample
from tests.test_stages import decisions, sample_stages

OFFICES = ("mlit", "meti", "mic", "fsa", "mhlw", "cao-cyber", "ppc", "npa")
Json = dict[str, Any]


# --- a house -------------------------------------------------------------------------------------------


@dataclass
class House:
    """Cases by the name of their sample, their reporters, and somebody at each office."""

    stores: Stores
    refs: dict[str, str]
    reporters: dict[str, Viewer]
    offices: dict[str, Viewer]

    def opened(self, who: str, name: str, seq: int | None = None) -> Opened:
        with self.stores.case.transaction() as db:
            copies = inbox.find(db, self.refs[name], self.offices[who])
            return inbox.open_copy(db, inbox.chosen(copies, seq), by=self.offices[who], now=NOW)

    def seqs(self, who: str, name: str) -> list[int]:
        with self.stores.case.reading() as db:
            try:
                return [one.version.seq for one in inbox.find(db, self.refs[name], self.offices[who])]
            except NotFound:
                return []

    def file(self, name: str, changes: Json, *, stage: str = "zokuhou", now: datetime = NOW) -> Filed:
        with self.stores.case.transaction() as db:
            case = incidents.hold(db, incidents.find_own(db, self.refs[name], self.reporters[name]).id)
            return incidents.update(db, case, changes, Filing(stage, "api", self.reporters[name]), now=now)


def make_house(stores: Stores, names: Mapping[str, int]) -> House:
    """The first stages of some samples, filed when they say."""
    with stores.case.transaction() as db:
        offices = {
            who: make_viewer(db, make_organization(db, kind=Kind.AUTHORITY, authority=who), Role.READER)
            for who in OFFICES
        }
    house = House(stores, {}, {}, offices)
    for name, most in names.items():
        _open(house, name)
        for row in _report(name)["later"][: most - 1]:
            stage = dict(row["answers"])
            house.file(name, stage, stage=row["stage"], now=_filed_at(stage))
    return house


def _report(name: str) -> Json:
    return next(row for row in table("demo")["reports"] if row["sample"] == name)


def _open(house: House, name: str) -> None:
    found = sample(name)
    with house.stores.case.transaction() as db:
        own = make_organization(db, **{**found["own"], "kind": Kind.OPERATOR, "isacs": found["own"]["isac"]})
        house.reporters[name] = make_viewer(db, own)
        answers = dict(found["answers"])
        now = _filed_at(answers)
        quick = incidents.read(db, answers, by=house.reporters[name], now=now)
        house.refs[name] = incidents.report(db, quick, by=house.reporters[name], via="api", now=now).case.ref


def _filed_at(answers: Json) -> datetime:
    return datetime.fromisoformat(answers.pop("submitted_at")) + timedelta(minutes=1)


@pytest.fixture
def ten(stores: Stores) -> House:
    """All stages of all ten samples."""
    return make_house(stores, dict.fromkeys(SAMPLES, 9))


def actions(stores: Stores) -> list[Json]:
    """The audit chain, oldest first."""
    with stores.case.reading() as db:
        return [orjson.loads(row.entry) for row in db.scalars(select(AuditEntry).order_by(AuditEntry.seq))]


# --- the matrix ----------------------------------------------------------------------------------------


def test_each_authority_has_exactly_its_versions_of_exactly_its_cases(ten: House) -> None:
    for name in SAMPLES:
        told = [decision["recipients"] for _, decision in decisions(*sample_stages(name))]
        for who in OFFICES:
            due = [seq for seq, rows in enumerate(told, 1) if any(r["id"] == who and not r["held"] for r in rows)]
            assert ten.seqs(who, name) == due, (name, who)
    with ten.stores.case.reading() as db:
        for who, viewer in ten.offices.items():
            listed, more = inbox.entries(db, viewer, only=None, now=NOW)
            assert not more
            newest = {one.ref: one.copy.version.seq for one in listed}
            assert newest == {ten.refs[name]: ten.seqs(who, name)[-1] for name in SAMPLES if ten.seqs(who, name)}


def test_each_authority_reads_exactly_the_fields_of_its_documents(ten: House) -> None:
    read = 0
    for name in SAMPLES:
        profile, stages = sample_stages(name)
        for seq, (answers, decision) in enumerate(decisions(profile, stages), 1):
            for who in OFFICES:
                if seq in ten.seqs(who, name):
                    due = documents.documents_for(decision, answers, profile, recipient=who)
                    opened = ten.opened(who, name, seq)
                    assert due and list(opened.documents) == due, (name, who, seq)
                    assert leaves(opened.answers) == due_leaves(answers, due), (name, who, seq)
                    read += 1
    assert read > 60


def leaves(answers: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(path, value) of every answer, a group's members one by one."""
    found = set()
    for name, value in answers.items():
        members = value.items() if isinstance(value, dict) else [("", value)]
        found |= {(f"{name}.{member}".rstrip("."), repr(one)) for member, one in members}
    return found


def due_leaves(answers: Mapping[str, Any], due: list[str]) -> set[tuple[str, str]]:
    """Those of the answers that the documents name: the whole field, or one member of it."""
    named = {path for one in due for path in documents.fields_of(one)}
    return {leaf for leaf in leaves(answers) if leaf[0] in named or leaf[0].partition(".")[0] in named}


def test_who_is_told_by_a_rule_of_no_document_reads_the_common_form_alone(stores: Stores) -> None:
    """An authority that an added rule names is no ministry of the sector."""
    rule = {
        "id": "fire-report",
        "ja": "消防への報告",
        "en": "Report to the fire agency",
        "law": {"ja": "架空の法律", "en": "An invented act"},
        "reason": {"ja": "すべての報告", "en": "Every report"},
        "when": {"all": []},
        "to": ["fdma"],
        "purpose": "response",
    }
    lay_over({("rules", "rules"): [added.checked("rule", rule)]}, "fire")
    try:
        house = make_house(stores, {"S01": 2})
        with stores.case.transaction() as db:
            office = make_organization(db, kind=Kind.AUTHORITY, authority="fdma")
            house.offices["fdma"] = make_viewer(db, office, Role.READER)
        house.file("S01", {"financial_loss_jpy": 7654321, "severity_self": 3}, stage="kakuhou")
        told, mine = house.opened("fdma", "S01"), house.opened("mlit", "S01")
    finally:
        lay_over({}, "")
    assert list(told.documents) == ["common-2"] and len(mine.documents) > 2
    assert {"financial_loss_jpy", "severity_self"} & set(told.answers) == set()
    assert {"financial_loss_jpy", "severity_self"} <= set(mine.answers)


def test_every_document_tells_the_kind_of_incident_that_the_list_shows() -> None:
    assert all("incident_kind" in documents.fields_of(row["id"]) for row in table("documents")["documents"])


def test_who_joins_at_an_update_sees_that_version_and_none_before(stores: Stores) -> None:
    """Personal data turned up in the third report: the commission knows nothing of the first two."""
    house = make_house(stores, {"S01": 2})
    assert house.seqs("ppc", "S01") == []
    house.file("S01", dict(_later("S01", 1)), now=NOW)
    assert house.seqs("ppc", "S01") == [3]
    with stores.case.reading() as db:
        copies = inbox.find(db, house.refs["S01"], house.offices["ppc"])
        for seq in (1, 2, 4, 10**30):
            with pytest.raises(NotFound):
                inbox.chosen(copies, seq)
    assert house.seqs("mlit", "S01") == [1, 2, 3]


def _later(name: str, number: int) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in _report(name)["later"][number]["answers"].items() if key != "submitted_at")


@pytest.fixture
def _police_by_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all rules by consent none reaches an office with an inbox: here the one about the police is such a rule."""
    row = next(row for row in table("rules")["rules"] if row["id"] == "police-consult")
    monkeypatch.setitem(row, "by_consent", True)


@pytest.mark.usefixtures("_police_by_consent")
def test_who_was_told_by_consent_keeps_what_it_has_when_it_is_taken_back(stores: Stores) -> None:
    house = make_house(stores, {"S01": 1})
    house.file("S01", {"police_consult": "no", "current_status": "recovered", "incident_kind": "other"})
    assert house.seqs("npa", "S01") == [1]
    assert house.opened("npa", "S01").answers["current_status"] == "ongoing"
    with stores.case.reading() as db:
        listed, _ = inbox.entries(db, house.offices["npa"], only=None, now=NOW)
        assert [(one.kind, one.copy.version.seq, list(one.clocks)) for one in listed] == [("ransomware", 1, [])]


def test_a_purpose_that_the_reporter_does_not_allow_is_refused(stores: Stores) -> None:
    house = make_house(stores, {"S05": 1})
    assert house.opened("mlit", "S05").documents
    house.file("S05", {"permitted_purposes": ["statistics"]})
    with pytest.raises(NotPermitted):
        house.opened("mlit", "S05")
    with stores.case.reading() as db:
        listed, _ = inbox.entries(db, house.offices["mlit"], only=None, now=NOW)
        assert [one.kind for one in listed] == [None]
    assert house.opened("mlit", "S05", 1).documents


def test_a_reading_is_on_record_with_its_purpose(stores: Stores) -> None:
    house = make_house(stores, {"S01": 1})
    before = len(actions(stores))
    house.opened("npa", "S01")
    (entry,) = actions(stores)[before:]
    assert (entry["action"], entry["purpose"]) == ("report.read", Purpose.CRIMINAL_INVESTIGATION)
    assert entry["actor"] == str(house.offices["npa"].person_id)


def test_what_changed_between_two_copies_stays_within_the_documents(stores: Stores) -> None:
    house = make_house(stores, {"S01": 1})
    known = "203.0.113.99 hxxps://later[.]example"
    house.file("S01", {"personal_data": "yes", "pd_aware_at": "2026-11-06T15:00:00+09:00"})
    house.file("S01", {"ioc_paste": known, "current_status": "contained", "severity_self": 2})
    told = {}
    for who in ("ppc", "mlit", "npa"):
        found = inbox.changes(house.opened(who, "S01", 2), house.opened(who, "S01", 3))
        told[who] = {one.field["id"]: (one.before, one.after) for one in found}
    assert told["ppc"] == {"current_status": ("ongoing", "contained")}
    assert set(told["mlit"]) == {"current_status", "ioc_paste", "severity_self"}
    assert set(told["npa"]) == {"current_status", "ioc_paste"}


# --- the policy in its two spellings -------------------------------------------------------------------


def _cast(db: Any) -> dict[str, Viewer]:
    """Alice reports; ministries and the office read; the rest have no business here."""
    office, police = (make_organization(db, kind=Kind.AUTHORITY, authority=who) for who in ("mlit", "npa"))
    own, desk = make_organization(db), make_organization(db, kind=Kind.NCO, authority="nco")
    others = make_organization(db, kind=Kind.ENFORCEMENT, authority="mlit")
    cast = {"alice": make_viewer(db, own), "dave": make_viewer(db, make_organization(db)), "public": PUBLIC}
    for role in Role:
        cast |= {f"mlit-{role}": make_viewer(db, office, role), f"npa-{role}": make_viewer(db, police, role)}
        cast |= {f"desk-{role}": make_viewer(db, desk, role), f"other-{role}": make_viewer(db, others, role)}
    return cast


def test_the_rule_and_its_clause_agree_on_who_opens_a_copy(stores: Stores) -> None:
    with stores.case.transaction() as db:
        cast = _cast(db)
        case = make_report(db, cast["alice"], police_consult="no").case
        for who, viewer in cast.items():
            own = inbox.authority_of(db, viewer)
            for scope in Scope:
                case.share_scope = scope
                db.flush()
                rows = select(Delivery.recipient).join(ReportVersion).join(Case)
                seen = set(db.scalars(rows.where(sharing.delivered_to(viewer, own, Delivery, Case))))
                rules = {"viewer": viewer, "own": own, "scope": scope}
                assert seen == {one for one in ("mlit", "nco") if sharing.may_open_copy(recipient=one, **rules)}, who
                right = {"mlit"} if who in {"mlit-reader", "mlit-analyst"} else set()
                if who in {"desk-analyst", "desk-approver"} and scope is not Scope.LEGAL_ONLY:
                    right = {"nco"}
                assert seen == right, who


def test_the_rule_and_its_clause_agree_on_who_follows_a_talk(stores: Stores) -> None:
    with stores.case.transaction() as db:
        cast = _cast(db)
        case = make_report(db, cast["alice"]).case
        for office in ("mlit", "npa"):
            talk.say(db, case, office, office, from_reporter=False, by=cast[f"{office}-reader"], now=NOW)
        for who, viewer in cast.items():
            own, whose = inbox.authority_of(db, viewer), case.organization_id
            heard = set(talk.threads(db, case, own=own, viewer=viewer, now=NOW))
            rules = {"viewer": viewer, "own": own, "organization_id": whose, "scope": Scope(case.share_scope)}
            assert heard == {one for one in ("mlit", "npa") if sharing.may_follow(authority=one, **rules)}, who
            right = {one for one in ("mlit", "npa") if who in {f"{one}-reader", f"{one}-analyst"}}
            assert heard == ({"mlit", "npa"} if who == "alice" else right), who


def test_a_group_that_is_shown_in_part_is_seen_in_part() -> None:
    answers = {"a": 1, "g": {"x": 1, "y": 2}, "t": [{"x": 1}], "h": 3}
    assert sharing.seen_in(answers, {"a", "g.x", "g.z", "t.x", "n"}) == {"a": 1, "g": {"x": 1}}
    assert sharing.seen_in(answers, {"g", "g.x", "t"}) == {"g": {"x": 1, "y": 2}, "t": [{"x": 1}]}
    assert answers["g"] == {"x": 1, "y": 2}


# --- receipts ------------------------------------------------------------------------------------------


def _receive(house: House, who: str, name: str, seq: int, number: str, known: str = "") -> Delivery:
    with house.stores.case.transaction() as db:
        ref, by = house.refs[name], house.offices[who]
        return receipts.receive(db, ref, seq, number, known=known, by=by, now=NOW)


def _receipts(house: House, name: str) -> dict[str, tuple[int, int | None, str | None]]:
    """Of each recipient: the version sent, the one confirmed, and the number."""
    with house.stores.case.reading() as db:
        case = db.scalars(select(Case).where(Case.ref == house.refs[name])).unique().one()
        return {
            one.recipient: (
                one.sent.version.seq,
                one.received.version.seq if one.received else None,
                one.received.delivery.reference if one.received else None,
            )
            for one in receipts.of_case(db, case)
        }


def test_a_receipt_confirms_what_came_before_and_the_reporter_sees_it(stores: Stores) -> None:
    house = make_house(stores, {"S01": 2})
    _receive(house, "mlit", "S01", 2, " 国港 \t第１２号 ")
    assert _receipts(house, "S01") == {
        "mlit": (2, 2, "国港 第１２号"),
        "cao-cyber": (2, None, None),
        "nco": (2, None, None),
        "npa": (2, None, None),
    }
    house.file("S01", {"current_status": "recovered"})
    assert _receipts(house, "S01")["mlit"] == (3, 2, "国港 第１２号")
    with stores.case.reading() as db:
        copies = inbox.find(db, house.refs["S01"], house.offices["mlit"])
        assert [one.delivery.received_at for one in copies] == [NOW, NOW, None]


def test_a_receipt_given_twice_acts_once(stores: Stores) -> None:
    house = make_house(stores, {"S01": 1})
    first = _receive(house, "mlit", "S01", 1, "A-1")
    before = len(actions(stores))
    again = _receive(house, "mlit", "S01", 1, "A-1")
    assert (again.received_at, again.reference) == (first.received_at, "A-1")
    assert len(actions(stores)) == before


def test_a_number_can_be_put_right_but_not_over_that_of_a_colleague(stores: Stores) -> None:
    house = make_house(stores, {"S01": 1})
    _receive(house, "mlit", "S01", 1, "A-1")
    with pytest.raises(Conflict):
        _receive(house, "mlit", "S01", 1, "B-7", known="")
    _receive(house, "mlit", "S01", 1, "A-2", known="A-1")
    assert _receipts(house, "S01")["mlit"] == (1, 1, "A-2")
    assert [one["action"] for one in actions(stores)][-1] == "delivery.renumbered"


@pytest.mark.parametrize("number", ["x" * 101, "a\x07b", "a\u202eb", "a\x00"])
def test_a_number_that_cannot_be_shown_is_refused_and_nothing_is_kept(stores: Stores, number: str) -> None:
    house = make_house(stores, {"S01": 1})
    with pytest.raises(Invalid):
        _receive(house, "mlit", "S01", 1, number)
    assert _receipts(house, "S01")["mlit"] == (1, None, None)


# --- questions -----------------------------------------------------------------------------------------


def _ask(house: House, who: str, name: str, text: str) -> Message:
    with house.stores.case.transaction() as db:
        return inbox.ask(db, house.refs[name], text, by=house.offices[who], now=NOW)


def _answer(house: House, name: str, who: str, text: str, by: Viewer | None = None) -> Message:
    with house.stores.case.transaction() as db:
        later = NOW + timedelta(minutes=1)
        return talk.answer(db, house.refs[name], who, text, by=by or house.reporters[name], now=later)


def _states(house: House, who: str) -> list[set[State]]:
    with house.stores.case.reading() as db:
        found, _ = inbox.entries(db, house.offices[who], only=None, now=NOW)
        for state in State:
            only, _ = inbox.entries(db, house.offices[who], only=state, now=NOW)
            assert [one.ref for one in only] == [one.ref for one in found if state in one.states]
        return [set(one.states) for one in found]


def test_a_question_and_its_answer_are_between_the_two(stores: Stores) -> None:
    house = make_house(stores, {"S01": 1, "S02": 1})
    asked = _ask(house, "mlit", "S01", "VPN装置の型番は？\r\n至急です。")
    assert _states(house, "mlit") == [{State.NEW, State.ASKED}]
    _answer(house, "S01", "mlit", "確認中です。")
    assert _states(house, "mlit") == [{State.NEW, State.ANSWERED}]
    assert _states(house, "npa") == [{State.NEW}]
    with stores.case.transaction() as db:
        case = db.get_one(Case, asked.case_id)
        said = talk.threads(db, case, own=None, viewer=house.reporters["S01"], now=NOW)
        assert {who: [one.text for one in thread] for who, thread in said.items()} == {
            "mlit": ["VPN装置の型番は？\n至急です。", "確認中です。"]
        }
        assert talk.threads(db, case, own="npa", viewer=house.offices["npa"], now=NOW) == {}
        assert talk.threads(db, case, own=None, viewer=house.reporters["S02"], now=NOW) == {}


def test_nobody_answers_for_another_and_nobody_who_was_not_asked(stores: Stores) -> None:
    house = make_house(stores, {"S01": 1, "S02": 1})
    _ask(house, "mlit", "S01", "型番は？")
    for who, by in (("npa", None), ("ppc", None), ("", None), ("mlit", house.reporters["S02"])):
        with pytest.raises(NotFound):
            _answer(house, "S01", who, "はい", by=by)
    with pytest.raises(NotFound):
        _ask(house, "meti", "S01", "型番は？")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "required"),
        (" \n ", "required"),
        ("x" * 4001, "too-long"),
        ("a\x00b", "control-character"),
        ("a\x1bb", "control-character"),
        ("a\x9bb", "control-character"),
        ("a\ud800b", "control-character"),
        ("a\u202eb", "bidi-character"),
    ],
)
def test_a_text_that_cannot_be_shown_is_refused_and_nothing_is_kept(stores: Stores, text: str, code: str) -> None:
    house = make_house(stores, {"S01": 1})
    with pytest.raises(Invalid) as refused:
        _ask(house, "mlit", "S01", text)
    assert [one.code for one in refused.value.problems] == [code]
    with stores.case.reading() as db:
        assert db.scalar(select(Message.id)) is None


def test_a_text_is_sealed_and_tells_the_workers_that_the_case_changed(stores: Stores) -> None:
    house = make_house(stores, {"S01": 1})
    text = "質" * 3999 + "\n問"
    said = _ask(house, "mlit", "S01", text[:4000])
    with stores.case.reading() as db:
        row = db.get_one(Message, said.id)
        assert "質問".encode() not in row.sealed_text and "質".encode() not in row.sealed_text
        told = db.scalars(select(Event.subject_id).where(Event.topic == "case.changed", Event.at == NOW)).all()
        assert told == [row.case_id]


# --- deadlines -----------------------------------------------------------------------------------------


def _extend(house: House, who: str, regime: str, stage: str, until: date | None) -> Deadline:
    with house.stores.case.transaction() as db:
        ref, by = house.refs["S01"], house.offices[who]
        return inbox.extend(db, ref, regime, stage, until, by=by, now=NOW)


def test_an_authority_extends_a_deadline_of_its_own_regime_and_no_other(stores: Stores) -> None:
    house = make_house(stores, {"S01": 3})
    later = date(2027, 2, 1)
    for who, regime in (("ppc", "act-report"), ("npa", "ppc-private"), ("npa", "act-report"), ("mlit", "ppc-private")):
        with pytest.raises(NotFound):
            _extend(house, who, regime, "kakuhou" if regime == "ppc-private" else "shouhou", later)
    _extend(house, "ppc", "ppc-private", "kakuhou", later)
    _extend(house, "cao-cyber", "act-report", "shouhou", later)
    with stores.case.reading() as db:
        case = db.scalars(select(Case)).unique().one()
        given = {one.recipient: [d.regime for d in one.extended] for one in receipts.of_case(db, case)}
    assert {who: regimes for who, regimes in given.items() if regimes} == {
        "ppc": ["ppc-private"],
        "cao-cyber": ["act-report"],
    }


def test_an_extension_is_later_but_by_a_year_at_most_and_only_of_what_still_runs(stores: Stores) -> None:
    house = make_house(stores, {"S01": 3})
    for until, code in ((None, "bad-date"), (date(2026, 11, 7), "not-later"), (date(2062, 2, 1), "too-far")):
        with pytest.raises(Invalid) as refused:
            _extend(house, "ppc", "ppc-private", "kakuhou", until)
        assert [(one.field, one.code) for one in refused.value.problems] == [("until", code)]
    house.file("S01", {"current_status": "recovered", "root_cause_ja": "x"}, stage="kakuhou")
    with pytest.raises(WrongState):
        _extend(house, "ppc", "ppc-private", "kakuhou", date(2027, 2, 1))


# --- pages ---------------------------------------------------------------------------------------------


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The portal."""
    made = create_app(settings)
    yield made
    made.extensions["stores"].close()


class Person:
    """Somebody who signed in, without scripts."""

    def __init__(self, app: Flask, viewer: Viewer, lang: str = "en") -> None:
        self.client: FlaskClient = app.test_client()
        self.client.get(f"/language/{lang}")
        answer = self.send("/login", page="/login", username=viewer.username, password="right horse")
        assert answer.status_code == 303

    def open(self, path: str) -> TestResponse:
        return self.client.get(path)

    def send(self, path: str, *, page: str, **typed: str) -> TestResponse:
        """Post with the token of a page, and with the form's other hidden fields where they are not `typed`."""
        shown = self.client.get(page).get_data(as_text=True)
        token = re.search(r'name="csrf_token" value="([^"]+)"', shown)
        assert token, page
        return self.client.post(path, data={"csrf_token": token[1], **typed})


def _told(answer: TestResponse) -> tuple[int, list[tuple[str, str]], str]:
    """Status, headers and body, without the numbers of the request and of its form, and the address that was asked."""
    number, path = answer.headers["X-Request-Id"], answer.request.path
    body = answer.get_data(as_text=True).replace(number, "#").replace(path, "#").replace(quote(path, safe=""), "#")
    body = re.sub(r'name="csrf_token" value="[^"]+"', "", body)
    # The cookie is signed with the time of the answer, so its value changes by the second.
    varying = {"X-Request-Id", "Content-Length", "Set-Cookie"}
    headers = [(key, "" if key in varying else value) for key, value in answer.headers]
    return answer.status_code, headers, body


def test_what_is_hidden_answers_as_what_never_was(stores: Stores, app: Flask) -> None:
    house = make_house(stores, {"S01": 2, "S02": 1})
    _ask(house, "mlit", "S01", "型番は？")
    ref, other, never = house.refs["S01"], house.refs["S02"], "N-0000-0000"
    people = {
        "meti": (Person(app, house.offices["meti"]), "/inbox", ref),
        "ppc": (Person(app, house.offices["ppc"]), "/inbox", ref),
        "org": (Person(app, house.reporters["S02"]), "/cases", ref),
        "mlit": (Person(app, house.offices["mlit"]), "/inbox", other),
    }
    reads = {
        "/inbox": ("", "/1", "/2", "/1/common-2/pdf", "/1/act/xlsx", "/1/nothing/pdf"),
        "/cases": ("", "/receipt", "/receipts", "/proof", "/proof.pdf", "/talk/mlit", "/talk/npa"),
    }
    writes = {"/inbox": ("/1/receipt", "/questions", "/deadlines"), "/cases": ("/talk/mlit", "/talk/npa")}
    typed = {"text": "x", "reference": "x", "regime": "act-report", "stage": "shouhou", "until": "2027-01-05"}
    for who, (person, door, hidden) in people.items():
        for rest in reads[door]:
            found, absent = (person.open(f"{door}/{one}{rest}") for one in (hidden, never))
            assert found.status_code == 404, (who, rest)
            assert _told(found) == _told(absent), (who, rest)
        for rest in writes[door]:
            found, absent = (person.send(f"{door}/{one}{rest}", page="/", **typed) for one in (hidden, never))
            assert found.status_code == 404, (who, rest)
            assert _told(found) == _told(absent), (who, rest)


def test_a_version_or_document_that_is_not_its_own_answers_as_none(stores: Stores, app: Flask) -> None:
    house = make_house(stores, {"S01": 3})
    person, base = Person(app, house.offices["ppc"]), f"/inbox/{house.refs['S01']}"
    assert person.open(f"{base}/3").status_code == person.open(f"{base}/3/ppc/pdf").status_code == 200
    assert _told(person.open(f"{base}/1")) == _told(person.open(f"{base}/2")) == _told(person.open(f"{base}/99"))
    absent = _told(person.open(f"{base}/3/never/pdf"))
    for hidden in ("act", "common-2", "police", "ci-info"):
        assert _told(person.open(f"{base}/3/{hidden}/pdf")) == absent, hidden


def test_the_page_of_an_authority_holds_nothing_beside_its_documents(stores: Stores, app: Flask) -> None:
    house = make_house(stores, {"S01": 3})
    _ask(house, "mlit", "S01", "ほかの機関には見えない質問")
    ref = house.refs["S01"]
    for who, hidden in {
        "ppc": [
            "tsukumo",
            "203[.]0[.]113[.]45",
            "ほかの機関には見えない質問",
            "National Police Agency",
            "Cabinet Office",
        ],
        "npa": ["ほかの機関には見えない質問", "Personal Information Protection Commission", "Cabinet Office"],
    }.items():
        person = Person(app, house.offices[who])
        shown = person.open(f"/inbox/{ref}").get_data(as_text=True)
        assert "みなと架空コンテナターミナル" in shown
        assert [word for word in hidden if word in shown] == [], who
        assert person.open("/desk").status_code == person.open(f"/desk/{ref}").status_code == 403
        assert person.open(f"/cases/{ref}").status_code == 403


def test_nobody_but_authorities_and_the_desk_has_an_inbox(stores: Stores, app: Flask) -> None:
    house = make_house(stores, {"S01": 1})
    with stores.case.transaction() as db:
        desk = make_viewer(db, make_organization(db, kind=Kind.NCO), Role.ADMINISTRATOR, Role.READER)
        named = make_organization(db, kind=Kind.ENFORCEMENT, authority="mlit")
        enforcer = make_viewer(db, named, Role.ENFORCEMENT, Role.READER)
    for viewer in (desk, enforcer, house.reporters["S01"]):
        person = Person(app, viewer)
        for path in ("/inbox", f"/inbox/{house.refs['S01']}", f"/inbox/{house.refs['S01']}/1/act/pdf"):
            assert person.open(path).status_code == 403, path


def test_the_national_office_confirms_and_asks_as_long_as_the_consent_stands(stores: Stores, app: Flask) -> None:
    house = make_house(stores, {"S01": 1})
    ref = house.refs["S01"]
    with stores.case.transaction() as db:
        analyst = make_viewer(db, make_organization(db, kind=Kind.NCO), Role.ANALYST)
    person = Person(app, analyst)
    assert f'href="/inbox/{ref}"' in person.open(f"/desk/{ref}").get_data(as_text=True)
    assert person.open(f"/inbox/{ref}/1/common-2/pdf").status_code == 200
    with stores.case.transaction() as db:
        receipts.receive(db, ref, 1, "NCO-1", known="", by=analyst, now=NOW)
    house.file("S01", {"share_scope": "legal-only"})
    assert person.open(f"/inbox/{ref}").status_code == person.open(f"/inbox/{ref}/1").status_code == 404
    assert ref not in person.open("/inbox").get_data(as_text=True)


def test_a_purpose_that_is_not_allowed_is_a_refusal_on_record(stores: Stores, app: Flask) -> None:
    house = make_house(stores, {"S05": 1})
    house.file("S05", {"permitted_purposes": ["statistics"]})
    person, ref = Person(app, house.offices["mlit"]), house.refs["S05"]
    for path in (f"/inbox/{ref}", f"/inbox/{ref}/2", f"/inbox/{ref}/2/ci-info/pdf"):
        before = len(actions(stores))
        assert person.open(path).status_code == 403, path
        noted = [(one["action"], one.get("purpose")) for one in actions(stores)[before:]]
        assert ("report.read-refused", "response") in noted and ("report.read", "response") not in noted, path
    assert person.open(f"/inbox/{ref}/1").status_code == 200


@pytest.mark.parametrize(("form", "start"), [("pdf", b"%PDF-"), ("xlsx", b"PK\x03\x04")])
def test_a_download_has_a_name_for_every_browser_and_is_on_record(
    stores: Stores, app: Flask, form: str, start: bytes
) -> None:
    house = make_house(stores, {"S01": 1})
    person, ref = Person(app, house.offices["mlit"], "ja"), house.refs["S01"]
    before = len(actions(stores))
    answer = person.open(f"/inbox/{ref}/1/act/{form}")
    assert answer.data.startswith(start) and answer.headers["Cache-Control"] == "no-store"
    named = answer.headers["Content-Disposition"]
    assert named.startswith(f"attachment; filename=\"{ref}-1-act.{form}\"; filename*=UTF-8''{ref}_1_%E3%82%B5")
    assert [one["action"] for one in actions(stores)[before:]] == ["report.read", "document.taken"]
    assert person.open(f"/inbox/{ref}/1/act/docx").status_code == 404


def test_a_form_that_is_sent_twice_asks_once(stores: Stores, app: Flask) -> None:
    house = make_house(stores, {"S01": 3})
    person, page = Person(app, house.offices["ppc"]), f"/inbox/{house.refs['S01']}"
    key = re.search(r'name="idempotency_key" value="([^"]+)"', person.open(page).get_data(as_text=True))
    assert key
    for _ in range(2):
        answer = person.send(f"{page}/questions", page=page, text="何件ですか。", idempotency_key=key[1])
        assert (answer.status_code, answer.headers["Location"]) == (303, page)
    other = person.send(f"{page}/questions", page=page, text="別の質問", idempotency_key=key[1])
    assert other.status_code == 409
    due = {"regime": "ppc-private", "stage": "kakuhou", "until": "令和9年2月1日", "idempotency_key": "e"}
    for _ in range(2):
        assert person.send(f"{page}/deadlines", page=page, **due).status_code == 303
    with stores.case.reading() as db:
        assert len(db.scalars(select(Message.id)).all()) == 1
        assert db.scalars(select(Deadline.extended_to).where(Deadline.extended_to.is_not(None))).all() == [
            date(2027, 2, 1)
        ]


def test_what_is_wrong_comes_back_as_it_was_typed(stores: Stores, app: Flask) -> None:
    house = make_house(stores, {"S01": 3})
    _ask(house, "ppc", "S01", "何件ですか。")
    person, page = Person(app, house.offices["ppc"]), f"/inbox/{house.refs['S01']}"
    long = "件数は<b>" + "x" * 4000
    for path, typed, kept, target in (
        ("questions", {"text": long}, "件数は&lt;b&gt;x", "text"),
        ("3/receipt", {"reference": "N\u202e1", "known": ""}, "N\u202e1", "reference"),
        (
            "deadlines",
            {"regime": "ppc-private", "stage": "kakuhou", "until": "あした"},
            "あした",
            "until-ppc-private-kakuhou",
        ),
    ):
        answer = person.send(f"{page}/{path}", page=page, **typed)
        shown = answer.get_data(as_text=True)
        assert answer.status_code == 422 and kept in shown, path
        assert f'href="#{target}"' in shown and f'id="{target}"' in shown, path
    own = Person(app, house.reporters["S01"])
    case = f"/cases/{house.refs['S01']}"
    answer = own.send(f"{case}/talk/ppc", page=case, text=long)
    assert answer.status_code == 422 and "件数は&lt;b&gt;x" in answer.get_data(as_text=True)
    assert own.open(f"{case}/talk/ppc").status_code == 200


def test_the_filter_stands_in_the_address(stores: Stores, app: Flask) -> None:
    house = make_house(stores, {"S01": 1, "S05": 1, "S07": 1})
    _receive(house, "mlit", "S01", 1, "")
    _ask(house, "mlit", "S05", "状況は？")
    person = Person(app, house.offices["mlit"])
    refs = {name: house.refs[name] for name in ("S01", "S05", "S07")}
    for wanted, names in {
        "": "S01 S05 S07",
        "new": "S05 S07",
        "asked": "S05",
        "answered": "",
        "odd": "S01 S05 S07",
    }.items():
        shown = person.open(f"/inbox?show={wanted}").get_data(as_text=True)
        assert {name for name, ref in refs.items() if ref in shown} == set(names.split()), wanted


def test_the_reporter_sees_each_receipt_where_the_page_brings_itself_up_to_date(stores: Stores, app: Flask) -> None:
    house = make_house(stores, {"S01": 1})
    own, case = Person(app, house.reporters["S01"]), f"/cases/{house.refs['S01']}"
    pages = [case, f"{case}/receipt", f"{case}/receipts"]
    for page in pages:
        assert "国港12" not in own.open(page).get_data(as_text=True)
    _receive(house, "mlit", "S01", 1, "国港12")
    for page in pages:
        shown = own.open(page).get_data(as_text=True)
        assert shown.count("国港12") == 1 and shown.count("Not confirmed yet") == 3, page
    assert f'data-live="{case}/receipts"' in own.open(f"{case}/receipt").get_data(as_text=True)


@pytest.mark.usefixtures("_police_by_consent")
def test_a_consent_that_was_taken_back_is_said_to_the_reporter(stores: Stores, app: Flask) -> None:
    house = make_house(stores, {"S01": 1})
    house.file("S01", {"police_consult": "no"})
    shown = Person(app, house.reporters["S01"]).open(f"/cases/{house.refs['S01']}/receipts").get_data(as_text=True)
    assert shown.count("you took your consent back") == 1


def test_the_proof_names_number_time_versions_and_recipients(stores: Stores, app: Flask) -> None:
    house = make_house(stores, {"S01": 2})
    _receive(house, "mlit", "S01", 1, "国港12")
    own, case = Person(app, house.reporters["S01"], "ja"), f"/cases/{house.refs['S01']}"
    shown = own.open(f"{case}/proof").get_data(as_text=True)
    with stores.case.reading() as db:
        versions = db.scalars(select(Case)).unique().one().versions
        for one in versions:
            assert one.fingerprint in shown
    for word in (house.refs["S01"], "2026-11-04 05:35", "国土交通省", "警察庁", "国港12", "まだ受理されていません"):
        assert word in shown, word
    printed = own.open(f"{case}/proof.pdf")
    assert printed.data.startswith(b"%PDF-") and printed.headers["Content-Disposition"].startswith("attachment")


def test_an_authority_of_no_report_has_an_empty_inbox(stores: Stores, app: Flask) -> None:
    with stores.case.transaction() as db:
        office = make_organization(db, kind=Kind.AUTHORITY, authority="fsa")
        viewer = make_viewer(db, office, Role.READER)
    assert "Nothing has been sent" in Person(app, viewer).open("/inbox").get_data(as_text=True)


def test_the_demonstration_has_somebody_at_every_office() -> None:
    rows = [row for row in table("demo")["accounts"] if row["kind"] == Kind.AUTHORITY]
    assert {row["authority"] for row in rows if "reader" in row["roles"]} >= set(OFFICES)


def test_a_copy_of_another_is_not_opened_even_when_it_is_at_hand(stores: Stores) -> None:
    house = make_house(stores, {"S01": 1})
    with stores.case.transaction() as db:
        (copy,) = inbox.find(db, house.refs["S01"], house.offices["mlit"])
        assert isinstance(copy, Copy)
        for who in ("npa", "meti"):
            with pytest.raises(NotFound):
                inbox.open_copy(db, copy, by=house.offices[who], now=NOW)
        office = db.get_one(Organization, house.offices["mlit"].organization_id)
        office.kind = Kind.PUBLIC
        db.flush()
        stranger = Viewer(house.offices["mlit"].person_id, office.id, "x", Kind.PUBLIC, frozenset({Role.READER}))
        with pytest.raises(NotFound):
            inbox.open_copy(db, copy, by=stranger, now=NOW)
