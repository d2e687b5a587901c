"""What was measured, as text that a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from bench.figures import Measured, Polls
from bench.targets import SMALL, Row, rows, shown

_HEAD = ("figure", "database", "ours", "against", "result", "target", "")


def markdown(measured: Measured) -> str:
    """The whole report; nothing in it says where or when it was made."""
    missed = [row for row in rows(measured) if "missed" in row.verdict]
    parts = [
        "# The feed, measured",
        f"{measured.objects:,} objects in pages of 1,000, one worker process ({measured.machine}). "
        "Client, server and database share the machine: read ratios, and processor time before latency. "
        "[How it is measured](README.md).",
        "![Objects per second, and the latency of a page against its depth](results.svg)",
        f"## Targets: {_count(missed)}",
        table(_HEAD, map(_cells, rows(measured))),
        "## Every server, polled to the end",
        table(["server", "objects/s", "first page", "middle", "last", "processor", "its database"], _polls(measured)),
        *_others(measured),
    ]
    return "\n\n".join(parts) + "\n"


def large(found: Sequence[Row], objects: int) -> str:
    """What growth costs."""
    parts = [
        "# Growth, measured",
        f"A collection of {objects:,} objects beside one of {SMALL:,}, pages of 1,000. The dense reader sees all of "
        "it, the sparse reader one object in a hundred. [How it is measured](README.md).",
        f"## Targets: {_count([row for row in found if 'missed' in row.verdict])}",
        table(_HEAD, map(_cells, found)),
    ]
    return "\n\n".join(parts) + "\n"


def _count(missed: Sequence[Row]) -> str:
    return f"{len(missed)} missed" if missed else "all met"


def table(head: Sequence[str], lines: Iterator[Sequence[str]]) -> str:
    """A table of Markdown."""
    ruled = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in ruled)


def _cells(row: Row) -> list[str]:
    target = str(row.target) if row.target else "–"
    return [row.figure, row.database, row.ours or row.result, row.against or "–", row.result, target, row.verdict]


def _polls(measured: Measured) -> Iterator[list[str]]:
    for polls in sorted(measured.polls.values(), key=lambda one: one.rate):
        pages = polls.page_ms
        depths = [shown(pages[at], "ms") for at in (0, len(pages) // 2, _last_full(polls, pages))]
        yield [polls.name, f"{polls.rate:,.0f}", *depths, shown(median(polls.server_ms), "ms"), _database(polls)]


def _last_full(polls: Polls, pages: Sequence[float]) -> int:
    """A page of two objects at the end would say nothing."""
    return min(polls.objects // 1000, len(pages)) - 1


def _database(polls: Polls) -> str:
    cost = median(polls.database_ms)
    return shown(cost, "ms") if cost else "in the server"


def _others(measured: Measured) -> Iterator[str]:
    lines = [[f"a plain SELECT, {name}", shown(median(rates), "objects/s")] for name, rates in measured.raw.items()]
    lines += [
        [f"medallion's memory backend, first page of {count:,} objects", shown(rate, "objects/s")]
        for count, rate in measured.small.items()
    ]
    lines += [[f"OpenTAXII: {asked}", shown(seconds * 1000, "ms")] for asked, seconds in measured.peer.items()]
    yield "## Beside them"
    yield table(["what", "result"], iter(lines))
    if measured.small:
        yield (
            "medallion's memory backend takes four times as long for twice the objects: with 10,000 its first page "
            "takes ten minutes, so it is given fewer."
        )
