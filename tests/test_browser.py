"""A real browser: a quick report in Japanese with the keyboard and without scripts, and pages that all can use."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.gallery import CHROMIUM
from tests.live import Installation, running, until

pytestmark = pytest.mark.timeout(240)
A_KEY_S, A_REPORT_S = 0.25, 60


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running demonstration."""
    with running(tmp_path_factory.mktemp("browser")) as installation:
        yield installation


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


def sign_in(page: Page, house: Installation, username: str) -> None:
    """With the keyboard: name, Tab, password, Enter."""
    page.goto(f"{house.portal_url}/login")
    page.locator("[name=username]").focus()
    page.keyboard.type(username)
    page.keyboard.press("Tab")
    page.keyboard.type(house.accounts[username]["password"])
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)


@dataclass
class Keys:
    """A keyboard that counts."""

    page: Page
    pressed: int = 0

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            self.page.keyboard.press(key)
        self.pressed += times

    def type(self, text: str) -> None:
        """A Japanese letter takes two keys on the way through the input method."""
        self.page.keyboard.insert_text(text)
        self.pressed += sum(1 if letter.isascii() else 2 for letter in text)

    def tab_to(self, selector: str) -> None:
        """Press Tab until the focus is there."""
        for _ in range(120):
            self.press("Tab")
            if self.page.locator(f"{selector}:focus").count():
                return
        raise AssertionError(f"Tab does not reach {selector}")

    def choose(self, name: str, position: int) -> None:
        """A radio button: Tab into the group, Space for the first, arrows to the others."""
        self.tab_to(f"[name={name}]")
        self.press("Space")
        self.press("ArrowDown", position)


def test_a_quick_report_is_filed_in_japanese_with_the_keyboard_and_without_scripts(
    browser: Browser, house: Installation
) -> None:
    with browser.new_context(java_script_enabled=False, locale="ja", viewport={"width": 360, "height": 740}) as context:
        page = context.new_page()
        sign_in(page, house, "org-001")
        keys = Keys(page)
        keys.tab_to("a[href='/reports/new']")
        keys.press("Enter")
        page.wait_for_url("**/reports/new")
        keys.choose("incident_kind", 1)
        keys.choose("service_impact", 0)
        keys.tab_to("[name=system_class][value=ot]")
        keys.press("Space")
        keys.choose("personal_data", 2)
        keys.choose("current_status", 0)
        keys.choose("designated_asset", 0)
        keys.tab_to("[name=summary]")
        keys.type("コンテナの搬出入を止めています。")
        keys.tab_to("[name=ioc_paste]")
        keys.type("通信先は ２０３．０．１１３．７７ です。")
        keys.tab_to(".action-bar button[value=check]")
        keys.press("Enter")
        page.wait_for_url("**/reports/check")
        assert "203[.]0[.]113[.]77" in page.content() and "国土交通省" in page.content()
        keys.tab_to("button[type=submit]:not([name]):not([formaction]).button--large")
        keys.press("Enter")
        page.wait_for_url("**/receipt")
        assert keys.pressed * A_KEY_S <= A_REPORT_S, f"{keys.pressed} keys"
        assert re.search(r"N-[0-9A-Z]{4}-[0-9A-Z]{4}", page.content())
        page.goto(page.url.removesuffix("/receipt"))
        until(lambda: page.reload() and "203.0.113.77" in page.content().replace("[.]", "."), 30)


def test_a_wrong_form_says_what_to_do_and_keeps_what_was_typed(browser: Browser, house: Installation) -> None:
    with browser.new_context(java_script_enabled=False, locale="ja") as context:
        page = context.new_page()
        sign_in(page, house, "org-002")
        page.goto(f"{house.portal_url}/reports/new")
        page.fill("[name=callback]", "でんわ")
        page.fill("[name=summary]", "端末の表示が止まった。")
        page.locator(".action-bar button[value=check]").click()
        assert page.title().startswith("エラー")
        assert page.input_value("[name=callback]") == "でんわ"
        assert page.input_value("[name=summary]") == "端末の表示が止まった。"
        links = page.locator("[role=alert] a")
        assert links.count() >= 5
        for n in range(links.count()):
            target = (links.nth(n).get_attribute("href") or "").removeprefix("#")
            assert page.locator(f"[id='{target}']").count() == 1, target


def test_going_back_changes_nothing_that_was_typed(browser: Browser, house: Installation) -> None:
    """The time of awareness starts the clocks: it must not become now again."""
    with browser.new_context(locale="ja") as context:
        page = context.new_page()
        sign_in(page, house, "org-005")
        page.goto(f"{house.portal_url}/reports/new")
        page.fill("[name=aware_time]", "00:01")
        page.fill("[name=summary]", "設定値が変わっていた。")
        for name in ("incident_kind", "service_impact", "personal_data", "current_status"):
            page.check(f"[name={name}][value=unknown]")
        page.check("[name=system_class][value=ot]")
        page.locator(".action-bar button[value=check]").click()
        page.wait_for_url("**/reports/check")
        assert Axe().run(page).response["violations"] == []
        page.go_back()
        page.wait_for_url("**/reports/new?draft=*")
        assert page.input_value("[name=aware_time]") == "00:01"
        assert page.input_value("[name=summary]") == "設定値が変わっていた。"


def test_two_people_release_a_text_at_the_desk(browser: Browser, house: Installation) -> None:
    report = house.run("demo", "report", "S01").stdout
    ref = re.search(r"N-[0-9A-Z-]+", house.run("report", "submit", "-", stdin=report).stdout)
    assert ref is not None
    with browser.new_context(locale="ja") as context:
        page = context.new_page()
        sign_in(page, house, "nco-analyst-1")
        page.goto(f"{house.portal_url}/desk/{ref.group()}")
        until(lambda: page.reload() and page.locator("[name=text_ja]").count(), 30)
        page.fill("[name=text_ja]", "保守用の遠隔接続から侵入された。")
        page.fill("[name=text_en]", "The intruder came in by a maintenance connection.")
        page.locator("form[action$='/proposals'] button").click()
        assert page.locator("form[action$='/release']").count() == 0
    with browser.new_context(locale="ja") as context:
        page = context.new_page()
        sign_in(page, house, "nco-approver-1")
        page.goto(f"{house.portal_url}/desk/{ref.group()}")
        assert "保守用の遠隔接続から侵入された。" in page.content() and '"type": "incident"' in page.inner_text("main")
        assert Axe().run(page).response["violations"] == []
        page.locator("form[action$='/release'] button").first.click()
        page.wait_for_url(f"**/desk/{ref.group()}")
        assert page.locator("form[action$='/release']").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_axe_finds_nothing_wrong_on_any_page(browser: Browser, house: Installation, lang: str, scheme: str) -> None:
    report = house.run("demo", "report", "S02").stdout
    receipt = house.run("report", "submit", "-", stdin=report).stdout
    found = re.search(r"N-[0-9A-Z-]+", receipt)
    assert found is not None
    ref = found.group()
    own = ["/", "/reports/new", f"/cases/{ref}", f"/cases/{ref}/receipt", "/nowhere"]
    faults = []
    for username, paths in ((None, ["/login"]), ("org-002", own), ("nco-analyst-1", ["/", "/desk", f"/desk/{ref}"])):
        with browser.new_context(locale=lang, color_scheme=scheme, reduced_motion="reduce") as context:  # type: ignore[arg-type]
            page = context.new_page()
            if username:
                sign_in(page, house, username)
            for path in paths:
                page.goto(house.portal_url + path)
                faults += [
                    (path, fault["id"], fault["nodes"][0]["html"]) for fault in Axe().run(page).response["violations"]
                ]
    assert faults == []
