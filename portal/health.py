"""Whether the portal can take a report, in words."""

from __future__ import annotations

from flask import Flask, Response, current_app, jsonify

from exchange.sharing import Permission
from portal.auth import requires


def install(app: Flask) -> None:
    """`GET /healthz`."""
    app.add_url_rule("/healthz", "healthz", healthz)


@requires(Permission.ANYONE)
def healthz() -> tuple[Response, int]:
    """200 when it can take a report, also while the released store is away; 503 and the reasons when it cannot."""
    stores = current_app.extensions["stores"]
    fatal, others = stores.case.faults(), stores.released.faults()
    status = "fault" if fatal else "degraded" if others else "ok"
    return jsonify(status=status, faults=fatal + others), 503 if fatal else 200
