"""An example of a connector: an alert of a SIEM becomes a draft on the portal, which a person reads and files.

It needs Python 3.11 and nothing else. An alert is one JSON object, nested or with dotted names.

    NOROSHI_URL=https://noroshi.example NOROSHI_API_KEY=noroshi_... python3 siem_alert.py < alert.json
    NOROSHI_URL=https://noroshi.example NOROSHI_API_KEY=noroshi_... python3 siem_alert.py --listen 8600

With --listen it takes alerts over HTTP on this machine, one in each POST, as most products can send them. It never
files by itself: what starts the clocks of the law is for a person to say.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What products call these things; put the names of yours in front.
TIME = ("@timestamp", "event.created", "timestamp", "time")
TITLE = ("rule.name", "signal.rule.name", "alert.name", "title", "message")
IDENTITY = ("event.id", "alert.id", "id", "_id")
CATEGORY = ("event.category", "rule.category", "category")
VALUES = (
    *("source.ip", "destination.ip", "threat.indicator.ip", "src_ip", "dest_ip"),
    *("destination.domain", "dns.question.name", "domain", "url.full", "url"),
    *("file.hash.sha256", "file.hash.sha1", "file.hash.md5", "process.hash.sha256", "sha256"),
)
SYSTEMS = {"host.os.type": "endpoint", "cloud.provider": "cloud", "url.full": "web", "observer.type": "network"}
KINDS = {"ransomware": "ransomware", "ddos": "ddos", "denial of service": "ddos"}
MOST_BYTES = 1_000_000


def main() -> int:
    """Take one alert from standard input, or listen for many."""
    parser = argparse.ArgumentParser(description="Make drafts of a portal from the alerts of a SIEM.")
    parser.add_argument("--listen", type=int, metavar="PORT", help="take alerts over HTTP on 127.0.0.1")
    port = parser.parse_args().listen
    if port:
        ThreadingHTTPServer(("127.0.0.1", port), Listener).serve_forever()
    try:
        alert = json.load(sys.stdin)
    except ValueError:
        print("this is no JSON", file=sys.stderr)
        return 2
    status, answer = send(alert)
    print(json.dumps(answer, ensure_ascii=False, indent=1))
    return 0 if status == 202 else 3


def draft(alert: dict[str, Any]) -> dict[str, Any]:
    """What of an alert belongs into a quick report; what it does not tell, the person answers."""
    known = dict(flat(alert))
    words = " ".join(str(known[name]) for name in (*TITLE, *CATEGORY) if name in known).lower()
    answers = {
        "incident_kind": next((kind for word, kind in KINDS.items() if word in words), "unknown"),
        "aware_at": moment(first(known, TIME)),
        "system_class": list(dict.fromkeys(kind for name, kind in SYSTEMS.items() if name in known)) or ["unknown"],
        "personal_data": "unknown",
        "current_status": "unknown",
        "service_impact": "unknown",
        "summary": str(first(known, TITLE) or "")[:400],
        "ioc_paste": "\n".join(dict.fromkeys(str(known[name]) for name in VALUES if known.get(name))),
    }
    return {name: value for name, value in answers.items() if value}


def flat(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of an alert under its dotted name."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from flat(inner, f"{at}.{name}" if at else str(name))
    elif isinstance(value, list):
        yield from flat(value[0], at) if value else ()
    else:
        yield at, value


def first(known: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The first of these that the alert has."""
    return next((known[name] for name in names if known.get(name) not in (None, "")), None)


def moment(text: Any) -> str | None:
    """A time of the alert with its zone; without one it is taken for UTC."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def send(alert: Any) -> tuple[int, Any]:
    """Leave the draft; the same alert twice is one draft. Returns the status and the answer of the portal."""
    if not isinstance(alert, dict):
        return 400, {"detail": "an alert is a JSON object"}
    body = json.dumps(draft(alert)).encode()
    named = str(first(dict(flat(alert)), IDENTITY) or json.dumps(alert, sort_keys=True))
    url = os.environ["NOROSHI_URL"].rstrip("/") + "/api/v1/reports?confirm=false"
    request = urllib.request.Request(url, data=body, method="POST")  # noqa: S310  The operator chose this address.
    request.add_header("Authorization", f"Bearer {os.environ['NOROSHI_API_KEY']}")
    request.add_header("Content-Type", "application/json")
    request.add_header("Idempotency-Key", hashlib.sha256(named.encode() + body).hexdigest())
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError as error:
        return 503, {"detail": f"no answer from the portal ({error}); send the alert again"}


class Listener(BaseHTTPRequestHandler):
    """One alert in each POST; the answer is the portal's."""

    def do_POST(self) -> None:
        """Take an alert."""
        length = int(self.headers.get("Content-Length") or 0)
        try:
            status, answer = send(json.loads(self.rfile.read(min(length, MOST_BYTES))))
        except ValueError:
            status, answer = 400, {"detail": "this is no JSON"}
        said = json.dumps(answer, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


if __name__ == "__main__":
    sys.exit(main())
