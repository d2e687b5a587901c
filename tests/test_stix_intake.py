"""A report that comes as a STIX bundle: what becomes of each kind of object, and what is refused, by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from config import Settings
from exchange import accounts, drafts, editions
from exchange.errors import Invalid
from exchange.form import message
from exchange.models import Person
from exchange.stix import ids, intake
from exchange.stix.intake_values import pasted
from exchange.times import utcnow
from portal.app import create_app
from tests.bundles import (
    CORE,
    CREATED,
    Thing,
    bundle,
    event,
    impact,
    incident,
    indicator,
    linked,
    observed,
    sco,
    stix_id,
    task,
    thing,
)
from tests.conftest import NOW
from tests.make import Clock, make_report, make_viewer, work
from tests.members import CASES, Member, make_member, stopped
from tests.test_api import _stores, count_rows, refused

STIX = "application/stix+json;version=2.1"
HASH = "0f" * 32


def quick(*things: Thing) -> dict[str, Any]:
    return intake.read(bundle(*things)).quick


def later(*things: Thing) -> dict[str, Any]:
    return intake.read(bundle(*things)).later


# --- the quick report ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "kind"),
    [
        ([], "unknown"),
        (["undetermined"], "unknown"),
        (["ransomware"], "ransomware"),
        (["data-exfiltration", "ransomware"], "ransomware"),
        (["denial-of-service", "packet-flood", "major"], "ddos"),
        (["denial-of-service", "compromised-system"], "other"),
        (["theft-access-credentials"], "other"),
        (["a-word-of-ones-own"], "other"),
    ],
)
def test_the_kind_follows_the_types_of_the_incident(types: list[str], kind: str) -> None:
    assert quick(incident({"incident_types": types} if types else {}))["incident_kind"] == kind


def test_what_a_bundle_does_not_say_is_not_known() -> None:
    assert quick() == {
        "incident_kind": "unknown",
        "aware_at": CREATED,
        "aware_fidelity": "minute",
        "service_impact": "unknown",
        "system_class": ["unknown"],
        "personal_data": "unknown",
        "current_status": "unknown",
        "summary": "Strange traffic",
    }
    assert later() == {}


@pytest.mark.parametrize(
    ("level", "word"), [(0, "none"), (9, "none"), (10, "degraded"), (59, "degraded"), (60, "stopped")]
)
def test_the_impact_on_the_service_follows_the_level_of_availability(level: int, word: str) -> None:
    assert quick(impact("availability", {"availability_impact": level}))["service_impact"] == word


def test_an_impact_that_another_took_the_place_of_counts_no_more() -> None:
    now = impact("availability", {"availability_impact": 20}, id=stix_id("impact", "later"))
    before = impact("availability", {"availability_impact": 90}, superseded_by_ref=now["id"])
    assert quick(before, now)["service_impact"] == "degraded"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"loss_type": "confirmed-loss", "information_type": "pii"}, "yes"),
        ({"loss_type": "suspected-loss", "information_type": "phi"}, "possible"),
        ({"loss_type": "none"}, "no"),
        ({"loss_type": "confirmed-loss", "information_type": "proprietary"}, "unknown"),
        ({"loss_type": "a-new-word", "information_type": "pii"}, "possible"),
    ],
)
def test_personal_data_follows_what_lost_its_confidentiality(said: Thing, word: str) -> None:
    assert quick(impact("confidentiality", said))["personal_data"] == word


def test_systems_are_those_that_are_counted_and_those_that_were_damaged() -> None:
    counted = incident({"impacted_entity_counts": {"computers-server": 2, "employee": 3, "network-device": 0}})
    damaged = impact("physical", {"impact_type": "destruction", "asset_type": "ics-sensor"})
    assert quick(counted, damaged)["system_class"] == ["it", "ot"]
    assert later(counted, damaged)["physical_impact"] == "damage"


def test_one_is_aware_when_it_was_detected_or_declared_and_not_before() -> None:
    detected = task("detected", start_time="2026-11-21T01:00:00.5Z", start_time_fidelity="hour")
    declared = task("declared", start_time="2026-11-21T00:59:00Z", start_time_fidelity="month")
    told = quick(detected, declared, event(start_time="2026-11-01T00:00:00Z"))
    assert (told["aware_at"], told["aware_fidelity"]) == ("2026-11-21T01:00:00.5Z", "hour")


@pytest.mark.parametrize(
    ("things", "word"),
    [
        ([task("containment")], "contained"),
        ([task("containment"), task("recovery")], "recovered"),
        ([task("containment", outcome="failed")], "unknown"),
        ([event(status="ongoing")], "ongoing"),
        ([incident({"investigation_status": "closed"})], "recovered"),
    ],
)
def test_where_things_stand_follows_what_was_done(things: list[Thing], word: str) -> None:
    assert quick(*things)["current_status"] == word


def test_a_long_description_is_cut_where_the_form_ends() -> None:
    told = quick(incident(description="漢" * 500))["summary"]
    assert len(told) == 400 and told.endswith("漢…")


def test_only_the_organisations_own_entry_tells_the_telephone_and_the_consent() -> None:
    own: dict[str, Any] = {"phone": "03-1234-5678", "standing_scope": "nco", "act_special_operator": True}
    told = intake.completed(quick(), **own)
    assert (told["callback"], told["share_scope"], told["designated_asset"]) == ("03-1234-5678", "nco", "unknown")
    nothing = intake.completed(quick(), phone=None, standing_scope=None, act_special_operator=False)
    assert not {"callback", "share_scope", "designated_asset"} & nothing.keys()


def test_what_its_maker_takes_for_a_false_alarm_is_no_incident() -> None:
    assert not intake.read(bundle(incident({"determination": "false-positive"}))).is_incident
    assert intake.read(bundle(incident({"determination": "blocked"}))).is_incident


# --- indicators ----------------------------------------------------------------------------------------


def values(*things: Thing) -> list[tuple[str, str]]:
    return [(row["type"], row["value"]) for row in later(*things).get("iocs", [])]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("[ipv4-addr:value = '198.51.100.7']", [("ipv4-addr", "198.51.100.7")]),
        ("[url:value='https://a.example/?b=\\'c\\'']", [("url", "https://a.example/?b='c'")]),
        (
            f"[file:hashes.'SHA-256' = '{HASH}' OR file:hashes.MD5 = '{HASH[:32]}']",
            [("file:sha256", HASH), ("file:md5", HASH[:32])],
        ),
        (
            "[domain-name:value IN ('a.example', 'b.example')]",
            [("domain-name", "a.example"), ("domain-name", "b.example")],
        ),
        (
            "[ipv6-addr:value == '2001:db8::7'] FOLLOWEDBY [email-addr:value = 'x@a.example']",
            [("ipv6-addr", "2001:db8::7"), ("email-addr", "x@a.example")],
        ),
        ("[network-traffic:dst_ref.value = '198.51.100.7/32']", [("ipv4-addr", "198.51.100.7/32")]),
        ("[network-traffic:dst_ref.value = 'a.example']", [("domain-name", "a.example")]),
        ("[ipv4-addr:value = '198.51.100.7'] /* [url:value = 'x'] */", [("ipv4-addr", "198.51.100.7")]),
        ("[file:name = 'url:value = \\'x\\'']", [("file:name", "url:value = 'x'")]),
    ],
)
def test_a_pattern_gives_the_values_that_it_compares_for_equality(pattern: str, found: list[tuple[str, str]]) -> None:
    assert values(indicator(pattern)) == found


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value NOT = '198.51.100.7']",
        "[ipv4-addr:value != '198.51.100.7']",
        "[ipv4-addr:value ISSUBSET '198.51.100.0/24']",
        "[url:value LIKE 'https://a.example/%']",
        "[process:command_line = 'x']",
        "[x-ipv4-addr:value = '198.51.100.7']",
        "[artifact:url = 'ipv4-addr:value = \\'198.51.100.7\\'']",
    ],
)
def test_a_pattern_without_such_a_value_is_kept_for_hunting(pattern: str) -> None:
    assert values(indicator(pattern)) == []
    assert later(indicator(pattern))["hunting"] == [{"kind": "stix", "body": pattern}]


@pytest.mark.parametrize(("language", "kind"), [("sigma", "sigma"), ("yara", "yara"), ("snort", "text")])
def test_rules_of_other_languages_are_kept_for_hunting(language: str, kind: str) -> None:
    rule = indicator("title: [ipv4-addr:value = '198.51.100.7']", pattern_type=language)
    assert later(rule) == {"hunting": [{"kind": kind, "body": rule["pattern"]}]}


def test_a_harmless_and_a_revoked_indicator_are_none() -> None:
    assert values(indicator("[ipv4-addr:value = '198.51.100.7']", indicator_types=["benign"])) == []
    assert values(indicator("[ipv4-addr:value = '198.51.100.7']", revoked=True)) == []


@pytest.mark.parametrize(("number", "word"), [(None, "medium"), (0, "low"), (29, "low"), (30, "medium"), (70, "high")])
def test_confidence_becomes_a_word(number: int | None, word: str) -> None:
    said = {} if number is None else {"confidence": number}
    assert later(indicator("[ipv4-addr:value = '198.51.100.7']", **said))["iocs"][0]["confidence"] == word


def test_what_was_only_observed_is_not_sure_and_is_not_pasted() -> None:
    """It may be the address of the one who was hit."""
    address = sco("ipv4-addr", value="198.51.100.9")
    told = intake.read(bundle(address, observed(address)))
    assert told.later["iocs"] == [
        {"type": "ipv4-addr", "value": "198.51.100.9", "confidence": "low", "first_seen": CREATED}
    ]
    assert "ioc_paste" not in told.quick


def test_a_value_that_is_not_of_its_type_is_kept_as_another() -> None:
    told = intake.read(bundle(indicator("[ipv4-addr:value = 'not an ip' OR ipv4-addr:value = '198.51.100.0/24']")))
    assert [row["type"] for row in told.later["iocs"]] == ["other", "ipv4-addr"]


def test_an_observable_that_nothing_points_to_is_nobodys_indicator() -> None:
    """The mailbox of a contact stands in a bundle too."""
    assert values(sco("email-addr", value="duty@operator.example")) == []


def test_what_an_attackers_infrastructure_consists_of_is_sure_and_has_its_role() -> None:
    place = thing("infrastructure", "c2", infrastructure_types=["command-and-control"])
    address, watched = sco("ipv4-addr", value="198.51.100.7"), indicator("[domain-name:value = 'c2.example']")
    told = intake.read(
        bundle(place, address, watched, linked("consists-of", place, address), linked("indicates", watched, place))
    )
    assert [(row["value"], row["role"], row["confidence"]) for row in told.later["iocs"]] == [
        ("c2.example", "c2", "medium"),
        ("198.51.100.7", "c2", "medium"),
    ]
    assert told.quick["ioc_paste"] == "c2.example\n198.51.100.7"


def test_one_value_is_one_row_however_often_it_is_told() -> None:
    address = sco("ipv4-addr", value="198.51.100.7")
    rows = later(indicator("[ipv4-addr:value = '198.51.100.7']", confidence=90), address, observed(address))["iocs"]
    assert rows == [{"type": "ipv4-addr", "value": "198.51.100.7", "confidence": "high", "first_seen": CREATED}]


@pytest.mark.parametrize(("level", "goes"), [("clear", True), ("green", True), ("amber", False), ("red", False)])
def test_a_marking_stays_with_the_value_and_a_strict_one_keeps_it_from_the_paste(level: str, goes: bool) -> None:
    marked = indicator("[ipv4-addr:value = '198.51.100.7']", object_marking_refs=[ids.TLP_MARKING[level]])
    told = intake.read(bundle(marked))
    assert told.later["iocs"][0]["tlp"] == level
    assert ("ioc_paste" in told.quick) is goes


def test_the_strictest_of_several_markings_counts_and_the_incidents_own_is_for_all() -> None:
    both = [ids.TLP_MARKING["green"], "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"]
    assert later(incident(object_marking_refs=both))["tlp_tech"] == "amber"


def test_a_paste_ends_with_the_last_value_that_fits() -> None:
    assert pasted((f"{number:04}.example" for number in range(10)), 39) == "0000.example\n0001.example\n0002.example"


RED, GREEN = ({"object_marking_refs": [ids.TLP_MARKING[level]]} for level in ("red", "green"))
ADDRESS, FILE = sco("ipv4-addr", value="198.51.100.7"), sco("file", hashes={"SHA-256": HASH})
PLACE = thing("infrastructure", "c2", infrastructure_types=["command-and-control"])
SAMPLE = thing("malware", "Lock", is_family=False, sample_refs=[FILE["id"]])
HOLE = thing("vulnerability", "CVE-2024-21887")
METHOD = thing(
    "attack-pattern", "Phishing", external_references=[{"source_name": "mitre-attack", "external_id": "T1566.001"}]
)
WATCH_ADDRESS, WATCH_FILE = (
    indicator("[ipv4-addr:value = '198.51.100.7']"),
    indicator(f"[file:hashes.'SHA-256' = '{HASH.upper()}']"),
)


@pytest.mark.parametrize(
    "things",
    [
        [incident(**RED), WATCH_ADDRESS, HOLE, METHOD],
        [WATCH_ADDRESS | RED],
        [WATCH_ADDRESS, WATCH_ADDRESS | RED | {"id": stix_id("indicator", "again")}],
        [PLACE, ADDRESS | RED, linked("consists-of", PLACE, ADDRESS)],
        [PLACE | RED, ADDRESS, linked("consists-of", PLACE, ADDRESS)],
        [PLACE, ADDRESS, linked("consists-of", PLACE, ADDRESS) | RED],
        [PLACE | RED, WATCH_ADDRESS, linked("indicates", WATCH_ADDRESS, PLACE)],
        [observed(ADDRESS, **RED), ADDRESS, WATCH_ADDRESS],
        [HOLE | RED],
        [HOLE, HOLE | RED | {"id": stix_id("vulnerability", "again")}],
        [METHOD | RED],
        [METHOD, METHOD | RED | {"id": stix_id("attack-pattern", "again")}],
        [SAMPLE | RED, FILE, WATCH_FILE],
        [SAMPLE, FILE | RED, WATCH_FILE],
    ],
    ids=lambda things: " ".join(f"{one['type']}{'!' if 'object_marking_refs' in one else ''}" for one in things),
)
def test_what_an_object_marked_red_tells_is_not_pasted_and_makes_the_technical_part_red(things: list[Thing]) -> None:
    told = intake.read(bundle(*things))
    assert "ioc_paste" not in told.quick
    assert told.later["tlp_tech"] == "red"


@pytest.mark.parametrize(
    "things",
    [
        [WATCH_ADDRESS | GREEN, WATCH_ADDRESS | RED | {"id": stix_id("indicator", "again")}],
        [PLACE | RED, ADDRESS, linked("consists-of", PLACE, ADDRESS)],
        [observed(ADDRESS, **RED), ADDRESS],
    ],
    ids=["indicator", "infrastructure", "observed-data"],
)
def test_a_value_is_as_strict_as_the_strictest_object_that_tells_of_it(things: list[Thing]) -> None:
    for told in (later(*things), later(*things[::-1])):
        assert [row["tlp"] for row in told["iocs"]] == ["red"]


def definition(name: str, **more: Any) -> Thing:
    made = thing("marking-definition", **more)
    return {key: value for key, value in made.items() if key != "modified"} | {
        "id": stix_id("marking-definition", name)
    }


OWN_RED = definition("own", extensions={ids.TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "red"}})
STATEMENT = definition("words", definition_type="statement", definition={"statement": "Ask first"})


@pytest.mark.parametrize(
    ("marked", "level"),
    [
        ({"object_marking_refs": [OWN_RED["id"]]}, "red"),
        ({"object_marking_refs": ["marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"]}, "red"),
        ({"object_marking_refs": [STATEMENT["id"]]}, "amber+strict"),
        ({"object_marking_refs": [ids.TLP_MARKING["green"], stix_id("marking-definition", "?")]}, "amber+strict"),
        ({"granular_markings": [{"marking_ref": OWN_RED["id"], "selectors": ["pattern"]}]}, "red"),
        ({"granular_markings": [{"marking_ref": STATEMENT["id"], "selectors": ["pattern"]}]}, "amber+strict"),
        ({"granular_markings": [{"lang": "en", "selectors": ["pattern"]}]}, None),
        ({"object_marking_refs": [ids.TLP_MARKING["green"]]}, "green"),
    ],
)
def test_a_marking_that_tells_no_level_may_forbid_anything(marked: Thing, level: str | None) -> None:
    told = intake.read(bundle(OWN_RED, STATEMENT, WATCH_ADDRESS | marked))
    assert told.later.get("tlp_tech") == told.later["iocs"][0].get("tlp") == level
    assert ("ioc_paste" in told.quick) is (level in {None, "green"})


# --- the other objects ---------------------------------------------------------------------------------


def test_methods_with_a_number_are_techniques_and_others_are_told_in_words() -> None:
    numbered = thing(
        "attack-pattern", "Phishing", external_references=[{"source_name": "mitre-attack", "external_id": "T1566.001"}]
    )
    in_plants = thing(
        "attack-pattern", "Block", external_references=[{"source_name": "mitre-ics-attack", "external_id": "T0803"}]
    )
    told = later(numbered, in_plants, thing("attack-pattern", "Something new"))
    assert told["ttps"] == [
        {"id": "T1566.001", "name": "Phishing", "domain": "enterprise"},
        {"id": "T0803", "name": "Block", "domain": "ics"},
    ]
    assert told["attack_vector"] == "Something new"


def test_vulnerabilities_malware_actions_and_measures_find_their_fields() -> None:
    sample = sco("file", hashes={"SHA-256": HASH})
    bad = thing("malware", "Lock", is_family=False, malware_types=["dropper"], sample_refs=[sample["id"]])
    hole = thing("vulnerability", "CVE-2024-21887")
    done = task("containment", name="Unplugged", start_time="2026-11-21T01:00:00Z", end_time="2026-11-21T01:30:00Z")
    told = later(
        sample, bad, hole, linked("exploits", bad, hole), done, thing("course-of-action", "Patch", description="now")
    )
    assert told["vulnerabilities"] == [{"cve": "CVE-2024-21887", "relation": "exploited"}]
    assert told["malware"] == [{"name": "Lock", "kind": "downloader", "hashes": [HASH]}]
    assert told["actions"] == [{"at": "2026-11-21T01:00:00Z", "action_ja": "Unplugged", "status": "done"}]
    assert told["prevention_ja"] == ["Patch: now"]
    assert told["contained_at"] == "2026-11-21T01:30:00Z"


@pytest.mark.parametrize(("level", "grade"), [(0, 0), (12, 0), (13, 1), (50, 2), (75, 3), (85, 3), (86, 4), (100, 4)])
def test_criticality_becomes_the_nearest_grade(level: int, grade: int) -> None:
    assert later(incident({"criticality": level}))["severity_self"] == grade


def test_of_two_versions_of_an_object_the_newer_one_counts_wherever_it_stands() -> None:
    old, new = thing("course-of-action", "Patch"), thing("course-of-action", "Patch")
    new |= {"modified": "2026-11-21T02:30:00.0005Z", "name": "Replace"}
    for things in ((old, new), (new, old)):
        assert later(*things)["prevention_ja"] == ["Replace"]


# --- what is refused -----------------------------------------------------------------------------------

WRONG: list[tuple[Any, str]] = [
    ([], "type"),
    ("bundle", "type"),
    (None, "type"),
    ({"type": "report"}, "type"),
    ({"type": "bundle"}, "objects"),
    ({"type": "bundle", "objects": []}, "objects"),
    ({"type": "bundle", "objects": {}}, "objects"),
    ({"type": "bundle", "objects": [thing("identity", "a")]}, "objects"),
    ({"type": "bundle", "objects": [thing("incident", "without the extension")]}, "objects"),
    (bundle(incident(), incident() | {"id": stix_id("incident", "second")}), "objects"),
    (bundle(incident(revoked=True)), "objects"),
    ({"type": "bundle", "objects": [incident(), 7]}, "objects.1"),
    (bundle(indicator("[ipv4-addr:value = ")), "objects.1"),
    (bundle(thing("malware", "Lock")), "objects.1"),
    (bundle(bundle()), "objects.1"),
    (bundle({"type": "incident", "id": stix_id("incident"), "created": CREATED, "modified": CREATED}), "objects.0"),
    (bundle(incident({"incident_types": "ransomware"})), "objects.0"),
    (bundle(incident({"criticality": 101})), "objects.0"),
    (bundle(incident({"impacted_entity_counts": {"system": -1}})), "objects.0"),
    (bundle(incident(extensions={CORE: []})), "objects.0"),
    (bundle(impact("availability", {})), "objects.1"),
    (bundle(impact("availability", {"availability_impact": "90"})), "objects.1"),
    (bundle(impact("confidentiality", {"loss_type": 1})), "objects.1"),
    (bundle(impact("physical", [])), "objects.1"),  # type: ignore[arg-type]
    (bundle(task("detected", start_time="yesterday")), "objects.1"),
    (bundle(event(start_time=1)), "objects.1"),
]


@pytest.mark.parametrize(("sent", "field"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_named_by_its_place(sent: object, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        intake.read(sent)
    assert [problem.field for problem in refused.value.problems] == [field]
    assert all(message(problem, lang) for problem in refused.value.problems for lang in ("ja", "en"))


def test_an_object_that_is_wrong_is_named_by_its_id_too_and_twenty_are_enough() -> None:
    bad = [indicator(f"[x{number}") for number in range(30)]
    with pytest.raises(Invalid) as refused:
        intake.read(bundle(*bad))
    assert len(refused.value.problems) == 20
    assert bad[0]["id"] in message(refused.value.problems[0], "en")


@pytest.mark.parametrize("pattern", ["[" + "a" * 9_990, "'" * 9_999, "[a:b = '" + "\\'" * 4_000 + "']", "/*" * 4_999])
def test_hostile_patterns_cost_no_more_than_others(pattern: str) -> None:
    hostile = [indicator(pattern, pattern_type="yara") | {"id": stix_id("indicator", str(n))} for n in range(50)]
    assert len(later(*hostile)["hunting"]) == 50


# --- over the API --------------------------------------------------------------------------------------


def post(member: Member, sent: object, query: str = "", **headers: str) -> Any:
    return member.call("POST", f"/api/v1/reports{query}", sent, Content_Type=STIX, **headers)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time stands still at NOW, until a test moves it."""
    return stopped(monkeypatch)


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[Flask]:
    """The portal, once on each database."""
    made = create_app(settings)
    yield made
    _stores(made).close()


@pytest.fixture
def known(app: Flask) -> Member:
    """A reporter whose organisation has told its telephone and its consent."""
    contacts = [{"role": "duty", "phone": "03-1234-5678"}]
    return make_member(app, {"contacts": contacts, "standing_scope": "council-anon", "act_special_operator": True})


WATCHED = indicator("[ipv4-addr:value = '203.0.113.45']", confidence=90)
TOLD = bundle(
    incident({"incident_types": ["ransomware"]}), WATCHED, task("detected", start_time="2026-11-21T02:00:00Z")
)


def test_a_bundle_becomes_a_report_and_what_else_it_tells_an_update(known: Member) -> None:
    answer = post(known, TOLD)
    assert answer.status_code == 201, answer.json
    receipt = answer.json
    assert (receipt["seq"], receipt["stage"], receipt["form"]) == (2, "zokuhou", "様式2")
    assert {"nco"} < {one["id"] for one in receipt["recipients"]}
    case = known.told("GET", receipt["status_url"])
    assert [(one["stage"], one["via"]) for one in case["versions"]] == [("sokuhou", "stix"), ("zokuhou", "stix")]
    answers = known.told("GET", f"{CASES}/{receipt['case_id']}/versions/2")["answers"]
    assert answers["callback"] == "+81312345678" and answers["share_scope"] == "council-anon"
    assert answers["aware_at"] == "2026-11-21T02:00:00Z" and answers["designated_asset"] == "unknown"
    assert answers["iocs"] == [{"type": "ipv4-addr", "value": "203.0.113.45", "confidence": "high"}]


def test_a_bundle_that_tells_no_more_than_a_quick_report_is_one_version(known: Member) -> None:
    answer = post(known, bundle())
    assert (answer.status_code, answer.json["seq"], answer.json["stage"]) == (201, 1, "sokuhou")


def test_the_same_bundle_twice_is_filed_once_with_a_key_and_noticed_without(known: Member) -> None:
    first, again = (post(known, TOLD, Idempotency_Key="k") for _ in range(2))
    assert first.json == again.json and again.headers["Idempotent-Replay"] == "true"
    assert post(known, TOLD).json["possible_duplicate_of"] == first.json["case_id"]


def test_without_a_telephone_or_a_consent_on_file_a_person_is_asked(app: Flask) -> None:
    before, alice = count_rows(app), make_member(app)
    answer = post(alice, TOLD)
    assert (answer.status_code, sorted(answer.json["missing"])) == (202, ["callback", "share_scope"])
    assert count_rows(app)["draft"] == before["draft"] + 1
    assert count_rows(app)["incident_case"] == before["incident_case"]


def signed_in(app: Flask, who: Member) -> Any:
    with _stores(app).case.reading() as db:
        name = db.scalars(sa.select(Person.username).where(Person.organization_id == who.organization.id)).one()
    browser = app.test_client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/login").get_data(as_text=True))
    assert token
    browser.post("/login", data={"username": name, "password": "right horse", "csrf_token": token[1]})
    return browser


def typed_in(app: Flask, who: Member, draft_id: str, browser: Any) -> dict[str, list[str]]:
    """The form as the page of a draft shows it."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/reports/new").get_data(as_text=True))
    assert token
    with _stores(app).case.reading() as db:
        viewer = accounts.viewer_of_key(db, who.key, scope="report", now=utcnow())
        assert viewer
        typed = drafts.find(db, UUID(draft_id), viewer).typed
    return {**typed, "draft": [draft_id], "csrf_token": [token[1]]}


@pytest.fixture
def now_running(settings: Settings) -> Iterator[Flask]:
    """The portal, with pages and API in the same time, which runs."""
    made = create_app(settings)
    yield made
    _stores(made).close()


def test_what_the_first_page_does_not_ask_waits_in_the_draft_and_is_filed_with_it(now_running: Flask) -> None:
    app = now_running
    alice, ago = make_member(app), (utcnow() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:00Z")
    detected, quick = task("detected", start_time=ago), incident()
    draft = post(alice, bundle(quick, WATCHED, detected)).json
    browser = signed_in(app, alice)
    data = typed_in(app, alice, draft["draft_id"], browser) | {
        "callback": ["03-1234-5678"],
        "share_scope": ["council-anon"],
    }
    checked = browser.post("/reports/check", data=data).get_data(as_text=True)
    assert "システムから届いたそのほかの内容" in checked and "203[.]0[.]113[.]45" in checked
    assert browser.post("/reports", data=data).status_code == 303
    (case,) = alice.told("GET", CASES)["cases"]
    answers = alice.told("GET", f"{case['status_url']}/versions/2")["answers"]
    assert answers["iocs"] == [{"type": "ipv4-addr", "value": "203.0.113.45", "confidence": "high"}]
    assert (answers["callback"], answers["detected_at"]) == ("+81312345678", ago)
    assert count_rows(app)["draft"] == 0


def test_a_draft_says_nothing_wrong_of_later_stages_either(app: Flask) -> None:
    alice, before = make_member(app), count_rows(app)
    late = event(start_time="2026-11-21T02:30:00Z")
    problem = refused(post(alice, bundle(task("detected", start_time="2026-11-21T02:00:00Z"), late)), 422)
    assert [one["field"] for one in problem["errors"]] == ["detected_at"]
    assert count_rows(app)["draft"] == before["draft"]


@pytest.mark.parametrize(
    ("sent", "query"), [(TOLD, "?confirm=false"), (bundle(incident({"determination": "false-positive"})), "")]
)
def test_what_is_not_sure_waits_for_a_person(known: Member, sent: Thing, query: str) -> None:
    answer = post(known, sent, query)
    assert (answer.status_code, answer.json["missing"]) == (202, [])


@pytest.mark.parametrize("content_type", ["application/stix+json", "application/stix+json; version=2.1; charset=utf-8"])
def test_the_version_of_the_type_may_be_left_out_but_not_be_another(known: Member, content_type: str) -> None:
    assert known.call("POST", "/api/v1/reports", bundle(), Content_Type=content_type).status_code == 201
    refused(known.call("POST", "/api/v1/reports", bundle(), Content_Type="application/stix+json;version=2.0"), 415)


def test_a_bundle_of_json_type_is_no_quick_report(known: Member) -> None:
    refused(known.call("POST", "/api/v1/reports", TOLD), 422)


def test_times_that_contradict_each_other_are_refused_and_nothing_is_kept(known: Member, clock: Clock) -> None:
    before = count_rows(known.app)
    late = event(start_time="2026-11-21T02:30:00Z")
    problem = refused(
        post(known, bundle(task("detected", start_time="2026-11-21T02:00:00Z"), late), Idempotency_Key="k"), 422
    )
    assert [one["field"] for one in problem["errors"]] == ["detected_at"]
    clock.now = NOW - timedelta(days=1)
    problem = refused(post(known, bundle()), 422)
    assert [one["field"] for one in problem["errors"]] == ["aware_at"]
    clock.now = NOW
    assert count_rows(known.app) == before


def test_every_wrong_bundle_is_refused_over_the_api_too_and_leaves_nothing(known: Member) -> None:
    before = count_rows(known.app)
    for sent, field in WRONG:
        for lang in ("ja", "en"):
            problem = refused(post(known, json.dumps(sent).encode(), Accept_Language=lang, Idempotency_Key="k"), 422)
            assert [one["field"] for one in problem["errors"]] == [field], sent
            assert all(one["message"] for one in problem["errors"])
    assert count_rows(known.app) == before


def test_no_file_of_the_json_abuse_corpus_is_taken_for_a_bundle(known: Member, testdata: Callable[[str], Path]) -> None:
    files, before = sorted(testdata("abuse/json").iterdir()), count_rows(known.app)
    for file in files:
        for content in (file.read_bytes(), b'{"type":"bundle","objects":[' + file.read_bytes() + b"]}"):
            answer = post(known, content)
            assert answer.status_code in {400, 422}, (file.name, answer.status_code)
    assert files and count_rows(known.app) == before


def test_the_incident_forms_of_others_are_taken_or_refused_by_name(
    known: Member, testdata: Callable[[str], Path]
) -> None:
    found = set()
    for file in sorted(testdata("stix21/incident-reports").glob("*.json")):
        answer = post(known, json.loads(file.read_text(encoding="utf-8")), "?confirm=false")
        found.add(answer.status_code)
        if answer.status_code == 422:
            assert all(one["field"].startswith(("objects", "aware_at")) for one in answer.json["errors"]), answer.json
    assert found <= {202, 422} and found


def test_what_our_own_feed_gives_out_comes_back_as_it_was(known: Member) -> None:
    """Mapping out and in are two sides of one table."""
    stores = _stores(known.app)
    with stores.case.transaction() as db:
        filed = make_report(db, make_viewer(db, known.organization), designated_asset="no")
    kept = {one.kind: one for one in work(stores, filed)}
    with stores.case.transaction() as db:
        objects = [json.loads(one.body) for one in editions.view(db, kept["shared"], None, now=NOW)]
    told = intake.read({"type": "bundle", "id": stix_id("bundle"), "objects": objects})
    assert told.quick["incident_kind"] == "ransomware"
    assert {(row["type"], row["value"]) for row in told.later["iocs"]} == {
        ("ipv4-addr", "203.0.113.45"),
        ("url", "https://bad.example/x"),
    }
    assert told.later["vulnerabilities"] == [{"cve": "CVE-2024-21887"}]
