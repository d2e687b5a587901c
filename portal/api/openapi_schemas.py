"""What is sent and answered, as schemas: the forms from the code that validates them, the answers from here."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from exchange.form import QuickReport
from exchange.updates import Later
from portal.api.cases import Claims
from portal.api.webhooks import NewWebhook

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_NUMBER: Schema = {"type": "integer"}
_NUMBER_OR_NULL: Schema = {"type": ["integer", "null"]}
_YES_NO: Schema = {"type": "boolean"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
_DAY_OR_NULL: Schema = {"type": ["string", "null"], "format": "date"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}


def schemas() -> dict[str, Schema]:
    """Every schema by its name."""
    models = [(model, "validation") for model in (QuickReport, Later, Claims, NewWebhook)]
    _, defined = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    made: dict[str, Schema] = _with_item_counts(defined["$defs"])
    update = _update(made["QuickReport"], made.pop("Later"), made.pop("Claims"))
    return made | {"Update": update} | _ANSWERS


def _with_item_counts(schema: Any) -> Any:
    """A list that is read as a tuple is described with the length of a text."""
    if isinstance(schema, list):
        return [_with_item_counts(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    names = {"maxLength": "maxItems", "minLength": "minItems"} if schema.get("type") == "array" else {}
    return {names.get(name, name): _with_item_counts(one) for name, one in schema.items()}


def _update(quick: Schema, later: Schema, claims: Schema) -> Schema:
    """Every field of the dictionary, none of them required; null takes an answer back."""
    first = {name: _or_null(prop) for name, prop in quick["properties"].items() if name not in claims["properties"]}
    properties = claims["properties"] | first | later["properties"]
    told = "A JSON Merge Patch (RFC 7396) over all fields: only what is new; null takes an answer back."
    return {"type": "object", "description": told, "properties": properties, "additionalProperties": False}


def _or_null(prop: Schema) -> Schema:
    """Without its default: what is not sent stays as it was."""
    described: Schema = {name: prop[name] for name in ("description", "examples") if name in prop}
    inner = {name: value for name, value in prop.items() if name not in {*described, "default"}}
    return {"anyOf": [inner, {"type": "null"}], **described}


def ref(schema: str) -> Schema:
    """A reference to one of them."""
    return {"$ref": f"#/components/schemas/{schema}"}


def _object(required: list[str] | None = None, **properties: Any) -> Schema:
    made: Schema = {"type": "object", "properties": properties}
    return made | ({"required": required} if required else {})


def _list_of(**properties: Any) -> Schema:
    return {"type": "array", "items": _object(**properties)}


_CLOCK: Schema = {
    "regime": _TEXT,
    "name": _TEXT,
    "stage": _TEXT,
    "text": _TEXT,
    "starts_at": _TEXT,
    "due_at": _TEXT_OR_NULL,
    "due_date": _TEXT_OR_NULL,
    "warn_date": _TEXT_OR_NULL,
    "target_at": _TEXT_OR_NULL,
}
_DECIDED: Schema = {
    "form": _TEXT,
    "recipients": _list_of(
        id=_TEXT,
        name=_TEXT,
        reason=_TEXT,
        legal_basis=_TEXT,
        purpose=_TEXT,
        regimes=_TEXTS,
        due=_TEXT_OR_NULL,
        held=_YES_NO,
    ),
    "regimes": _TEXTS,
    "clocks": _list_of(**_CLOCK),
    "reminders": _list_of(regime=_TEXT, remind_at=_TEXT, text=_TEXT),
    "not_triggered": _list_of(regime=_TEXT, reason=_TEXT),
    "tlp": _object(victim=_TEXT, technical=_TEXT),
    "purposes": _TEXTS,
    "rule_version": _TEXT,
}
_ROUTING: Schema = _DECIDED | {"case_id": _TEXT, "seq": _NUMBER, "stage": _TEXT, "received_at": _TIME}
_RECEIPT: Schema = _ROUTING | {"report_id": _TEXT, "status_url": _TEXT, "possible_duplicate_of": _TEXT}
_VERSION: Schema = {
    "seq": _NUMBER,
    "stage": {"enum": ["sokuhou", "zokuhou", "kakuhou", "correction"]},
    "received_at": _TIME,
    "claimed_at": _TIME_OR_NULL,
    "via": _TEXT,
    "changed": _TEXTS,
    "form_version": _TEXT,
    "version_url": _TEXT,
}
_DEADLINE: Schema = {
    "regime": _TEXT,
    "name": _TEXT,
    "stage": _TEXT,
    "state": {"enum": ["met", "late", "soon", "running"]},
    "starts_at": _TIME,
    "due_at": _TIME_OR_NULL,
    "due_date": _DAY_OR_NULL,
    "warn_date": _DAY_OR_NULL,
    "target_at": _TIME_OR_NULL,
    "extended_to": _DAY_OR_NULL,
    "extended_by": _TEXT_OR_NULL,
    "met_at": _TIME_OR_NULL,
}
_IN_A_LIST: Schema = {
    "case_id": _TEXT,
    "seq": _NUMBER,
    "stage": _TEXT,
    "received_at": _TIME,
    "opened_at": _TIME,
    "closed_at": _TIME_OR_NULL,
    "share_scope": _TEXT,
}
_LISTED: Schema = _IN_A_LIST | {"incident_kind": _TEXT, "exercise": _YES_NO, "status_url": _TEXT}
_DRAFT: Schema = {
    "draft_id": _TEXT,
    "stage": _TEXT,
    "created_at": _TIME,
    "updated_at": _TIME,
    "status_url": _TEXT,
    "review_url": _TEXT,
    "missing": _TEXTS,
}
_WEBHOOK: Schema = {
    "id": _TEXT,
    "url": _TEXT,
    "created_at": _TIME,
    "revoked_at": _TIME_OR_NULL,
    "failing_since": _TIME_OR_NULL,
    "last_message_at": _TIME_OR_NULL,
    "last_delivered_at": _TIME_OR_NULL,
    "last_status": _NUMBER_OR_NULL,
}
_SENT: Schema = {
    "recipient": _TEXT,
    "purpose": _TEXT,
    "sent_seq": _NUMBER,
    "received_seq": _NUMBER_OR_NULL,
    "received_at": _TIME_OR_NULL,
    "reference": _TEXT_OR_NULL,
}
_CASE: Schema = (
    _ROUTING
    | _IN_A_LIST
    | {
        "released": _list_of(edition=_TEXT, id=_TEXT, modified=_TEXT_OR_NULL, tlp=_TEXT),
        "excluded": _list_of(type=_TEXT, value=_TEXT, reason=_TEXT),
        "versions": _list_of(**_VERSION),
        "deadlines": _list_of(**_DEADLINE),
        "receipts": _list_of(**_SENT),
    }
)
_UPDATED: Schema = {
    "changed": _TEXTS,
    "new_recipients": _TEXTS,
    "new_clocks": _list_of(**_CLOCK),
    "version_url": _TEXT,
}
_MESSAGE: Schema = {
    "id": _TEXT,
    "type": {"const": "case.changed"},
    "at": _TIME,
    "case_id": _TEXT,
    "changed": {
        "type": "array",
        "items": {"enum": ["state", "report", "receipts", "questions", "deadlines", "editions"]},
    },
    "state": {"enum": ["open", "closed"]},
    "report": _object(seq=_NUMBER, stage=_TEXT),
    "receipts": _list_of(recipient=_TEXT, seq=_NUMBER),
    "questions": _NUMBER,
    "deadlines": _list_of(regime=_TEXT, stage=_TEXT, state=_TEXT),
    "editions": _TEXTS,
}
_PROBLEM: Schema = {
    "type": _TEXT,
    "title": _TEXT,
    "status": _NUMBER,
    "detail": _TEXT,
    "code": _TEXT,
    "errors": _list_of(field=_TEXT, code=_TEXT, message=_TEXT),
    "request_id": _TEXT,
}
_RECEIPT_NEEDS = ["case_id", "report_id", "seq", "recipients", "clocks", "status_url"]
_ANSWERS: dict[str, Schema] = {
    "Receipt": _object(_RECEIPT_NEEDS, **_RECEIPT),
    "UpdateReceipt": _object([*_RECEIPT_NEEDS, *_UPDATED], **_RECEIPT, **_UPDATED),
    "Draft": _object(["draft_id", "status_url", "review_url"], **_DRAFT),
    "Case": _object(["case_id", "seq", "recipients", "versions", "deadlines", "receipts"], **_CASE),
    "CaseList": _object(["cases"], cases=_list_of(**_LISTED)),
    "Version": _object(["case_id", "seq", "answers"], **_DECIDED, **_VERSION, case_id=_TEXT, answers=ref("Update")),
    "DeadlineList": _object(["deadlines"], deadlines=_list_of(case_id=_TEXT, **_DEADLINE)),
    "Webhook": _object(["id", "url"], **_WEBHOOK),
    "RegisteredWebhook": _object(["id", "url"], **_WEBHOOK, secret=_TEXT),
    "WebhookList": _object(["webhooks"], webhooks=_list_of(**_WEBHOOK)),
    "CaseChanged": _object(list(_MESSAGE), **_MESSAGE),
    "Problem": _object(["type", "title", "status"], **_PROBLEM),
}
