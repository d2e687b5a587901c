"""Every route of the portal: who may use it, and what every answer carries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from config import Settings
from exchange.sharing import Kind, Permission, Role
from exchange.stores import Stores
from portal.app import create_app
from portal.auth import asked_by
from portal.web.language import own_path
from tests.make import make_organization, make_viewer

# A new route needs a line here. Files that ship with the code are for anyone, and Flask's own route serves them.
PERMISSIONS: dict[str, Permission | None] = {
    "static": None,
    "healthz": Permission.ANYONE,
    "home.show": Permission.SIGNED_IN,
    "login.show": Permission.ANYONE,
    "login.enter": Permission.ANYONE,
    "login.leave": Permission.ANYONE,
    "language.choose": Permission.ANYONE,
    "reports.new": Permission.REPORT,
    "reports.edit": Permission.REPORT,
    "reports.check": Permission.REPORT,
    "reports.file": Permission.REPORT,
    "cases.show": Permission.REPORT,
    "cases.receipt": Permission.REPORT,
    "inbox.show": Permission.INBOX,
    "inbox.case": Permission.INBOX,
    "inbox.version": Permission.INBOX,
    "inbox.take": Permission.INBOX,
    "inbox.receive": Permission.INBOX,
    "inbox.ask": Permission.INBOX,
    "inbox.extend": Permission.INBOX,
    "receipts.show": Permission.REPORT,
    "receipts.thread": Permission.REPORT,
    "receipts.answer": Permission.REPORT,
    "receipts.prove": Permission.REPORT,
    "receipts.prove_as_pdf": Permission.REPORT,
    "desk.show": Permission.DESK,
    "desk.case": Permission.DESK,
    "desk.open": Permission.DESK,
    "desk.propose": Permission.PROPOSE,
    "desk.release": Permission.RELEASE,
    "desk.reject": Permission.RELEASE,
    "contributions.show_all": Permission.DESK,
    "contributions.show": Permission.DESK,
    "contributions.approve": Permission.RELEASE,
    "contributions.refuse": Permission.RELEASE,
    "feed.show": Permission.SIGNED_IN,
    "feed.forget": Permission.SIGNED_IN,
    "reports.autosave": Permission.REPORT,
    "reports.later": Permission.REPORT,
    "clocks.show": Permission.SIGNED_IN,
    "clocks.calendar": Permission.SIGNED_IN,
    "clocks.case_calendar": Permission.SIGNED_IN,
    "tables.show": Permission.ADMINISTER,
    "tables.add": Permission.ADMINISTER,
    "tables.remove": Permission.ADMINISTER,
    "emergency.show": Permission.ANYONE,
    "emergency.edit": Permission.ANYONE,
    "emergency.file": Permission.ANYONE,
    "emergency.received": Permission.ANYONE,
    "emergency.codes": Permission.REPORT,
    "emergency.issue": Permission.REPORT,
    "emergency.revoke": Permission.REPORT,
    "offline.show": Permission.ANYONE,
    "offline.explain": Permission.ANYONE,
    "offline.choose": Permission.SIGNED_IN,
    "offline.take": Permission.SIGNED_IN,
    "phone.show": Permission.DESK,
    "phone.search": Permission.DESK,
    "phone.new": Permission.DESK,
    "phone.edit": Permission.DESK,
    "phone.file": Permission.DESK,
    "phone.receipt": Permission.DESK,
    "phone.call": Permission.DESK,
    "phone.confirm": Permission.DESK,
    "phone.disown": Permission.DESK,
    "phone.undo": Permission.DESK,
    "attachments.add": Permission.REPORT,
    "attachments.show": Permission.REPORT,
    "attachments.add_later": Permission.REPORT,
    "attachments.download": Permission.SIGNED_IN,
    "drafts.show": Permission.REPORT,
    "drafts.start": Permission.REPORT,
    "drafts.edit": Permission.REPORT,
    "drafts.save": Permission.REPORT,
    "drafts.autosave": Permission.REPORT,
    "drafts.check": Permission.REPORT,
    "drafts.file": Permission.REPORT,
    "drafts.ask_to_discard": Permission.REPORT,
    "drafts.discard": Permission.REPORT,
    "steps.show_version": Permission.REPORT,
    "steps.ask_consent": Permission.REPORT,
    "steps.change_consent": Permission.REPORT,
    "steps.close": Permission.REPORT,
    "steps.reopen": Permission.REPORT,
    "api_reports.report_incident": Permission.REPORT,
    "api_cases.show_case": Permission.REPORT,
    "api_cases.list_cases": Permission.REPORT,
    "api_cases.update_case": Permission.REPORT,
    "api_cases.show_version": Permission.REPORT,
    "api_cases.close_case": Permission.REPORT,
    "api_cases.reopen_case": Permission.REPORT,
    "api_drafts.show_draft": Permission.REPORT,
    "api_deadlines.list_deadlines": Permission.REPORT,
    "api_webhooks.register_webhook": Permission.REPORT,
    "api_webhooks.list_webhooks": Permission.REPORT,
    "api_webhooks.revoke_webhook": Permission.REPORT,
    "api_openapi.show_openapi": Permission.ANYONE,
}
EXAMPLES = {
    "ref": "N-0000-0000",
    "lang": "en",
    "filename": "app.css",
    "seq": "1",
    "document": "act",
    "form": "pdf",
    "authority": "ppc",
    "proposal_id": "00000000-0000-4000-8000-000000000000",
    "submission_id": "00000000-0000-4000-8000-000000000000",
    "draft_id": "00000000-0000-4000-8000-000000000000",
    "section": "impact",
    "organization": "ORG-0",
    "kind": "sector",
    "row_id": "space",
    "code_id": "00000000-0000-4000-8000-000000000000",
    "attachment_id": "00000000-0000-4000-8000-000000000000",
    "webhook_id": "00000000-0000-4000-8000-000000000000",
}
EVERY_ROLE = (Role.REPORTER, Role.ANALYST, Role.APPROVER, Role.ADMINISTRATOR)


@pytest.fixture
def app(sqlite_settings: Settings) -> Iterator[Flask]:
    """The portal."""
    made = create_app(sqlite_settings)
    yield made
    made.extensions["stores"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that nobody signed in with."""
    return app.test_client()


def _path(rule: Rule) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: EXAMPLES[found[1]], str(rule))


def _rules(app: Flask, method: str) -> list[tuple[str, Permission | None]]:
    """(path, permission) of every route that knows `method`."""
    rules = [rule for rule in app.url_map.iter_rules() if method in (rule.methods or ())]
    return [(_path(rule), PERMISSIONS[rule.endpoint]) for rule in rules]


def _token(client: FlaskClient, path: str = "/login") -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).get_data(as_text=True))
    assert found
    return found[1]


def _sign_in(app: Flask, client: FlaskClient, *roles: Role, **more: str) -> TestResponse:
    stores = app.extensions["stores"]
    assert isinstance(stores, Stores)
    with stores.case.transaction() as db:
        name = make_viewer(db, make_organization(db, kind=Kind.NCO), *roles).username
    typed = {"username": name, "password": "right horse", "csrf_token": _token(client)}
    return client.post("/login", data=typed | more)


# --- permissions ---------------------------------------------------------------------------------------


def test_every_route_declares_what_it_asks_for_and_stands_in_the_table(app: Flask) -> None:
    declared = {rule.endpoint: asked_by(app.view_functions[rule.endpoint]) for rule in app.url_map.iter_rules()}
    assert declared == PERMISSIONS


def test_a_route_that_forgot_to_say_is_refused(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    app.add_url_rule("/api/forgotten", "api_forgotten", lambda: "secret")
    _sign_in(app, client, *EVERY_ROLE)
    assert client.get("/forgotten").status_code == 403
    assert client.get("/api/forgotten").status_code == 403


def test_signed_out_pages_lead_to_the_sign_in_page_and_the_api_says_401(app: Flask, client: FlaskClient) -> None:
    for path, permission in _rules(app, "GET"):
        answer = client.get(path, buffered=True)
        if permission in {None, Permission.ANYONE}:
            assert answer.status_code in {200, 302}, path
        elif path.startswith("/api/"):
            assert answer.status_code == 401, path
        else:
            assert answer.status_code == 302, path
            assert answer.headers["Location"].startswith("/login?next="), path


def test_signed_out_posts_do_nothing_but_lead_to_the_sign_in_page(app: Flask, client: FlaskClient) -> None:
    for path, permission in _rules(app, "POST"):
        if permission is Permission.ANYONE or path.startswith("/api/"):
            continue
        answer = client.post(path, data={"csrf_token": _token(client)})
        assert (answer.status_code, answer.headers["Location"]) == (302, "/login?next=/"), path


def test_a_signed_in_reader_is_told_no_where_others_may(app: Flask, client: FlaskClient) -> None:
    _sign_in(app, client, Role.READER)
    free = {None, Permission.ANYONE, Permission.SIGNED_IN}
    for path, permission in _rules(app, "GET"):
        if permission not in free and not path.startswith("/api/"):
            assert client.get(path).status_code == 403, path


def test_a_login_does_not_open_the_api_and_a_key_does_not_open_the_pages(app: Flask, client: FlaskClient) -> None:
    _sign_in(app, client, *EVERY_ROLE)
    assert client.post("/api/v1/reports", json={}).status_code == 401
    assert app.test_client().get("/", headers={"Authorization": "Bearer x"}).status_code == 302


def test_signing_out_ends_the_login_even_for_a_copied_cookie(app: Flask, client: FlaskClient) -> None:
    _sign_in(app, client, Role.REPORTER)
    copied = client.get_cookie("noroshi")
    assert copied and client.get("/").status_code == 200
    client.post("/logout", data={"csrf_token": _token(client, "/")})
    thief = app.test_client()
    thief.set_cookie("noroshi", copied.value)
    assert thief.get("/").status_code == 302


# --- forged forms --------------------------------------------------------------------------------------


def test_a_form_without_its_token_is_a_page_that_says_so(app: Flask, client: FlaskClient) -> None:
    _sign_in(app, client, *EVERY_ROLE)
    foreign = _token(app.test_client())
    for path, _ in _rules(app, "POST"):
        if path.startswith("/api/"):
            continue
        for typed in ({}, {"csrf_token": ""}, {"csrf_token": "x"}, {"csrf_token": foreign}):
            answer = client.post(path, data=typed)
            assert (answer.status_code, answer.mimetype) == (400, "text/html"), (path, typed)


def test_a_form_that_is_too_large_or_broken_is_a_page_too(client: FlaskClient) -> None:
    form = "application/x-www-form-urlencoded"
    for body, status in ((b"a=" + b"x" * 500_000, 413), (b"&".join([b"a=b"] * 201), 413), (b"username=%00%ff", 400)):
        answer = client.post("/login", data=body, content_type=form)
        assert (answer.status_code, answer.mimetype) == (status, "text/html")
    short = {"input_stream": BytesIO(b"a=b"), "environ_overrides": {"CONTENT_LENGTH": "9"}}
    assert client.post("/login", content_type=form, **short).status_code == 400  # type: ignore[arg-type]
    assert client.post("/login", data=b"a=b", headers={"Content-Encoding": "gzip"}).status_code == 415


@pytest.mark.parametrize("name", ["a\0b", "\ud83d\ude00", "x" * 10_000, "", "%s", "' or 1=1 --"])
def test_no_user_name_breaks_the_sign_in(settings: Settings, name: str) -> None:
    app = create_app(settings)
    client = app.test_client()
    typed = {"username": name.encode("utf-16", "surrogatepass").decode("utf-16"), "password": name and "x"}
    assert client.post("/login", data=typed | {"csrf_token": _token(client)}).status_code == 422
    app.extensions["stores"].close()


# --- headers -------------------------------------------------------------------------------------------


def _answers(app: Flask) -> Iterator[tuple[str, TestResponse]]:
    """An answer of each kind, those of the API and those of people."""
    client = app.test_client()
    app.view_functions["healthz"] = _broken
    for path in ("/login", "/", "/language/en", "/nowhere", "/healthz", "/logout", "/static/nothing.css"):
        yield f"GET {path}", client.get(path)
    yield "POST /login", client.post("/login")
    yield "POST /login, large", client.post("/login", data={"a": "x" * 500_000})
    yield "TRACE /", client.open("/", method="TRACE")
    for path in ("/api/v1/openapi.json", "/api/v1/reports", "/api/v1/cases/x", "/api/nowhere"):
        yield f"GET {path}", client.get(path)
    yield "POST reports", client.post("/api/v1/reports")
    yield "POST reports, large", client.post("/api/v1/reports", data=b"x" * 1_000_001)
    _sign_in(app, client, *EVERY_ROLE)
    for path in ("/", "/reports/new", "/desk", "/desk/contributions", "/feed", "/cases/N-0000-0000"):
        yield f"GET {path}, signed in", client.get(path)


def _broken() -> str:
    raise RuntimeError("a bug")


_broken.asks_for = Permission.ANYONE  # type: ignore[attr-defined]


def test_every_answer_carries_the_headers_that_protect_the_browser(app: Flask) -> None:
    statuses = set()
    for name, answer in _answers(app):
        statuses.add(answer.status_code)
        policy = _directives(answer.headers["Content-Security-Policy"])
        assert policy["default-src"] == {"'none'"}, name
        assert policy["frame-ancestors"] == {"'none'"} == policy["base-uri"], name
        assert policy["form-action"] == {"'self'"}, name
        assert set().union(*policy.values()) <= {"'none'", "'self'"}, name
        assert answer.headers["X-Content-Type-Options"] == "nosniff", name
        assert answer.headers["Cache-Control"] == "no-store", name
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-Id"]), name
        assert "Server" not in answer.headers, name
    assert statuses == {200, 302, 400, 401, 404, 405, 413, 500}


def _directives(policy: str) -> dict[str, set[str]]:
    named = (directive.split() for directive in policy.split(";"))
    return {words[0]: set(words[1:]) for words in named}


def test_no_page_needs_what_the_policy_forbids(app: Flask) -> None:
    """Nothing inline: no style, no script without a source, no handler in an attribute."""
    for name, answer in _answers(app):
        if answer.mimetype == "text/html":
            page = answer.get_data(as_text=True)
            assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|<[^>]*\son\w+=|javascript:", page), name


def test_a_file_of_ours_is_protected_too(client: FlaskClient) -> None:
    answer = client.get("/static/app.css", buffered=True)
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Security-Policy" in answer.headers


@pytest.mark.parametrize("https", [False, True])
def test_the_session_cookie_is_for_this_site_and_not_for_scripts(sqlite_settings: Settings, https: bool) -> None:
    app = create_app(replace(sqlite_settings, https=https))
    cookie = app.test_client().get("/login").headers["Set-Cookie"]
    attributes = {part.strip() for part in cookie.split(";")[1:]}
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= attributes
    assert ("Secure" in attributes) is https
    assert not any(part.startswith("Domain=") for part in attributes)
    app.extensions["stores"].close()


# --- open redirects ------------------------------------------------------------------------------------

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "https://evil.example",
    "https:evil.example",
    "HTTPS:/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\n//evil.example",
    "/ok\r\nSet-Cookie: a=b",
    " //evil.example",
    "/\u2028/evil.example",
    "/\x00/evil.example",
    "",
]


def _stays(location: str) -> bool:
    """Whether a browser on our site stays there; browsers drop tabs and newlines and take \\ for /."""
    seen = re.sub("[\t\r\n]", "", location.strip()).replace("\\", "/")
    return urlsplit(urljoin("http://localhost/language/en", seen)).netloc == "localhost"


@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_choosing_a_language_leads_nowhere_else(client: FlaskClient, wanted: str) -> None:
    answer = client.get("/language/en", query_string={"next": wanted})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert "a=b" not in answer.headers.get("Set-Cookie", "")


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "/\n/evil.example"])
def test_signing_in_leads_nowhere_else(app: Flask, client: FlaskClient, wanted: str) -> None:
    page = client.get("/login", query_string={"next": wanted}).get_data(as_text=True)
    assert 'name="next" value="/"' in page
    answer = _sign_in(app, client, Role.REPORTER, next=wanted)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize("path", ["//evil.example/", "/%2fevil.example", "/%5cevil.example", "/desk//evil.example"])
def test_no_path_of_ours_becomes_a_way_out(app: Flask, client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    if "Location" in answer.headers:
        assert _stays(answer.headers["Location"])
        follow: Any = _sign_in(app, client, Role.REPORTER, next=path)
        assert _stays(follow.headers["Location"])


@pytest.mark.parametrize("wanted", ["/", "/cases/N-0000-0000", "/desk?x=1#y", "/é", "/.//evil.example"])
def test_a_path_of_this_site_is_kept_and_stays(client: FlaskClient, wanted: str) -> None:
    assert own_path(wanted) == wanted
    assert _stays(client.get("/language/en", query_string={"next": wanted}).headers["Location"])
