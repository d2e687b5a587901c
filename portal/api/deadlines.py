"""Deadlines: `GET /api/v1/deadlines`."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from exchange import clocks
from exchange.sharing import Permission
from exchange.times import utcnow
from portal import current, language, present
from portal.auth import requires

bp = Blueprint("api_deadlines", __name__, url_prefix="/api/v1/deadlines")


@bp.get("")
@requires(Permission.REPORT)
def list_deadlines() -> ResponseReturnValue:
    """Every deadline that still runs in the open cases of the caller's organisation, the most pressing first: 200.

    401, 403.
    """
    with current.case_store().reading() as db:
        board = clocks.board(db, current.viewer(), now=utcnow())
        shown = [{"case_id": one.deadline.case.ref} | present.deadline(one, lang=language.chosen()) for one in board]
    return jsonify({"deadlines": shown})
