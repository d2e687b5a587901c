"""The reader's language: chosen on a page, else what the browser or program asks for, else Japanese."""

from __future__ import annotations

from flask import request, session

LANGUAGES = ("ja", "en")


def chosen() -> str:
    """`ja` or `en`."""
    if request.method == "POST" and _has_form() and request.form.get("lang") in LANGUAGES:
        session["lang"] = request.form["lang"]
    kept = session.get("lang")
    return kept if kept in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or "ja"


def other() -> str:
    """The one that is not chosen."""
    return "en" if chosen() == "ja" else "ja"


def _has_form() -> bool:
    return request.mimetype in {"application/x-www-form-urlencoded", "multipart/form-data"}
