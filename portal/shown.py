"""How values look on a page: the reader's language, Japan's time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from flask import Flask
from flask_babel import format_date, format_datetime

from exchange.sharing import TLP, Permission, permitted
from exchange.times import JST
from portal import current, language

_DAY = {"ja": "y年M月d日（E）", "en": "EEE d MMM y"}
_TIME = {"ja": "y年M月d日（E）HH:mm", "en": "EEE d MMM y, HH:mm 'JST'"}
_LAST = datetime(9999, 12, 31, tzinfo=UTC)


def install(app: Flask) -> None:
    """Filters and globals of the templates."""
    app.add_template_filter(in_reader_language, "t")
    app.add_template_filter(in_japan, "jst")
    app.context_processor(_globals)


def in_reader_language(words: Any) -> str:
    """One of two languages: a mapping or an object with `ja` and `en`; a plain text is itself."""
    if words is None or isinstance(words, str):
        return words or ""
    lang = language.chosen()
    return str(words[lang] if isinstance(words, dict) else getattr(words, lang))


def in_japan(when: datetime | date | None) -> str:
    """A time or a day in Japan, in the reader's language."""
    if when is None:
        return ""
    lang = language.chosen()
    if isinstance(when, datetime):
        # The last day of the calendar has no later zone.
        local = when.astimezone(JST) if when < _LAST else when
        return str(format_datetime(local, _TIME[lang], rebase=False))
    return str(format_date(when, _DAY[lang], rebase=False))


def _globals() -> dict[str, Any]:
    viewer = current.viewer()
    return {
        "viewer": viewer,
        "may": {p.value: permitted(viewer, p) for p in Permission},
        "lang": language.chosen(),
        "other_lang": language.other(),
        "installation": current.settings().installation.value,
        "tlp_label": lambda level: TLP(level).label,
    }
