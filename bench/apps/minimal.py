"""The yardstick for processor time: as little Flask as a page of rows needs; no accounts, no filters, no rights."""

from __future__ import annotations

import os
import sqlite3
import threading

from flask import Flask, Response, request

from bench.rows import SQLITE_PAGE

app = Flask(__name__)
_of_thread = threading.local()


@app.get("/objects/")
def objects() -> Response:
    """Up to `limit` rows after `next`, joined into an envelope."""
    limit = int(request.args["limit"])
    rows = _connection().execute(SQLITE_PAGE, (int(request.args.get("next", 0)), limit)).fetchall()
    head = b'{"more":true,"next":"%d",' % rows[-1][0] if len(rows) == limit else b"{"
    body = head + b'"objects":[' + b",".join([row[1] for row in rows]) + b"]}"
    return Response(body, content_type="application/taxii+json;version=2.1")


def _connection() -> sqlite3.Connection:
    if not hasattr(_of_thread, "connection"):
        _of_thread.connection = sqlite3.connect(os.environ["BENCH_ROWS"])
    found: sqlite3.Connection = _of_thread.connection
    return found
