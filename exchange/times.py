"""Times as we keep them: aware, UTC. Only the doors ask the clock; `exchange` is told."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

JST = ZoneInfo("Asia/Tokyo")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utcnow() -> datetime:
    """Now, aware, UTC, microseconds."""
    return datetime.now(UTC)


def micros(when: datetime) -> int:
    """Microseconds since 1970, exactly."""
    delta = when - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_micros(value: int) -> datetime:
    """The inverse of `micros`."""
    seconds, rest = divmod(value, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def rfc3339(when: datetime) -> str:
    """`2026-01-15T03:00:00.000001Z`: UTC, six digits (TAXII 2.1, section 2: timestamp)."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def version_key(text: str) -> str:
    """A STIX timestamp in the one spelling that versions are kept in: three decimals, more only where they say more.

    `…00Z`, `…00.000Z` and `…00.000000Z` are one moment (TAXII 2.1, section 3.4.1: versions are compared exactly).
    """
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(3, '0')}Z"


def stix_time(when: datetime) -> str:
    """`2026-01-15T03:00:00.000Z`: UTC, three digits (STIX 2.1, section 3.2)."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"
