"""Somebody with a key, who reports, follows up and registers webhooks over the API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal import auth
from portal.api import cases, deadlines, reports, webhooks
from tests.make import Clock, make_answers
from tests.test_api import Caller, make_caller

CASES = "/api/v1/cases"


class Member(Caller):
    """Somebody with a key."""

    def call(self, method: str, path: str, body: object = None, **headers: str) -> TestResponse:
        """Any request; `body` as JSON, bytes as they are."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"} | named
        return self.app.test_client().open(path, method=method, data=content, headers=sent)

    def patch(self, ref: str, changes: object, query: str = "", **headers: str) -> TestResponse:
        """File what is new."""
        return self.call("PATCH", f"{CASES}/{ref}{query}", changes, **headers)

    def filed(self, **answers: Any) -> str:
        """The number of a new case."""
        return str(self.told("POST", "/api/v1/reports", make_answers(**answers))["case_id"])

    def told(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """What a request that succeeds is answered with."""
        answer = self.call(method, path, body)
        assert answer.status_code in {200, 201} and answer.json is not None, answer.get_data(as_text=True)
        return dict(answer.json)


def make_member(app: Flask, organization: dict[str, Any] | None = None, **more: Any) -> Member:
    """Somebody of a new organization, with a key."""
    return Member(**vars(make_caller(app, organization, **more)))


def stopped(patch: pytest.MonkeyPatch) -> Clock:
    """Time stands still in the API, until a test moves it."""
    clock = Clock()
    for door in (auth, reports, cases, deadlines, webhooks):
        patch.setattr(door, "utcnow", clock)
    return clock
