"""All ten invented reports through form, API and command line, in a running installation; and who gets what of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from requests.auth import HTTPBasicAuth

from exchange.times import JST
from tests.live import Installation, polling, post_report, running, until, walk
from tests.make import SAMPLES, sample
from tests.pages import Pairs, Reader
from tests.test_editions import leaks

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running demonstration."""
    with running(tmp_path_factory.mktemp("ten")) as installation:
        yield installation


def username(name: str) -> str:
    """Who files this sample."""
    return str(sample(name)["own"]["ref"]).lower()


def assert_routed(name: str, recipients: list[str], regimes: list[str]) -> None:
    """The sample's expectation, in any order."""
    wanted = sample(name)["expected"]
    assert sorted(recipients) == sorted(wanted["recipients"])
    assert sorted(regimes) == sorted(wanted["regimes"])


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_filed_over_the_api(house: Installation, name: str) -> None:
    body = {"organisation": {"org_id": sample(name)["own"]["ref"]}, **sample(name)["answers"]}
    receipt = post_report(house.portal_url, house.key(username(name)), body)
    assert_routed(name, [one["id"] for one in receipt["recipients"]], receipt["regimes"])


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_filed_from_the_command_line(house: Installation, name: str) -> None:
    report = house.run("demo", "report", name).stdout
    filed = house.run("report", "submit", "--json", "-", stdin=report)
    assert filed.returncode == 0, filed.stderr
    receipt = json.loads(filed.stdout)
    assert_routed(name, [one["id"] for one in receipt["recipients"]], receipt["regimes"])


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_filed_with_the_form(house: Installation, name: str) -> None:
    with Reader(house.portal_url) as reader:
        reader.sign_in(username(name), house.accounts[username(name)]["password"])
        reader.open("/reports/new")
        checked = reader.send("/reports/check", typed(sample(name)["answers"]))
        assert checked.status_code == 200, re.findall(r'href="#[^"]*">([^<]*)<', checked.text)
        receipt = reader.send("/reports", [])
        assert receipt.status_code == 200 and "/receipt" in receipt.url
        ref = receipt.url.split("/")[-2]
        case = reader._session.get(f"{house.portal_url}/api/v1/cases/{ref}", headers=_bearer(house, name), timeout=30)
        assert_routed(name, [one["id"] for one in case.json()["recipients"]], case.json()["regimes"])


def _bearer(house: Installation, name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {house.key(username(name))}"}


def typed(answers: dict[str, Any]) -> Pairs:
    """The answers as a person types them into the form."""
    aware = datetime.fromisoformat(answers["aware_at"]).astimezone(JST)
    pairs = [("aware_date", f"{aware:%Y-%m-%d}"), ("aware_time", f"{aware:%H:%M}"), ("action", "check")]
    for name, value in answers.items():
        if name not in {"aware_at", "submitted_at"}:
            pairs += [(name, one) for one in (value if isinstance(value, list) else [value])]
    return pairs


def test_what_outsiders_receive_of_the_ten_tells_nobody_who_was_hit(house: Installation) -> None:
    until(lambda: _incidents(house, "t-isac") >= 9 * 3, 60)
    for who in ("t-isac", "f-isac", "port-ceptoar", "council-1", "allied-1", "public"):
        text = json.dumps(_received(house, who), ensure_ascii=False)
        assert not [leak for leak in leaks() if leak in text], who


def _incidents(house: Installation, who: str) -> int:
    return sum(one["type"] == "incident" for one in _received(house, who))


def _received(house: Installation, who: str) -> list[dict[str, Any]]:
    with polling(house.taxii_url, HTTPBasicAuth(who, house.key(who))) as collections:
        return [one for collection in collections.values() for one in walk(collection)]


def test_the_measured_way_from_receipt_to_poller_is_printed(house: Installation) -> None:
    printed = house.run("measure", "--filings", "3").stdout
    assert re.search(r"3 filings, receipt to visible in the feed: median \d+\.\d\d s", printed)


def test_the_log_holds_no_word_of_a_report(house: Installation) -> None:
    logged = "\n".join(path.read_text(errors="replace") for path in Path(house.var / "log").iterdir())
    assert not [leak for leak in leaks() if leak in logged]
