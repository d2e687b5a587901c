"""The targets, and whether they are met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench.figures import Door, Measured, median_ratio, percentile

BARE, MINIMAL, OPENTAXII = "bare WSGI", "minimal Flask", "OpenTAXII"
PLAIN, BY_ID, EMPTY, MANIFEST = "an unfiltered page", "one object by id", "an empty answer", "manifest page"
SMALL = 100_000
"""Objects of the collection with which larger ones are compared."""

_MEMBERS, _POLLS_EVERY_S = 2000, 60


@dataclass(frozen=True)
class Target:
    """A bound, with its unit: `times` for a ratio."""

    bound: float
    at_least: bool = False
    unit: str = "times"

    def met_by(self, value: float) -> bool:
        """Whether this value keeps it; the bound itself does."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {shown(self.bound, self.unit)}"


@dataclass(frozen=True)
class Row:
    """One line of the table. Without a target it only informs."""

    figure: str
    database: str
    ours: str
    against: str
    value: float
    target: Target | None = None
    unit: str = "times"

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing."""
        if self.target is None:
            return ""
        return "met" if self.target.met_by(self.value) else "**missed**"

    @property
    def result(self) -> str:
        """The value that is judged, with its unit."""
        return shown(self.value, self.target.unit if self.target else self.unit)


def shown(value: float, unit: str) -> str:
    """Three digits that matter, and the unit."""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} ×" if unit == "times" else f"{digits} {unit}"


def rows(measured: Measured) -> list[Row]:
    """Every figure of the run, in the order of the targets, each on every database."""
    by_door = [[*_of_door(door, measured)] for door in measured.doors]
    return [row for together in zip(*by_door, strict=True) for row in together]


def _of_door(door: Door, measured: Measured) -> Iterator[Row]:
    yield from _polling(door, measured)
    yield from _processor(door, measured)
    yield from _queries(door)
    yield from _packed(door)
    yield from _posting(door)
    yield from _nothing_new(door)
    unit = "MiB"
    resident = door.polls.resident_mib
    yield Row("memory of the worker after all polls", door.database, "", "", resident, Target(150, unit=unit))


def _polling(door: Door, measured: Measured) -> Iterator[Row]:
    figure, ours = "whole collection, one poller", shown(door.polls.rate, "objects/s")
    if OPENTAXII in measured.polls:
        peer = measured.polls[OPENTAXII].rate
        against = f"OpenTAXII {shown(peer, 'objects/s')}"
        yield Row(figure, door.database, ours, against, door.polls.rate / peer, Target(100, at_least=True))
    bare = measured.polls[BARE]
    ratio = median_ratio(door.polls.rates, bare.rates)
    against = f"bare WSGI {shown(bare.rate, 'objects/s')}"
    yield Row(figure, door.database, ours, against, ratio, Target(0.5, at_least=True))


def _processor(door: Door, measured: Measured) -> Iterator[Row]:
    def row(figure: str, ours: list[float], name: str, theirs: list[float], bound: float) -> Row:
        against = f"{name} {shown(median(theirs), 'ms')}"
        ratio = median_ratio(ours, theirs)
        return Row(figure, door.database, shown(median(ours), "ms"), against, ratio, Target(bound))

    one, minimal = door.polls.server_ms, measured.polls[MINIMAL].server_ms
    yield row("processor time of a page, one poller", one, "minimal Flask", minimal, 2)
    yield row(
        "processor time of a page, four pollers", door.four_ms, "minimal Flask, four", measured.four_minimal_ms, 2
    )
    yield row("processor time of the last page", door.last_ms, "first page", door.first_ms, 1.2)
    yield row("processor time of a page, four pollers", door.four_ms, "one poller", door.one_ms, 1.3)


def _queries(door: Door) -> Iterator[Row]:
    plain = door.queries[PLAIN]
    for name, seconds in door.queries.items():
        if name.startswith("match"):
            yield filtered(name, door.database, seconds, plain)
    for name, other, bound in ((BY_ID, EMPTY, 3.0), (MANIFEST, PLAIN, 1.0)):
        yield _latency(door, f"{name}, p50", median(door.queries[name]), other, median(door.queries[other]), bound)


def filtered(figure: str, database: str, seconds: Sequence[float], plain: Sequence[float]) -> Row:
    """A filter beside the same page without it; the p50 says whether a p95 is the machine's doing."""
    ours, against = (
        f"{shown(percentile(one, 0.95) * 1000, 'ms')} (p50 {median(one) * 1000:.3g})" for one in (seconds, plain)
    )
    ratio = percentile(seconds, 0.95) / percentile(plain, 0.95)
    return Row(f"{figure}, p95", database, ours, f"unfiltered {against}", ratio, Target(3))


def _latency(door: Door, figure: str, ours: float, name: str, theirs: float, bound: float) -> Row:
    against = f"{name} {shown(theirs * 1000, 'ms')}"
    return Row(figure, door.database, shown(ours * 1000, "ms"), against, ours / theirs, Target(bound))


def _packed(door: Door) -> Iterator[Row]:
    plain_s, plain_bytes = door.packed["identity"]
    for encoding in ("gzip", "zstd"):
        seconds, size = door.packed[encoding]
        ours, against = shown(seconds * 1000, "ms"), f"plain {shown(plain_s * 1000, 'ms')}"
        yield Row(f"a page packed with {encoding}, p50", door.database, ours, against, seconds / plain_s)
        ours, against = shown(size / 1000, "kB"), f"plain {shown(plain_bytes / 1000, 'kB')}"
        yield Row(f"size of a page packed with {encoding}", door.database, ours, against, size / plain_bytes)


def _posting(door: Door) -> Iterator[Row]:
    posted = door.posted
    if posted is None:
        return
    for figure, processor_s, by_clock, bound in (
        ("POST of 1,000 objects, until 202", posted.server_s, posted.taken_rate, 5000),
        ("POST of 1,000 objects, until complete", posted.server_s + posted.worker_s, posted.complete_rate, 3000),
    ):
        target = Target(bound, at_least=True, unit="objects a second of processor")
        ours = f"{shown(by_clock, 'objects/s')} by the clock"
        yield Row(figure, door.database, ours, "", posted.objects / processor_s, target)


def _nothing_new(door: Door) -> Iterator[Row]:
    ours, empty = median(door.nothing_new), median(door.empty)
    costs = [shown(median(one), "ms of processor") for one in (door.nothing_new_ms, door.empty_ms)]
    words = f"{shown(1 / ours, 'polls/s')} ({costs[0]})", f"{EMPTY} {shown(1 / empty, 'answers/s')} ({costs[1]})"
    ratio = median_ratio(door.empty, door.nothing_new)
    yield Row("“nothing new” poll, rate", door.database, *words, ratio, Target(0.5, at_least=True))
    cost = median(door.nothing_new_ms)
    share = cost / 1000 * _MEMBERS / _POLLS_EVERY_S * 100
    figure = "2,000 members who poll once a minute, share of one core"
    yield Row(figure, door.database, shown(cost, "ms a poll"), "", share, Target(10, unit="%"))
