"""How much of what is labelled was found, and how much of what was found is labelled."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.extraction_sets import Labelled, TextSet, Value

_HIVES = (("HKLM\\", "HKEY_LOCAL_MACHINE\\"), ("HKCU\\", "HKEY_CURRENT_USER\\"))


@dataclass
class Score:
    """Counts over the texts of a set, and what was missed or wrong, for a person to look at."""

    found: int = 0
    missed: list[tuple[str, Value]] = field(default_factory=list)
    wrong: list[tuple[str, Value]] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Of what was found, the part that is right; nothing found is nothing wrong."""
        told = self.found + len(self.wrong)
        return self.found / told if told else 1.0

    @property
    def recall(self) -> float:
        """Of what is there, the part that was found."""
        there = self.found + len(self.missed)
        return self.found / there if there else 1.0

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def score(texts: TextSet, answers: Sequence[Iterable[Value]]) -> Score:
    """An answer for each text of the set, in its order."""
    total = Score()
    for one, answer in zip(texts.texts, answers, strict=True):
        _add(total, one, {plain(*value) for value in answer if value[0] in texts.kinds})
    return total


def _add(total: Score, one: Labelled, got: set[Value]) -> None:
    wanted = [frozenset(plain(*value) for value in group) for group in one.wanted]
    free = {plain(*value) for value in one.optional}.union(*wanted, *map(_parts, wanted))
    total.found += sum(not group.isdisjoint(got) for group in wanted)
    total.missed += [(one.text, min(group)) for group in wanted if group.isdisjoint(got)]
    total.wrong += [(one.text, value) for value in sorted(got - free)]


def _parts(group: frozenset[Value]) -> set[Value]:
    """The host of a URL or of an address: the labels do not ask for it, and it is not wrong."""
    hosts = {_host(kind, value) for kind, value in group if kind in {"url", "email-addr"}}
    return {(kind, host) for host in hosts for kind in ("domain-name", "ipv4-addr", "ipv6-addr")}


def _host(kind: str, value: str) -> str:
    if kind == "email-addr":
        return value.rpartition("@")[2]
    try:
        return urlsplit(value).hostname or ""
    except ValueError:
        return ""


def plain(kind: str, value: str) -> Value:
    """A value in one spelling, whoever spells it: case, leading zeros, the last slash of a URL."""
    if kind == "url":
        scheme, _, rest = value.partition("://")
        host, slash, path = rest.partition("/")
        return kind, f"{scheme.lower()}://{host.lower()}{slash}{path}".rstrip("/")
    if kind == "ipv6-addr":
        return kind, _ipv6(value)
    if kind == "windows-registry-key":
        for short, whole in _HIVES:
            value = re.sub(f"^{re.escape(short)}", re.escape(whole).replace("\\_", "_"), value)
        return kind, value.rstrip("\\")
    return kind, value.upper() if kind == "vulnerability" else value.lower()


def _ipv6(value: str) -> str:
    try:
        return str(ipaddress.IPv6Address(value))
    except ValueError:
        return value
