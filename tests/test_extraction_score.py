"""The benchmark's own arithmetic: what counts as found, missed and wrong."""

from __future__ import annotations

from bench.extraction_score import Score, score
from bench.extraction_sets import Labelled, TextSet

URL, ADDRESS = ("url", "http://Evil.com/A/"), ("ipv4-addr", "203.0.113.5")


def scored(*answer: tuple[str, str], wanted: tuple[tuple[str, str], ...] = (URL, ADDRESS)) -> Score:
    text = Labelled("text", tuple(frozenset({one}) for one in wanted), frozenset({("md5", "a" * 32)}))
    return score(TextSet("set", (text,)), [answer])


def test_half_found_and_one_wrong_is_half_and_half():
    got = scored(ADDRESS, ("domain-name", "other.com"))
    assert (got.precision, got.recall, got.f1) == (0.5, 0.5, 0.5)
    assert [value for _, value in got.missed] == [("url", "http://evil.com/A")]
    assert [value for _, value in got.wrong] == [("domain-name", "other.com")]


def test_spelling_parts_of_a_url_optional_values_and_other_types_are_not_wrong():
    got = scored(
        ("url", "HTTP://evil.com/A"), ADDRESS, ("domain-name", "evil.com"), ("md5", "A" * 32), ("file-name", "a")
    )
    assert (got.precision, got.recall) == (1.0, 1.0)


def test_nothing_found_is_nothing_wrong():
    assert (scored().precision, scored().recall, scored().f1) == (1.0, 0.0, 0.0)
