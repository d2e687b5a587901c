"""What a single indicator is, and its one normal form; no context is looked at here."""

from __future__ import annotations

import ipaddress
import re
from functools import cache, lru_cache
from typing import Literal

import idna
import tldextract

Kind = Literal[
    "ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "md5", "sha1", "sha256", "sha512", "vulnerability"
]
OtherKind = Literal[
    "attack-pattern",
    "autonomous-system",
    "cryptocurrency-wallet",
    "file-name",
    "ipv4-cidr",
    "ipv6-cidr",
    "mac-addr",
    "onion-address",
    "user-agent",
    "windows-registry-key",
    "x-mitre-tactic",
]

HASHES: dict[int, Kind] = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[^\[\]:]{1,253}):?((?<=:)\d{0,5})?")
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_QUAD = re.compile(rf"(?!0\.|255\.){_OCTET}(?:\.{_OCTET}){{3}}")
_LABELS = re.compile(r"[a-z0-9_-]{1,63}+(?:(?<!-)\.(?!-)[a-z0-9_-]{1,63}+)++")
_HEX = re.compile("[0-9A-Fa-f]+")

# With any other arguments it would fetch the list from the network instead of reading the packaged one.
_suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


@cache
def _rules() -> tuple[frozenset[str], frozenset[str]]:
    """The rules of the public suffix list as A-labels, and the last labels of all of them."""
    rules = frozenset(rule if rule.isascii() else idna.encode(rule, uts46=True).decode() for rule in _suffixes.tlds)
    return rules, frozenset(rule.rpartition(".")[2] for rule in rules) - {"arpa"}


@lru_cache(maxsize=4096)
def public_name(name: str, documentation_is_real: bool) -> str | None:
    """The A-label form of a name below a public suffix, or None."""
    try:
        name = name.strip(".").lower()
        name = name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
    except UnicodeError:
        return None
    rules, endings = _rules()
    above, ending = name.partition(".")[2], name.rpartition(".")[2]
    if len(name) > 253 or name.startswith("-") or _LABELS.fullmatch(name) is None:
        return None
    if ending == "example":
        return name if documentation_is_real else None
    is_suffix = name in rules or (f"*.{above}" in rules and f"!{name}" not in rules)
    is_registrable = "_" not in name.rsplit(".", 2)[-2]
    return name if ending in endings and is_registrable and not is_suffix else None


def ipv4(token: str) -> str | None:
    """Not 0.x.x.x and 255.x.x.x, which are masks and placeholders and never somebody's address."""
    return token if _QUAD.fullmatch(token) else None


@lru_cache(maxsize=4096)
def ipv6(token: str) -> str | None:
    """RFC 5952 form, or None; times, MAC and EUI-64 addresses and C++ names are not meant."""
    if not 2 <= token.count(":") <= 8:
        return None
    token = token.partition("%")[0]
    looks = token.startswith(("::", "64:ff9b:")) or 3 <= token.index(":") <= 4
    if not (looks and len(token) <= 45 and any(map(str.isdigit, token))):
        return None
    try:
        address = ipaddress.IPv6Address(token)
    except ValueError:
        return None
    return f"::ffff:{address.ipv4_mapped}" if address.ipv4_mapped else str(address)


def live_scheme(word: str) -> str:
    """The scheme that a word such as hxxps or ttp stands for."""
    word = word.lower()
    secure = "s" if word.endswith("ps") or word == "meows" else ""
    if word.startswith(("h", "t", "x")) and word.rstrip("s").endswith("p") and word not in {"tcp", "tftp"}:
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
        text = f"[{address}]" if address else None
    else:
        text = ipv4(host) or public_name(host, real)
    return text and text + (f":{match[2]}" if match[2] else "")


def host_of(url: str) -> str:
    """The host of a URL in lower case, without port, brackets and final dot; empty if there is none."""
    authority = re.split(r"[/?#\\]", url.partition("://")[2], maxsplit=1)[0]
    match = _HOST_AND_PORT.fullmatch(authority.rpartition("@")[2])
    return match[1].strip("[]").rstrip(".").lower() if match else ""


def hash_kind(token: str) -> Kind | None:
    """By its length; a long decimal number is none, and neither is a row of a few characters."""
    kind = HASHES.get(len(token))
    return kind if kind and _HEX.fullmatch(token) and len(set(token)) > 3 and not token.isdigit() else None


@lru_cache(maxsize=4096)
def is_public_suffix(name: str) -> bool:
    """Whether strangers register their names right below it: com, co.jp, but also a hosting service's."""
    for private in (False, True):
        parts = _suffixes(name, include_psl_private_domains=private)
        if name and parts.suffix == name:
            return True
    return False
