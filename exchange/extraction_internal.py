"""Addresses that mean something only inside an organization: whoever reads of them elsewhere cannot watch for them."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from functools import cache

from exchange.indicator_values import host_of
from exchange.tables import table


def is_internal(kind: str, value: str) -> bool:
    """Whether an indicator is an address, or a URL at one, of a private range; documentation ranges count as public.

    Source: the private networks of `data/known_good.json`.
    """
    try:
        address = ipaddress.ip_address(host_of(value) if kind == "url" else value.partition("/")[0])
    except ValueError:
        return False
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    number, version = (int(inner), 4) if inner else (int(address), address.version)
    return any(low <= number <= high for low, high in _ranges()[version])


@cache
def _ranges() -> dict[int, list[tuple[int, int]]]:
    ranges: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for listed in table("known_good")["private_networks"]:
        for network in map(ipaddress.ip_network, listed["networks"]):
            ranges[network.version].append((int(network.network_address), int(network.broadcast_address)))
    return ranges
