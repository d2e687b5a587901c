"""JSON as strangers send it, read one way only: nothing is guessed, coerced or silently dropped."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from exchange.errors import Unreadable

SYNTAX = frozenset(
    {
        "not-utf8",
        "bad-json",
        "duplicate-key",
        "not-a-number",
        "too-deep",
        "too-many-members",
        "too-many-items",
    }
)
"""Codes for what is not acceptable JSON at all (HTTP 400)."""

CONTENT = frozenset({"lone-surrogate", "control-character", "number-out-of-range"})
"""Codes for JSON that carries a value we refuse (HTTP 422)."""

_LARGEST_INTEGER = 2**53 - 1
_LONGEST_NUMBER = 1100  # The longest exact decimal of a double has 1075 digits; beyond it lies only mischief.
_LONGEST_POINTER = 512
_STRUCTURE = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x9f]")

_Trail = tuple[Any, str | int] | None
"""Where we are: (the trail of the container, key or index); None is the whole document."""


@dataclass(frozen=True)
class _Refused:
    """Stands in the parsed tree for what was refused, so that the walk can say where it was."""

    code: str
    key: str | None = None


def loads(body: bytes, *, max_depth: int = 32, max_members: int = 500, max_items: int = 10_000) -> Any:
    """What a JSON text says, as Python has it.

    Args:
        max_depth: how many arrays and objects may lie in one another.
        max_members: of one object.
        max_items: of one array.
    Raises:
        Unreadable: with a code of `SYNTAX` or `CONTENT`, and a JSON pointer where it is known. A text
            with both kinds of fault is reported by its `SYNTAX` fault. Nothing else is raised.
    Source: RFC 8259; RFC 7493 (I-JSON), sections 2.1 to 2.3. Unlike I-JSON, noncharacters pass.
    """
    text = _decoded(body)
    _refuse_depth(text, max_depth)
    value = _parsed(text, max_members)
    _refuse_faults(value, max_items)
    return value


def _decoded(body: bytes) -> str:
    try:
        text = body.decode("utf-8", errors="strict")
    except UnicodeDecodeError:
        raise Unreadable("not-utf8") from None
    if text.startswith("\ufeff"):
        raise Unreadable("not-utf8")
    return text


def _refuse_depth(text: str, max_depth: int) -> None:
    """Count open brackets before any parser recurses; brackets inside strings do not count.

    A backslash outside a string may fool this scan, but it also stops the parser at that very place.
    """
    depth, in_string = 0, False
    for token in _STRUCTURE.finditer(text):
        mark = token[0]
        if mark == '"':
            in_string = not in_string
        elif not in_string and mark in "[{":
            depth += 1
        elif not in_string and mark in "]}":
            depth -= 1
        if depth > max_depth:
            raise Unreadable("too-deep")


def _parsed(text: str, max_members: int) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=partial(_object, max_members=max_members),
            parse_constant=lambda _: _Refused("not-a-number"),
            parse_float=_float,
            parse_int=_integer,
        )
    except RecursionError:
        raise Unreadable("too-deep") from None
    except ValueError:
        raise Unreadable("bad-json") from None


def _object(pairs: list[tuple[str, Any]], *, max_members: int) -> dict[str, Any] | _Refused:
    if len(pairs) > max_members:
        return _Refused("too-many-members")
    members = dict(pairs)
    if len(members) < len(pairs):
        return _Refused("duplicate-key", _first_repeated(pairs))
    return members


def _first_repeated(pairs: list[tuple[str, Any]]) -> str | None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    return None


def _float(literal: str) -> float | _Refused:
    if len(literal) > _LONGEST_NUMBER:
        return _Refused("number-out-of-range")
    number = float(literal)
    return number if math.isfinite(number) else _Refused("not-a-number")


def _integer(literal: str) -> int | _Refused:
    """JSON has no leading zeros, so a long literal is a large number; Python need not read it."""
    if len(literal) > len(str(-_LARGEST_INTEGER)) or abs(int(literal)) > _LARGEST_INTEGER:
        return _Refused("number-out-of-range")
    return int(literal)


def _refuse_faults(value: Any, max_items: int) -> None:
    content: tuple[str, _Trail] | None = None
    for code, trail in _faults(value, None, max_items):
        if code in SYNTAX:
            raise Unreadable(code, _pointer(trail))
        content = content or (code, trail)
    if content:
        raise Unreadable(content[0], _pointer(content[1]))


def _faults(value: Any, trail: _Trail, max_items: int) -> Iterator[tuple[str, _Trail]]:
    """Every fault in document order, as (code, where)."""
    if isinstance(value, str):
        yield from _faults_of_text(value, trail)
    elif isinstance(value, _Refused):
        yield value.code, trail if value.key is None else (trail, value.key)
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _faults_of_text(key, trail)
            yield from _faults(member, (trail, key), max_items)
    elif isinstance(value, list):
        if len(value) > max_items:
            yield "too-many-items", trail
        for index, item in enumerate(value):
            yield from _faults(item, (trail, index), max_items)


def _faults_of_text(text: str, trail: _Trail) -> Iterator[tuple[str, _Trail]]:
    if _SURROGATE.search(text):
        yield "lone-surrogate", trail
    if _CONTROL.search(text):
        yield "control-character", trail


def _pointer(trail: _Trail) -> str:
    """A JSON pointer (RFC 6901) to the trail's end, or to the last container on the way that can be shown."""
    steps: list[str] = []
    while trail is not None:
        trail, step = trail
        steps.append(str(step))
    at = ""
    for step in reversed(steps):
        if len(at) + len(step) > _LONGEST_POINTER or _SURROGATE.search(step) or _CONTROL.search(step):
            break
        at += "/" + step.replace("~", "~0").replace("/", "~1")
    return at
