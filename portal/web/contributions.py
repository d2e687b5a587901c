"""The contributions desk: what members posted waits here until an approver lets it out, or refuses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from exchange import (
    accounts,
    audit,
    carrying,
    contributions,
    outbox,
    weighing,
)
from exchange.contributions import Waiting
from exchange.errors import NotFound
from exchange.models import Collection
from exchange.sharing import TLP, Permission, Purpose
from exchange.times import utcnow
from exchange.weighing import Concern, Thing
from portal import current
from portal.auth import requires
from portal.web import wording
from portal.web.feed import title
from portal.web.wording import Words

bp = Blueprint("contributions", __name__, url_prefix="/desk/contributions")
_LISTED = 50
_ON_A_PAGE = 100
_NAMED_FIRST = 30


@dataclass(frozen=True)
class Row:
    """A contribution in the list. `tlp` is None where only opening it tells."""

    submission_id: UUID
    organization: Words
    collection: Words
    posted_at: datetime
    objects: int
    tlp: TLP | None
    in_work: bool


@bp.get("")
@requires(Permission.DESK)
def show_all() -> ResponseReturnValue:
    """What waits, the oldest first. 200; 503 while the feed is away."""
    with current.stores().released.reading() as db:
        waiting = contributions.waiting(db)
        found = [(one, _collection(db, one), _level(db, one)) for one in waiting[:_LISTED]]
    with current.case_store().reading() as db:
        rows = [_row(db, *one) for one in found]
    return render_template("contributions.html", contributions=rows, more=len(waiting) - len(rows))


def _collection(db: Session, waiting: Waiting) -> Words:
    return title(db.get_one(Collection, waiting.collection_id))


def _level(db: Session, waiting: Waiting) -> TLP | None:
    """To know it, everything must be read; too much of that would keep the whole list waiting."""
    things = contributions.quarantined(db, waiting.submission_id) if waiting.objects <= contributions.AT_ONCE else []
    return weighing.strictest(things) if things else None


def _row(db: Session, waiting: Waiting, collection: Words, tlp: TLP | None) -> Row:
    return Row(
        waiting.submission_id,
        organization=_organization(db, waiting),
        collection=collection,
        posted_at=waiting.posted_at,
        objects=waiting.objects,
        tlp=tlp,
        in_work=outbox.in_work(db, [waiting.submission_id]),
    )


def _organization(db: Session, waiting: Waiting) -> Words:
    own = weighing.contributor(db, waiting.account_id)
    if own is None:
        return {"ja": "不明な組織", "en": "Unknown organisation"}
    profile = accounts.profile_of(db, own)
    return {"ja": profile["name_ja"], "en": profile["name_en"]}


@bp.get("/<uuid:submission_id>")
@requires(Permission.DESK)
def show(submission_id: UUID) -> ResponseReturnValue:
    """Everything in it, page by page; the reading is audited. 200, 404; 503 while the feed is away."""
    with current.stores().released.reading() as db:
        waiting = contributions.find_waiting(db, submission_id)
        things = contributions.quarantined(db, submission_id)
        collection = _collection(db, waiting)
    if not things:
        raise NotFound(f"submission {submission_id}")
    viewer, now = current.viewer(), utcnow()
    with current.case_store().transaction() as db:
        audit.record(db, "contribution.read", by=viewer, subject=submission_id, purpose=Purpose.WARNING, now=now)
    return _page(waiting, things, collection)


def _page(waiting: Waiting, things: Sequence[Thing], collection: Words) -> str:
    pages = -(-len(things) // _ON_A_PAGE)
    number = min(max(request.args.get("page", 1, type=int), 1), pages)
    here = range((number - 1) * _ON_A_PAGE, min(number * _ON_A_PAGE, len(things)))
    looked_at = range(len(things)) if len(things) <= contributions.AT_ONCE else here
    with current.case_store().reading() as db:
        concerns = _concerns(db, waiting, things, looked_at)
        organization = _organization(db, waiting)
        in_work = outbox.in_work(db, [waiting.submission_id])
    objects = weighing.shown(things, concerns)
    return render_template(
        "contribution.html",
        waiting=waiting,
        organization=organization,
        collection=collection,
        in_work=in_work,
        tlp=weighing.strictest(things),
        types=Counter(thing["type"] for thing in things).most_common(),
        doubtful=[objects[n - 1] for n in list(concerns)[:_NAMED_FIRST]],
        doubts=len(concerns),
        looked_at=len(looked_at),
        objects=[objects[n] for n in here],
        page=number,
        pages=pages,
        page_of=lambda n: (n - 1) // _ON_A_PAGE + 1,
        concern=wording.concern,
    )


def _concerns(
    db: Session, waiting: Waiting, things: Sequence[Thing], looked_at: range
) -> Mapping[int, Sequence[Concern]]:
    """By the number of the object, for those that have any."""
    own, real = weighing.contributor(db, waiting.account_id), current.settings().documentation_is_real
    scales = weighing.Scales(db, own, documentation_is_real=real)
    found = {n + 1: scales.concerns(things[n]) for n in looked_at}
    return {number: concerns for number, concerns in found.items() if concerns}


@bp.post("/<uuid:submission_id>/approve")
@requires(Permission.RELEASE)
def approve(submission_id: UUID) -> ResponseReturnValue:
    """Let it out: 303 to the list, also when nothing of it waits any more."""
    try:
        carrying.admit(current.stores(), submission_id, by=current.viewer(), now=utcnow())
    except NotFound:
        return _gone()
    flash(_("Approved. It is in the feed in a few seconds."))
    return redirect(url_for("contributions.show_all"), 303)


@bp.post("/<uuid:submission_id>/refuse")
@requires(Permission.RELEASE)
def refuse(submission_id: UUID) -> ResponseReturnValue:
    """Take it away: 303 to the list, also when nothing of it waits any more."""
    try:
        carrying.turn_down(current.stores(), submission_id, by=current.viewer(), now=utcnow())
    except NotFound:
        return _gone()
    flash(_("Refused. Nothing of it goes out."))
    return redirect(url_for("contributions.show_all"), 303)


def _gone() -> ResponseReturnValue:
    flash(
        _("Nothing of this contribution waits any more: somebody has decided, or its contributor took it back."), "info"
    )
    return redirect(url_for("contributions.show_all"), 303)
