"""The pollers of a run, in processes of their own, and the line that says how far the run is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench import client
from bench.client import Target, Walk
from bench.servers import PAGE, Server

Asked = list[tuple[float, int]]
Found = TypeVar("Found")
POLLERS = 4


class Pollers:
    """Whoever asks a server in this run asks through these."""

    def __init__(self, pool: ProcessPoolExecutor, progress: Progress, task: TaskID) -> None:
        self._pool, self._progress, self._task = pool, progress, task

    def step(self, what: str) -> None:
        """Say what happens now."""
        self._progress.update(self._task, description=what, advance=1)

    def say(self, what: str) -> None:
        """How far this step is."""
        self._progress.update(self._task, description=what)

    def walk(self, target: Target, *, start: str = "", pages: int = 0, keep_ids: bool = False) -> Walk:
        """One poller follows `next`."""
        return self._pool.submit(client.walk, target, PAGE, start=start, pages=pages, keep_ids=keep_ids).result()

    def together(self, target: Target, count: int) -> int:
        """So many pollers at once, each to the end; how many pages they got."""
        walks = [self._pool.submit(client.walk, target, PAGE) for _ in range(count)]
        return sum(len(walk.result().seconds) for walk in walks)

    def ask(self, target: Target, paths: Sequence[str], encoding: str = "identity") -> Asked:
        """(seconds, bytes) of each path, one after the other."""
        return self._pool.submit(client.ask, target, paths, encoding=encoding).result()

    def post(self, target: Target, envelopes: Sequence[bytes], status_path: str) -> tuple[list[float], float]:
        """Each envelope posted; see `client.post`."""
        return self._pool.submit(client.post, target, envelopes, status_path).result()


@contextmanager
def pollers(steps: int) -> Iterator[Pollers]:
    """Four idle processes and a bar of so many steps on standard error."""
    columns = (TextColumn("{task.description:<44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # A forked poller would inherit the threads of this process, and hang now and then.
    with ProcessPoolExecutor(POLLERS, mp_context=get_context("spawn")) as pool:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            yield Pollers(pool, progress, progress.add_task("starting", total=steps))


def costed(server: Server, asking: Callable[[], Found]) -> tuple[Found, float, float]:
    """What was found, and the processor seconds that the server and its database took for it."""
    before = server.processor_s()
    found = asking()
    after = server.processor_s()
    return found, after[0] - before[0], after[1] - before[1]
