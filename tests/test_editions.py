"""What goes out: built from an allow-list, rendered once, to all circles at once, and nobody's name in it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select
from stix2validator import ValidationOptions, validate_instance

from exchange import carrying, desk, editions, findings, incidents
from exchange.incidents import Filed, Filing
from exchange.models import Collection, Entry, ObjectVersion
from exchange.sharing import EditionKind, Kind, Role, Viewer
from exchange.stores import Stores
from tests.conftest import NOW
from tests.make import SAMPLES, file_sample, make_organization, make_report, make_viewer, sample, work

Stix = dict[str, Any]
CIRCLES = ("nco", "council", "isac-t-isac", "isac-f-isac", "ceptoar-port-ceptoar", "ceptoar-bank-ceptoar")


def release(stores: Stores, filed: Filed, *, minutes: int = 0) -> None:
    """What the workers do with a report, all the way."""
    now = NOW + timedelta(minutes=minutes)
    for edition in work(stores, filed, now=now):
        carrying.release(stores, edition.id, clock=lambda: now)


def polled(stores: Stores, alias: str) -> list[Stix]:
    """Everything that a collection holds, oldest first."""
    with stores.released.reading() as db:
        rows = select(ObjectVersion.body).join(Entry).join(Collection, Collection.id == Entry.collection_id)
        return [orjson.loads(body) for body in db.scalars(rows.where(Collection.alias == alias).order_by("date_added"))]


def reports(stores: Stores, alias: str) -> list[Stix]:
    """The same without the publisher, who is in every collection."""
    return polled(stores, alias)[2:]


def test_a_report_reaches_every_circle_at_the_same_moment_with_the_same_objects(stores: Stores) -> None:
    with stores.case.transaction() as db:
        filed = make_report(db, make_viewer(db, make_organization(db)))
    release(stores, filed)
    first, *others = [reports(stores, alias) for alias in CIRCLES]
    kinds = Counter(one["type"] for one in first)
    assert kinds["incident"] == kinds["identity"] == kinds["vulnerability"] == 1 and kinds["indicator"] == 2
    assert all(other == first for other in others)
    assert reports(stores, "allied") == reports(stores, "public") == []


@pytest.mark.parametrize("scope", ["legal-only", "nco"])
def test_without_consent_nothing_goes_out(stores: Stores, scope: str) -> None:
    with stores.case.transaction() as db:
        filed = make_report(db, make_viewer(db, make_organization(db)), share_scope=scope)
    release(stores, filed)
    assert not [alias for alias in (*CIRCLES, "allied", "public") if reports(stores, alias)]


def test_an_ally_gets_an_edition_of_its_own_with_other_ids_and_in_english(stores: Stores) -> None:
    with stores.case.transaction() as db:
        filed = make_report(db, make_viewer(db, make_organization(db)), share_scope="allied-anon")
    release(stores, filed)
    shared, allied = reports(stores, "council"), reports(stores, "allied")
    common = {one["id"] for one in shared} & {one["id"] for one in allied}
    assert common == {one["id"] for one in shared if one["type"] in {"url", "ipv4-addr"}}
    assert {one["lang"] for one in allied if "lang" in one} == {"en"}


def test_a_second_run_makes_the_same_bytes_and_no_second_entry(stores: Stores) -> None:
    with stores.case.transaction() as db:
        filed = make_report(db, make_viewer(db, make_organization(db)))
    release(stores, filed)
    before = polled(stores, "council")
    release(stores, filed, minutes=5)
    assert polled(stores, "council") == before


def test_private_own_and_known_good_values_never_go_out(stores: Stores) -> None:
    paste = "10.0.0.8 8.8.8.8 www.go.jp own.example 203.0.113.9 https://x.example/own-example-co"
    with stores.case.transaction() as db:
        own = make_organization(db, domains=["own.example"], name_en="Own Example Co")
        filed = make_report(db, make_viewer(db, own), ioc_paste=paste)
    release(stores, filed)
    text = orjson.dumps(reports(stores, "council")).decode()
    assert "203.0.113.9" in text
    assert not [v for v in ("10.0.0.8", "8.8.8.8", "go.jp", "own.example", "own-example") if v in text]
    with stores.case.reading() as db:
        kept = {value: row.excluded for row, value in findings.kept(db, filed.version.id)}
    assert kept["10.0.0.8"] == "private" and kept["own.example"] == "own"


def test_in_a_live_installation_documentation_addresses_are_private(stores: Stores) -> None:
    with stores.case.transaction() as db:
        filed = make_report(db, make_viewer(db, make_organization(db)), ioc_paste="203.0.113.45 bad.example")
    for edition in work(stores, filed, documentation_is_real=False):
        carrying.release(stores, edition.id, clock=lambda: NOW)
    assert {one["type"] for one in reports(stores, "council")} == {
        "identity",
        "incident",
        "language-content",
        "relationship",
    }


def test_sources_of_a_ddos_are_observed_and_never_indicators(stores: Stores) -> None:
    with stores.case.transaction() as db:
        alice = make_viewer(db, make_organization(db))
        filed = make_report(db, alice, incident_kind="ddos", ioc_paste="203.0.113.45 c2.bad.example")
    release(stores, filed)
    out = reports(stores, "council")
    assert [one["pattern"] for one in out if one["type"] == "indicator"] == ["[domain-name:value = 'c2.bad.example']"]
    assert len([one for one in out if one["type"] == "observed-data"]) == 2


def test_a_flood_of_findings_is_kept_and_does_not_go_out(stores: Stores) -> None:
    paste = " ".join(f"198.51.{n // 250}.{n % 250 + 1}" for n in range(1000))
    with stores.case.transaction() as db:
        filed = make_report(db, make_viewer(db, make_organization(db)), ioc_paste=paste)
    work(stores, filed)
    with stores.case.reading() as db:
        kept = [row.excluded for row, _ in findings.kept(db, filed.version.id)]
    assert kept.count(None) == 300 and kept.count("too-many") == 700
    assert {findings.told(reason) for reason in kept} == {None, "held"}


def test_before_filing_nobody_learns_what_belongs_to_another_member(stores: Stores) -> None:
    with stores.case.transaction() as db:
        make_organization(db, domains=["other.example"])
        own = make_organization(db)
        seen = findings.look_through(db, "other.example", organization=own, callback=None, documentation_is_real=True)
    assert [one.excluded for one in seen] == [None]


@pytest.mark.parametrize(
    ("aware_at", "fidelity", "day"),
    [
        ("2026-11-19T00:30:00+09:00", "minute", "2026-11-18"),
        ("2026-11-19T00:00:00+09:00", "day", "2026-11-19"),
        ("2026-11-21T11:00:00+09:00", "day", "2026-11-21"),
    ],
)
def test_an_observation_names_the_day_and_nothing_finer(stores: Stores, aware_at: str, fidelity: str, day: str) -> None:
    with stores.case.transaction() as db:
        alice = make_viewer(db, make_organization(db))
        filed = make_report(db, alice, aware_at=aware_at, aware_fidelity=fidelity)
    release(stores, filed)
    seen = [one["first_observed"] for one in reports(stores, "council") if one["type"] == "observed-data"]
    assert set(seen) == {f"{day}T00:00:00.000Z"}


# --- the ten samples -------------------------------------------------------------------------------------


@pytest.fixture
def ten(stores: Stores) -> list[str]:
    """All ten samples filed and released."""
    for name in SAMPLES:
        release(stores, file_sample(stores, name))
    return SAMPLES


def leaks() -> Iterator[str]:
    """Names, contacts, domains, numbers and summaries of the ten; indicator values excepted."""
    for name in SAMPLES:
        own, answers = sample(name)["own"], sample(name)["answers"]
        yield from (own["ref"], own["name_ja"], own["name_en"], own["corporate_number"], *own["domains"])
        yield from (own["name_ja"].removesuffix("（架空）"), own["prefecture"], answers["callback"], answers["summary"])
        yield from (part for contact in own["contacts"] for part in contact.values())
        yield from (answers["summary"][i : i + 12] for i in range(0, len(answers["summary"]) - 12, 6))
        yield answers["aware_at"]
        yield answers["callback"].replace("-", "").replace("+81", "0")


def test_nobody_outside_gets_a_word_that_tells_who_was_hit(stores: Stores, ten: list[str]) -> None:
    with stores.released.reading() as db:
        out = b"\n".join(db.scalars(select(ObjectVersion.body))).decode()
    plain = unicodedata.normalize("NFKC", out).casefold()
    assert len(out) > 10_000
    assert not [leak for leak in leaks() if unicodedata.normalize("NFKC", leak).casefold() in plain]


def test_every_object_of_the_ten_passes_the_stix_validator(stores: Stores, ten: list[str]) -> None:
    objects = {orjson.dumps(one): one for alias in (*CIRCLES, "allied", "public") for one in polled(stores, alias)}
    options = ValidationOptions(version="2.1", disabled="all")
    faults = [(one["id"], r.errors) for one in objects.values() if not (r := validate_instance(one, options)).is_valid]
    assert len(objects) > 60 and faults == []


def test_every_reference_leads_to_an_object_of_the_same_collection(stores: Stores, ten: list[str]) -> None:
    for alias in (*CIRCLES, "allied", "public"):
        objects = polled(stores, alias)
        there = {one["id"] for one in objects}
        for one in objects:
            named = [v for k, v in one.items() if k.endswith("_ref") and k != "object_modified"]
            named += one.get("object_refs", [])
            assert not [ref for ref in named if ref not in there], (alias, one["id"])


def test_one_id_and_version_says_the_same_in_every_collection(stores: Stores, ten: list[str]) -> None:
    said: dict[tuple[str, str | None], Stix] = {}
    for alias in (*CIRCLES, "allied", "public"):
        for one in polled(stores, alias):
            assert said.setdefault((one["id"], one.get("modified")), one) == one


# --- the k-check -----------------------------------------------------------------------------------------


def test_the_sector_is_named_in_all_cases_once_three_of_ten_were_hit(stores: Stores) -> None:
    with stores.case.transaction() as db:
        hit = [make_viewer(db, make_organization(db)) for _ in range(10)][:3]
    named = []
    for minutes, viewer in enumerate(hit):
        with stores.case.transaction() as db:
            # Twice from the same organization counts once.
            filed = [make_report(db, viewer, ioc_paste=f"203.0.113.{minutes}") for _ in range(2)][1]
        release(stores, filed, minutes=minutes)
        named.append(sum("sectors" in one for one in reports(stores, "council") if one["type"] == "identity"))
    assert named == [0, 0, 1]
    release_all_waiting(stores)
    newest = {one["id"]: one for one in reports(stores, "council") if one["type"] == "identity"}
    assert [one.get("sectors") for one in newest.values()] == [["transportation"]] * 3


def test_who_allows_no_statistics_does_not_help_to_name_the_sector(stores: Stores) -> None:
    with stores.case.transaction() as db:
        hit = [make_viewer(db, make_organization(db)) for _ in range(10)][:3]
        filed = [make_report(db, viewer) for viewer in hit]
    uncounted = Filing("zokuhou", "web", hit[0])
    purposes = {"permitted_purposes": ["response", "warning"]}
    filed[0] = carrying.file(stores, filed[0].case.ref, purposes, uncounted, clock=lambda: NOW)
    for one in filed:
        release(stores, one)
    assert not [one for one in reports(stores, "council") if one["type"] == "identity" and "sectors" in one]


def test_a_small_sector_is_never_named(stores: Stores) -> None:
    with stores.case.transaction() as db:
        hit = [make_viewer(db, make_organization(db)) for _ in range(4)]
    for viewer in hit:
        with stores.case.transaction() as db:
            filed = make_report(db, viewer)
        release(stores, filed)
    assert not [one for one in reports(stores, "council") if one["type"] == "identity" and "sectors" in one]


def release_all_waiting(stores: Stores) -> None:
    """Release every edition that word was left for."""
    from exchange.models import Event

    with stores.case.reading() as db:
        waiting = db.scalars(select(Event.subject_id).where(Event.topic == "edition.ready")).all()
    for edition_id in dict.fromkeys(waiting):
        carrying.release(stores, edition_id, clock=lambda: NOW + timedelta(hours=1))


# --- the desk --------------------------------------------------------------------------------------------


def test_a_text_goes_out_only_after_a_second_person_released_the_view_shown(stores: Stores) -> None:
    with stores.case.transaction() as db:
        office = make_organization(db, kind=Kind.NCO)
        analyst = make_viewer(db, office, Role.ANALYST, Role.APPROVER)
        approver = make_viewer(db, office, Role.APPROVER)
        filed = make_report(db, make_viewer(db, make_organization(db)))
    release(stores, filed)
    with stores.case.transaction() as db:
        proposal = desk.propose(db, filed.case.ref, TEXTS, by=analyst, now=NOW)
        shown = desk.view(db, filed.case, TEXTS, now=NOW).digest
    release_all_waiting(stores)
    assert not [one for one in reports(stores, "council") if one["type"] == "incident" and "description" in one]
    with pytest.raises(desk.NotPermitted), stores.case.transaction() as db:
        desk.release(db, proposal.id, shown=shown, by=analyst, now=NOW)
    with pytest.raises(desk.Conflict), stores.case.transaction() as db:
        desk.release(db, proposal.id, shown="0" * 64, by=approver, now=NOW)
    with stores.case.transaction() as db:
        desk.release(db, proposal.id, shown=shown, by=approver, now=NOW + timedelta(minutes=7))
    release_all_waiting(stores)
    incidents = [one for one in reports(stores, "council") if one["type"] == "incident"]
    assert [one.get("description") for one in incidents] == [None, TEXTS["ja"]]
    assert incidents[0]["id"] == incidents[1]["id"] and incidents[0]["created"] == incidents[1]["created"]
    with pytest.raises(desk.WrongState), stores.case.transaction() as db:
        desk.reject(db, proposal.id, by=approver, now=NOW)


def test_a_text_goes_to_the_circle_for_which_it_was_released_and_to_no_wider_one(stores: Stores) -> None:
    with stores.case.transaction() as db:
        office, own = make_organization(db, kind=Kind.NCO), make_viewer(db, make_organization(db))
        analyst, approver = make_viewer(db, office, Role.ANALYST), make_viewer(db, office, Role.APPROVER)
        filed = make_report(db, own)
    release(stores, filed)
    release_text(stores, filed, analyst, approver, minutes=1)
    wider = Filing("zokuhou", "web", own)
    found = carrying.file(
        stores, filed.case.ref, {"share_scope": "allied-anon"}, wider, clock=lambda: NOW + timedelta(minutes=2)
    )
    release(stores, found, minutes=3)
    assert described(stores, "council") == TEXTS["ja"] and described(stores, "allied") is None
    with stores.case.reading() as db:
        assert desk.lacking(db, incidents.find(db, filed.case.ref, own)) == [EditionKind.ALLIED]
    release_text(stores, filed, analyst, approver, minutes=4)
    assert described(stores, "council") == TEXTS["ja"] and described(stores, "allied") == TEXTS["en"]
    with stores.case.reading() as db:
        assert desk.lacking(db, incidents.find(db, filed.case.ref, own)) == []


def release_text(stores: Stores, filed: Filed, analyst: Viewer, approver: Viewer, *, minutes: int) -> None:
    """What two persons of the national office and then the workers do."""
    now = NOW + timedelta(minutes=minutes)
    with stores.case.transaction() as db:
        case = incidents.find(db, filed.case.ref, analyst)
        proposal = desk.propose(db, case.ref, TEXTS, by=analyst, now=now)
        desk.release(db, proposal.id, shown=desk.view(db, case, TEXTS, now=now).digest, by=approver, now=now)
        editions_in_force = editions.in_force(db, case)
    for edition in editions_in_force:
        carrying.release(stores, edition.id, clock=lambda: now)


def described(stores: Stores, alias: str) -> str | None:
    """The description of the incident that a collection tells of, in its newest version."""
    text: str | None = [one for one in reports(stores, alias) if one["type"] == "incident"][-1].get("description")
    return text


TEXTS = {"ja": "保守用の遠隔接続から侵入された。", "en": "The intruder came in by a maintenance connection."}


@pytest.mark.parametrize(
    "told",
    [
        "試験港運に侵入",
        "shiken-port.example が",
        "０３－１２３４－５６７８ へ",
        "%E8%A9%A6%E9%A8%93%E6%B8%AF%E9%81%8B",
        "192.0.2.7 へ",
    ],
)
def test_a_text_that_tells_who_was_hit_is_refused(stores: Stores, told: str) -> None:
    with stores.case.transaction() as db:
        analyst = make_viewer(db, make_organization(db, kind=Kind.NCO), Role.ANALYST)
        own = make_organization(
            db, name_ja="試験港運株式会社", domains=["shiken-port.example"], networks=["192.0.2.0/24"]
        )
        filed = make_report(db, make_viewer(db, own))
    release(stores, filed)
    with stores.case.transaction() as db:
        with pytest.raises(desk.Invalid) as refused:
            desk.propose(db, filed.case.ref, TEXTS | {"ja": told}, by=analyst, now=NOW)
    assert [(p.field, p.code) for p in refused.value.problems] == [("text_ja", "victim-term")]
