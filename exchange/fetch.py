"""The only place that opens connections to the outside: to one public address, in time, and never further than that.

Whoever gives us a URL must not learn by it what else our machine can reach. So https alone, the name looked up once and
that very address connected to, no address but global unicast, no redirect, no proxy of the environment.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

DEADLINE_S: Final = 10.0
MOST_BYTES: Final = 64 * 1024
LONGEST_URL: Final = 2048
_THIS_MACHINE: Final = "127.0.0.1"
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# `is_global` leaves some in: what tunnels and translators turn into an address of ours, and what is for groups.
_UNICAST_6: Final = ipaddress.IPv6Network("2000::/3")
_INDIRECT: Final = tuple(
    ipaddress.ip_network(one)
    for one in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "2001:db8::/32", "3fff::/20")
)


class NotFetched(Exception):
    """Nothing usable came back. `code`: bad-url, unknown-host, not-public, unreachable, too-slow or too-large."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Target:
    """Where a URL leads to."""

    host: str
    port: int
    path: str
    https: bool


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    body: bytes


def target_of(url: str, *, this_machine: bool) -> Target:
    """What a URL says, looked at and not looked up. Raises: NotFetched (bad-url, not-public).

    Args:
        this_machine: whether http://127.0.0.1 may be meant, as in an exercise; everything else is https.
    """
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise NotFetched("bad-url")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise NotFetched("bad-url") from None
    local = this_machine and parts.scheme == "http" and host == _THIS_MACHINE
    right = (parts.scheme == "https" or local) and _HOST.fullmatch(host) and port != 0
    if not right or "@" in parts.netloc or parts.fragment or "\\" in url:
        raise NotFetched("bad-url")
    if not local and (named := _address(host)) is not None and not is_public(named):
        raise NotFetched("not-public")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(host, port or (80 if local else 443), path, https=not local)


def is_public(address: _Address) -> bool:
    """Whether this is one machine on the open internet, reached directly."""
    if any(address in network for network in _INDIRECT):
        return False
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST_6:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def post(url: str, body: bytes, headers: Mapping[str, str], *, this_machine: bool = False) -> Answer:
    """Send one request and read its answer, within 10 seconds in all.

    Raises: NotFetched; an answer of more than 64 kB, its headers counted in, is none.
    """
    target, deadline = target_of(url, this_machine=this_machine), monotonic() + DEADLINE_S
    found = _addresses(target, deadline)
    if target.https and not all(is_public(one) for one in found):
        raise NotFetched("not-public")
    try:
        with closing(_connected(target, found[0], deadline)) as sock:
            return _exchanged(target, _Line(sock, deadline), body, headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotFetched("too-slow" if monotonic() >= deadline else "unreachable") from error


def _exchanged(target: Target, line: _Line, body: bytes, headers: Mapping[str, str]) -> Answer:
    kind = http.client.HTTPSConnection if target.https else http.client.HTTPConnection
    connection = kind(target.host, target.port)
    connection.sock = line
    connection.request("POST", target.path, body, {"Connection": "close", **headers})
    with closing(connection.getresponse()) as response:
        return Answer(response.status, response.read(MOST_BYTES))


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _addresses(target: Target, deadline: float) -> list[_Address]:
    """Every address of the host. A resolver cannot be interrupted, so it is left behind when it takes too long."""
    found: SimpleQueue[list[_Address]] = SimpleQueue()
    Thread(target=lambda: found.put(_resolved(target)), name="resolver", daemon=True).start()
    try:
        addresses = found.get(timeout=max(0.0, deadline - monotonic()))
    except Empty:
        raise NotFetched("too-slow") from None
    if not addresses:
        raise NotFetched("unknown-host")
    return addresses


def _resolved(target: Target) -> list[_Address]:
    try:
        rows = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(row[4][0]) for row in rows]


def _connected(target: Target, address: _Address, deadline: float) -> socket.socket:
    plain = socket.create_connection((str(address), target.port), timeout=_left(deadline))
    if not target.https:
        return plain
    try:
        plain.settimeout(_left(deadline))
        # The certificate must be for the name of the URL, whatever its address.
        return ssl.create_default_context().wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise NotFetched("too-slow")
    return left


class _Line:
    """A connected socket as `http.client` uses one. Out of time it fails; who made it closes it."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def sendall(self, content: bytes) -> None:
        """Send everything."""
        waiting = memoryview(content)
        while waiting:
            self._sock.settimeout(_left(self._deadline))
            waiting = waiting[self._sock.send(waiting) :]

    def receive(self, buffer: Any) -> int:
        """Wait for something, and put it into the buffer."""
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What is read from."""
        return io.BufferedReader(_Metered(self))

    def close(self) -> None:
        """Whoever reads may not be done yet."""


class _Metered(io.RawIOBase):
    """What comes over a line, and no more of it than is taken."""

    def __init__(self, line: _Line) -> None:
        self._line, self._may_read = line, MOST_BYTES

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What has come."""
        size = self._line.receive(buffer)
        self._may_read -= size
        if self._may_read < 0:
            raise NotFetched("too-large")
        return size
