"""The day when nobody can sign in: a code issued before, the telephone, and the call back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from config import Settings
from exchange import accounts, callbacks, emergency, incidents, matters, phone, sharing, spelling
from exchange.accounts import TooManyAttempts
from exchange.db import vault_of
from exchange.emergency import State, Unusable
from exchange.errors import Invalid, NotFound, NotPermitted, WrongState
from exchange.models import AuditEntry, Case, Delivery, EmergencyCode, Event, Organization, Person, ReportVersion
from exchange.sharing import Kind, Role, Viewer
from exchange.stores import Stores, open_stores
from portal.app import create_app
from portal.cli.main import main
from tests.conftest import NOW
from tests.make import make_answers, make_organization, make_viewer, work

CALLER = "当直の山田"


def _reporter(stores: Stores, **more: Any) -> Viewer:
    with stores.case.transaction() as db:
        contacts = [{"role": "当直", "name": "当直席", "phone": "+81-3-9999-0001"}]
        return make_viewer(db, make_organization(db, contacts=contacts, **more))


def _officer(stores: Stores) -> Viewer:
    with stores.case.transaction() as db:
        return make_viewer(db, make_organization(db, kind=Kind.NCO), Role.ANALYST)


def _code(stores: Stores, by: Viewer) -> str:
    with stores.case.transaction() as db:
        return emergency.issue(db, by=by, now=NOW)


def _file(stores: Stores, code: str, *, key: str = "k1", **answers: Any) -> Case:
    with stores.case.transaction() as db:
        return emergency.file(db, code, make_answers(**answers), key=key, now=NOW, exercise=True)


def _cases(stores: Stores) -> int:
    with stores.case.reading() as db:
        return len(db.scalars(select(Case)).unique().all())


# --- codes ----------------------------------------------------------------------------------------------


def test_a_code_has_80_bits_in_groups_and_only_its_hash_is_kept(stores: Stores) -> None:
    code = _code(stores, _reporter(stores))
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code)
    with stores.case.reading() as db:
        row = db.scalars(select(EmergencyCode)).one()
    assert code not in str(vars(row)) and code.replace("-", "") not in str(vars(row))
    assert row.expires_at == NOW + timedelta(days=365)


@pytest.mark.parametrize("spelled", [str.lower, lambda code: code.replace("-", " "), lambda code: f"  {code}\n"])
def test_a_code_is_understood_however_it_is_typed(stores: Stores, spelled: Any) -> None:
    code = _code(stores, _reporter(stores))
    assert _file(stores, spelled(code)).unconfirmed


def test_full_width_and_misread_letters_are_what_was_meant() -> None:
    assert spelling.plain("７ｋ３ｍ－ＯＩＬ０") == "7K3M0110"


def test_a_code_works_once(stores: Stores) -> None:
    code = _code(stores, _reporter(stores))
    _file(stores, code)
    with pytest.raises(Unusable):
        _file(stores, code, key="k2")
    assert _cases(stores) == 1


def test_sent_again_after_a_lost_answer_it_is_the_same_case(stores: Stores) -> None:
    code = _code(stores, _reporter(stores))
    assert _file(stores, code).ref == _file(stores, code).ref
    assert _cases(stores) == 1


def test_wrong_answers_do_not_spend_the_code(stores: Stores) -> None:
    code = _code(stores, _reporter(stores))
    with pytest.raises(Invalid) as caught:
        _file(stores, code, callback="nobody")
    assert [one.code for one in caught.value.problems] == ["bad-phone"]
    assert _file(stores, code).ref


def test_wrong_used_revoked_and_expired_codes_get_the_same_answer(stores: Stores) -> None:
    by = _reporter(stores)
    used, revoked, expired, orphaned = (_code(stores, by) for _ in range(4))
    _file(stores, used)
    with stores.case.transaction() as db:
        rows = {one.row.code_hash: one.row for one in emergency.listed(db, by=by, now=NOW)}
        emergency.revoke(db, rows[emergency._hash(revoked)].id, by=by, now=NOW)
        rows[emergency._hash(expired)].expires_at = NOW
    other = _reporter(stores)
    orphaned = _code(stores, other)
    with stores.case.transaction() as db:
        accounts.end(db, db.get_one(Person, other.person_id), now=NOW)
    said = set()
    for code in ("0000-0000-0000-0000", "", "\0", used, revoked, expired, orphaned):
        with pytest.raises(Unusable) as caught:
            _file(stores, code, key="k9", summary="x" * 401)
        said.add(str(caught.value))
    assert said == {"code: unusable-code, summary: too-long"}


def test_the_list_says_what_became_of_each_code_and_never_the_code(stores: Stores) -> None:
    by = _reporter(stores)
    codes = [_code(stores, by) for _ in range(3)]
    _file(stores, codes[0])
    with stores.case.transaction() as db:
        rows = {one.row.code_hash: one.row for one in emergency.listed(db, by=by, now=NOW)}
        emergency.revoke(db, rows[emergency._hash(codes[1])].id, by=by, now=NOW)
        with pytest.raises(WrongState):
            emergency.revoke(db, rows[emergency._hash(codes[1])].id, by=by, now=NOW)
    with stores.case.reading() as db:
        assert {one.state for one in emergency.listed(db, by=by, now=NOW)} == {
            State.USED,
            State.REVOKED,
            State.USABLE,
        }
        later = emergency.listed(db, by=by, now=NOW + emergency.VALID)
        assert State.EXPIRED in {one.state for one in later}


def test_a_code_of_another_organization_is_not_there_to_revoke(stores: Stores) -> None:
    by, other = _reporter(stores), _reporter(stores)
    _code(stores, by)
    with stores.case.transaction() as db:
        (mine,) = emergency.listed(db, by=by, now=NOW)
        assert emergency.listed(db, by=other, now=NOW) == []
        with pytest.raises(NotFound):
            emergency.revoke(db, mine.row.id, by=other, now=NOW)


def test_an_organization_has_at_most_twenty_usable_codes(stores: Stores) -> None:
    by = _reporter(stores)
    for _ in range(20):
        _code(stores, by)
    with pytest.raises(WrongState):
        _code(stores, by)


NOBODYS = "7777-7777-7777-7777"


def _admit(stores: Stores, code: str, network: str, *, later: timedelta = timedelta(seconds=1)) -> None:
    with stores.case.reading() as db:
        emergency.admit(db, code, make_answers(), network=network, now=NOW + later)


def test_wrong_codes_are_counted_by_network_and_every_failure_gets_the_same_answer(stores: Stores) -> None:
    by = _reporter(stores)
    used, usable = _code(stores, by), _code(stores, by)
    _file(stores, used)
    for _ in range(10):
        with stores.case.transaction() as db:
            emergency.count_failure(db, network="2001:db8::1", now=NOW)
    for code in (NOBODYS, used, ""):
        with pytest.raises(TooManyAttempts):
            _admit(stores, code, "2001:db8::ffff")
    for elsewhere in ("2001:db8:0:1::1", "198.51.100.7"):
        _admit(stores, used, elsewhere)
        with pytest.raises(Unusable):
            _admit(stores, NOBODYS, elsewhere)
    _admit(stores, usable, "2001:db8::ffff")


def test_a_good_code_is_taken_however_many_wrong_ones_are_tried_in_the_country(stores: Stores) -> None:
    code = _code(stores, _reporter(stores))
    with stores.case.transaction() as db:
        for n in range(500):
            emergency.count_failure(db, network=f"198.51.{n // 250}.{n % 250}", now=NOW)
    with pytest.raises(TooManyAttempts):
        _admit(stores, NOBODYS, "203.0.113.1")
    _admit(stores, code, "203.0.113.1")
    with pytest.raises(Unusable):
        _admit(stores, NOBODYS, "203.0.113.1", later=timedelta(minutes=16))


# --- until somebody called back ---------------------------------------------------------------------------


def test_nothing_is_shared_before_the_call_back_and_all_that_is_allowed_after_it(stores: Stores) -> None:
    by, officer = _reporter(stores), _officer(stores)
    case = _file(stores, _code(stores, by), share_scope="allied-anon")
    filed = incidents.Filed(case.versions[0], None, None)  # type: ignore[arg-type]
    assert work(stores, filed) == []
    with stores.case.transaction() as db:
        callbacks.confirm(db, case.ref, by=officer, now=NOW)
    with stores.case.reading() as db:
        waiting = db.scalars(select(Event).where(Event.topic == "report.normalised")).all()
        assert case.versions[0].id in {event.subject_id for event in waiting}
    assert {edition.kind for edition in work(stores, filed)} == {"shared", "allied"}


def test_an_unconfirmed_case_does_not_help_to_name_a_sector(stores: Stores) -> None:
    by = _reporter(stores)
    _file(stores, _code(stores, by), share_scope="council-anon")
    with stores.case.reading() as db:
        assert db.scalars(select(Case).where(sharing.shared(Case) | sharing.counted(Case))).unique().all() == []


def test_who_is_called_is_the_registered_number_and_the_reading_is_audited(stores: Stores) -> None:
    by, officer = _reporter(stores), _officer(stores)
    case = _file(stores, _code(stores, by), callback="090-0000-9999", share_scope="legal-only")
    with stores.case.transaction() as db:
        assert [one.ref for one in callbacks.waiting(db, officer)] == [case.ref]
        _, profile = callbacks.open_call(db, case.ref, by=officer, now=NOW)
    assert [one["phone"] for one in profile["contacts"]] == ["+81-3-9999-0001"]
    with stores.case.reading() as db:
        told = [entry.entry for entry in db.scalars(select(AuditEntry))]
    assert any('"callback.opened"' in entry and str(officer.person_id) in entry for entry in told)
    assert any('"emergency.code-used"' in entry and '"unknown"' in entry for entry in told)


def test_what_is_not_theirs_is_closed_kept_and_never_shared_and_that_can_be_undone(stores: Stores) -> None:
    by, officer = _reporter(stores), _officer(stores)
    case = _file(stores, _code(stores, by), share_scope="council-anon")
    with stores.case.transaction() as db:
        callbacks.disown(db, case.ref, by=officer, now=NOW)
    with stores.case.transaction() as db:
        assert callbacks.waiting(db, officer) == []
        assert [one.ref for one in callbacks.disowned(db, officer)] == [case.ref]
        with pytest.raises(NotFound):
            callbacks.confirm(db, case.ref, by=officer, now=NOW)
    assert work(stores, incidents.Filed(case.versions[0], None, None)) == []  # type: ignore[arg-type]
    with stores.case.transaction() as db:
        callbacks.undo(db, case.ref, by=officer, now=NOW)
        assert [one.ref for one in callbacks.waiting(db, officer)] == [case.ref]


def test_a_consent_that_came_on_a_code_counts_only_when_it_is_confirmed(stores: Stores) -> None:
    by, officer = _reporter(stores), _officer(stores)
    case = _file(stores, _code(stores, by), police_consult="requested-here")

    def having() -> set[str]:
        with stores.case.reading() as db:
            return set(
                db.scalars(select(Delivery.recipient).join(ReportVersion).where(ReportVersion.case_id == case.id))
            )

    by_law = having()
    assert by_law and not by_law & {"npa", "nco"}
    with stores.case.transaction() as db:
        callbacks.confirm(db, case.ref, by=officer, now=NOW)
    assert having() == by_law | {"npa", "nco"}


def test_an_authority_that_had_a_copy_is_told_each_time_that_it_was_not_theirs(stores: Stores) -> None:
    by, officer = _reporter(stores), _officer(stores)
    case = _file(stores, _code(stores, by))

    def told(now: datetime) -> list[str]:
        with stores.case.reading() as db:
            return [one.key for one in matters.news(db, case.id, now=now)]

    assert {one.partition(":")[0] for one in told(NOW)} == {"copy"}
    seen = []
    for hours in (1, 3):
        now = NOW + timedelta(hours=hours)
        with stores.case.transaction() as db:
            callbacks.disown(db, case.ref, by=officer, now=now)
        seen.append(told(now))
        assert {one.partition(":")[0] for one in seen[-1]} == {"disowned"}
        with stores.case.transaction() as db:
            callbacks.undo(db, case.ref, by=officer, now=now)
        assert {one.partition(":")[0] for one in told(now)} == {"copy"}
    assert not set(seen[0]) & set(seen[1])


def test_only_the_desk_calls_back_and_takes_reports_down(stores: Stores) -> None:
    by = _reporter(stores)
    case = _file(stores, _code(stores, by))
    with stores.case.transaction() as db:
        own = db.get_one(Organization, by.organization_id)
        for refused in (
            lambda: callbacks.waiting(db, by),
            lambda: callbacks.confirm(db, case.ref, by=by, now=NOW),
            lambda: phone.search(db, "試験", by=by, now=NOW),
            lambda: phone.find(db, own.ref, by=by, now=NOW),
            lambda: phone.report(db, own, make_answers(), by=by, via="phone", now=NOW, exercise=True),
        ):
            with pytest.raises(NotPermitted):
                refused()


# --- the telephone ----------------------------------------------------------------------------------------


def test_the_register_is_found_by_name_in_any_width_and_by_number_and_the_search_is_audited(stores: Stores) -> None:
    _reporter(stores, ref="ORG-A1", name_ja="ミナト電力株式会社", corporate_number="7999901000009")
    officer = _officer(stores)
    for words in ("ﾐﾅﾄ", "org-a1", "7999901000009", "ミナト 電力"):
        with stores.case.transaction() as db:
            found = phone.search(db, words, by=officer, now=NOW)
            assert [one.row.ref for one in found] == ["ORG-A1"], words
    with stores.case.transaction() as db, pytest.raises(Invalid):
        phone.search(db, " a ", by=officer, now=NOW)
    with stores.case.reading() as db:
        told = [entry.entry for entry in db.scalars(select(AuditEntry)) if "register.searched" in entry.entry]
    assert len(told) == 4 and not any("ミナト" in entry for entry in told)


def test_what_is_told_on_the_phone_is_the_organizations_own_report(stores: Stores) -> None:
    by, officer = _reporter(stores), _officer(stores)
    with stores.case.transaction() as db:
        whose = db.get_one(Organization, by.organization_id)
        filed = phone.take_down(
            db, whose, make_answers(share_scope="legal-only"), caller=CALLER, by=officer, now=NOW, exercise=True
        )
    with stores.case.reading() as db:
        case = incidents.find_own(db, filed.case.ref, by)
        version = incidents.latest(case)
        assert (version.via, version.taken_by_id) == ("phone", officer.person_id)
        assert phone.taken(db, case.ref, officer).id == version.id
        with pytest.raises(NotFound):
            incidents.find(db, case.ref, officer)
        with pytest.raises(NotFound):
            phone.taken(db, case.ref, replace(officer, person_id=by.person_id))


def test_without_the_name_of_the_caller_nothing_is_filed(stores: Stores) -> None:
    by, officer = _reporter(stores), _officer(stores)
    with pytest.raises(Invalid) as caught, stores.case.transaction() as db:
        whose = db.get_one(Organization, by.organization_id)
        phone.take_down(db, whose, make_answers(), caller=" ", by=officer, now=NOW, exercise=True)
    assert [one.field for one in caught.value.problems] == ["caller"]
    assert _cases(stores) == 0


def test_every_letter_of_a_number_has_a_word_in_both_languages() -> None:
    said = dict(spelling.spoken(spelling.LETTERS))
    assert "".join(said) == spelling.LETTERS
    assert all(words["ja"] and words["en"] for words in said.values())


# --- pages ------------------------------------------------------------------------------------------------


@pytest.fixture
def app(sqlite_settings: Settings) -> Iterator[Flask]:
    """The portal."""
    made = create_app(sqlite_settings)
    yield made
    made.extensions["stores"].close()


def _typed(**more: Any) -> dict[str, Any]:
    answers = make_answers(aware_date="2026-11-20", aware_time="10:00", **more)
    del answers["aware_at"]
    return answers


def _page(client: FlaskClient, path: str) -> str:
    return unescape(client.get(path).get_data(as_text=True))


def _token(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found
    return found[1]


def _signed_in(app: Flask, kind: Kind, *roles: Role) -> FlaskClient:
    client = app.test_client()
    with app.extensions["stores"].case.transaction() as db:
        name = make_viewer(db, make_organization(db, kind=kind), *roles).username
    token = _token(_page(client, "/login"))
    assert client.post("/login", data={"username": name, "password": "right horse", "csrf_token": token}).status_code
    return client


def _with_key(page: str) -> dict[str, str]:
    found = re.search(r'name="idempotency_key" value="([^"]+)"', page)
    assert found
    return {"csrf_token": _token(page), "idempotency_key": found[1]}


def test_a_code_is_shown_once_and_reports_without_a_sign_in(app: Flask) -> None:
    reporter, stranger = _signed_in(app, Kind.OPERATOR, Role.REPORTER), app.test_client()
    shown = reporter.post("/emergency/codes", data={"csrf_token": _token(_page(reporter, "/emergency/codes"))})
    found = re.search(r'panel__number--code">([0-9A-Z-]{19})<', shown.get_data(as_text=True))
    assert shown.status_code == 201 and found
    assert found[1] not in _page(reporter, "/emergency/codes")
    hidden = _with_key(_page(stranger, "/emergency"))
    wrong = stranger.post("/emergency", data=_typed(code=found[1], callback="x") | hidden)
    assert wrong.status_code == 422 and found[1] in wrong.get_data(as_text=True)
    answer = stranger.post("/emergency", data=_typed(code=found[1]) | hidden)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/emergency/received")
    receipt = _page(stranger, "/emergency/received")
    assert re.search(r"N-[0-9A-Z]{4}-[0-9A-Z]{4}", receipt)
    assert app.test_client().get("/emergency/received").headers["Location"] == "/emergency"


def test_a_wrong_code_keeps_what_was_typed_and_is_counted(app: Flask) -> None:
    client = app.test_client()
    hidden = _with_key(_page(client, "/emergency"))
    for n in range(12):
        answer = client.post("/emergency", data=_typed(code="7777-7777-7777-7777", summary="復旧作業中です") | hidden)
        assert answer.status_code == (422 if n < 10 else 429)
        page = answer.get_data(as_text=True)
        assert "復旧作業中です" in page and "7777-7777-7777-7777" in page
    assert int(answer.headers["Retry-After"]) > 0


def _behind(app: Flask, *trusted: str) -> list[str]:
    """What two callers behind one proxy are told, when the first typed eleven wrong codes."""
    clients = {caller: app.test_client() for caller in ("198.51.100.1", "198.51.100.2")}
    said = []
    for caller, client in [("198.51.100.1", clients["198.51.100.1"])] * 10 + list(clients.items()):
        client.environ_base["HTTP_X_FORWARDED_FOR"] = ", ".join(("192.0.2.66", caller, *trusted))
        hidden = _with_key(_page(client, "/emergency"))
        said.append(client.post("/emergency", data=_typed(code=NOBODYS) | hidden).status)
    return said[-2:]


def test_two_callers_behind_one_proxy_do_not_lock_each_other_out(sqlite_settings: Settings) -> None:
    app = create_app(replace(sqlite_settings, proxies="127.0.0.1, 10.0.0.0/8"))
    assert _behind(app) == ["429 TOO MANY REQUESTS", "422 UNPROCESSABLE ENTITY"]
    assert _behind(app, "10.1.2.3") == ["429 TOO MANY REQUESTS", "422 UNPROCESSABLE ENTITY"]
    app.extensions["stores"].close()


def test_what_a_stranger_says_of_others_changes_nothing(app: Flask) -> None:
    assert _behind(app) == ["429 TOO MANY REQUESTS"] * 2


def test_the_officer_finds_the_caller_takes_the_report_down_and_reads_the_number_out(app: Flask) -> None:
    officer = _signed_in(app, Kind.NCO, Role.ANALYST)
    with app.extensions["stores"].case.transaction() as db:
        make_organization(db, ref="ORG-P1", name_ja="コウワン電話試験", standing_scope="council-anon")
    page = _page(officer, "/desk/phone")
    found = officer.post("/desk/phone/search", data={"words": "コウワン", "csrf_token": _token(page)})
    assert "/desk/phone/organizations/ORG-P1" in found.get_data(as_text=True)
    page = _page(officer, "/desk/phone/organizations/ORG-P1")
    assert re.search(r'value="council-anon"\s+checked', page)
    typed = _typed(caller=CALLER) | _with_key(page)
    answers = [officer.post("/desk/phone/organizations/ORG-P1", data=typed) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    receipt = _page(officer, answers[0].headers["Location"])
    assert re.search(r"N-[0-9A-Z]{4}-[0-9A-Z]{4}", receipt) and "日本のN" in receipt


def test_the_call_back_is_a_page_with_two_buttons(app: Flask) -> None:
    stores = app.extensions["stores"]
    case = _file(stores, _code(stores, _reporter(stores)), callback="090-1111-2222", share_scope="legal-only")
    officer = _signed_in(app, Kind.NCO, Role.APPROVER)
    assert case.ref in _page(officer, "/desk/phone")
    page = _page(officer, f"/desk/phone/calls/{case.ref}")
    assert "+81-3-9999-0001" in page and "1111" not in page
    assert "ランサムウェア" not in page + _page(officer, "/desk/phone")
    answer = officer.post(f"/desk/phone/calls/{case.ref}/confirm", data={"csrf_token": _token(page)})
    assert answer.status_code == 303
    assert officer.get(f"/desk/phone/calls/{case.ref}").status_code == 404
    with stores.case.reading() as db:
        assert not db.get_one(Case, case.id).unconfirmed


def test_the_command_line_issues_a_code_that_works(sqlite_settings: Settings) -> None:
    stores = open_stores(sqlite_settings)
    by = _reporter(stores)
    issued = CliRunner().invoke(main, ["emergency", "issue", by.username], env=sqlite_settings.environment())
    found = re.search(r"code +([0-9A-Z-]{19})", issued.output)
    assert found and _file(stores, found[1]).unconfirmed
    listed = CliRunner().invoke(main, ["emergency", "list", by.username], env=sqlite_settings.environment())
    assert "used" in listed.output and found[1] not in listed.output
    assert CliRunner().invoke(main, ["emergency", "issue", "nobody"], env=sqlite_settings.environment()).exit_code == 1
    stores.close()


def test_the_name_of_the_caller_is_sealed(stores: Stores) -> None:
    from exchange.models import Attachment

    by, officer = _reporter(stores), _officer(stores)
    with stores.case.transaction() as db:
        whose = db.get_one(Organization, by.organization_id)
        phone.take_down(db, whose, make_answers(), caller=CALLER, by=officer, now=NOW, exercise=True)
    with stores.case.reading() as db:
        row = db.scalars(select(Attachment)).one()
        assert CALLER.encode() not in row.sealed_body
        assert CALLER in vault_of(db).unseal(row.sealed_body, at=f"attachment.body:{row.id}").decode()
