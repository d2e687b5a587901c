"""The indicators, vulnerabilities and hashes that a reporter listed one by one, in their normal form."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exchange.defanging import refang
from exchange.errors import Problem
from exchange.extraction import extract
from exchange.indicator_values import HASHES, hash_kind, ipv4, ipv6, public_name
from exchange.sharing import TLP

# STIX 2.1, appendix A (None / Low / Med / High).
_CONFIDENCE = {"high": 85, "medium": 50, "low": 15}

# What a value of a type looks like at least, also one that is nobody's on the internet.
_SHAPES = {
    "domain-name": re.compile(r"(?:[\w-]{1,63}\.)+[\w-]{1,63}\.?"),
    "url": re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+"),
    "email-addr": re.compile(r"[^\s@]+@[^\s@]+"),
} | {f"file:{kind}": re.compile(f"[0-9A-Fa-f]{{{length}}}") for length, kind in HASHES.items()}
_VERSIONS = {"ipv4-addr": 4, "ipv6-addr": 6}

# Why a value that the reporter listed waits for a person, the strictest reason first.
HELD = ("marked", "low-confidence")


@dataclass(frozen=True)
class Listed:
    """One value.

    Attributes:
        confidence: 0 to 100; None if the reporter said nothing of it.
        held: why it stays here, one of `HELD`, or None.
        typed: its (type, value) as the reporter wrote it.
    """

    type: str
    value: str
    confidence: int | None
    held: str | None
    typed: tuple[str, str]


def listed(answers: Mapping[str, Any], *, documentation_is_real: bool) -> list[Listed]:
    """What the tables of a report name; a value that is not what its type says is left out."""
    found = []
    for (kind, value), confidence, held in _named(answers):
        normal = _normal(kind, value, documentation_is_real)
        if normal is not None:
            found.append(Listed(*normal, confidence, held, (kind, value)))
    return found


def _named(answers: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], int | None, str | None]]:
    for row in answers.get("iocs", ()):
        yield (row["type"], row["value"]), _CONFIDENCE.get(row.get("confidence")), _held(row)
    for row in answers.get("vulnerabilities", ()):
        if row.get("cve"):
            yield ("vulnerability", row["cve"]), None, None
    for row in answers.get("malware", ()):
        for value in row.get("hashes", ()):
            yield ("file", value), None, None


def _held(row: Mapping[str, Any]) -> str | None:
    """What the reporter marked stricter than the community gets, and what it is not sure of, waits for a person."""
    if row.get("tlp") and TLP(row["tlp"]).rank > TLP.GREEN.rank:
        return "marked"
    return "low-confidence" if row.get("confidence") == "low" else None


def _normal(kind: str, value: str, real: bool) -> tuple[str, str] | None:
    """(type, value) as `extract` spells them. What stands alone is what its type says; a sentence is looked through."""
    wanted, alone = kind.removeprefix("file:"), refang(value).text.strip()
    if normal := _alone(wanted, alone, real):
        return wanted, normal
    for one in extract(value, documentation_is_real=real):
        if one.type == wanted or (kind == "file" and one.type in {"md5", "sha1", "sha256", "sha512"}):
            return one.type, one.value
    return None


def _alone(kind: str, text: str, real: bool) -> str | None:
    if kind == "domain-name":
        return public_name(text, real)
    if kind in _VERSIONS:
        return ipv4(text) if kind == "ipv4-addr" else ipv6(text)
    return text.lower() if hash_kind(text) == kind else None


# --- what is no indicator ------------------------------------------------------------------------------


def problems(rows: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """The rows, counted from 0, whose value is not what their type says; those that were there before may stay."""
    return [
        Problem(f"iocs.{number}.value", "bad-indicator")
        for number, row in enumerate(rows)
        if not is_of_type(row["type"], row["value"]) and row not in known
    ]


def is_of_type(kind: str, value: str) -> bool:
    """Whether a value could be what its type says; of a type that we do not exchange it could be anything."""
    text = refang(value).text.strip()
    if kind in _VERSIONS:
        fits = _is_network(text, _VERSIONS[kind])
    elif kind in _SHAPES:
        fits = _SHAPES[kind].fullmatch(text) is not None
    else:
        return True
    return fits or _normal(kind, value, real=True) is not None


def _is_network(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_network(text.partition("%")[0], strict=False).version == version
    except ValueError:
        return False
