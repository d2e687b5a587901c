"""The rules of TAXII 2.1 for those who add and delete, each by its id, against a real server over HTTP."""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
import requests
import sqlalchemy as sa

from exchange import contributions, feed_accounts
from exchange.models import Submission
from exchange.stix.ids import PORTAL, TLP_MARKING
from exchange.times import utcnow, version_key
from tests.taxii_house import (
    ACCEPT,
    DATABASES,
    MEDIA_TYPE,
    SENDING,
    V1,
    V2,
    V3,
    Door,
    Json,
    Member,
    open_door,
    thing,
)
from tests.taxii_shapes import body_of, faults, is_timestamp, status_faults

COUNCIL = "/api1/collections/council/"
PUBLISHED = "/api1/collections/isac-ict-isac/"
"""Into this one publishers publish; in the others there is only what the asking member posted itself."""

WRITABLE = ["council", "allied", "isac-t-isac", "isac-ict-isac"]
Answer = TypeVar("Answer")
ONE_MORE_THAN_AT_ONCE = contributions.AT_ONCE + 1


@pytest.fixture(scope="module", params=DATABASES)
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The TAXII server in a process of its own."""
    with open_door(request, tmp_path_factory.mktemp("writing")) as opened:
        yield opened


@pytest.fixture
def alice(door: Door) -> Member:
    """May write to the real collections, and has a new sandbox."""
    return _writer(door)


@pytest.fixture
def bob(door: Door) -> Member:
    """The same of another organization."""
    return _writer(door)


def _writer(door: Door) -> Member:
    return door.join(reads=["public", *WRITABLE], writes=WRITABLE)


@pytest.fixture(params=["sandbox", "council"])
def shelf(request: pytest.FixtureRequest, alice: Member) -> str:
    """The path of a collection that Alice may write to: her own, and a real one."""
    return alice.sandbox if request.param == "sandbox" else COUNCIL


def settled(answer: requests.Response) -> Json:
    """The status of an envelope that was settled while its sender waited."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (202, MEDIA_TYPE), answer.text
    status = body_of(answer)
    assert (status["status"], status_faults(status)) == ("complete", [])
    return status


def successes(status: Json) -> list[tuple[str, str]]:
    """Id and version of what was taken."""
    return [(one["id"], one["version"]) for one in status.get("successes", [])]


def failures(status: Json) -> dict[str, str]:
    """What was not taken, and why."""
    return {one["id"]: one["message"] for one in status.get("failures", [])}


def ids(*things: Json) -> list[str]:
    """The ids of these objects."""
    return [one["id"] for one in things]


# --- adding --------------------------------------------------------------------------------------------------


def test_add_01_a_post_is_202_with_a_status_and_stat_06_the_total_is_what_was_sent(alice: Member, shelf: str) -> None:
    things = [thing(), thing("malware"), thing("ipv4-addr"), thing("marking-definition")]
    status = settled(alice.post(shelf, *things))
    assert (status["total_count"], status["success_count"]) == (4, 4)
    assert alice.get(f"{shelf}objects/").json()["objects"] == things


def test_stat_01_the_status_is_at_its_address_and_says_the_same(alice: Member, shelf: str) -> None:
    posted = alice.post(shelf, thing(), {"type": "nonsense"})
    root = "sandbox" if shelf == alice.sandbox else "api1"
    asked = alice.get(f"/{root}/status/{posted.json()['id']}/")
    assert (asked.status_code, asked.headers["Content-Type"]) == (200, MEDIA_TYPE)
    assert asked.content == posted.content


@pytest.mark.parametrize("query", ["", "limit=0", "added_after=x", "next=x", "match[version]=x"])
def test_stat_01_it_fails_with_401_404_and_406_alone(alice: Member, query: str) -> None:
    path = f"/sandbox/status/{alice.post(alice.sandbox, thing()).json()['id']}/"
    assert alice.get(f"{path}?{query}").status_code == 200
    assert alice.ask("GET", path, auth=None).status_code == 401
    assert alice.ask("GET", path, {"Accept": "text/html"}).status_code == 406
    assert {alice.get(f"/sandbox/status/{name}/?{query}").status_code for name in (uuid4(), "x", "%00", "é")} == {404}


@pytest.mark.parametrize(
    "path", [COUNCIL, "/api1/collections/allied/", "/api1/collections/nothing/", "/sandbox/collections/x/"]
)
def test_add_02_who_may_not_write_gets_403_or_404_and_nothing_is_kept(door: Door, path: str) -> None:
    reader, other = door.join(reads=["council"]), _writer(door)
    one = thing()
    assert reader.post(path, one).status_code == (403 if path == COUNCIL else 404)
    assert reader.post(other.sandbox, one).status_code == 404
    assert one["id"] not in ids_of(other, other.sandbox) + ids_of(reader, COUNCIL)


def ids_of(member: Member, shelf: str) -> list[str]:
    """The ids of every version in a collection."""
    return [stix_id for stix_id, _ in member.keys(shelf)]


def test_add_02_who_may_write_and_not_read_may_post(door: Door) -> None:
    writer = door.join(reads=(), only_writes="isac-t-isac")
    assert settled(writer.post("/api1/collections/isac-t-isac/", thing()))["success_count"] == 1


def test_add_04_the_same_again_is_a_success_and_changes_nothing(alice: Member, shelf: str) -> None:
    one = thing()
    first, again = (settled(alice.post(shelf, one)) for _ in range(2))
    assert successes(first) == successes(again) == [(one["id"], V1)]
    assert first["id"] != again["id"]
    assert alice.keys(shelf) == [(one["id"], V1)]


def test_add_04_and_keeps_its_date(alice: Member, shelf: str) -> None:
    one, manifest = thing(), f"{shelf}manifest/"
    alice.post(shelf, one)
    before = alice.get(manifest)
    alice.post(shelf, one, thing())
    assert alice.get(manifest, limit="1").json()["objects"] == before.json()["objects"]


def test_add_04_twice_in_one_envelope_is_two_successes_and_one_object(alice: Member, shelf: str) -> None:
    one = thing()
    status = settled(alice.post(shelf, one, thing(), one))
    assert (status["total_count"], status["success_count"]) == (3, 3)
    assert ids_of(alice, shelf).count(one["id"]) == 1


@pytest.mark.parametrize(
    "again",
    [
        lambda one: dict(reversed(one.items())),
        lambda one: one | {"name": one["name"].encode().decode()},
        lambda one: json.loads(json.dumps(one, ensure_ascii=True, indent=3)),
    ],
    ids=["keys in another order", "equal text", "blanks and escapes"],
)
def test_add_04_the_same_written_otherwise_is_the_same(
    alice: Member, shelf: str, again: Callable[[Json], Json]
) -> None:
    one = thing(name="攻撃")
    assert settled(alice.post(shelf, one))["success_count"] == 1
    assert settled(alice.post(shelf, again(one)))["success_count"] == 1


def test_add_04_what_is_released_there_already_is_a_success_and_is_not_added(alice: Member, door: Door) -> None:
    one = thing()
    door.publish([one], "isac-ict-isac")
    before = alice.keys(PUBLISHED)
    assert successes(settled(alice.post(PUBLISHED, one))) == [(one["id"], V1)]
    assert alice.keys(PUBLISHED) == before


def test_add_04_ten_at_once_with_the_same_object_all_succeed_and_keep_one(alice: Member, shelf: str) -> None:
    one = thing()
    answers = at_once([lambda: post_alone(alice, shelf, one)] * 10)
    assert [settled(answer)["success_count"] for answer in answers] == [1] * 10
    assert alice.keys(shelf) == [(one["id"], V1)]


def at_once(calls: list[Callable[[], Answer]]) -> list[Answer]:
    """What these calls give when all begin at the same moment."""
    gate = Barrier(len(calls))

    def call(one: Callable[[], Answer]) -> Answer:
        gate.wait()
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def post_alone(member: Member, shelf: str, *things: Json) -> requests.Response:
    """A post over a connection of its own, for use in threads."""
    body = json.dumps({"objects": things})
    return requests.post(f"{member.door.url}{shelf}objects/", body, headers=SENDING, auth=member.auth, timeout=60)


def test_add_01_ten_members_who_post_at_once_while_others_publish_are_all_taken(door: Door) -> None:
    members, published = [_writer(door) for _ in range(10)], [thing() for _ in range(5)]
    posts = [lambda one=one: post_alone(one, PUBLISHED, thing()) for one in members]
    publishing = [lambda one=one: door.publish([one], "public", "isac-ict-isac") for one in published]
    answers = at_once([*posts, *publishing])
    assert [settled(answer)["success_count"] for answer in answers if answer is not None] == [1] * 10
    assert set(ids(*published)) <= set(ids_of(members[0], PUBLISHED))


OTHER_CONTENT: list[Json] = [
    {"name": "another"},
    {"x_added": 1},
    {"description": None},
    {"labels": ["b", "a"]},
    {"x_flag": 1},
]


@pytest.mark.parametrize(
    "change", OTHER_CONTENT, ids=["changed", "added", "taken away", "order of a list", "1 for true"]
)
def test_our_05_the_same_version_with_other_content_is_a_failure_and_the_first_stays(
    alice: Member, shelf: str, change: Json
) -> None:
    one = thing(name="one", description="x", labels=["a", "b"], x_flag=True)
    alice.post(shelf, one)
    other = {name: value for name, value in (one | change).items() if value is not None}
    status = settled(alice.post(shelf, other))
    assert failures(status) == {one["id"]: "this version already exists with different content"}
    assert alice.get(f"{shelf}objects/{one['id']}/").text.count('"x_flag":true') == 1


def test_our_05_within_one_envelope_one_of_two_is_kept(alice: Member, shelf: str) -> None:
    one = thing(name="one")
    status = settled(alice.post(shelf, one, one | {"name": "two"}))
    assert (status["success_count"], status["failure_count"]) == (1, 1)
    assert [kept["name"] for kept in alice.get(f"{shelf}objects/{one['id']}/").json()["objects"]] == ["one"]


def test_our_05_a_released_version_with_other_content_is_a_failure(alice: Member, door: Door) -> None:
    one = thing(name="one")
    door.publish([one], "isac-ict-isac")
    assert one["id"] in failures(settled(alice.post(PUBLISHED, one | {"name": "two"})))
    assert [kept["name"] for kept in alice.get(f"{PUBLISHED}objects/{one['id']}/").json()["objects"]] == ["one"]


def test_filt_19_what_has_no_times_has_one_version_and_other_content_is_no_new_one(alice: Member, shelf: str) -> None:
    address = thing("ipv4-addr")
    [(_, version)] = successes(settled(alice.post(shelf, address)))
    assert alice.keys(shelf) == [(address["id"], version)]
    assert alice.get(f"{shelf}objects/{address['id']}/versions/").json()["versions"] == [version]
    assert settled(alice.post(shelf, address | {"value": "203.0.113.10"}))["failure_count"] == 1


# --- what is refused as a whole --------------------------------------------------------------------------------

TAKEN_TYPES = [
    "application/taxii+json",
    "application/taxii+json;version=2.1",
    'Application/TAXII+json; charset=utf-8; version="2.1"',
    "application/vnd.oasis.taxii+json; version=2.1",
]
OTHER_TYPES = [
    None,
    "",
    "application/taxii+json;version=2.0",
    "application/json",
    "application/stix+json;version=2.1",
    "text/plain",
    "application/*",
    "*/*",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
]


@pytest.mark.parametrize("content_type", TAKEN_TYPES)
def test_neg_06_what_is_defined_is_never_415(alice: Member, content_type: str) -> None:
    body = json.dumps({"objects": [thing()]}).encode()
    settled(alice.send(alice.sandbox, body, ACCEPT | {"Content-Type": content_type}))


@pytest.mark.parametrize("accept", ["application/taxii+json", "application/json, text/plain, */*"])
def test_neg_04_a_post_and_a_delete_are_answered_in_the_only_version_there_is(alice: Member, accept: str) -> None:
    one = thing()
    body, headers = json.dumps({"objects": [one]}).encode(), {"Accept": accept, "Content-Type": MEDIA_TYPE}
    settled(alice.send(alice.sandbox, body, headers))
    gone = alice.ask("DELETE", f"{alice.sandbox}objects/{one['id']}/", {"Accept": accept})
    assert (gone.status_code, gone.headers["Content-Type"]) == (200, MEDIA_TYPE)


@pytest.mark.parametrize("content_type", OTHER_TYPES)
def test_add_05_another_content_type_is_415_and_nothing_is_kept(alice: Member, content_type: str | None) -> None:
    body = json.dumps({"objects": [thing()]}).encode()
    refused(alice.send(alice.sandbox, body, ACCEPT | {"Content-Type": content_type}), 415)
    nothing_in(alice)


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate", "identity, gzip"])
def test_add_05_a_packed_body_is_415_and_nothing_is_kept(alice: Member, coding: str) -> None:
    body = json.dumps({"objects": [thing()]}).encode()
    refused(alice.send(alice.sandbox, body, SENDING | {"Content-Encoding": coding}), 415)
    nothing_in(alice)


def refused(answer: requests.Response, status: int) -> None:
    """It is refused like this, with a TAXII error."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, MEDIA_TYPE), answer.text
    assert (faults("error", body_of(answer)), body_of(answer)["http_status"]) == ([], str(status))


def nothing_in(member: Member) -> None:
    """Its sandbox is still empty."""
    assert member.get(f"{member.sandbox}objects/").content == b"{}"


def _many(count: int) -> bytes:
    return json.dumps({"objects": [thing()] * count}).encode()


GOOD = json.dumps(thing()).encode()
NO_ENVELOPES = {
    "empty": b"",
    "blanks": b"  \r\n\t ",
    "null": b"null",
    "number": b"5",
    "list": b"[" + GOOD + b"]",
    "object": GOOD,
    "no objects": b"{}",
    "objects null": b'{"objects": null}',
    "objects empty": b'{"objects": []}',
    "objects a dictionary": b'{"objects": {"0": ' + GOOD + b"}}",
    "another case": b'{"Objects": [' + GOOD + b"]}",
    "cut": b'{"objects": [' + GOOD,
    "more behind": b'{"objects": [' + GOOD + b"]} x",
    "two documents": (b'{"objects": [' + GOOD + b"]}") * 2,
    "comma": b'{"objects": [' + GOOD + b",]}",
    "comment": b'/* x */ {"objects": [' + GOOD + b"]}",
    "single quotes": b"{'objects': []}",
    "objects twice": b'{"objects": [' + GOOD + b'], "objects": [' + GOOD + b"]}",
    "a name twice": b'{"objects": [{"type": "indicator", "type": "malware", "id": "x"}, ' + GOOD + b"]}",
    "escaped name twice": b'{"objects": [' + GOOD + b'], "\\u006fbjects": []}',
    "NaN": b'{"objects": [' + GOOD + b', {"x": NaN}]}',
    "Infinity": b'{"objects": [' + GOOD + b', {"x": -Infinity}]}',
    "too large a number": b'{"objects": [' + GOOD + b', {"x": 1e999}]}',
    "deep": b'{"objects": [' + GOOD + b", " + b"[" * 100 + b"]" * 100 + b"]}",
    "very deep": b'{"objects": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep and open": b'{"objects": ' + b'{"a":' * 100_000,
    "BOM": b'\xef\xbb\xbf{"objects": [' + GOOD + b"]}",
    "UTF-16": ('{"objects": [' + GOOD.decode() + "]}").encode("utf-16"),
    "Latin-1": '{"objects": [{"name": "é"}]}'.encode("latin-1"),
    "half a pair": b'{"objects": [' + GOOD + b', {"name": "\\ud800"}]}',
    "NUL": b'{"objects": [' + GOOD + b', {"name": "\\u0000"}]}',
    "raw NUL": b'{"objects": [' + GOOD + b', {"name": "\x00"}]}',
    "form": b"objects=x",
    "XML": b"<stix:STIX_Package/>",
    "gzip": b"\x1f\x8b\x08\x00" + bytes(20),
}


def test_add_05_and_our_04_what_is_no_envelope_is_422_and_nothing_is_kept(alice: Member) -> None:
    answers = {name: alice.send(alice.sandbox, body) for name, body in NO_ENVELOPES.items()}
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(NO_ENVELOPES, 422)
    for answer in answers.values():
        refused(answer, 422)
    nothing_in(alice)


def test_add_05_one_object_too_many_is_422_and_nothing_is_kept(alice: Member) -> None:
    refused(alice.send(alice.sandbox, _many(contributions.MOST + 1)), 422)
    nothing_in(alice)


ORDER: list[tuple[str, str | None, bytes, str, int]] = [
    ("wrong", "text/plain", b"", "text/html", 401),
    ("right", "text/plain", b"x" * 10_000_001, "text/html", 406),
    ("right", "text/plain", b"x" * 10_000_001, MEDIA_TYPE, 415),
    ("right", MEDIA_TYPE, b"x" * 10_000_001, MEDIA_TYPE, 413),
    ("right", MEDIA_TYPE, b"x" * 1000, MEDIA_TYPE, 422),
]


@pytest.mark.parametrize(
    ("who", "content_type", "body", "accept", "status"), ORDER, ids=[str(row[-1]) for row in ORDER]
)
def test_add_05_of_several_faults_the_first_in_order_is_told(
    alice: Member, who: str, content_type: str, body: bytes, accept: str, status: int
) -> None:
    auth = alice.auth if who == "right" else (alice.username, "wrong")
    headers = {"Accept": accept, "Content-Type": content_type}
    refused(alice.ask("POST", f"{alice.sandbox}objects/", headers, data=body, auth=auth), status)


def test_add_05_what_may_not_be_seen_or_written_is_told_before_what_is_wrong(alice: Member) -> None:
    wrong = {"Accept": "text/html", "Content-Type": "text/plain"}
    assert alice.send("/api1/collections/nothing/", b"x", wrong).status_code == 404
    assert alice.send("/api1/collections/public/", b"x", wrong).status_code == 403


@pytest.mark.parametrize("root", ["api1", "sandbox"])
@pytest.mark.parametrize("told", [True, False], ids=["told", "chunked"])
def test_root_06_a_body_as_large_as_allowed_is_taken_and_add_05_an_octet_more_is_413(
    alice: Member, root: str, told: bool
) -> None:
    most = alice.get(f"/{root}/").json()["max_content_length"]
    shelf, one, other = (COUNCIL if root == "api1" else alice.sandbox), thing(), thing()
    settled(alice.send(shelf, _sized(one, most, told)))
    refused(alice.send(shelf, _sized(other, most + 1, told)), 413)
    assert ids_of(alice, shelf) == [one["id"]]


def _sized(one: Json, size: int, told: bool) -> Any:
    """An envelope that is so large, in one piece or in chunks without a length."""
    body = json.dumps({"objects": [one]}).encode().ljust(size)
    return body if told else (body[start : start + 60_000] for start in range(0, size, 60_000))


def test_our_11_a_body_without_a_length_is_read(alice: Member) -> None:
    things = [thing() for _ in range(3)]
    body = json.dumps({"objects": things}).encode()
    status = settled(alice.send(alice.sandbox, (body[n : n + 1] for n in range(len(body)))))
    assert [stix_id for stix_id, _ in successes(status)] == ids(*things)


def test_our_11_a_body_without_an_end_is_left_at_the_limit(alice: Member) -> None:
    answer = alice.send(alice.sandbox, (b" " * 100_000 for _ in range(1000)))
    refused(answer, 413)
    nothing_in(alice)


def raw(member: Member, body: bytes, *lines: str, close: bool = False) -> bytes:
    """What a POST to the sandbox gives that no client would send, headers and all.

    Args:
        close: whether the client says that nothing follows, before it listens.
    """
    pair = b64encode(":".join(member.auth).encode()).decode()
    head = [f"POST {member.sandbox}objects/ HTTP/1.1", "Host: x", f"Authorization: Basic {pair}", "Connection: close"]
    head += [f"{name}: {text}" for name, text in SENDING.items()]
    with socket.create_connection(("127.0.0.1", member.door.settings.taxii_port), timeout=30) as wire:
        wire.sendall("\r\n".join([*head, *lines, "", ""]).encode() + body)
        if close:
            wire.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: wire.recv(65_536), b""))


def test_our_11_a_body_shorter_than_told_is_400_and_nothing_is_kept(alice: Member) -> None:
    body = json.dumps({"objects": [thing()]}).encode()
    assert raw(alice, body, f"Content-Length: {len(body) + 1}", close=True).startswith(b"HTTP/1.1 400 ")
    nothing_in(alice)


def test_our_11_of_a_body_longer_than_told_nothing_more_is_read(alice: Member) -> None:
    one, other = (json.dumps({"objects": [thing()]}).encode() for _ in range(2))
    assert raw(alice, one + other, f"Content-Length: {len(one)}").startswith(b"HTTP/1.1 202 ")
    assert ids_of(alice, alice.sandbox) == [json.loads(one)["objects"][0]["id"]]


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "99999999999999999999999", "5, 6"])
def test_our_11_a_length_that_is_none_is_refused_and_nothing_is_kept(alice: Member, length: str) -> None:
    body = json.dumps({"objects": [thing()]}).encode()
    assert raw(alice, body, f"Content-Length: {length}").partition(b" ")[2][:3] in {b"400", b"413"}
    nothing_in(alice)


def test_our_11_chunks_that_break_off_are_not_taken(alice: Member) -> None:
    """What breaks off after its last octet and before its last chunk looks whole: the server does not tell us."""
    body = json.dumps({"objects": [thing()]}).encode()
    part = body[: len(body) // 2]
    raw(alice, b"%x\r\n%s\r\n" % (len(part), part), "Transfer-Encoding: chunked", close=True)
    nothing_in(alice)


def test_add_06_what_else_is_in_an_envelope_is_ignored(alice: Member) -> None:
    one = thing()
    sent = alice.post(alice.sandbox, one, more=False, next="x", x_example_org_note={"a": [1]}, title=5)
    assert successes(settled(sent)) == [(one["id"], V1)]
    assert alice.get(f"{alice.sandbox}objects/").json() == {"objects": [one]}


def test_our_10_of_a_bundle_the_objects_are_taken(alice: Member, shelf: str) -> None:
    one = thing()
    sent = alice.post(shelf, one, type="bundle", id=f"bundle--{uuid4()}", spec_version="2.0")
    assert successes(settled(sent)) == [(one["id"], V1)]
    assert alice.get(f"{shelf}objects/").json() == {"objects": [one]}


# --- what becomes of each object -----------------------------------------------------------------------------


def test_stat_07_each_object_has_its_own_result_with_id_and_version(alice: Member, shelf: str) -> None:
    right, late = thing(), thing(modified=V2)
    wrong, marking = thing(pattern=None), thing("marking-definition", definition_type=None, definition=None)
    status = settled(alice.post(shelf, right, wrong, late, marking))
    assert successes(status) == [(right["id"], V1), (late["id"], V2)]
    assert [(one["id"], one["version"]) for one in status["failures"]] == [(wrong["id"], V1), (marking["id"], V1)]
    assert all(one["message"] for one in status["failures"])
    assert ids_of(alice, shelf) == ids(right, late)


NO_OBJECTS: list[Any] = [
    None,
    5,
    "indicator",
    [],
    [thing()],
    {},
    {"type": "indicator"},
    {"id": f"indicator--{uuid4()}"},
    {"type": "bundle", "id": f"bundle--{uuid4()}", "objects": [thing()]},
    thing(id="indicator--1"),
    thing(id="x" * 5000),
    thing(id=5),
    thing(id=f"malware--{uuid4()}"),
    thing(id=None),
    thing(type="malware"),
    thing(modified="yesterday"),
    thing(modified="2026-11-01T00:00:00+00:00"),
    thing(modified=5),
    thing(created=V2),
    thing(modified="2026-10-01T00:00:00.000Z"),
    thing(spec_version="2.2"),
    thing(object_marking_refs=[]),
    thing(object_marking_refs="x"),
    thing(created_by_ref="x"),
    thing(pattern="[not a pattern"),
    thing("relationship"),
    thing("identity", name=None),
]


def test_stat_05_and_07_what_is_no_object_is_a_failure_and_the_rest_is_taken(alice: Member, shelf: str) -> None:
    right = thing()
    status = settled(alice.post(shelf, *NO_OBJECTS, right))
    assert (status["failure_count"], status["success_count"]) == (len(NO_OBJECTS), 1)
    assert ids_of(alice, shelf) == [right["id"]]


def test_stat_05_and_07_so_it_is_alone(alice: Member) -> None:
    results = [settled(alice.post(alice.sandbox, wrong)) for wrong in NO_OBJECTS]
    assert [status["failure_count"] for status in results] == [1] * len(NO_OBJECTS)
    nothing_in(alice)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("indicator", {"spec_version": "2.0"}),
        ("indicator", {"spec_version": None}),
        ("malware", {"spec_version": None, "is_family": None, "labels": ["worm"], "name": "x"}),
        ("marking-definition", {"spec_version": None}),
    ],
    ids=["says 2.0", "says nothing", "of 2.0 in all", "marking"],
)
def test_our_18_an_object_of_stix_2_0_is_a_failure(alice: Member, shelf: str, kind: str, more: Json) -> None:
    old, right = thing(kind, **more), thing()
    status = settled(alice.post(shelf, old, right))
    assert failures(status).keys() == {old["id"]} and ids_of(alice, shelf) == [right["id"]]


def test_our_18_an_address_without_a_version_is_of_2_1(alice: Member, shelf: str) -> None:
    assert settled(alice.post(shelf, thing("ipv4-addr", spec_version=None)))["success_count"] == 1


FAITHFUL: Json = {
    "name": "攻撃者 𠮷 \u2028 </script> é e\u0301",
    "x_numbers": [0, -1, 1.5, 1e-7, 2**53 - 1, 1e20, 0.1],
    "x_deep": {"a": [[[[[[{"b": [True, False, {"c": ""}]}]]]]]]},
    "labels": ["b", "a", "b "],
}


def test_add_01_what_was_posted_comes_back_as_it_was(alice: Member, shelf: str) -> None:
    one = thing(**FAITHFUL)
    alice.post(shelf, one)
    [kept] = alice.get(f"{shelf}objects/{one['id']}/").json()["objects"]
    assert json.dumps(kept) == json.dumps(one)


@pytest.mark.parametrize("order", [(V1, V2, V3), (V3, V2, V1), (V2, V3, V1)], ids=["rising", "falling", "mixed"])
def test_vers_01_several_versions_may_come_in_one_envelope_in_any_order(
    alice: Member, shelf: str, order: tuple[str, ...]
) -> None:
    one = thing(created=V1)
    assert settled(alice.post(shelf, *(one | {"modified": version} for version in order)))["success_count"] == 3
    path = f"{shelf}objects/{one['id']}/"
    chosen = {name: alice.get(path, **{"match[version]": name}).json()["objects"] for name in ("first", "last", "all")}
    assert [[it["modified"] for it in some] for some in chosen.values()] == [[V1], [V3], list(order)]
    assert sorted(alice.get(f"{path}versions/").json()["versions"]) == [V1, V2, V3]
    assert [it["modified"] for it in alice.get(f"{shelf}objects/").json()["objects"]] == [V3]


def test_filt_15_an_older_version_that_comes_later_is_not_the_latest(alice: Member, shelf: str) -> None:
    one = thing(modified=V2)
    alice.post(shelf, one)
    alice.post(shelf, one | {"modified": V1})
    assert alice.keys(shelf, **{"match[version]": "last"}) == [(one["id"], V2)]
    assert alice.keys(shelf, **{"match[version]": "first"}) == [(one["id"], V1)]


FINE = "2026-11-01T00:00:00.123456Z"


@pytest.mark.parametrize("version", [FINE, "2026-11-01T00:00:00.000000Z", "2026-11-01T00:00:00.1230Z"])
def test_filt_16_a_version_finer_than_a_millisecond_is_found_by_its_time(alice: Member, version: str) -> None:
    """STIX 2.1 asks for milliseconds at least, and lets `modified` be finer (section 3.2)."""
    one = thing(created=version, modified=version)
    assert successes(settled(alice.post(alice.sandbox, one))) == [(one["id"], version)]
    assert alice.keys(alice.sandbox, **{"match[version]": version}) == [(one["id"], version_key(version))]
    assert alice.delete(alice.sandbox, one["id"], **{"match[version]": version}).status_code == 200


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("2026-11-01T00:00:00.000000Z", "2026-11-01T00:00:00Z"),
        ("2026-11-01T00:00:00.000Z", "2026-11-01T00:00:00.000000Z"),
        ("2026-11-01T00:00:00.1230Z", "2026-11-01T00:00:00.123Z"),
        (FINE, "2026-11-01T00:00:00.12345600Z"),
    ],
)
def test_filt_16_the_same_instant_in_another_spelling_names_it(alice: Member, stored: str, asked: str) -> None:
    one = thing(created=stored, modified=stored)
    alice.post(alice.sandbox, one)
    assert alice.keys(alice.sandbox, **{"match[version]": asked}) == [(one["id"], version_key(stored))]


def test_filt_15_the_latest_is_the_latest_in_time_and_not_in_the_alphabet(alice: Member) -> None:
    one, late = thing(modified="2026-11-01T00:00:00.123Z"), "2026-11-01T00:00:00.1234Z"
    assert settled(alice.post(alice.sandbox, one, one | {"modified": late}))["success_count"] == 2
    assert [version for _, version in alice.keys(alice.sandbox, **{"match[version]": "last"})] == [late]


def test_our_23_a_reference_to_what_is_not_there_yet_or_comes_later_is_taken(alice: Member, shelf: str) -> None:
    indicator, malware = thing(), thing("malware")
    between = thing("relationship", source_ref=indicator["id"], target_ref=malware["id"])
    status = settled(alice.post(shelf, between, indicator))
    assert status["success_count"] == 2
    assert settled(alice.post(shelf, malware))["success_count"] == 1
    assert ids_of(alice, shelf) == ids(between, indicator, malware)


def test_our_17_what_comes_in_one_envelope_has_times_of_its_own_in_its_order(alice: Member, shelf: str) -> None:
    things = [thing() for _ in range(20)]
    alice.post(shelf, *things)
    records = alice.get(f"{shelf}manifest/").json()["objects"]
    assert [one["id"] for one in records] == ids(*things)
    times = [one["date_added"] for one in records]
    assert times == sorted(set(times)) and all(map(is_timestamp, times))


def test_our_17_who_polls_after_the_last_time_gets_the_new_alone(alice: Member, shelf: str) -> None:
    seen: list[int] = []
    after: dict[str, str] = {}
    for _ in range(3):
        alice.post(shelf, thing(), thing(modified=V2))
        answer = alice.get(f"{shelf}objects/", **after)
        seen.append(len(answer.json()["objects"]))
        after = {"added_after": answer.headers["X-TAXII-Date-Added-Last"]}
    assert seen == [2, 2, 2]
    assert alice.get(f"{shelf}objects/", **after).content == b"{}"


# --- what a collection allows ----------------------------------------------------------------------------------

ALLOWED = [
    ("council", "clear", True),
    ("council", "green", True),
    ("council", "amber", True),
    ("council", "amber+strict", True),
    ("council", "red", False),
    ("isac-t-isac", "green", True),
    ("isac-t-isac", "amber", True),
    ("isac-t-isac", "amber+strict", False),
    ("isac-t-isac", "red", False),
    ("allied", "red", False),
]


@pytest.mark.parametrize(("alias", "level", "taken"), ALLOWED)
def test_add_01_a_marking_too_strict_for_the_collection_is_a_failure(
    alice: Member, alias: str, level: str, taken: bool
) -> None:
    shelf, one = f"/api1/collections/{alias}/", thing(object_marking_refs=[TLP_MARKING[level]])
    status = settled(alice.post(shelf, one, thing()))
    assert (one["id"] in failures(status)) is not taken
    assert status["success_count"] == 1 + taken
    assert alice.get(f"{shelf}objects/{one['id']}/").status_code == (200 if taken else 404)


def test_add_01_what_has_no_marking_is_as_strict_as_can_be_handed_to_nobody_else(alice: Member) -> None:
    bare = thing(object_marking_refs=None)
    assert bare["id"] in failures(settled(alice.post("/api1/collections/isac-t-isac/", bare)))
    assert settled(alice.post(COUNCIL, bare))["success_count"] == 1


def test_add_01_a_part_of_an_object_may_be_too_strict_for_a_collection(alice: Member) -> None:
    red = [{"marking_ref": TLP_MARKING["red"], "selectors": ["name"]}]
    one = thing(name="x", granular_markings=red)
    assert one["id"] in failures(settled(alice.post(COUNCIL, one)))


def test_add_01_in_a_sandbox_every_marking_may_be_tried(alice: Member) -> None:
    levels = [thing(object_marking_refs=[TLP_MARKING[level]]) for level in TLP_MARKING]
    assert settled(alice.post(alice.sandbox, *levels))["success_count"] == len(TLP_MARKING)


def test_add_01_created_by_ref_of_another_contributor_is_a_failure(alice: Member, bob: Member, door: Door) -> None:
    me = thing("identity")
    own, taken = thing(created_by_ref=me["id"]), thing(created_by_ref=me["id"])
    posted = settled(alice.post(COUNCIL, me, own))
    with door.released.transaction() as db:
        assert contributions.let_out(db, UUID(posted["id"]), clock=utcnow) == 2
    assert taken["id"] in failures(settled(bob.post(COUNCIL, taken, thing())))
    assert settled(alice.post(COUNCIL, taken))["success_count"] == 1
    for one in (me, own, taken):
        assert alice.delete(COUNCIL, one["id"]).status_code == 200


def test_add_01_nobody_speaks_for_the_portal(alice: Member) -> None:
    one = thing(created_by_ref=PORTAL)
    assert one["id"] in failures(settled(alice.post(COUNCIL, one)))


def test_add_01_nobody_adds_a_version_to_an_object_of_another_creator(alice: Member, door: Door) -> None:
    me, theirs = thing("identity"), thing(created_by_ref=f"identity--{uuid4()}")
    door.publish([theirs], "isac-ict-isac")
    newer = theirs | {"modified": V2, "created_by_ref": me["id"]}
    assert newer["id"] in failures(settled(alice.post(PUBLISHED, me, newer)))


@pytest.mark.parametrize("alias", WRITABLE)
def test_gen_16_until_it_is_let_out_only_its_contributor_sees_it(alice: Member, bob: Member, alias: str) -> None:
    shelf, one = f"/api1/collections/{alias}/", thing()
    settled(alice.post(shelf, one))
    paths = [f"{shelf}objects/{one['id']}/", f"{shelf}objects/{one['id']}/versions/"]
    assert [alice.get(path).status_code for path in paths] == [200, 200]
    assert [bob.get(path).status_code for path in paths] == [404, 404]
    every = {"match[id]": one["id"], "match[version]": "all"}
    assert one["id"] in ids_of(alice, shelf) and bob.keys(shelf, **every) == []
    assert bob.get(f"{shelf}objects/", **every).content == b"{}"


def test_gen_16_another_may_post_the_same_id_and_learns_nothing(alice: Member, bob: Member, shelf: str) -> None:
    one = thing(name="hers")
    settled(alice.post(shelf, one))
    theirs = bob.sandbox if shelf == alice.sandbox else shelf
    assert settled(bob.post(theirs, one | {"name": "theirs"}))["success_count"] == 1
    for who, where, name in ((alice, shelf, "hers"), (bob, theirs, "theirs")):
        assert [kept["name"] for kept in who.get(f"{where}objects/{one['id']}/").json()["objects"]] == [name]


def test_gen_16_nothing_leaves_a_sandbox(alice: Member, bob: Member, door: Door) -> None:
    one = thing()
    settled(alice.post(alice.sandbox, one))
    assert [bob.get(f"{alice.sandbox}{rest}").status_code for rest in ("", "objects/", "manifest/")] == [404] * 3
    for alias in ("public", *WRITABLE):
        assert alice.get(f"/api1/collections/{alias}/objects/{one['id']}/").status_code == 404
    door.publish([one | {"name": "the released one"}], "isac-ict-isac")
    assert alice.get(f"{PUBLISHED}objects/{one['id']}/").json()["objects"] == [one | {"name": "the released one"}]
    assert alice.get(f"{alice.sandbox}objects/{one['id']}/").json()["objects"] == [one]


@pytest.mark.parametrize("root", ["api1", "sandbox"])
def test_gen_16_a_collection_answers_below_its_own_root_alone(alice: Member, root: str) -> None:
    own = alice.get(alice.sandbox).json()["id"]
    other = alice.get(COUNCIL).json()["id"]
    wrong = own if root == "api1" else other
    for rest in ("", "objects/", "manifest/"):
        assert alice.get(f"/{root}/collections/{wrong}/{rest}").status_code == 404
    assert alice.post(f"/{root}/collections/{wrong}/", thing()).status_code == 404


# --- status ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alice", "bob", "nobody"])
def test_our_16_a_status_is_for_who_posted(alice: Member, bob: Member, shelf: str, name: str) -> None:
    root, other = ("sandbox", "api1") if shelf == alice.sandbox else ("api1", "sandbox")
    posted = alice.post(shelf, thing()).json()["id"]
    who = {"alice": alice.auth, "bob": bob.auth, "nobody": None}[name]
    here, there, never = (
        alice.ask("GET", f"/{place}/status/{one}/", auth=who)
        for place, one in ((root, posted), (other, posted), (root, uuid4()))
    )
    assert here.status_code == {"alice": 200, "bob": 404, "nobody": 401}[name]
    assert there.status_code == never.status_code == (401 if name == "nobody" else 404)
    assert there.content == never.content
    assert name == "alice" or here.content == never.content


@pytest.fixture
def waiting(alice: Member, shelf: str) -> Iterator[tuple[Json, list[Json], str]]:
    """The status of an envelope that is left to a worker, its objects, and the path of its status."""
    things: list[Any] = [thing(name=f"{n}") for n in range(ONE_MORE_THAN_AT_ONCE)]
    things[3] = thing(pattern=None)
    answer = alice.post(shelf, *things)
    assert (answer.status_code, answer.headers["Content-Type"]) == (202, MEDIA_TYPE)
    root = "sandbox" if shelf == alice.sandbox else "api1"
    yield body_of(answer), things, f"/{root}/status/{answer.json()['id']}/"
    while alice.door.work():  # Whatever became of the test.
        pass


def test_stat_04_and_06_a_large_envelope_is_pending_until_a_worker_has_settled_it(
    alice: Member, shelf: str, waiting: tuple[Json, list[Json], str]
) -> None:
    status, things, path = waiting
    assert (status["status"], status_faults(status)) == ("pending", [])
    assert status["total_count"] == status["pending_count"] == len(things)
    assert [one["id"] for one in status["pendings"]] == ids(*things)
    assert alice.get(path).json() == status
    assert alice.get(f"{shelf}objects/").content == b"{}"
    assert alice.door.work() is True
    after = alice.get(path).json()
    assert (after["status"], status_faults(after)) == ("complete", [])
    assert (after["success_count"], list(failures(after))) == (len(things) - 1, [things[3]["id"]])
    assert {name: after[name] for name in ("id", "request_timestamp", "total_count")} == {
        name: status[name] for name in ("id", "request_timestamp", "total_count")
    }
    assert ids_of(alice, shelf)[:4] == ids(*things[:3], things[4])


@pytest.mark.usefixtures("waiting")
def test_stat_04_a_worker_settles_an_envelope_once(alice: Member) -> None:
    assert [alice.door.work() for _ in range(2)] == [True, False]


def test_stat_04_the_right_that_was_taken_away_meanwhile_is_gone(alice: Member, door: Door) -> None:
    posted = alice.post(COUNCIL, *(thing() for _ in range(ONE_MORE_THAN_AT_ONCE))).json()
    with door.released.transaction() as db:
        feed_accounts.forget_account(db, alice.account_id)
    assert door.work() is True
    with door.released.reading() as db:
        kept = db.scalars(sa.select(Submission.status).where(Submission.id == UUID(posted["id"]))).one()
    status = json.loads(kept)
    assert (status["status"], status["failure_count"]) == ("complete", ONE_MORE_THAN_AT_ONCE)
    assert status_faults(status) == []


def test_stat_04_complete_never_changes(alice: Member, shelf: str) -> None:
    one = thing()
    posted = alice.post(shelf, one)
    path = f"/{'sandbox' if shelf == alice.sandbox else 'api1'}/status/{posted.json()['id']}/"
    alice.post(shelf, one)
    alice.post(shelf, one | {"modified": V2})
    alice.delete(shelf, one["id"])
    assert alice.get(path).content == posted.content


@pytest.mark.parametrize(("hours", "code"), [(23, 200), (24.1, 200), (24 * 30, 404)])
def test_stat_02_a_status_is_kept_for_a_day_and_stat_03_then_it_is_404(
    alice: Member, door: Door, hours: float, code: int
) -> None:
    path = f"/sandbox/status/{alice.post(alice.sandbox, thing()).json()['id']}/"
    with door.released.transaction() as db:
        contributions.forget_statuses(db, now=utcnow() + timedelta(hours=hours))
    assert alice.get(path).status_code == code


def test_stat_02_what_still_waits_is_kept(alice: Member, door: Door, waiting: tuple[Json, list[Json], str]) -> None:
    status, _, path = waiting
    with door.released.transaction() as db:
        contributions.forget_statuses(db, now=utcnow() + timedelta(days=30))
    assert alice.get(path).json() == status
    assert door.work() is True


# --- deleting ----------------------------------------------------------------------------------------------------


@pytest.fixture
def three(alice: Member, shelf: str) -> Json:
    """An object with three versions, and another beside it."""
    one = thing(created=V1)
    settled(alice.post(shelf, *(one | {"modified": version} for version in (V1, V2, V3)), thing()))
    return one


def test_del_01_a_delete_is_200_with_the_media_type_and_no_body(alice: Member, shelf: str, three: Json) -> None:
    gone = alice.delete(shelf, three["id"])
    assert (gone.status_code, gone.content, gone.headers["Content-Type"]) == (200, b"", MEDIA_TYPE)
    assert gone.headers["Content-Length"] == "0"


@pytest.mark.parametrize(
    ("reads", "writes", "code"), [(False, False, 404), (True, False, 403), (False, True, 403), (True, True, 200)]
)
def test_del_02_it_takes_both_rights(door: Door, reads: bool, writes: bool, code: int) -> None:
    both, only = (["council"] if reads and writes else []), ("council" if writes and not reads else None)
    member = door.join(reads=["council"] if reads else [], writes=both, only_writes=only)
    one = thing()
    member.post(COUNCIL, one)
    assert member.delete(COUNCIL, one["id"]).status_code == code


def test_del_02_what_was_published_is_no_members_to_delete(alice: Member, door: Door) -> None:
    one = thing()
    door.publish([one], "isac-ict-isac")
    refused(alice.delete(PUBLISHED, one["id"]), 403)
    assert alice.get(f"{PUBLISHED}objects/{one['id']}/").status_code == 200


def test_del_02_what_another_posted_is_not_there_to_delete(alice: Member, bob: Member) -> None:
    one = thing()
    settled(alice.post(COUNCIL, one))
    hidden, never = bob.delete(COUNCIL, one["id"]), bob.delete(COUNCIL, f"indicator--{uuid4()}")
    assert (hidden.status_code, hidden.content) == (404, never.content)
    assert ids_of(alice, COUNCIL) == [one["id"]]


def test_our_02_without_a_version_all_are_deleted_del_03_it_is_gone_and_del_04_from_every_list(
    alice: Member, shelf: str, three: Json
) -> None:
    alice.delete(shelf, three["id"])
    path = f"{shelf}objects/{three['id']}/"
    for gone in (path, f"{path}versions/", f"{path}?match[version]=all", f"{path}?match[version]={V1}"):
        assert alice.get(gone).status_code == 404
    assert alice.delete(shelf, three["id"]).status_code == 404
    assert three["id"] not in ids_of(alice, shelf)
    for versions in ("all", "first", "last", f"{V1},{V2},{V3}"):
        left = alice.get(f"{shelf}objects/", **{"match[version]": versions}).json().get("objects", [])
        assert three["id"] not in [one["id"] for one in left]


LEFT = [
    ("all", []),
    ("last", [V1, V2]),
    ("first", [V2, V3]),
    ("first,last", [V2]),
    (V2, [V1, V3]),
    ("2026-11-02T00:00:00Z", [V1, V3]),
    (f"{V1},{V3}", [V2]),
    (f"last,{V1}", [V2]),
]


@pytest.mark.parametrize(("versions", "left"), LEFT)
def test_our_02_and_filt_10_a_version_limits_it_and_vers_01_the_others_stay(
    alice: Member, shelf: str, three: Json, versions: str, left: list[str]
) -> None:
    assert alice.delete(shelf, three["id"], **{"match[version]": versions}).status_code == 200
    assert [version for stix_id, version in alice.keys(shelf) if stix_id == three["id"]] == left
    answer = alice.get(f"{shelf}objects/{three['id']}/versions/")
    assert answer.status_code == (200 if left else 404)
    assert not left or answer.json()["versions"] == left


def test_del_03_a_deleted_version_is_not_fetched_any_more(alice: Member, shelf: str, three: Json) -> None:
    alice.delete(shelf, three["id"], **{"match[version]": V2})
    answer = alice.get(f"{shelf}objects/{three['id']}/", **{"match[version]": V2})
    assert (answer.status_code, answer.content) in [(404, answer.content), (200, b"{}")]


@pytest.mark.parametrize("versions", ["2020-01-01T00:00:00.000Z", "2026-11-02T00:00:00.0004Z"])
def test_del_01_a_version_that_is_not_there_is_404_and_nothing_goes(
    alice: Member, shelf: str, three: Json, versions: str
) -> None:
    before = alice.keys(shelf)
    assert alice.delete(shelf, three["id"], **{"match[version]": versions}).status_code == 404
    assert alice.keys(shelf) == before


@pytest.mark.parametrize(
    "query",
    [
        "match[version]=x",
        "match[version]=all,last",
        "match[version]=",
        "match[version]=last&match[version]=last",
        "match[spec_version]=",
    ],
)
def test_del_01_and_filt_01_a_malformed_delete_is_400_and_nothing_goes(
    alice: Member, shelf: str, three: Json, query: str
) -> None:
    before = alice.keys(shelf)
    assert alice.ask("DELETE", f"{shelf}objects/{three['id']}/?{query}").status_code == 400
    assert alice.keys(shelf) == before


def test_filt_10_another_spec_version_is_not_there_to_delete(alice: Member, shelf: str, three: Json) -> None:
    before = alice.keys(shelf)
    assert alice.delete(shelf, three["id"], **{"match[spec_version]": "2.0"}).status_code == 404
    assert alice.keys(shelf) == before


def test_filt_10_the_spec_version_that_is_there_is_deleted(alice: Member, shelf: str, three: Json) -> None:
    assert alice.delete(shelf, three["id"], **{"match[spec_version]": "2.1"}).status_code == 200
    assert three["id"] not in ids_of(alice, shelf)


def test_del_01_nobody_deletes_without_accepting_the_answer(alice: Member, shelf: str, three: Json) -> None:
    before = alice.keys(shelf)
    assert alice.ask("DELETE", f"{shelf}objects/{three['id']}/", {"Accept": "text/html"}).status_code == 406
    assert alice.keys(shelf) == before


@pytest.mark.parametrize("stix_id", ["x", f"indicator--{UUID(int=1, version=4)}", "%00", "é", "..%2f", "x" * 3000])
def test_del_01_what_never_was_is_404(alice: Member, stix_id: str) -> None:
    refused(alice.delete(alice.sandbox, stix_id), 404)


def test_vers_01_when_the_newest_version_is_deleted_the_one_before_is_the_latest(
    alice: Member, shelf: str, three: Json
) -> None:
    manifest = {"match[id]": three["id"], "match[version]": "all"}
    before = alice.get(f"{shelf}manifest/", **manifest).json()["objects"]
    alice.delete(shelf, three["id"], **{"match[version]": "last"})
    after = alice.get(f"{shelf}manifest/", **manifest).json()["objects"]
    assert [(one["id"], one["version"]) for one in after] == [(one["id"], one["version"]) for one in before[:2]]
    assert after[0] == before[0] and after[1]["date_added"] > before[2]["date_added"], "who had passed it gets it"
    assert [it["modified"] for it in alice.get(f"{shelf}objects/{three['id']}/").json()["objects"]] == [V2]
    assert alice.get(f"{shelf}objects/{three['id']}/versions/").json() == {"versions": [V1, V2]}


def test_our_17_what_is_added_again_has_a_new_time_and_a_poller_gets_it(alice: Member, shelf: str, three: Json) -> None:
    asked = {"match[id]": three["id"], "match[version]": V3}
    [before] = alice.get(f"{shelf}manifest/", **asked).json()["objects"]
    last = alice.get(f"{shelf}objects/").headers["X-TAXII-Date-Added-Last"]
    alice.delete(shelf, three["id"])
    assert settled(alice.post(shelf, three | {"modified": V3}))["success_count"] == 1
    [after] = alice.get(f"{shelf}manifest/", **asked).json()["objects"]
    assert after["date_added"] > last > before["date_added"]
    polled = alice.get(f"{shelf}objects/", added_after=last).json()["objects"]
    assert polled == [three | {"modified": V3}]


def test_our_05_what_was_deleted_may_come_again_with_other_content(alice: Member, shelf: str) -> None:
    one = thing(name="a mistake")
    alice.post(shelf, one)
    alice.delete(shelf, one["id"])
    assert settled(alice.post(shelf, one | {"name": "right"}))["success_count"] == 1
    assert [it["name"] for it in alice.get(f"{shelf}objects/{one['id']}/").json()["objects"]] == ["right"]


def test_page_10_a_walk_goes_on_when_what_it_stood_on_is_deleted(alice: Member, shelf: str) -> None:
    things = [thing() for _ in range(5)]
    alice.post(shelf, *things)
    page = alice.get(f"{shelf}objects/", limit="2").json()
    for one in things[1:3]:
        alice.delete(shelf, one["id"])
    rest = alice.get(f"{shelf}objects/", limit="2", next=page["next"]).json()
    assert [one["id"] for one in rest["objects"]] == ids(*things[3:])


def test_page_10_it_ends_when_all_that_follows_is_deleted(alice: Member, shelf: str) -> None:
    things = [thing() for _ in range(3)]
    alice.post(shelf, *things)
    page = alice.get(f"{shelf}objects/", limit="2").json()
    alice.delete(shelf, things[2]["id"])
    rest = alice.get(f"{shelf}objects/", limit="2", next=page["next"])
    assert (rest.status_code, rest.content) == (200, b"{}")


def test_del_05_another_collection_keeps_it(alice: Member) -> None:
    one = thing()
    for shelf in (alice.sandbox, COUNCIL, "/api1/collections/allied/"):
        settled(alice.post(shelf, one))
    alice.delete(COUNCIL, one["id"])
    assert [ids_of(alice, shelf) for shelf in (alice.sandbox, COUNCIL, "/api1/collections/allied/")] == [
        [one["id"]],
        [],
        [one["id"]],
    ]


def test_del_01_by_the_collections_id_as_by_its_alias(alice: Member, shelf: str, three: Json) -> None:
    by_id = f"{shelf.rsplit('/', 2)[0]}/{alice.get(shelf).json()['id']}/"
    assert alice.delete(by_id, three["id"]).status_code == 200
    assert three["id"] not in ids_of(alice, shelf)
