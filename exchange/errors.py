"""What can go wrong, in our own words. Each door translates these once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass


class ExchangeError(Exception):
    """Something the caller can put right."""

    code = "error"


class NotFound(ExchangeError):
    """There is none, or you may not see it: on purpose, the same answer."""

    code = "not-found"


class NotPermitted(ExchangeError):
    """You can see it, but not do this to it."""

    code = "not-permitted"


class WrongState(ExchangeError):
    """The thing is not in a state in which this can be done."""

    code = "wrong-state"


class TooMuch(ExchangeError):
    """Right, but not now: wait `retry_after_s` seconds."""

    retry_after_s: int


class Conflict(ExchangeError):
    """Somebody, perhaps you, has done something else under the same name."""

    code = "conflict"


class BadCursor(ExchangeError):
    """A page token that this server did not make for this question and this caller."""

    code = "bad-cursor"


class Unreadable(ExchangeError):
    """Bytes that are not the JSON we accept; `code` says why, `at` where (a JSON pointer)."""

    def __init__(self, code: str, at: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.at = at


class TooLarge(ExchangeError):
    """More than is taken."""

    code = "too-large"


class TooSlow(ExchangeError):
    """It did not arrive in time."""

    code = "too-slow"


class CutShort(ExchangeError):
    """Less than was announced."""

    code = "cut-short"


@dataclass(frozen=True)
class Problem:
    """One wrong answer: which field, what is wrong (a key of `data/problems.json`), and its numbers."""

    field: str
    code: str
    params: Mapping[str, object] = dataclasses.field(default_factory=dict)


class Invalid(ExchangeError):
    """Understood, but wrong: lists every field."""

    code = "invalid"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(", ".join(f"{p.field}: {p.code}" for p in problems))
        self.problems = problems


class Unavailable(Exception):
    """Not the caller's fault, and worth another try: a database or broker that does not answer."""
