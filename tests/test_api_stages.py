"""The later stages over the API: updates, what a case shows of them, and drafts that wait for a person."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from config import Settings
from exchange import accounts, drafts, form
from exchange.models import Case, Draft, Person, ReportVersion
from exchange.sharing import Kind, Role
from exchange.times import JST
from portal.app import create_app
from tests.conftest import NOW
from tests.make import SAMPLES, Clock, make_answers, sample
from tests.members import CASES, Member, make_member, stopped
from tests.test_api import _stores, count_rows, refused, without_request_id
from tests.test_stages import OF_SAMPLES, in_japan


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time stands still at NOW, until a test moves it."""
    return stopped(monkeypatch)


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[Flask]:
    """The portal, once on each database."""
    made = create_app(settings)
    yield made
    _stores(made).close()


@pytest.fixture
def alice(app: Flask) -> Member:
    """A reporter of a port operator."""
    return make_member(app)


# --- what follows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_the_answer_to_each_stage_tells_what_follows_from_it(app: Flask, clock: Clock, name: str) -> None:
    found, own = sample(name), sample(name)["own"]
    member = make_member(app, {**own, "isacs": own["isac"]})
    stages = [("sokuhou", found["answers"]), *((one["stage"], one["answers"]) for one in found["later"])]
    ref = ""
    for number, ((stage, answers), expected) in enumerate(zip(stages, OF_SAMPLES[name], strict=True), 1):
        clock.now = _later(clock.now, answers.get("submitted_at"))
        answer = _sent(member, ref, stage, answers)
        assert answer.status_code == 201 and answer.json, answer.json
        ref = answer.json["case_id"]
        assert (answer.json["seq"], answer.json["stage"]) == (number, stage)
        assert _said(answer.json) == _wanted(expected), expected["why"]
        assert _dates(member.told("GET", f"{CASES}/{ref}")["deadlines"]) == _wanted(expected)["deadlines"]
    shown = member.told("GET", f"{CASES}/{ref}")
    assert [one["stage"] for one in shown["versions"]] == [stage for stage, _ in stages]
    assert all(one["claimed_at"] for one in shown["versions"])


def _later(now: datetime, told: str | None) -> datetime:
    """A minute after the sender says, as a clock that never goes back."""
    return datetime.fromisoformat(told) + timedelta(minutes=1) if told else now + timedelta(days=60)


def _sent(member: Member, ref: str, stage: str, answers: dict[str, Any]) -> TestResponse:
    body = answers | {"organisation": {"org_id": member.organization.ref}}
    return member.patch(ref, body, f"?stage={stage}") if ref else member.call("POST", "/api/v1/reports", body)


def _said(receipt: dict[str, Any]) -> dict[str, Any]:
    return {
        "recipients": sorted(one["id"] for one in receipt["recipients"]),
        "regimes": sorted(receipt["regimes"]),
        "form": receipt["form"].removeprefix("様式"),
        "deadlines": _dates(receipt["clocks"]),
        "tlp": {part: f"TLP:{level.upper()}" for part, level in receipt["tlp"].items()},
    }


def _dates(clocks: list[dict[str, Any]]) -> list[str]:
    """Those with an end or an aim, in the oracle's words."""
    told = []
    for one in clocks:
        times = {"due": one["due_date"] or in_japan(one["due_at"]), "warn": one["warn_date"]}
        dated = {name: value for name, value in (times | {"target": in_japan(one["target_at"])}).items() if value}
        told += [{"regime": one["regime"], "stage": one["stage"], **dated}] if dated else []
    return _sorted(told)


def _sorted(told: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in told)


def _wanted(expected: dict[str, Any]) -> dict[str, Any]:
    lists = {name: sorted(expected[name]) for name in ("recipients", "regimes")}
    return lists | {"form": expected["form"], "tlp": expected["tlp"], "deadlines": _sorted(expected["deadlines"])}


# --- what an update answers ----------------------------------------------------------------------------


def test_an_update_tells_what_it_changed_and_whom_it_newly_reaches(alice: Member) -> None:
    ref = alice.filed(personal_data="no")
    answer = alice.patch(ref, {"personal_data": "yes", "current_status": "contained"})
    assert answer.status_code == 201 and answer.json
    assert answer.json["changed"] == ["personal_data", "current_status"]
    assert answer.json["new_recipients"] == ["ppc"]
    assert {one["regime"] for one in answer.json["new_clocks"]} == {"ppc-private"}
    assert answer.headers["Location"] == answer.json["version_url"] == f"{CASES}/{ref}/versions/2"
    again = alice.patch(ref, {"current_status": "recovered"}).json
    assert again and (again["new_recipients"], again["new_clocks"], again["seq"]) == ([], [], 3)


def test_null_takes_an_answer_back_and_a_group_is_merged(alice: Member) -> None:
    ref = alice.filed(summary="something")
    alice.patch(ref, {"summary": None, "ransomware": {"type": "encrypt", "encrypted_extension": ".x"}})
    alice.patch(ref, {"ransomware": {"encrypted_extension": None, "leak_site": "listed"}})
    answers = alice.told("GET", f"{CASES}/{ref}/versions/3")["answers"]
    assert answers["ransomware"] == {"type": "encrypt", "leak_site": "listed"}
    assert "summary" not in answers


@pytest.mark.parametrize("content_type", ["application/json", "application/merge-patch+json"])
def test_both_names_of_a_patch_are_taken(alice: Member, content_type: str) -> None:
    answer = alice.patch(alice.filed(), {"current_status": "recovered"}, Content_Type=content_type)
    assert answer.status_code == 201


def test_the_stage_is_chosen_in_the_query_and_an_update_without_one_is_an_update(alice: Member) -> None:
    ref = alice.filed()
    stages = [("", "zokuhou"), ("?stage=correction", "correction"), ("?stage=kakuhou", "kakuhou")]
    for number, (query, stage) in enumerate(stages):
        answer = alice.patch(ref, {"summary": f"number {number}"}, query).json
        assert answer and answer["stage"] == stage
    refused(alice.patch(ref, {"summary": "x"}, "?stage=sokuhou"), 422)


def test_what_was_filed_follows_the_senders_words_in_both_languages(alice: Member) -> None:
    ref = alice.filed()
    for lang, word in (("ja", "\u3040"), ("en", "a")):
        problem = refused(alice.patch(ref, {"severity_self": 9}, Accept_Language=lang), 422)
        assert [one["field"] for one in problem["errors"]] == ["severity_self"]
        assert any(letter >= word for letter in problem["errors"][0]["message"])


WRONG: list[tuple[object, list[str]]] = [
    ({}, [""]),
    ([], [""]),
    ("x", [""]),
    (b"null", [""]),
    ({"colour": "blue"}, ["colour"]),
    ({"incident_kind": None}, ["incident_kind"]),
    ({"share_scope": "everybody"}, ["share_scope"]),
    ({"iocs": [{"type": "ipv4-addr"}]}, ["iocs.value"]),
    ({"iocs": {"type": "ipv4-addr", "value": "x"}}, ["iocs"]),
    ({"iocs": [{"type": "mutex", "value": "x"}, {"type": "ipv4-addr", "value": "not an ip"}]}, ["iocs.1.value"]),
    ({"iocs": [{"type": "url", "value": "x"}] * 1001}, ["iocs"]),
    ({"ransomware": []}, ["ransomware"]),
    ({"pd_subject_count": -1}, ["pd_subject_count"]),
    ({"recovered_at": "2026-11-21T02:00:00Z", "contained_at": "2026-11-21T02:30:00Z"}, ["recovered_at"]),
    ({"severity_self": "3", "callback": "?"}, ["callback", "severity_self"]),
    ({"submitted_at": "yesterday"}, ["submitted_at"]),
    ({"organisation": {"org_id": 1}}, ["organisation.org_id"]),
]


@pytest.mark.parametrize(("changes", "fields"), WRONG, ids=lambda value: str(value)[:30])
def test_a_wrong_update_names_every_field_and_keeps_nothing(alice: Member, changes: object, fields: list[str]) -> None:
    ref = alice.filed()
    before = count_rows(alice.app)
    problem = refused(alice.patch(ref, changes, Idempotency_Key="k"), 422)
    assert sorted(one["field"] for one in problem["errors"]) == fields
    assert all(one["message"] for one in problem["errors"])
    assert count_rows(alice.app) == before


def test_a_patch_of_another_type_is_refused(alice: Member) -> None:
    ref = alice.filed()
    for content_type in ("", "text/plain", "application/json-patch+json", "application/stix+json;version=2.1"):
        refused(alice.patch(ref, {"summary": "x"}, Content_Type=content_type), 415)


def test_a_closed_case_takes_no_update_until_it_is_opened_again(alice: Member) -> None:
    ref = alice.filed()
    closed = alice.call("POST", f"{CASES}/{ref}/close")
    assert closed.status_code == 200 and closed.json and closed.json["closed_at"]
    refused(alice.call("POST", f"{CASES}/{ref}/close"), 409)
    before = count_rows(alice.app)
    refused(alice.patch(ref, {"summary": "late"}, Idempotency_Key="k"), 409)
    assert count_rows(alice.app) == before
    opened = alice.call("POST", f"{CASES}/{ref}/reopen")
    assert opened.status_code == 200 and opened.json and opened.json["closed_at"] is None
    refused(alice.call("POST", f"{CASES}/{ref}/reopen"), 409)
    assert alice.patch(ref, {"summary": "late"}, Idempotency_Key="k").status_code == 201


# --- whose ---------------------------------------------------------------------------------------------


def test_anothers_case_is_answered_as_one_that_never_was_whatever_is_asked(app: Flask, alice: Member) -> None:
    ref, carol = alice.filed(share_scope="allied-anon"), make_member(app)
    before = count_rows(app, but=("audit_entry",))
    asked = [("GET", ""), ("PATCH", ""), ("GET", "/versions/1"), ("POST", "/close"), ("POST", "/reopen")]
    for method, rest in asked:
        body = {"summary": "x"} if method == "PATCH" else None
        hidden, never = (carol.call(method, f"{CASES}/{one}{rest}", body) for one in (ref, "N-0000-0000"))
        refused(hidden, 404)
        assert without_request_id(hidden) == without_request_id(never), (method, rest)
    assert count_rows(app, but=("audit_entry",)) == before


def test_the_lists_show_only_ones_own(app: Flask, alice: Member) -> None:
    ref, carol = alice.filed(share_scope="allied-anon", personal_data="yes"), make_member(app)
    for path, name in ((CASES, "cases"), ("/api/v1/deadlines", "deadlines")):
        assert {one["case_id"] for one in alice.told("GET", path)[name]} == {ref}
        assert carol.call("GET", path).json == {name: []}


def test_an_update_for_another_organisation_is_refused_like_one_for_none(app: Flask, alice: Member) -> None:
    ref, carol = alice.filed(), make_member(app)
    answers = [
        alice.patch(ref, {"summary": "x", "organisation": {"org_id": one}})
        for one in (carol.organization.ref, "ORG-NONE")
    ]
    refused(answers[0], 404)
    assert without_request_id(answers[0]) == without_request_id(answers[1])


def test_the_national_office_updates_nobodys_case(app: Flask, alice: Member) -> None:
    ref = alice.filed(share_scope="allied-anon")
    office = make_member(app, {"kind": Kind.NCO}, roles=(Role.ANALYST, Role.APPROVER))
    for method, path in (("PATCH", f"{CASES}/{ref}"), ("GET", CASES), ("POST", f"{CASES}/{ref}/close")):
        refused(office.call(method, path, {}), 403)


# --- what a case shows ---------------------------------------------------------------------------------


def test_a_case_shows_its_versions_its_deadlines_and_who_has_what(alice: Member, clock: Clock) -> None:
    ref = alice.filed(personal_data="yes")
    clock.now += timedelta(hours=1)
    alice.patch(ref, {"current_status": "contained", "submitted_at": NOW.isoformat()})
    shown = alice.told("GET", f"{CASES}/{ref}")
    assert [(one["seq"], one["stage"], one["via"]) for one in shown["versions"]] == [
        (1, "sokuhou", "api"),
        (2, "zokuhou", "api"),
    ]
    assert shown["versions"][1]["changed"] == ["current_status"]
    assert shown["versions"][1]["claimed_at"] == "2026-11-21T03:00:00.123456Z"
    assert {(one["recipient"], one["sent_seq"], one["received_seq"]) for one in shown["receipts"]} == {
        (one["id"], 2, None) for one in shown["recipients"]
    }
    assert shown["deadlines"] and {one["state"] for one in shown["deadlines"]} <= {"met", "running", "soon"}


def test_a_deadline_that_passes_is_late_wherever_it_is_shown(alice: Member, clock: Clock) -> None:
    ref = alice.filed(personal_data="yes")
    clock.now += timedelta(days=90)
    late = {one["regime"] for one in alice.told("GET", f"{CASES}/{ref}")["deadlines"] if one["state"] == "late"}
    board = alice.told("GET", "/api/v1/deadlines")["deadlines"]
    assert "ppc-private" in late == {one["regime"] for one in board if one["state"] == "late"}
    alice.call("POST", f"{CASES}/{ref}/close")
    assert alice.call("GET", "/api/v1/deadlines").json == {"deadlines": []}


def test_a_version_shows_what_was_known_then_and_its_reading_is_in_the_audit_trail(alice: Member) -> None:
    ref = alice.filed(callback="03-1234-5678", summary="first")
    alice.patch(ref, {"summary": "second"})
    for seq, words in ((1, "first"), (2, "second")):
        before = count_rows(alice.app)["audit_entry"]
        shown = alice.call("GET", f"{CASES}/{ref}/versions/{seq}").json
        assert shown and shown["answers"]["summary"] == words
        assert shown["answers"]["callback"] == "+81312345678" and shown["recipients"]
        assert count_rows(alice.app)["audit_entry"] == before + 1
    for seq in ("0", "3", "x", "01", "-1", "1e0", "%00"):
        refused(alice.call("GET", f"{CASES}/{ref}/versions/{seq}"), 404)


def test_the_list_has_the_newest_case_first_and_no_more_than_asked_for(alice: Member, clock: Clock) -> None:
    refs = []
    for number in range(3):
        clock.now += timedelta(minutes=1)
        refs.append(alice.filed(summary=str(number)))
    alice.patch(refs[0], {"summary": "new"}, "?stage=kakuhou")
    listed = alice.told("GET", CASES)["cases"]
    assert [(one["case_id"], one["seq"], one["stage"]) for one in listed] == [
        (refs[2], 1, "sokuhou"),
        (refs[1], 1, "sokuhou"),
        (refs[0], 2, "kakuhou"),
    ]
    assert len(alice.told("GET", f"{CASES}?limit=2")["cases"]) == 2
    for wrong in ("0", "201", "-1", "x", "", "1.5", "9" * 50):
        refused(alice.call("GET", f"{CASES}?limit={wrong}"), 422)


# --- once ----------------------------------------------------------------------------------------------


def test_an_update_sent_twice_is_one_version(alice: Member) -> None:
    ref, other = alice.filed(), alice.filed(summary="another")
    first, again = (alice.patch(ref, {"summary": "x"}, Idempotency_Key="k") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json == first.json and again.headers["Idempotent-Replay"] == "true"
    before = count_rows(alice.app)
    refused(alice.patch(ref, {"summary": "y"}, Idempotency_Key="k"), 409)
    refused(alice.patch(ref, {"summary": "x"}, "?stage=kakuhou", Idempotency_Key="k"), 409)
    refused(alice.patch(other, {"summary": "x"}, Idempotency_Key="k"), 409)
    assert count_rows(alice.app) == before


def test_nothing_new_is_no_update_but_may_be_the_last_word(alice: Member) -> None:
    ref = alice.filed(summary="x")
    problem = refused(alice.patch(ref, {"summary": "x"}), 422)
    assert [one["code"] for one in problem["errors"]] == ["nothing-new"]
    assert alice.patch(ref, {}, "?stage=kakuhou").status_code == 201


# --- drafts --------------------------------------------------------------------------------------------

UNSURE = "/api/v1/reports?confirm=false"


def test_a_machine_that_must_not_file_leaves_a_draft_and_nothing_follows_from_it(alice: Member) -> None:
    before = count_rows(alice.app)
    answer = alice.call("POST", UNSURE, make_answers())
    assert answer.status_code == 202 and answer.json
    assert answer.json["missing"] == []
    assert answer.json["review_url"] == f"/drafts/{answer.json['draft_id']}"
    assert count_rows(alice.app) == before | {"draft": before["draft"] + 1}
    waiting = alice.call("GET", answer.headers["Location"])
    assert waiting.status_code == 200 and waiting.json
    assert waiting.json["draft_id"] == answer.json["draft_id"]


def test_a_draft_may_leave_questions_open_but_says_nothing_wrong(alice: Member) -> None:
    answer = alice.call("POST", UNSURE, {"incident_kind": "other", "ioc_paste": "203[.]0[.]113[.]45"}).json
    asked = {name for name, entry in form.QUICK.items() if entry["required"] is True} - {"incident_kind"}
    assert answer and set(answer["missing"]) == asked
    before = count_rows(alice.app)
    for wrong in ({"incident_kind": "alien"}, {"colour": "blue"}, {"callback": "?"}, [], {"system_class": []}):
        refused(alice.call("POST", UNSURE, wrong, Idempotency_Key="k"), 422)
    refused(alice.call("POST", "/api/v1/reports?confirm=perhaps", make_answers()), 422)
    refused(alice.call("POST", UNSURE, {"organisation": {"org_id": "ORG-NONE"}}), 404)
    assert count_rows(alice.app, but=("audit_entry",)) == {k: v for k, v in before.items() if k != "audit_entry"}


def test_a_draft_holds_the_first_page_as_a_person_would_have_typed_it(alice: Member) -> None:
    """The page reads it back into the very answers that the machine sent."""
    aware_at = NOW.replace(second=0, microsecond=0) - timedelta(hours=1)
    sent = make_answers(aware_at=aware_at.isoformat().replace("+00:00", "z"), summary="二行\nの概要")
    draft_id = alice.call("POST", UNSURE, sent).json["draft_id"]
    with _stores(alice.app).case.reading() as db:
        viewer = accounts.viewer_of_key(db, alice.key, scope="report", now=NOW)
        row = db.scalars(sa.select(Draft)).unique().one()
        assert viewer and (str(row.id), row.machine, row.stage) == (draft_id, True, "sokuhou")
        typed = drafts.find(db, row.id, viewer).typed
    read = form.from_form(typed, today=NOW.date())
    assert read.pop("aware_at") == aware_at.astimezone(JST).isoformat()
    assert read == {name: value for name, value in sent.items() if name != "aware_at"} | {"aware_fidelity": "minute"}


def test_a_person_finds_the_draft_on_the_portal_with_everything_filled_in(alice: Member) -> None:
    said = alice.call("POST", UNSURE, {"incident_kind": "ddos", "system_class": ["web", "ot"], "summary": "a < b"}).json
    with _stores(alice.app).case.reading() as db:
        person = sa.select(Person.username).where(Person.organization_id == alice.organization.id)
        typed = {"username": db.scalars(person).one(), "password": "right horse"}
    browser = alice.app.test_client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/login").get_data(as_text=True))
    assert said and token
    browser.post("/login", data=typed | {"csrf_token": token[1]})
    page = browser.get(said["review_url"], follow_redirects=True).get_data(as_text=True)
    for box in ('value="ddos" checked', 'value="web" checked', 'value="ot" checked', "a &lt; b"):
        assert box in page


def test_a_draft_sent_twice_is_one_and_belongs_to_its_organisation(app: Flask, alice: Member) -> None:
    first, again = (alice.call("POST", UNSURE, make_answers(), Idempotency_Key="k") for _ in range(2))
    assert first.status_code == again.status_code == 202
    assert first.json == again.json and count_rows(app)["draft"] == 1
    refused(alice.call("POST", "/api/v1/reports", make_answers(), Idempotency_Key="k"), 409)
    carol = make_member(app)
    hidden, never = (
        carol.call("GET", f"/api/v1/drafts/{one}")
        for one in (first.json["draft_id"], "00000000-0000-4000-8000-000000000000")
    )
    refused(hidden, 404)
    assert without_request_id(hidden) == without_request_id(never)
    refused(alice.call("GET", "/api/v1/drafts/x"), 404)


# --- what others have thought of -----------------------------------------------------------------------


def test_no_file_of_the_json_abuse_corpus_changes_a_case(alice: Member, testdata: Callable[[str], Path]) -> None:
    ref, files = alice.filed(), sorted(testdata("abuse/json").iterdir())
    before = count_rows(alice.app)
    for file in files:
        for query in ("", "?stage=correction"):
            answer = alice.patch(ref, file.read_bytes(), query)
            assert answer.status_code in {400, 422}, (file.name, answer.status_code)
    assert files and count_rows(alice.app) == before


def test_naughty_strings_are_words_in_an_update_like_any_other(alice: Member, testdata: Callable[[str], Path]) -> None:
    ref = alice.filed()
    texts = json.loads(testdata("abuse/naughty-strings-even.json").read_text(encoding="utf-8"))
    for number, text in enumerate(texts[::4]):
        changes = {
            "attack_vector": f"{number} {text}",
            "lessons": [text[:1000]],
            "iocs": [{"type": "other", "value": text}],
        }
        assert alice.patch(ref, changes).status_code in {201, 422}, text
    with _stores(alice.app).case.reading() as db:
        case = db.scalars(sa.select(Case)).unique().one()
        assert [one.seq for one in case.versions] == list(range(1, len(case.versions) + 1))
        assert db.scalar(sa.select(sa.func.count()).select_from(ReportVersion)) == len(case.versions) > 30
