"""`noroshi start` in an empty folder: everything runs, everybody sees what is theirs, and it ends as a whole."""

from __future__ import annotations

import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from requests.auth import AuthBase, HTTPBasicAuth

from exchange.sharing import Kind
from exchange.stix.portal import fixed_objects
from tests.live import Bearer, Installation, Json, is_open, polling, running, until, walk

pytestmark = pytest.mark.timeout(180)

ADDRESS = "203.0.113.45"


@dataclass
class Filed:
    """The installation after one report."""

    installation: Installation
    said: str
    basic: dict[str, HTTPBasicAuth]

    def seen_by(self, username: str, auth: AuthBase | None = None) -> dict[str, list[Json]]:
        """Everything that an account can read, by the alias of the collection."""
        with polling(self.installation.taxii_url, auth or self.basic[username]) as collections:
            return {alias: walk(collection) for alias, collection in collections.items()}


@pytest.fixture(scope="module")
def filed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filed]:
    """An installation to which one demonstration report was filed from the command line, and released."""
    with running(tmp_path_factory.mktemp("first")) as installation:
        report = installation.run("demo", "report", "S01").stdout
        submitted = installation.run("report", "submit", "-", stdin=report)
        assert submitted.returncode == 0, submitted.stderr
        basic = {name: HTTPBasicAuth(name, row["api_key"]) for name, row in installation.accounts.items()}
        first = Filed(installation, submitted.stdout, basic)
        until(lambda: _indicators(first.seen_by("t-isac")["isac-t-isac"]))
        yield first


def _indicators(objects: list[Json]) -> list[Json]:
    return [one for one in objects if one["type"] == "indicator" and f"'{ADDRESS}'" in one["pattern"]]


def test_the_addresses_are_printed(filed: Filed) -> None:
    said = filed.installation.said.read_text()
    assert f"{filed.installation.portal_url}/" in said
    assert filed.installation.taxii_url in said
    assert str(filed.installation.var / "demo-accounts.json") in said


def test_the_accounts_are_for_the_owner_alone_and_of_every_kind(filed: Filed) -> None:
    file = filed.installation.var / "demo-accounts.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for row in filed.installation.accounts.values():
        assert row.keys() == {"organisation", "kind", "username", "password", "api_key", "roles"}
    assert {row["kind"] for row in filed.installation.accounts.values()} == set(Kind)


def test_the_receipt_names_the_case_and_who_gets_it(filed: Filed) -> None:
    number, *recipients = filed.said.splitlines()
    assert number.startswith("filed: N-")
    assert len(recipients) == 4


@pytest.mark.parametrize(
    ("username", "alias"),
    [
        ("t-isac", "isac-t-isac"),
        ("f-isac", "isac-f-isac"),
        ("bank-ceptoar", "ceptoar-bank-ceptoar"),
        ("council-1", "council"),
        ("nco-analyst-1", "nco"),
    ],
)
def test_every_circle_of_the_scope_sees_the_address_once(filed: Filed, username: str, alias: str) -> None:
    seen = filed.seen_by(username)
    assert len(_indicators(seen[alias])) == 1
    assert [one["value"] for one in seen[alias] if one["type"] == "ipv4-addr"] == [ADDRESS]


@pytest.mark.parametrize("username", ["allied-1", "public", "enforcement", "mlit"])
def test_nobody_else_sees_any_of_it(filed: Filed, username: str) -> None:
    for objects in filed.seen_by(username).values():
        assert {one["id"] for one in objects} <= {one.id for one in fixed_objects()}


def test_the_key_alone_opens_the_same_as_name_and_key(filed: Filed) -> None:
    bearer = Bearer(filed.installation.key("t-isac"))
    assert filed.seen_by("t-isac", bearer) == filed.seen_by("t-isac")


def test_the_worker_runs_without_a_word(filed: Filed) -> None:
    """Apart from celery's warning to whoever runs it as root."""
    for log in filed.installation.var.glob("log/*.log"):
        assert "{" not in log.read_text(), log.read_text()
        assert "WARNING]" not in log.read_text(), log.read_text()


def test_a_second_installation_runs_beside_the_first(filed: Filed, tmp_path: Path) -> None:
    """And a hang-up of its terminal ends it as Ctrl-C does."""
    elsewhere = {"NOROSHI_VAR": str(tmp_path / "other" / "var"), "NOROSHI_INSTALLATION": "exercise"}
    with running(tmp_path, **elsewhere) as second:
        assert second.processes("workers.main")
        assert filed.seen_by("t-isac")
        assert second.stop(signal.SIGHUP) == 0
        until(lambda: not second.processes())
        assert not (tmp_path / "var").exists()


def test_a_taken_port_is_named_and_nothing_starts(filed: Filed, tmp_path: Path) -> None:
    port = filed.installation.environ["NOROSHI_PORTAL_PORT"]
    third = Installation(tmp_path, NOROSHI_PORTAL_PORT=port)
    refused = third.run("start")
    assert refused.returncode == 1
    assert port in refused.stderr
    assert not (tmp_path / "var").exists()


def test_ctrl_c_ends_all_of_it_and_a_second_start_has_everything(filed: Filed) -> None:
    """Keep this one last: it stops the installation of this module and starts it again."""
    installation = filed.installation
    accounts, seen = installation.accounts, filed.seen_by("t-isac")
    assert installation.stop(signal.SIGINT) == 0
    until(lambda: not installation.processes())
    assert not is_open(int(installation.environ["NOROSHI_PORTAL_PORT"]))
    installation.start()
    assert installation.accounts == accounts
    assert filed.seen_by("t-isac") == seen
