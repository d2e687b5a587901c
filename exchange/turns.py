"""What is dear is done a few times at once, and fewer times for one: nobody takes every place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from threading import BoundedSemaphore, Lock


class Turns:
    """`most` at once in this process, and `of_one` of the same holder."""

    def __init__(self, most: int, of_one: int) -> None:
        self._free, self._of_one = BoundedSemaphore(most), of_one
        self._held: Counter[Hashable] = Counter()
        self._lock = Lock()

    def take(self, whose: Hashable, *, wait_s: float = 0.0) -> bool:
        """A turn, to be given back; False at once if `whose` has its share, or if none became free in time."""
        with self._lock:
            if self._held[whose] >= self._of_one:
                return False
            self._held[whose] += 1
        if self._free.acquire(timeout=wait_s):
            return True
        self._forget(whose)
        return False

    def give(self, whose: Hashable) -> None:
        """Let others have it."""
        self._free.release()
        self._forget(whose)

    def _forget(self, whose: Hashable) -> None:
        with self._lock:
            self._held -= Counter([whose])
