"""The REST API as a hostile member meets it: what it promises, what it refuses, and that a refusal leaves nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from config import Settings
from exchange import accounts, carrying, drafts, form, incidents, quotas
from exchange.errors import WrongState
from exchange.models import ApiKey, CaseBase, Organization
from exchange.sharing import Kind, Role
from exchange.stores import Stores
from portal import auth
from portal.api import cases, pace, reports
from portal.app import create_app
from tests.conftest import NOW, _settings
from tests.make import SAMPLES, Clock, make_answers, make_organization, make_report, make_viewer, sample

REPORTS = "/api/v1/reports"
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Caller:
    """Somebody with a key."""

    app: Flask
    key: str
    organization: Organization

    def post(self, body: object, **headers: str) -> TestResponse:
        """File `body` as JSON."""
        return self.send(json.dumps(body).encode(), **headers)

    def send(self, body: bytes, *, content_type: str = "application/json", **headers: str) -> TestResponse:
        """Send these very bytes."""
        return self.app.test_client().post(
            REPORTS, data=body, content_type=content_type, headers=self._headers(headers)
        )

    def stream(self, body: bytes, **environ: object) -> TestResponse:
        """Send bytes under a false or missing Content-Length."""
        with self.app.test_client() as client:
            return client.post(
                REPORTS,
                input_stream=BytesIO(body),
                content_type="application/json",
                headers=self._headers({}),
                environ_overrides=environ,
            )

    def get(self, path: str, **headers: str) -> TestResponse:
        """Ask for a path."""
        return self.app.test_client().get(path, headers=self._headers(headers))

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self.key}"} | named


def _stores(app: Flask) -> Stores:
    found = app.extensions["stores"]
    assert isinstance(found, Stores)
    return found


def make_caller(
    app: Flask,
    organization: dict[str, Any] | None = None,
    *,
    roles: tuple[Role, ...] = (Role.REPORTER,),
    scopes: tuple[str, ...] = ("report",),
    days: int = 365,
) -> Caller:
    """Somebody of a new organization, with a key."""
    with _stores(app).case.transaction() as db:
        own = make_organization(db, **(organization or {}))
        person = accounts.lock_person(db, make_viewer(db, own, *roles).person_id)  # type: ignore[arg-type]
        key = accounts.issue_key(db, person, scopes=list(scopes), now=NOW, days=days)
    return Caller(app, key, own)


def count_rows(app: Flask, *, but: tuple[str, ...] = ()) -> dict[str, int]:
    """How many rows each table of the case store has."""
    with _stores(app).case.reading() as db:
        tables = [table for name, table in CaseBase.metadata.tables.items() if name not in but]
        return {t.name: db.scalar(sa.select(sa.func.count()).select_from(t)) or 0 for t in tables}


def refused(answer: TestResponse, status: int) -> dict[str, Any]:
    """The problem document of a refusal."""
    assert (answer.status_code, answer.content_type) == (status, PROBLEM), answer.get_data(as_text=True)
    assert answer.json is not None
    assert answer.json["status"] == status
    assert answer.json["title"] and answer.json["detail"] and answer.json["type"]
    problem: dict[str, Any] = answer.json
    return problem


def without_request_id(answer: TestResponse) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Everything that an answer tells, but for the random number of the request."""
    body = {name: value for name, value in (answer.json or {}).items() if name != "request_id"}
    headers = {name: value for name, value in answer.headers.items() if name != "X-Request-Id"}
    return answer.status_code, body, headers


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time stands still at NOW."""
    clock = Clock()
    monkeypatch.setattr(auth, "utcnow", clock)
    monkeypatch.setattr(reports, "utcnow", clock)
    return clock


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[Flask]:
    """The portal, once on each database."""
    made = create_app(settings)
    yield made
    _stores(made).close()


@pytest.fixture
def alice(app: Flask) -> Caller:
    """A reporter of a port operator."""
    return make_caller(app)


@pytest.fixture
def carol(app: Flask) -> Caller:
    """A reporter elsewhere."""
    return make_caller(app)


@pytest.fixture(scope="module")
def fast_alice(tmp_path_factory: pytest.TempPathFactory, _sqlite_template: Path) -> Iterator[Caller]:
    """A reporter on one SQLite installation for many requests; what is parsed does not depend on the database."""
    folder = tmp_path_factory.mktemp("fast")
    shutil.copytree(_sqlite_template, folder / "var")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "utcnow", Clock())
        patch.setattr(reports, "utcnow", Clock())
        app = create_app(_settings(folder))
        yield make_caller(app)
        _stores(app).close()


# --- what is promised ----------------------------------------------------------------------------------


def test_a_receipt_has_every_promised_field(alice: Caller) -> None:
    answer = alice.post(make_answers())
    assert (answer.status_code, answer.content_type) == (201, "application/json")
    receipt = answer.json
    assert receipt is not None
    assert receipt["report_id"].startswith(receipt["case_id"])
    assert receipt["status_url"] == answer.headers["Location"] == f"/api/v1/cases/{receipt['case_id']}"
    assert receipt["recipients"]
    for one in receipt["recipients"]:
        assert one["id"] and one["reason"] and one["legal_basis"] and "due" in one
    assert isinstance(receipt["clocks"], list)
    assert "possible_duplicate_of" not in receipt
    assert "Idempotent-Replay" not in answer.headers


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_is_answered_with_its_recipients_and_regimes(app: Flask, clock: Clock, name: str) -> None:
    found = sample(name)
    clock.now = datetime.fromisoformat(found["answers"]["submitted_at"])
    own = make_caller(app, {**found["own"], "isacs": found["own"]["isac"]})
    receipt = own.post(found["answers"] | {"organisation": {"org_id": own.organization.ref}}).json
    assert receipt is not None
    expected = found["expected"]
    assert sorted(one["id"] for one in receipt["recipients"]) == sorted(expected["recipients"])
    assert sorted(receipt["regimes"]) == sorted(expected["regimes"])
    assert receipt["form"] == expected["form"]
    for deadline in expected["deadlines"]:
        assert any(_tells(one, deadline) for one in receipt["clocks"]), deadline


def _tells(clock: dict[str, Any], deadline: dict[str, Any]) -> bool:
    return all(_same(clock[name], value) for name, value in deadline.items())


def _same(told: str | None, wanted: str) -> bool:
    """The same moment may be told in another zone."""
    if told is None or not wanted.endswith("+09:00"):
        return told == wanted
    return datetime.fromisoformat(told) == datetime.fromisoformat(wanted)


def test_the_status_url_opens_the_case_for_its_reporter(alice: Caller) -> None:
    receipt = alice.post(make_answers()).json
    assert receipt is not None
    case = alice.get(receipt["status_url"])
    assert case.status_code == 200
    assert case.json is not None
    assert case.json["case_id"] == receipt["case_id"]
    assert case.json["recipients"] == receipt["recipients"]
    assert case.json["clocks"] == receipt["clocks"]


def test_reasons_come_in_the_language_asked_for(alice: Caller) -> None:
    told = {lang: alice.post(make_answers(), Accept_Language=lang).json for lang in ("ja", "en", "fr")}
    reasons = {lang: [one["reason"] for one in receipt["recipients"]] for lang, receipt in told.items() if receipt}
    assert reasons["fr"] == reasons["ja"] != reasons["en"]


def test_a_full_megabyte_is_taken_with_and_without_a_length(alice: Caller) -> None:
    body = json.dumps(make_answers()).encode().ljust(1_000_000)
    assert alice.send(body).status_code == 201
    assert alice.stream(body, **CHUNKED).status_code == 201


# --- who may -------------------------------------------------------------------------------------------


def test_another_organisation_is_answered_as_one_that_never_was_and_the_refusal_is_noted(
    alice: Caller, carol: Caller
) -> None:
    before = count_rows(alice.app)
    theirs, none = (
        alice.post(make_answers(organisation={"org_id": ref})) for ref in (carol.organization.ref, "ORG-NONE")
    )
    refused(theirs, 404)
    assert without_request_id(theirs) == without_request_id(none)
    assert count_rows(alice.app) == before | {"audit_entry": before["audit_entry"] + 2}


def test_another_organisations_case_is_answered_as_one_that_never_was(alice: Caller, carol: Caller) -> None:
    receipt = carol.post(make_answers(share_scope="allied-anon")).json
    assert receipt is not None
    hidden, never = alice.get(receipt["status_url"]), alice.get("/api/v1/cases/N-0000-0000")
    refused(hidden, 404)
    assert without_request_id(hidden) == without_request_id(never)


SPELLINGS = ["%00", "N-0000-000%00", "%ED%A0%80", "..%2f..", "a" * 5000, "%F0%9F%94%A5", "'--", "%25"]


def test_no_spelling_of_a_case_number_breaks_the_search(alice: Caller) -> None:
    for ref in SPELLINGS:
        refused(alice.get(f"/api/v1/cases/{ref}"), 404)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer x", "Bearer noroshi_", "Basic {key}", "{key}", "Bearer {key}x", "Bearer\t{key}"],
)
def test_without_a_valid_key_nothing_is_taken(alice: Caller, authorization: str) -> None:
    before = count_rows(alice.app, but=("audit_entry",))
    header = {"Authorization": authorization.format(key=alice.key)} if authorization else {}
    answer = alice.app.test_client().post(REPORTS, json=make_answers(), headers=header)
    refused(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert count_rows(alice.app, but=("audit_entry",)) == before


def test_a_revoked_key_is_refused_from_the_next_request_on(alice: Caller) -> None:
    assert alice.post(make_answers()).status_code == 201
    with _stores(alice.app).case.reading() as db:
        held = db.scalars(sa.select(ApiKey.id).where(ApiKey.key_hash == accounts.hash_of(alice.key))).one()
    carrying.revoke_key(_stores(alice.app), held, by="test", now=NOW)
    refused(alice.post(make_answers()), 401)


def test_a_key_for_the_feed_alone_does_not_file(app: Flask) -> None:
    refused(make_caller(app, scopes=("feed",)).post(make_answers()), 403)


def test_a_key_ends_at_its_last_moment(app: Flask, clock: Clock) -> None:
    erin = make_caller(app, days=1)
    clock.now = NOW + timedelta(days=1) - timedelta(microseconds=1)
    assert erin.post(make_answers()).status_code == 201
    clock.now = NOW + timedelta(days=1)
    refused(erin.post(make_answers()), 401)


def test_whoever_is_no_reporter_files_nothing_and_opens_no_case(app: Flask) -> None:
    for role in set(Role) - {Role.REPORTER}:
        somebody = make_caller(app, {"kind": Kind.NCO}, roles=(role,))
        before = count_rows(app, but=("audit_entry",))
        refused(somebody.post(make_answers()), 403)
        refused(somebody.get("/api/v1/cases/N-0000-0000"), 403)
        assert count_rows(app, but=("audit_entry",)) == before


def test_a_reporter_of_an_organization_without_a_sector_is_told_that_it_may_not(app: Flask) -> None:
    own = {"isacs": ["t-isac"], "ceptoar": "port-ceptoar", "authority": "mlit"}
    for kind in set(Kind) - {Kind.OPERATOR}:
        refused(make_caller(app, {"kind": kind, **own}).post(make_answers()), 403)


# --- once ----------------------------------------------------------------------------------------------


def test_a_replay_gives_the_first_answer_again(alice: Caller, clock: Clock) -> None:
    first = alice.post(make_answers(), Idempotency_Key="k")
    before = count_rows(alice.app)
    clock.now += timedelta(hours=1)
    again = alice.post(make_answers(), Idempotency_Key="k", Accept_Language="en")
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.json, again.headers["Location"]) == (first.json, first.headers["Location"])
    assert again.headers["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in first.headers
    assert count_rows(alice.app) == before


def test_the_same_key_with_another_body_is_a_conflict(alice: Caller) -> None:
    alice.post(make_answers(), Idempotency_Key="k")
    before = count_rows(alice.app)
    refused(alice.post(make_answers(personal_data="yes"), Idempotency_Key="k"), 409)
    assert count_rows(alice.app) == before


def test_a_key_is_of_one_account_alone(alice: Caller, carol: Caller) -> None:
    first = alice.post(make_answers(), Idempotency_Key="k").json
    other = carol.post(make_answers(personal_data="yes"), Idempotency_Key="k")
    assert other.status_code == 201
    assert first and other.json and other.json["case_id"] != first["case_id"]


def test_a_refused_report_leaves_its_key_free(alice: Caller) -> None:
    refused(alice.post(make_answers(callback="no phone"), Idempotency_Key="k"), 422)
    assert alice.post(make_answers(), Idempotency_Key="k").status_code == 201


def test_twenty_at_once_with_one_key_make_one_case(alice: Caller) -> None:
    together = Barrier(20)

    def file(_: int) -> TestResponse:
        together.wait(30)
        return alice.post(make_answers(), Idempotency_Key="k")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(file, range(20)))
    assert [answer.status_code for answer in answers] == [201] * 20
    assert len({json.dumps(answer.json) for answer in answers}) == 1
    assert sum("Idempotent-Replay" not in answer.headers for answer in answers) == 1
    assert count_rows(alice.app)["incident_case"] == 1


@pytest.mark.parametrize("key", ["", "x" * 129, "é", "a\tb", "鍵".encode().decode("latin-1")])
def test_a_bad_key_is_named(alice: Caller, key: str) -> None:
    before = count_rows(alice.app)
    problem = refused(alice.post(make_answers(), Idempotency_Key=key), 422)
    assert [(one["field"], bool(one["message"])) for one in problem["errors"]] == [("Idempotency-Key", True)]
    assert count_rows(alice.app) == before


@pytest.mark.parametrize("key", ["x", "x" * 128, "!~", "a b"])
def test_any_printable_key_will_do(alice: Caller, key: str) -> None:
    assert alice.post(make_answers(), Idempotency_Key=key).status_code == 201


def test_without_a_key_a_second_report_names_the_first(alice: Caller, carol: Caller, clock: Clock) -> None:
    first = alice.post(make_answers()).json
    clock.now += timedelta(minutes=9)
    second, other = alice.post(make_answers()), carol.post(make_answers())
    assert first and second.json and other.json
    assert second.status_code == 201
    assert second.json["possible_duplicate_of"] == first["case_id"] != second.json["case_id"]
    assert "possible_duplicate_of" not in other.json


def test_ten_minutes_later_the_same_report_is_a_new_one(alice: Caller, clock: Clock) -> None:
    alice.post(make_answers())
    clock.now += timedelta(minutes=10)
    assert "possible_duplicate_of" not in (alice.post(make_answers()).json or {})


# --- wrong answers -------------------------------------------------------------------------------------

WRONG: list[tuple[str, object]] = [
    ("incident_kind", "alien"),
    ("incident_kind", ["ransomware"]),
    ("aware_at", "yesterday"),
    ("aware_at", (NOW + timedelta(days=1)).isoformat()),
    ("aware_at", "0000-00-00T00:00:00Z"),
    ("aware_at", "9999-12-31T23:59:59-23:59"),
    ("service_impact", None),
    ("system_class", []),
    ("system_class", ["it", "it"]),
    ("system_class", ["it", "unknown"]),
    ("system_class", [["it"]]),
    ("system_class", {"it": True}),
    ("personal_data", True),
    ("current_status", 1),
    ("callback", "call me"),
    ("callback", "1" * 41),
    ("share_scope", "everybody"),
    ("summary", "x" * 401),
    ("ioc_paste", "x" * 65_537),
    ("submitted_at", "1969-12-31T23:59:59Z"),
    ("organisation", "ORG"),
    ("colour", "blue"),
    ("is_admin", True),
]


@pytest.mark.parametrize(("field", "value"), WRONG, ids=lambda value: str(value)[:20])
def test_a_wrong_answer_is_named_with_what_to_do_in_both_languages(
    fast_alice: Caller, field: str, value: object
) -> None:
    before, said = count_rows(fast_alice.app), {}
    for lang, asked in {"ja": {}, "en": {"Accept_Language": "en-GB,en;q=0.8"}}.items():
        problem = refused(fast_alice.post(make_answers(**{field: value}), **asked), 422)
        assert [one["field"] for one in problem["errors"]] == [field]
        said[lang] = problem["errors"][0]["message"]
    assert any(char >= "\u3040" for char in said["ja"])
    assert said["en"].isascii() or "\u201c" in said["en"]
    assert count_rows(fast_alice.app) == before


def test_every_missing_answer_is_listed_at_once(alice: Caller) -> None:
    required = {name for name, entry in form.FIELDS.items() if entry["required"] is True}
    problem = refused(alice.send(b"{}"), 422)
    assert {one["field"] for one in problem["errors"]} == required
    assert {one["code"] for one in problem["errors"]} == {"required"}


def test_a_nested_field_is_named_by_its_path(alice: Caller) -> None:
    body = make_answers(organisation={"org_id": alice.organization.ref, "kind": "nco"})
    assert [one["field"] for one in refused(alice.post(body), 422)["errors"]] == ["organisation.kind"]


@pytest.mark.parametrize("field", ["organization_id", "case_id", "received_at", "tlp", "exercise", "recipients", "via"])
def test_what_the_server_decides_cannot_be_sent(fast_alice: Caller, field: str) -> None:
    problem = refused(fast_alice.post(make_answers(**{field: "x"})), 422)
    assert [(one["field"], one["code"]) for one in problem["errors"]] == [(field, "unknown-field")]


# --- wrong bytes ---------------------------------------------------------------------------------------

CHUNKED: dict[str, object] = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
RIGHT = json.dumps(make_answers())
BYTES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "bad-json"),
    "no JSON": (b"incident_kind=ddos", 400, "bad-json"),
    "cut off": (RIGHT[:-1].encode(), 400, "bad-json"),
    "two documents": ((RIGHT + RIGHT).encode(), 400, "bad-json"),
    "a comment": (b"{} // x", 400, "bad-json"),
    "a byte order mark": (b"\xef\xbb\xbf" + RIGHT.encode(), 400, "not-utf8"),
    "UTF-16": (RIGHT.encode("utf-16"), 400, "not-utf8"),
    "Shift_JIS": ('{"summary": "侵入"}'.encode("cp932"), 400, "not-utf8"),
    "a raw NUL": (b'{"summary": "a\x00b"}', 400, "bad-json"),
    "an escaped NUL": (json.dumps(make_answers(summary="a\0b")).encode(), 422, "control-character"),
    "a lone surrogate": (json.dumps(make_answers(summary="a\ud800b")).encode(), 422, "lone-surrogate"),
    "a lone surrogate as a name": (json.dumps(make_answers(**{"\udc00": 1})).encode(), 422, "lone-surrogate"),
    "arrays in arrays": (b"[" * 10_000 + b"]" * 10_000, 400, "too-deep"),
    "objects in objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, "too-deep"),
    "depth never closed": (b"[" * 999_999, 400, "too-deep"),
    "33 deep": (json.dumps(make_answers()).encode()[:-1] + b',"x":' + b"[" * 32 + b"]" * 32 + b"}", 400, "too-deep"),
    "a key twice": (RIGHT[:-1].encode() + b', "share_scope": "legal-only"}', 400, "duplicate-key"),
    "NaN": (RIGHT[:-1].encode() + b', "x": NaN}', 400, "not-a-number"),
    "-Infinity": (RIGHT[:-1].encode() + b', "x": -Infinity}', 400, "not-a-number"),
    "1e400": (RIGHT[:-1].encode() + b', "x": 1e400}', 400, "not-a-number"),
    "2^53": (RIGHT[:-1].encode() + b', "x": 9007199254740992}', 422, "number-out-of-range"),
    "a million digits": (b'{"x": ' + b"9" * 900_000 + b"}", 422, "number-out-of-range"),
    "501 members": (json.dumps({str(n): n for n in range(501)}).encode(), 400, "too-many-members"),
    "10001 items": (json.dumps([1] * 10_001).encode(), 400, "too-many-items"),
    "null": (b"null", 422, "invalid"),
    "a list": (b"[]", 422, "invalid"),
    "a text": (b'"x"', 422, "invalid"),
}


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_not_the_json_we_take_are_refused_and_leave_nothing(fast_alice: Caller, name: str) -> None:
    body, status, code = BYTES[name]
    before = count_rows(fast_alice.app)
    problem = refused(fast_alice.send(body, Idempotency_Key="k"), status)
    assert problem["code"] == code
    assert all(one["message"] for one in problem["errors"])
    assert count_rows(fast_alice.app) == before


FRAMES: dict[str, tuple[Callable[[Caller], TestResponse], int]] = {
    "a byte too many": (lambda who: who.send(RIGHT.encode().ljust(1_000_001)), 413),
    "a byte too many, no length": (lambda who: who.stream(RIGHT.encode().ljust(1_000_001), **CHUNKED), 413),
    "a length that is a lie": (lambda who: who.stream(RIGHT.encode(), CONTENT_LENGTH=str(10**12)), 413),
    "shorter than announced": (lambda who: who.stream(RIGHT.encode(), CONTENT_LENGTH=str(len(RIGHT) + 1)), 400),
    "empty though announced": (lambda who: who.stream(b"", CONTENT_LENGTH="2"), 400),
    "gzip": (lambda who: who.send(RIGHT.encode(), Content_Encoding="gzip"), 415),
    "gzip in capitals, twice": (lambda who: who.send(RIGHT.encode(), Content_Encoding="GZIP, gzip"), 415),
    "no type": (lambda who: who.send(RIGHT.encode(), content_type=""), 415),
    "text": (lambda who: who.send(RIGHT.encode(), content_type="text/plain"), 415),
    "STIX 2.0": (lambda who: who.send(b"{}", content_type="application/stix+json;version=2.0"), 415),
    "a form": (lambda who: who.send(b"a=b", content_type="application/x-www-form-urlencoded"), 415),
    "a large form": (
        lambda who: who.send(b"a=" + b"x" * 900_000, content_type="application/x-www-form-urlencoded"),
        415,
    ),
    "a form larger than all": (
        lambda who: who.send(b"a=" + b"x" * 2_000_000, content_type="application/x-www-form-urlencoded"),
        413,
    ),
    "a multipart form": (lambda who: who.send(b"--x--", content_type="multipart/form-data; boundary=x"), 415),
    "a type of nonsense": (lambda who: who.send(RIGHT.encode(), content_type=";;;=/"), 415),
    "GET": (lambda who: who.get(REPORTS), 405),
    "PUT": (lambda who: who.app.test_client().put(REPORTS, data=RIGHT), 405),
    "DELETE a case": (lambda who: who.app.test_client().delete("/api/v1/cases/N-0000-0000"), 405),
    "an unknown path": (lambda who: who.get("/api/v1/secrets"), 404),
    "a slash too many": (lambda who: who.get(REPORTS + "/"), 404),
    "another version": (lambda who: who.app.test_client().post("/api/v2/reports", data=RIGHT), 404),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_request_of_the_wrong_shape_is_refused_and_leaves_nothing(fast_alice: Caller, name: str) -> None:
    send, status = FRAMES[name]
    before = count_rows(fast_alice.app)
    refused(send(fast_alice), status)
    assert count_rows(fast_alice.app) == before


def test_on_both_databases_no_refusal_leaves_anything(alice: Caller) -> None:
    before = count_rows(alice.app)
    for name, (body, status, _) in BYTES.items():
        assert alice.send(body, Idempotency_Key=name).status_code == status, name
    for name, (send, status) in FRAMES.items():
        assert send(alice).status_code == status, name
    for field, value in WRONG:
        assert alice.post(make_answers(**{field: value}), Idempotency_Key=field).status_code == 422, field
    assert count_rows(alice.app) == before


def test_a_wrong_method_is_told_the_right_ones(alice: Caller) -> None:
    assert "POST" in alice.get(REPORTS).headers["Allow"]


def test_a_cut_body_stores_nothing_even_if_what_arrived_is_right(alice: Caller) -> None:
    """The framework's own limit would cut a chunked body silently."""
    body = RIGHT.encode() + b" " * 1_000_001
    refused(alice.stream(body, **CHUNKED), 413)
    assert count_rows(alice.app)["incident_case"] == 0


def test_no_header_relaxes_a_rule(alice: Caller, carol: Caller) -> None:
    headers = {
        "X_HTTP_Method_Override": "GET",
        "X_Forwarded_User": "admin",
        "X_Role": "approver",
        "Cookie": "noroshi=x",
    }
    refused(alice.post(make_answers(organisation={"org_id": carol.organization.ref}), **headers), 404)
    refused(alice.post(make_answers(callback=""), **headers), 422)


def test_a_bug_says_so_and_nothing_of_what_it_was(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object, **__: object) -> None:
        raise RuntimeError("the secret is tuna")

    monkeypatch.setattr(incidents, "report", bug)
    before = count_rows(alice.app)
    answer = alice.post(make_answers(), Idempotency_Key="k")
    refused(answer, 500)
    assert "tuna" not in answer.get_data(as_text=True)
    assert count_rows(alice.app) == before


# --- much at once --------------------------------------------------------------------------------------


def _patch(alice: Caller, ref: str, **changes: object) -> TestResponse:
    path = f"/api/v1/cases/{ref}"
    return alice.app.test_client().patch(path, json=changes, headers={"Authorization": f"Bearer {alice.key}"})


def test_a_loop_is_slowed_down_and_neither_refused_nor_in_anybodys_way(
    alice: Caller, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(pace.time, "sleep", waits.append)
    for module in (cases, pace):
        monkeypatch.setattr(module, "utcnow", clock)
    monkeypatch.setattr(quotas, "VERSIONS_A_MINUTE", 3)
    with _stores(alice.app).case.transaction() as db:
        colleague = make_viewer(db, db.get_one(Organization, alice.organization.id))
        quick = incidents.read(db, make_answers(), by=colleague, now=NOW)
        for via in ("web", "phone", "emergency", "offline"):
            incidents.report(db, quick, by=colleague, via=via, now=NOW)
    ref = str((alice.post(make_answers()).json or {})["case_id"])
    statuses = ("recovered", "ongoing", "contained", "recovered")
    answers = [_patch(alice, ref, current_status=status) for status in statuses]
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len(waits) == 2
    assert make_caller(alice.app).post(make_answers()).status_code == 201 and len(waits) == 2
    clock.now += timedelta(minutes=1)
    assert alice.post(make_answers()).status_code == 201 and len(waits) == 2


def test_a_case_and_the_drafts_of_an_organization_have_an_end(alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "VERSIONS_OF_A_CASE", 2)
    monkeypatch.setattr(quotas, "DRAFTS", 2)
    ref = alice.post(make_answers()).json["case_id"]  # type: ignore[index]
    assert _patch(alice, ref, current_status="recovered").status_code == 201
    full = refused(_patch(alice, ref, current_status="ongoing"), 409)
    assert full["code"] == "case-full" and "2" in full["detail"]
    assert alice.post(make_answers()).status_code == 201
    waiting = [alice.app.test_client().post(f"{REPORTS}?confirm=false", **_as(alice)) for _ in range(3)]
    assert [answer.status_code for answer in waiting] == [202, 202, 409]
    assert refused(waiting[-1], 409)["code"] == "drafts-full"
    with _stores(alice.app).case.transaction() as db:
        person = make_viewer(db, db.get_one(Organization, alice.organization.id))
        for _ in range(2):
            drafts.start(db, by=person, stage="sokuhou", now=NOW)
        with pytest.raises(WrongState):
            drafts.start(db, by=person, stage="sokuhou", now=NOW)


def _as(alice: Caller) -> dict[str, Any]:
    return {"json": make_answers(), "headers": {"Authorization": f"Bearer {alice.key}"}}


# --- what others have thought of -----------------------------------------------------------------------


def test_no_file_of_the_json_abuse_corpus_breaks_or_files_anything(
    fast_alice: Caller, testdata: Callable[[str], Path]
) -> None:
    files = sorted(testdata("abuse/json").iterdir())
    before = count_rows(fast_alice.app)
    for file in files:
        wanted = {"n": {400}, "y": {422}, "i": {400, 422}}[file.name[0]]
        # The suite counts a document as well-formed that repeats a name; we refuse it on purpose.
        wanted |= {400} if "duplicated_key" in file.name else set()
        status = fast_alice.send(file.read_bytes()).status_code
        assert status in wanted, (file.name, status)
    assert files
    assert count_rows(fast_alice.app) == before


def test_naughty_strings_are_words_like_any_other(fast_alice: Caller, testdata: Callable[[str], Path]) -> None:
    strings = json.loads(testdata("abuse/naughty-strings-even.json").read_text(encoding="utf-8"))
    callers = [make_caller(fast_alice.app) for _ in strings[:: quotas.VERSIONS_A_MINUTE]]
    for n, text in enumerate(strings):
        answer = callers[n // quotas.VERSIONS_A_MINUTE].post(make_answers(summary=text[:400], ioc_paste=text))
        assert answer.status_code in {201, 422}, text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)
NEARLY_RIGHT = st.dictionaries(st.sampled_from([*form.FIELDS, "organisation", "submitted_at"]), JSON, max_size=3)
FEW = hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@FEW
@given(body=JSON)
def test_no_json_at_all_breaks_the_api(fast_alice: Caller, body: object) -> None:
    assert fast_alice.post(body).status_code in {400, 422}


@FEW
@given(wrong=NEARLY_RIGHT)
def test_no_report_that_is_nearly_right_breaks_the_api(fast_alice: Caller, wrong: dict[str, object]) -> None:
    assert fast_alice.post(make_answers(**wrong)).status_code in {201, 400, 404, 422}


@FEW
@given(body=st.binary(max_size=200))
def test_no_bytes_break_the_api(fast_alice: Caller, body: bytes) -> None:
    assert fast_alice.send(body).status_code in {400, 422}


def test_a_report_filed_elsewhere_is_seen_by_the_api_too(app: Flask) -> None:
    """Web and API are two doors of one house: a case filed at one opens at the other, with the same key holder."""
    alice = make_caller(app)
    with _stores(app).case.transaction() as db:
        viewer = accounts.viewer_of_key(db, alice.key, scope="report", now=NOW)
        assert viewer is not None
        ref = make_report(db, viewer).case.ref
    for spelling in (ref, ref.lower(), f"%20{ref}%20"):
        case = alice.get(f"/api/v1/cases/{spelling}")
        assert case.status_code == 200
        assert case.json and case.json["case_id"] == ref
