"""A poller that costs little, the same for every server; it runs in processes of its own.

The clock runs from the first byte sent to the last byte received. What the poller does with a page comes after that.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import orjson

_NEXT = re.compile(rb'"next": ?"([^"]+)"')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_ADDED = re.compile(rb"\r\nx-taxii-date-added-last: *([^\r]+)", re.IGNORECASE)
_BUFFER_BYTES = 16_000_000
_MEDIA_TYPE = "application/taxii+json;version=2.1"


@dataclass(frozen=True)
class Target:
    """Where a server is asked, and as whom."""

    name: str
    port: int
    objects: str
    authorization: str = ""

    @property
    def root(self) -> str:
        """The path of the API root."""
        return self.objects.partition("collections/")[0]

    @property
    def manifest(self) -> str:
        """The path of the collection's manifest."""
        return self.objects.removesuffix("objects/") + "manifest/"


@dataclass(frozen=True)
class Answer:
    """One answer, and the seconds that it took."""

    status: int
    seconds: float
    head: bytes
    body: bytes


@dataclass
class Walk:
    """Pages in their order, as one poller got them.

    Attributes:
        tokens: what the page was asked for with; empty for the first.
        added: `date_added` of the last object of each page, where the server says it.
        ids: of every object, if they were asked for.
    """

    seconds: list[float] = field(default_factory=list)
    objects: int = 0
    tokens: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    next: str = ""


def walk(target: Target, limit: int, *, start: str = "", pages: int = 0, keep_ids: bool = False) -> Walk:
    """Follow `next` from `start`, to the end or for so many pages."""
    found = Walk(next=start)
    with _connected(target) as connection:
        while not pages or len(found.seconds) < pages:
            answer = connection.get(_page(target, limit, found.next))
            found.tokens.append(found.next)
            _add(found, answer, keep_ids)
            if not found.next:
                break
    return found


def ask(target: Target, paths: Sequence[str], *, encoding: str = "identity") -> list[tuple[float, int]]:
    """(seconds, bytes of the body) of each path, on one connection."""
    with _connected(target) as connection:
        answers = (connection.get(path, encoding) for path in paths)
        return [(answer.seconds, len(answer.body)) for answer in answers]


def fetch(target: Target, path: str) -> bytes:
    """The body of one answer."""
    with _connected(target) as connection:
        return connection.get(path).body


def post(target: Target, envelopes: Iterable[bytes], status_path: str) -> tuple[list[float], float]:
    """Send each; (seconds until its 202, seconds from the first byte until all statuses are complete)."""
    start = time.perf_counter()
    with _connected(target) as connection:
        taken = [connection.send("POST", target.objects, body=body, expected=202) for body in envelopes]
        for answer in taken:
            path = status_path + orjson.loads(answer.body)["id"] + "/"
            while orjson.loads(connection.get(path).body)["status"] != "complete":
                time.sleep(0.01)
    return [answer.seconds for answer in taken], time.perf_counter() - start


def _page(target: Target, limit: int, token: str) -> str:
    return f"{target.objects}?limit={limit}" + (f"&next={token}" if token else "")


def _add(found: Walk, answer: Answer, keep_ids: bool) -> None:
    found.seconds.append(answer.seconds)
    found.objects += answer.body.count(b'"spec_version"')
    # An envelope says it before or after its objects.
    token = _NEXT.search(answer.body[:400]) or _NEXT.search(answer.body[-400:])
    found.next = token[1].decode() if token else ""
    added = _LAST_ADDED.search(answer.head)
    found.added.append(added[1].decode() if added else "")
    if keep_ids:
        found.ids += [one["id"] for one in orjson.loads(answer.body).get("objects", ())]


class UnexpectedAnswer(Exception):
    """A server answered with another status than the benchmark relies on."""


class _Connection:
    """HTTP/1.1 with keep-alive, over a plain socket."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._socket = socket.create_connection(("127.0.0.1", target.port), timeout=900)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer, self._filled = memoryview(bytearray(_BUFFER_BYTES)), 0

    def close(self) -> None:
        self._socket.close()

    def get(self, path: str, encoding: str = "identity") -> Answer:
        return self.send("GET", path, encoding=encoding)

    def send(
        self, method: str, path: str, *, encoding: str = "identity", body: bytes = b"", expected: int = 200
    ) -> Answer:
        request = self._request(method, path, encoding, body)
        self._filled, start = 0, time.perf_counter()
        self._socket.sendall(request)
        head, parts = self._receive()
        seconds = time.perf_counter() - start
        answer = Answer(int(head[9:12]), seconds, head, b"".join(parts))
        if answer.status != expected:
            raise UnexpectedAnswer(f"{self._target.name}: {method} {path}: {answer.status} {answer.body[:300]!r}")
        return answer

    def _request(self, method: str, path: str, encoding: str, body: bytes) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Accept: {_MEDIA_TYPE}"]
        lines += [f"Accept-Encoding: {encoding}"]
        lines += [f"Authorization: {self._target.authorization}"] if self._target.authorization else []
        lines += [f"Content-Type: {_MEDIA_TYPE}", f"Content-Length: {len(body)}"] if body else []
        return "\r\n".join([*lines, "", ""]).encode() + body

    def _receive(self) -> tuple[bytes, list[memoryview]]:
        end = self._find(b"\r\n\r\n", 0) + 4
        head = bytes(self._buffer[:end])
        if length := _LENGTH.search(head):
            self._fill(end + int(length[1]))
            return head, [self._buffer[end : end + int(length[1])]]
        return head, list(self._chunks(end))

    def _chunks(self, at: int) -> Iterator[memoryview]:
        while True:
            start = self._find(b"\r\n", at) + 2
            size = int(bytes(self._buffer[at : start - 2]), 16)
            self._fill(start + size + 2)
            if size == 0:
                return
            yield self._buffer[start : start + size]
            at = start + size + 2

    def _find(self, wanted: bytes, at: int) -> int:
        """Where `wanted` is in the first bytes after `at`; receives until it is there."""
        while (found := bytes(self._buffer[at : min(self._filled, at + 8192)]).find(wanted)) < 0:
            self._fill(self._filled + 1)
        return at + found

    def _fill(self, end: int) -> None:
        while self._filled < end:
            received = self._socket.recv_into(self._buffer[self._filled :])
            if not received:
                raise ConnectionError(f"{self._target.name} closed the connection")
            self._filled += received


@contextmanager
def _connected(target: Target) -> Iterator[_Connection]:
    connection = _Connection(target)
    try:
        yield connection
    finally:
        connection.close()
