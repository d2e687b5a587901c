"""Real databases for every test: SQLite always, PostgreSQL where it answers, and certainly when CI=true."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from config import Installation, Settings
from exchange import accounts, carrying
from exchange.models import CaseBase, ReleasedBase
from exchange.stores import Stores, open_stores
from tests.services import new_databases

NOW = datetime(2026, 11, 21, 3, 0, 0, 123456, tzinfo=UTC)
ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True, scope="session")
def _cheap_passwords() -> None:
    """A hash that takes a tenth of a second is right for people, and wrong for a thousand tests."""
    accounts._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    accounts._NOBODY = accounts._HASHER.hash("nobody")


@pytest.fixture(autouse=True, scope="session")
def _catalogues() -> None:
    """The Japanese words, compiled as `make` does it."""
    for po in (ROOT / "portal" / "translations").glob("*/LC_MESSAGES/messages.po"):
        mo = po.with_suffix(".mo")
        if not mo.exists() or mo.stat().st_mtime < po.stat().st_mtime:
            pybabel = Path(sys.executable).with_name("pybabel")
            subprocess.run([pybabel, "-q", "compile", "-i", po, "-o", mo, "-l", po.parts[-3]], check=True)


@pytest.fixture
def now() -> datetime:
    """A moment in which every test begins."""
    return NOW


def _settings(folder: Path, **more: Any) -> Settings:
    environ = {"NOROSHI_VAR": str(folder / "var"), "NOROSHI_INSTALLATION": "exercise"}
    return replace(Settings.read(environ), **more)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stores migrated and furnished once; each test gets a copy."""
    settings = _settings(tmp_path_factory.mktemp("template"))
    stores = open_stores(settings)
    stores.case.migrate()
    stores.released.migrate()
    carrying.install(stores, now=NOW)
    stores.close()
    return settings.var


@pytest.fixture(scope="session")
def _postgresql_urls() -> Iterator[dict[str, str]]:
    with new_databases("case", "released") as urls:
        yield urls


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, _sqlite_template: Path) -> Settings:
    """The settings of a furnished installation, once on each database."""
    if request.param == "sqlite":
        shutil.copytree(_sqlite_template, tmp_path / "var")
        return _settings(tmp_path)
    urls = request.getfixturevalue("_postgresql_urls")
    found = _settings(tmp_path, database_url=urls["case"], released_url=urls["released"])
    _fresh_postgresql(found)
    return found


def _fresh_postgresql(settings: Settings) -> None:
    """Schemas as the code has them, and no rows but those of a new installation."""
    stores = open_stores(settings)
    for store, base in ((stores.case, CaseBase), (stores.released, ReleasedBase)):
        if store.faults():
            store.migrate()
        emptied = [table for table in reversed(base.metadata.sorted_tables) if table.name != "audit_head"]
        with store.engine.begin() as connection:
            # DELETE is many times faster than TRUNCATE on tables of a few rows.
            connection.exec_driver_sql("; ".join(f'DELETE FROM "{table.name}"' for table in emptied))
            if base is CaseBase:
                connection.execute(sa.text("UPDATE audit_head SET seq = 0, mac = :start").bindparams(start="0" * 64))
    carrying.install(stores, now=NOW)
    stores.close()


@pytest.fixture
def sqlite_settings(tmp_path: Path, _sqlite_template: Path) -> Settings:
    """The settings of a furnished installation on SQLite alone, for what does not depend on the database."""
    shutil.copytree(_sqlite_template, tmp_path / "var")
    return _settings(tmp_path)


@pytest.fixture
def stores(settings: Settings) -> Iterator[Stores]:
    """Both stores of the installation."""
    opened = open_stores(settings)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def testdata() -> Callable[[str], Path]:
    """A path in the corpora that others made."""

    def find(name: str) -> Path:
        folder = Path(os.environ.get("NOROSHI_TESTDATA") or ROOT.parent / "shared" / "testdata")
        if not folder.is_dir():
            pytest.skip("the corpora are not here: set NOROSHI_TESTDATA to their folder")
        return folder / name

    return find


@pytest.fixture
def live(settings: Settings) -> Settings:
    """The same installation as a live one: documentation addresses are private there."""
    return replace(settings, installation=Installation.LIVE)
