"""How one's own TAXII client behaves, and how to connect one."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_timedelta
from flask_babel import gettext as _

from exchange import feed_accounts, habits, polls
from exchange.models import Collection
from exchange.polls import Habit
from exchange.sharing import Permission
from exchange.times import utcnow
from portal import current
from portal.auth import requires
from portal.web.wording import Words

bp = Blueprint("feed", __name__, url_prefix="/feed")


@dataclass(frozen=True)
class Row:
    """A collection, and what was counted there. `ahead` says how far in the future a request reached."""

    title: Words
    alias: str
    sandbox: bool
    offered: int
    since: datetime | None
    polled_at: datetime | None
    counted: dict[str, Any]
    ahead: str


@bp.get("")
@requires(Permission.SIGNED_IN)
def show() -> ResponseReturnValue:
    """What the feed's self-test says about this account, and how to connect. 200; 503 while the feed is away."""
    viewer, now = current.viewer(), utcnow()
    assert viewer.person_id is not None
    with current.stores().released.reading() as db:
        caller = feed_accounts.caller_of_account(db, viewer.person_id, now=now)
        seen = polls.habits(db, caller.viewer, caller.collections) if caller else []
    rows = sorted((_row(one) for one in seen), key=lambda row: row.sandbox)
    return render_template(
        "feed.html",
        known=caller is not None,
        findings=[(one, [title(where) for where in one.where]) for one in habits.findings(seen, now=now)],
        rows=rows,
        sandbox=any(row.sandbox for row in rows),
        discovery_url=current.settings().taxii_url,
        roots_url=current.settings().taxii_url.removesuffix("taxii2/"),
        quoted_name=shlex.quote(viewer.username),
    )


@bp.post("/forget")
@requires(Permission.SIGNED_IN)
def forget() -> ResponseReturnValue:
    """Count anew: 303."""
    viewer = current.viewer()
    assert viewer.person_id is not None
    with current.stores().released.transaction() as db:
        polls.forget_habits(db, viewer.person_id, now=utcnow())
    flash(_("Everything is counted anew from now on."))
    return redirect(url_for("feed.show"), 303)


def title(collection: Collection) -> Words:
    """A collection's name: the released store keeps the Japanese one as its description."""
    if collection.owner_id is not None:
        return {"ja": "サンドボックス", "en": "Sandbox"}
    return {"ja": collection.description, "en": collection.title}


def _row(habit: Habit) -> Row:
    own, counted = habit.collection, habits.counters(habit)
    return Row(
        title=title(own),
        alias=own.alias,
        sandbox=own.owner_id is not None,
        offered=habit.offered,
        since=habit.counted.since if habit.counted else None,
        polled_at=habit.counted.polled_at if habit.counted else None,
        counted=counted,
        ahead=format_timedelta(timedelta(seconds=counted["furthest_ahead_s"])) if counted["future"] else "",
    )
