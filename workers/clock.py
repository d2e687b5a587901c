"""When each periodic task is due."""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.beat import EmbeddedService


class Clock(bootsteps.StartStopStep):  # type: ignore[misc]
    """Beat as a thread of every worker. As a child it outlives a killed parent, and nobody misses it when it is killed.

    Two workers have two clocks: each periodic task may run twice, and acts once.
    """

    requires = ("celery.worker.components:Pool",)

    def create(self, worker: Any) -> Any:
        """The thread; the worker starts and stops it."""
        return EmbeddedService(worker.app, thread=True, scheduler_cls=worker.app.conf.beat_scheduler)
