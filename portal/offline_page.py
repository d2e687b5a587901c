"""The offline form as one file: made once when the process starts, so that it is there when nothing else is."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from markupsafe import Markup

from config import Settings
from exchange import form, offline
from exchange.errors import Problem
from exchange.offline import Box
from exchange.tables import table

_STATIC = Path(__file__).parent / "static"
_CODES = {
    "datetime": ("required", "bad-time", "too-late", "too-early"),
    "tel": ("required", "too-long", "bad-phone", "bidi-character", "control-character"),
    "textarea": ("too-long", "control-character"),
    "checkboxes": ("exclusive",),
}


@dataclass(frozen=True)
class Page:
    """The file, the policy under which it may be opened, and its name for caches."""

    body: bytes
    policy: str
    tag: str


def install(app: Flask, settings: Settings) -> None:
    """Make the page, and keep the key pair that opens what it seals."""
    box = Box.open(settings.keys)
    app.extensions["offline"] = (box, _made(app, settings, box))


def box() -> Box:
    """The key pair of this installation."""
    found = current_app.extensions["offline"][0]
    assert isinstance(found, Box)
    return found


def page() -> Page:
    """The file."""
    found = current_app.extensions["offline"][1]
    assert isinstance(found, Page)
    return found


def _made(app: Flask, settings: Settings, box: Box) -> Page:
    style, script = ((_STATIC / name).read_text(encoding="utf-8") for name in ("app.css", "offline.js"))
    policy = _policy(style, script)
    text = app.jinja_env.get_template("offline_form.html").render(
        words=table("offline"),
        fields=[field for name, field in form.ASKED.items() if name != "aware_fidelity"],
        fidelity=form.QUICK["aware_fidelity"],
        messages=_messages(),
        installation=settings.installation.value,
        key=offline.public_text(box),
        key_id=box.key_id,
        policy=policy,
        # Ours, and no word of anybody else in them: they stand here as they are, or their hashes are wrong.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
    )
    body = text.encode()
    return Page(body, policy, hashlib.sha256(body).hexdigest()[:32])


def _policy(style: str, script: str) -> str:
    """Nothing from anywhere; this one style and this one script."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _messages() -> dict[str, Any]:
    """What the page says about a wrong answer: the words of the portal, by field and code."""
    return {name: _of_field(name, field) for name, field in form.ASKED.items() if name != "aware_fidelity"}


def _of_field(name: str, field: dict[str, Any]) -> dict[str, Any]:
    codes = [*_CODES.get(field["input"], ()), *(["required"] if field["required"] is True else [])]
    return {code: {lang: _say(name, field, code, lang) for lang in ("ja", "en")} for code in codes}


def _say(name: str, field: dict[str, Any], code: str, lang: str) -> str:
    alone = next((one["value"] for one in field.get("options", ()) if one.get("exclusive")), "")
    return form.message(Problem(name, code, {"max": field.get("max_length"), "option": alone}), lang)
