"""Drafts that machines left for a person: `GET /api/v1/drafts/{draft_id}`."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from exchange import drafts
from exchange.errors import NotFound
from exchange.sharing import Permission
from portal import current, present
from portal.auth import requires

bp = Blueprint("api_drafts", __name__, url_prefix="/api/v1/drafts")


@bp.get("/<draft_id>")
@requires(Permission.REPORT)
def show_draft(draft_id: str) -> ResponseReturnValue:
    """A draft that still waits: 200; 404 when a person has filed it or thrown it away. 401, 403."""
    with current.case_store().reading() as db:
        found = drafts.find(db, identifier(draft_id), current.viewer())
        return jsonify(present.draft(found.row, status_url=request.path))


def identifier(text: str) -> UUID:
    """Raises: NotFound: what is no id is nobody's."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("id") from None
