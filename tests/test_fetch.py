"""Connections to the outside: where they may lead, how long they may take, and how much may come back."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exchange import fetch
from exchange.fetch import NotFetched

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def serving(answer: Callable[[socket.socket], object], tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list]]:
    """A server of one connection; gives its port, and what it read first."""
    heard: list[bytes] = []

    def serve() -> None:
        try:
            peer = listening.accept()[0]
            peer.settimeout(20)
            with closing(tls.wrap_socket(peer, server_side=True) if tls else peer) as talking:
                heard.append(request_from(talking))
                answer(talking)
        except OSError:
            return

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(20)
        thread = Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1], heard
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(20)


def request_from(peer: socket.socket) -> bytes:
    """Everything up to the body; what is no HTTP as far as it came at once."""
    heard = peer.recv(65_536)
    while heard.startswith(b"POST") and not heard.endswith(b"\r\n\r\n{}") and (piece := peer.recv(65_536)):
        heard += piece
    return heard


def saying(content: bytes) -> Callable[[socket.socket], object]:
    return lambda peer: peer.sendall(content)


def post(url: str, **more: Any) -> fetch.Answer:
    return fetch.post(url, b"{}", {"Content-Type": "application/json"}, **more)


def refusal(url: str, **more: Any) -> str:
    with pytest.raises(NotFetched) as refused:
        post(url, **more)
    return refused.value.code


# --- where to ------------------------------------------------------------------------------------------

NOT_PUBLIC = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_one_machine_on_the_open_internet_is_not_public(address: str) -> None:
    assert not fetch.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "100.63.255.255", "100.128.0.1", "2606:4700::1111", "2400:8902::1"])
def test_ordinary_addresses_are_public(address: str) -> None:
    assert fetch.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", [one for one in NOT_PUBLIC if "%" not in one])
def test_such_an_address_is_refused_in_a_url_and_behind_a_name(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host = f"[{address}]" if ":" in address else address
    assert refusal(f"https://{host}/hook") == "not-public"
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (address, 443))])
    assert refusal("https://hooks.example/") == "not-public"


def test_one_inner_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(0, 0, 0, "", ("8.8.8.8", 443)), (0, 0, 0, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    assert refusal("https://hooks.example/") == "not-public"


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "LOCALHOST."])
def test_no_spelling_of_this_machine_gets_through(host: str) -> None:
    assert refusal(f"https://{host}/") in {"not-public", "unknown-host"}
    assert refusal(f"https://{host}/", this_machine=True) in {"not-public", "unknown-host"}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "//hooks.example/",
        "http://hooks.example/",
        "http://127.0.0.1:80/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "https://",
        "https:///x",
        "https://user@hooks.example/",
        "https://user:word@hooks.example/",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://hooks.example:x/",
        "https://hooks.example/#part",
        "https://hooks.example\\@10.0.0.1/",
        "https://hooks.example/a b",
        "https://hooks.example/\r\nX: y",
        "https://hooks.example\t/",
        "https://ｈooks.example/",
        "https://hooks%2eexample/",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://hooks.example/" + "x" * 2048,
    ],
)
def test_what_is_not_a_plain_https_address_is_refused_before_anything_is_looked_up(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _never)
    assert refusal(url) == "bad-url"


def _never(*_: object, **__: object) -> None:
    raise AssertionError("nothing may be looked up")


@pytest.mark.parametrize("url", ["http://localhost/", "http://127.0.0.2/", "http://10.0.0.1/", "http://[::1]/"])
def test_an_exercise_reaches_this_machine_and_no_other_without_tls(url: str) -> None:
    assert refusal(url, this_machine=True) == "bad-url"


def test_a_name_that_does_not_exist_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert refusal("https://hooks.example/") == "unknown-host"


# --- what is said and heard ----------------------------------------------------------------------------


def test_a_request_arrives_whole_and_its_answer_comes_back() -> None:
    with serving(saying(OK)) as (port, heard):
        answer = post(f"http://127.0.0.1:{port}/hook?a=b", this_machine=True)
    assert (answer.status, answer.body) == (200, b"ok")
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook?a=b HTTP/1.1\r\n") and body == b"{}"
    assert f"Host: 127.0.0.1:{port}".encode() in head and b"Content-Type: application/json" in head


def test_a_redirect_is_an_answer_and_leads_nowhere() -> None:
    with serving(saying(OK)) as (inner, unheard):
        moved = f"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:{inner}/\r\nContent-Length: 0\r\n\r\n"
        with serving(saying(moved.encode())) as (port, _):
            assert post(f"http://127.0.0.1:{port}/", this_machine=True).status == 307
    assert unheard == []


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(saying(OK)) as (proxy, unheard), serving(saying(OK)) as (port, heard):
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        post(f"http://127.0.0.1:{port}/", this_machine=True)
    assert heard and unheard == []


LARGE = {
    "a long body": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70_000,
    "a body announced as endless": b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n" + b"x" * 70_000,
    "endless headers": b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 2000) for n in range(40)),
    "a chunk of a negative size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n" + b"x" * 70_000,
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000,
}


@pytest.mark.parametrize("name", LARGE)
def test_more_than_64_kb_is_no_answer(name: str) -> None:
    with serving(saying(LARGE[name])) as (port, _):
        assert refusal(f"http://127.0.0.1:{port}/", this_machine=True) in {"too-large", "unreachable"}


@pytest.mark.parametrize("said", [b"", b"\x00", b"HTTP/1.1 abc\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 2\r\n\r\n"])
def test_what_is_no_http_is_no_answer(said: bytes) -> None:
    with serving(saying(said)) as (port, _):
        assert refusal(f"http://127.0.0.1:{port}/", this_machine=True) == "unreachable"


def test_nobody_there_is_unreachable() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    assert refusal(f"http://127.0.0.1:{port}/", this_machine=True) == "unreachable"


def test_an_answer_that_drips_ends_at_the_deadline_and_not_with_the_last_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each drop comes in time; the time of all is what counts."""
    monkeypatch.setattr(fetch, "DEADLINE_S", 0.5)

    def drip(peer: socket.socket) -> None:
        peer.settimeout(0.05)
        for letter in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000:
            peer.sendall(bytes([letter]))
            try:
                if peer.recv(1) == b"":
                    return
            except TimeoutError:
                continue

    with serving(drip) as (port, _):
        assert refusal(f"http://127.0.0.1:{port}/", this_machine=True) == "too-slow"


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Event

    answered = Event()
    monkeypatch.setattr(fetch, "DEADLINE_S", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(20) and [])
    assert refusal("https://hooks.example/") == "too-slow"
    answered.set()


# --- certificates --------------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server that is hooks.example, trusted by this process; the name leads to this machine, as if it were public."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    named = x509.SubjectAlternativeName([x509.DNSName("hooks.example")])
    signed = made.add_extension(named, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "both.pem").write_bytes(signed.public_bytes(Encoding.PEM) + private)
    (tmp_path / "trusted.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    monkeypatch.setattr(fetch, "is_public", lambda _: True)
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **more: real("127.0.0.1", *rest, **more))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    return context


def test_a_server_that_proves_its_name_is_talked_to(tls: ssl.SSLContext) -> None:
    with serving(saying(OK), tls) as (port, heard):
        assert post(f"https://hooks.example:{port}/").status == 200
    assert f"Host: hooks.example:{port}".encode() in heard[0]


def test_a_certificate_for_another_name_is_refused_and_nothing_is_said(tls: ssl.SSLContext) -> None:
    with serving(saying(OK), tls) as (port, heard):
        assert refusal(f"https://other.example:{port}/") == "unreachable"
    assert heard == []


def test_a_certificate_that_nobody_vouches_for_is_refused(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with serving(saying(OK), tls) as (port, heard):
        assert refusal(f"https://hooks.example:{port}/") == "unreachable"
    assert heard == []


def test_a_server_without_tls_is_not_talked_to_over_https(tls: ssl.SSLContext) -> None:
    with serving(saying(OK)) as (port, heard):
        assert refusal(f"https://hooks.example:{port}/") == "unreachable"
    assert b"POST" not in b"".join(heard)
