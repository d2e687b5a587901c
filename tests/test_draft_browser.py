"""Drafts in a real browser with scripts: what was typed survives the page, the session and a colleague."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response, sync_playwright
from sqlalchemy import delete

from config import Settings
from exchange import incidents
from exchange.incidents import Filing
from exchange.models import Draft
from exchange.times import utcnow
from tests.gallery import CHROMIUM
from tests.test_draft_pages import Site, _running

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not on PATH, and CI=true")
        pytest.skip("chromium is not on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def site(sqlite_settings: Settings) -> Iterator[Site]:
    """The portal of a furnished installation."""
    with _running(sqlite_settings) as found:
        yield found


@contextmanager
def signed_in(browser: Browser, site: Site, username: str, **more: str) -> Iterator[Page]:
    with browser.new_context(locale="ja", **more) as context:  # type: ignore[arg-type]
        page = context.new_page()
        sign_in(page, site, username)
        yield page


def sign_in(page: Page, site: Site, username: str) -> None:
    page.goto(f"{site.url}/login")
    page.fill("[name=username]", username)
    page.fill("[name=password]", "right horse")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)


def saved(answer: Response) -> bool:
    return answer.url.endswith("/autosave") and answer.status == 204


def begin(page: Page, site: Site, ref: str) -> str:
    page.goto(f"{site.url}/cases/{ref}")
    page.click("button[name=stage][value=zokuhou]")
    page.wait_for_url("**/drafts/*")
    return page.url


def test_what_was_typed_is_there_after_the_page_was_killed(browser: Browser, site: Site) -> None:
    ref = site.case_of(site.alice)
    with signed_in(browser, site, site.alice.username) as page:
        draft = begin(page, site, ref)
        page.goto(f"{draft}/technique")
        with page.expect_response(saved):
            page.locator("[name=attack_vector]").press_sequentially("保守用のVPN装置")
        with page.expect_response(saved):
            page.check("[name=log_availability][value=partial]", force=True)
    with signed_in(browser, site, site.aki.username) as page:
        page.goto(f"{draft}/technique")
        assert page.input_value("[name=attack_vector]") == "保守用のVPN装置"
        assert page.is_checked("[name=log_availability][value=partial]")


def test_a_quick_report_is_there_after_the_page_was_killed_and_gone_when_filed(browser: Browser, site: Site) -> None:
    with signed_in(browser, site, site.alice.username) as page:
        page.goto(f"{site.url}/reports/new")
        with page.expect_response(saved):
            page.fill("[name=summary]", "端末の表示が止まった")
        page.reload()
        assert page.input_value("[name=summary]") == "端末の表示が止まった"
    with signed_in(browser, site, site.aki.username) as page:
        page.goto(f"{site.url}/reports/new")
        page.click("a[href*='/reports/new?draft=']")
        assert page.input_value("[name=summary]") == "端末の表示が止まった"
        for name in ("incident_kind", "service_impact", "personal_data", "current_status", "designated_asset"):
            page.check(f"[name={name}][value=unknown]", force=True)
        page.check("[name=system_class][value=ot]", force=True)
        page.check("[name=share_scope][value=nco]", force=True)
        page.fill("[name=callback]", "03-1234-5678")
        page.click(".action-bar button[value=check]")
        page.wait_for_url("**/reports/check")
        page.click(".action-bar .button--large")
        page.wait_for_url("**/receipt*")
    assert site.count(Draft) == 0


def test_a_session_that_ends_loses_nothing(browser: Browser, site: Site) -> None:
    ref = site.case_of(site.alice)
    with signed_in(browser, site, site.alice.username) as page:
        draft = begin(page, site, ref)
        page.goto(f"{draft}/technique")
        site.end_every_session()
        page.fill("[name=attack_vector]", "保守用のVPN装置")
        page.click(".action-bar button[value=next]")
        page.locator("[data-saving]", has_text="サインイン").wait_for()
        assert page.url == f"{draft}/technique"
        sign_in(page.context.new_page(), site, site.alice.username)
        page.click(".action-bar button[value=next]")
        page.wait_for_url(lambda url: not url.endswith("/technique"))
        page.goto(f"{draft}/technique")
        assert page.input_value("[name=attack_vector]") == "保守用のVPN装置"


def test_a_draft_that_is_gone_is_never_said_to_be_saved_and_the_words_stay(browser: Browser, site: Site) -> None:
    ref = site.case_of(site.alice)
    with signed_in(browser, site, site.alice.username) as page:
        draft = begin(page, site, ref)
        page.goto(f"{draft}/technique")
        with page.expect_response(saved):
            page.fill("[name=attack_vector]", "標的型メール")
        with site.stores.case.transaction() as db:
            db.execute(delete(Draft))
        with page.expect_response(lambda answer: answer.url.endswith("/autosave") and answer.status == 404):
            page.fill("[name=attack_vector]", "保守用のVPN装置")
        page.locator("[data-saving]", has_text="保存されていません").wait_for()
        page.click(".action-bar button[value=next]")
        page.locator("textarea[readonly]").wait_for()
        assert "保守用のVPN装置" in page.input_value("textarea[readonly]")
        assert Axe().run(page).response["violations"] == []


def test_what_is_too_large_to_be_saved_stays_on_the_page(browser: Browser, site: Site) -> None:
    ref = site.case_of(site.alice)
    with signed_in(browser, site, site.alice.username) as page:
        draft = begin(page, site, ref)
        page.goto(f"{draft}/technique")
        page.fill("[name=attack_vector]", "あ" * 60_000)
        page.click(".action-bar button[value=next]")
        page.locator("[data-saving]", has_text="保存されていません").wait_for()
        assert page.url == f"{draft}/technique" and len(page.input_value("[name=attack_vector]")) == 60_000


def test_an_open_tab_takes_nothing_back_that_was_filed_meanwhile(browser: Browser, site: Site) -> None:
    ref = site.case_of(site.alice)
    with signed_in(browser, site, site.alice.username) as page:
        draft = begin(page, site, ref)
        page.goto(f"{draft}/first")
        with site.stores.case.transaction() as db:
            case = incidents.hold(db, incidents.find_own(db, ref, site.aki).id)
            changes = {"share_scope": "legal-only"}
            incidents.update(db, case, changes, Filing("correction", "web", site.aki), now=utcnow())
        with page.expect_response(lambda answer: answer.url.endswith("/autosave") and answer.status == 409):
            page.fill("[name=summary]", "画面に脅迫文")
        page.click(".action-bar button[value=next]")
        page.locator("text=別の回答が提出されています").wait_for()
        assert page.input_value("[name=summary]") == "画面に脅迫文"
        page.check("[name=share_scope][value=legal-only]", force=True)
        with page.expect_response(saved):
            page.fill("[name=summary]", "画面に脅迫文。")
        assert page.input_value("[name=base]") == "2"


def test_two_at_once_are_told(browser: Browser, site: Site) -> None:
    ref = site.case_of(site.alice)
    with signed_in(browser, site, site.alice.username) as alice, signed_in(browser, site, site.aki.username) as aki:
        draft = begin(alice, site, ref)
        alice.goto(f"{draft}/technique")
        aki.goto(f"{draft}/technique")
        with aki.expect_response(saved):
            aki.fill("[name=attack_vector]", "標的型メール")
        with alice.expect_response(lambda answer: answer.url.endswith("/autosave") and answer.status == 409):
            alice.fill("[name=attack_vector]", "保守用のVPN装置")
        alice.click(".action-bar button[value=next]")
        alice.locator("text=同僚が保存した内容").wait_for()
        assert alice.input_value("[name=attack_vector]") == "保守用のVPN装置"
        assert "標的型メール" in alice.inner_text("main")
        assert Axe().run(alice).response["violations"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_axe_finds_nothing_wrong_on_any_page_of_a_draft(browser: Browser, site: Site, lang: str, scheme: str) -> None:
    ref = site.case_of(site.alice)
    faults = []
    more = {"color_scheme": scheme, "reduced_motion": "reduce"}
    with signed_in(browser, site, site.alice.username, **more) as page:
        draft = begin(page, site, ref)
        page.goto(f"{draft}/technique?add=iocs")
        page.fill("[name='iocs.0.value']", "192.0.2.1")
        page.click(".action-bar button[value=list]")
        page.wait_for_url(draft)
        page.goto(f"{site.url}/language/{lang}?next=/")
        own = ["", "/first", "/impact?add=affected_services", "/technique?check=1&add=iocs", "/check", "/discard"]
        case = ["", "/consent", "/versions/1"]
        for path in [*(f"{draft}{one}" for one in own), *(f"{site.url}/cases/{ref}{one}" for one in case), site.url]:
            page.goto(path)
            found = Axe().run(page).response["violations"]
            faults += [(path, fault["id"], fault["nodes"][0]["html"]) for fault in found]
            page.set_viewport_size({"width": 360, "height": 740})
            wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
            faults += [(path, "wider than 360 px", "")] if wide else []
            page.set_viewport_size({"width": 1280, "height": 720})
    assert faults == []
