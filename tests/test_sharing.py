"""The policy, and its WHERE clause: two spellings that must agree."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from exchange import form, sharing
from exchange.models import Case
from exchange.sharing import PUBLIC, TLP, EditionKind, Kind, Permission, Purpose, Role, Scope, may_see, visible_to
from exchange.stores import Stores
from tests.make import make_organization, make_report, make_viewer


@pytest.mark.parametrize("scope", list(Scope))
def test_the_rule_and_its_clause_agree_on_who_opens_a_case(stores: Stores, scope: Scope) -> None:
    """Alice reports; Dave reports elsewhere; the desk works at the national office; the rest have no business here."""
    with stores.case.transaction() as db:
        own = make_organization(db)
        cast = {"alice": make_viewer(db, own), "dave": make_viewer(db, make_organization(db)), "public": PUBLIC}
        cast["reader"] = make_viewer(db, own, Role.READER)
        office = make_organization(db, kind=Kind.NCO)
        for role in Role:
            cast[f"nco-{role}"] = make_viewer(db, office, role)
            cast[f"other-{role}"] = make_viewer(db, make_organization(db, kind=Kind.ENFORCEMENT), role)
        case = make_report(db, cast["alice"], share_scope=scope.value).case
        seen_by = {"alice"} | (set() if scope is Scope.LEGAL_ONLY else {"nco-analyst", "nco-approver"})
        for who, viewer in cast.items():
            listed = db.scalar(select(Case.id).where(visible_to(viewer, Case))) is not None
            told = may_see(viewer, organization_id=case.organization_id, scope=scope)
            assert told == listed == (who in seen_by), who


def test_nobody_but_a_reporter_files_and_nobody_but_the_office_has_a_desk() -> None:
    may = {
        (kind, role): {p for p in Permission if sharing.permitted(_viewer(kind, role), p)}
        for kind in Kind
        for role in Role
    }
    for (kind, role), permissions in may.items():
        rest = permissions - {Permission.ANYONE}
        assert (Permission.REPORT in rest) == (role is Role.REPORTER)
        assert (Permission.RELEASE in rest) == (role is Role.APPROVER and kind is Kind.NCO)
        assert (Permission.PROPOSE in rest) == (role is Role.ANALYST and kind is Kind.NCO)


def _viewer(kind: Kind, role: Role) -> sharing.Viewer:
    return sharing.Viewer(None, None, "x", kind, frozenset({role}))


def test_a_scope_allows_exactly_the_editions_that_it_names() -> None:
    assert {scope: set(sharing.editions_of(scope, [Purpose.WARNING])) for scope in Scope} == {
        Scope.LEGAL_ONLY: set(),
        Scope.NCO: set(),
        Scope.COUNCIL_ANON: {EditionKind.SHARED},
        Scope.ALLIED_ANON: {EditionKind.SHARED, EditionKind.ALLIED},
    }


@pytest.mark.parametrize("scope", list(Scope))
def test_what_may_not_be_used_for_warnings_has_no_edition(scope: Scope) -> None:
    purposes = sharing.purposes_of({"permitted_purposes": ["response", "statistics"]})
    assert sharing.editions_of(scope, purposes) == ()


def test_the_kinds_of_a_ddos_attack_are_techniques_and_the_rest_of_its_details_stays() -> None:
    told = {"vectors": ["T1498.002", "unknown"], "targets": ["www.own.example"], "peak_gbps": 40}
    answers = {"ttps": [{"id": "T0836", "domain": "ics"}, {"id": "T1498.002"}], "ddos": told}
    techniques = {("T0836", "ics"), ("T1498.002", "enterprise")}
    assert set(sharing.technical(answers, EditionKind.SHARED).techniques) == techniques
    assert sharing.technical({"ddos": {"targets": ["a"]}}, EditionKind.SHARED) == sharing.Technical()
    vectors = next(item for item in form.FIELDS["ddos"]["items"] if item["id"] == "vectors")
    assert all(re.fullmatch(r"T149[89](\.\d{3})?|unknown", one["value"]) for one in vectors["options"])


def test_only_chosen_answers_of_the_technical_class_pass_into_an_edition() -> None:
    everything = dict.fromkeys(form.FIELDS, "x")
    passed = set(sharing.passing(everything, form.FIELDS, EditionKind.SHARED))
    assert passed == {"incident_kind", "system_class", "current_status"}
    assert sharing.passing(everything, form.FIELDS, EditionKind.PUBLIC) == {}


def test_what_people_type_and_what_names_them_is_sealed() -> None:
    sealed = {name for name, entry in form.FIELDS.items() if sharing.seals(entry)}
    assert {name for name in form.QUICK if name in sealed} == {
        *("personal_data", "callback", "summary", "ioc_paste", "ioc_left_out")
    }
    assert {"other_operators", "supply_chain", "root_cause_ja", "pd_items_ja", "pd_subject_count", "iocs"} <= sealed
    typed = {"text", "textarea", "lines", "tel", "url"}
    for name in form.FIELDS.keys() - sealed:
        entries = [form.FIELDS[name], *form.FIELDS[name].get("items", [])]
        assert not [one["id"] for one in entries if one["input"] in typed or one.get("class") in {"V", "P"}], name


@pytest.mark.parametrize(
    ("hit", "registered", "passes"), [(3, 10, True), (2, 100, False), (3, 9, False), (6, 11, False), (5, 10, True)]
)
def test_a_cell_is_named_only_when_enough_are_hit_and_more_are_not(hit: int, registered: int, passes: bool) -> None:
    assert sharing.k_passes(counted=hit, hit=hit, registered=registered, k=3, population=10) is passes


def test_who_does_not_want_to_be_counted_neither_names_a_cell_nor_makes_it_look_safe() -> None:
    assert not sharing.k_passes(counted=2, hit=5, registered=10, k=3, population=10)
    assert not sharing.k_passes(counted=3, hit=6, registered=10, k=3, population=10)
    assert sharing.k_passes(counted=3, hit=5, registered=10, k=3, population=10)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_account_polls_its_own_circle_and_the_public_one(kind: Kind) -> None:
    rights = sharing.feed_rights(
        kind,
        isacs=["t-isac"],
        ceptoar="port-ceptoar",
        council_member=kind is Kind.COUNCIL,
        country="US",
        bilaterals=["US", "AU"],
        cleared_until=None,
    )
    member = {"public", "isac-t-isac", "ceptoar-port-ceptoar"}
    own = {
        Kind.NCO: {"public", "nco", "allied-us", "allied-au"},
        Kind.ALLIED: {"public", "allied", "allied-us"},
        Kind.COUNCIL: member | {"council"},
        Kind.OPERATOR: member,
        Kind.ISAC: member,
        Kind.CEPTOAR: member,
    }
    assert rights.reads == own.get(kind, {"public"})
    assert rights.tlp in {TLP.AMBER, TLP.CLEAR} and rights.cleared_tlp is TLP.CLEAR
    assert rights.writes == rights.reads - {"public", "nco"}
    assert rights.sandbox == (kind in own)


def test_an_edition_reaches_all_circles_of_its_kind_and_no_other() -> None:
    circles = {"isacs": ["a", "b"], "ceptoars": ["c"]}
    assert sharing.audience(EditionKind.SHARED, **circles) == {"nco", "council", "isac-a", "isac-b", "ceptoar-c"}
    assert sharing.audience(EditionKind.ALLIED, **circles) == {"allied"}
    assert sharing.audience(EditionKind.PUBLIC, **circles) == {"public"}
