"""A reporter's commands and the example of a connector, against a running installation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from exchange.tables import table
from tests.bundles import bundle, incident, indicator
from tests.conftest import ROOT
from tests.live import Installation, free_port, is_open, running, until

pytestmark = pytest.mark.timeout(300)
CONNECTOR = ROOT / "docs" / "connectors" / "siem_alert.py"
ALERT = {
    "@timestamp": "2026-11-21T02:00:00Z",
    "event": {"id": "42", "category": ["intrusion_detection"]},
    "rule": {"name": "Possible ransomware on a server"},
    "source": {"ip": "203.0.113.77"},
    "file": {"hash": {"sha256": "0f" * 32}},
    "host": {"os": {"type": "windows"}},
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running demonstration."""
    with running(tmp_path_factory.mktemp("cli")) as installation:
        yield installation


def done(house: Installation, *command: str, stdin: str | None = None) -> str:
    """What a command that succeeds prints."""
    ran = house.run(*command, stdin=stdin)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def told(house: Installation, *command: str, stdin: str | None = None) -> dict[str, Any]:
    """The same as JSON: nothing else may be on standard output."""
    return dict(json.loads(done(house, *command, "--json", stdin=stdin)))


def test_a_case_goes_from_its_first_report_to_its_end_with_commands_alone(house: Installation) -> None:
    quick = done(house, "demo", "report", "S01")
    ref = done(house, "report", "submit", "-", stdin=quick).splitlines()[0].removeprefix("filed: ")
    news = done(house, "demo", "report", "S01", "--stage", "2")
    updated = done(house, "report", "update", ref, "-", stdin=news)
    assert updated.startswith(f"filed: {ref}\n") and "changed: " in updated
    more = told(house, "report", "update", ref, "-", stdin=done(house, "demo", "report", "S01", "--stage", "3"))
    assert more["new_recipients"] == ["ppc"] and more["seq"] == 3
    own = ("--account", "org-001")
    shown = done(house, "report", "show", ref, *own)
    assert "version 3 (update)" in shown and "not confirmed yet" in shown
    answers = json.loads(done(house, "report", "show", ref, "--version", "1", *own))
    assert answers["incident_kind"] == "ransomware"
    assert ref in done(house, "report", "list", *own)
    assert done(house, "report", "close", ref, *own) == f"closed: {ref}\n"
    assert house.run("report", "close", ref, *own).returncode == 3
    assert done(house, "report", "reopen", ref, *own) == f"reopened: {ref}\n"
    assert told(house, "report", "show", ref, *own)["closed_at"] is None


def test_a_draft_and_a_bundle_are_taken_too(house: Installation) -> None:
    quick = done(house, "demo", "report", "S02")
    draft = told(house, "report", "submit", "--draft", "-", stdin=quick)
    assert draft["missing"] == [] and draft["review_url"].startswith("/drafts/")
    sent = json.dumps(
        bundle(incident({"incident_types": ["ransomware"]}), indicator("[url:value = 'https://a.example/']"))
    )
    filed = told(house, "report", "submit", "--stix", "-", "--account", "org-001", stdin=sent)
    assert filed.get("draft_id") or filed["case_id"]


@pytest.mark.parametrize(
    ("command", "stdin", "code"),
    [
        (("report", "submit", "-"), "{", 2),
        (("report", "submit", "-"), "{}", 2),
        (("report", "submit", "-", "--account", "nobody"), "{}", 2),
        (("report", "submit", "no-such-file.json"), None, 2),
        (("report", "update", "N-0000-0000", "-", "--stage", "sokuhou"), "{}", 2),
        (("report", "list", "--limit", "0", "--account", "org-001"), None, 2),
        (("demo", "report", "S99"), None, 2),
        (("demo", "report", "S01", "--stage", "9"), None, 2),
        (("report", "submit", "-", "--account", "org-001"), "{}", 3),
        (("report", "submit", "--stix", "-", "--account", "org-001"), "{}", 3),
        (("report", "update", "N-0000-0000", "-", "--account", "org-001"), "{}", 3),
        (("report", "show", "../../healthz", "--account", "org-001"), None, 3),
        (("report", "list", "--account", "org-001", "--url", "http://127.0.0.1:1"), None, 4),
        (("report", "submit", "-", "--account", "org-001", "--url", "http://127.0.0.1:1"), "{}", 4),
        (("report", "list", "--account", "org-001", "--url", "nonsense"), None, 2),
        (("report", "list", "--account", "org-001", "--url", "file:///etc"), None, 2),
    ],
    ids=str,
)
def test_what_goes_wrong_is_told_on_standard_error_with_its_code(
    house: Installation, command: tuple[str, ...], stdin: str | None, code: int
) -> None:
    ran = house.run(*command, stdin=stdin)
    assert (ran.returncode, ran.stdout) == (code, ""), ran.stderr
    assert ran.stderr and "Traceback" not in ran.stderr


def test_a_refusal_names_every_field_in_the_language_of_whoever_types(house: Installation) -> None:
    for lang, word in (("en_US.UTF-8", "Choose what is happening"), ("ja_JP.UTF-8", "選んでください")):
        ran = subprocess.run(
            [Path(sys.executable).with_name("noroshi"), "report", "submit", "-", "--account", "org-001"],
            input="{}",
            capture_output=True,
            text=True,
            cwd=house.folder,
            env=house.environ | {"LANG": lang, "PYTHONUTF8": "1"},
            check=False,
        )
        assert ran.returncode == 3 and word in ran.stderr and "incident_kind" in ran.stderr


def test_every_command_of_a_reporter_shows_how_it_is_used(house: Installation) -> None:
    for name in ("submit", "update", "show", "list", "close", "reopen"):
        assert f"noroshi report {name}" in done(house, "report", name, "--help")
    assert "noroshi demo report" in done(house, "demo", "report", "--help")


def test_every_sentence_of_the_commands_is_in_both_languages() -> None:
    for key, words in table("cli").items():
        assert words.keys() == {"ja", "en"} and all(words.values()), key
        assert _blanks(words["ja"]) == _blanks(words["en"]), key


def _blanks(text: str) -> set[str]:
    return {part.partition("}")[0] for part in text.split("{")[1:]}


# --- the connector -------------------------------------------------------------------------------------


def connector(house: Installation) -> dict[str, str]:
    return house.environ | {"NOROSHI_URL": house.portal_url, "NOROSHI_API_KEY": house.key("org-001")}


def test_an_alert_becomes_a_draft_once_however_often_it_is_sent(house: Installation) -> None:
    ids = set()
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, CONNECTOR],
            input=json.dumps(ALERT),
            capture_output=True,
            text=True,
            env=connector(house),
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        ids.add(json.loads(ran.stdout)["draft_id"])
    assert len(ids) == 1


def test_alerts_are_taken_over_http_too(house: Installation) -> None:
    port = free_port()
    listening = subprocess.Popen(
        [sys.executable, CONNECTOR, "--listen", str(port)], env=connector(house), stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: is_open(port))
        url = f"http://127.0.0.1:{port}/"
        assert requests.post(url, json=ALERT, timeout=30).status_code == 202
        assert requests.post(url, data=b"{", timeout=30).status_code == 400
        assert requests.post(url, json=[], timeout=30).status_code == 400
    finally:
        listening.terminate()
        listening.wait(10)
