"""What a single indicator is, and its one normal form; no context is looked at here."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Literal

import idna
import tldextract

Kind = Literal[
    "ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "md5", "sha1", "sha256", "sha512", "vulnerability"
]

_HASHES: dict[int, Kind] = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[^\[\]:]{1,253}):?((?<=:)\d{0,5})?")
_QUAD = re.compile(r"(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")

# With any other arguments it would fetch the list from the network instead of reading the packaged one.
_suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


@lru_cache(maxsize=4096)
def public_name(name: str, documentation_is_real: bool) -> str | None:
    """The A-label form of a name below a public suffix, or None."""
    try:
        name = name.strip(".").lower()
        name = name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
    except UnicodeError:
        return None
    labels = name.split(".")
    if len(labels) < 2 or len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        return None
    if labels[-1] == "example":
        return name if documentation_is_real else None
    parts = _suffixes(name)
    return name if parts.suffix and parts.domain and labels[-1] != "arpa" else None


def ipv4(token: str) -> str | None:
    """Not 0.x.x.x and 255.x.x.x, which are masks and placeholders and never somebody's address."""
    if _QUAD.fullmatch(token) is None or token.startswith(("0.", "255.")):
        return None
    return token if all(int(octet) < 256 for octet in token.split(".")) else None


def ipv6(token: str) -> str | None:
    """RFC 5952 form, or None; times, MAC and EUI-64 addresses and C++ names are not meant."""
    token = token.partition("%")[0]
    groups = token.split(":")
    looks = token.startswith(("::", "64:ff9b:")) or 3 <= len(groups[0]) <= 4
    if not (3 <= len(groups) <= 9 and looks and any(map(str.isdigit, token)) and len(token) <= 45):
        return None
    try:
        address = ipaddress.IPv6Address(token)
    except ValueError:
        return None
    return f"::ffff:{address.ipv4_mapped}" if address.ipv4_mapped else str(address)


def live_scheme(word: str) -> str:
    word = word.lower()
    secure = "s" if word.endswith("ps") or word == "meows" else ""
    if word.startswith(("h", "t")) and word.rstrip("s").endswith("p") and word not in {"tcp", "tftp"}:
        return "http" + secure
    return "http" + secure if word.startswith("meow") else word.replace("fxp", "ftp")


def host_text(authority: str, real: bool) -> str | None:
    """Host and port in normal form, without user; None if it is no public host."""
    match = _HOST_AND_PORT.fullmatch(authority.rpartition("@")[2])
    if match is None or int(match[2] or 0) > 65535:
        return None
    host = match[1]
    if host.startswith("["):
        address = ipv6(host[1:-1])
        host_text = f"[{address}]" if address else None
    else:
        host_text = ipv4(host) or public_name(host, real)
    return host_text and host_text + (f":{match[2]}" if match[2] else "")


def host_of(url: str) -> str:
    """The host of a URL in lower case, without port, brackets and final dot; empty if there is none."""
    authority = re.split(r"[/?#\\]", url.partition("://")[2], maxsplit=1)[0]
    match = _HOST_AND_PORT.fullmatch(authority.rpartition("@")[2])
    return match[1].strip("[]").rstrip(".").lower() if match else ""


def hash_kind(token: str) -> Kind | None:
    kind = _HASHES.get(len(token))
    return kind if kind and re.fullmatch("[0-9A-Fa-f]+", token) and len(set(token)) > 3 else None


@lru_cache(maxsize=4096)
def is_public_suffix(name: str) -> bool:
    """Whether strangers register their names right below it: com, co.jp, but also a hosting service's."""
    for private in (False, True):
        parts = _suffixes(name, include_psl_private_domains=private)
        if name and parts.suffix == name:
            return True
    return False
