"""The desk of the national office: what is held waits here until a second person releases the view that is shown."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import orjson
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from exchange import accounts, audit, editions, findings, incidents, outbox, victims
from exchange.db import vault_of
from exchange.errors import Conflict, Invalid, NotFound, NotPermitted, Problem, WrongState
from exchange.models import Case, Edition, Proposal, ProposalState
from exchange.sharing import EditionKind, Permission, Purpose, Viewer, permitted, visible_to
from exchange.stix.render import Rendered

_LONGEST = 4000
_TIMES = {"created", "modified", "valid_from", "valid_until", "object_modified"}


@dataclass(frozen=True)
class View:
    """What a release would publish: the exact objects, and a hash of what they say (times left out)."""

    objects: Sequence[Rendered]
    digest: str


def propose(db: Session, ref: str, texts: Mapping[str, str], *, by: Viewer, now: datetime) -> Proposal:
    """Write a text about a case for release, in both languages; it takes the place of one that waits.

    Args:
        texts: `ja` and `en`.
    Raises:
        Invalid: a language is missing, or a text tells who was hit.
        NotFound; NotPermitted; WrongState if the reporter's scope allows no edition.
    """
    _need(by, Permission.PROPOSE)
    case = incidents.find(db, ref, by)
    _hold(db, case.id)
    if not editions.in_force(db, case):
        raise WrongState("the reporter allows no edition of this case")
    clean = {lang: _tidy(texts.get(lang, "")) for lang in ("ja", "en")}
    _check(db, case, clean)
    for waiting in db.scalars(_of(case).where(Proposal.state == ProposalState.OPEN)).unique():
        waiting.decide(ProposalState.REJECTED, by=_person(by), now=now)
    db.flush()
    proposal = Proposal(id=uuid4(), case_id=case.id, case=case, proposed_by_id=_person(by), proposed_at=now)
    proposal.state = ProposalState.OPEN
    proposal.sealed_text = vault_of(db).seal(orjson.dumps(clean), at=f"proposal:{proposal.id}")
    db.add(proposal)
    audit.record(db, "text.proposed", by=by, subject=proposal.id, purpose=Purpose.WARNING, now=now)
    return proposal


def _tidy(text: str) -> str:
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()


def _check(db: Session, case: Case, texts: Mapping[str, str]) -> None:
    answers = incidents.unsealed(db, incidents.latest(case))
    profile = accounts.profile_of(db, case.organization)
    terms = victims.terms(profile, callback=answers.get("callback"))
    problems = []
    for lang, text in texts.items():
        told = victims.told_by(text, terms) + findings.own_values(text, profile)
        if not text:
            problems.append(Problem(f"text_{lang}", "required"))
        elif len(text) > _LONGEST:
            problems.append(Problem(f"text_{lang}", "too-long", {"max": _LONGEST}))
        elif any(unicodedata.category(char) in {"Cc", "Cf"} and char not in "\n\t" for char in text):
            problems.append(Problem(f"text_{lang}", "control-character"))
        elif told:
            problems.append(Problem(f"text_{lang}", "victim-term", {"terms": "、".join(told)}))
    if problems:
        raise Invalid(problems)


def waiting_cases(db: Session, viewer: Viewer) -> Sequence[Case]:
    """The cases with a text that waits, longest first."""
    seen = select(Case).join(Proposal).where(Proposal.state == ProposalState.OPEN, visible_to(viewer, Case))
    return db.scalars(seen.order_by(Proposal.proposed_at)).unique().all()


def open_proposal(db: Session, case: Case) -> Proposal | None:
    """The text that waits for a second person, if there is one."""
    return db.scalars(_of(case).where(Proposal.state == ProposalState.OPEN)).unique().one_or_none()


def text_of(db: Session, proposal: Proposal) -> dict[str, str]:
    """The proposed text, `ja` and `en`."""
    texts: dict[str, str] = orjson.loads(vault_of(db).unseal(proposal.sealed_text, at=f"proposal:{proposal.id}"))
    return texts


def released_text(db: Session, case_id: UUID) -> dict[str, str] | None:
    """The text about a case that was released last, if one was."""
    proposal = next(_released(db, case_id), None)
    return text_of(db, proposal) if proposal else None


def text_for(db: Session, edition: Edition) -> dict[str, str] | None:
    """The text that was released last for the circle of this edition, if one was; another circle's never gets there."""
    released = (one for one in _released(db, edition.case_id) if edition.kind in one.circles)
    proposal = next(released, None)
    return text_of(db, proposal) if proposal else None


def lacking(db: Session, case: Case) -> list[EditionKind]:
    """The circles for which the text that was released last must be proposed again: they were opened after it."""
    last = next(_released(db, case.id), None)
    kinds = [EditionKind(one.kind) for one in editions.in_force(db, case)]
    return [kind for kind in kinds if kind not in last.circles] if last else []


def _released(db: Session, case_id: UUID) -> Iterator[Proposal]:
    """The texts about a case that were released, the newest first."""
    rows = select(Proposal).where(Proposal.case_id == case_id, Proposal.state == ProposalState.RELEASED)
    return iter(db.scalars(rows.order_by(Proposal.decided_at.desc())).unique())


def view(db: Session, case: Case, description: Mapping[str, str] | None, *, now: datetime) -> View:
    """What releasing `description` would publish, over all editions of the case that are in force."""
    objects = [one for e in editions.in_force(db, case) for one in editions.view(db, e, description, now=now)]
    said = hashlib.sha256(b"\n".join(_without_times(one.body) for one in objects))
    return View(objects, said.hexdigest())


def _without_times(body: bytes) -> bytes:
    """What an object says; its times become those of the release."""
    said = {name: value for name, value in orjson.loads(body).items() if name not in _TIMES}
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def release(db: Session, proposal_id: UUID, *, shown: str, by: Viewer, now: datetime) -> Proposal:
    """Release a text, if it is still the view that was shown.

    Args:
        shown: the digest of the view that the second person read.
    Raises:
        NotPermitted: `by` wrote it, or may not release.
        Conflict: what would go out is no longer what was shown.
        NotFound; WrongState.
    """
    _need(by, Permission.RELEASE)
    proposal = _find(db, proposal_id, by)
    if proposal.proposed_by_id == by.person_id:
        raise NotPermitted("a second person releases")
    if view(db, proposal.case, text_of(db, proposal), now=now).digest != shown:
        raise Conflict("the view has changed since it was shown")
    proposal.decide(ProposalState.RELEASED, by=_person(by), now=now)
    proposal.view_digest = shown
    open_to = editions.in_force(db, proposal.case)
    proposal.circles = [edition.kind for edition in open_to]
    audit.record(db, "text.released", by=by, subject=proposal.id, version=shown, purpose=Purpose.WARNING, now=now)
    for edition in open_to:
        outbox.tell(db, "edition.ready", edition.id, now=now)
    return proposal


def reject(db: Session, proposal_id: UUID, *, by: Viewer, now: datetime) -> Proposal:
    """Let a text not go out. Raises: NotPermitted, NotFound, WrongState."""
    _need(by, Permission.RELEASE)
    proposal = _find(db, proposal_id, by)
    proposal.decide(ProposalState.REJECTED, by=_person(by), now=now)
    audit.record(db, "text.rejected", by=by, subject=proposal.id, now=now)
    return proposal


def _find(db: Session, proposal_id: UUID, by: Viewer) -> Proposal:
    seen = select(Proposal).join(Case).where(Proposal.id == proposal_id, visible_to(by, Case))
    proposal = db.scalars(seen).unique().one_or_none()
    if proposal is None:
        raise NotFound("proposal")
    _hold(db, proposal.case_id)
    db.refresh(proposal)
    return proposal


def _hold(db: Session, case_id: UUID) -> None:
    """One person at a time decides about a case: held until the transaction ends."""
    db.execute(select(Case.id).where(Case.id == case_id).with_for_update())


def _of(case: Case) -> Select[Proposal]:
    return select(Proposal).where(Proposal.case_id == case.id)


def _need(by: Viewer, permission: Permission) -> None:
    if not permitted(by, permission):
        raise NotPermitted(permission)


def _person(by: Viewer) -> UUID:
    assert by.person_id is not None
    return by.person_id
