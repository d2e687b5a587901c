"""The tables under `data/`, read once: the form, its words, the sectors, the rules, the demo installation.

What an administrator added lies over the packaged rows of the same id (`exchange.added`); nobody else changes a table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

Rows = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
"""Rows by (table, list in it)."""

_FOLDER = Path(__file__).parent / "data"
# Each is exchanged whole: another thread sees all of the old tables or all of the new ones.
_laid: dict[str, Mapping[str, Any]] = {"over": {}}
_tried: ContextVar[Mapping[str, Any] | None] = ContextVar("tried", default=None)


def table(name: str) -> Any:
    """The JSON of `data/<name>.json`. Callers share one copy, and leave it as it is."""
    tried = _tried.get()
    over = _laid["over"] if tried is None else tried
    return over[name] if name in over else packaged(name)


@cache
def packaged(name: str) -> Any:
    """The table as it was shipped."""
    return json.loads((_FOLDER / f"{name}.json").read_bytes())


def lay_over(added: Rows, version: str) -> None:
    """Put rows over those of the same id, in the place of all that were laid over before.

    Args:
        version: what is added to the version of each table that it changes; empty without rows.
    """
    _laid["over"] = _over(added, version)


@contextmanager
def tried(added: Rows) -> Iterator[None]:
    """The tables as `lay_over` would make them, inside the block and in this thread alone."""
    before = _tried.set(_over(added, "tried"))
    try:
        yield
    finally:
        _tried.reset(before)


def _over(added: Rows, version: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for (name, kind), rows in added.items():
        if rows:
            whole = made.setdefault(name, {**packaged(name), "version": f"{packaged(name)['version']}+{version}"})
            by_id = {row["id"]: row for row in [*whole[kind], *rows]}
            whole[kind] = list(by_id.values())
    return made
