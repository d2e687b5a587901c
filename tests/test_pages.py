"""Every page, in both languages and both colour schemes: nobody is shut out by how it is made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from config import Settings
from portal.app import create_app
from tests.gallery import LOOKS, Gallery, gallery

pytestmark = pytest.mark.timeout(600)
NOT_PAGES = {
    "static": "files",
    "healthz": "for machines",
    "language.choose": "leads back at once",
    "inbox.take": "a file",
    "attachments.download": "a file",
    "receipts.show": "a piece of the receipt, which fetches it",
    "receipts.prove_as_pdf": "a file",
    "clocks.calendar": "a file",
    "clocks.case_calendar": "a file",
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    """A furnished demonstration, and a browser."""
    if shutil.which("chromium") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not on PATH, and CI=true")
        pytest.skip("chromium is not on PATH")
    with gallery(tmp_path_factory.mktemp("gallery")) as made:
        yield made


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("who", sorted({look.who for look in LOOKS}))
def test_axe_finds_nothing_on_any_page(shown: Gallery, who: str, lang: str) -> None:
    faults = []
    for scheme in ("light", "dark"):
        with shown.seen_by(who, locale=lang, color_scheme=scheme) as context:
            page = context.new_page()
            for look in (one for one in LOOKS if one.who == who):
                shown.open(page, look)
                found = Axe().run(page).response["violations"]
                faults += [(look.name, scheme, one["id"], one["nodes"][0]["target"]) for one in found]
    assert faults == []


@pytest.mark.parametrize("who", sorted({look.who for look in LOOKS}))
def test_no_page_is_wider_than_a_small_phone(shown: Gallery, who: str) -> None:
    """Reflow at 320 CSS pixels (WCAG 2.2, 1.4.10)."""
    wide = []
    with shown.seen_by(who, locale="ja", viewport={"width": 320, "height": 640}) as context:
        page = context.new_page()
        for look in (one for one in LOOKS if one.who == who):
            shown.open(page, look)
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                wide.append(look.name)
    assert wide == []


def test_every_page_is_looked_at(tmp_path: Path) -> None:
    settings = Settings.read({"NOROSHI_VAR": str(tmp_path / "var"), "NOROSHI_INSTALLATION": "exercise"})
    from exchange import installation
    from exchange.stores import open_stores
    from exchange.times import utcnow

    stores = open_stores(settings)
    installation.prepare(stores, settings, now=utcnow())
    stores.close()
    pages = {
        rule.endpoint
        for rule in create_app(settings).url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.rule.startswith("/api/")
    }
    assert pages - NOT_PAGES.keys() - {look.endpoint for look in LOOKS} == set()
