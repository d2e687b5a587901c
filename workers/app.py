"""The Celery application over both stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import Celery

from config import Settings
from exchange.stores import open_stores
from workers import tasks

_EVERY_SECOND = 1.0


def create_app(settings: Settings) -> Celery:
    """A Celery application that knows its installation.

    Messages carry ids only, are acknowledged late, and leave no results: the outbox row is the truth.
    """
    app = Celery("workers", broker=settings.broker_url, set_as_current=True)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        task_serializer="json",
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_transport_options=_transport_options(settings),
        task_default_queue="noroshi",
        beat_scheduler="celery.beat:Scheduler",
        beat_schedule=_SCHEDULE,
        worker_hijack_root_logger=False,
        timezone="UTC",
    )
    app.house = tasks.House(settings, open_stores(settings))
    return app


def _transport_options(settings: Settings) -> dict[str, Any]:
    scheme = settings.broker_url.partition(":")[0]
    if scheme == "filesystem":
        return _folders(settings.var / "queue")
    if scheme.startswith("redis"):
        return {"visibility_timeout": 300, "socket_timeout": 5, "socket_connect_timeout": 5}
    return {"confirm_publish": True}


def _folders(queue: Path) -> dict[str, Any]:
    """The embedded broker: one folder, which a crash may empty; the sweep rings again for what it held."""
    for name in ("messages", "processed", "control"):
        (queue / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "data_folder_in": str(queue / "messages"),
        "data_folder_out": str(queue / "messages"),
        "processed_folder": str(queue / "processed"),
        "control_folder": str(queue / "control"),
        "store_processed": True,
        "polling_interval": 0.02,
    }


def _periodic(task: str, seconds: float) -> dict[str, Any]:
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, 5.0)}}


_SCHEDULE = {
    "ring for what waits": _periodic("outbox.drain", _EVERY_SECOND),
    "carry polls into the audit chain": _periodic("feed.carry-notes", 5.0),
    "anchor the audit chain": _periodic("audit.anchor", 60.0),
    "sweep": _periodic("house.sweep", 3600.0),
}
