"""The talk of an authority and a reporter in a running installation, and pages that all can use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.live import Installation, post_report, running
from tests.make import sample
from tests.pages import Reader
from tests.test_browser import browser, sign_in  # noqa: F401  pytest finds the fixture by its name.

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running demonstration."""
    with running(tmp_path_factory.mktemp("inbox")) as installation:
        yield installation


def filed(house: Installation, name: str) -> str:
    """The number of a sample, filed as its organization would."""
    own = sample(name)["own"]["ref"]
    body = {"organisation": {"org_id": own}, **sample(name)["answers"]}
    return str(post_report(house.portal_url, house.key(own.lower()), body)["case_id"])


def entered(house: Installation, reader: Reader, username: str) -> Reader:
    reader.sign_in(username, house.accounts[username]["password"])
    return reader


def test_an_authority_asks_the_reporter_answers_and_the_authority_reads(house: Installation) -> None:
    ref = filed(house, "S01")
    case, box = f"/cases/{ref}", f"/inbox/{ref}"
    with Reader(house.portal_url) as ministry, Reader(house.portal_url) as reporter, Reader(house.portal_url) as police:
        entered(house, ministry, "mlit").open("/inbox")
        assert ref in ministry.page and "未受理" in ministry.page
        ministry.open(box)
        ministry.send(f"{box}/1/receipt", [("reference", "国港第45号")])
        assert "国港第45号" in ministry.page
        ministry.send(f"{box}/questions", [("text", "装置の型番を教えてください。")])
        assert "装置の型番を教えてください。" in ministry.page

        entered(house, reporter, "org-001").open(case)
        assert "国港第45号" in reporter.page and "装置の型番を教えてください。" in reporter.page
        assert "回答を待っている質問があります" in reporter.page
        reporter.send(f"{case}/talk/mlit", [("text", "型番は確認中です。\r\n夕方までに回答します。")])
        assert "回答を待っている質問があります" not in reporter.page

        ministry.open("/inbox?show=answered")
        assert ref in ministry.page
        ministry.open(box)
        assert "型番は確認中です。\n夕方までに回答します。" in ministry.page
        entered(house, police, "npa").open(box)
        assert "型番" not in police.page and "国港" not in police.page


def test_a_receipt_appears_on_a_page_that_stays_open(browser: Browser, house: Installation) -> None:  # noqa: F811
    ref = filed(house, "S05")
    with browser.new_context(locale="ja") as context:
        page = context.new_page()
        page.clock.install()
        sign_in(page, house, "org-005")
        page.goto(f"{house.portal_url}/cases/{ref}/receipt")
        expect(page.locator("[data-live]")).not_to_contain_text("国水第7号")
        with Reader(house.portal_url) as ministry:
            entered(house, ministry, "mlit").open(f"/inbox/{ref}")
            ministry.send(f"/inbox/{ref}/1/receipt", [("reference", "国水第7号")])
        page.clock.fast_forward(10_000)
        expect(page.locator("[data-live]")).to_contain_text("国水第7号")
        expect(page.locator("[data-live-said]")).to_have_text("提出先3件のうち1件が受理しました")


def faults(page: Page) -> list[tuple[str, str, str]]:
    """What axe finds, and whether the page is wider than the window."""
    found = [(page.url, one["id"], one["nodes"][0]["html"]) for one in Axe().run(page).response["violations"]]
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return [*found, (page.url, "too wide", "")] if wide else found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_axe_finds_nothing_wrong_with_the_inbox(
    browser: Browser,  # noqa: F811
    house: Installation,
    lang: str,
    scheme: str,
) -> None:
    ref = filed(house, "S08")
    found = []
    for username, paths in (
        ("ppc", ["/inbox", "/inbox?show=answered", f"/inbox/{ref}", f"/inbox/{ref}/1"]),
        ("org-008", [f"/cases/{ref}", f"/cases/{ref}/receipt", f"/cases/{ref}/talk/ppc", f"/cases/{ref}/proof"]),
    ):
        window = {"width": 360 if lang == "ja" else 1280, "height": 800}
        with browser.new_context(locale=lang, color_scheme=scheme, viewport=window) as context:  # type: ignore[arg-type]
            page = context.new_page()
            sign_in(page, house, username)
            for path in paths:
                page.goto(house.portal_url + path)
                found += faults(page)
            if username == "ppc":
                page.goto(f"{house.portal_url}/inbox/{ref}")
                page.fill("[name=text]", "本人の数は確定ですか。")
                page.locator("form[action$='/questions'] button").click()
                page.locator("form[action$='/questions'] button").click()
                assert page.title().startswith(("Error", "エラー"))
                found += faults(page)
    assert found == []
