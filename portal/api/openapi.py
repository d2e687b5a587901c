"""The API described for programs, OpenAPI 3.1, from the very code that validates."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from pydantic.json_schema import models_json_schema

from exchange.form import QuickReport
from exchange.sharing import Permission
from portal.auth import requires

bp = Blueprint("api_openapi", __name__, url_prefix="/api/v1")

_PROBLEMS = {
    "400": "The body is not JSON that we accept.",
    "401": "No valid API key.",
    "403": "The account may not do this.",
    "404": "There is none, or it is not for this account.",
    "408": "The whole body did not arrive in time.",
    "409": "The Idempotency-Key came before with another body.",
    "413": "Larger than 1 MB.",
    "415": "Not application/json, or compressed.",
    "422": "Understood but wrong: every field is listed.",
    "503": "Nothing was kept; try again.",
}


@bp.get("/openapi.json")
@requires(Permission.ANYONE)
def show_openapi() -> ResponseReturnValue:
    """The description. 200."""
    return jsonify(document())


def document() -> dict[str, Any]:
    """The whole description.

    Source: OpenAPI 3.1.0; RFC 9457 (problem details).
    """
    _, defined = models_json_schema([(QuickReport, "validation")], ref_template="#/components/schemas/{model}")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Noroshi", "version": "1", "description": "Report a cyber incident once."},
        "security": [{"key": []}],
        "paths": {
            "/api/v1/reports": {"post": _report()},
            "/api/v1/cases/{ref}": {"get": _case()},
            "/api/v1/openapi.json": {"get": _description()},
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": defined["$defs"] | _SCHEMAS,
        },
    }


def _report() -> dict[str, Any]:
    return {
        "operationId": "reportIncident",
        "summary": "File a quick report (速報)",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "1 to 128 printable ASCII characters; the same key gives the first answer again.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 128},
            },
            _LANGUAGE,
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("QuickReport")}}},
        "responses": {"201": _json("The receipt: the report is kept.", "Receipt")} | _failures(*_PROBLEMS),
    }


def _case() -> dict[str, Any]:
    ref = {"name": "ref", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "operationId": "showCase",
        "summary": "A case of your organisation",
        "parameters": [ref, _LANGUAGE],
        "responses": {"200": _json("The case.", "Case")} | _failures("401", "403", "404", "503"),
    }


def _description() -> dict[str, Any]:
    answer = {"description": "This description.", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"operationId": "showOpenapi", "summary": "This description", "security": [], "responses": {"200": answer}}


def _failures(*codes: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {code: {"description": _PROBLEMS[code], "content": content} for code in codes}


def _json(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _list_of(**properties: Any) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "object", "properties": properties}}


_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "description": "ja (default) or en: the language of reasons and messages.",
    "schema": {"type": "string"},
}
_TEXT: dict[str, Any] = {"type": "string"}
_TEXT_OR_NULL: dict[str, Any] = {"type": ["string", "null"]}
_ROUTING: dict[str, Any] = {
    "case_id": _TEXT,
    "stage": _TEXT,
    "received_at": {"type": "string", "format": "date-time"},
    "form": _TEXT,
    "recipients": _list_of(
        id=_TEXT,
        name=_TEXT,
        reason=_TEXT,
        legal_basis=_TEXT,
        purpose=_TEXT,
        regimes={"type": "array", "items": _TEXT},
        due=_TEXT_OR_NULL,
    ),
    "regimes": {"type": "array", "items": _TEXT},
    "clocks": _list_of(
        regime=_TEXT,
        name=_TEXT,
        stage=_TEXT,
        text=_TEXT,
        starts_at=_TEXT,
        due_at=_TEXT_OR_NULL,
        due_date=_TEXT_OR_NULL,
        warn_date=_TEXT_OR_NULL,
        target_at=_TEXT_OR_NULL,
    ),
    "reminders": _list_of(regime=_TEXT, remind_at=_TEXT, text=_TEXT),
    "not_triggered": _list_of(regime=_TEXT, reason=_TEXT),
    "tlp": {"type": "object", "properties": {"victim": _TEXT, "technical": _TEXT}},
    "purposes": {"type": "array", "items": _TEXT},
    "rule_version": _TEXT,
}
_RECEIPT = _ROUTING | {"report_id": _TEXT, "status_url": _TEXT, "possible_duplicate_of": _TEXT}
_CASE = _ROUTING | {
    "share_scope": _TEXT,
    "released": _list_of(edition=_TEXT, id=_TEXT, modified=_TEXT_OR_NULL, tlp=_TEXT),
    "excluded": _list_of(type=_TEXT, value=_TEXT, reason=_TEXT),
}
_SCHEMAS: dict[str, Any] = {
    "Receipt": {
        "type": "object",
        "properties": _RECEIPT,
        "required": ["case_id", "report_id", "recipients", "clocks", "status_url"],
    },
    "Case": {"type": "object", "properties": _CASE, "required": ["case_id", "recipients"]},
    "Problem": {
        "type": "object",
        "properties": {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "code": _TEXT,
            "errors": _list_of(field=_TEXT, code=_TEXT, message=_TEXT),
            "request_id": _TEXT,
        },
        "required": ["type", "title", "status"],
    },
}
