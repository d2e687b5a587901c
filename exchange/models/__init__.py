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
from exchange.models.rooms import AddedRow, Attachment, Draft, EmergencyCode, Knock, Letter, Message, Webhook

__all__ = [
    "AddedRow",
    "Answer",
    "ApiKey",
    "Attachment",
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
    "Draft",
    "Edition",
    "EditionObject",
    "EmergencyCode",
    "Entry",
    "Event",
    "FeedAccount",
    "FeedKey",
    "Grant",
    "Installed",
    "Knock",
    "Letter",
    "Login",
    "Message",
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
    "Webhook",
]
