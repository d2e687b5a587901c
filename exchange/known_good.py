"""What must not go out as an indicator by itself: private, a member's own, or everyday traffic."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any

import idna

from exchange.indicator_values import host_of, is_public_suffix

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DATA: dict[str, Any] = json.loads(files("exchange").joinpath("data/known_good.json").read_text(encoding="utf-8"))
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_HASHES = frozenset({"md5", "sha1", "sha256", "sha512"})


def _networks(values: Iterable[str]) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(value, strict=False) for value in values)


def _by_value(kind: str) -> dict[str, str]:
    """Each value of that kind and the id of the first list that has it."""
    pairs = [(value, one["id"]) for one in _DATA["lists"] for value in one.get(kind, ())]
    return dict(reversed(pairs))


_PRIVATE = _networks(net for one in _DATA["private_networks"] for net in one["networks"])
_DOCUMENTATION = _networks(net for one in _DATA["documentation_networks"] for net in one["networks"])
_NAMES = _by_value("names")
_ADDRESSES = [(ipaddress.ip_network(value), list_id) for value, list_id in _by_value("addresses").items()]
_EMPTY = _by_value("hashes")


def excluded(
    found_type: str,
    value: str,
    *,
    own_domains: Collection[str] = (),
    own_networks: Collection[str] = (),
    documentation_is_real: bool = False,
) -> str | None:
    """Why a value must not be released automatically, or None.

    Args:
        found_type: as in `extraction.Found`; of a URL and an e-mail address the host is looked at.
        own_domains: names that belong to members, each with everything below it.
        own_networks: their address ranges, as CIDR.
        documentation_is_real: in a demo or an exercise documentation ranges and names count as real.
    Returns:
        `private`, `own`, `public-suffix` or `known-good:<list id>`. An e-mail address is held back for
        `private`, `own` and the government list only: a mailbox at a mail service can be an indicator.
    Raises:
        ValueError: `own_networks` has something that is no network.
    Source: the networks and names are data, see `data/known_good.json`.
    """
    if found_type == "vulnerability":
        return None
    if found_type in _HASHES:
        return _listed(_EMPTY.get(value.lower()))
    host = _plain(_host(found_type, value))
    network = _network_or_none(host)
    if network is not None:
        return _of_network(network, tuple(own_networks), documentation_is_real)
    reason = _of_name(host, own_domains, documentation_is_real)
    is_mailbox = found_type == "email-addr"
    return None if is_mailbox and reason not in {None, "private", "own", "known-good:government"} else reason


def _host(found_type: str, value: str) -> str:
    if found_type == "url":
        return host_of(value)
    return value.rpartition("@")[2] if found_type == "email-addr" else value


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    """Lower case, without dots at its ends, as an A-label if it can be one."""
    name = name.strip().strip(".").lower()
    try:
        return name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
    except UnicodeError:
        return name


def _listed(list_id: str | None) -> str | None:
    return f"known-good:{list_id}" if list_id else None


def _of_name(name: str, own_domains: Collection[str], documentation_is_real: bool) -> str | None:
    hidden = _DATA["private_names"] + ([] if documentation_is_real else _DATA["documentation_names"])
    if any(_is_below(name, _plain(own)) for own in own_domains):
        return "own"
    if is_public_suffix(name) and name not in _NAMES and f".{name}" not in _NAMES:
        return "public-suffix"
    if "." not in name or any(_is_below(name, top[1:]) for top in hidden):
        return "private"
    return _listed(_list_of_name(name))


def _is_below(name: str, top: str) -> bool:
    return top != "" and (name == top or name.endswith(f".{top}"))


def _list_of_name(name: str) -> str | None:
    """The name itself first, then the nearest name above it that stands for all below."""
    exact = _NAMES.get(name) or _NAMES.get(name.removeprefix("www."))
    return exact or next((_NAMES[top] for top in _and_above(name) if top in _NAMES), None)


def _and_above(name: str) -> Iterator[str]:
    """Of a.b.c: .a.b.c, .b.c and .c"""
    labels = name.split(".")
    return ("." + ".".join(labels[at:]) for at in range(len(labels)))


def _network_or_none(host: str) -> _Network | None:
    try:
        network = ipaddress.ip_network(host.partition("%")[0], strict=False)
    except ValueError:
        return None
    inner = _inner(network)
    return ipaddress.ip_network(inner) if inner else network


def _inner(network: _Network) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside a single mapped (RFC 4291) or translated (RFC 6052) IPv6 address."""
    if not isinstance(network, ipaddress.IPv6Network) or network.num_addresses > 1:
        return None
    address = network.network_address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def _of_network(network: _Network, own: tuple[str, ...], documentation_is_real: bool) -> str | None:
    """A range is held back as soon as a part of it is: whoever blocks it blocks that part."""
    if _touches(network, _own_networks(own)):
        return "own"
    if _touches(network, _PRIVATE if documentation_is_real else _PRIVATE + _DOCUMENTATION):
        return "private"
    return _listed(next((list_id for known, list_id in _ADDRESSES if _touches(network, (known,))), None))


@lru_cache(maxsize=64)
def _own_networks(values: tuple[str, ...]) -> tuple[_Network, ...]:
    return _networks(values)


def _touches(network: _Network, others: Iterable[_Network]) -> bool:
    return any(network.version == other.version and network.overlaps(other) for other in others)
