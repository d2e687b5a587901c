"""When everything is down: the offline form, the files it makes, and what a page says that could not be taken."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import event, select

from config import Settings
from exchange import form, idempotency, incidents, offline, offline_reports
from exchange.errors import Invalid, Problem
from exchange.models import AuditEntry, Case
from exchange.offline import Box
from exchange.offline_reports import NotTheirs
from exchange.sharing import Kind, Role, Viewer
from exchange.stores import Stores, open_stores
from portal.app import create_app
from portal.cli.main import main
from tests.conftest import NOW
from tests.make import make_answers, make_organization, make_viewer

TYPED: dict[str, list[str]] = {
    "incident_kind": ["ransomware"],
    "aware_date": ["2026-11-20"],
    "aware_time": ["10:00"],
    "aware_fidelity": ["minute"],
    "service_impact": ["stopped"],
    "system_class": ["it", "ot"],
    "personal_data": ["no"],
    "current_status": ["ongoing"],
    "callback": ["03-1234-5678"],
    "share_scope": ["council-anon"],
    "summary": ["端末が開かない。𠮷野"],
}


OWN = "ORG-OWN"


def sealed_for(box: Box, *, plain: bytes | None = None, number: str = OWN, **more: list[str]) -> dict[str, Any]:
    """What the page in the browser makes of the answers: its own half of the protocol, written again."""
    told = {"made_at": "2026-11-20T01:30:00.123Z", "lang": "ja", "organization": number, "answers": TYPED | more}
    own = ec.generate_private_key(ec.SECP256R1())
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), box.public)
    point = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    key = offline.derived(own.exchange(ec.ECDH(), theirs), point + box.public)
    file_id, nonce = uuid4().hex, os.urandom(12)
    named = f"{file_id}.{box.key_id}".encode()
    sealed = AESGCM(key).encrypt(nonce, plain or json.dumps(told).encode(), named)
    parts = {"ephemeral": point, "nonce": nonce, "sealed": sealed}
    head = {"format": offline.FORMAT, "version": 1, "id": file_id, "key_id": box.key_id}
    return head | {name: b64encode(part).decode() for name, part in parts.items()}


@pytest.fixture
def box(settings: Settings) -> Box:
    """The key pair of the installation."""
    return Box.open(settings.keys)


def _read(box: Box, parcel: dict[str, Any]) -> Any:
    return offline.read(json.dumps(parcel).encode(), box)


def _reporter(stores: Stores, ref: str = OWN, **more: Any) -> Viewer:
    with stores.case.transaction() as db:
        return make_viewer(db, make_organization(db, ref=ref, **more))


def _officer(stores: Stores) -> Viewer:
    with stores.case.transaction() as db:
        return make_viewer(db, make_organization(db, kind=Kind.NCO), Role.ANALYST)


def _take(stores: Stores, read: Any, by: Viewer, organization: str | None = None) -> tuple[Case, bool]:
    with stores.case.transaction() as db:
        return offline_reports.take(db, read, organization=organization, by=by, now=NOW, exercise=True)


def _cases(stores: Stores) -> list[Case]:
    with stores.case.reading() as db:
        return list(db.scalars(select(Case)).unique())


# --- the key and the file ---------------------------------------------------------------------------------


def test_the_key_pair_is_made_once_and_only_its_owner_reads_it(sqlite_settings: Settings) -> None:
    first, second = Box.open(sqlite_settings.keys), Box.open(sqlite_settings.keys)
    assert first.public == second.public and len(first.public) == 65
    assert stat.S_IMODE((sqlite_settings.keys / "offline.json").stat().st_mode) == 0o600


def test_what_was_typed_comes_out_as_it_was(box: Box) -> None:
    _, typed = _read(box, sealed_for(box))
    assert typed.answers == TYPED


def test_nothing_that_was_typed_can_be_read_in_the_file(box: Box) -> None:
    text = json.dumps(sealed_for(box))
    assert "ransomware" not in text and "1234" not in text.replace(box.key_id, "")


def test_a_file_changed_in_any_place_is_damaged(box: Box) -> None:
    parcel = sealed_for(box)
    flipped = parcel["sealed"][:-8] + ("A" if parcel["sealed"][-8] != "A" else "B") + parcel["sealed"][-7:]
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = b64encode(other.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).decode()
    for wrong in (
        {"sealed": flipped},
        {"id": uuid4().hex},
        {"id": "../../etc/passwd"},
        {"nonce": b64encode(bytes(12)).decode()},
        {"nonce": ""},
        {"ephemeral": point},
        {"ephemeral": b64encode(b"\x04" + bytes(64)).decode()},
        {"ephemeral": "☃"},
        {"version": 2},
        {"extra": 1},
    ):
        with pytest.raises(Invalid) as caught:
            _read(box, parcel | wrong)
        assert caught.value.problems == [Problem("file", "damaged")], wrong


def test_a_file_cut_short_is_damaged_and_a_foreign_one_is_foreign(box: Box) -> None:
    whole = json.dumps(sealed_for(box)).encode()
    for body, code in (
        (whole[:-20], "damaged"),
        (b"", "foreign"),
        (b"[]", "foreign"),
        (b'{"format": "other"}', "foreign"),
        (b"\xff\xfe\x00", "foreign"),
        (b"[" * 100_000, "foreign"),
        (b" " * 1_000_001, "too-large"),
    ):
        with pytest.raises(Invalid) as caught:
            offline.read(body, box)
        assert [one.code for one in caught.value.problems] == [code], body[:20]


def test_what_was_sealed_by_another_program_is_damaged_too(box: Box) -> None:
    for plain in (b"no json", b"{}", b'{"made_at": 1, "lang": "ja", "answers": {}}', b"[" * 1000):
        with pytest.raises(Invalid) as caught:
            _read(box, sealed_for(box, plain=plain))
        assert caught.value.problems == [Problem("file", "damaged")]


def test_a_file_for_another_key_says_so(box: Box, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        _read(box, sealed_for(Box.open(tmp_path / "other")))
    assert caught.value.problems == [Problem("file", "old-key")]


def test_the_check_code_belongs_to_this_file_alone(box: Box) -> None:
    (first, _), (second, _) = _read(box, sealed_for(box)), _read(box, sealed_for(box))
    assert re.fullmatch(r"\d{4}-\d{4}-\d{4}", first.code) and first.code != second.code
    offline_reports.check_code(first, "")
    offline_reports.check_code(first, f" {first.code.replace('-', ' ')} ")
    with pytest.raises(Invalid):
        offline_reports.check_code(first, second.code)


# --- filing -----------------------------------------------------------------------------------------------


def test_a_file_is_a_report_like_any_other(stores: Stores, box: Box) -> None:
    by = _reporter(stores)
    case, is_new = _take(stores, _read(box, sealed_for(box)), by)
    with stores.case.reading() as db:
        version = incidents.latest(incidents.find_own(db, case.ref, by))
        answers = incidents.whole_answers(db, version)
    assert is_new and version.via == "offline"
    assert answers["summary"] == "端末が開かない。𠮷野" and answers["aware_at"] == "2026-11-20T01:00:00Z"
    assert version.claimed_at is not None and version.claimed_at.isoformat() == "2026-11-20T01:30:00.123000+00:00"


def test_brought_twice_it_is_one_report_also_after_the_first_answer_is_forgotten(stores: Stores, box: Box) -> None:
    by, read = _reporter(stores), _read(box, sealed_for(box))
    first, _ = _take(stores, read, by)
    assert _take(stores, read, by)[0].ref == first.ref
    with stores.case.transaction() as db:
        assert idempotency.forget(db, now=NOW + timedelta(days=8))
    again, is_new = _take(stores, read, by)
    assert (again.ref, is_new, len(_cases(stores))) == (first.ref, False, 1)


def test_two_files_with_the_same_words_are_two_reports(stores: Stores, box: Box) -> None:
    by, parcel = _reporter(stores), sealed_for(box)
    _take(stores, _read(box, parcel), by)
    told = {"made_at": "2026-11-20T01:31:00.000Z", "lang": "ja", "organization": OWN, "answers": TYPED}
    later = json.dumps(told).encode()
    _take(stores, _read(box, sealed_for(box, plain=later)), by)
    assert len(_cases(stores)) == 2


def test_a_file_that_was_taken_for_one_organization_is_not_taken_for_another(stores: Stores, box: Box) -> None:
    officer, read = _officer(stores), _read(box, sealed_for(box, number=""))
    for ref in ("ORG-X1", "ORG-X2"):
        _reporter(stores, ref)
    _take(stores, read, officer, "ORG-X1")
    with pytest.raises(NotTheirs) as caught:
        _take(stores, read, officer, "ORG-X2")
    assert caught.value.problems == [Problem("file", "taken-elsewhere")]
    assert len(_cases(stores)) == 1


def test_whoever_gets_hold_of_anothers_file_neither_reads_it_nor_uses_it_up(stores: Stores, box: Box) -> None:
    thief, owner, officer = _reporter(stores, "ORG-X1"), _reporter(stores, "ORG-X2"), _officer(stores)
    read = _read(box, sealed_for(box, number=" ｏｒｇ-x2 "))
    nobodys = _read(box, sealed_for(box, number="", summary=["別の件"]))
    for brought, by, organization, problem in (
        (read, thief, None, Problem("file", "anothers")),
        (nobodys, owner, None, Problem("file", "nobodys")),
        (read, officer, "ORG-X1", Problem("organization", "other-number", {"number": " ｏｒｇ-x2 "})),
    ):
        with pytest.raises(NotTheirs) as caught:
            _take(stores, brought, by, organization)
        assert caught.value.problems == [problem] and caught.value.file_id == brought[0].file_id
    assert _cases(stores) == []
    assert _take(stores, read, owner)[1]
    assert not _take(stores, read, officer, "ORG-X2")[1]
    assert _take(stores, nobodys, officer, "ORG-X1")[1]


def test_the_desk_brings_a_file_for_an_organization_of_the_register(stores: Stores, box: Box) -> None:
    by, officer = _reporter(stores, "ORG-X1"), _officer(stores)
    case, _ = _take(stores, _read(box, sealed_for(box, number="ORG-X1")), officer, "ORG-X1")
    with stores.case.reading() as db:
        version = incidents.latest(incidents.find_own(db, case.ref, by))
    assert (version.via, version.taken_by_id) == ("offline", officer.person_id)


def test_who_must_answer_under_the_act_and_did_not_has_said_not_known(stores: Stores, box: Box) -> None:
    by = _reporter(stores, act_special_operator=True)
    case, _ = _take(stores, _read(box, sealed_for(box)), by)
    assert incidents.latest(case).answers["designated_asset"] == "unknown"


def test_wrong_answers_in_a_whole_file_file_nothing(stores: Stores, box: Box) -> None:
    by = _reporter(stores)
    with pytest.raises(Invalid) as caught:
        _take(stores, _read(box, sealed_for(box, callback=["x"], intruder=["y"])), by)
    assert {one.field for one in caught.value.problems} == {"callback", "intruder"}
    assert _cases(stores) == []


# --- pages ------------------------------------------------------------------------------------------------


@pytest.fixture
def app(sqlite_settings: Settings) -> Iterator[Flask]:
    """The portal."""
    made = create_app(sqlite_settings)
    yield made
    made.extensions["stores"].close()


def _token(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found
    return found[1]


def _signed_in(app: Flask, kind: Kind, *roles: Role, **more: Any) -> FlaskClient:
    client = app.test_client()
    with app.extensions["stores"].case.transaction() as db:
        name = make_viewer(db, make_organization(db, kind=kind, **more), *roles).username
    typed = {"username": name, "password": "right horse", "csrf_token": _token(client.get("/login").text)}
    assert client.post("/login", data=typed).status_code == 303
    return client


def _bring(client: FlaskClient, parcel: object, **more: str) -> Any:
    token = _token(client.get("/offline/import").text)
    file = (BytesIO(json.dumps(parcel).encode()), "noroshi-7A3F.json")
    return client.post("/offline/import", data={"csrf_token": token, "file": file} | more)


def test_a_reporter_imports_a_file_and_gets_the_same_receipt_again(app: Flask, sqlite_settings: Settings) -> None:
    client = _signed_in(app, Kind.OPERATOR, Role.REPORTER, ref=OWN)
    assert OWN in client.get("/offline").text and OWN not in app.test_client().get("/offline").text
    parcel = sealed_for(Box.open(sqlite_settings.keys))
    first, second = _bring(client, parcel), _bring(client, parcel)
    assert first.status_code == second.status_code == 303
    assert first.headers["Location"] == second.headers["Location"]
    assert client.get(first.headers["Location"]).status_code == 200


def test_the_desk_names_the_organization_and_reads_the_number_out(app: Flask, sqlite_settings: Settings) -> None:
    _signed_in(app, Kind.OPERATOR, Role.REPORTER, ref="ORG-D1")
    officer = _signed_in(app, Kind.NCO, Role.ANALYST)
    parcel = sealed_for(Box.open(sqlite_settings.keys), number="ORG-D1")
    assert _bring(officer, parcel).status_code == 422
    assert _bring(officer, parcel, organization="ORG-NONE").status_code == 422
    assert _bring(officer, parcel, organization="ORG-D1", code="1111-1111-1111").status_code == 422
    for _ in range(2):
        answer = _bring(officer, parcel, organization="ORG-D1")
        assert answer.status_code == 200 and "日本のN" in answer.text
    assert len(_cases(app.extensions["stores"])) == 1


def test_a_file_that_is_not_theirs_is_refused_in_words_and_noted(app: Flask, sqlite_settings: Settings) -> None:
    thief = _signed_in(app, Kind.OPERATOR, Role.REPORTER)
    parcel = sealed_for(Box.open(sqlite_settings.keys))
    answer = _bring(thief, parcel)
    assert answer.status_code == 422 and "別の組織の登録番号" in answer.text and OWN not in answer.text
    assert _bring(_signed_in(app, Kind.OPERATOR, Role.REPORTER, ref=OWN), parcel).status_code == 303
    with app.extensions["stores"].case.reading() as db:
        noted = [entry.entry for entry in db.scalars(select(AuditEntry)) if "offline.refused" in entry.entry]
    assert len(noted) == 1 and str(UUID(parcel["id"])) in noted[0]


def test_a_reader_imports_nothing(app: Flask) -> None:
    client = _signed_in(app, Kind.ISAC, Role.READER, isacs=["t-isac"])
    assert client.get("/offline/import").status_code == 403


def test_what_is_wrong_with_a_file_is_said_in_words(app: Flask) -> None:
    client = _signed_in(app, Kind.OPERATOR, Role.REPORTER)
    answer = _bring(client, {"format": "other"})
    assert answer.status_code == 422 and "オフライン様式で作られたファイルではありません" in answer.text


def test_the_form_is_one_file_that_asks_every_question_in_both_languages(app: Flask) -> None:
    page = unescape(app.test_client().get("/offline.html").text)
    for field in form.ASKED.values():
        assert f'name="{field["id"]}"' in page or field["id"] == "aware_at"
        for lang in ("ja", "en"):
            assert field["label"][lang] in page
    said = re.search(r'data-words="([^"]+)"', app.test_client().get("/offline.html").text)
    assert said
    for name, codes in json.loads(unescape(said[1])).items():
        for code, words in codes.items():
            params = {
                "max": form.QUICK[name].get("max_length"),
                "option": "unknown" if name == "system_class" else "none",
            }
            assert words == {lang: form.message(Problem(name, code, params), lang) for lang in ("ja", "en")}
    assert not re.search(r'(?:src|href)="(?!#)|url\(|@import|https?://', page)
    assert not re.search(r"\son\w+=|\sstyle=", page)


def test_the_form_may_do_nothing_but_run_its_own_script(app: Flask) -> None:
    answer = app.test_client().get("/offline.html")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "'self'" not in policy
    assert policy.partition("; frame-ancestors")[0] in unescape(answer.text)
    assert answer.headers["Cache-Control"].startswith("private, max-age=")
    again = app.test_client().get("/offline.html", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    saved = app.test_client().get("/offline.html?download=1")
    assert saved.headers["Content-Disposition"].startswith("attachment")


# --- the command line, and a real browser -------------------------------------------------------------------


def _run(settings: Settings, *command: str) -> Result:
    return CliRunner().invoke(main, list(command), env=settings.environment())


def test_the_command_line_writes_the_form_and_files_what_came_back(sqlite_settings: Settings, tmp_path: Path) -> None:
    stores = open_stores(sqlite_settings)
    by = _reporter(stores, "ORG-C1")
    form_file, parcel = tmp_path / "form.html", tmp_path / "noroshi-0000.json"
    assert _run(sqlite_settings, "offline", "form", str(form_file)).exit_code == 0
    box = Box.open(sqlite_settings.keys)
    assert offline.public_text(box) in form_file.read_text(encoding="utf-8")
    parcel.write_text(json.dumps(sealed_for(box, number="ORG-C1")))
    importing = ("offline", "import", str(parcel), "--organization")
    first, second = (_run(sqlite_settings, *importing, "ORG-C1") for _ in range(2))
    (case,) = _cases(stores)
    assert first.output == f"filed: {case.ref}\n" and second.output == f"filed before: {case.ref}\n"
    for wrong in (("ORG-NONE",), ("ORG-C1", "--account", "nobody"), ("ORG-C1", "--code", "1111-1111-1111")):
        assert _run(sqlite_settings, *importing, *wrong).exit_code == 1
    parcel.write_text(json.dumps(sealed_for(box, number="")))
    nobodys = _run(sqlite_settings, *importing, "ORG-C1")
    assert nobodys.exit_code == 1 and "names no organisation" in nobodys.output
    parcel.write_text("{}")
    broken = _run(sqlite_settings, *importing, "ORG-C1", "--account", by.username)
    assert broken.exit_code == 1 and "nothing was filed" in broken.output
    stores.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window and without a network."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not on PATH, and CI=true")
        pytest.skip("chromium is not on PATH")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.mark.timeout(120)
def test_the_page_opened_from_the_disk_seals_what_the_installation_opens(
    browser: Browser, app: Flask, sqlite_settings: Settings, tmp_path: Path
) -> None:
    file, saved = tmp_path / "offline.html", tmp_path / "saved.json"
    file.write_bytes(app.test_client().get("/offline.html").data)
    with browser.new_context(locale="ja", offline=True, viewport={"width": 360, "height": 740}) as context:
        page = context.new_page()
        wrong: list[object] = []
        page.on("pageerror", lambda error: wrong.append(error))
        page.goto(f"file://{file}")
        page.click("#save")
        said = page.locator("#problems li").all_inner_texts()
        fields = [form.QUICK[name] for name in form.QUICK if form.QUICK[name]["required"] is True]
        assert said == [form.message(Problem(field["id"], "required"), "ja") for field in fields]
        assert Axe().run(page).response["violations"] == []
        for name, values in TYPED.items():
            for value in values:
                box = page.locator(f"[name={name}][value='{value}']")
                box.check() if box.count() else page.fill(f"[name={name}]", value)
        page.fill("#organization", OWN)
        page.click("#tongue")
        assert page.locator("html").get_attribute("lang") == "en"
        with page.expect_download() as download:
            page.click("#save")
        download.value.save_as(saved)
        shown = page.locator("#saved-code:not(:empty)").inner_text()
        assert Axe().run(page).response["violations"] == [] and not wrong
    parcel, typed = offline.read(saved.read_bytes(), Box.open(sqlite_settings.keys))
    assert (typed.answers, typed.lang, typed.organization, parcel.code) == (TYPED, "en", OWN, shown)
    assert download.value.suggested_filename == f"noroshi-{parcel.id[:4].upper()}.json"


# --- the database takes nothing ---------------------------------------------------------------------------


def _forbid_writing(stores: Stores) -> None:
    """As a full or broken disk does: every statement that writes is refused."""
    engine = stores.case.engine
    sqlite = engine.dialect.name == "sqlite"
    statement = "PRAGMA query_only=ON" if sqlite else "SET default_transaction_read_only = on"

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        connection.commit()

    engine.dispose()


@pytest.fixture
def either(settings: Settings) -> Iterator[Flask]:
    """The portal on each database."""
    made = create_app(settings)
    yield made
    made.extensions["stores"].close()


def test_a_report_that_cannot_be_kept_stays_on_the_page(either: Flask) -> None:
    client, stores = _signed_in(either, Kind.OPERATOR, Role.REPORTER), either.extensions["stores"]
    page = client.get("/reports/new").text
    _forbid_writing(stores)
    typed = dict(TYPED)
    hidden = {"csrf_token": _token(page), "idempotency_key": "k-1"}
    answer = client.post("/reports", data=typed | hidden)
    said = unescape(answer.text)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "何も保存していません" in said or "保存されていません" in said
    assert "何が起きていますか: ランサムウェア" in said and "端末が開かない。𠮷野" in said
    assert re.search(r'<textarea name="idempotency_key" hidden>\s*k-1</textarea>', said)
    assert 'href="/offline.html"' in said and 'action="/reports"' in said
    assert client.get("/offline.html").status_code == 200
    assert _cases(stores) == []


def test_a_program_is_told_that_nothing_was_kept(either: Flask) -> None:
    from exchange import accounts
    from exchange.models import Person

    stores = either.extensions["stores"]
    by = _reporter(stores)
    with stores.case.transaction() as db:
        key = accounts.issue_key(db, db.get_one(Person, by.person_id), scopes=["report"], now=NOW)
    _forbid_writing(stores)
    headers = {"Authorization": f"Bearer {key}", "Accept-Language": "en"}
    answer = either.test_client().post("/api/v1/reports", json=make_answers(), headers=headers)
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert answer.json and "Nothing was stored" in answer.json["detail"] and answer.headers["Retry-After"]


def test_a_sign_in_that_fails_this_way_does_not_show_the_password(either: Flask) -> None:
    client = either.test_client()
    page = client.get("/login").text
    _forbid_writing(either.extensions["stores"])
    typed = {"username": "x", "password": "correct horse", "csrf_token": _token(page)}
    answer = client.post("/login", data=typed)
    assert answer.status_code == 503 and "correct horse" not in answer.text


def test_an_emergency_code_is_kept_for_sending_again_and_not_among_the_words(either: Flask) -> None:
    client = either.test_client()
    page = client.get("/emergency").text
    _forbid_writing(either.extensions["stores"])
    typed = dict(TYPED) | {"code": "7K3M-9QXZ-7K3M-9QXZ"}
    answer = client.post("/emergency", data=typed | {"csrf_token": _token(page)})
    assert answer.status_code == 503
    words = re.search(r"readonly[^>]*>(.*?)</textarea>", answer.text, re.DOTALL)
    assert words and "7K3M" not in words[1] and '<textarea name="code" hidden>' in answer.text


def test_the_form_is_there_while_the_database_is_gone(sqlite_settings: Settings) -> None:
    app = create_app(sqlite_settings)
    client = _signed_in(app, Kind.OPERATOR, Role.REPORTER)
    app.extensions["stores"].close()
    shutil.rmtree(sqlite_settings.var)
    sqlite_settings.var.write_text("a file where the folder was")
    assert client.get("/").status_code == 503
    assert client.get("/offline.html").status_code == 200
    assert 'href="/offline.html"' in client.get("/reports/new").text
