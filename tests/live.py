"""A real installation for a test: its processes, its addresses, its clients. Ends only what it started."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
import requests
from requests.auth import AuthBase
from taxii2client.v21 import Collection, Server, as_pages

NOROSHI = Path(sys.executable).with_name("noroshi")
Json = dict[str, Any]


Answer = TypeVar("Answer")


def until(condition: Callable[[], Answer | None], within_s: float = 30.0) -> Answer:
    """The first answer of `condition` that is true. Raises: AssertionError with the last one after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"still {answer!r} after {within_s:.0f} s"
        time.sleep(0.05)
    return answer


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


# --- processes -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Process:
    """A running process, as /proc shows it."""

    pid: int
    parent: int
    group: int
    command: str

    @property
    def leads(self) -> bool:
        """Whether the supervisor started it itself: each of its programs has a group of its own."""
        return self.pid == self.group

    def kill(self) -> None:
        """SIGKILL, to this process alone."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _processes_with(variable: str) -> Iterator[Process]:
    """Every running process that was started with this `NAME=value` in its environment, orphans included."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                state, parent, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if state not in "ZX":
                    yield Process(int(folder.name), int(parent), int(group), command)
        except OSError:  # It ended meanwhile, or is somebody else's.
            continue


class Installation:
    """`noroshi start` in a folder, in a session of its own."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder, self.var = folder, folder / "var"
        chosen = {"NOROSHI_PORTAL_PORT": str(free_port()), "NOROSHI_TAXII_PORT": str(free_port())} | environ
        self.environ = {name: text for name, text in os.environ.items() if not name.startswith("NOROSHI_")} | chosen
        self.environ |= {"PYTHONUNBUFFERED": "1", "LANG": "en_US.UTF-8"}
        self.portal_url = f"http://127.0.0.1:{chosen['NOROSHI_PORTAL_PORT']}"
        self.taxii_url = f"http://127.0.0.1:{chosen['NOROSHI_TAXII_PORT']}/taxii2/"
        self.supervisor: subprocess.Popen[bytes] | None = None
        if not Path("/proc/self/environ").exists():
            pytest.skip("what runs is read from /proc, which this system has not")

    def start(self) -> None:
        """Returns when both doors answer."""
        with self.said.open("wb") as out:
            self.supervisor = started = subprocess.Popen(
                [NOROSHI, "start"], cwd=self.folder, env=self.environ, stdout=out, stderr=out, start_new_session=True
            )
        until(lambda: "Ctrl-C" in self.said.read_text() or started.poll() is not None, 90)
        assert started.poll() is None, self.logs()

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ask the supervisor alone to stop, as a person does; returns its exit code."""
        assert self.supervisor is not None
        self.supervisor.send_signal(number)
        return self.supervisor.wait(timeout=30)

    def end(self) -> None:
        """Whatever happened, nothing of it stays."""
        if self.supervisor is not None and self.supervisor.poll() is None:
            self.stop(signal.SIGTERM)
        for process in self.processes():
            process.kill()

    def processes(self, word: str = "") -> list[Process]:
        """What runs of it, orphans included, with this word in the command line."""
        own = f"NOROSHI_PORTAL_PORT={self.environ['NOROSHI_PORTAL_PORT']}"
        return [one for one in _processes_with(own) if word in one.command]

    def run(self, *command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """One `noroshi` command with the settings of this installation."""
        return subprocess.run(
            [NOROSHI, *command],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environ,
            timeout=60,
            check=False,
        )

    @property
    def said(self) -> Path:
        """What the supervisor printed."""
        return self.folder / "said.txt"

    def logs(self) -> str:
        """All that was printed and logged, for a failing test."""
        files = [self.said, *sorted(self.var.glob("log/*.log"))]
        return "\n".join(f"--- {file.name}\n{file.read_text()[-4000:]}" for file in files if file.exists())

    @property
    def accounts(self) -> dict[str, Json]:
        """A demonstration's accounts by user name."""
        return {row["username"]: row for row in json.loads((self.var / "demo-accounts.json").read_text())}

    def key(self, username: str) -> str:
        """The key of a demonstration's account."""
        return str(self.accounts[username]["api_key"])


@contextmanager
def running(folder: Path, **environ: str) -> Iterator[Installation]:
    """An installation that answers, and that is gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    installation = Installation(folder, **environ)
    try:
        installation.start()
        yield installation
    finally:
        installation.end()


# --- clients -------------------------------------------------------------------------------------------


def post_report(portal_url: str, key: str, answers: Mapping[str, Any], *, idempotency_key: str = "") -> Json:
    """File a report and return its receipt.

    Raises: requests.RequestException if no receipt came; the same key may then be sent again.
    """
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": idempotency_key or str(uuid4())}
    response = requests.post(f"{portal_url}/api/v1/reports", json=answers, headers=headers, timeout=30)
    response.raise_for_status()
    assert response.status_code == 201
    receipt: Json = response.json()
    return receipt


class Bearer(AuthBase):
    """The key alone, in the header."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


@contextmanager
def polling(taxii_url: str, auth: AuthBase) -> Iterator[dict[str, Collection]]:
    """The collections of the default API root that this account may read, by alias."""
    with Server(taxii_url, auth=auth) as server, server.default:
        yield {one.alias: one for one in server.default.collections}


def walk(collection: Collection, *, per_page: int = 100, **filters: Any) -> list[Json]:
    """Every object, page after page to the end."""
    return [
        one
        for envelope in as_pages(collection.get_objects, per_request=per_page, **filters)
        for one in envelope.get("objects", ())
    ]
