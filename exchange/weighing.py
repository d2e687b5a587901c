"""What a person should know before a contribution goes out: whose it is, how it reads, and what to look at twice.

Nothing here knows of HTTP.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import accounts, contributions, known_good, victims
from exchange.extraction import extract
from exchange.models import Organization, Person
from exchange.sharing import TLP, Kind

Thing = Mapping[str, Any]
Profile = Mapping[str, Any]

# What stands between two texts of an object, so that no name is read across them; `victims.plain` keeps it.
_BETWEEN = "|"
_NEVER_TEXT = {"id", "type", "spec_version", "created", "modified"}
_VALUED = ("ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr")
_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
_LITERAL = r"'(?:[^'\\]|\\.)*+'"
_COMPARED = re.compile(
    rf"(?P<type>{'|'.join(_VALUED)}):value\s*+(?:[=!<>]++|[A-Z]++)\s*+(?P<given>{_LITERAL}|\((?:[^()']|{_LITERAL})*+\))"
)
_LITERALS = re.compile(_LITERAL)
_LONGEST_SEARCHED = 20_000
_START = 3
_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_OCTET = re.compile(r"(?<![\d.])\d{1,3}(?=(?:\.\d{1,3}){3})")
# IPv6, which may hold an IPv4 address, and ranges of more than one first octet.
_WIDE = re.compile(r":[0-9A-Fa-f]*:|/[0-7]$")


@dataclass(frozen=True)
class Concern:
    """Why to look twice.

    Attributes:
        code: as `known_good.excluded` says it; `member` or `contributor` for an address or name of theirs, and
            `member-term` or `contributor-term` for a text that names them.
        what: the value or the words.
    """

    code: str
    what: str


def contributor(db: Session, account_id: UUID) -> Organization | None:
    """The organization that an account of the feed speaks for."""
    person = db.get(Person, account_id)
    return person.organization if person else None


def strictest(things: Sequence[Thing]) -> TLP:
    """The strictest level in a contribution."""
    return max(contributions.levels_of(things).values(), key=lambda level: level.rank)


class Scales:
    """Looks through the objects of one contribution.

    Args:
        own: who contributed it.
        documentation_is_real: in a demo or an exercise documentation ranges and names count as real.
    """

    def __init__(self, db: Session, own: Organization | None, *, documentation_is_real: bool) -> None:
        everybody = db.scalars(select(Organization)).all()
        mine = [accounts.profile_of(db, own)] if own else []
        others = [accounts.profile_of(db, one) for one in everybody if own is None or one.id != own.id]
        self._lands = {"member": _Land(others), "contributor": _Land(mine)}
        # An ISAC signs what it passes on; an operator that does so may be telling who was hit.
        told_by_its_name = own is not None and own.kind == Kind.OPERATOR
        self._terms = _Terms({"member-term": others, "contributor-term": mine if told_by_its_name else []})
        self._real = documentation_is_real
        self._known: dict[tuple[str, str], str | None] = {}

    def concerns(self, thing: Thing) -> list[Concern]:
        """What stands in this object that should perhaps not go out."""
        found: list[Concern] = []
        for kind, value in _values(thing):
            code = self._code(kind, value)
            if code and not any(value in earlier.what for earlier in found):  # The host of a URL says nothing new.
                found.append(Concern(code, value))
        known = _BETWEEN.join(one.what for one in found)
        told = self._terms.told_by(_BETWEEN.join(_texts(thing)))
        return found + [one for one in told if one.what not in known and _counts(one, thing)]

    def _code(self, kind: str, value: str) -> str | None:
        if (kind, value) not in self._known:
            whose = next((code for code, land in self._lands.items() if land.holds(kind, value)), None)
            plain = known_good.excluded(kind, value, documentation_is_real=self._real)
            self._known[kind, value] = whose or plain
        return self._known[kind, value]


def _counts(concern: Concern, thing: Thing) -> bool:
    """Whose an identity is stands beside it anyway."""
    return concern.code == "member-term" or thing["type"] != "identity"


class _Terms:
    """What names some organizations, found by its first characters: there are thousands, and few are in a text."""

    def __init__(self, profiles: Mapping[str, Sequence[Profile]]) -> None:
        self._by_start: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for code, own in profiles.items():
            for term in (term for profile in own for term in victims.terms(profile)):
                self._by_start[term[:_START]][term] = code

    def told_by(self, text: str) -> list[Concern]:
        """What a text tells of them, as it is written there; of several terms that overlap, the longest."""
        bare = victims.plain(text)
        starts = {bare[n : n + _START] for n in range(len(bare))} & self._by_start.keys()
        told = {term: code for start in starts for term, code in self._by_start[start].items() if term in bare}
        longest = [term for term in sorted(told) if not any(term != other and term in other for other in told)]
        return [Concern(told[term], _as_written(text, term)) for term in longest]


def _as_written(text: str, term: str) -> str:
    """The shortest stretch of `text` that reads as this term when spelling does not matter."""
    if len(text) > _LONGEST_SEARCHED:
        return term
    end = bisect_left(range(len(text)), True, key=lambda n: term in victims.plain(text[:n]))
    start = bisect_left(range(end), True, key=lambda n: term not in victims.plain(text[n:end])) - 1
    return text[max(start, 0) : end]


class _Land:
    """The domains and networks of some organizations. `known_good` judges; only what is near is put before it."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._domains = {name.strip(".").lower(): name for one in profiles for name in one.get("domains", ())}
        self._native = [name for name in self._domains if not name.isascii()]
        self._networks = [network for one in profiles for network in one.get("networks", ())]
        self._by_octet: defaultdict[str, list[str]] = defaultdict(list)
        for network in self._networks:
            self._by_octet["" if _WIDE.search(network) else network.partition(".")[0]].append(network)

    def holds(self, kind: str, value: str) -> bool:
        """Whether this value is one of theirs, lies in it, or stretches over it."""
        domains, networks = self._near_domains(value), self._near_networks(value)
        return known_good.excluded(kind, value, own_domains=domains, own_networks=networks) == "own"

    def _near_domains(self, value: str) -> Collection[str]:
        if not value.isascii():
            return self._domains.keys()
        names = (name.split(".") for name in _NAME.findall(value.lower()))
        ends = {".".join(labels[n:]) for labels in names for n in range(len(labels))}
        return [*(ends & self._domains.keys()), *self._native]

    def _near_networks(self, value: str) -> Collection[str]:
        if _WIDE.search(value):
            return self._networks
        octets = set(_OCTET.findall(value))
        return [network for octet in ("", *octets) for network in self._by_octet.get(octet, ())]


def _values(thing: Thing) -> list[tuple[str, str]]:
    """What a reader could block: (type, value) as `known_good.excluded` takes them, once each."""
    found = list(_compared(thing["pattern"])) if thing["type"] == "indicator" else []
    if thing["type"] in _VALUED:
        found.append((thing["type"], thing["value"]))
    found += [(_HASHES[name], value) for name, value in thing.get("hashes", {}).items() if name in _HASHES]
    return list(dict.fromkeys(found))


def _compared(pattern: str) -> Iterator[tuple[str, str]]:
    """Of a STIX pattern what it compares with; of any pattern, what looks like an indicator."""
    for comparison in _COMPARED.finditer(pattern):
        for literal in _LITERALS.findall(comparison["given"]):
            yield comparison["type"], re.sub(r"\\(.)", r"\1", literal[1:-1])
    yield from ((one.type, one.value) for one in extract(pattern, documentation_is_real=True))


def _texts(value: Any) -> Iterator[str]:
    """Everything that somebody wrote into an object; ids and its own times are no text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            if name not in _NEVER_TEXT and not name.endswith(("_ref", "_refs")):
                yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


# --- reading ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """An object as a person reads it.

    Attributes:
        says: what stands for it: a name, a pattern, a value; its id if there is nothing better.
        text: what was written about it, or its beginning.
        creator: the name of its `created_by_ref`, if that came along.
    """

    number: int
    thing: Thing
    says: str
    text: str
    creator: str
    tlp: TLP
    concerns: Sequence[Concern]

    @property
    def raw(self) -> str:
        """All of it, as JSON."""
        return orjson.dumps(self.thing, option=orjson.OPT_INDENT_2).decode()


def shown(things: Sequence[Thing], concerns: Mapping[int, Sequence[Concern]]) -> list[Shown]:
    """The objects of one contribution; `concerns` by their number, which begins at 1."""
    levels = contributions.levels_of(things)
    names = {thing["id"]: _says(thing, {}) for thing in things}
    return [
        Shown(
            number,
            thing,
            says=_says(thing, names),
            text=_clipped(thing),
            creator=names.get(thing.get("created_by_ref", ""), ""),
            tlp=levels[thing["id"]],
            concerns=concerns.get(number, ()),
        )
        for number, thing in enumerate(things, 1)
    ]


_HEADLINES = ("name", "pattern", "value", "abstract", "path", "subject", "display_name", "user_id", "key", "content")
_TEXTS = ("description", "content", "explanation")
_LONGEST_TEXT = 600


def _says(thing: Thing, names: Mapping[str, str]) -> str:
    if thing["type"] == "relationship":
        ends = [names.get(thing[end], thing[end]) for end in ("source_ref", "target_ref")]
        return f" {thing['relationship_type']} ".join(ends)
    written = [str(thing[name]) for name in _HEADLINES if thing.get(name)]
    meant = [names.get(ref, ref) for ref in (thing.get("sighting_of_ref"), *thing.get("object_refs", ())) if ref]
    return next(iter([*written, ", ".join(meant), *thing.get("hashes", {}).values()]), "") or str(thing["id"])


def _clipped(thing: Thing) -> str:
    text = next((str(thing[name]) for name in _TEXTS if thing.get(name)), "")
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"
