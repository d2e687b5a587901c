"""Posted objects: what the standard refuses is refused, and nothing else, whoever is asked for a second opinion."""

from __future__ import annotations

import gzip
import json
import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stix2validator import ValidationOptions, validate_instance

from exchange.stix.portal import fixed_objects
from exchange.stix.render import revoke
from exchange.stix.valid import faults, is_stix_20, version_of
from exchange.tables import table
from tests.stix_examples import EXAMPLES, EXTENSION, LATER, MD5, SHA256, TIME, id_of, sco, sdo
from tests.test_stix import NOW, contents, objects, release

TABLE = table("stix_objects")
OPTIONS = ValidationOptions(version="2.1")

# Where the labels of the corpora, made by the OASIS validator, are not what the standard says.
WRONG_LABELS = {
    ("platform/opencti-cyclic-bundle.json", 0): "created_by_ref is the id of an identity (3.2), and here of a marking",
    ("platform/opencti-cyclic-bundle.json", 1): "the same object once more",
    ("spec-examples/examples-even.json", 65): "a granular marking may have lang instead of marking_ref (7.2.3)",
}

# What the OASIS validator (3.2.0) refuses although the standard does not, by how it says so.
FALSE_ALARMS = {
    r"languages\[\d+\]: |.* contains an invalid ISO 639-2": "software.languages are tags of RFC 5646 (6.14)",
    r".* is not a valid RFC 5646|Invalid key .* RFC 5646": "it knows a short list of tags, and only in one case",
    r"extensions.windows-process-ext.startup_info": "the standard names no keys for STARTUP_INFO (6.13.2)",
    r"extensions.socket-ext.options": "of the keys it is a SHOULD (6.12.4)",
    r"mime_type: |The 'mime_type' property": "of the IANA registry it is a SHOULD (6.1)",
    r"additional_header_fields\.": "a list of one value is what the standard asks for (6.6)",
    r"'definition' must contain a valid statement": "it takes every type that begins with `statement` for that one",
    r".* must be later than": "it compares times of different precision as texts",
    r"extensions.windows-pebinary-ext.optional_header: Custom": "custom properties may stand in any type (11.1)",
    r"extensions.windows-process-ext: .*'integrity_level'": "its list of properties is that of an earlier draft",
    r"\{.*'modified_time': .* is not valid under any": "its list of properties is that of an earlier draft",
    r"Pattern failed to validate: FAIL: .* hash": "it takes a set, or what LIKE is compared to, for one hash",
}


def example(stix_type: str, number: int = 0, /, **changes: Any) -> dict[str, Any]:
    """An example of a type, with other properties; those that are None are left out."""
    found = [one for one in EXAMPLES if one["type"] == stix_type][number]
    changed = {**deepcopy(found), **changes}
    return {name: value for name, value in changed.items() if value is not None}


def second_opinion(thing: dict[str, Any]) -> list[str]:
    """What the OASIS validator calls an error, false alarms left out; nothing where it breaks down itself."""
    try:
        errors = [str(error) for error in validate_instance(thing, OPTIONS).errors]
    except Exception:
        return []
    said = [error.partition(": ")[2].partition("\n")[0] for error in errors]
    return [error for error in said if not any(re.match(alarm, error) for alarm in FALSE_ALARMS)]


@cache
def corpus(path: Path) -> list[Any]:
    """The objects of a file of the corpora."""
    raw = path.read_bytes()
    found = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    if isinstance(found, dict) and "objects" in found and found.get("type") == "bundle":
        return list(found["objects"])
    return found if isinstance(found, list) else [found]


def test_the_corpora_are_valid_where_their_labels_say_so(testdata):
    labels = json.loads(testdata("stix21-labels.json").read_bytes())
    wrong = {}
    for name, label in labels.items():
        for index, thing in enumerate(corpus(testdata(f"stix21/{name}")) if label["json"] else []):
            if bool(faults(thing)) != (str(index) in label["invalid"]):
                wrong[name, index] = faults(thing)
    assert wrong.keys() == WRONG_LABELS.keys()


def test_whatever_is_of_stix_20_is_known_as_that_and_refused(testdata):
    old = [thing for path in testdata("stix20").rglob("*.json*") for thing in corpus(path)]
    assert len(old) > 500
    assert all(is_stix_20(thing) and faults(thing) for thing in old)


def test_every_type_of_the_table_has_an_example():
    assert set(TABLE["objects"]) < {one["type"] for one in EXAMPLES}


@pytest.mark.parametrize("thing", EXAMPLES, ids=lambda one: one["type"])
def test_an_example_with_nearly_every_property_is_valid(thing):
    """For us, and for the OASIS validator."""
    assert faults(thing) == []
    assert second_opinion(thing) == []


@settings(max_examples=40, deadline=None)
@given(contents())
def test_what_we_publish_ourselves_is_valid(content):
    """Control characters never get into our own content; the strategy has them for the encoder's sake."""
    found = [sentence for one in objects(release(content)) for sentence in faults(one)]
    assert [sentence for sentence in found if "control character" not in sentence] == []


def test_the_fixed_objects_and_a_revoked_one_are_valid():
    bodies = [one.body for one in fixed_objects()]
    bodies.append(revoke(bodies[0], now=NOW)[0])
    assert [faults(orjson.loads(body)) for body in bodies] == [[], [], []]


OTHER_VALUES = [
    *(None, True, False, 0, -1, 5, 1.5, 101, 70_000, 2**53, [], [1], ["x"], {}, {"a": 1}, {"abc": "x"}, "", "x"),
    *("en", "2026-13-01T00:00:00.000Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000+00:00", "identity--x"),
    *(id_of("identity"), id_of("indicator"), id_of("bundle"), "[a:b", "[file:name = 'x']", "1999-01-01T00:00:00.000Z"),
]
# No long runs of letters among these: the OASIS validator's expressions for names take exponential time on them.
OTHER_NAMES = [
    *("severity", "action", "username", "xx", "_abc", "Abc", "x_foo", "x_foo_hex", "defanged", "x-foo"),
    *("spec_version", "revoked", "lang", "is_active", "body", "extension_properties"),
]
SPOILERS = [
    *(lambda text: text + "!", lambda text: text[:-1], lambda text: text[1:], lambda text: " " + text, str.upper),
    *(lambda text: text.replace("--", "-"), lambda text: text.replace("Z", ""), lambda text: text.replace(":", "")),
    *(lambda text: text.replace("-", "_"), lambda text: text.replace(".", "..")),
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) at any depth."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in list(inside) for place in [(value, key), *places(item)]]


@st.composite
def spoiled(draw):
    """An example in which one thing or two were removed, replaced, added, swapped or written wrongly."""
    thing = deepcopy(draw(st.sampled_from(EXAMPLES)))
    for _ in range(draw(st.integers(1, 2))):
        container, key = draw(st.sampled_from(places(thing) or [({"gone": 1}, "gone")]))
        way = draw(st.sampled_from(["remove", "replace", "write", "add", "swap"]))
        if way == "remove":
            del container[key]
        elif way == "write" and isinstance(container[key], str):
            container[key] = draw(st.sampled_from(SPOILERS))(container[key])
        elif way == "add" and isinstance(container, dict):
            container[draw(st.sampled_from(OTHER_NAMES))] = deepcopy(draw(st.sampled_from(OTHER_VALUES)))
        elif way == "swap":
            other = draw(st.sampled_from(list(container) if isinstance(container, dict) else range(len(container))))
            container[key], container[other] = container[other], container[key]
        else:
            container[key] = deepcopy(draw(st.sampled_from(OTHER_VALUES)))
    return thing


@settings(max_examples=500, deadline=None)
@given(spoiled())
def test_what_the_oasis_validator_refuses_is_refused(thing):
    """All but its false alarms. It misses much that we do not, so nothing is asked the other way round."""
    errors = second_opinion(thing)
    assert faults(thing) or not errors, errors


@pytest.mark.parametrize(
    "thing",
    [
        example("identity", lang="zh-Hant-TW"),
        example("identity", lang="JA"),
        sco("domain-name", value="_dmarc.a_b.example"),
        sco("email-addr", value="root@localhost"),
        sco("ipv6-addr", value="::ffff:198.51.100.3"),
        sco("windows-registry-key", modified_time=TIME),
        sco("process", extensions={"windows-process-ext": {"integrity_level": "low"}}),
        sco("artifact", payload_bin="AAAA", mime_type="application/x-not-registered"),
        sco("file", hashes={"SHA-256": SHA256}, granular_markings=[{"lang": "ja", "selectors": ["hashes.SHA-256"]}]),
        sco("ipv4-addr", value="198[.]51[.]100[.]3", defanged=True),
        example("indicator", pattern=f"[file:hashes.MD5 IN ('{MD5}', '{MD5}')]"),
        example("campaign", first_seen="2026-01-01T00:00:00.1Z", last_seen="2026-01-01T00:00:00.100Z"),
    ],
    ids=lambda one: one["type"],
)
def test_what_the_standard_allows_is_taken_though_the_oasis_validator_refuses_it(thing):
    assert faults(thing) == []
    assert validate_instance(thing, OPTIONS).errors


@pytest.mark.parametrize(
    "thing",
    [
        example("identity", created="2026-01-01T00:00:00.000000Z", modified="2026-01-01T00:00:00.000Z"),
        example("identity", name="", x_more={"empty": [], "nothing": None}),
        example("identity", phone_numbers="1"),
        example("identity", roles=["anything at all"], identity_class="Whatever"),
        example("identity", id=id_of("identity", version=1)),
        example("identity", description="\u202e tab\tand\r\n line, and \U0001f600"),
        example("identity", confidence=0),
        example("grouping", name=None),
        example("malware", name=None, is_family=False),
        example("location", region=None, latitude=None, longitude=None, precision=None),
        example("indicator", valid_until="2026-11-21T03:04:05.678000001Z"),
        example("indicator", pattern_type="sigma", pattern="title: a"),
        example("relationship", relationship_type="x"),
        example("relationship", source_ref=id_of("x-other"), target_ref=id_of("url", version=5)),
        example("sighting", sighting_of_ref=id_of("x-other")),
        example("observed-data", object_refs=None, objects={"0": {"type": "url", "value": "x"}}),
        example(
            "observed-data",
            object_refs=None,
            objects={"0": {"type": "file", "name": "a", "parent_directory_ref": "1"}, "1": {"type": "directory"}},
        ),
        example("marking-definition", definition_type="TLP", definition={"TLP": "x"}),
        example("language-content", object_ref=id_of("language-content")),
        sco("email-addr", value="abc..def.@docomo.example"),
        sco("url", value="hxxp://a.example"),
        sco("url", value="https://[2001:db8::1]:8443/?q=[1]".replace("[1]", "%5B1%5D")),
        sco("domain-name", value="a.example."),
        sco("domain-name", value="xn--i-7iq.example"),
        sco("file", name="a", hashes={"sha256": "anything", "TLSH": "T1" + "A" * 70}),
        sco("file", name="a", extensions={"x-other-ext": {"any_thing": 1}}),
        sco("user-account", extensions={"unix-account-ext": {"gid": 0}}),
        {"type": "ipv4-addr", "id": id_of("ipv4-addr", version=5), "value": "0.0.0.0/0"},
        sco("x-thing-without-versions", one_two=1),
        sdo("x-thing-with-versions", one_two=1),
    ],
    ids=lambda one: one["type"],
)
def test_what_only_should_be_otherwise_is_taken(thing):
    assert faults(thing) == []


def broken(stix_type: str, number: int = 0, /, **changes: Any) -> tuple[dict[str, Any], str]:
    """An example spoilt in one property, and the name that must be said."""
    return example(stix_type, number, **changes), next(iter(changes))


SELECTED = {"marking_ref": id_of("marking-definition")}
PE = {"pe_type": "exe", "imphash": "1"}

REFUSED = [
    # Properties that all types have.
    broken("identity", spec_version="2.0"),
    broken("identity", spec_version=2.1),
    broken("identity", spec_version=None),
    broken("identity", id=None),
    broken("identity", id="identity--00000001-3f0c-6f6e-8a41-4b0e9d515f0b"),
    broken("identity", id="identity--00000001-3f0c-4f6e-7a41-4b0e9d515f0b"),
    broken("identity", id=id_of("indicator")),
    broken("identity", id=id_of("identity") + "\n"),
    broken("identity", type="identity-"),
    broken("identity", type="a" * 251),
    broken("identity", created=None),
    broken("identity", created="2026-11-21T03:04:05Z"),
    broken("identity", modified="2026-11-21T03:04:05.677Z"),
    broken("identity", modified="2026-02-29T00:00:00.000Z"),
    broken("identity", modified="2026-11-21t03:04:06.000z"),
    broken("identity", modified="2026-11-21T03:04:06.000+00:00"),
    broken("identity", modified="2026-11-21T03:04:06.0000000001Z"),
    broken("identity", modified="2026-11-21T03:04:60.000Z"),
    broken("identity", created="1969-12-31T23:59:59.000Z"),
    broken("identity", created_by_ref=id_of("marking-definition")),
    broken("identity", revoked="true"),
    broken("identity", revoked=1),
    broken("identity", labels="abc"),
    broken("identity", labels=[]),
    broken("identity", labels=["a", 5]),
    broken("identity", confidence=101),
    broken("identity", confidence=True),
    broken("identity", confidence="50"),
    broken("identity", confidence=50.0),
    broken("identity", confidence=50.9),
    broken("identity", lang="jp"),
    broken("identity", lang="en_US"),
    broken("identity", lang="japanese"),
    broken("identity", lang=""),
    broken("identity", external_references=[{"source_name": "a"}]),
    broken("identity", external_references=[{"url": "https://a.example"}]),
    broken("identity", external_references=[{"source_name": "a", "url": "not a url"}]),
    broken("identity", external_references=[{"source_name": "cve", "external_id": "CVE-24-1"}]),
    broken("identity", external_references=[{"source_name": "CVE", "external_id": "CVE-2024-3400"}]),
    broken("identity", external_references=[{"source_name": "a", "url": "b:c", "hashes": {"x_own": "1"}}]),
    broken("identity", object_marking_refs=[id_of("identity")]),
    broken("identity", object_marking_refs=[]),
    broken("identity", granular_markings=[{**SELECTED, "selectors": ["description"]}]),
    broken("identity", granular_markings=[{**SELECTED, "selectors": ["sectors.[1]"]}]),
    broken("identity", granular_markings=[{**SELECTED, "selectors": ["name.[0]"]}]),
    broken("identity", granular_markings=[{**SELECTED, "selectors": ["sectors.name"]}]),
    broken("identity", granular_markings=[{**SELECTED, "selectors": ["name."]}]),
    broken("identity", granular_markings=[{**SELECTED, "selectors": []}]),
    broken("identity", granular_markings=[{"selectors": ["name"]}]),
    broken("identity", granular_markings=[{**SELECTED, "lang": "en", "selectors": ["name"]}]),
    broken("identity", defanged=False),
    broken("identity", severity=5),
    broken("identity", username="a"),
    broken("identity", phone_number="1"),
    broken("course-of-action", action="a"),
    broken("identity", x_a={}),
    broken("identity", x_a=[]),
    broken("identity", ab=1),
    broken("identity", Abc=1),
    broken("identity", _abc=1),
    (example("identity", **{"a" * 251: 1}), "aaa"),
    broken("identity", x_a_bin="A"),
    broken("identity", x_a_hex="0x1"),
    broken("identity", x_a=2**53),
    broken("identity", x_a={"deep": [-(2**53)]}),
    broken("identity", x_a=float("nan")),
    broken("identity", x_a=[float("inf")]),
    broken("identity", extensions={}),
    broken("identity", extensions={EXTENSION: {}}),
    broken("identity", extensions={EXTENSION: {"extension_type": "new"}}),
    broken("identity", extensions={EXTENSION: {"extension_type": "new-sdo", "ab": 1}}),
    broken("identity", extensions={"extension-definition--1": {"extension_type": "new-sdo"}}),
    broken("identity", extensions={"some-ext": {}}),
    broken("identity", name="a\0b"),
    broken("identity", name="a\x85b"),
    broken("identity", name="\ud800"),
    broken("identity", description="あ" * 21_846),
    broken("identity", x_text="a" * 65_537),
    # SDOs and SROs.
    broken("attack-pattern", kill_chain_phases=[{"kill_chain_name": "a"}]),
    broken("campaign", last_seen="2025-12-31T23:59:59.999999999Z"),
    broken("indicator", pattern=""),
    broken("indicator", pattern="[file:name = 'a'"),
    broken("indicator", 1, pattern=" "),
    broken("indicator", valid_until=TIME),
    broken("indicator", valid_from=None),
    broken("location", latitude=90.1),
    broken("location", latitude="35.68"),
    broken("location", longitude=None),
    (example("location", region=None, country=None, latitude=None, longitude=None, precision=None), "region"),
    broken("location", latitude=None),
    broken("malware", is_family=None),
    broken("malware", name=None),
    broken("malware", sample_refs=[id_of("url")]),
    broken("malware-analysis", result=None, analysis_sco_refs=None),
    broken("note", object_refs=[id_of("bundle")]),
    broken("observed-data", number_observed=0),
    broken("observed-data", number_observed=10**9),
    broken("observed-data", object_refs=[id_of("relationship")]),
    broken("observed-data", object_refs=[id_of("identity")]),
    broken("observed-data", object_refs=None),
    broken("observed-data", objects={"0": {"type": "url", "value": "a:b"}}),
    broken("observed-data", objects={"0": {"value": "a:b"}}, object_refs=None),
    broken("observed-data", objects={}, object_refs=None),
    broken("observed-data", objects={"0": {"type": "file", "content_ref": "1"}}, object_refs=None),
    broken("observed-data", last_observed="2025-12-31T00:00:00Z"),
    broken("opinion", opinion="maybe"),
    broken("relationship", relationship_type="Uses"),
    broken("relationship", source_ref=id_of("sighting")),
    broken("relationship", target_ref=id_of("marking-definition")),
    broken("relationship", stop_time="2026-01-01T00:00:00.121Z"),
    broken("sighting", sighting_of_ref=id_of("ipv4-addr")),
    broken("sighting", count=-1),
    broken("sighting", observed_data_refs=[id_of("indicator")]),
    broken("sighting", where_sighted_refs=[id_of("malware")]),
    # SMOs.
    broken("extension-definition", created_by_ref=None),
    broken("extension-definition", extension_types=["new"]),
    (example("extension-definition", extension_types=["new-sdo"]), "extension_properties"),
    broken("language-content", contents={"jp": {"name": "a"}}),
    broken("language-content", contents={"ja": "a"}),
    broken("language-content", contents={"ja": {"a": "b"}}),
    broken("language-content", contents={}),
    broken("marking-definition", definition=None),
    broken("marking-definition", definition={"text": "a"}),
    broken("marking-definition", definition="a"),
    (example("marking-definition", 1, extensions=None), "extensions"),
    broken("marking-definition", 1, extensions={"some-ext": {"abc": 1}}),
    (example("marking-definition", 2, id=id_of("marking-definition")), "TLP"),
    (example("marking-definition", 2, definition={"tlp": "red"}), "TLP"),
    (example("marking-definition", object_marking_refs=[id_of("marking-definition")]), "itself"),
    # SCOs.
    broken("artifact", payload_bin="AAA"),
    broken("artifact", url="https://a.example", hashes={"MD5": MD5}),
    broken("artifact", 1, hashes=None),
    broken("artifact", 1, encryption_algorithm="ROT13"),
    broken("artifact", decryption_key="a"),
    broken("autonomous-system", number="15139"),
    broken("directory", path_enc="shift_jis"),
    broken("domain-name", value="example[.]com"),
    broken("domain-name", value="a" * 64 + ".example"),
    broken("domain-name", value=".".join(["a" * 60] * 5)),
    broken("domain-name", value="a..example"),
    broken("domain-name", value="evil\u202e.example"),
    broken("email-addr", value="Jane <jane@a.example>"),
    broken("email-addr", value="jane"),
    broken("email-addr", value="jane@"),
    broken("email-addr", value="ja\u200bne@a.example"),
    broken("email-message", body="a"),
    broken("email-message", 1, body_multipart=[{"body": "a"}]),
    broken("email-message", body_multipart=[{"content_type": "text/plain"}]),
    broken("email-message", body_multipart=[{"body": "a", "body_raw_ref": id_of("file")}]),
    broken("email-message", is_multipart="false"),
    broken("file", hashes=None, name=None, name_enc=None),
    broken("file", hashes={"MD5": SHA256}),
    broken("file", hashes={"ab": "c"}),
    broken("file", hashes={"SHA-256": 5}),
    broken("file", size=-1),
    broken("file", magic_number_hex="abc"),
    broken("file", name=None),
    broken("file", extensions={"ntfs-ext": {}}),
    broken("file", extensions={"archive-ext": {"contains_refs": [id_of("url")]}}),
    broken("file", extensions={"raster-image-ext": {"exif_tags": {"make": "N"}}}),
    broken("file", extensions={"windows-pebinary-ext": {"pe_type": "exe"}}),
    broken("file", extensions={"windows-pebinary-ext": {**PE, "time_date_stamp": TIME}}),
    broken("file", extensions={"windows-pebinary-ext": {**PE, "optional_header": {"size_of_code": -1}}}),
    broken("file", extensions={"windows-pebinary-ext": {**PE, "sections": [{"entropy": 5}]}}),
    broken("ipv4-addr", value="198.51.100.256"),
    broken("ipv4-addr", value="198.51.100.03"),
    broken("ipv4-addr", value="198.51.100.0/33"),
    broken("ipv6-addr", value="2001:db8::1::"),
    broken("ipv6-addr", value="::1/129"),
    broken("ipv6-addr", value="fe80::1%eth0"),
    broken("mac-addr", value="D2:FB:49:24:37:18"),
    broken("mac-addr", value="d2-fb-49-24-37-18"),
    broken("network-traffic", protocols=[]),
    broken("network-traffic", src_port=65_536),
    broken("network-traffic", src_ref=None, dst_ref=None),
    broken("network-traffic", end="2026-11-21T03:04:05.677Z"),
    (example("network-traffic", is_active=True), "end"),
    broken("network-traffic", extensions={"tcp-ext": {}}),
    broken("network-traffic", extensions={"icmp-ext": {"icmp_type_hex": "08"}}),
    broken("network-traffic", extensions={"socket-ext": {"address_family": "AF_X"}}),
    (sco("process"), "property"),
    broken("process", id=id_of("process", version=5)),
    broken("process", environment_variables={"A": 1}),
    broken("software", cpe="cpe:/a:microsoft:word"),
    broken("url", value="example.com"),
    broken("url", value="http://a.example/{b}"),
    broken("url", value="http://a.example/" + "b" * 2_048),
    (sco("user-account"), "property"),
    broken("windows-registry-key", key="HKLM\\System"),
    broken("windows-registry-key", values=[{}]),
    broken("windows-registry-key", values=[{"data_type": "REG_X"}]),
    (sco("x509-certificate"), "property"),
    broken("x509-certificate", x509_v3_extensions={}),
    (sco("x509-certificate", id=id_of("x509-certificate", version=5), subject="a"), "id"),
    # Types of others.
    (sdo("my-sdo", id=id_of("x-other")), "id"),
    (sdo("my--sdo"), "type"),
    (sco("my-sdo", extensions={EXTENSION: {"extension_type": "new-sdo"}}), "created"),
]


@pytest.mark.parametrize(("thing", "name"), REFUSED, ids=lambda one: one if isinstance(one, str) else one.get("type"))
def test_what_breaks_a_rule_is_refused_by_name(thing, name):
    found = faults(thing)
    assert len(found) in range(1, 6)
    assert any(name in sentence for sentence in found), found


@pytest.mark.parametrize("thing", EXAMPLES, ids=lambda one: one["type"])
def test_no_required_property_may_be_missing_and_none_be_null(thing):
    entry = TABLE["objects"].get(thing["type"], {"kind": "sco"})
    required = {"id", "type", *TABLE["required"][entry["kind"]], *entry.get("required", [])}
    for name in thing:
        assert faults({**thing, name: None}), name
        without = faults({other: thing[other] for other in thing if other != name})
        assert without or name not in required, name


def test_a_reference_points_to_what_the_standard_says_and_never_to_a_bundle():
    for thing in EXAMPLES:
        for container, key in places(spoilt := deepcopy(thing)):
            if re.fullmatch(r"[a-z0-9-]+--[0-9a-f-]{36}", str(container[key])) and key != "id":
                kept, container[key] = container[key], id_of("bundle")
                assert faults(spoilt), (thing["type"], key)
                container[key] = kept


@pytest.mark.parametrize("thing", [None, 5, "a", [], [{"type": "identity"}], True, float("nan"), {1, 2}, b"{}"])
def test_what_is_no_json_object_is_no_stix_object(thing):
    assert len(faults(thing)) == 1
    assert not is_stix_20(thing)


def test_a_bundle_is_not_an_object():
    [said] = faults({"type": "bundle", "id": id_of("bundle"), "objects": [example("identity")]})
    assert "bundle" in said and "not an object" in said


ODD_TEXT = st.text(st.characters(), max_size=20) | st.sampled_from(["\ud800", "a" * 300, "bundle", "2.1", "[a:b"])
ODD_NUMBER = st.integers() | st.floats() | st.just(10**400)
ODD = st.recursive(
    st.none() | st.booleans() | ODD_NUMBER | ODD_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ODD_TEXT | st.integers(), inner, max_size=4),
    max_leaves=12,
)
KNOWN_NAMES = sorted({name for entry in TABLE["objects"].values() for name in entry["properties"]} | {*TABLE["common"]})


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_nothing_is_ever_raised(data):
    """Whatever stands where in an object of whatever type."""
    thing = deepcopy(data.draw(st.sampled_from(EXAMPLES)))
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(thing) or [(thing, "type")]))
        container[key] = data.draw(ODD)
    thing |= data.draw(st.dictionaries(st.sampled_from([*KNOWN_NAMES, "extensions"]), ODD, max_size=3))
    found = faults(thing)
    assert len(found) <= 5
    assert all(sentence.isprintable() and sentence.endswith(".") for sentence in found)
    assert version_of(thing) is None or isinstance(version_of(thing), str)
    assert is_stix_20(thing) in {True, False}


@given(ODD)
def test_nothing_is_ever_raised_for_any_json(value):
    assert isinstance(faults(value), list)


@pytest.mark.parametrize("key", [5, None, (1, 2), 10**5_000], ids=["number", "null", "pair", "huge"])
def test_keys_that_json_cannot_have_are_survived(key):
    """Also where Python refuses to print them."""
    for stix_type, name in [("identity", "x_more"), ("identity", "extensions"), ("language-content", "contents")]:
        assert faults(example(stix_type, **{name: {key: {key: 10**5_000}}}))
    assert faults(example("file", hashes={key: MD5}))
    assert faults(example("file", extensions={"raster-image-ext": {"exif_tags": {key: 1}}}))
    assert faults(example("observed-data", object_refs=None, objects={key: {"type": 10**5_000}}))
    assert faults({**example("identity"), key: 1, "confidence": 10**5_000})


def nested(levels: int) -> list[Any]:
    """A list in a list in a list."""
    value: list[Any] = [1]
    for _ in range(levels):
        value = [value]
    return value


def test_depth_and_length_are_survived():
    assert faults(example("identity", x_deep=nested(20))) == []
    assert faults(example("identity", x_deep=nested(100_000)))
    assert faults(example("observed-data", object_refs=None, objects={"0": nested(100_000)}))
    assert faults(example("report", object_refs=[id_of("identity")] * 10_000)) == []
    assert len(faults(example("report", object_refs=["x"] * 100_000))) <= 5
    assert len(faults({**example("identity"), **{f"X{number}": 1 for number in range(1_000)}})) == 5


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_sentence_repeats_little_of_what_was_sent(data):
    """Sixty characters at most, here all of one letter that our own words never double."""
    thing = deepcopy(data.draw(st.sampled_from(EXAMPLES)))
    for _ in range(3):
        container, key = data.draw(st.sampled_from(places(thing)))
        if isinstance(container, dict) and data.draw(st.booleans()):
            container["Q" * 300] = container["q" * 100] = "Q" * 300
            container["q" * 100 + "_hex"] = "Q" * 300
        else:
            container[key] = data.draw(st.sampled_from(["Q" * 300, {"Q" * 90: "Q"}, ["Q" * 90], {"q" * 90: [{}]}]))
    for sentence in faults(thing):
        assert len("".join(re.findall("q{2,}", sentence.lower()))) <= 60, sentence


def test_no_more_is_said_than_anybody_reads():
    assert len(faults({"type": "indicator"})) == 5
    [said] = faults(example("identity", extensions={"q" * 90 + "-ext": {"q" * 90 + "_hex": "q" * 90}}))
    assert len("".join(re.findall("q{2,}", said))) <= 60


def test_a_version_is_told_by_modified_or_else_by_created():
    assert version_of({"modified": LATER, "created": TIME}) == LATER
    assert version_of({"created": TIME}) == TIME
    assert version_of({"type": "url"}) is None
    assert version_of({"modified": 5, "created": TIME}) == TIME


@pytest.mark.parametrize(
    ("thing", "old"),
    [
        (example("identity", spec_version=None), True),
        (example("identity", spec_version="2.0"), True),
        (example("relationship", spec_version=None), True),
        (example("marking-definition", spec_version=None), True),
        (example("x-example-com-thing", spec_version=None), True),
        (example("identity"), False),
        (example("identity", spec_version="2.2"), False),
        (example("url", spec_version=None), False),
        (example("url", spec_version="2.0"), False),
        (example("my-sco", spec_version=None), False),
        (example("language-content", spec_version=None), False),
        ({"type": "bundle", "id": id_of("bundle"), "spec_version": "2.0"}, False),
        ({}, False),
    ],
)
def test_an_sdo_without_version_is_of_stix_20_and_an_sco_of_21(thing, old):
    """OUR-18."""
    assert is_stix_20(thing) == old
