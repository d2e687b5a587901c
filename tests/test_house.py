"""Promises for the whole house."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from celery import current_app

from exchange.tables import table
from tests.conftest import ROOT
from tests.make import DEMO

HOUSE = [
    path for room in ("config", "exchange", "portal", "taxii_server", "workers") for path in (ROOT / room).rglob("*")
]
TEXTS = [
    path
    for path in HOUSE
    if path.suffix in {".py", ".json", ".html", ".po", ".js", ".css"} and path.name != "demo.json"
]


def test_no_sample_stands_in_code_or_tables_outside_the_demonstration() -> None:
    """A rule that knows a sample by name is no rule."""
    told = {own[part] for own in DEMO["organisations"] for part in ("name_ja", "name_en", "corporate_number")}
    told |= {name for own in DEMO["organisations"] for name in own["domains"]}
    told |= {report["answers"]["summary"] for report in DEMO["reports"]}
    told |= {"tsukumo", "amefuri", "203.0.113.45", "telemetry-upd"}
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        assert not [word for word in told if word in text], path


def test_every_topic_of_the_outbox_has_its_task() -> None:
    from workers import tasks

    assert tasks.__name__ == "workers.tasks"
    told = {
        topic
        for path in TEXTS
        for topic in re.findall(r'outbox\.tell\(db, "([a-z.-]+)"', path.read_text(encoding="utf-8"))
    }
    of_cases = {"report.filed", "report.normalised", "edition.ready", "case.changed", "webhook.due"}
    assert told == of_cases | {"account.changed", "contribution.admitted"}
    assert told <= set(current_app.tasks)


def test_messages_carry_ids_and_nothing_else() -> None:
    sent = [
        line
        for path in (ROOT / "workers").glob("*.py")
        for line in path.read_text().splitlines()
        if "send_task" in line
    ]
    assert [line.strip() for line in sent] == ["current_app.send_task(topic, [str(event_id)])"]


@pytest.mark.parametrize(
    "name", ["sectors", "rules", "form", "problems", "first_aid", "known_good", "stix_names", "habits", "documents"]
)
def test_every_word_of_the_tables_is_in_both_languages(name: str) -> None:
    def halves(value: object, at: str) -> list[str]:
        if isinstance(value, dict):
            mine = [at] if ("ja" in value) != ("en" in value) else []
            return mine + [found for key, part in value.items() for found in halves(part, f"{at}/{key}")]
        if isinstance(value, list):
            return [found for n, part in enumerate(value) for found in halves(part, f"{at}/{n}")]
        return []

    assert halves(table(name), name) == []


def test_every_word_of_the_pages_is_in_japanese() -> None:
    from babel.messages.extract import extract_from_dir
    from babel.messages.pofile import read_po

    catalogue = ROOT / "portal" / "translations" / "ja" / "LC_MESSAGES" / "messages.po"
    with catalogue.open("rb") as source:
        known = {message.id for message in read_po(source) if message.id and message.string}
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    used = {found[2] for found in extract_from_dir(str(ROOT / "portal"), method_map=methods, keywords={"_": None})}
    assert {word for word in used if word not in known} == set()


def test_the_tree_names_no_machine_and_no_path_of_one() -> None:
    tracked = [
        p for p in ROOT.rglob("*") if p.is_file() and not {".venv", ".git", "var"} & set(p.relative_to(ROOT).parts)
    ]
    for path in tracked:
        if path.suffix in {".py", ".md", ".cfg", ".toml", ".json", ".html", ".lock"} and path != Path(__file__):
            assert not re.search(r"/home/[a-z]|/root/|/Users/", path.read_text(encoding="utf-8")), path
