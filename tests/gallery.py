"""Every page there is, who sees it, and an installation in which it has something to show.

`python -m tests.gallery` takes pictures of all of them into `docs/pictures` (`make pictures`).
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from exchange.form import QUICK
from exchange.stix.ids import TLP_MARKING
from tests.live import Installation, post_report, running, until
from tests.make import sample
from tests.pages import Pairs, Reader

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"360": {"width": 360, "height": 740}, "1280": {"width": 1280, "height": 900}}
REPORTER, OTHER, CLOSED, NEWCOMER, MINISTRY, JUST_LOOKING, ANALYST, APPROVER, ADMIN = (
    "org-001",
    "org-004",
    "org-008",
    "org-010",
    "mlit",
    "fsa",
    "nco-analyst-1",
    "nco-approver-1",
    "admin",
)


@dataclass(frozen=True)
class Look:
    """One page: its name, who opens it (nobody: without signing in), and how to get there.

    Attributes:
        path: with `{ref}` and the other places of the gallery.
        then: what is done on that page to come to this one, for what only a form leads to.
    """

    name: str
    who: str
    path: str
    endpoint: str
    then: Callable[[Page], None] | None = None


def _send(page: Page, button: str, to: str) -> None:
    """Press it and be on the page it leads to: a draft's new place in the address is a navigation too."""
    with page.expect_navigation(url=f"**{to}"):
        page.locator(button).click()


def _legal_only(page: Page) -> None:
    """What it brings to share nothing but what the law asks for."""
    page.check("[name=share_scope][value=legal-only]")
    _send(page, "main form button[type=submit]", "/consent")


def _wrong(page: Page) -> None:
    """The empty form, sent."""
    page.fill("[name=callback]", "でんわ")
    _send(page, ".action-bar button[value=check]", "/reports/check")


def _checked(page: Page) -> None:
    """The form, right."""
    for name in ("incident_kind", "service_impact", "personal_data", "current_status"):
        page.check(f"[name={name}][value=unknown]")
    page.check("[name=system_class][value=unknown]")
    page.check("[name=designated_asset][value=unknown]")
    page.fill("[name=ioc_paste]", "hxxps://bad[.]example/a から 203[.]0[.]113[.]77 へ通信、10.0.0.8 は内部")
    _send(page, ".action-bar button[value=check]", "/reports/check")


def _a_new_sector(page: Page) -> None:
    """Typed in, and shown before it holds."""
    for name, typed in (("id", "space"), ("ja", "宇宙"), ("en", "Space services"), ("no", "16")):
        page.fill(f"#s-{name}", typed)
    page.select_option("#s-ministry", index=1)
    with page.expect_navigation(url="**/admin/tables/sector"):
        page.locator("form:has(#s-id) .buttons button").click()


_SECTIONS = ("first", "timeline", "impact", "systems", "technique", "ransomware", "response", "cause", "sharing")
_codes: list[str] = []


def _in_an_emergency(page: Page) -> None:
    """With a code of its own each time: it works once."""
    page.fill("[name=code]", _codes.pop())
    for name in ("incident_kind", "service_impact", "personal_data", "current_status"):
        page.check(f"[name={name}][value=unknown]")
    page.check("[name=system_class][value=unknown]")
    page.check("[name=designated_asset][value=unknown]")
    page.check("[name=share_scope][value=nco]")
    page.fill("[name=callback]", "03-1234-5678")
    _send(page, ".action-bar button[type=submit]", "/emergency/received")


LOOKS = [
    Look("login", "", "/login", "login.show"),
    Look("not-found", REPORTER, "/cases/N-0000-0000", "cases.show"),
    Look("home", REPORTER, "/", "home.show"),
    Look("home-empty", NEWCOMER, "/", "home.show"),
    Look("clocks-empty", NEWCOMER, "/clocks", "clocks.show"),
    Look("case-closed", CLOSED, "/cases/{closed_ref}", "cases.show"),
    Look("home-authority", MINISTRY, "/", "home.show"),
    Look("home-office", ANALYST, "/", "home.show"),
    Look("form", REPORTER, "/reports/new", "reports.new"),
    Look("form-wrong", REPORTER, "/reports/new", "reports.new", _wrong),
    Look("form-checked", REPORTER, "/reports/new", "reports.new", _checked),
    Look("receipt", REPORTER, "/cases/{ref}/receipt", "cases.receipt"),
    Look("proof", REPORTER, "/cases/{ref}/proof", "receipts.prove"),
    Look("case", REPORTER, "/cases/{ref}", "cases.show"),
    Look("attachments", REPORTER, "/cases/{ref}/attachments", "attachments.show"),
    Look("talk", REPORTER, "/cases/{ref}/talk/mlit", "receipts.thread"),
    Look("version", REPORTER, "/cases/{ref}/versions/2", "steps.show_version"),
    Look("consent", REPORTER, "/cases/{ref}/consent", "steps.ask_consent"),
    Look("consent-check", REPORTER, "/cases/{ref}/consent", "steps.change_consent", _legal_only),
    Look("draft", REPORTER, "/drafts/{draft}", "drafts.show"),
    Look("draft-check", REPORTER, "/drafts/{draft}/check", "drafts.check"),
    Look("draft-discard", REPORTER, "/drafts/{draft}/discard", "drafts.ask_to_discard"),
    *(
        Look(f"draft-{name}", REPORTER, f"/drafts/{{draft}}/{name}", "drafts.edit")
        for name in _SECTIONS
    ),
    Look("draft-personal-data", OTHER, "/drafts/{other_draft}/personal-data", "drafts.edit"),
    Look("clocks", REPORTER, "/clocks", "clocks.show"),
    Look("clocks-office", ANALYST, "/clocks", "clocks.show"),
    Look("inbox", MINISTRY, "/inbox", "inbox.show"),
    Look("inbox-office", ANALYST, "/inbox", "inbox.show"),
    Look("inbox-empty", JUST_LOOKING, "/inbox", "inbox.show"),
    Look("inbox-case", MINISTRY, "/inbox/{ref}", "inbox.case"),
    Look("inbox-version", MINISTRY, "/inbox/{ref}/2", "inbox.version"),
    Look("desk", ANALYST, "/desk", "desk.show"),
    Look("desk-case", ANALYST, "/desk/{ref}", "desk.case"),
    Look("contributions", APPROVER, "/desk/contributions", "contributions.show_all"),
    Look("phone", ANALYST, "/desk/phone", "phone.show"),
    Look("phone-receipt", ANALYST, "/desk/phone/cases/{phoned}", "phone.receipt"),
    Look("phone-call", ANALYST, "/desk/phone/calls/{unconfirmed}", "phone.call"),
    Look("contribution", APPROVER, "/desk/contributions/{submission}", "contributions.show"),
    Look("phone-form", ANALYST, "/desk/phone/organizations/ORG-001", "phone.new"),
    Look("feed", REPORTER, "/feed", "feed.show"),
    Look("tables", ADMIN, "/admin/tables", "tables.show"),
    Look("tables-check", ADMIN, "/admin/tables", "tables.add", _a_new_sector),
    Look("emergency", "", "/emergency", "emergency.show"),
    Look("emergency-received", "", "/emergency", "emergency.received", _in_an_emergency),
    Look("emergency-codes", REPORTER, "/emergency/codes", "emergency.codes"),
    Look("offline", "", "/offline", "offline.explain"),
    Look("offline-form", "", "/offline.html", "offline.show"),
    Look("offline-import", REPORTER, "/offline/import", "offline.choose"),
]  # fmt: skip


CODE = r"(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}"
UNKNOWN: Pairs = [
    *(
        (name, "unknown")
        for name in ("incident_kind", "service_impact", "system_class", "personal_data", "current_status")
    ),
    ("aware_date", "2026-11-21"),
    ("aware_time", "05:12"),
    ("designated_asset", "unknown"),
    ("callback", "03-1234-5678"),
]


@dataclass
class Gallery:
    """A furnished demonstration, and a browser."""

    house: Installation
    browser: Browser
    places: dict[str, str] = field(default_factory=dict)

    def furnish(self) -> None:
        """Reports, updates, a question, drafts: so that pages have something to show."""
        refs = {name: self._file(name) for name in ("S01", "S04", "S05", "S08")}
        self.places |= {"ref": refs["S01"], "other_ref": refs["S04"], "closed_ref": refs["S08"]}
        requests.post(f"{self._case_url(refs['S08'])}/close", headers=self._api("S08"), timeout=30).raise_for_status()
        for stage in sample("S01")["later"][:1]:
            self._update("S01", refs["S01"], stage["answers"])
        until(lambda: "mlit" in self._case("S01", refs["S01"]), 30)
        self._ask(refs["S01"])
        self.places["draft"] = self._draft(REPORTER, refs["S01"], "kakuhou")
        self.places["other_draft"] = self._draft(OTHER, refs["S04"], "zokuhou")
        self.places["phoned"] = self._phone()
        _codes[:] = [self._code() for _ in range(14)]
        self.places["unconfirmed"] = self._in_an_emergency(_codes.pop())
        self.places["submission"] = self._contribute()

    def _file(self, name: str) -> str:
        answers = {key: value for key, value in sample(name)["answers"].items() if key in QUICK}
        receipt = post_report(self.house.portal_url, self.house.key(sample(name)["own"]["ref"].lower()), answers)
        return str(receipt["case_id"])

    def _api(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.house.key(sample(name)['own']['ref'].lower())}"}

    def _update(self, name: str, ref: str, answers: dict[str, Any]) -> None:
        changes = {key: value for key, value in answers.items() if key != "submitted_at"}
        requests.patch(self._case_url(ref), json=changes, headers=self._api(name), timeout=30).raise_for_status()

    def _case(self, name: str, ref: str) -> str:
        return requests.get(self._case_url(ref), headers=self._api(name), timeout=30).text

    def _case_url(self, ref: str) -> str:
        return f"{self.house.portal_url}/api/v1/cases/{ref}"

    def _reader(self, username: str) -> Reader:
        reader = Reader(self.house.portal_url)
        reader.sign_in(username, self.house.accounts[username]["password"])
        return reader

    def _ask(self, ref: str) -> None:
        with self._reader(MINISTRY) as reader:
            reader.open(f"/inbox/{ref}")
            reader.send(f"/inbox/{ref}/questions", [("text", "復旧の見込みと、代替の搬出入の手段を教えてください。")])

    def _phone(self) -> str:
        with self._reader(ANALYST) as reader:
            reader.open("/desk/phone/organizations/ORG-005")
            typed = [*UNKNOWN, ("caller", "当直"), ("share_scope", "nco")]
            return reader.send("/desk/phone/organizations/ORG-005", typed).url.rpartition("/")[2]

    def _code(self) -> str:
        with self._reader(REPORTER) as reader:
            reader.open("/emergency/codes")
            found = re.search(CODE, reader.send("/emergency/codes", []).text)
            assert found, "no code was issued"
            return found[0]

    def _in_an_emergency(self, code: str) -> str:
        with Reader(self.house.portal_url) as nobody:
            nobody.open("/emergency")
            page = nobody.send("/emergency", [*UNKNOWN, ("code", code), ("share_scope", "nco")]).text
            found = re.search(r"N-[0-9A-Z]{4}-[0-9A-Z]{4}", page)
            assert found, "no receipt"
            return found[0]

    def _contribute(self) -> str:
        stamp = "2026-11-21T00:00:00.000Z"
        thing = {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid4()}", "created": stamp}
        thing |= {
            "modified": stamp,
            "valid_from": stamp,
            "pattern_type": "stix",
            "pattern": "[ipv4-addr:value = '203.0.113.7']",
        }
        thing |= {"object_marking_refs": [TLP_MARKING["green"]]}
        url = self.house.taxii_url.replace("/taxii2/", "/api1/collections/isac-t-isac/objects/")
        kind = {"Content-Type": "application/taxii+json;version=2.1", "Accept": "application/taxii+json;version=2.1"}
        answer = requests.post(
            url, json={"objects": [thing]}, headers=kind, auth=("t-isac", self.house.key("t-isac")), timeout=30
        )
        answer.raise_for_status()
        return str(answer.json()["id"])

    def _draft(self, username: str, ref: str, stage: str) -> str:
        with self._reader(username) as reader:
            reader.open(f"/cases/{ref}")
            pairs: Pairs = [("stage", stage)]
            found = re.search(r"/drafts/([0-9a-f-]{36})", reader.send(f"/cases/{ref}/drafts", pairs).url)
            assert found, "no draft was begun"
            return found[1]

    @contextmanager
    def seen_by(self, username: str, **more: Any) -> Iterator[BrowserContext]:
        """A browser in which this person is signed in, or nobody."""
        with self.browser.new_context(**more) as context:
            if username:
                page = context.new_page()
                page.goto(f"{self.house.portal_url}/login")
                page.fill("[name=username]", username)
                page.fill("[name=password]", self.house.accounts[username]["password"])
                page.keyboard.press("Enter")
                page.wait_for_url(lambda url: "/login" not in url)
                page.close()
            yield context

    def open(self, page: Page, look: Look) -> None:
        """Come to this page."""
        page.goto(self.house.portal_url + look.path.format_map(self.places))
        if look.then:
            look.then(page)


@contextmanager
def gallery(folder: Path) -> Iterator[Gallery]:
    """A furnished demonstration and a browser, both gone afterwards."""
    path = shutil.which("chromium")
    assert path is not None, "chromium is not on PATH"
    with running(folder) as house, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        made = Gallery(house, browser)
        made.furnish()
        yield made
        browser.close()


def _keep(picture: bytes, path: Path) -> None:
    """In few colours: pages are words on white."""
    Image.open(BytesIO(picture)).convert("RGB").quantize(64).save(path, optimize=True)


def main() -> None:
    """A picture of every page, small and large, in both languages, into docs/pictures."""
    pictures = Path(__file__).parent.parent / "docs" / "pictures" / "pages"
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, gallery(Path(folder)) as made:
        for lang in ("ja", "en"):
            for size, viewport in SIZES.items():
                for who in dict.fromkeys(look.who for look in LOOKS):
                    with made.seen_by(who, locale=lang, viewport=viewport, bypass_csp=True) as context:
                        page = context.new_page()
                        for look in LOOKS:
                            if look.who == who:
                                made.open(page, look)
                                taken = page.screenshot(full_page=True, style=".action-bar { position: static; }")
                                _keep(taken, pictures / f"{look.name}-{lang}-{size}.png")


if __name__ == "__main__":
    main()
