"""What a poller asks for: the query parameters of TAXII 2.1, section 3.4, read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from medallion.exceptions import ProcessingError
from werkzeug.datastructures import MultiDict

from exchange.feed import Wanted
from exchange.times import micros, stix_time

_MOST_VALUES = 100
_LIMIT = re.compile(r"[0-9]{1,18}", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)


def check(args: MultiDict[str, str]) -> None:
    """What medallion's views let pass: a parameter that comes twice, and a limit that only Python reads as a number.

    Raises: ProcessingError (400).
    """
    if any(len(values) > 1 for _, values in args.lists()):
        raise _malformed()
    if not _LIMIT.fullmatch(args.get("limit", "1")):
        raise _malformed()


def wanted(args: Mapping[str, str], allowed: tuple[str, ...]) -> Wanted:
    """The question in these parameters.

    Raises: ProcessingError (400) if one is malformed.
    """
    after = micros(_instant(args["added_after"])) if "added_after" in args else 0
    return Wanted(
        after=after,
        ids=_values(args, "id", allowed),
        types=_values(args, "type", allowed),
        versions=_versions(args, allowed),
        spec_versions=_values(args, "spec_version", allowed),
    )


def _values(args: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> frozenset[str]:
    text = args.get(f"match[{name}]") if name in allowed else None
    if text is None:
        return frozenset()
    values = text.split(",")
    if len(values) > _MOST_VALUES or not all(value and value.isprintable() for value in values):
        raise _malformed()
    return frozenset(values)


def _versions(args: Mapping[str, str], allowed: tuple[str, ...]) -> frozenset[str]:
    text = args.get("match[version]", "last") if "version" in allowed else "all"
    words = text.split(",")
    values = [word if word in {"first", "last", "all"} else stix_time(_instant(word)) for word in words]
    if len(set(values)) < len(values) or ("all" in values and len(values) > 1):
        raise _malformed()
    return frozenset(values)


def _instant(text: str) -> datetime:
    """An RFC 3339 time in Z, any number of decimals; six are kept."""
    found = _TIME.fullmatch(text)
    if not found:
        raise _malformed()
    whole, fraction = found.groups(default="")
    try:
        return datetime.fromisoformat(f"{whole}.{fraction[:6].ljust(6, '0')}+00:00")
    except ValueError:
        raise _malformed() from None


def _malformed() -> ProcessingError:
    return ProcessingError("malformed parameter", 400)
