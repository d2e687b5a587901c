"""What is held back from automatic release, and for which reason."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.known_good import excluded

DATA = json.loads(files("exchange").joinpath("data/known_good.json").read_text(encoding="utf-8"))
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("ipv4-addr", "10.1.2.3", "private"),
        ("ipv4-addr", "100.64.0.1", "private"),
        ("ipv4-addr", "198.18.0.1", "private"),
        ("ipv4-addr", "255.255.255.255", "private"),
        ("ipv4-addr", "203.0.113.5", "private"),
        ("ipv6-addr", "::ffff:192.168.0.1", "private"),
        ("ipv6-addr", "64:ff9b::a00:1", "private"),
        ("ipv6-addr", "fe80::1%eth0", "private"),
        ("ipv6-addr", "2001:db8::1", "private"),
        ("url", "http://[::1]:8080/x", "private"),
        ("url", "http://user@127.0.0.1/", "private"),
        ("domain-name", "server", "private"),
        ("domain-name", "dc01.CORP.", "private"),
        ("domain-name", "localhost", "private"),
        ("domain-name", "bad.example", "private"),
        ("email-addr", "a@mail.local", "private"),
        ("url", "not a url", "private"),
        ("domain-name", "com", "public-suffix"),
        ("domain-name", "co.jp", "public-suffix"),
        ("domain-name", "blogspot.com", "public-suffix"),
        ("domain-name", "city.kawasaki.go.jp", "known-good:government"),
        ("domain-name", "lg.jp", "known-good:government"),
        ("email-addr", "someone@city.lg.jp", "known-good:government"),
        ("ipv4-addr", "8.8.8.8", "known-good:public-dns"),
        ("ipv4-addr", "8.0.0.0/8", "known-good:public-dns"),
        ("ipv6-addr", "2001:4860:4860:0:0:0:0:8888", "known-good:public-dns"),
        ("ipv4-addr", "198.41.0.4", "known-good:root-dns"),
        ("domain-name", "ntp.nict.jp", "known-good:time"),
        ("url", "http://ocsp.digicert.com/abc", "known-good:certificates"),
        ("domain-name", "WWW.GOOGLE.COM", "known-good:portals"),
        ("url", "https://drive.google.com/file/d/1", "known-good:shared-hosting"),
        ("domain-name", "cloudfront.net", "known-good:cdn"),
        ("domain-name", "au.download.windowsupdate.com", "known-good:updates"),
        ("domain-name", "www.msftconnecttest.com", "known-good:connectivity-check"),
        ("domain-name", "gmail.com", "known-good:webmail"),
        ("md5", "D41D8CD98F00B204E9800998ECF8427E", "known-good:empty-file"),
    ],
)
def test_what_is_held_back(kind, value, reason):
    assert excluded(kind, value) == reason


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("vulnerability", "CVE-2021-44228"),
        ("email-addr", "attacker@gmail.com"),
        ("ipv4-addr", "45.12.4.188"),
        ("ipv6-addr", "2400:cb00::1"),
        ("domain-name", "evil-x.com"),
        ("domain-name", "notgo.jp"),
        ("domain-name", "d1234.cloudfront.net"),
        ("domain-name", "bucket.s3.amazonaws.com"),
        ("domain-name", "google.com.evil-x.com"),
        ("url", "https://go.jp.evil-x.com/soumu.go.jp"),
        ("sha256", "0" * 63 + "1"),
    ],
)
def test_what_may_go_out(kind, value):
    assert excluded(kind, value) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ipv4-addr", "203.0.113.5"),
        ("ipv6-addr", "3fff::1"),
        ("domain-name", "bad.example"),
        ("url", "http://198.51.100.1/x"),
        ("email-addr", "a@bad.example"),
    ],
)
def test_documentation_values_are_real_in_an_exercise_only(kind, value):
    assert excluded(kind, value) == "private"
    assert excluded(kind, value, documentation_is_real=True) is None


def test_own_networks_hold_back_their_addresses_and_every_range_that_touches_them():
    own = {"own_networks": ["45.12.4.0/22", "2400:1234::/32"]}
    assert excluded("ipv4-addr", "45.12.7.255", **own) == "own"
    assert excluded("ipv4-addr", "45.0.0.0/8", **own) == "own"
    assert excluded("url", "http://[2400:1234::1]/", **own) == "own"
    assert excluded("ipv4-addr", "45.12.8.0", **own) is None


owned = st.sampled_from(["utility.co.jp", "Bank.JP", "電力.jp"])


@given(st.lists(labels, max_size=4), owned, st.booleans(), st.booleans())
def test_everything_below_an_own_domain_is_own_however_it_is_written(below, own, upper, dotted):
    name = ".".join([*below, own]) + "." * dotted
    name = name.upper() if upper else name
    written = {"domain-name": name, "url": f"https://{name}:8443/a.b", "email-addr": f"x@{name}"}
    for kind, value in written.items():
        assert excluded(kind, value, own_domains=[own]) == "own"
        assert excluded(kind, value, own_domains=[own.upper() + "."]) == "own"


@given(labels)
def test_a_name_that_merely_ends_alike_is_not_own(label):
    assert excluded("domain-name", f"{label}utility.co.jp", own_domains=["utility.co.jp"]) != "own"


@given(st.sampled_from(["ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "md5"]), st.text())
def test_any_value_gets_an_answer(kind, value):
    reason = excluded(kind, value, own_domains=[value])
    assert reason is None or reason in {"private", "own", "public-suffix"} or reason.startswith("known-good:")


def test_the_lists_are_sound():
    ids = [one["id"] for one in DATA["lists"]]
    assert len(set(ids)) == len(ids)
    for one in DATA["lists"]:
        assert one["title"]["ja"]
        assert one["title"]["en"]
        assert all(name == name.lower().strip() and "." in name for name in one.get("names", ()))
        assert all(ipaddress.ip_network(value) for value in one.get("addresses", ()))


def test_the_hashes_of_nothing_are_those_of_nothing():
    kinds = ("md5", "sha1", "sha256", "sha512")
    made = {hashlib.new(kind, b"", usedforsecurity=False).hexdigest() for kind in kinds}
    assert made == set(next(one["hashes"] for one in DATA["lists"] if one["id"] == "empty-file"))
