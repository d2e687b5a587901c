"""The tables under `data/`, read once: the form, its words, the sectors, the rules, the demo installation."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "data"


@cache
def table(name: str) -> Any:
    """The JSON of `data/<name>.json`. Callers share one copy, and leave it as it is."""
    return json.loads((_FOLDER / f"{name}.json").read_bytes())
