"""The description of the API tells the truth: it is valid, complete, and what the API says fits it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from config import Settings
from exchange import accounts, form, updates
from exchange.form import Profile
from exchange.stix import intake
from exchange.stores import Stores
from exchange.tables import table
from portal import auth
from portal.api import cases, deadlines, openapi, reports, webhooks
from portal.api import openapi_examples as examples
from portal.app import create_app
from tests.conftest import NOW
from tests.make import DEMO, SAMPLES, make_answers, make_organization, make_viewer, sample

DOCUMENT = openapi.document()


@pytest.fixture
def app(sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The portal; time stands still."""
    for door in (auth, reports, cases, deadlines, webhooks):
        monkeypatch.setattr(door, "utcnow", lambda: NOW)
    made = create_app(sqlite_settings)
    yield made
    made.extensions["stores"].close()


def _key(app: Flask) -> str:
    stores = app.extensions["stores"]
    assert isinstance(stores, Stores)
    with stores.case.transaction() as db:
        viewer = make_viewer(db, make_organization(db, act_special_operator=True))
        assert viewer.person_id is not None
        return accounts.issue_key(db, accounts.lock_person(db, viewer.person_id), scopes=["report"], now=NOW)


def _validator(schema: Mapping[str, Any], *, exact: bool = False) -> Draft202012Validator:
    """For one schema of the document; `exact`: nothing may be there that is not described."""
    schemas = DOCUMENT["components"]["schemas"]
    whole = {"components": {"schemas": _exact(schemas) if exact else schemas}}
    return Draft202012Validator(whole | dict(schema), format_checker=FormatChecker())


def _exact(schema: Any) -> Any:
    """The same schema, in which each object has the described members and no other."""
    if isinstance(schema, list):
        return [_exact(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _exact(one) for name, one in schema.items()}
    return closed | {"unevaluatedProperties": False} if schema.get("type") == "object" else closed


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def test_the_document_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_anyone_may_read_it(app: Flask) -> None:
    answer = app.test_client().get("/api/v1/openapi.json")
    assert (answer.status_code, answer.json) == (200, DOCUMENT)


def test_every_route_of_the_api_is_described_and_no_other(app: Flask) -> None:
    served = {
        (str(rule).replace("<", "{").replace(">", "}"), method)
        for rule in app.url_map.iter_rules()
        if str(rule).startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in _operations()} == served


def test_every_operation_has_a_name_and_every_refusal_is_a_problem_document() -> None:
    names = [operation["operationId"] for *_, operation in _operations()]
    assert len(set(names)) == len(names)
    for path, method, operation in _operations():
        for status, response in operation["responses"].items():
            assert response["description"], (path, method, status)
            wanted = "application/json" if status.startswith("2") else "application/problem+json"
            assert list(response["content"]) == [wanted], (path, method, status)


def test_the_refusals_of_filing_and_reading_are_described() -> None:
    filing = DOCUMENT["paths"]["/api/v1/reports"]["post"]["responses"]
    assert set(filing) == {"201", "202", "400", "401", "403", "404", "408", "409", "413", "415", "422", "503"}
    assert set(DOCUMENT["paths"]["/api/v1/cases/{ref}"]["get"]["responses"]) == {"200", "401", "403", "404", "503"}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_fit_the_schema_of_a_report(name: str) -> None:
    _validator(_schema("QuickReport")).validate(sample(name)["answers"])


@pytest.mark.parametrize(
    "wrong",
    [{"incident_kind": "alien"}, {"colour": "blue"}, {"system_class": []}, {"system_class": "it"}, {"callback": None}],
    ids=str,
)
def test_what_the_api_refuses_does_not_fit_the_schema(wrong: dict[str, object]) -> None:
    assert not _validator(_schema("QuickReport")).is_valid(make_answers(**wrong))


def test_each_question_is_described_in_both_languages_and_asked_for_if_required() -> None:
    report = DOCUMENT["components"]["schemas"]["QuickReport"]
    update = DOCUMENT["components"]["schemas"]["Update"]
    for questions, entries in ((report, form.QUICK), (update, form.FIELDS)):
        for name, entry in entries.items():
            assert entry["label"]["ja"] in questions["properties"][name]["description"]
            assert entry["label"]["en"] in questions["properties"][name]["description"]
    assert set(report["required"]) == {name for name, entry in form.QUICK.items() if entry["required"] is True}
    assert "required" not in update


def test_what_the_api_really_answers_is_described_to_the_last_field(app: Flask) -> None:
    client, headers = app.test_client(), {"Authorization": f"Bearer {_key(app)}"}
    answers = make_answers(personal_data="unknown", designated_asset="yes")
    receipts = [client.post("/api/v1/reports", json=answers, headers=headers) for _ in range(2)]
    case = client.get(receipts[0].headers["Location"], headers=headers)
    refusals = [
        client.post("/api/v1/reports", json={}, headers=headers),
        client.post("/api/v1/reports", data="{", content_type="application/json", headers=headers),
        client.get("/api/v1/cases/N-0000-0000", headers=headers),
        client.get("/api/v1/cases/N-0000-0000"),
    ]
    shown = [("Receipt", answer) for answer in receipts] + [("Case", case)] + [("Problem", one) for one in refusals]
    for name, answer in shown:
        _validator(_schema(name), exact=True).validate(answer.json)
    assert receipts[1].json and receipts[1].json["possible_duplicate_of"]
    assert receipts[0].json and receipts[0].json["clocks"] and receipts[0].json["reminders"]
    assert [one.status_code for one in refusals] == [422, 400, 404, 401]


def test_what_the_later_stages_answer_is_described_to_the_last_field(app: Flask) -> None:
    client, headers = app.test_client(), {"Authorization": f"Bearer {_key(app)}"}
    answers = make_answers(personal_data="yes", designated_asset="yes")
    case = client.post("/api/v1/reports", json=answers, headers=headers).headers["Location"]
    update = client.patch(case, json={"current_status": "recovered", "personal_data": "possible"}, headers=headers)
    draft = client.post("/api/v1/reports?confirm=false", json={}, headers=headers)
    hook = client.post("/api/v1/webhooks", json={"url": "https://soc.example/"}, headers=headers)
    shown = [
        ("UpdateReceipt", update),
        ("Draft", draft),
        ("RegisteredWebhook", hook),
        ("Draft", client.get(draft.headers["Location"], headers=headers)),
        ("Version", client.get(update.headers["Location"], headers=headers)),
        ("CaseList", client.get("/api/v1/cases", headers=headers)),
        ("DeadlineList", client.get("/api/v1/deadlines", headers=headers)),
        ("WebhookList", client.get("/api/v1/webhooks", headers=headers)),
        ("Webhook", client.delete(hook.headers["Location"], headers=headers)),
        ("Case", client.post(f"{case}/close", headers=headers)),
        ("Case", client.post(f"{case}/reopen", headers=headers)),
    ]
    for name, answer in shown:
        assert answer.status_code in {200, 201, 202}, (name, answer.json)
        _validator(_schema(name), exact=True).validate(answer.json)


def test_every_example_is_what_it_is_an_example_of() -> None:
    operations = [*_operations(), ("", "", DOCUMENT["webhooks"]["caseChanged"]["post"])]
    bodies = [one["requestBody"]["content"] for *_, one in operations if "requestBody" in one]
    shown = [(body["schema"], body["example"]) for content in bodies for body in content.values()]
    assert len(shown) == 6
    for schema, example in shown:
        _validator(schema, exact=schema != {"type": "object"}).validate(example)
    profile = Profile("port", act_special_operator=True, public_body=False, ci_operator=True)
    quick = form.parse(examples.REPORT, profile=profile, now=NOW)
    updates.merged(quick.model_dump(mode="json", exclude_none=True), examples.UPDATE, profile=profile, now=NOW)
    assert intake.read(examples.BUNDLE).later["iocs"]


def test_the_deadline_in_the_example_of_a_message_is_one_that_a_rule_sets() -> None:
    shown = {(one["regime"], one["stage"]) for one in examples.MESSAGE["deadlines"]}
    assert shown <= {(rule["id"], one["id"]) for rule in table("rules")["rules"] for one in rule.get("stages", ())}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_later_stages_of_the_samples_fit_the_schema_of_an_update(name: str) -> None:
    row = next(one for one in DEMO["reports"] if one["sample"] == name)
    for stage in row["later"]:
        _validator(_schema("Update"), exact=True).validate(stage["answers"])
