"""One run: everything installed, started and measured in turns, on one machine, with the same objects."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from random import Random

from bench import corpus, databases, measures, peers, rows, servers
from bench.bulk import Bulk
from bench.client import Walk
from bench.databases import Database, new_database
from bench.figures import Door, Measured, Polls
from bench.pollers import POLLERS, Pollers, pollers
from bench.servers import PAGE, ROOT, Ours, Server
from bench.targets import BARE, MINIMAL, OPENTAXII
from exchange.stix.portal import fixed_objects

CACHE = ROOT / "var" / "bench"
SEED = "noroshi"
_ROUNDS, _FEWER_ROUNDS, _POLLS = 5, 3, 200
_SMALL = (1000, 2000)
_READ_ROWS: Mapping[str, Callable[[str, int], float]] = {
    "SQLite": rows.select_sqlite,
    "PostgreSQL": rows.select_postgresql,
}


@dataclass(frozen=True)
class Wish:
    """What a run shall measure. `databases`: of SQLite and PostgreSQL."""

    objects: int
    databases: Sequence[str]
    postgresql: str
    peers: bool

    @property
    def opentaxii(self) -> bool:
        """It is measured on PostgreSQL alone."""
        return self.peers and "PostgreSQL" in self.databases


def run(wish: Wish) -> Measured:
    """Measure, and leave nothing behind but the peers' environments."""
    folder = CACHE / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        one = _Run(wish, folder, stack)
        steps = one.steps()
        one.pollers = stack.enter_context(pollers(len(steps)))
        for words, step in steps:
            one.pollers.step(words)
            step()
    return one.measured


@dataclass
class _Ours:
    """Our server on one database, and what is known of it."""

    door: Door
    installed: Ours
    server: Server
    bulk: Bulk
    walk: Walk


class _Run:
    """What the steps of one run share."""

    pollers: Pollers

    def __init__(self, wish: Wish, folder: Path, stack: ExitStack) -> None:
        self._wish, self._folder, self._stack = wish, folder, stack
        self.measured = Measured(wish.objects, machine=_machine(wish))
        self._published = list(corpus.publications(wish.objects, seed=SEED))
        # The newest version of each object, at the place of its first one.
        self._newest = {one.stix_id: one.body for one in self._published}
        self._ours: list[_Ours] = []
        self._yardsticks: dict[str, Server] = {}
        self._rows: dict[str, str] = {}
        self._random = Random(SEED)  # noqa: S311

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """What there is to do, with the words for it."""
        steps: list[tuple[str, Callable[[], None]]]
        steps = [(f"loading Noroshi on {name}", partial(self._install, name)) for name in self._wish.databases]
        steps += [("starting the yardsticks", self._start_yardsticks)]
        if self._wish.opentaxii:
            steps += [("installing and loading OpenTAXII", self._start_opentaxii)]
        steps += [("checking that a walk gives each object once", self._check)]
        steps += [(f"polling the whole collection, {n} of {_ROUNDS}", self._poll) for n in range(1, _ROUNDS + 1)]
        steps += [(f"four pollers, {n} of {_FEWER_ROUNDS}", self._poll_together) for n in range(1, _FEWER_ROUNDS + 1)]
        for n in range(1, _FEWER_ROUNDS + 1):
            steps += [(f"single requests, {n} of {_FEWER_ROUNDS}", self._ask)]
        steps += [("packed pages", self._pack), ("posting", self._post)]
        if self._wish.opentaxii:
            steps += [("single requests to OpenTAXII", self._ask_opentaxii)]
        if self._wish.peers:
            steps += [(f"medallion with {count:,} objects", partial(self._poll_medallion, count)) for count in _SMALL]
        return steps

    # --- starting --------------------------------------------------------------------------------------

    def _install(self, name: str) -> None:
        made = (self._database(purpose) for purpose in ("case", "released"))
        case, released = made if name == "PostgreSQL" else (None, None)
        bulk = Bulk(self._wish.objects, seed=SEED, say=self.pollers.say)
        installed = servers.install(self._folder / name, bulk, case=case, released=released)
        polls = self.measured.polls.setdefault(f"Noroshi on {name}", Polls(f"Noroshi on {name}"))
        server = self._stack.enter_context(installed.server(polls.name))
        door = Door(name, polls)
        self.measured.doors.append(door)
        self._ours.append(_Ours(door, installed, server, bulk, Walk()))

    def _database(self, purpose: str) -> Database:
        return self._stack.enter_context(new_database(self._wish.postgresql, purpose))

    def _start_yardsticks(self) -> None:
        bodies, rows_path = list(self._newest.values()), self._folder / "rows.db"
        rows.fill_sqlite(rows_path, bodies)
        self._rows["SQLite"] = str(rows_path)
        if "PostgreSQL" in self._wish.databases:
            database = self._database("rows")
            rows.fill_postgresql(database.plain, bodies)
            self._rows["PostgreSQL"] = database.plain
        for name, started in (
            (BARE, servers.bare(self._folder, bodies)),
            (MINIMAL, servers.minimal(self._folder, rows_path)),
        ):
            self._yardsticks[name] = self._stack.enter_context(started)
            self.measured.polls[name] = Polls(name)

    def _start_opentaxii(self) -> None:
        database = self._database("opentaxii")
        started = peers.opentaxii(CACHE, self._folder, database, self._published)
        self._opentaxii = self._stack.enter_context(started)
        self._opentaxii_walk = Walk()
        self.measured.polls[OPENTAXII] = Polls(OPENTAXII)

    # --- whole collections -----------------------------------------------------------------------------

    def _check(self) -> None:
        fixed = {one.id for one in fixed_objects()}
        for one in self._ours:
            one.walk = self.pollers.walk(one.server.target, keep_ids=True)
            measures.check(one.server.target.name, one.walk, self._newest.keys() | fixed)
        for server in self._yardsticks.values():
            walk = self.pollers.walk(server.target, keep_ids=True)
            measures.check(server.target.name, walk, set(self._newest))

    def _poll(self) -> None:
        if self._wish.opentaxii:
            self._poll_opentaxii()
        for server in [*self._yardsticks.values(), *(one.server for one in self._ours)]:
            measures.poll(self.pollers, server, self.measured.polls[server.target.name])
        for name, source in self._rows.items():
            rate = len(self._newest) / _READ_ROWS[name](source, PAGE)
            self.measured.raw.setdefault(name, []).append(rate)

    def _poll_opentaxii(self) -> None:
        """A fifth of the one walk for which there is time."""
        walk, polls = self._opentaxii_walk, self.measured.polls[OPENTAXII]
        pages = -(-len(self._newest) // PAGE)
        measures.poll_on(self.pollers, self._opentaxii, polls, walk, -(-pages // _ROUNDS))
        if not walk.next:
            measures.check(OPENTAXII, walk, set(self._newest))

    def _poll_together(self) -> None:
        page_ms = partial(measures.page_ms, self.pollers)
        self.measured.four_minimal_ms.append(page_ms(self._yardsticks[MINIMAL], POLLERS))
        for one in self._ours:
            one.door.one_ms.append(page_ms(one.server, 1))
            one.door.four_ms.append(page_ms(one.server, POLLERS))
            one.door.polls.resident_mib = one.server.running.resident_mib()

    # --- single requests -------------------------------------------------------------------------------

    def _ask(self) -> None:
        for one in self._ours:
            target, door, walk = one.server.target, one.door, one.walk
            ask = partial(measures.repeated, self.pollers, one.server)
            door.first_ms.append(ask(measures.page(target))[1])
            door.last_ms.append(ask(measures.page(target, walk.tokens[len(self._newest) // PAGE - 1]))[1])
            _add(door.empty, door.empty_ms, ask("/empty", _POLLS))
            _add(door.nothing_new, door.nothing_new_ms, ask(f"{target.objects}?added_after={walk.added[-1]}", _POLLS))
            asked = (target, walk.ids, partial(one.bulk.a_time, self._random), self._random)
            questions = measures.filters(*asked) | measures.others(*asked)
            for kind, found in measures.in_turns(self.pollers, target, questions).items():
                door.queries.setdefault(kind, []).extend(found)

    def _pack(self) -> None:
        for one in self._ours:
            tokens = one.walk.tokens[: len(self._newest) // PAGE]
            one.door.packed = measures.packed(self.pollers, one.server.target, tokens, self._random)

    def _post(self) -> None:
        for one in self._ours:
            with one.installed.worker() as worker:
                one.door.posted = measures.post(self.pollers, one.server, worker)

    # --- the others ------------------------------------------------------------------------------------

    def _ask_opentaxii(self) -> None:
        target, peer = self._opentaxii.target, self.measured.peer
        ask = partial(measures.repeated, self.pollers, self._opentaxii)
        peer["one object by id"] = ask(f"{target.objects}{next(iter(self._newest))}/", 20)[0]
        peer["manifest page"] = ask(f"{target.manifest}?limit={PAGE}", 3)[0]
        peer["“nothing new” poll"] = ask(f"{target.objects}?limit={PAGE}&added_after={peers.LATER}", 3)[0]

    def _poll_medallion(self, count: int) -> None:
        """One page, which is also one walk of the smaller collection."""
        with peers.medallion(CACHE, self._folder, self._published[:count]) as server:
            walk = self.pollers.walk(server.target, pages=1)
        self.measured.small[count] = walk.objects / sum(walk.seconds)


def _add(seconds: list[float], server_ms: list[float], found: tuple[float, float]) -> None:
    seconds.append(found[0])
    server_ms.append(found[1])


def _machine(wish: Wish) -> str:
    parts = [f"{os.cpu_count()} processors", f"Python {platform.python_version()}", f"granian {version('granian')}"]
    parts += [f"SQLite {sqlite3.sqlite_version}"]
    if "PostgreSQL" in wish.databases:
        parts += [f"PostgreSQL {databases.version(wish.postgresql)}"]
    return ", ".join(parts)
