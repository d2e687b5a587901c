"""The resources of TAXII 2.1 as their tables have them, and what an answer does against its table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import requests

Json = dict[str, Any]

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_STIX_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)
_STIX_ID = re.compile(r"([a-z][a-z0-9-]+)--([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.ASCII)
_MEDIA_TYPE = re.compile(r"application/(taxii|stix)\+json;version=\d+\.\d+", re.ASCII)
_CUSTOM = re.compile(r"x_[a-z0-9_]{1,248}", re.ASCII)
_LARGEST = 2**53 - 1


def is_timestamp(value: Any) -> bool:
    """A TAXII timestamp: microseconds, `Z`."""
    return isinstance(value, str) and TIMESTAMP.fullmatch(value) is not None and _is_time(value)


def _is_time(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _is_version(value: Any) -> bool:
    return isinstance(value, str) and _STIX_TIME.fullmatch(value) is not None and _is_time(value)


def is_identifier(value: Any) -> bool:
    """A random UUID in its usual spelling."""
    try:
        return str(UUID(value)) == value and UUID(value).version == 4
    except (ValueError, AttributeError, TypeError):
        return False


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str) and value != "",
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "size": lambda value: _is_integer(value) and value > 0,
    "timestamp": is_timestamp,
    "version": _is_version,
    "identifier": is_identifier,
    "stix-id": _matches(_STIX_ID),
    "media-type": _matches(_MEDIA_TYPE),
    "stix-object": lambda value: isinstance(value, dict) and {"type", "id"} <= value.keys() and "objects" not in value,
    "status-word": lambda value: value in ("complete", "pending"),
    "dictionary": lambda value: isinstance(value, dict) and value != {},
}

# A name with `!` is required; a type in brackets is a list, which is never empty.
_TABLES: Mapping[str, Mapping[str, str]] = {
    "discovery": {
        "title!": "string",
        "description": "string",
        "contact": "string",
        "default": "string",
        "api_roots": "[string]",
    },
    "api-root": {
        "title!": "string",
        "description": "string",
        "versions!": "[media-type]",
        "max_content_length!": "size",
    },
    "collections": {"collections": "[collection]"},
    "collection": {
        "id!": "identifier",
        "title!": "string",
        "description": "string",
        "alias": "string",
        "can_read!": "boolean",
        "can_write!": "boolean",
        "media_types": "[media-type]",
    },
    "manifest": {"more": "boolean", "next": "string", "objects": "[manifest-record]"},
    "manifest-record": {
        "id!": "stix-id",
        "date_added!": "timestamp",
        "version!": "version",
        "media_type": "media-type",
    },
    "envelope": {"more": "boolean", "next": "string", "objects": "[stix-object]"},
    "versions": {"more": "boolean", "next": "string", "versions": "[version]"},
    "status": {
        "id!": "identifier",
        "status!": "status-word",
        "request_timestamp": "timestamp",
        "total_count!": "integer",
        "success_count!": "integer",
        "successes": "[status-details]",
        "failure_count!": "integer",
        "failures": "[status-details]",
        "pending_count!": "integer",
        "pendings": "[status-details]",
    },
    "status-details": {"id!": "stix-id", "version!": "string", "message": "string"},
    "error": {
        "title!": "string",
        "description": "string",
        "error_id": "string",
        "error_code": "string",
        "http_status": "string",
        "external_details": "string",
        "details": "dictionary",
    },
}


def faults(resource: str, value: Any, at: str = "") -> list[str]:
    """What this value has against the table of the resource, in words; none if it is one."""
    return list(_faults(resource, value, at or resource))


def _faults(kind: str, value: Any, at: str) -> Iterator[str]:
    if kind.startswith("["):
        if not isinstance(value, list) or not value:
            yield f"{at} is not a list of at least one"
            return
        for n, one in enumerate(value):
            yield from _faults(kind[1:-1], one, f"{at}[{n}]")
    elif kind in _TABLES:
        yield from _faults_of_table(_TABLES[kind], value, at)
    elif not _TYPES[kind](value):
        yield f"{at} is not of type {kind}: {value!r}"


def _faults_of_table(table: Mapping[str, str], value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at} is not an object"
        return
    known = {name.rstrip("!"): kind for name, kind in table.items()}
    yield from (f"{at}.{name[:-1]} is missing" for name in table if name.endswith("!") and name[:-1] not in value)
    for name, one in value.items():
        if name in known:
            yield from _faults(known[name], one, f"{at}.{name}")
        elif not _CUSTOM.fullmatch(name):
            yield f"{at}.{name} is no property of this resource"


def body_of(answer: requests.Response) -> Json:
    """The JSON of an answer. Raises: ValueError if it is not I-JSON: in UTF-8, no name twice (RFC 7493)."""
    found: Json = json.loads(answer.content.decode("utf-8"), object_pairs_hook=_members)
    return found


def _members(pairs: list[tuple[str, Any]]) -> Json:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError(f"a name twice among {[name for name, _ in pairs]}")
    return members


def status_faults(status: Json) -> list[str]:
    """What a status resource has against its table, and against the sums that hold at every moment."""
    found = faults("status", status)
    counted = {
        "successes": status["success_count"],
        "failures": status["failure_count"],
        "pendings": status["pending_count"],
    }
    if sum(counted.values()) != status["total_count"]:
        found.append("the counts do not add up to the total")
    found += [f"{name} are not {n}" for name, n in counted.items() if name in status and len(status[name]) != n]
    if (status["status"] == "complete") is not (status["pending_count"] == 0):
        found.append("complete means that nothing is pending")
    return found
