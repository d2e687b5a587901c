"""The conditions in our tables: of a rule, of a clock, of a question, of a document.

`{"answer": id, "in": [...]}` looks at an answer (`group.member` goes into a group, null stands for no answer),
`{"answer": id, "answered": true}` asks whether there is one, `{"profile": name, "in": [...]}` looks at what is known of
the organization; `all` and `any` join conditions, and `all` of none is true.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Answers = Mapping[str, Any]


def holds(condition: Mapping[str, Any], answers: Answers, profile: Mapping[str, object]) -> bool:
    """Whether a condition holds. An answer of several values holds if any of them is `in` the list."""
    if "all" in condition:
        return all(holds(part, answers, profile) for part in condition["all"])
    if "any" in condition:
        return any(holds(part, answers, profile) for part in condition["any"])
    value = profile[condition["profile"]] if "profile" in condition else answer(answers, condition["answer"])
    if "answered" in condition:
        return (value not in (None, "", [], {})) is condition["answered"]
    return any(_is_in(one, condition["in"]) for one in (value if isinstance(value, list | tuple) else (value,)))


def _is_in(value: object, listed: list[object]) -> bool:
    """`1` is not `true`, whatever Python says."""
    return any(value == one and isinstance(value, bool) is isinstance(one, bool) for one in listed)


def answer(answers: Answers, path: str) -> object:
    """The answer to a question, or a member of a group; None without one."""
    found: object = answers
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
