"""Editions as STIX 2.1: valid for every content, the same bytes every time, and nothing said by accident."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import chain
from uuid import UUID, uuid4

import orjson
import pytest
import stix2
from hypothesis import given, settings
from hypothesis import strategies as st
from stix2patterns.v21.pattern import Pattern
from stix2validator import ValidationOptions, validate_instance

from exchange.errors import WrongState
from exchange.stix import ids, names
from exchange.stix.content import Content, Finding
from exchange.stix.edition import drafts
from exchange.stix.observables import LIFETIME_DAYS, pattern
from exchange.stix.portal import fixed_objects
from exchange.stix.render import render, revoke

NOW = datetime(2026, 12, 1, 3, 4, 5, 678_901, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
DAY = date(2026, 11, 30)
KINDS = ["ddos", "ransomware", "other", "unknown"]
RESERVED = {"severity", "username", "phone_number", "action"}
OWN_TIMES = {"created", "modified", "first_observed", "last_observed", "valid_from", "valid_until", "object_modified"}

# The machine may be slow and is not what we test.
EDITIONS = settings(max_examples=40, deadline=None)

VALUES = {
    "ipv4-addr": st.ip_addresses(v=4).map(str),
    "ipv6-addr": st.ip_addresses(v=6).map(str),
    "domain-name": st.from_regex(r"[a-z][a-z0-9]{0,9}\.example", fullmatch=True),
    "url": st.from_regex(r"https?://[a-z]{1,9}\.example/[a-zA-Z0-9'()!*;:@&=+$,/?.~-]{0,20}", fullmatch=True),
    "email-addr": st.from_regex(r"[a-z][a-z0-9.]{0,8}[a-z]@[a-z]{1,9}\.example", fullmatch=True),
    "md5": st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    "sha1": st.from_regex(r"[0-9a-f]{40}", fullmatch=True),
    "sha256": st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    "sha512": st.from_regex(r"[0-9a-f]{128}", fullmatch=True),
}
HOSTILE = st.text(alphabet="'\\\"[]= ORa%_日\U0001f600", max_size=30)
WORDS = st.text(min_size=1, max_size=20)
IN_TWO = st.fixed_dictionaries({"ja": WORDS, "en": WORDS})
CVES = st.from_regex(r"CVE-20[0-9]{2}-(0[0-9]{3}|[1-9][0-9]{3,5})", fullmatch=True)


@st.composite
def findings(draw):
    kind = draw(st.sampled_from(sorted(VALUES)))
    return Finding(kind, draw(VALUES[kind]), draw(st.booleans()), draw(st.integers(0, 100)))


@st.composite
def contents(draw):
    sectors = draw(st.sampled_from([(), ("energy", "utilities"), ("healthcare",)]))
    return Content(
        lang=draw(st.sampled_from(["ja", "en"])),
        tlp=draw(st.sampled_from(sorted(ids.TLP_MARKING))),
        incident_kind=draw(st.sampled_from(KINDS)),
        sectors=sectors,
        sector_names=draw(IN_TWO) if sectors else None,
        observed_on=draw(st.dates(date(2000, 1, 1), DAY)),
        findings=tuple(draw(st.lists(findings(), max_size=5))),
        vulnerabilities=tuple(draw(st.lists(CVES, max_size=2))),
        description=draw(st.none() | IN_TWO),
    )


def make_content(**changes):
    plain = Content("ja", "amber", "ransomware", (), None, DAY, (), (), None)
    return replace(plain, **changes)


def make_finding(kind="domain-name", value="bad.example", indicates=True, confidence=50):
    return Finding(kind, value, indicates, confidence)


def keeper():
    """An `id_of` that mints a random id once for each row."""
    return cache(lambda key, stix_type: f"{stix_type}--{uuid4()}")


def release(content, id_of=None, before=(), now=NOW):
    id_of = id_of or keeper()
    previous = {done.key: done.previous for done in before}
    return render(drafts(content, id_of), previous, id_of=id_of, now=now)


def objects(rendered):
    return [orjson.loads(one.body) for one in rendered]


def only(rendered, stix_type):
    [found] = [one for one in objects(rendered) if one["type"] == stix_type]
    return found


def problems(found):
    """What the validator calls an error; its advice (SHOULD) is not asked for."""
    bundle = {"type": "bundle", "id": f"bundle--{uuid4()}", "objects": found}
    return [str(error) for error in validate_instance(bundle, ValidationOptions(version="2.1")).errors]


def fields(value):
    """Every (name, value) at any depth."""
    if isinstance(value, dict):
        return chain(value.items(), chain.from_iterable(map(fields, value.values())))
    return chain.from_iterable(map(fields, value)) if isinstance(value, list) else iter(())


def compared(text):
    """The (path, operator, literal) of every comparison in a pattern, the literal unescaped."""
    found = chain.from_iterable(Pattern(text).inspect().comparisons.values())
    return [(path, operator, re.sub(r"\\(.)", r"\1", raw[1:-1], flags=re.S)) for path, operator, raw in found]


@EDITIONS
@given(contents())
def test_every_edition_is_valid_stix(content):
    """PRO-01: for the OASIS validator, and for a client that allows nothing custom."""
    found = objects(release(content))
    assert problems(found) == []
    assert [stix2.parse(one)["id"] for one in found] == [one["id"] for one in found]


@EDITIONS
@given(contents())
def test_whatever_is_referred_to_is_there_and_comes_first(content):
    """PRO-04 and PRO-07."""
    known = {ids.PORTAL, *ids.TLP_MARKING.values()}
    for one in objects(release(content)):
        known.add(one["id"])
        for name, value in fields(one):
            if name.endswith(("_ref", "_refs")):
                assert set([value] if isinstance(value, str) else value) <= known


@EDITIONS
@given(contents())
def test_ids_are_random_or_computed_and_never_shared(content):
    """PRO-02: the prefix is the type, one UUID is one object, an SCO's id is what stix2 computes."""
    found = objects(release(content))
    assert len({one["id"][-36:] for one in found}) == len(found)
    for one in found:
        assert one["id"].startswith(one["type"] + "--")
        if "created" in one:
            assert UUID(one["id"][-36:]).version == 4
        else:
            assert stix2.parse({name: one[name] for name in one.keys() - {"id"}})["id"] == one["id"]


@EDITIONS
@given(contents())
def test_everything_but_an_observable_is_ours_and_marked_once(content):
    """PRO-04 and PRO-05."""
    for one in objects(release(content)):
        ours = (ids.PORTAL, [ids.TLP_MARKING[content.tlp]]) if "created" in one else (None, None)
        assert (one.get("created_by_ref"), one.get("object_marking_refs")) == ours


@EDITIONS
@given(contents())
def test_times_have_three_digits_and_the_right_order(content):
    """PRO-03 and PRO-12."""
    for one in objects(release(content)):
        times = [value for name, value in fields(one) if name in OWN_TIMES]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times)
        assert one.get("created") == one.get("modified")
        assert one.get("valid_from", "") <= one.get("valid_until", "9")
        assert 0 <= one.get("confidence", 0) <= 100


@EDITIONS
@given(contents())
def test_nothing_is_empty_and_no_name_is_reserved(content):
    """PRO-08."""
    for name, value in chain.from_iterable(map(fields, objects(release(content)))):
        assert name not in RESERVED and value not in (None, "", [], {})


@EDITIONS
@given(contents())
def test_whatever_has_words_has_them_in_both_languages(content):
    """PRO-13: each twin names the version it translates, and translates all its words."""
    found = objects(release(content))
    twins = {one["object_ref"]: one for one in found if one["type"] == "language-content"}
    worded = {one["id"]: one for one in found if "lang" in one}
    assert twins.keys() == worded.keys()
    for stix_id, one in worded.items():
        words = one.keys() & {"name", "description"}
        assert {lang: said.keys() for lang, said in twins[stix_id]["contents"].items()} == {
            {"ja": "en", "en": "ja"}[one["lang"]]: words
        }
        assert twins[stix_id]["object_modified"] == one["modified"]


@EDITIONS
@given(contents())
def test_relationships_are_those_that_every_consumer_knows(content):
    """PRO-10."""
    ends = {
        (one["relationship_type"], one["source_ref"].split("--")[0], one["target_ref"].split("--")[0])
        for one in objects(release(content))
        if one["type"] == "relationship"
    }
    related = {"identity", "indicator", "observed-data", "vulnerability"}
    assert ends <= {("related-to", "incident", end) for end in related} | {("based-on", "indicator", "observed-data")}


@EDITIONS
@given(contents())
def test_a_second_rendering_gives_the_same_bytes(content):
    """PRO-14."""
    id_of = keeper()
    first = release(content, id_of)
    second = release(content, id_of, first, LATER)
    assert second == [replace(one, changed=False) for one in first]


@settings(max_examples=200, deadline=None)
@given(HOSTILE)
def test_a_pattern_holds_exactly_what_was_submitted(value):
    """PRO-09 and PRO-18: one comparison, and a quote does not end it."""
    assert compared(pattern(make_finding("url", value))) == [(["value"], "=", value)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("ipv4-addr", "[ipv4-addr:value = 'x']"),
        ("email-addr", "[email-addr:value = 'x']"),
        ("md5", "[file:hashes.MD5 = 'x']"),
        ("sha1", "[file:hashes.'SHA-1' = 'x']"),
        ("sha256", "[file:hashes.'SHA-256' = 'x']"),
        ("sha512", "[file:hashes.'SHA-512' = 'x']"),
    ],
)
def test_each_type_has_its_path(kind, expected):
    assert pattern(make_finding(kind, "x")) == expected


def test_every_type_of_finding_has_a_lifetime_and_a_name_in_both_languages():
    assert LIFETIME_DAYS.keys() == VALUES.keys()
    for kind in VALUES:
        assert names.indicator(kind, "{value}").keys() == {"ja", "en"}


def test_an_observable_has_the_id_that_the_standard_gives_it():
    finding = make_finding("ipv4-addr", "198.51.100.3")
    found = only(release(make_content(findings=(finding,))), "ipv4-addr")
    assert found == {
        "type": "ipv4-addr",
        "spec_version": "2.1",
        "value": "198.51.100.3",
        "id": "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4",
    }


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=20))
def test_a_computed_id_is_the_one_that_stix2_computes(value):
    """Control characters included: the canonical JSON has to agree to the byte."""
    assert ids.sco_id("url", {"value": value}) == stix2.URL(value=value).id


def test_a_changed_sector_gives_a_new_identity_and_twin_and_nothing_else():
    id_of = keeper()
    content = make_content(findings=(make_finding(),), vulnerabilities=("CVE-2021-44228",))
    first = release(content, id_of)
    sector = {"sectors": ("energy",), "sector_names": {"ja": "電力", "en": "electricity"}}
    second = release(replace(content, **sector), id_of, first, LATER)
    assert {one.key for one in second if one.changed} == {"identity", "language:identity"}
    assert only(second, "identity")["name"] == "重要インフラ事業者（電力）"
    assert {one.created for one in second} == {one.created for one in first}


def test_a_sector_that_failed_the_check_is_not_named_either():
    """The k-check empties `sectors`; a name left behind by mistake must not speak."""
    rendered = release(make_content(sector_names={"ja": "電力", "en": "electricity"}))
    assert "電力" not in only(rendered, "identity")["name"] and b"electricity" not in rendered[1].body


def test_a_new_version_is_later_even_when_the_clock_goes_back():
    id_of = keeper()
    first = release(make_content(), id_of)
    second = release(make_content(incident_kind="ddos"), id_of, first, NOW - timedelta(days=1))
    versions = [[one.modified for one in several if one.key == "incident"] for several in (first, second)]
    assert versions[1][0] - versions[0][0] == timedelta(milliseconds=1)


def test_going_back_to_what_was_said_before_is_a_new_version():
    """A → B → A: the third says what the first said, later."""
    id_of, content = keeper(), make_content()
    first = release(content, id_of)
    second = release(replace(content, tlp="green"), id_of, first, LATER)
    third = release(content, id_of, second, LATER)
    assert all(one.changed for one in third)
    assert [one.digest for one in third][0::2] == [one.digest for one in first][0::2]


@pytest.mark.parametrize(
    ("kind", "until"),
    [
        ("ipv4-addr", "2026-12-15T03:04:05.678Z"),
        ("ipv6-addr", "2026-12-15T03:04:05.678Z"),
        ("domain-name", "2027-03-01T03:04:05.678Z"),
        ("url", "2027-03-01T03:04:05.678Z"),
        ("sha256", None),
    ],
)
def test_an_indicator_is_valid_from_its_release_for_as_long_as_its_type_lives(kind, until):
    found = only(release(make_content(findings=(make_finding(kind, "x"),))), "indicator")
    assert found["valid_from"] == found["created"] == "2026-12-01T03:04:05.678Z"
    assert found.get("valid_until") == until


def test_a_source_that_indicates_nothing_is_observed_data_of_the_incident():
    rendered = release(make_content(findings=(make_finding(indicates=False),)))
    linked = {one["target_ref"] for one in objects(rendered) if one["type"] == "relationship"}
    assert not [one for one in rendered if one.type == "indicator"]
    assert only(rendered, "observed-data")["id"] in linked


def test_a_value_pasted_twice_is_one_indicator():
    sure = make_finding(indicates=False, confidence=90)
    pasted = (sure, make_finding(confidence=30), make_finding(confidence=60))
    rendered = release(make_content(findings=pasted))
    assert only(rendered, "indicator")["confidence"] == 60
    assert len({one.key for one in rendered}) == len(rendered)


def test_a_finding_is_seen_on_a_day_and_no_finer():
    """Even when a time is handed in where a day was asked for."""
    content = make_content(findings=(make_finding(),), observed_on=datetime(2026, 11, 30, 13, 37, tzinfo=UTC))
    found = only(release(content), "observed-data")
    assert found["first_observed"] == found["last_observed"] == "2026-11-30T00:00:00.000Z"


@pytest.mark.parametrize("kind", KINDS)
def test_an_incident_says_its_kind_and_uses_the_common_subset(kind):
    """PRO-17; and without approval there is no description."""
    found = only(release(make_content(incident_kind=kind)), "incident")
    core = found["extensions"][ids.INCIDENT_CORE]
    assert core.keys() == {"extension_type", "determination", "investigation_status", "incident_types"}
    assert (core["determination"], core["investigation_status"]) == ("suspected", "new")
    assert all(re.fullmatch(r'rsit:[a-z-]+="[a-z-]+"', label) for label in found["labels"])
    assert "description" not in found


def test_a_description_in_one_language_only_is_not_translated_into_nothing():
    rendered = release(make_content(description={"ja": "説明", "en": ""}))
    assert only(rendered, "incident")["description"] == "説明"
    twin = next(one for one in rendered if one.key == "language:incident")
    assert orjson.loads(twin.body)["contents"] == {"en": {"name": "Ransomware incident"}}


def test_an_edition_has_no_word_that_its_content_has_not():
    """PRO-15: these names are ours, and there is no other text."""
    said = {
        value
        for name, value in chain.from_iterable(map(fields, objects(release(make_content()))))
        if name in {"name", "description"}
    }
    assert said == {
        "重要インフラ事業者",
        "Critical infrastructure operator",
        "ランサムウェア事案",
        "Ransomware incident",
    }


def test_japanese_stays_readable_and_the_important_keys_come_first():
    incident = next(one for one in release(make_content()) if one.key == "incident")
    assert "ランサムウェア事案".encode() in incident.body
    assert list(orjson.loads(incident.body))[:8] == [
        "type",
        "spec_version",
        "id",
        "created_by_ref",
        "created",
        "modified",
        "lang",
        "name",
    ]


def test_a_revoked_object_is_valid_and_the_last_version():
    """PRO-16."""
    rendered = [one for one in release(make_content(findings=(make_finding(),))) if one.version]
    last = [revoke(one.body, now=NOW) for one in rendered]
    assert problems([orjson.loads(body) for body, _ in last]) == []
    assert all(version > one.version for one, (_, version) in zip(rendered, last, strict=True))
    with pytest.raises(WrongState):
        revoke(last[0][0], now=LATER)


def test_what_has_no_versions_cannot_be_revoked():
    rendered = release(make_content(findings=(make_finding(),)))
    with pytest.raises(WrongState):
        revoke(next(one.body for one in rendered if one.version is None), now=NOW)


def test_a_time_without_a_zone_is_refused():
    """It would be taken as the zone of whatever machine runs this."""
    with pytest.raises(ValueError, match="zone"):
        release(make_content(), now=NOW.replace(tzinfo=None))


def test_an_id_that_was_forgotten_is_noticed():
    """The old object would stay in the feed for ever, beside its double."""
    first = release(make_content())
    with pytest.raises(ValueError, match="was"):
        release(make_content(), keeper(), first)


def test_the_publisher_is_public_valid_and_the_same_everywhere():
    found = objects(fixed_objects())
    assert problems(found) == []
    assert [one["id"] for one in found] == [ids.PORTAL, ids.PORTAL_IN_ENGLISH]
    assert all(one["object_marking_refs"] == [ids.TLP_MARKING["clear"]] for one in found)
    assert orjson.loads(fixed_objects()[0].body)["modified"] == "2026-11-21T00:00:00.000Z"


def test_a_change_of_the_publisher_needs_a_new_time():
    """These bytes are out there. Change the text, then `modified`, then this test."""
    digest = sha256(b"\n".join(one.body for one in fixed_objects())).hexdigest()
    assert digest == "b807c86d62c7e44f58faa636202d5cc80efbdb8b7e1a5c5361e78573558e0799"
