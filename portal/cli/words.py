"""The sentences of a reporter's commands, in the language of whoever types."""

from __future__ import annotations

import os

from exchange.tables import table


def lang() -> str:
    """`en` where LANG says so, else `ja`."""
    return "en" if os.environ.get("LANG", "").startswith("en") else "ja"


def say(key: str, **parts: object) -> str:
    """A sentence of `data/cli.json`."""
    text: str = table("cli")[key][lang()]
    return text.format(**parts)
