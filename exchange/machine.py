"""Reports that a machine brings: filed at once, or kept as a draft until a person of the organization has read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from exchange import accounts, carrying, drafts, incidents, rules, typed, updates
from exchange.answer_types import Time
from exchange.errors import Invalid
from exchange.feed import Clock
from exchange.form import QUICK, QuickReport
from exchange.incidents import Filed, Filing
from exchange.models import Draft
from exchange.rules import Decision
from exchange.sharing import Viewer
from exchange.stix import intake
from exchange.stores import Stores
from exchange.typed import Pairs

# The boxes of the first page, where `exchange.typed` names them like those of any other time.
_BOXES = {"aware_at.date": "aware_date", "aware_at.time": "aware_time"}
_TIME: TypeAdapter[datetime] = TypeAdapter(Time)
_NOT_TYPED = {"organisation", "submitted_at"}


@dataclass(frozen=True)
class Brought:
    """What a machine says.

    Attributes:
        quick: answers of the quick report, as they came.
        later: answers of the other stages.
        doubted: whether it says itself that it may be none.
    """

    quick: object
    via: str = "api"
    later: Mapping[str, Any] = field(default_factory=dict)
    doubted: bool = False


def from_stix(db: Session, bundle: object, *, by: Viewer) -> Brought:
    """What a STIX bundle says, and what the organization's own entry and standing consent add. Raises: Invalid."""
    said, own = intake.read(bundle), accounts.own_organization(db, by, None)
    contacts = accounts.profile_of(db, own).get("contacts", [])
    quick = intake.completed(
        said.quick,
        phone=next((one["phone"] for one in contacts if one.get("phone")), None),
        standing_scope=own.standing_scope,
        act_special_operator=own.act_special_operator,
    )
    return Brought(quick, "stix", said.later, doubted=not said.is_incident)


def file(db: Session, stores: Stores, brought: Brought, *, by: Viewer, exercise: bool, clock: Clock) -> Filed:
    """File it as a new case; what is not asked in a quick report follows as an update in the same transaction.

    Raises: Invalid, NotFound, NotPermitted.
    """
    quick = incidents.read(db, brought.quick, by=by, now=clock())
    filed = incidents.report(db, quick, by=by, via=brought.via, now=clock(), exercise=exercise)
    return follow(db, stores, filed, brought.later, via=brought.via, by=by, clock=clock)


def follow(
    db: Session, stores: Stores, filed: Filed, later: Mapping[str, Any], *, via: str, by: Viewer, clock: Clock
) -> Filed:
    """File what came with a quick report and is not asked there, as an update. Raises: Invalid."""
    if not later:
        return filed
    more = carrying.file_in(db, stores, filed.case.ref, dict(later), Filing("zokuhou", via, by), clock=clock)
    return replace(more, duplicate_of=filed.duplicate_of)


def foreseen(
    db: Session, quick: QuickReport, later: Mapping[str, Any], *, by: Viewer, now: datetime
) -> tuple[dict[str, Any], Decision]:
    """All that would be known, and who gets it, by which law, by when: shown before sending. Raises: Invalid."""
    profile, answers = incidents.profile_of(accounts.own_organization(db, by, None)), incidents.answers_of(quick)
    answers = updates.merged(answers, dict(later), profile=profile, now=now) if later else answers
    return answers, rules.decide(answers, profile, at=now)


def missing(db: Session, brought: Brought, *, by: Viewer, now: datetime) -> list[str]:
    """The required answers that are not there.

    Raises: Invalid if one that is there is wrong; NotFound, NotPermitted.
    """
    open_fields = _open(lambda: incidents.read(db, brought.quick, by=by, now=now))
    if open_fields:
        _check_whose(db, brought, by)
    profile = incidents.profile_of(accounts.own_organization(db, by, None))
    _open(lambda: updates.merged({}, dict(brought.later), profile=profile, now=now))
    return open_fields


def _open(read: Callable[[], object]) -> list[str]:
    """The required questions of a quick report that are not answered. Raises: Invalid if something else is wrong."""
    try:
        read()
    except Invalid as error:
        wrong = [problem for problem in error.problems if problem.code != "required" or problem.field not in QUICK]
        if wrong:
            raise Invalid(wrong) from None
        return [problem.field for problem in error.problems]
    return []


def _check_whose(db: Session, brought: Brought, by: Viewer) -> None:
    """Raises: NotFound if it names another organization."""
    named = brought.quick.get("organisation") if isinstance(brought.quick, dict) else None
    accounts.own_organization(db, by, named["org_id"] if named else None)


def keep(db: Session, brought: Brought, *, by: Viewer, now: datetime) -> Draft:
    """Keep it as a draft of the first page, as if a person had typed it, with all else; nothing follows from it."""
    assert isinstance(brought.quick, dict)
    row = drafts.start(db, by=by, stage="sokuhou", machine=True, later=dict(brought.later), now=now)
    return drafts.save_form(db, drafts.find(db, row.id, by), _pairs(brought.quick), by=by, revision=1, now=now).row


def _pairs(quick: Mapping[str, Any]) -> Pairs:
    answers = {name: value for name, value in quick.items() if name not in _NOT_TYPED and value}
    if "aware_at" in answers:
        # The page asks for no seconds.
        minute = _TIME.validate_python(answers["aware_at"]).replace(second=0, microsecond=0)
        answers |= {"aware_at": minute.isoformat(), "aware_fidelity": answers.get("aware_fidelity", "minute")}
    pairs = typed.from_answers(QUICK.values(), answers)
    return {_BOXES.get(name, name): values for name, values in pairs.items()}
