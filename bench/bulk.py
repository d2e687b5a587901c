"""Millions of objects, written straight into the tables of the released store as publishing them would have done."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

from bench import corpus
from exchange import feed
from exchange.db import Store
from exchange.feed import Publication
from exchange.models import Collection, ObjectVersion
from exchange.sharing import TLP
from exchange.stores import Stores
from exchange.times import from_micros, rfc3339

ONE_IN = 100
"""Of so many objects, one is TLP:CLEAR: what the sparse reader sees."""

_AT_ONCE, _SAMPLE = 20_000, 2000
_VERSION = ("id", "space", "stix_id", "version", "type", "spec_version", "body")
_ENTRY = ("collection_id", "date_added", "object_version_id", "stix_id", "type", "tlp", "lane", "first_upto")
_POSTGRESQL_TYPES = {
    "object_version": ("int8", "text", "text", "text", "text", "text", "bytea"),
    "entry": ("uuid", "int8", "int8", "text", "text", "int4", "int4", "int4"),
}
Rows = Sequence[tuple[Any, ...]]
Write = Callable[[str, Sequence[str], Rows], None]


def tlp_of(stix_id: str) -> TLP:
    """The marking of an object and of all its versions."""
    return TLP.GREEN if zlib.crc32(stix_id.encode()) % ONE_IN else TLP.CLEAR


class Bulk:
    """Fills `council` with `count` objects, one in a hundred of them TLP:CLEAR and the rest TLP:GREEN.

    Attributes:
        ids: some of the objects, from everywhere.
    """

    def __init__(self, count: int, *, seed: str, say: Callable[[str], None]) -> None:
        self._count, self._seed, self._say = count, seed, say
        self.ids: list[str] = []
        self._first_added = self._last_added = 0

    def __call__(self, stores: Stores) -> None:
        """Write them; needs no memory for them."""
        place = _Place.of(stores.released, self._count)
        written, news = 0, dict[TLP, int]()
        with _writer(stores.released.engine.url) as write:
            for objects in _in_parts(corpus.publications(self._count, seed=self._seed)):
                self._say(f"loading {self._count:,} objects: {written:,}")
                numbered = list(enumerate(objects, written))
                write("object_version", _VERSION, [place.version(*one) for one in numbered])
                write("entry", _ENTRY, [place.entry(*one) for one in numbered])
                news |= {tlp_of(one.stix_id): place.first_added + number for number, one in numbered}
                written += len(objects)
                self.ids += [one.stix_id for one in objects[:: max(1, self._count // _SAMPLE)]]
        self._first_added, self._last_added = place.first_added, place.first_added + written - 1
        place.settle(stores.released, news)

    def a_time(self, rng: Random, behind: int = 0) -> str:
        """The `date_added` of any object that has so many others behind it; of the first if none has."""
        latest = max(self._first_added, self._last_added - behind)
        return rfc3339(from_micros(rng.randint(self._first_added, latest)))


def _in_parts(objects: Iterator[Publication]) -> Iterator[list[Publication]]:
    while part := list(islice(objects, _AT_ONCE)):
        yield part


@dataclass(frozen=True)
class _Place:
    """Where the objects go: behind what the collection holds already, a microsecond apart."""

    collection_id: UUID
    first_id: int
    first_added: int
    count: int

    @classmethod
    def of(cls, store: Store, count: int) -> _Place:
        with store.reading() as db:
            council = db.scalars(sa.select(Collection).where(Collection.alias == "council")).one()
            first_id = (db.scalar(sa.select(sa.func.max(ObjectVersion.id))) or 0) + 1
            return cls(council.id, first_id, council.last_added + 1, count)

    def version(self, number: int, one: Publication) -> tuple[Any, ...]:
        """A row of `object_version`."""
        return (self.first_id + number, "", one.stix_id, one.version, one.type, "2.1", one.body)

    def entry(self, number: int, one: Publication) -> tuple[Any, ...]:
        """A row of `entry`. The newer versions come after all others."""
        rank = tlp_of(one.stix_id).rank
        only, older, newer = _laned(rank)
        held = newer if number >= self.count else only if number % corpus.VERSIONED else older
        added, version_id = self.first_added + number, self.first_id + number
        return (self.collection_id, added, version_id, one.stix_id, one.type, rank, held.lane, held.first_upto)

    def settle(self, store: Store, news: Mapping[TLP, int]) -> None:
        """Let the collection know what it holds, and the last `date_added` of each marking."""
        with store.transaction() as db:
            council = feed.lock(db, self.collection_id)
            council.last_added, council.unsealed = max(news.values()), True
            for tlp, date_added in news.items():
                feed._tell_news(council, tlp.rank, date_added)


@lru_cache(maxsize=len(TLP))
def _laned(rank: int) -> tuple[feed._Held, feed._Held, feed._Held]:
    """An only version, and the older and the newer of two, in the lanes that publishing gives them."""
    held = [feed._Held(0, version, rank, -1, 0) for version in ("2026", "2027")]
    (only,), (older, newer) = feed._laned(held[:1]), feed._laned(held)
    return only, older, newer


# --- fast ways in --------------------------------------------------------------------------------------


@contextmanager
def _writer(url: sa.URL) -> Iterator[Write]:
    with (_sqlite if url.get_backend_name() == "sqlite" else _postgresql)(url) as write:
        yield write


@contextmanager
def _sqlite(url: sa.URL) -> Iterator[Write]:
    """Nothing is lost if the machine stops: the benchmark begins again."""
    sqlite3.register_adapter(UUID, lambda value: value.hex)
    with closing(sqlite3.connect(str(url.database))) as db:
        db.execute("PRAGMA synchronous=OFF")
        db.execute("PRAGMA cache_size=-1000000")

        def write(table: str, columns: Sequence[str], rows: Rows) -> None:
            marks = ", ".join("?" * len(columns))
            db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608
            db.commit()

        yield write


@contextmanager
def _postgresql(url: sa.URL) -> Iterator[Write]:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as db:

        def write(table: str, columns: Sequence[str], rows: Rows) -> None:
            statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN WITH (FORMAT binary)"
            with db.cursor().copy(statement.encode()) as copy:
                copy.set_types(_POSTGRESQL_TYPES[table])
                for row in rows:
                    copy.write_row(row)
            db.commit()

        yield write
        db.execute("SELECT setval(pg_get_serial_sequence('object_version', 'id'), max(id)) FROM object_version")
