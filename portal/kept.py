"""What somebody typed into a form that could not be taken, for the page that says so. It is nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import request

from exchange import form
from portal import language

_NEVER = {"csrf_token", "password", "lang", "action", "focus"}
_OF_THE_PAGE = {"attached", "base", "confirmed", "draft", "ref", "revision", "section", "shown", "stage"}
_UNSAID = _NEVER | _OF_THE_PAGE | {"idempotency_key", "code", "view_digest"}
_PARTS = {
    "aware_date": {"ja": "気付いた日付", "en": "Date you became aware"},
    "aware_time": {"ja": "気付いた時刻", "en": "Time you became aware"},
}


def text() -> str:
    """What was typed into the form that was sent, to read and to copy; nothing of a form with a password."""
    posted = _posted()
    return "" if "password" in posted else "\n".join(_lines(posted))


def shown() -> dict[str, Any]:
    """For the template: the words to copy, the fields to send again, and where; none of a form with a password."""
    posted = _posted()
    fields = [(name, value) for name, values in posted.items() if name not in _NEVER for value in values]
    again = bool(posted) and "password" not in posted
    return {
        "text": text(),
        "again": request.full_path.rstrip("?") if again else None,
        "fields": fields if again else [],
        "files": [one.filename for one in request.files.values() if one.filename] if again else [],
    }


def _posted() -> dict[str, list[str]]:
    return request.form.to_dict(flat=False) if request.method == "POST" else {}


def _lines(posted: dict[str, list[str]]) -> Iterator[str]:
    lang = language.chosen()
    for name, values in posted.items():
        label, field = _asked(name, lang)
        words = {str(known["value"]): known["label"][lang] for known in field.get("options", ())}
        said = [words.get(one, one) for one in values if one.strip()]
        if said and name not in _UNSAID:
            yield f"{label}: {', '.join(said)}"


def _asked(name: str, lang: str) -> tuple[str, dict[str, Any]]:
    """The label of a box and its entry in the dictionary: of a row of a table `Services affected 2 Name`."""
    root, *rest = name.split(".")
    field = form.FIELDS.get(root, {"label": _PARTS.get(name)})
    if not field["label"]:
        return name, {}
    labels = [field["label"][lang]]
    for part in rest:
        if part.isdecimal() and len(part) < 6:
            labels.append(str(int(part) + 1))
        for item in field.get("items", ()):
            if item["id"] == part:
                field = item
                labels.append(item["label"][lang])
    return " ".join(labels), field
