"""Extractors as processes that answer one text at a time, and are ended when they take too long."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.extraction_sets import Value
from bench.servers import ROOT

OURS = "Noroshi"
_PEERS = ("iocextract==1.16.1", "ioc-finder==9.4.1", "iocsearcher==3.1.0")
# iocextract imports it without asking for it.
_MISSING = (f"requests=={version('requests')}",)
_STARTED_WITHIN_S = 120.0


@dataclass(frozen=True)
class Answer:
    """What an extractor found in a text, and how long it took; None: it was ended, or it broke."""

    found: frozenset[Value]
    seconds: float | None


class Extractor:
    """One library in a process of its own, started when it is asked and again after it was ended."""

    def __init__(self, name: str, python: Path) -> None:
        self.name, self._python = name, python
        self._process: subprocess.Popen[bytes] | None = None

    def answers(self, texts: Iterable[str], *, within_s: float) -> list[Answer]:
        """One for each text."""
        return [self._answer(text, within_s) for text in texts]

    def close(self) -> None:
        """End the process."""
        if self._process:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def _answer(self, text: str, within_s: float) -> Answer:
        line = self._line(text, within_s)
        if not line:
            self.close()
            return Answer(frozenset(), None)
        told = json.loads(line)
        return Answer(frozenset((kind, value) for kind, value in told["found"]), told["seconds"])

    def _line(self, text: str, within_s: float) -> bytes:
        process = self._process or self._started()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(text).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            return b""
        return _read(process, within_s)

    def _started(self) -> subprocess.Popen[bytes]:
        """Ready: what it loads first is no part of any measurement."""
        self._process = subprocess.Popen(
            [self._python, ROOT / "bench" / "extraction_app.py", self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": str(ROOT) if self.name == OURS else ""},
        )
        if not _read(self._process, _STARTED_WITHIN_S):
            raise RuntimeError(f"{self.name} does not start")
        return self._process


def _read(process: subprocess.Popen[bytes], within_s: float) -> bytes:
    """The next line, or nothing."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if waiting.select(within_s) else b""


def extractors(cache: Path, *, with_peers: bool) -> list[Extractor]:
    """Ours, and the three libraries, installed from PyPI into an environment below `cache` once."""
    ours = Extractor(OURS, Path(sys.executable))
    if not with_peers:
        return [ours]
    python = _environment(cache / "venv-extraction", [*_PEERS, *_MISSING])
    return [ours, *(Extractor(peer.partition("==")[0], python) for peer in _PEERS)]


def _environment(folder: Path, wanted: Sequence[str]) -> Path:
    """The Python of an environment with these distributions; made once, used again later."""
    stamp, listed, python = folder / "installed.txt", "\n".join(wanted), folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != listed:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *wanted], check=True, stderr=subprocess.DEVNULL)
        stamp.write_text(listed)
    return python
