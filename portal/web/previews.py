"""What a filing would bring, for the pages on which somebody decides about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.orm import Session

from exchange import clocks, incidents
from exchange.documents import catalogue, documents_for, fields_of
from exchange.form import FIELDS, Profile
from exchange.models import Case
from exchange.sharing import Purpose, Viewer
from portal.web import differences, wording
from portal.web.differences import Paper, Reached
from portal.web.wording import Words

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
    profile = incidents.profile_of(case.organization)
    return {
        "changes": differences.between(known, answers, changed),
        "recipients": differences.reached(
            version.decision, decision, wording.recipients(decision, now), papers(profile, decision, answers, changed)
        ),
        "dues": differences.dues(wording.clocks(decision), decision, running, stage),
        "reminders": decision["reminders"],
        "not_triggered": wording.not_triggered(decision),
        "tlp": (decision["tlp_victim"], decision["tlp_technical"]),
        "tlp_before": (version.decision["tlp_victim"], version.decision["tlp_technical"]),
        "consent": differences.consent(known, answers),
    }


def first(profile: Profile, answers: Json, decision: Json, *, now: datetime) -> list[Reached]:
    """The recipients of a first report, and what each of them sees."""
    said = [name for name in FIELDS if answers.get(name) not in (None, "", [], {})]
    found = papers(profile, decision, answers, said)
    return [Reached(one, "", found[one.id]) for one in wording.recipients(decision, now)]


def papers(profile: Profile, decision: Json, answers: Json, names: Sequence[str]) -> dict[str, list[Paper]]:
    """The documents of each recipient, with the labels of those of these fields that stand in them."""
    return {
        one["id"]: [
            Paper(catalogue.document(made)["title"], _labels(made, names))
            for made in documents_for(decision, answers, profile, recipient=one["id"])
        ]
        for one in decision["recipients"]
    }


def _labels(document_id: str, names: Sequence[str]) -> list[Words]:
    shown = {path.partition(".")[0] for path in fields_of(document_id)}
    return [FIELDS[name]["label"] for name in names if name in shown]
