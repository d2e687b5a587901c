"""Indicators in pasted text: what is found, what is left alone, and where it stood."""

from __future__ import annotations

import json
import os
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.extraction import Found, defang, extract

ROOT = Path(__file__).resolve().parent.parent
CORPUS = Path(os.environ.get("NOROSHI_TESTDATA") or ROOT.parent / "shared" / "testdata")
CASES = CORPUS / "text" / "ioc-cases.json"
needs_corpus = pytest.mark.skipif(
    not CASES.is_file(), reason="no corpus: set NOROSHI_TESTDATA or place it at ../shared/testdata"
)
RECALL, PRECISION = 0.98, 0.98


def found(text: str) -> list[str]:
    return [one.value for one in extract(text, documentation_is_real=True)]


def spellings(wanted: list[list[str]]) -> list[set[tuple[str, str]]]:
    return [{(kind, value) for value in values.split("|")} for kind, values in wanted]


@needs_corpus
def test_the_corpus_is_found_and_its_traps_are_not():
    hit, missed, wrong = 0, [], []
    for case in json.loads(CASES.read_text(encoding="utf-8"))["cases"]:
        got = {(one.type, one.value) for one in extract(case["text"], documentation_is_real=True)}
        wanted, optional = spellings(case["iocs"]), spellings(case["optional"])
        hit += sum(bool(one & got) for one in wanted)
        missed += [(case["id"], one) for one in wanted if not one & got]
        wrong += [(case["id"], one) for one in got - set().union(*wanted, *optional)]
    assert hit / (hit + len(missed)) >= RECALL, missed
    assert hit / (hit + len(wrong)) >= PRECISION, wrong


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("攻撃元は203.0.113.45及び203.0.113.46から", ["203.0.113.45", "203.0.113.46"]),
        ("接続先はbad.example.です。", ["bad.example"]),
        ("「bad。evil-x。com」です。次はevil-y.com。203.0.113.5も。", ["bad.evil-x.com", "evil-y.com", "203.0.113.5"]),
        ("１９８。５１。１００。３から", ["198.51.100.3"]),
        ("userアットevil-x.com、evil-y ドット com", ["user@evil-x.com", "evil-y.com"]),
        (
            "https://evil-x.com/a（確認済み）、https://evil-y.com:8443をブロック",
            ["https://evil-x.com/a", "https://evil-y.com:8443"],
        ),
        ("https://日本語.jp/p と「例え.jp」", ["https://xn--wgv71a119e.jp/p", "xn--r8jz45g.jp"]),
        ("①198.51.100.1②198.51.100.2", ["198.51.100.1", "198.51.100.2"]),
        ("ＣＶＥー２０２１ー４４２２８とcve-2024-3400.", ["CVE-2021-44228", "CVE-2024-3400"]),
        ("サーバ（203.0.113.5）、evil-x.com（198.51.100.3）", ["203.0.113.5", "evil-x.com", "198.51.100.3"]),
    ],
)
def test_japanese_text_neither_hides_nor_joins_an_indicator(text, values):
    assert found(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            "h**p://evil-x.com/A hXXps[://]EVIL-Y.com/A ttp://evil-z.com",
            ["http://evil-x.com/A", "https://evil-y.com/A", "http://evil-z.com"],
        ),
        (
            "[https]://evil-x[.]com/a http[s]://evil-y.com meow[:]//evil-z.com",
            ["https://evil-x.com/a", "https://evil-y.com", "http://evil-z.com"],
        ),
        (r"evil[.com evil-b.]com evil-c\.com evil-d{dot}com", ["evil.com", "evil-b.com", "evil-c.com", "evil-d.com"]),
        ("evil-1 dot com, the dot com boom", ["evil-1.com"]),
        ("203[.]0[.]113[.]6[:]8080 2001[:]db8[:][:]1", ["203.0.113.6", "2001:db8::1"]),
        ("ev\u200bil-x.com", ["evil-x.com"]),
        ("IPv6:2001:DB8:0:0::1 fe80::1%eth0 64:ff9b::1", ["2001:db8::1", "fe80::1", "64:ff9b::1"]),
        ("203.0.113.0/24 203.0.113.7/32 2001:db8::/32 2001:db8::7/128", ["203.0.113.7", "2001:db8::7"]),
        (
            '"http://c.com/q?x=1",198.51.100.7,http://d.com/e,http://f.com',
            ["http://c.com/q?x=1", "198.51.100.7", "http://d.com/e", "http://f.com"],
        ),
        (
            "http://a.com/x_(y) [t](http://b.com/z) ${jndi:ldap://203.0.113.5:1389/a}",
            ["http://a.com/x_(y)", "http://b.com/z", "ldap://203.0.113.5:1389/a"],
        ),
        ("*.evil-x.com @evil-y.com mailto:foo@EVIL.com", ["evil-x.com", "evil-y.com", "foo@evil.com"]),
        (r"\\203.0.113.9\c$", ["203.0.113.9"]),
        ("198.51.100.7～198.51.100.9", ["198.51.100.7", "198.51.100.9"]),
        ("evil[.]sh www.evil.py evil.zip/payload ドメイン bad.md", ["evil.sh", "www.evil.py", "evil.zip", "bad.md"]),
        ("аpple.com", ["xn--pple-43d.com"]),
    ],
)
def test_defanged_and_odd_spellings_are_understood(text, values):
    assert found(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "4.8.1 v1.2.3.4 version 10.2.3.4 Chrome/96.0.4664.45 1.3.6.1.4.1",
        "バージョン 1.2.3.4、1.2.3.5 及び 1.2.3.6 に更新",
        "2026.11.04 03.1234.5678 090-1234-5678 10:20:30 d2:fb:49:24:37:18",
        "Node.js com.google.android.gms System.IO os.name user.id() e.g. i.e.",
        r"C:\Users\evil.com /etc/evil.sh ~/x.py ./downloads/a/b.sh GET /a/b.php?l=c1.cab",
        "http://intranet/ http://evil.nottld/x 255.255.255.0 0.0.0.0",
        "00000000000000000000000000000000 550e8400-e29b-41d4-a716-446655440000",
        "続きは次の.comドメインで",
    ],
)
def test_what_only_looks_like_an_indicator_is_left_alone(text):
    assert found(text) == []


def test_documentation_names_count_only_where_they_are_real():
    text = "bad.example http://bad.example/x a@bad.example 203.0.113.5"
    assert [one.value for one in extract(text)] == ["203.0.113.5"]
    assert len(extract(text, documentation_is_real=True)) == 4


def test_each_is_told_once_and_where_it_first_stood():
    text = "前置き：２０３．０．１１３．９、203[.]0[.]113[.]9"
    assert extract(text) == [Found("ipv4-addr", "203.0.113.9", 4, 15)]


def test_a_run_of_letters_without_end_is_passed_over():
    assert found("a" * 5000 + ".com http://evil-x.com/" + "b" * 5000 + " evil-y.com") == ["evil-y.com"]


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True).filter(lambda name: name[2:4] != "--")
names = st.builds("{}.{}".format, labels, st.sampled_from(["example", "com", "co.jp", "evil.net", "sh"]))
ipv4s = st.integers(2**24, 2**32 - 2**25).map(lambda number: str(IPv4Address(number)))
ipv6s = st.integers(2**125, 2**126 - 1).map(lambda number: str(IPv6Address(number)))
hosts = names | ipv4s | ipv6s.map("[{}]".format)
paths = st.from_regex(r"(/[A-Za-z0-9_%~-]{1,8}){0,3}(\.php\?id=[0-9]{1,4})?", fullmatch=True)
ports = st.just("") | st.integers(1, 65535).map(":{}".format)
urls = st.builds(
    "{}://{}{}/{}".format,
    st.sampled_from(["http", "https", "ftp"]),
    hosts,
    ports,
    paths.map(lambda path: path.lstrip("/")),
)
hashes = (
    st.sampled_from([("md5", 32), ("sha1", 40), ("sha256", 64), ("sha512", 128)])
    .flatmap(lambda kind: st.tuples(st.just(kind[0]), st.text("0123456789abcdef", min_size=kind[1], max_size=kind[1])))
    .filter(lambda pair: len(set(pair[1])) > 3)
)
mailboxes = st.from_regex(r"[a-z0-9]{1,9}(\.[a-z]{1,9})?", fullmatch=True)
indicators = st.one_of(
    *(
        st.tuples(st.just(kind), values)
        for kind, values in [
            ("ipv4-addr", ipv4s),
            ("ipv6-addr", ipv6s),
            ("domain-name", names),
            ("url", urls),
            ("email-addr", st.builds("{}@{}".format, mailboxes, names)),
            ("vulnerability", st.integers(1000, 99999).map("CVE-2024-{}".format)),
        ]
    ),
    hashes,
)


@given(indicators)
def test_what_was_defanged_is_found_again(indicator):
    kind, value = indicator
    shown = defang(value, kind)
    assert extract(shown, documentation_is_real=True) == [Found(kind, value, 0, len(shown))]
    assert defang(shown, kind) == shown


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("url", "https://bad.example/path.php?a=b.c", "hxxps://bad[.]example/path.php?a=b.c"),
        ("url", "http://u.v@bad.example:80/", "hxxp://u.v@bad[.]example:80/"),
        ("email-addr", "some.user@bad.example", "some.user[@]bad[.]example"),
        ("ipv4-addr", "198.51.100.3", "198[.]51[.]100[.]3"),
        ("ipv6-addr", "2001:db8::1", "2001[:]db8[:][:]1"),
        ("vulnerability", "CVE-2021-44228", "CVE-2021-44228"),
    ],
)
def test_the_form_for_display(kind, value, shown):
    assert defang(value, kind) == shown


@given(st.text() | st.text("http:/.[]()@。ドットa1f-_\\%&,; "))
def test_any_text_is_read_and_every_place_is_inside_it(text):
    starts = [one.start for one in extract(text, documentation_is_real=True)]
    assert starts == sorted(starts)
    assert all(0 <= one.start < one.end <= len(text) for one in extract(text))
