"""The worker's own parts: a step that fails, the folder that carries messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from celery import Celery
from kombu.connection import Connection
from kombu.simple import SimpleQueue

from config import Settings
from exchange import outbox
from exchange.models import Event
from exchange.times import utcnow
from workers import tasks
from workers.app import create_app

MESSAGES = [str(number) for number in range(40)]


@pytest.fixture
def worker(sqlite_settings: Settings) -> Iterator[Celery]:
    """The application of a worker; its steps are called by hand."""
    app = create_app(sqlite_settings)
    yield app
    app.house.stores.close()
    app.close()


def test_a_step_that_fails_is_let_go_and_others_may_take_it_later(worker: Celery) -> None:
    """Here because the report is not there."""
    with worker.house.stores.case.transaction() as db:
        event_id = outbox.tell(db, "report.filed", uuid4(), now=utcnow())
    tasks.normalise_report(str(event_id))
    with worker.house.stores.case.reading() as db:
        event = db.get_one(Event, event_id)
    assert (event.attempts, event.leased_until, event.done_at) == (1, None, None)
    assert event.fault == "NoResultFound"
    assert event.ring_at > event.at


# --- the folder ----------------------------------------------------------------------------------------


def _connect(folder: Path) -> Connection:
    return Connection(transport="workers.folder:Transport", transport_options={"folder": str(folder)})


def _put(queue: SimpleQueue, *messages: str) -> None:
    for message in messages:
        queue.put(message)


def _take_all(folder: Path) -> list[str]:
    taken: list[str] = []
    with _connect(folder) as connection, connection.SimpleQueue("noroshi") as queue:
        while True:
            try:
                message = queue.get(timeout=0.2)
            except queue.Empty:
                return taken
            message.ack()
            taken.append(message.payload)


def test_a_message_arrives_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with _connect(tmp_path / "queue") as connection, connection.SimpleQueue("noroshi") as queue:
        _put(queue, "one", "two")
    assert _take_all(tmp_path / "queue") == ["one", "two"]
    assert list((tmp_path / "queue").iterdir()) == []


def test_several_workers_take_each_message_once(tmp_path: Path) -> None:
    """While more are being written: a message that is not whole is nobody's."""
    with ThreadPoolExecutor() as threads, _connect(tmp_path) as connection:
        with connection.SimpleQueue("noroshi") as queue:
            _put(queue, *MESSAGES[:10])
            takers = [threads.submit(_take_all, tmp_path) for _ in range(3)]
            _put(queue, *MESSAGES[10:])
        taken = [message for taker in takers for message in taker.result()]
    assert Counter(taken + _take_all(tmp_path)) == Counter(MESSAGES)


def test_an_unfinished_message_waits(tmp_path: Path) -> None:
    (tmp_path / "1-a.unfinished").write_text("{")
    assert _take_all(tmp_path) == []


def test_a_folder_that_is_gone_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "queue"
    with _connect(folder) as connection, connection.SimpleQueue("noroshi") as queue:
        _put(queue, "lost")
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        _put(queue, "kept")
    assert _take_all(folder) == ["kept"]
