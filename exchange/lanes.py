"""The lane of an entry: who may see it at all, and which of its object's versions it is, in one small number.

A page is a merge of a few lanes, each read in order of date_added from an index, whatever the collection's size.
"""

from __future__ import annotations

FIRST, LAST = 1, 2
QUARANTINE = 5
"""The rank above TLP:RED: only who posted it sees it."""

QUARANTINED = 4 * QUARANTINE
"""The first lane of quarantine."""

ALL = range(QUARANTINED + 4)


def lane(rank: int, *, first: bool, last: bool) -> int:
    """The lane of an entry.

    Args:
        rank: the TLP rank of the version or of its object's newest one, whichever is stricter; or `QUARANTINE`.
        first, last: whether it is the oldest and the newest version in the collection.
    """
    return rank * 4 + first * FIRST + last * LAST


def rank_of(number: int) -> int:
    """The rank of a lane."""
    return number // 4


def ends_of(number: int) -> int:
    """Which end of its object's versions a lane's entry is: of `FIRST` and `LAST`, both or neither."""
    return number % 4


def ends_wanted(versions: frozenset[str]) -> frozenset[int]:
    """Which ends `match[version]` asks for, named timestamps aside (TAXII 2.1, section 3.4.1)."""
    if "all" in versions:
        return frozenset({0, FIRST, LAST, FIRST | LAST})
    wanted = ("first" in versions) * FIRST | ("last" in versions) * LAST
    return frozenset(ends for ends in range(4) if ends & wanted)
