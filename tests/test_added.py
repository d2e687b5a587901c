"""An administrator adds a sector and a regime; the form, the rules and the feed follow, without code."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import select

from config import Settings
from exchange import added, carrying, form, incidents, rules, sectors, trial
from exchange.errors import Invalid, NotFound
from exchange.form import Profile
from exchange.models import Collection
from exchange.sectors import Text
from exchange.sharing import Kind, Role
from exchange.stores import Stores
from exchange.tables import lay_over, packaged, table, tried
from portal.app import create_app
from portal.cli.main import main
from tests.conftest import NOW
from tests.make import make_organization, make_report, make_viewer, work
from tests.test_inbox import Person
from tests.test_rules import a_profile, decided

SECTOR: dict[str, Any] = {
    "id": "space",
    "no": 16,
    "ja": "宇宙",
    "en": "Space services",
    "ministry": "mext",
    "isac": ["ict-isac"],
    "ceptoar": [{"id": "space-ceptoar", "ja": "宇宙CEPTOAR", "en": "Space CEPTOAR"}],
    "stix": ["aerospace"],
}
RULE: dict[str, Any] = {
    "id": "chemical-plant",
    "ja": "化学プラントの報告",
    "en": "Chemical plant report",
    "law": {"ja": "架空の法律", "en": "An invented act"},
    "reason": {"ja": "化学分野で停止したため", "en": "A chemical operator has stopped"},
    "when": {"all": [{"profile": "sector", "in": ["chemical"]}, {"answer": "service_impact", "in": ["stopped"]}]},
    "to": ["ministry", "jpcert"],
    "purpose": "statutory-supervision",
    "stages": [
        {"id": "sokuhou", "ja": "12時間以内", "en": "12 hours", "start": "aware_at", "hours": 12, "met_by": "any"},
        {"id": "shouhou", "ja": "10日以内", "en": "10 days", "start": "aware_at", "days": 10, "met_by": "kakuhou"},
    ],
    "otherwise": [{"code": "running", "when": {"all": []}, "ja": "停止していない", "en": "Nothing stopped"}],
}


@pytest.fixture(autouse=True)
def _as_shipped_afterwards() -> Iterator[None]:
    yield
    as_shipped()


def as_shipped() -> None:
    """The tables of a process that has just begun."""
    lay_over({}, "")
    added._laid.clear()


def add(stores: Stores, kind: str, row: Any) -> None:
    with stores.case.transaction() as db:
        added.add(db, kind, row, by="operator", now=NOW)
    with stores.case.reading() as db:
        added.follow(db)


def test_a_new_sector_reports_and_has_its_collection(stores: Stores) -> None:
    if "mext" not in sectors.authority_ids(NOW):
        add(stores, "authority", {"id": "mext", "ja": "文部科学省", "en": "MEXT", "kind": "ci-ministry"})
    add(stores, "sector", SECTOR)
    carrying.install(stores, now=NOW)
    with stores.case.transaction() as db:
        own = make_organization(db, sector="space", isacs=["ict-isac"], ceptoar="space-ceptoar")
        filed = make_report(db, make_viewer(db, own))
        assert next(one.id for one in filed.decision.recipients) == "mext"
    with stores.released.reading() as db:
        assert db.scalar(select(Collection.id).where(Collection.alias == "ceptoar-space-ceptoar"))


def test_a_new_regime_starts_its_clocks_and_sends_its_copies(stores: Stores) -> None:
    before = decided(a_profile("chemical"), service_impact="stopped")
    add(stores, "rule", RULE)
    after = decided(a_profile("chemical"), service_impact="stopped")
    assert set(after.regimes) - set(before.regimes) == {"chemical-plant"}
    assert {one.id for one in after.recipients} - {one.id for one in before.recipients} == {"jpcert"}
    clocks = [one for one in after.clocks if one.regime == "chemical-plant"]
    assert clocks[0].due_at == clocks[0].starts_at + timedelta(hours=12) and clocks[1].due_date is not None
    assert after.rule_version != before.rule_version
    calm = decided(a_profile("chemical"), service_impact="none")
    assert ("chemical-plant", "running") in [(one.regime, one.code) for one in calm.not_triggered]


def test_a_rule_holds_only_while_it_is_valid(stores: Stores) -> None:
    add(stores, "rule", {**RULE, "valid_from": "2027-04-01"})
    assert "chemical-plant" not in decided(a_profile("chemical"), service_impact="stopped").regimes


def test_a_report_keeps_the_version_of_the_rules_by_which_it_was_decided(stores: Stores) -> None:
    with stores.case.transaction() as db:
        filed = make_report(db, make_viewer(db, make_organization(db, sector="chemical")))
    add(stores, "rule", RULE)
    with stores.case.reading() as db:
        kept = db.get_one(type(filed.version), filed.version.id)
        assert kept.rule_version == filed.decision.rule_version != table("rules")["version"]
        assert "chemical-plant" not in kept.decision["regimes"]


def test_an_update_after_a_new_rule_is_decided_by_it(stores: Stores) -> None:
    with stores.case.transaction() as db:
        alice = make_viewer(db, make_organization(db, sector="chemical"))
        filed = make_report(db, alice)
    add(stores, "rule", RULE)
    filing = incidents.Filing("zokuhou", "api", alice)
    found = carrying.file(stores, filed.case.ref, {"current_status": "contained"}, filing, clock=lambda: NOW)
    assert "chemical-plant" in found.decision.regimes


@pytest.mark.parametrize(
    ("kind", "row", "field"),
    [
        ("sector", {**SECTOR, "ministry": "nobody"}, "ministry"),
        ("sector", {**SECTOR, "id": "Space!"}, "id"),
        ("sector", {**SECTOR, "anonymity": {"k": 1, "population": 10}}, "anonymity.k"),
        ("sector", {**SECTOR, "extra": 1}, "extra"),
        ("rule", {**RULE, "when": {"answer": "nonsense", "in": ["x"]}}, "when"),
        ("rule", {**RULE, "when": {"eval": "x"}}, "when"),
        ("rule", {**RULE, "to": ["nobody"]}, "to.0"),
        ("rule", {**RULE, "valid_from": "2027-02-30"}, "valid_from"),
        ("rule", {**RULE, "stages": [{**RULE["stages"][0], "start": "summary"}]}, "stages.0.start"),
        ("rule", [], ""),
        ("rule", {**RULE, "stages": [{**RULE["stages"][0], "days": 3}]}, "stages.0"),
        ("rule", {**RULE, "stages": [{**RULE["stages"][1], "business_days": 3}]}, "stages.0"),
        ("rule", {**RULE, "stages": [{**RULE["stages"][1], "months": 3}]}, "stages.0"),
        ("rule", {**RULE, "stages": [{**RULE["stages"][0], "hours": 0}]}, "stages.0.hours"),
        (
            "authority",
            {"id": "x1", "ja": "機関", "en": "Agency", "kind": "agency", "before": [{}]},
            "before.0.ja",
        ),
        (
            "sector",
            {**SECTOR, "ministry_before": [{"ministry": "nobody", "until": "2027-01-01"}]},
            "ministry_before.0.ministry",
        ),
    ],
)
def test_a_row_that_refers_to_nothing_is_refused_and_leaves_nothing(
    stores: Stores, kind: str, row: Any, field: str
) -> None:
    with pytest.raises(Invalid) as caught, stores.case.transaction() as db:
        added.add(db, kind, row, by="operator", now=NOW)
    assert field in [problem.field for problem in caught.value.problems]
    with stores.case.reading() as db:
        assert added.of_kind(db, kind) == []


def test_what_was_removed_is_as_it_was_shipped(stores: Stores) -> None:
    shipped = rules.regime_name("act-report")
    row = next(row for row in table("rules")["rules"] if row["id"] == "act-report")
    add(stores, "rule", {**row, "ja": "別の名前"})
    assert rules.regime_name("act-report").ja == "別の名前"
    with stores.case.transaction() as db:
        added.remove(db, "rule", "act-report", by="operator", now=NOW)
    with stores.case.reading() as db:
        added.follow(db)
    assert rules.regime_name("act-report") == shipped
    with pytest.raises(NotFound), stores.case.transaction() as db:
        added.remove(db, "rule", "act-report", by="operator", now=NOW)


def refused(stores: Stores, kind: str, row: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught, stores.case.transaction() as db:
        added.add(db, kind, row, by="operator", now=NOW)
    return [(problem.field, problem.code) for problem in caught.value.problems]


def test_a_sector_that_is_in_use_is_not_taken_away(stores: Stores) -> None:
    add(stores, "sector", {**SECTOR, "ministry": "meti"})
    with stores.case.transaction() as db:
        make_organization(db, sector="space", isacs=[], ceptoar=None)
    with pytest.raises(Invalid), stores.case.transaction() as db:
        added.remove(db, "sector", "space", by="operator", now=NOW)


def test_a_sector_with_organizations_neither_ends_nor_begins_later(stores: Stores) -> None:
    add(stores, "sector", SECTOR)
    with stores.case.transaction() as db:
        make_organization(db, sector="space", isacs=[], ceptoar=None)
    assert refused(stores, "sector", {**SECTOR, "valid_to": "2027-03-31"}) == [("valid_to", "in-use")]
    assert refused(stores, "sector", {**SECTOR, "valid_from": "2027-04-01"}) == [("valid_from", "in-use")]
    add(stores, "sector", {**SECTOR, "ja": "宇宙開発"})


def test_an_organization_of_a_sector_that_has_ended_reports_as_before(stores: Stores) -> None:
    """However it came about: nobody is kept from reporting."""
    with stores.case.transaction() as db:
        alice = make_viewer(db, make_organization(db, sector="chemical", isacs=[], ceptoar=None))
        first = make_report(db, alice)
    row = next(row for row in table("sectors")["sectors"] if row["id"] == "chemical")
    lay_over({("sectors", "sectors"): [{**row, "valid_to": "2026-11-01"}]}, "ended")
    with stores.case.transaction() as db:
        filed = make_report(db, alice)
        assert filed.decision.recipients[0].id == "meti"
        case = incidents.hold(db, first.case.id)
        incidents.update(db, case, {"current_status": "contained"}, incidents.Filing("zokuhou", "api", alice), now=NOW)
    assert work(stores, filed)


def test_an_authority_that_somebody_names_is_not_taken_away(stores: Stores) -> None:
    for name in ("named", "charged", "told", "office", "free"):
        add(stores, "authority", {"id": f"{name}-agency", "ja": name, "en": name, "kind": "agency"})
    add(stores, "rule", {**RULE, "to": ["told-agency"], "when": {"all": []}, "stages": []})
    add(stores, "sector", {**SECTOR, "ministry": "charged-agency"})
    with stores.case.transaction() as db:
        make_report(db, make_viewer(db, make_organization(db)))
        make_organization(db, kind=Kind.AUTHORITY, authority="office-agency")
    add(stores, "rule", {**RULE, "to": ["named-agency"]})
    as_shipped()
    for name in ("named", "charged", "told", "office"):
        with pytest.raises(Invalid), stores.case.transaction() as db:
            added.remove(db, "authority", f"{name}-agency", by="operator", now=NOW)
    with stores.case.transaction() as db:
        added.remove(db, "authority", "free-agency", by="operator", now=NOW)


def test_an_authority_whose_row_is_gone_is_called_by_its_id() -> None:
    assert sectors.authority("gone-agency", NOW).name == Text("gone-agency", "gone-agency")


@pytest.mark.parametrize("kind", added.KINDS)
def test_every_shipped_row_can_be_changed_through_the_same_door(kind: str) -> None:
    _model, where, rows = added.KINDS[kind]
    for row in packaged(where)[rows]:
        kept = added.checked(kind, row)
        assert kept == kept | {name: value for name, value in row.items() if value is not None}, row["id"]


def test_a_clock_may_be_counted_in_business_days(stores: Stores) -> None:
    stage = {**RULE["stages"][1], "first_day_counted": True, "roll_if_closed": True}
    del stage["days"]
    units = [{"days": 10}, {"business_days": 5}, {"months": 1}]
    row = added.checked("rule", {**RULE, "stages": [stage | unit for unit in units]})
    assert all(one["first_day_counted"] and one["roll_if_closed"] for one in row["stages"])
    add(stores, "rule", {**RULE, "stages": [stage | {"business_days": 5}]})
    found = decided(a_profile("chemical"), service_impact="stopped")
    assert [one.due_date is not None for one in found.clocks if one.regime == "chemical-plant"] == [True]


def test_who_reads_the_tables_while_they_change_sees_the_old_ones_or_the_new_ones() -> None:
    """Another thread, at every line of the exchange."""
    lay_over({("sectors", "sectors"): [SECTOR]}, "one")
    seen = []

    def look(frame: FrameType, event: str, arg: object) -> Any:
        sys.settrace(None)
        seen.append({row["id"] for row in table("sectors")["sectors"]} >= {"space"})
        sys.settrace(look)
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        lay_over({("sectors", "sectors"): [SECTOR, {**SECTOR, "id": "moon"}]}, "two")
    finally:
        sys.settrace(before)
    assert len(seen) > 3 and all(seen)


# --- a trial -------------------------------------------------------------------------------------------


def tried_out(stores: Stores, kind: str, row: Any) -> list[tuple[str, str, int, list[str], list[str]]]:
    """(report, sector, organizations, what comes, what goes), in English."""
    with stores.case.reading() as db:
        found = trial.run(db, kind, added.ready(db, kind, row), now=NOW)
    return [
        (
            one.report.en,
            one.sector.en,
            one.organizations,
            [words.en for words in (*one.more.recipients, *one.more.clocks)],
            [words.en for words in (*one.less.recipients, *one.less.clocks)],
        )
        for one in found.changes
    ]


def test_a_trial_tells_which_organizations_a_rule_would_concern_and_changes_nothing(stores: Stores) -> None:
    with stores.case.transaction() as db:
        for sector in ("chemical", "chemical", "port"):
            make_organization(db, sector=sector, isacs=[], ceptoar=None, act_special_operator=sector == "port")
    version = table("rules")["version"]
    ((report, sector, number, more, less),) = tried_out(stores, "rule", RULE)
    assert (report, sector, number, less) == ("A service has been stopped by ransomware", "Chemical industries", 2, [])
    assert more[0] == "JPCERT Coordination Center"
    assert more[1].startswith("Chemical plant report: 12 hours. Due: 22 November 2026, 00:00")
    assert len(more) == 3
    assert table("rules")["version"] == version
    assert "chemical-plant" not in decided(a_profile("chemical"), service_impact="stopped").regimes


def test_a_trial_of_a_later_rule_is_held_when_it_begins(stores: Stores) -> None:
    with stores.case.reading() as db:
        row = added.ready(db, "rule", {**RULE, "valid_from": "2027-04-01"})
        found = trial.run(db, "rule", row, now=NOW)
    assert found.at.isoformat() == "2027-04-01T00:00:00+09:00"
    assert [one.sector.en for one in found.changes] == ["Chemical industries"]


def test_a_trial_tells_what_no_longer_follows(stores: Stores) -> None:
    with stores.case.transaction() as db:
        make_organization(db, sector="chemical", isacs=[], ceptoar=None)
    add(stores, "rule", RULE)
    found = tried_out(stores, "rule", {**RULE, "to": [], "stages": RULE["stages"][1:]})
    assert [(number, more) for *_, number, more, _less in found] == [(1, [])]
    assert [words.partition(".")[0] for words in found[0][4]] == [
        "JPCERT Coordination Center",
        "Chemical plant report: 12 hours",
    ]


def test_a_trial_of_a_new_sector_tells_who_would_receive_its_reports(stores: Stores) -> None:
    found = tried_out(stores, "sector", SECTOR)
    assert {(sector, number) for _, sector, number, *_ in found} == {("Space services", 0)}
    assert len(found) == len(table("trial")["reports"])
    assert all("Ministry of Education, Culture, Sports, Science and Technology" in more for *_, more, _less in found)


def test_nothing_would_change_where_a_row_is_what_it_was(stores: Stores) -> None:
    for kind, (_model, where, rows) in added.KINDS.items():
        assert tried_out(stores, kind, packaged(where)[rows][0]) == [], kind


def test_the_plain_reports_are_reports() -> None:
    profile = Profile(sector="port", act_special_operator=True, public_body=False, ci_operator=True)
    for row in table("trial")["reports"]:
        assert row["ja"] and row["en"]
        form.parse({**row["answers"], "aware_at": NOW.isoformat()}, profile=profile, now=NOW)


def test_what_is_tried_is_laid_over_nothing_else() -> None:
    with tried({("sectors", "sectors"): [SECTOR]}):
        assert "space" in sectors.sector_ids(NOW)
    assert "space" not in sectors.sector_ids(NOW)


def run(settings: Settings, *command: str) -> Result:
    return CliRunner().invoke(main, ["table", *command], env=settings.environment())


def test_a_dry_run_of_the_command_says_what_would_change_and_keeps_nothing(
    stores: Stores, settings: Settings, tmp_path: Path
) -> None:
    with stores.case.transaction() as db:
        make_organization(db, sector="chemical", isacs=[], ceptoar=None)
    file = tmp_path / "rule.json"
    file.write_text(json.dumps(RULE))
    told = run(settings, "add", "--dry-run", "rule", str(file))
    assert told.exit_code == 0, told.output
    assert "A service has been stopped by ransomware: Chemical industries (1 organisations)" in told.output
    assert "  + JPCERT Coordination Center\n" in told.output
    with stores.case.reading() as db:
        assert added.of_kind(db, "rule") == []
    assert run(settings, "add", "rule", str(file)).output == "rule chemical-plant holds from now on\n"
    again = run(settings, "add", "--dry-run", "rule", str(file))
    assert again.output.endswith("no plain report would be treated otherwise\n")


# --- the page ------------------------------------------------------------------------------------------


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    made = create_app(settings)
    yield made
    made.extensions["stores"].close()


@pytest.fixture
def administrator(stores: Stores, app: Flask) -> Person:
    """Somebody who may change the tables, and an organization that reports."""
    with stores.case.transaction() as db:
        make_organization(db, sector="chemical", isacs=[], ceptoar=None)
        viewer = make_viewer(db, make_organization(db, kind=Kind.ADMIN), Role.ADMINISTRATOR)
    return Person(app, viewer)


def rows_of(stores: Stores, kind: str) -> list[str]:
    with stores.case.reading() as db:
        return [row["id"] for row in added.of_kind(db, kind)]


TABLES = "/admin/tables"


def test_a_rule_is_shown_with_what_it_would_change_before_it_holds(stores: Stores, administrator: Person) -> None:
    typed = json.dumps(RULE)
    answer = administrator.send(f"{TABLES}/rule", page=TABLES, row=typed)
    shown = answer.get_data(as_text=True)
    assert answer.status_code == 200 and rows_of(stores, "rule") == []
    for words in ("Nothing has changed yet.", "Organisations: 1", "New recipient: JPCERT", "Within 12 hours"):
        assert words in shown, words
    assert "Chemical plant report: 12 hours" in shown and f'name="row" value="{typed[0]}' in shown
    answer = administrator.send(f"{TABLES}/rule", page=TABLES, row=typed, again="yes")
    assert answer.status_code == 200 and "&#34;chemical-plant&#34;" in answer.get_data(as_text=True)
    assert rows_of(stores, "rule") == []
    answer = administrator.send(f"{TABLES}/rule", page=TABLES, row=typed, confirmed="yes")
    assert (answer.status_code, answer.headers["Location"]) == (303, TABLES)
    assert rows_of(stores, "rule") == ["chemical-plant"]


def test_a_sector_is_typed_into_boxes_and_confirmed(stores: Stores, administrator: Person) -> None:
    typed = {"id": "space", "no": "16", "ja": "宇宙", "en": "Space services", "ministry": "", "weight": "normal"}
    answer = administrator.send(f"{TABLES}/sector", page=TABLES, **typed)
    shown = answer.get_data(as_text=True)
    assert answer.status_code == 422 and 'href="#s-ministry"' in shown and 'value="宇宙"' in shown
    typed["ministry"] = "mlit"
    shown = administrator.send(f"{TABLES}/sector", page=TABLES, **typed).get_data(as_text=True)
    assert 'name="ministry" value="mlit"' in shown and "Ministry of Land" in shown
    assert rows_of(stores, "sector") == []
    answer = administrator.send(f"{TABLES}/sector", page=TABLES, **typed, confirmed="yes")
    assert answer.status_code == 303 and rows_of(stores, "sector") == ["space"]


def test_the_page_offers_ministries_alone_and_the_first_choice_is_none(administrator: Person) -> None:
    shown = administrator.open(TABLES).get_data(as_text=True)
    (choices,) = re.findall(r'<select[^>]*name="ministry".*?</select>', shown, re.DOTALL)
    offered = re.findall(r'value="([^"]*)"', choices)
    kinds = {row["id"]: row["kind"] for row in table("sectors")["authorities"]}
    assert offered[0] == "" and {kinds[one] for one in offered[1:]} == {"ci-ministry", "act-ministry"}


def test_the_page_tells_what_each_rule_says(administrator: Person) -> None:
    shown = administrator.open(TABLES).get_data(as_text=True)
    for rule in table("rules")["rules"]:
        for words in (rule["law"]["en"], rule["reason"]["en"], *(stage["en"] for stage in rule["stages"])):
            assert words in shown.replace("&#39;", "'"), (rule["id"], words)
    assert "The ministry in charge of the sector" in shown and "Within 30 days" in shown


def test_what_the_page_holds_to_begin_with_is_taken(administrator: Person) -> None:
    """The examples, and each shipped row that somebody wants to change."""
    boxes = [(kind, TABLES) for kind in added.KINDS] + [
        ("authority", f"{TABLES}?change=authority/nco"),
        ("sector", f"{TABLES}?change=sector/water"),
        ("rule", f"{TABLES}?change=rule/act-report"),
    ]
    for kind, page in boxes:
        shown = administrator.open(page).get_data(as_text=True)
        (held,) = re.findall(rf'<textarea[^>]*id="row-{kind}"[^>]*>\n(.*?)</textarea>', shown, re.DOTALL)
        row = held.replace("&#34;", '"').replace("&#39;", "'")
        answer = administrator.send(f"{TABLES}/{kind}", page=TABLES, row=row)
        assert answer.status_code == 200 and "Nothing has changed yet." in answer.get_data(as_text=True), page


def test_what_is_in_use_is_not_removed_and_the_page_says_why(stores: Stores, administrator: Person) -> None:
    add(stores, "authority", {"id": "x-agency", "ja": "機関", "en": "Agency", "kind": "agency"})
    add(stores, "rule", {**RULE, "to": ["x-agency"]})
    answer = administrator.send(f"{TABLES}/authority/x-agency/remove", page=TABLES)
    assert answer.status_code == 422 and "so it cannot be removed" in answer.get_data(as_text=True)
    assert rows_of(stores, "authority") == ["x-agency"]


def test_a_row_to_change_that_there_is_not_changes_nothing_of_the_page(administrator: Person) -> None:
    for wanted in ("rule/nothing", "nothing/at-all", "rule", "/"):
        assert administrator.open(f"{TABLES}?change={wanted}").status_code == 200
