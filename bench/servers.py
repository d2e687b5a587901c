"""Our server and its yardsticks, each started exactly as `noroshi start` starts the TAXII server."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from bench.client import Target
from bench.databases import Database
from bench.processes import Running, free_port, running, wait_for
from config import Settings
from exchange import accounts, feed, feed_accounts, installation, sealing
from exchange.feed_accounts import KeyOnFile
from exchange.sharing import TLP, FeedRights
from exchange.stores import Stores, open_stores
from exchange.times import utcnow
from portal.cli.supervisor import Supervisor

ROOT = Path(__file__).parent.parent
PAGE = 1000


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    target: Target
    running: Running
    database: Database | None = None

    def processor_s(self) -> tuple[float, float]:
        """What the server took so far, and its database."""
        return self.running.processor_s(), self.database.processor_s() if self.database else 0.0


# --- ours ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ours:
    """An installation with two readers: one sees everything in `council`, the other only TLP:CLEAR."""

    settings: Settings
    authorization: str
    sparse_authorization: str
    released: Database | None

    @contextmanager
    def server(self, name: str) -> Iterator[Server]:
        """The TAXII server over it, as the first reader asks it."""
        target = Target(name, self.settings.taxii_port, "/api1/collections/council/objects/", self.authorization)
        with granian(self.settings, "bench.apps.ours:app") as started:
            yield Server(target, started, self.released)

    @contextmanager
    def worker(self) -> Iterator[Running]:
        """The worker over it."""
        supervisor = Supervisor(self.settings)
        log = self.settings.var / "worker.log"
        with running(_command(supervisor, "worker"), supervisor._environment, log, ROOT) as started:
            yield started


Fill = Callable[[Stores], None]


def install(folder: Path, fill: Fill, *, case: Database | None = None, released: Database | None = None) -> Ours:
    """Make an installation on SQLite, or on these two databases, and fill it; its full pages are sealed."""
    settings = settings_in(folder, case, released)
    stores, keys = open_stores(settings), ["noroshi_" + uuid4().hex for _ in range(2)]
    installation.prepare(stores, settings, now=utcnow())
    fill(stores)
    _add_reader(stores, "dense", keys[0], TLP.AMBER)
    _add_reader(stores, "sparse", keys[1], TLP.CLEAR)
    sealing.seal(stores.released)
    stores.close()
    if released:
        released.analyze()
    return Ours(settings, basic("dense", keys[0]), basic("sparse", keys[1]), released)


def settings_in(folder: Path, case: Database | None, released: Database | None) -> Settings:
    """An exercise in this folder, at a free port."""
    environ = {"VAR": str(folder / "var"), "KEYS": str(folder / "keys"), "INSTALLATION": "exercise"}
    environ |= {"TAXII_PORT": str(free_port())}
    environ |= {"DATABASE_URL": case.text} if case else {}
    environ |= {"RELEASED_URL": released.text} if released else {}
    return Settings.read({f"NOROSHI_{name}": value for name, value in environ.items()})


def _add_reader(stores: Stores, username: str, key: str, tlp: TLP) -> None:
    """Let this account poll `council` up to `tlp`, and write to a sandbox."""
    rights = FeedRights(frozenset({"council", "public"}), tlp, sandbox=True)
    on_file = KeyOnFile(uuid4(), accounts.hash_of(key), utcnow() + timedelta(days=1), None)
    with stores.released.transaction() as db:
        account_id = uuid4()
        feed_accounts.put_account(db, account_id, username=username, rights=rights, keys=[on_file])
        feed.open_sandbox(db, account_id, title=username, description=username)


def basic(username: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


# --- yardsticks ----------------------------------------------------------------------------------------


@contextmanager
def bare(folder: Path, bodies: Sequence[bytes]) -> Iterator[Server]:
    """The pages as bytes in memory."""
    pages = folder / "pages"
    pages.mkdir()
    starts = range(0, len(bodies), PAGE)
    for number, start in enumerate(starts):
        head = b"{" if start == starts[-1] else b'{"more":true,"next":"%d",' % (number + 1)
        page = head + b'"objects":[' + b",".join(bodies[start : start + PAGE]) + b"]}"
        (pages / f"{number:06d}.json").write_bytes(page)
    with _yardstick(folder, "bare WSGI", "bench.apps.bare:app", BENCH_PAGES=str(pages)) as server:
        yield server


@contextmanager
def minimal(folder: Path, rows: Path) -> Iterator[Server]:
    """A minimal Flask application over rows of SQLite."""
    with _yardstick(folder, "minimal Flask", "bench.apps.minimal:app", BENCH_ROWS=str(rows)) as server:
        yield server


@contextmanager
def _yardstick(folder: Path, name: str, app: str, **environ: str) -> Iterator[Server]:
    settings = settings_in(folder / app, None, None)
    with granian(settings, app, environ) as started:
        yield Server(Target(name, settings.taxii_port, "/objects/"), started)


@contextmanager
def granian(
    settings: Settings, app: str, environ: Mapping[str, str] | None = None, binary: Path | None = None
) -> Iterator[Running]:
    """The application under the supervisor's own command line and environment, with `binary` for its granian."""
    supervisor = Supervisor(settings)
    command = _command(supervisor, "taxii")
    command[0], command[-1] = str(binary or command[0]), app
    settings.var.mkdir(parents=True, exist_ok=True)
    log = settings.var / "taxii.log"
    everything = supervisor._environment | {"PYTHONPATH": str(ROOT)} | dict(environ or {})
    with running(command, everything, log, ROOT) as started:
        wait_for(started, settings.taxii_port, log)
        yield started


def _command(supervisor: Supervisor, name: str) -> list[str]:
    return list(next(child.command for child in supervisor._children if child.name == name))
