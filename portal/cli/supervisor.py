"""Starts the portal, the TAXII server and the worker, watches them, and stops them: the whole embedded size."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import click

from config import Installation, Settings
from exchange import installation
from exchange.stores import open_stores
from exchange.times import utcnow

_PR_SET_PDEATHSIG = 1
_READY_WITHIN_S = 60.0
_STOP_WITHIN_S = 10.0
_RESTART_AFTER_S = (0.2, 1.0, 3.0, 10.0)
_STEADY_AFTER_S = 30.0


@dataclass
class _Child:
    """One program in its own process group, so that nothing of it outlives it."""

    name: str
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    restart_at: float = field(default=0.0)

    def start(self, environment: dict[str, str]) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                env=environment,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        self.started = time.monotonic()

    def signal(self, number: int) -> None:
        """To the whole group: children of a killed parent would go on by themselves."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Portal, TAXII server and worker of one installation, in the foreground."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._logs = settings.var / "log"
        self._environment = os.environ | settings.environment() | {"PYTHONUNBUFFERED": "1"} | _ALLOCATOR
        self._children = [self._child(*spec) for spec in self._commands()]
        self._stopping = False

    def run(self) -> int:
        """Prepare, start, watch; 0 after Ctrl-C, SIGTERM or a hang-up, 1 if it cannot start."""
        if taken := self._ports_taken():
            click.echo(f"port {taken} is taken: is this installation running already? Choose another port.", err=True)
            return 1
        try:
            self._prepare()
        except installation.WrongKind as error:
            click.echo(str(error), err=True)
            return 1
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it, and so do we then.
            signal.signal(signal.SIGHUP, self._stop)
        for child in self._children:
            child.start(self._environment)
        try:
            if not self._wait_until_ready():
                return 0 if self._stopping else 1
            self._say_where()
            while not self._stopping:
                self._watch()
                time.sleep(0.2)
        finally:
            self._end()
        return 0

    def _commands(self) -> list[tuple[str, list[str]]]:
        s, bin_folder = self._settings, Path(sys.executable).parent
        granian = [str(bin_folder / "granian"), "--interface", "wsgi", "--host", s.host, "--no-ws"]
        granian += ["--workers", "1", "--blocking-threads", "64", "--respawn-failed-workers", "--log-level", "error"]
        celery = [sys.executable, "-m", "celery", "--quiet", "-A", "workers.main", "worker", "-P", "threads", "-c", "4"]
        celery += ["--loglevel", "warning", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        return [
            ("portal", [*granian, "--port", str(s.portal_port), "portal.wsgi:app"]),
            ("taxii", [*granian, "--port", str(s.taxii_port), "taxii_server.wsgi:app"]),
            ("worker", celery),
        ]

    def _child(self, name: str, command: list[str]) -> _Child:
        return _Child(name, command, self._logs / f"{name}.log")

    def _ports_taken(self) -> int | None:
        for port in (self._settings.portal_port, self._settings.taxii_port):
            family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self._settings.host, port))
                except OSError:
                    return port
        return None

    def _prepare(self) -> None:
        click.echo("preparing the stores ...", err=True)
        self._settings.var.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._logs.mkdir(mode=0o700, exist_ok=True)
        # What an earlier run left in the embedded queue is rung for again from the outbox.
        shutil.rmtree(self._settings.var / "queue", ignore_errors=True)
        stores = open_stores(self._settings)
        installation.prepare(stores, self._settings, now=utcnow())
        stores.close()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _wait_until_ready(self) -> bool:
        click.echo("starting ...", err=True)
        deadline = time.monotonic() + _READY_WITHIN_S
        waiting = [self._settings.portal_url, self._settings.taxii_url.removesuffix("/taxii2/")]
        while waiting and not self._stopping:
            waiting = [url for url in waiting if not _answers(f"{url}/healthz")]
            if any(not child.running for child in self._children) or time.monotonic() > deadline:
                click.echo(f"did not start; the logs are in {self._logs}", err=True)
                return False
            time.sleep(0.1)
        return not self._stopping

    def _say_where(self) -> None:
        s = self._settings
        click.echo(f"portal    {s.portal_url}/")
        click.echo(f"API       {s.portal_url}/api/v1/openapi.json")
        click.echo(f"TAXII     {s.taxii_url}")
        if s.installation is Installation.DEMO:
            click.echo(f"accounts  {s.demo_accounts}  (invented; random passwords and keys)")
        click.echo(f"logs      {self._logs}")
        click.echo("Ctrl-C stops everything.")
        sys.stdout.flush()

    def _watch(self) -> None:
        """Start again what ended: at once, then more slowly while it keeps ending."""
        now = time.monotonic()
        for child in self._children:
            if child.running:
                if now - child.started > _STEADY_AFTER_S:
                    child.failures = 0
            elif child.restart_at == 0.0:
                child.signal(signal.SIGKILL)
                child.restart_at = now + _RESTART_AFTER_S[min(child.failures, len(_RESTART_AFTER_S) - 1)]
                child.failures += 1
                click.echo(f"{child.name} ended; starting it again", err=True)
            elif now >= child.restart_at:
                child.restart_at = 0.0
                child.start(self._environment)

    def _end(self) -> None:
        for child in self._children:
            child.signal(signal.SIGTERM)
        with suppress(OSError):  # The terminal may be gone.
            click.echo("stopping ...", err=True)
        deadline = time.monotonic() + _STOP_WITHIN_S
        while any(child.running for child in self._children) and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in self._children:
            child.signal(signal.SIGKILL)


# Without these the allocator maps and unmaps every page of the feed of about 1 MB.
_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "268435456",
    "MALLOC_TOP_PAD_": "33554432",
    "MALLOC_ARENA_MAX": "1",
}


def _end_with_parent() -> None:
    """A child whose supervisor is killed gets SIGTERM from the kernel, where the kernel is Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _answers(url: str) -> bool:
    opener: Callable[..., object] = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    try:
        opener(url, timeout=2)
    except urllib.error.HTTPError as error:
        click.echo(f"{url}: {error.read().decode(errors='replace')}", err=True)
        return False
    except OSError:
        return False
    return True
