"""What requests leave for the audit chain and for the clients' self-test, gathered and kept a moment later.

A commit for each page would cost more than the page. What a killed process had not kept yet, at most half a second's
worth, is lost. What is posted or deleted is noted in its own transaction, not here.
"""

from __future__ import annotations

import atexit
import threading

import structlog

from exchange import polls
from exchange.db import Store
from exchange.errors import Unavailable
from exchange.polls import Note

_EVERY_S = 0.5
_MOST_KEPT_BACK = 50_000
_log = structlog.get_logger()


class Notebook:
    """Takes notes from any thread; one thread of its own keeps them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._notes: list[Note] = []
        self._lock, self._keeping = threading.Lock(), threading.Lock()
        self._wake, self._over = threading.Event(), threading.Event()
        self._writer: threading.Thread | None = None
        atexit.register(self.close)

    def add(self, note: Note) -> None:
        """Take a note."""
        with self._lock:
            self._notes.append(note)
            if self._writer is None:
                self._writer = threading.Thread(target=self._go_on, name="notes", daemon=True)
                self._writer.start()
        self._wake.set()

    def keep(self) -> None:
        """Keep all that was noted until now; what the store does not take stays for the next time."""
        with self._keeping:
            with self._lock:
                taken, self._notes = self._notes, []
            if not taken:
                return
            try:
                with self._store.transaction() as db:
                    polls.record(db, taken)
            except Unavailable:
                _log.warning("notes.kept-back", notes=len(taken))
                with self._lock:
                    self._notes = (taken + self._notes)[-_MOST_KEPT_BACK:]

    def close(self) -> None:
        """Keep what is left, and take no more."""
        atexit.unregister(self.close)
        self._over.set()
        self._wake.set()
        if self._writer is not None:
            self._writer.join()
        self._keep_or_say()

    def _go_on(self) -> None:
        while not self._over.is_set():
            self._wake.wait()
            self._wake.clear()
            self._keep_or_say()
            self._over.wait(_EVERY_S)

    def _keep_or_say(self) -> None:
        try:
            self.keep()
        except Exception as error:  # noqa: BLE001  The thread must live; what is wrong stands in the log.
            _log.error("notes.lost", kind=type(error).__name__, exc_info=True)
