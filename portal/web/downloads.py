"""Files to save."""

from __future__ import annotations

from urllib.parse import quote

from flask import Response


def attachment(body: bytes, media_type: str, *, title: str, plain: str, form: str) -> Response:
    """A file named `title.form`, and `plain.form` where a browser knows only ASCII. Source: RFC 6266, section 4.3."""
    response = Response(body, content_type=media_type)
    names = f"filename=\"{plain}.{form}\"; filename*=UTF-8''{quote(f'{title}.{form}', safe='')}"
    response.headers["Content-Disposition"] = f"attachment; {names}"
    return response
