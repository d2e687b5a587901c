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
    """200 when it can; 503 and the reasons when it cannot."""
    faults = current_app.extensions["stores"].faults()
    return jsonify(status="fault" if faults else "ok", faults=faults), 503 if faults else 200
