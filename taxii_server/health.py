"""Whether this server can serve, in words."""

from __future__ import annotations

from flask import Flask, Response, jsonify

from exchange.db import Store


def install(app: Flask, store: Store) -> None:
    """`GET /healthz`: 200 when it can, 503 and the reasons when it cannot."""

    @app.get("/healthz")
    def healthz() -> tuple[Response, int]:
        faults = store.faults()
        return jsonify(status="fault" if faults else "ok", faults=faults), 503 if faults else 200
