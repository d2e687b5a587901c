"""What a poller asks for: the query parameters of TAXII 2.1, section 3.4, read strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from exchange.pages import Wanted
from exchange.times import micros, version_key

_MOST_VALUES = 100
_LIMIT = re.compile(r"0*[1-9][0-9]{0,17}", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
_KNOWN = {"added_after", "limit", "next"}


@dataclass(frozen=True)
class Asked:
    """A question, and how to answer it.

    Attributes:
        limit: how many objects at most, the server's own maximum kept.
        next: a page token that is still to be read.
        unknown: whether there is a parameter that this resource does not know; it is ignored.
    """

    wanted: Wanted
    limit: int
    next: str | None
    unknown: bool

    @classmethod
    def read(cls, args: MultiDict[str, str], filters: tuple[str, ...], *, most: int) -> Asked:
        """The question in these parameters.

        Raises: BadRequest if one is malformed or comes twice.
        """
        if any(len(values) > 1 for _, values in args.lists()):
            raise BadRequest
        known = _KNOWN | {f"match[{name}]" for name in filters}
        own = {name: text for name, text in args.items() if name in known}
        limit = own.get("limit", str(most))
        if not _LIMIT.fullmatch(limit):
            raise BadRequest
        return cls(wanted(own, filters), min(int(limit), most), own.get("next"), len(own) < len(args))


def wanted(args: dict[str, str], filters: tuple[str, ...]) -> Wanted:
    """What these parameters ask for. Raises: BadRequest."""
    return Wanted(
        after=micros(_instant(args["added_after"])) if "added_after" in args else 0,
        ids=_values(args, "id"),
        types=_values(args, "type"),
        versions=versions(args.get("match[version]", "last")) if "version" in filters else frozenset({"all"}),
        spec_versions=_values(args, "spec_version"),
    )


def _values(args: dict[str, str], name: str) -> frozenset[str]:
    text = args.get(f"match[{name}]")
    if text is None:
        return frozenset()
    values = text.split(",")
    if len(values) > _MOST_VALUES or not all(value and value.isprintable() for value in values):
        raise BadRequest
    return frozenset(values)


def versions(text: str) -> frozenset[str]:
    """The values of `match[version]`, times as they are stored. Raises: BadRequest."""
    words = text.split(",")
    values = [word if word in {"first", "last", "all"} else _version(word) for word in words]
    if len(set(values)) < len(values) or len(values) > _MOST_VALUES or ("all" in values and len(values) > 1):
        raise BadRequest
    return frozenset(values)


def _version(text: str) -> str:
    """A moment as versions are stored."""
    _instant(text)
    return version_key(text)


def _instant(text: str) -> datetime:
    """An RFC 3339 time in Z, any number of decimals; six are kept."""
    found = _TIME.fullmatch(text)
    if not found:
        raise BadRequest
    whole, fraction = found.groups(default="")
    try:
        return datetime.fromisoformat(f"{whole}.{fraction[:6].ljust(6, '0')}+00:00")
    except ValueError:
        raise BadRequest from None
