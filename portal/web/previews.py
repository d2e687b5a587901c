"""What a filing would bring, for the pages on which somebody decides about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.orm import Session

from exchange import clocks, incidents
from exchange.documents import catalogue, documents_for, fields_of
from exchange.form import FIELDS
from exchange.models import Case
from exchange.sharing import Purpose, Viewer
from portal.web import differences, wording
from portal.web.differences import Paper

Json = Mapping[str, Any]


def of(db: Session, case: Case, changes: Json, stage: str, *, by: Viewer, now: datetime) -> dict[str, Any]:
    """What `preview.html` shows: changes, recipients and their documents, deadlines, markings, the consent.

    What was known before is opened for it, and that reading is audited. Raises: Invalid; WrongState if it is closed.
    """
    version = incidents.latest(case)
    known = incidents.open_answers(db, version, by=by, purpose=Purpose(version.purposes[0]), now=now)
    answers, changed, found = incidents.preview(db, case, changes, now=now)
    decision = orjson.loads(orjson.dumps(found))
    running = [clocks.stands(one, now) for one in clocks.of_case(db, case)]
    papers = {one["id"]: _papers(case, decision, answers, changed, one["id"]) for one in decision["recipients"]}
    return {
        "changes": differences.between(known, answers, changed),
        "recipients": differences.reached(version.decision, decision, wording.recipients(decision, now), papers),
        "dues": differences.dues(wording.clocks(decision), decision, running, stage),
        "reminders": decision["reminders"],
        "tlp": (decision["tlp_victim"], decision["tlp_technical"]),
        "tlp_before": (version.decision["tlp_victim"], version.decision["tlp_technical"]),
        "consent": differences.consent(known["share_scope"], answers["share_scope"]),
    }


def _papers(case: Case, decision: Json, answers: Json, changed: list[str], recipient: str) -> list[Paper]:
    """The documents of one recipient, each with what is new in it."""
    profile = incidents.profile_of(case.organization)
    made = documents_for(decision, answers, profile, recipient=recipient)
    return [Paper(catalogue.document(one)["title"], _new_in(one, changed)) for one in made]


def _new_in(document_id: str, changed: list[str]) -> list[Any]:
    shown = {path.partition(".")[0] for path in fields_of(document_id)}
    return [FIELDS[name]["label"] for name in changed if name in shown]
