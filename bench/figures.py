"""What was measured, and what follows from it: medians, percentiles, ratios. No server is asked here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of neighbouring rounds: what slows a shared machine slows both."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


@dataclass
class Polls:
    """One server polled to the end, several times.

    Attributes:
        rounds: the seconds of each page, for each round.
        objects: how many objects a round gave.
        server_ms, database_ms: processor time for a page of each round.
    """

    name: str
    rounds: list[list[float]] = field(default_factory=list)
    objects: int = 0
    server_ms: list[float] = field(default_factory=list)
    database_ms: list[float] = field(default_factory=list)
    resident_mib: float = 0.0

    @property
    def rates(self) -> list[float]:
        """Objects per second of each round."""
        return [self.objects / sum(seconds) for seconds in self.rounds]

    @property
    def rate(self) -> float:
        """Objects per second of the median round."""
        return median(self.rates)

    @property
    def page_ms(self) -> list[float]:
        """The median latency of each page, from the first to the last."""
        return [median(seconds) * 1000 for seconds in zip(*self.rounds, strict=True)]


@dataclass
class Posted:
    """Envelopes of 1,000 objects, sent one after the other.

    Attributes:
        until_taken: seconds until each 202.
        until_complete: seconds from the first byte until every status was complete.
        server_s, worker_s: processor time of the TAXII server and of the worker.
    """

    objects: int
    until_taken: list[float]
    until_complete: float
    server_s: float
    worker_s: float

    @property
    def taken_rate(self) -> float:
        """Objects per second by the clock, until the 202 of the median envelope."""
        return self.objects / len(self.until_taken) / median(self.until_taken)

    @property
    def complete_rate(self) -> float:
        """Objects per second by the clock, until every status was complete."""
        return self.objects / self.until_complete


@dataclass
class Door:
    """What our server took on one database; times in seconds, and as `_ms` the processor time of one request.

    `one_ms` and `four_ms` are pages for one and for four pollers, in turns.
    """

    database: str
    polls: Polls
    one_ms: list[float] = field(default_factory=list)
    four_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    last_ms: list[float] = field(default_factory=list)
    queries: dict[str, list[float]] = field(default_factory=dict)
    packed: dict[str, tuple[float, float]] = field(default_factory=dict)
    nothing_new: list[float] = field(default_factory=list)
    nothing_new_ms: list[float] = field(default_factory=list)
    empty: list[float] = field(default_factory=list)
    empty_ms: list[float] = field(default_factory=list)
    posted: Posted | None = None


@dataclass
class Measured:
    """One run of the benchmark.

    Attributes:
        polls: everything that was polled to the end, by name; ours among them.
        raw: objects per second of a plain SELECT in each round, by database.
        small: objects per second of medallion's memory backend, by how many objects it holds.
        peer: seconds of single requests to OpenTAXII, by what was asked.
    """

    objects: int
    doors: list[Door] = field(default_factory=list)
    polls: dict[str, Polls] = field(default_factory=dict)
    four_minimal_ms: list[float] = field(default_factory=list)
    raw: dict[str, list[float]] = field(default_factory=dict)
    small: dict[int, float] = field(default_factory=dict)
    peer: dict[str, float] = field(default_factory=dict)
    machine: str = ""
