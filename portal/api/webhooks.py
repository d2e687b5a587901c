"""Webhooks: `/api/v1/webhooks`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session
from werkzeug.exceptions import UnsupportedMediaType

from exchange import accounts, form, incidents, json_text, webhooks
from exchange.models import Webhook
from exchange.sharing import Permission
from exchange.times import utcnow
from portal import current, present
from portal.api import once
from portal.api.drafts import identifier
from portal.auth import requires

bp = Blueprint("api_webhooks", __name__, url_prefix="/api/v1/webhooks")
_ROUTE = "POST /api/v1/webhooks"


class NewWebhook(BaseModel):
    """Where to send messages."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    url: str


@bp.post("")
@requires(Permission.REPORT)
def register_webhook() -> ResponseReturnValue:
    """Register an https address of the caller's organisation: 201 and its secret, shown this once.

    400 not JSON; 401; 403; 409 the key came with another body; 413; 415; 422 no such address, or too many; 503.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    said = json_text.loads(request.get_data())
    with current.case_store().transaction() as db:
        answer, replayed = once.answered(db, _ROUTE, lambda: _register(db, said), now=utcnow())
    assert isinstance(said, dict)
    answer["url"] = said["url"]  # Sent again, it is the same.
    return once.respond(answer, 201, location=f"/api/v1/webhooks/{answer['id']}", replayed=replayed)


def _register(db: Session, said: object) -> dict[str, Any]:
    viewer, now = current.viewer(), utcnow()
    profile = incidents.profile_of(accounts.own_organization(db, viewer, None))
    new = form.checked(NewWebhook, said, profile=profile, now=now)
    here = current.settings().local_webhooks
    webhook, secret = webhooks.register(db, new.url, by=viewer, now=now, this_machine=here)
    return _shown(db, webhook) | {"secret": secret}


@bp.get("")
@requires(Permission.REPORT)
def list_webhooks() -> ResponseReturnValue:
    """The webhooks of the caller's organisation, and how the last message to each went. 200, 401, 403."""
    with current.case_store().reading() as db:
        found = [_shown(db, one) for one in webhooks.of_organization(db, current.viewer(), now=utcnow())]
    return jsonify({"webhooks": found})


@bp.delete("/<webhook_id>")
@requires(Permission.REPORT)
def revoke_webhook(webhook_id: str) -> ResponseReturnValue:
    """Nothing is sent there any more, not even what waits: 200; 404; 401, 403."""
    with current.case_store().transaction() as db:
        webhook = webhooks.revoke(db, identifier(webhook_id), by=current.viewer(), now=utcnow())
        return jsonify(_shown(db, webhook))


def _shown(db: Session, webhook: Webhook) -> dict[str, Any]:
    return present.webhook(webhook, webhooks.url_of(db, webhook), webhooks.last_knock(db, webhook))
