"""A finding as an SCO and as a pattern."""

from __future__ import annotations

from typing import Any, Final

from exchange.stix.content import Finding

_HASHES: Final = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512"}

_PATHS: Final = {
    "ipv4-addr": "ipv4-addr:value",
    "ipv6-addr": "ipv6-addr:value",
    "domain-name": "domain-name:value",
    "url": "url:value",
    "email-addr": "email-addr:value",
    "md5": "file:hashes.MD5",
    "sha1": "file:hashes.'SHA-1'",
    "sha256": "file:hashes.'SHA-256'",
    "sha512": "file:hashes.'SHA-512'",
}

# An address changes hands within days, a name within months; the bytes behind a hash never change.
LIFETIME_DAYS: Final[dict[str, int | None]] = {
    "ipv4-addr": 14,
    "ipv6-addr": 14,
    "domain-name": 90,
    "url": 90,
    "email-addr": 90,
    "md5": None,
    "sha1": None,
    "sha256": None,
    "sha512": None,
}

SCO_TYPES: Final = frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "file"})


def sco(finding: Finding) -> tuple[str, dict[str, Any]]:
    """Its STIX type and its only properties, which all contribute to the id (STIX 2.1, section 6)."""
    if finding.type in _HASHES:
        return "file", {"hashes": {_HASHES[finding.type]: finding.value}}
    return finding.type, {"value": finding.value}


def literal(value: str) -> str:
    """Text as a pattern's string literal; whatever it holds, it stays one (STIX 2.1, section 9.2)."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def pattern(finding: Finding) -> str:
    """One comparison in one observation: the level that every consumer supports."""
    return f"[{_PATHS[finding.type]} = {literal(finding.value)}]"
