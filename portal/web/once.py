"""A form that is sent twice acts once."""

from __future__ import annotations

import secrets

import orjson
from flask import request
from sqlalchemy.orm import Session

from exchange import idempotency
from exchange.db import vault_of
from exchange.idempotency import Once
from exchange.times import utcnow
from portal import current

_NOT_TYPED = {"csrf_token", "idempotency_key", "lang"}


def new_key() -> str:
    """For the hidden field `idempotency_key` of a form."""
    return secrets.token_urlsafe(16)


def first_time(db: Session) -> bool:
    """Whether this very form came here for the first time; kept with what the transaction does.

    Raises: Conflict if its key came with something else; Invalid if that is no key.
    """
    viewer = current.viewer()
    assert viewer.person_id is not None
    typed = {name: values for name, values in request.form.to_dict(flat=False).items() if name not in _NOT_TYPED}
    once = Once(viewer.person_id, f"POST {request.path}", request.form.get("idempotency_key") or new_key())
    fingerprint = vault_of(db).fingerprint(orjson.dumps(typed, option=orjson.OPT_SORT_KEYS))
    if idempotency.first_answer(db, once, fingerprint=fingerprint, now=utcnow()) is not None:
        return False
    idempotency.keep(db, once, {"done": True})
    return True
