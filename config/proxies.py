"""Who asks, behind proxies that speak HTTPS for us: the address that the first of them saw, as far as they are ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Network = IPv4Network | IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, with commas between them. Raises: ValueError, also for a network that is everybody."""
    found = tuple(ip_network(one.strip()) for one in text.split(",") if one.strip())
    if any(network.prefixlen == 0 for network in found):
        raise ValueError("everybody is no proxy")
    return found


class BehindProxies:
    """An application that knows who asks the proxies in front of it; what anybody else forwards changes nothing."""

    def __init__(self, app: WSGIApplication, trusted: Sequence[Network]) -> None:
        self._app, self._trusted = app, trusted

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with the caller's address in the place of its proxy's."""
        passed = str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")
        environ["REMOTE_ADDR"] = self._caller(str(environ.get("REMOTE_ADDR", "")), passed)
        return self._app(environ, start_response)

    def _caller(self, peer: str, passed: Sequence[str]) -> str:
        """From the nearest hop outwards, the first that is no proxy of ours, or the last before what is no address."""
        caller = peer
        for hop in (peer, *reversed(passed)):
            address = _address(hop)
            if address is None:
                break
            caller = str(address)
            if not any(address in network for network in self._trusted):
                break
        return caller


def _address(hop: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(hop.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
