"""What somebody typed into a form that could not be taken, for the page that says so. It is nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import request

from exchange import form
from portal import language

_NEVER = {"csrf_token", "password", "lang", "action", "focus"}
_UNSAID = _NEVER | {"idempotency_key", "code", "view_digest", "attached"}
_PARTS = {
    "aware_date": {"ja": "気付いた日付", "en": "Date you became aware"},
    "aware_time": {"ja": "気付いた時刻", "en": "Time you became aware"},
}


def shown() -> dict[str, Any]:
    """For the template: the words to copy, the fields to send again, and where; none of a form with a password."""
    posted = request.form.to_dict(flat=False) if request.method == "POST" else {}
    fields = [(name, value) for name, values in posted.items() if name not in _NEVER for value in values]
    again = bool(posted) and "password" not in posted
    return {
        "text": "\n".join(_lines(posted)),
        "again": request.full_path.rstrip("?") if again else None,
        "fields": fields if again else [],
        "files": [one.filename for one in request.files.values() if one.filename] if again else [],
    }


def _lines(posted: dict[str, list[str]]) -> Iterator[str]:
    lang = language.chosen()
    for name, values in posted.items():
        said = [form.label(name, one, lang) if name in form.FIELDS else one for one in values if one.strip()]
        if said and name not in _UNSAID:
            yield f"{_label(name, lang)}: {', '.join(said)}"


def _label(name: str, lang: str) -> str:
    words = _PARTS.get(name) or form.FIELDS.get(name, {}).get("label")
    return str(words[lang]) if words else name
