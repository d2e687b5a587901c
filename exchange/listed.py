"""The indicators, vulnerabilities and hashes that a reporter listed one by one, in their normal form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from exchange.extraction import extract
from exchange.sharing import TLP

# STIX 2.1, appendix A (None / Low / Med / High).
_CONFIDENCE = {"high": 85, "medium": 50, "low": 15}
_MEDIUM = 50


@dataclass(frozen=True)
class Listed:
    """One value. `typed` is its (type, value) as the reporter wrote it; `held` says why it stays here, or None."""

    type: str
    value: str
    confidence: int
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


def _named(answers: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], int, str | None]]:
    for row in answers.get("iocs", ()):
        yield (row["type"], row["value"]), _CONFIDENCE.get(row.get("confidence"), _MEDIUM), _held(row)
    for row in answers.get("vulnerabilities", ()):
        if row.get("cve"):
            yield ("vulnerability", row["cve"]), _MEDIUM, None
    for row in answers.get("malware", ()):
        for value in row.get("hashes", ()):
            yield ("file", value), _MEDIUM, None


def _held(row: Mapping[str, Any]) -> str | None:
    """What the reporter marked stricter than the community gets, and what it is not sure of, waits for a person."""
    if row.get("tlp") and TLP(row["tlp"]).rank > TLP.GREEN.rank:
        return "marked"
    return "low-confidence" if row.get("confidence") == "low" else None


def _normal(kind: str, value: str, real: bool) -> tuple[str, str] | None:
    """(type, value) as `extract` spells them."""
    found = extract(value, documentation_is_real=real)
    wanted = kind.removeprefix("file:")
    for one in found:
        if one.type == wanted or (kind == "file" and one.type in {"md5", "sha1", "sha256", "sha512"}):
            return one.type, one.value
    return None
