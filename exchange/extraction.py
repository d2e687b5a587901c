"""Indicators in pasted text, English or Japanese, live or defanged.

Every pattern is a run of one class of characters or bounded, so that hostile text costs linear time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import get_args

from exchange.defanging import defang, refang
from exchange.extraction_hashes import hashes
from exchange.extraction_hosts import hosts, native_names
from exchange.extraction_others import others, user_agents
from exchange.extraction_page import Hit, Page
from exchange.extraction_urls import urls
from exchange.indicator_values import Kind, OtherKind

__all__ = ["ALL_KINDS", "KINDS", "Found", "defang", "extract", "places"]

KINDS: frozenset[str] = frozenset(get_args(Kind))
"""What we exchange."""

ALL_KINDS: frozenset[str] = KINDS | frozenset(get_args(OtherKind))
"""With what a report describes an attack by."""

_CVE = re.compile(
    r"(?<![A-Za-z0-9])CVE[-_ ー―—]{0,2}((?:19|20)\d\d)[-_ー―—](?:[ \t]*+\r?\n[ \t>|]*+)?((?!0\d{4})\d{4,10})(?![0-9])",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class Found:
    """An indicator: its normal form, and where in the text it was written (`end` is one past)."""

    type: str
    value: str
    start: int
    end: int


def extract(text: str, *, documentation_is_real: bool = False, kinds: Collection[str] = KINDS) -> list[Found]:
    """Every indicator once, in the order of its first appearance.

    Args:
        documentation_is_real: whether `.example` names count, as they do in a demo or an exercise.
        kinds: of these types; of `ALL_KINDS`.
    Returns:
        Values refanged and normalised: IPv6 by RFC 5952, names lower-case A-labels, of a URL only the scheme
        and host lower-case, of an address only the domain, hashes lower-case, CVE ids upper-case.
    """
    found: dict[tuple[str, str], Found] = {}
    for one in places(text, documentation_is_real=documentation_is_real, kinds=kinds):
        found.setdefault((one.type, one.value), one)
    return list(found.values())


def places(text: str, *, documentation_is_real: bool = False, kinds: Collection[str] = KINDS) -> Iterator[Found]:
    """Every place where an indicator stands, in order; as `extract` otherwise."""
    page = Page(refang(text), real=documentation_is_real)
    for hit in sorted(_hits(page, bool(set(kinds) - KINDS)), key=lambda hit: hit.start):
        if hit.type in kinds:
            yield Found(str(hit.type), hit.value, *page.live.span(hit.start, hit.end))


def _hits(page: Page, with_others: bool) -> Iterator[Hit]:
    """URLs first, and what they cover is not read again; then ids, names and the rest."""
    for find in (urls, user_agents, _vulnerabilities, hashes, native_names, hosts):
        hits = list(find(page))
        yield from hits
        page.cover(hits)
    if with_others:
        yield from others(page)


def _vulnerabilities(page: Page) -> Iterator[Hit]:
    for match in _CVE.finditer(page.text):
        yield Hit(*match.span(), "vulnerability", f"CVE-{match[1]}-{match[2]}")
