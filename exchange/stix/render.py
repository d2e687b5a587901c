"""Drafts as bytes. A version is (id, modified), and looks the same for everyone, at every time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from exchange.errors import WrongState
from exchange.stix import ids, observables
from exchange.stix.draft import Draft, IdOf
from exchange.times import stix_time

_FIRST: Final = (
    "type",
    "spec_version",
    "id",
    "created_by_ref",
    "created",
    "modified",
    "revoked",
    "lang",
    "name",
    "description",
)


@dataclass(frozen=True)
class Previous:
    """What was rendered last for a key; the times are None for an SCO and for nothing else."""

    id: str
    created: datetime | None
    modified: datetime | None
    digest: str


@dataclass(frozen=True)
class Rendered:
    """One version of one object.

    Attributes:
        version: the text of `modified`; None for an SCO, which has no versions.
        body: the object as UTF-8 JSON.
        digest: hex SHA-256 of what the version says, times left out.
        changed: it says something that the previous version did not.
    """

    key: str
    id: str
    type: str
    version: str | None
    created: datetime | None
    modified: datetime | None
    body: bytes
    digest: str
    changed: bool

    @property
    def previous(self) -> Previous:
        """What the next rendering has to know of this one."""
        return Previous(self.id, self.created, self.modified, self.digest)


def render(drafts: Sequence[Draft], previous: Mapping[str, Previous], *, id_of: IdOf, now: datetime) -> list[Rendered]:
    """One version of each draft, in their order: the previous one if nothing changed, else a new one.

    Args:
        drafts: as `edition.drafts` gives them, a language-content after the object it translates.
        previous: by key; what is missing is new.
        now: the time of the release, aware; cut to milliseconds.
    Raises:
        ValueError: `now` has no time zone, or `id_of` has forgotten an id.
    Source: STIX 2.1, sections 3.5 and 3.6 (Versioning).
    """
    done: dict[str, Rendered] = {}
    for draft in drafts:
        before = previous.get(draft.key)
        if draft.type in observables.SCO_TYPES:
            done[draft.key] = _observable(draft, before)
        else:
            target = done[draft.lang_of] if draft.lang_of else None
            done[draft.key] = _version(draft, id_of(draft.key, draft.type), before, target, _cut(now))
    return list(done.values())


def ends_silently(stix_id: str) -> bool:
    """Whether an object is taken away rather than revoked: it has no versions, or would still point at the value."""
    kind = stix_id.partition("--")[0]
    return kind in observables.SCO_TYPES or kind == "observed-data"


def revoke(body: bytes, *, now: datetime) -> tuple[bytes, str]:
    """The last version of an object, and the text of its `modified`; its id is never used again.

    It tells who has the object that it holds no more, and nobody else what it was: texts and patterns are left out.

    Raises: WrongState if it has no versions (an SCO, a marking), or is revoked already.
    Source: STIX 2.1, section 3.6.1 (Revoking).
    """
    known = orjson.loads(body)
    if "modified" not in known or known.get("revoked"):
        raise WrongState(f"{known['id']} cannot be revoked")
    version = stix_time(_after(datetime.fromisoformat(known["modified"]), _cut(now)))
    said = {name: value for name, value in known.items() if name not in _TELLING}
    said |= {name: _WITHDRAWN[name] for name in known.keys() & _WITHDRAWN.keys() if name in _needed(known["type"])}
    return _pack({**said, "modified": version, "revoked": True}), version


def remark(body: bytes, tlp: str, versions: Mapping[str, str], *, now: datetime) -> tuple[bytes, str, str]:
    """A version that says the same at another level: its bytes, the text of its `modified`, and its digest.

    Args:
        body: the version before it; not of an SCO, which has neither versions nor markings of ours.
        versions: by id, of what was remarked already: a language-content comes after the object that it translates.
    """
    known = orjson.loads(body)
    version = stix_time(_after(datetime.fromisoformat(known["modified"]), _cut(now)))
    said = {**known, "object_marking_refs": [ids.TLP_MARKING[tlp]]}
    if "object_modified" in known:
        said["object_modified"] = versions[known["object_ref"]]
    says = {name: value for name, value in said.items() if name not in _STAMPS}
    digest = _digest({**says, "lifetime_days": _lifetime_days(known)})
    return _pack({**said, "modified": version}), version, digest


_STAMPS: Final = {"created", "modified", "valid_from", "valid_until"}


def _lifetime_days(known: Mapping[str, str]) -> int | None:
    if "valid_until" not in known:
        return None
    return (datetime.fromisoformat(known["valid_until"]) - datetime.fromisoformat(known["created"])).days


_WITHDRAWN: Final[Mapping[str, Any]] = {
    "name": "withdrawn",
    "pattern": "[x-noroshi-withdrawn:value = 'withdrawn']",
    "contents": {"en": {"name": "withdrawn"}},
}
_TELLING: Final = {*_WITHDRAWN, "description", "external_references", "extensions", "labels", "sectors", "confidence"}


def _needed(stix_type: str) -> set[str]:
    """The properties that the standard demands of a type, which a revoked version has too."""
    return {"indicator": {"pattern"}, "relationship": set(), "language-content": {"contents"}}.get(stix_type, {"name"})


def _observable(draft: Draft, before: Previous | None) -> Rendered:
    contributing = {name: value for name, value in draft.body.items() if name != "spec_version"}
    body = {**draft.body, "type": draft.type, "id": ids.sco_id(draft.type, contributing)}
    digest = _digest(body)
    changed = before is None or before.digest != digest
    return Rendered(draft.key, body["id"], draft.type, None, None, None, _pack(body), digest, changed)


def _version(draft: Draft, stix_id: str, before: Previous | None, target: Rendered | None, now: datetime) -> Rendered:
    if before is not None and before.id != stix_id:
        raise ValueError(f"{draft.key} was {before.id} and is now {stix_id}")
    says = {**draft.body, "type": draft.type, "id": stix_id, **_of_version(target)}
    # The lifetime becomes a property with the times, so it belongs to what is said.
    digest = _digest({**says, "lifetime_days": draft.lifetime_days})
    changed = before is None or before.digest != digest
    created, modified = _times(before, changed, now)
    body = _pack({**says, **_stamps(draft, created, modified)})
    version = stix_time(modified)
    return Rendered(draft.key, stix_id, draft.type, version, created, modified, body, digest, changed)


def _of_version(target: Rendered | None) -> dict[str, Any]:
    """A translation holds for one version of its target; a new version needs a new translation."""
    return {} if target is None else {"object_modified": target.version}


def _times(before: Previous | None, changed: bool, now: datetime) -> tuple[datetime, datetime]:
    if before is None or before.created is None or before.modified is None:
        return now, now
    return before.created, _after(before.modified, now) if changed else before.modified


def _stamps(draft: Draft, created: datetime, modified: datetime) -> dict[str, str]:
    """An indicator is valid from its release: the time of the incident is nobody's business."""
    stamps = {"created": stix_time(created), "modified": stix_time(modified)}
    if draft.type == "indicator":
        stamps["valid_from"] = stix_time(created)
    if draft.lifetime_days is not None:
        stamps["valid_until"] = stix_time(created + timedelta(days=draft.lifetime_days))
    return stamps


def _after(modified: datetime, now: datetime) -> datetime:
    """Now; or, on a clock that stands still or goes back, the next millisecond."""
    return max(now, modified + timedelta(milliseconds=1))


def _cut(now: datetime) -> datetime:
    """To milliseconds, as STIX keeps them: a translation names its target's version to the digit."""
    if now.tzinfo is None:
        raise ValueError("a time without a zone")
    return now.astimezone(UTC).replace(microsecond=now.microsecond // 1000 * 1000)


def _digest(says: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(says, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _pack(body: dict[str, Any]) -> bytes:
    """Always the same bytes, with what a reader looks for in front."""
    names: list[str] = [name for name in _FIRST if name in body]
    names += sorted(body.keys() - set(names))
    return orjson.dumps({name: body[name] for name in names})
