"""A request that is sent twice under one Idempotency-Key acts once, and gets the first answer again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Response, jsonify, request
from sqlalchemy.orm import Session

from exchange import idempotency
from exchange.db import vault_of
from exchange.idempotency import Once
from portal import current

Json = dict[str, Any]


def answered(db: Session, route: str, act: Callable[[], Json], *, now: datetime) -> tuple[Json, bool]:
    """What `act` answers, and False; or the answer that was given before under the request's key, and True.

    The same key with another body, address or query is a conflict.
    """
    key, viewer = request.headers.get("Idempotency-Key"), current.viewer()
    if key is None:
        return act(), False
    assert viewer.person_id is not None
    once = Once(viewer.person_id, route, key)
    fingerprint = vault_of(db).fingerprint(request.full_path, request.mimetype, request.get_data())
    given = idempotency.first_answer(db, once, fingerprint=fingerprint, now=now)
    if given is not None:
        return given, True
    answer = act()
    idempotency.keep(db, once, {name: value for name, value in answer.items() if name not in _SEALED})
    return answer, False


# What lies sealed, and must not be kept here in the open.
_SEALED = frozenset({"secret", "url"})


def respond(answer: Json, status: int, *, location: str, replayed: bool) -> Response:
    """The answer, where to find what was made, and whether it was made before."""
    response = jsonify(answer)
    response.status_code = status
    response.headers["Location"] = location
    if replayed:
        response.headers["Idempotent-Replay"] = "true"
    return response
