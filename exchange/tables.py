"""The tables under `data/`, read once: the form, its words, the sectors, the rules, the demo installation.

What an administrator added lies over the packaged rows of the same id (`exchange.added`); nobody else changes a table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "data"
_over: dict[str, Any] = {}


def table(name: str) -> Any:
    """The JSON of `data/<name>.json`. Callers share one copy, and leave it as it is."""
    return _over[name] if name in _over else packaged(name)


@cache
def packaged(name: str) -> Any:
    """The table as it was shipped."""
    return json.loads((_FOLDER / f"{name}.json").read_bytes())


def lay_over(added: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]], version: str) -> None:
    """Put rows over those of the same id, in the place of all that were laid over before.

    Args:
        added: rows by (table, list in it).
        version: what is added to the version of each table that it changes; empty without rows.
    """
    made: dict[str, Any] = {}
    for (name, kind), rows in added.items():
        if rows:
            whole = made.setdefault(name, {**packaged(name), "version": f"{packaged(name)['version']}+{version}"})
            by_id = {row["id"]: row for row in [*whole[kind], *rows]}
            whole[kind] = list(by_id.values())
    _over.clear()
    _over.update(made)
