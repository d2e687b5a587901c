"""An administrator adds a sector and a regime; the form, the rules and the feed follow, without code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from exchange import added, carrying, incidents, rules, sectors
from exchange.errors import Invalid, NotFound
from exchange.models import Collection
from exchange.stores import Stores
from exchange.tables import lay_over, table
from tests.conftest import NOW
from tests.make import make_organization, make_report, make_viewer
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


def test_a_sector_that_is_in_use_is_not_taken_away(stores: Stores) -> None:
    add(stores, "sector", {**SECTOR, "ministry": "meti"})
    with stores.case.transaction() as db:
        make_organization(db, sector="space", isacs=[], ceptoar=None)
    with pytest.raises(Invalid), stores.case.transaction() as db:
        added.remove(db, "sector", "space", by="operator", now=NOW)
