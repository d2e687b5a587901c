"""The API described for programs, OpenAPI 3.1, from the very code that validates."""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from exchange.sharing import Permission
from exchange.webhooks import SIGNATURE
from portal.api import openapi_examples as examples
from portal.api.cases import MOST_CASES, STAGES, USUAL_CASES
from portal.api.openapi_schemas import ref, schemas
from portal.auth import requires

bp = Blueprint("api_openapi", __name__, url_prefix="/api/v1")
_STIX = "application/stix+json;version=2.1"
Json = dict[str, Any]

_PROBLEMS = {
    "400": "The body is not JSON that we accept.",
    "401": "No valid API key.",
    "403": "The account may not do this.",
    "404": "There is none, or it is not for this account.",
    "408": "The whole body did not arrive in time.",
    "409": "The Idempotency-Key came before with another body, or the case is not in a state for this.",
    "413": "Larger than 1 MB.",
    "415": "A type that this address does not take, or compressed.",
    "422": "Understood but wrong: every field is listed.",
    "503": "Nothing was kept; try again.",
}
_READING = ("401", "403", "503")


@bp.get("/openapi.json")
@requires(Permission.ANYONE)
def show_openapi() -> ResponseReturnValue:
    """The description. 200."""
    return jsonify(document())


@cache
def document() -> Json:
    """The whole description.

    Source: OpenAPI 3.1.0; RFC 9457 (problem details).
    """
    return {
        "openapi": "3.1.0",
        "info": {"title": "Noroshi", "version": "1", "description": "Report a cyber incident once."},
        "security": [{"key": []}],
        "paths": {
            "/api/v1/reports": {"post": _report()},
            "/api/v1/drafts/{draft_id}": {"get": _draft()},
            "/api/v1/cases": {"get": _cases()},
            "/api/v1/cases/{ref}": {"get": _case(), "patch": _update()},
            "/api/v1/cases/{ref}/versions/{seq}": {"get": _version()},
            "/api/v1/cases/{ref}/close": {"post": _turn("closeCase", "Say that a case is over")},
            "/api/v1/cases/{ref}/reopen": {"post": _turn("reopenCase", "Go on with a closed case")},
            "/api/v1/deadlines": {"get": _deadlines()},
            "/api/v1/webhooks": {"get": _webhooks(), "post": _register()},
            "/api/v1/webhooks/{webhook_id}": {"delete": _revoke()},
            "/api/v1/openapi.json": {"get": _description()},
        },
        "webhooks": {"caseChanged": {"post": _message()}},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(),
        },
    }


# --- reports and cases ---------------------------------------------------------------------------------


def _report() -> Json:
    told = "`false`: keep it as a draft that a person of the organisation reads and files."
    return {
        "operationId": "reportIncident",
        "summary": "File a quick report (速報), as JSON or as a STIX 2.1 bundle with an incident",
        "parameters": [_query("confirm", {"enum": ["true", "false"], "default": "true"}, told), _ONCE, _LANGUAGE],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": ref("QuickReport"), "example": examples.REPORT},
                _STIX: {"schema": {"type": "object"}, "example": examples.BUNDLE},
            },
        },
        "responses": {
            "201": _json("The receipt: the report is kept.", "Receipt"),
            "202": _json("A draft that waits for a person: nothing is filed yet.", "Draft"),
            **_failures(*_PROBLEMS),
        },
    }


def _draft() -> Json:
    return {
        "operationId": "showDraft",
        "summary": "A draft that waits for a person",
        "parameters": [_in_path("draft_id"), _LANGUAGE],
        "responses": {"200": _json("It still waits.", "Draft")} | _failures("404", *_READING),
    }


def _cases() -> Json:
    limit = {"type": "integer", "minimum": 1, "maximum": MOST_CASES, "default": USUAL_CASES}
    return {
        "operationId": "listCases",
        "summary": "The cases of your organisation, newest first",
        "parameters": [_query("limit", limit, "At most so many."), _LANGUAGE],
        "responses": {"200": _json("The cases.", "CaseList")} | _failures("422", *_READING),
    }


def _case() -> Json:
    return {
        "operationId": "showCase",
        "summary": "A case of your organisation at every stage",
        "parameters": [_in_path("ref"), _LANGUAGE],
        "responses": {"200": _json("The case.", "Case")} | _failures("404", *_READING),
    }


def _update() -> Json:
    stage = {"enum": list(STAGES), "default": STAGES[0]}
    body = {"schema": ref("Update"), "example": examples.UPDATE}
    return {
        "operationId": "updateCase",
        "summary": "File what is new: an update (続報), the full report (確報) or a correction",
        "parameters": [_in_path("ref"), _query("stage", stage, "Which of the three."), _ONCE, _LANGUAGE],
        "requestBody": {
            "required": True,
            "content": {"application/json": body, "application/merge-patch+json": body},
        },
        "responses": {"201": _json("A further version is kept.", "UpdateReceipt")} | _failures(*_PROBLEMS),
    }


def _version() -> Json:
    return {
        "operationId": "showVersion",
        "summary": "One version with all its answers; the reading is noted in the audit trail",
        "parameters": [_in_path("ref"), _in_path("seq"), _LANGUAGE],
        "responses": {"200": _json("The version.", "Version")} | _failures("404", *_READING),
    }


def _turn(operation: str, summary: str) -> Json:
    return {
        "operationId": operation,
        "summary": summary,
        "parameters": [_in_path("ref"), _LANGUAGE],
        "responses": {"200": _json("The case.", "Case")} | _failures("404", "408", "409", "413", *_READING),
    }


def _deadlines() -> Json:
    return {
        "operationId": "listDeadlines",
        "summary": "What still runs in your open cases, the most pressing first",
        "parameters": [_LANGUAGE],
        "responses": {"200": _json("The deadlines.", "DeadlineList")} | _failures(*_READING),
    }


# --- webhooks ------------------------------------------------------------------------------------------


def _register() -> Json:
    return {
        "operationId": "registerWebhook",
        "summary": "Register an https address that hears of changes; its secret is shown this once",
        "parameters": [_ONCE, _LANGUAGE],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref("NewWebhook"), "example": examples.WEBHOOK}},
        },
        "responses": {
            "201": _json("It is registered. A repeated request gets no secret.", "RegisteredWebhook"),
            **_failures(*(code for code in _PROBLEMS if code != "404")),
        },
    }


def _webhooks() -> Json:
    return {
        "operationId": "listWebhooks",
        "summary": "The webhooks of your organisation, and how the last message to each went",
        "parameters": [_LANGUAGE],
        "responses": {"200": _json("The webhooks.", "WebhookList")} | _failures(*_READING),
    }


def _revoke() -> Json:
    return {
        "operationId": "revokeWebhook",
        "summary": "Send nothing there any more",
        "parameters": [_in_path("webhook_id"), _LANGUAGE],
        "responses": {"200": _json("It is revoked.", "Webhook")} | _failures("404", "408", "413", *_READING),
    }


def _message() -> Json:
    told = "`t=<unix>,v1=<hex>`: HMAC-SHA-256 with the webhook's secret over the time, a dot and the body."
    signature = {"name": SIGNATURE, "in": "header", "required": True, "description": told, "schema": {"type": "string"}}
    return {
        "operationId": "caseChanged",
        "summary": "Something changed in a case: ids and states, never what was reported",
        "parameters": [signature],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref("CaseChanged"), "example": examples.MESSAGE}},
        },
        "responses": {"2XX": {"description": "Taken. Anything else is tried again, later each time, for a day."}},
    }


def _description() -> Json:
    answer = {"description": "This description.", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"operationId": "showOpenapi", "summary": "This description", "security": [], "responses": {"200": answer}}


# --- parts ---------------------------------------------------------------------------------------------


def _failures(*codes: str) -> Json:
    content = {"application/problem+json": {"schema": ref("Problem")}}
    return {code: {"description": _PROBLEMS[code], "content": content} for code in codes}


def _json(description: str, schema: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": ref(schema)}}}


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "description": "ja (default) or en: the language of reasons and messages.",
    "schema": {"type": "string"},
}
_ONCE = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 128 printable ASCII characters; the same key gives the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}
