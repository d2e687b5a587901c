"""The consumer's self-test: how the caller's own client behaves, and what to do about it. Not part of TAXII."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response

from exchange import habits, polls
from exchange.habits import Finding
from exchange.polls import Habit
from exchange.times import rfc3339, utcnow
from taxii_server import auth
from taxii_server.errors import MEDIA_TYPE

bp = Blueprint("selftest", __name__)
_NOTE = "Requests are counted about half a second after they were answered. This request is not counted."


@bp.get("/taxii2/self-test/")
def show_selftest() -> Response:
    """200 and what was counted of the caller, in the collections that it may read; 401 without credentials."""
    caller = auth.caller()
    with auth.store().reading() as db:
        seen = polls.habits(db, caller.viewer, caller.collections)
    found = habits.findings(seen, now=utcnow())
    body = {
        "ok": not found,
        "findings": [_finding(one) for one in found],
        "collections": [_collection(one) for one in seen],
        "note": _NOTE,
    }
    return Response(orjson.dumps(body), content_type=MEDIA_TYPE)


def _finding(found: Finding) -> dict[str, Any]:
    where = [one.alias for one in found.where]
    words = {"text": found.says["en"], "advice": found.advice["en"]}
    return {"code": found.code, "severity": found.kind} | words | {"collections": where, "times": found.times}


def _collection(habit: Habit) -> dict[str, Any]:
    own, counted = habit.collection, habit.counted
    times = {
        "counted_since": rfc3339(counted.since) if counted else None,
        "last_poll": rfc3339(counted.polled_at) if counted and counted.polled_at else None,
    }
    numbers = habits.counters(habit)
    named = {"alias": own.alias, "id": str(own.id), "title": own.title}
    return named | times | {"objects_offered": habit.offered, "objects_fetched": numbers.pop("objects")} | numbers
