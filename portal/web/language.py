"""Choosing the language of the pages."""

from __future__ import annotations

from flask import Blueprint, redirect, request, session
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from exchange.sharing import Permission
from portal.auth import requires
from portal.language import LANGUAGES

bp = Blueprint("language", __name__)


@bp.get("/language/<lang>")
@requires(Permission.ANYONE)
def choose(lang: str) -> ResponseReturnValue:
    """Keep the choice, and go back to the page. 302, 404."""
    if lang not in LANGUAGES:
        raise NotFound
    session["lang"] = lang
    return redirect(own_path(request.args.get("next", "/")))


def own_path(wanted: str) -> str:
    """A path of this site; anything that could lead elsewhere becomes the first page."""
    safe = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable()
    return wanted if safe else "/"
