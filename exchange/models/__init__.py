"""Rows, and the rules a row keeps about itself."""

from exchange.models.accounts import ApiKey, Login, Organization, Person, SignInFailure
from exchange.models.base import CaseBase, ReleasedBase
from exchange.models.editions import Edition, EditionObject, Proposal, ProposalState
from exchange.models.ledger import Answer, AuditEntry, AuditHead, CarriedNote, Event, Installed
from exchange.models.released import (
    ClientHabit,
    Collection,
    Contributor,
    Entry,
    FeedAccount,
    FeedKey,
    Grant,
    ObjectVersion,
    Poll,
    SealedPage,
    Submission,
)
from exchange.models.reports import Case, Deadline, Delivery, Observable, ReportVersion

__all__ = [
    "Answer",
    "ApiKey",
    "AuditEntry",
    "AuditHead",
    "CarriedNote",
    "Case",
    "CaseBase",
    "ClientHabit",
    "Collection",
    "Contributor",
    "Deadline",
    "Delivery",
    "Edition",
    "EditionObject",
    "Entry",
    "Event",
    "FeedAccount",
    "FeedKey",
    "Grant",
    "Installed",
    "Login",
    "ObjectVersion",
    "Observable",
    "Organization",
    "Person",
    "Poll",
    "Proposal",
    "ProposalState",
    "ReleasedBase",
    "ReportVersion",
    "SealedPage",
    "SignInFailure",
    "Submission",
]
