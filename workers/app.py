"""The Celery application over both stores."""

from __future__ import annotations

from typing import Any

from celery import Celery

from config import Settings
from exchange.stores import open_stores
from workers import tasks
from workers.clock import Clock

_EVERY_SECOND = 1.0


def create_app(settings: Settings) -> Celery:
    """A Celery application that knows its installation.

    Messages carry ids only, are acknowledged late, and leave no results: the outbox row is the truth.
    """
    app = Celery("workers", broker=settings.broker_url, set_as_current=True)
    app.conf.update(
        **_broker(settings),
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        task_serializer="json",
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_default_queue=settings.queue,
        beat_scheduler="celery.beat:Scheduler",
        beat_schedule=_SCHEDULE,
        worker_hijack_root_logger=False,
        timezone="UTC",
    )
    app.steps["worker"].add(Clock)
    app.house = tasks.House(settings, open_stores(settings))
    return app


def _broker(settings: Settings) -> dict[str, Any]:
    scheme = settings.broker_url.partition(":")[0]
    if scheme == "filesystem":
        # A crash may empty the folder; the sweep rings again for what it held.
        folder = str(settings.var / "queue")
        return {"broker_transport": "workers.folder:Transport", "broker_transport_options": {"folder": folder}}
    if scheme.startswith("redis"):
        timeouts = {"visibility_timeout": 300, "socket_timeout": 5, "socket_connect_timeout": 5}
        return {"broker_transport_options": timeouts}
    return {"broker_transport_options": {"confirm_publish": True}}


def _periodic(task: str, seconds: float) -> dict[str, Any]:
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, 5.0)}}


_SCHEDULE = {
    "ring for what waits": _periodic("outbox.drain", _EVERY_SECOND),
    "settle what was posted": _periodic("feed.settle", _EVERY_SECOND),
    "seal full pages": _periodic("feed.seal", 10.0),
    "carry polls into the audit chain": _periodic("feed.carry-notes", 5.0),
    "anchor the audit chain": _periodic("audit.anchor", 60.0),
    "remind of deadlines": _periodic("post.remind", 60.0),
    "hand letters over to the post": _periodic("post.hand-over", 5.0),
    "tell webhooks of deadlines": _periodic("webhook.look", 300.0),
    "sweep": _periodic("house.sweep", 3600.0),
}
