"""The objects that every server is given: indicators of about 900 bytes, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

import orjson

from exchange.feed import Publication
from exchange.stix.ids import PORTAL, TLP_MARKING
from exchange.times import stix_time

# One object in so many is of another type, and one has an older version that nobody sees without asking.
RARE: Final = 1000
VERSIONED: Final = 100
_FIRST_CREATED = datetime(2026, 1, 1, tzinfo=UTC)
_WORDS = ("loader", "beacon", "phishing", "dropper", "gateway", "panel", "exfiltration", "staging", "relay", "botnet")
_ZONES = ("example", "example.com", "example.net", "example.org", "test")


def publications(count: int, *, seed: str) -> Iterator[Publication]:
    """`count` objects as a client sees them, after the older versions of some of them."""
    rng, newer = Random(seed), []  # noqa: S311  Nothing here is secret.
    for number in range(count):
        body = _object(rng, number)
        if number % VERSIONED == 0:
            newer.append(_published(body | {"modified": _time(rng, number, hours=48), "confidence": 90}))
        yield _published(body)
    yield from newer


def visible(count: int, *, seed: str) -> set[str]:
    """The ids that a full walk over them must give, each once."""
    return {published.stix_id for published in publications(count, seed=seed)}


def _published(body: dict[str, Any]) -> Publication:
    return Publication(body["id"], body["type"], body["modified"], orjson.dumps(body))


def _object(rng: Random, number: int) -> dict[str, Any]:
    created = _time(rng, number)
    kind = "malware" if number % RARE == RARE - 1 else "indicator"
    head = {"type": kind, "spec_version": "2.1", "id": f"{kind}--{UUID(int=rng.getrandbits(128), version=4)}"}
    head |= {"created_by_ref": PORTAL, "created": created, "modified": created}
    return head | _said(rng) | (_FAMILY if kind == "malware" else _pattern(rng, created))


_FAMILY = {"is_family": True, "malware_types": ["remote-access-trojan"]}


def _said(rng: Random) -> dict[str, Any]:
    words = rng.choices(_WORDS, k=9)
    return {
        "name": f"{words[0]} {words[1]} {rng.getrandbits(32):08x}",
        "description": f"Seen by a member in {words[2]} traffic: {' '.join(words[3:])}.",
        "confidence": rng.randrange(30, 90),
        "lang": "en",
        "labels": [f"campaign-{rng.randrange(400)}", words[4]],
        "external_references": [{"source_name": "bench", "external_id": f"{rng.getrandbits(48):012x}"}],
        "object_marking_refs": [TLP_MARKING["green"]],
    }


def _pattern(rng: Random, created: str) -> dict[str, Any]:
    return {
        "indicator_types": ["malicious-activity"],
        "kill_chain_phases": [{"kill_chain_name": "lockheed-martin-cyber-kill-chain", "phase_name": "delivery"}],
        "pattern": rng.choice(_PATTERNS)(rng),
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": created,
        "valid_until": "2027-12-31T00:00:00.000Z",
    }


def _host(rng: Random) -> str:
    return f"{rng.choice(_WORDS)}-{rng.getrandbits(40):010x}.{rng.choice(_ZONES)}"


_PATTERNS: tuple[Callable[[Random], str], ...] = (
    lambda rng: f"[domain-name:value = '{_host(rng)}']",
    lambda rng: f"[url:value = 'https://{_host(rng)}/{rng.choice(_WORDS)}/{rng.getrandbits(64):x}']",
    lambda rng: f"[ipv4-addr:value = '198.{rng.choice((18, 19))}.{rng.randrange(256)}.{rng.randrange(256)}']",
    lambda rng: f"[file:hashes.'SHA-256' = '{rng.getrandbits(256):064x}']",
    lambda rng: f"[email-message:from_ref.value = '{rng.choice(_WORDS)}@{_host(rng)}']",
)


def _time(rng: Random, number: int, hours: int = 0) -> str:
    return stix_time(_FIRST_CREATED + timedelta(hours=hours, seconds=number, milliseconds=rng.randrange(1000)))
