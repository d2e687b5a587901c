"""The promise: a receipt is kept. Whatever is killed meanwhile, each case is there, and in the feed exactly once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
import sqlalchemy as sa
from kombu.connection import Connection
from requests.auth import HTTPBasicAuth
from sqlalchemy.orm import Session

from config import Settings
from exchange import accounts, audit, installation
from exchange.db import vault_of
from exchange.models import Case, Event, Organization
from exchange.sharing import Kind, Role
from exchange.stores import Stores, open_stores
from exchange.times import utcnow
from tests.live import Installation, Json, Process, free_port, is_open, polling, post_report, running, until, walk
from tests.make import make_organization
from tests.services import RABBITMQ_URL, need, new_databases

pytestmark = pytest.mark.timeout(300)

FILINGS = 200
PORTION = 25
AT_ONCE = 8
RECOVERED_WITHIN_S = 120.0


@dataclass
class Scene:
    """An installation, who reports, who polls, and how its broker dies."""

    installation: Installation
    reporter_keys: Sequence[str]
    reader: str
    reader_key: str
    kill_broker: Callable[[], None]
    stores: Stores

    def feed(self) -> list[Json]:
        """Every version of every object that the reader can get."""
        auth = HTTPBasicAuth(self.reader, self.reader_key)
        with polling(self.installation.taxii_url, auth) as collections:
            return walk(collections[f"isac-{self.reader}"], version="all")


@contextmanager
def _opened(environ: Mapping[str, str]) -> Iterator[Stores]:
    """Both stores, beside the running installation."""
    stores = open_stores(Settings.read(environ))
    try:
        yield stores
    finally:
        stores.close()


# --- embedded: two files and a folder ------------------------------------------------------------------


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Scene]:
    """The demonstration. Its broker is a folder."""
    var = tmp_path / "var"
    environ = {"NOROSHI_VAR": str(var), "NOROSHI_CLAIM_LEASE_S": "5"}
    with running(tmp_path, **environ) as started, _opened(environ) as stores:
        with stores.case.transaction() as db:
            reporters = _reporters(db)
        reader = started.key("t-isac")
        yield Scene(
            started,
            reporters,
            "t-isac",
            reader,
            kill_broker=lambda: shutil.rmtree(var / "queue", ignore_errors=True),
            stores=stores,
        )


def test_embedded_no_receipt_is_lost_when_everything_is_killed_in_turn(embedded: Scene) -> None:
    _file_and_kill(embedded)


# --- at scale: PostgreSQL and Redis --------------------------------------------------------------------


class Redis:
    """A broker that keeps nothing over its death."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it listens."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            ["redis-server", *options, "--dir", str(self._folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: is_open(self.port))

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def kill_and_start(self) -> None:
        """Everything that it held is gone."""
        self.kill()
        self.start()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """One of our own: tests kill it."""
    if shutil.which("redis-server") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed, and CI=true")
        pytest.skip("redis-server is not installed")
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def databases() -> Iterator[dict[str, str]]:
    """Two new databases of PostgreSQL, as the settings name them."""
    with new_databases("database", "released") as urls:
        yield {f"NOROSHI_{kind.upper()}_URL": url for kind, url in urls.items()}


@pytest.fixture
def at_scale(tmp_path: Path, databases: dict[str, str], redis: Redis) -> Iterator[Scene]:
    """An exercise on servers."""
    environ = databases | {
        "NOROSHI_VAR": str(tmp_path / "var"),
        "NOROSHI_BROKER_URL": f"redis://127.0.0.1:{redis.port}/0",
        "NOROSHI_INSTALLATION": "exercise",
        "NOROSHI_CLAIM_LEASE_S": "5",
    }
    with _opened(environ) as stores:
        reporters, reader = _furnish(stores, Settings.read(environ))
        with running(tmp_path, **environ) as started:
            yield Scene(started, reporters, "t-isac", reader, kill_broker=redis.kill_and_start, stores=stores)


def test_at_scale_no_receipt_is_lost_when_everything_is_killed_in_turn(at_scale: Scene) -> None:
    _file_and_kill(at_scale)


# --- RabbitMQ --------------------------------------------------------------------------------------------


@pytest.fixture
def rabbitmq() -> Iterator[dict[str, str]]:
    """A queue of our own on the local RabbitMQ."""
    need("RabbitMQ", "127.0.0.1", 5672)
    queue = f"noroshi_test_{uuid4().hex[:12]}"
    yield {"NOROSHI_BROKER_URL": RABBITMQ_URL, "NOROSHI_QUEUE": queue}
    with Connection(RABBITMQ_URL) as connection, connection.channel() as channel:
        channel.queue_delete(queue)
        channel.exchange_delete(queue)


def test_on_postgresql_and_rabbitmq_every_report_is_in_the_feed_once(
    tmp_path: Path, databases: dict[str, str], rabbitmq: dict[str, str]
) -> None:
    environ = databases | rabbitmq
    environ |= {"NOROSHI_VAR": str(tmp_path / "var"), "NOROSHI_INSTALLATION": "exercise"}
    with _opened(environ) as stores:
        reporters, reader = _furnish(stores, Settings.read(environ))
        with running(tmp_path, **environ) as started:
            scene = Scene(started, reporters, "t-isac", reader, kill_broker=lambda: None, stores=stores)
            names = [f"{uuid4().hex}.example" for _ in range(10)]
            for name in names:
                post_report(started.portal_url, reporters[0], _answers(name))
            until(lambda: _steps_done(scene) and _steps_left(scene) == 0, 60)
            found = [one["value"] for one in scene.feed() if one["type"] == "domain-name"]
    assert sorted(found) == sorted(names)


def _furnish(stores: Stores, settings: Settings) -> tuple[list[str], str]:
    """Operators that report and an ISAC that reads: their keys."""
    installation.prepare(stores, settings, now=utcnow())
    with stores.case.transaction() as db:
        isac = make_organization(db, kind=Kind.ISAC, isacs=["t-isac"])
        return _reporters(db), _key(db, isac, "t-isac", Role.READER)


def _reporters(db: Session) -> list[str]:
    """The keys of operators of one ISAC: enough that none is slowed down, and so few of a sector that none is named."""
    own = [make_organization(db, sector=s, ceptoar=f"{s}-ceptoar") for s in ("port", "aviation") for _ in range(2)]
    return [_key(db, one, f"duty-{one.ref}", Role.REPORTER) for one in own]


def _key(db: Session, organization: Organization, username: str, role: Role) -> str:
    """The worker carries it into the feed."""
    now, scopes = utcnow(), installation.scopes_of([role])
    person = accounts.add_person(db, organization, username=username, roles=[role], password=uuid4().hex, now=now)
    return accounts.issue_key(db, person, scopes=scopes, now=now)


# --- filing and killing --------------------------------------------------------------------------------


def _file_and_kill(scene: Scene) -> None:
    """File in portions; in the middle of each, when the worker is at it, something dies."""
    kills = _kills(scene)
    names = [f"{uuid4().hex}.example" for _ in range(FILINGS)]
    told = list(zip(names, cycle(scene.reporter_keys), strict=False))
    receipts: list[Json] = []
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for start in range(0, FILINGS, PORTION):
            before = _steps_done(scene)
            filings = [threads.submit(_file, scene, *one, receipts) for one in told[start : start + PORTION]]
            _wait_for_the_middle(scene, receipts, start + PORTION // 2, before)
            kills[start // PORTION % len(kills)]()
            for filing in filings:
                filing.result()
    _nothing_is_lost(scene, names, receipts)


def _wait_for_the_middle(scene: Scene, receipts: list[Json], goal: int, before: int) -> None:
    until(lambda: len(receipts) >= goal, 60)
    until(lambda: _steps_done(scene) > before, 60)


def _kills(scene: Scene) -> list[Callable[[], None]]:
    """What dies, in turn: the leader of a group leaves orphans, a follower leaves its leader alone."""
    return [
        lambda: _kill(scene, "workers.main", leads=True),
        lambda: _kill(scene, "portal.wsgi", leads=True),
        scene.kill_broker,
        lambda: _kill(scene, "portal.wsgi", leads=False),
        lambda: _kill(scene, "taxii_server.wsgi", leads=True),
    ]


def _kill(scene: Scene, word: str, *, leads: bool) -> None:
    def found() -> list[Process]:
        return [one for one in scene.installation.processes(word) if one.leads == leads]

    for process in until(found):
        process.kill()


def _file(scene: Scene, name: str, reporter_key: str, receipts: list[Json]) -> None:
    """Send until a receipt comes, always with the same key: what a careful client does."""
    key, answers = str(uuid4()), _answers(name)

    def receipt() -> Json | None:
        try:
            return post_report(scene.installation.portal_url, reporter_key, answers, idempotency_key=key)
        except requests.RequestException as error:
            if error.response is not None and error.response.status_code < 500:
                raise
            return None

    receipts.append(until(receipt, 60))


def _answers(name: str) -> dict[str, Any]:
    return {
        "incident_kind": "other",
        "aware_at": utcnow().isoformat(),
        "service_impact": "none",
        "system_class": ["unknown"],
        "personal_data": "no",
        "current_status": "unknown",
        "designated_asset": "no",
        "callback": "+81-50-0000-0000",
        "share_scope": "council-anon",
        "ioc_paste": name,
    }


def _steps_done(scene: Scene) -> int:
    with scene.stores.case.reading() as db:
        return db.scalar(sa.select(sa.func.count()).select_from(Event).where(Event.done_at.is_not(None))) or 0


# --- what must hold ------------------------------------------------------------------------------------


def _nothing_is_lost(scene: Scene, names: list[str], receipts: list[Json]) -> None:
    numbers = {receipt["case_id"] for receipt in receipts}
    assert len(receipts) == len(numbers) == FILINGS
    until(lambda: _steps_left(scene) == 0, RECOVERED_WITHIN_S)
    with scene.stores.case.reading() as db:
        assert set(db.scalars(sa.select(Case.ref))) == numbers
        assert audit.verify(db, vault_of(db)).first_bad is None
    objects = scene.feed()
    types = Counter(one["type"] for one in objects)
    assert Counter(one["value"] for one in objects if one["type"] == "domain-name") == Counter(names)
    assert types["indicator"] == types["incident"] == FILINGS
    assert len({(one["id"], one.get("modified")) for one in objects}) == len(objects)


def _steps_left(scene: Scene) -> int:
    with scene.stores.case.reading() as db:
        return db.scalar(sa.select(sa.func.count()).select_from(Event).where(Event.done_at.is_(None))) or 0
