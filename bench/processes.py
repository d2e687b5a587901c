"""A running server: its processes, what processor time they took, and how much memory they hold."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS_S = os.sysconf("SC_CLK_TCK")
_READY_WITHIN_S = 60.0


@dataclass(frozen=True)
class Running:
    """A program in a process group of its own."""

    process: subprocess.Popen[bytes]

    def processor_s(self) -> float:
        """What it took so far, with its children."""
        return sum(map(processor_s, self._pids()))

    def resident_mib(self) -> float:
        """The memory of the largest of its processes: with one worker, the worker."""
        return max(map(_resident_mib, self._pids()))

    def _pids(self) -> Iterator[int]:
        waiting = [self.process.pid]
        while waiting:
            pid = waiting.pop()
            yield pid
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += map(int, task.read_text().split())


def processor_s(pid: int) -> float:
    """utime and stime of a process of this machine, in seconds; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_S


def _resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str | Path], environ: Mapping[str, str], log: Path, cwd: Path) -> Iterator[Running]:
    """Start a program, and end it and all that it started."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(command), env=dict(environ), cwd=cwd, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield Running(process)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, within_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, number)
            process.wait(within_s)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


class DidNotStart(Exception):
    """A server ended, or gave no answer in time."""


def wait_for(server: Running, port: int, log: Path) -> None:
    """Return when somebody listens. Raises: DidNotStart with the end of the log."""

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    _until(listens, lambda: server.process.poll() is not None, log)


def _until(done: Callable[[], bool], failed: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while not done():
        if failed() or time.monotonic() > deadline:
            raise DidNotStart(log.read_text(errors="replace")[-2000:])
        time.sleep(0.05)
