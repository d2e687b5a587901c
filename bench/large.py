"""Growth: the same questions to a collection of 100,000 objects and to one of millions, in turns."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random

import click

from bench import databases, measures, servers
from bench.bulk import ONE_IN, Bulk
from bench.client import Target
from bench.databases import new_database
from bench.figures import percentile
from bench.pollers import Pollers, pollers
from bench.run import CACHE, SEED
from bench.servers import PAGE
from bench.targets import PLAIN, SMALL, Row, filtered, shown
from bench.targets import Target as Bound

DENSE, SPARSE = "dense", "sparse"
_SLICES, _PLACES = 10, 20
_BYTES_EACH = {"SQLite": 2600, "PostgreSQL": 3200}
_WALK, _PLACE = "next page of a walk", "page at a random place"


@dataclass(frozen=True)
class LargeWish:
    """What a run shall measure. `databases`: of SQLite and PostgreSQL."""

    objects: int
    databases: Sequence[str]
    postgresql: str


@dataclass
class Growth:
    """Seconds of pages on one database, by size of the collection, reader, and kind of page."""

    database: str
    pages: dict[tuple[int, str, str], list[float]] = field(default_factory=dict)
    queries: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, size: int, reader: str, kind: str, seconds: Sequence[float]) -> None:
        """More pages of a kind."""
        self.pages.setdefault((size, reader, kind), []).extend(seconds)

    def p95(self, size: int, reader: str, kind: str) -> float:
        """In seconds."""
        return percentile(self.pages[size, reader, kind], 0.95)


# --- the disk ------------------------------------------------------------------------------------------


def needed(wish: LargeWish) -> str:
    """What disk the run takes, in words; one database after the other is filled, and removed again."""
    each = (f"{name} {_gigabytes(wish, name):.1f} GB" for name in wish.databases)
    return f"{wish.objects:,} objects need, while they are measured: {', then '.join(each)}."


def _gigabytes(wish: LargeWish, name: str) -> float:
    return (wish.objects + SMALL) * _BYTES_EACH[name] / 1e9


def refuse_if_full(wish: LargeWish) -> None:
    """Raises: ClickException if a file system on this machine is too small."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for name in wish.databases:
        folder = CACHE if name == "SQLite" else databases.folder(wish.postgresql)
        free = shutil.disk_usage(folder).free / 1e9 if folder.is_dir() else float("inf")
        if free < _gigabytes(wish, name):
            raise click.ClickException(f"{name} needs {_gigabytes(wish, name):.1f} GB, and {free:.1f} GB are free.")


# --- measuring -----------------------------------------------------------------------------------------


def run(wish: LargeWish) -> Iterator[Growth]:
    """Measure one database after the other, and tell of each as soon as it is measured."""
    with pollers(len(wish.databases) * 8) as asking:
        for name in wish.databases:
            folder = CACHE / "large"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            with ExitStack() as stack:
                stack.callback(shutil.rmtree, folder)
                yield _OneDatabase(wish, name, folder, stack, asking).measure()


@dataclass
class _Side:
    """One of the two collections that are compared."""

    size: int
    bulk: Bulk
    targets: dict[str, Target]


class _OneDatabase:
    def __init__(self, wish: LargeWish, name: str, folder: Path, stack: ExitStack, asking: Pollers) -> None:
        self._wish, self._name, self._folder, self._stack, self._pollers = wish, name, folder, stack, asking
        self._random = Random(SEED)  # noqa: S311
        self._growth = Growth(name)

    def measure(self) -> Growth:
        """Fill both sides, and ask them in turns."""
        sides = [self._fill(size) for size in (SMALL, self._wish.objects)]
        for reader in (DENSE, SPARSE):
            self._pollers.step(f"{self._name}: walks, {reader} reader")
            self._walk(reader, sides)
            self._pollers.step(f"{self._name}: random places, {reader} reader")
            self._look_around(reader, sides)
            self._pollers.step(f"{self._name}: filters, {reader} reader")
            self._ask(reader, sides[-1])
        return self._growth

    def _fill(self, size: int) -> _Side:
        self._pollers.step(f"{self._name}: loading {size:,} objects")
        bulk = Bulk(size, seed=SEED, say=self._pollers.say)
        made = (self._stack.enter_context(new_database(self._wish.postgresql, kind)) for kind in ("case", "released"))
        case, released = made if self._name == "PostgreSQL" else (None, None)
        installed = servers.install(self._folder / str(size), bulk, case=case, released=released)
        target = self._stack.enter_context(installed.server(f"{size:,} objects")).target
        sparse = replace(target, authorization=installed.sparse_authorization)
        return _Side(size, bulk, {DENSE: target, SPARSE: sparse})

    def _walk(self, reader: str, sides: Sequence[_Side]) -> None:
        """Through the large collection in slices, and again if it is short; between them through the small one."""
        small, large = sides
        pages, token = -(-large.size // PAGE // _SLICES), ""
        for _ in range(_SLICES):
            slice_ = self._pollers.walk(large.targets[reader], start=token, pages=pages)
            self._growth.add(large.size, reader, _WALK, slice_.seconds)
            beside: list[float] = []
            while len(beside) < len(slice_.seconds):
                beside += self._pollers.walk(small.targets[reader]).seconds
            self._growth.add(small.size, reader, _WALK, beside)
            token = slice_.next

    def _look_around(self, reader: str, sides: Sequence[_Side]) -> None:
        for _ in range(_SLICES):
            for side in sides:
                target = side.targets[reader]
                places = [self._place(side, reader) for _ in range(_PLACES)]
                paths = [f"{target.objects}?limit={PAGE}&added_after={place}" for place in places]
                asked = self._pollers.ask(target, paths)
                self._growth.add(side.size, reader, _PLACE, [seconds for seconds, _ in asked])

    def _place(self, side: _Side, reader: str) -> str:
        """A time with a whole page behind it, if there is one for this reader."""
        return side.bulk.a_time(self._random, behind=2 * PAGE * (ONE_IN if reader == SPARSE else 1))

    def _ask(self, reader: str, side: _Side) -> None:
        target, asked = side.targets[reader], dict[str, list[float]]()
        questions = measures.filters(target, side.bulk.ids, partial(self._place, side, reader), self._random)
        for _ in range(3):
            for kind, seconds in measures.in_turns(self._pollers, target, questions).items():
                asked.setdefault(kind, []).extend(seconds)
        self._growth.queries[reader] = asked


# --- what follows --------------------------------------------------------------------------------------


def rows(found: Sequence[Growth], objects: int) -> list[Row]:
    """Every figure, with its target."""
    return [row for growth in found for row in (*_growth(growth, objects), *_filters(growth))]


def _growth(growth: Growth, objects: int) -> Iterator[Row]:
    for kind in (_WALK, _PLACE):
        large = {reader: growth.p95(objects, reader, kind) for reader in (DENSE, SPARSE)}
        for reader, p95 in large.items():
            against = f"{SMALL:,} objects"
            yield _row(growth, f"{kind}, {reader} reader, p95", p95, against, growth.p95(SMALL, reader, kind), 1.3)
        yield _row(growth, f"{kind}, sparse reader, p95", large[SPARSE], "dense reader", large[DENSE], 2)


def _filters(growth: Growth) -> Iterator[Row]:
    for reader, asked in growth.queries.items():
        for name, seconds in asked.items():
            if name != PLAIN:
                yield filtered(f"{name}, {reader} reader", growth.database, seconds, asked[PLAIN])


def _row(growth: Growth, figure: str, ours: float, name: str, theirs: float, bound: float) -> Row:
    against = f"{name} {shown(theirs * 1000, 'ms')}"
    return Row(figure, growth.database, shown(ours * 1000, "ms"), against, ours / theirs, Bound(bound))
