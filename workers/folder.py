"""The embedded broker: a folder, and in it one file for each message.

kombu's own folder transport lets a reader take a file that is still being written, and the worker ends with it.
Here a message appears whole and leaves nothing behind; a folder that is gone is made again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

from kombu.transport import virtual


class Channel(virtual.Channel):
    """The messages of one folder. Whoever removes a file has its message."""

    def _put(self, queue: str, message: dict[str, Any], **_options: object) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns()}-{uuid4().hex}"
        unfinished = self._folder / f"{name}.unfinished"
        unfinished.write_text(json.dumps(message), encoding="utf-8")
        unfinished.replace(self._folder / f"{name}.{queue}")

    def _get(self, queue: str, timeout: float | None = None) -> Any:  # noqa: ARG002  The base class has it.
        for path in self._waiting(queue):
            try:
                text = path.read_text(encoding="utf-8")
                path.unlink()
            except FileNotFoundError:  # Another worker was faster.
                continue
            return json.loads(text)
        raise Empty

    def _size(self, queue: str) -> int:
        return sum(1 for _ in self._waiting(queue))

    def _purge(self, queue: str) -> int:
        size = self._size(queue)
        for path in self._waiting(queue):
            path.unlink(missing_ok=True)
        return size

    def _waiting(self, queue: str) -> Iterator[Path]:
        """Oldest first: names begin with the time."""
        return iter(sorted(self._folder.glob(f"*.{queue}")))

    @property
    def _folder(self) -> Path:
        return Path(self.connection.client.transport_options["folder"])


class Transport(virtual.Transport):
    """What `broker_transport` names; its option `folder` says where."""

    Channel = Channel
    polling_interval = 0.02
    driver_type = driver_name = "folder"
    # A folder that cannot be written to is a broker that does not answer: both come back.
    connection_errors = (*virtual.Transport.connection_errors, OSError)  # type: ignore[assignment]
    default_connection_params: dict[str, Any] = {}  # noqa: RUF012  There is no host to have a default.

    def driver_version(self) -> str:
        """No other program is involved."""
        return "1"
