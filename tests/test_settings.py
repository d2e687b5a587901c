"""What a deployment may choose, and what it may not."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import request

from config import Installation, Settings, SettingsError
from portal import app as portal
from portal.cli.main import main
from taxii_server import app as taxii
from tests.conftest import ROOT

POSTGRESQL = {
    "NOROSHI_DATABASE_URL": "postgresql+psycopg://db/case",
    "NOROSHI_RELEASED_URL": "postgresql+psycopg://db/released",
}


def test_the_embedded_size_needs_no_setting_at_all() -> None:
    settings = Settings.read({})
    assert settings.embedded and settings.installation is Installation.DEMO
    assert settings.keys == settings.var.with_name("var-keys") and settings.host == "127.0.0.1"


def test_a_database_server_makes_a_live_installation() -> None:
    assert Settings.read(POSTGRESQL).installation is Installation.LIVE


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"NOROSHI_INSTALLATION": "demo"} | POSTGRESQL, "NOROSHI_INSTALLATION"),
        ({"NOROSHI_HOST": "0.0.0.0"}, "NOROSHI_INSTALLATION"),
        ({"NOROSHI_HOST": "localhost"}, "NOROSHI_HOST"),
        ({"NOROSHI_PORTAL_PORT": "http"}, "NOROSHI_PORTAL_PORT"),
        ({"NOROSHI_PORTAL_PORT": "0"}, "NOROSHI_PORTAL_PORT"),
        ({"NOROSHI_INSTALLATION": "prod"}, "NOROSHI_INSTALLATION"),
        ({"NOROSHI_VAR": "/v", "NOROSHI_KEYS": "/v/keys"}, "NOROSHI_KEYS"),
        ({"NOROSHI_MAX_PAGE_SIZE": "1001"}, "NOROSHI_MAX_PAGE_SIZE"),
        ({"NOROSHI_HTTPS": "maybe"}, "NOROSHI_HTTPS"),
        ({"NOROSHI_PROXIES": "proxy.example"}, "NOROSHI_PROXIES"),
        ({"NOROSHI_PROXIES": "10.0.0.5/8"}, "NOROSHI_PROXIES"),
        ({"NOROSHI_PROXIES": "10.0.0.5, ::/0"}, "NOROSHI_PROXIES"),
    ],
)
def test_a_wrong_setting_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Settings.read(environ)


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as wrong:
        Settings.read({"NOROSHI_PORTAL_PORT": "x", "NOROSHI_TAXII_PORT": "y"})
    assert "NOROSHI_PORTAL_PORT" in str(wrong.value) and "NOROSHI_TAXII_PORT" in str(wrong.value)


def test_a_child_process_reads_the_same_settings() -> None:
    settings = Settings.read({"NOROSHI_VAR": "/v", "NOROSHI_HTTPS": "1"} | POSTGRESQL)
    assert Settings.read(settings.environment()) == settings


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("10.0.0.5", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.5", "192.0.2.66, 198.51.100.1, 10.1.0.7", "198.51.100.1"),
        ("::ffff:10.0.0.5", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.5", "10.1.0.8,10.1.0.7", "10.1.0.8"),
        ("10.0.0.5", "198.51.100.1, unknown, 10.1.0.7", "10.1.0.7"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("10.0.0.6", "198.51.100.1", "10.0.0.6"),
        ("", "198.51.100.1", ""),
    ],
)
@pytest.mark.parametrize("door", ["portal", "taxii"])
def test_a_caller_is_whom_the_nearest_stranger_is(
    sqlite_settings: Settings, door: str, peer: str, forwarded: str, caller: str
) -> None:
    settings = replace(sqlite_settings, proxies="10.0.0.5, 10.1.0.0/24")
    module = portal if door == "portal" else taxii
    app = module.create_app(settings)
    with app.test_client() as client:
        client.get("/healthz", headers={"X-Forwarded-For": forwarded}, environ_overrides={"REMOTE_ADDR": peer})
        assert request.remote_addr == caller
    taxii.close(app) if door == "taxii" else app.extensions["stores"].close()


def test_the_doctor_misses_the_name_of_a_proxy(sqlite_settings: Settings) -> None:
    secure = replace(sqlite_settings, https=True)
    for settings, told in ((secure, True), (replace(secure, proxies="10.0.0.5"), False), (sqlite_settings, False)):
        said = CliRunner().invoke(main, ["doctor"], env=settings.environment()).output
        assert ("NOROSHI_PROXIES" in said) == told


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for field in dataclasses.fields(Settings):
        assert f"`NOROSHI_{field.name.upper()}`" in page and field.metadata["help"] in page, field.name


def test_the_settings_page_names_nothing_else() -> None:
    import re

    page = Path(ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    known = {f"NOROSHI_{field.name.upper()}" for field in dataclasses.fields(Settings)}
    assert set(re.findall(r"^\| `(NOROSHI_[A-Z_]+)`", page, re.M)) == known
