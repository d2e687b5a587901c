"""Strict JSON: what is refused, by which name, and that nothing else ever happens."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import Unreadable
from exchange.json_text import CONTENT, SYNTAX, loads

ROOT = Path(__file__).resolve().parent.parent
CORPUS = Path(os.environ.get("NOROSHI_TESTDATA") or ROOT.parent / "shared" / "testdata") / "abuse"
needs_corpus = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="no corpus: set NOROSHI_TESTDATA or place it at ../shared/testdata"
)
CASES = sorted((CORPUS / "json").glob("*.json")) if CORPUS.is_dir() else []
OURS = {"duplicate-key", "control-character"}

plain = st.characters(exclude_categories=("Cs", "Cc"))
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(plain),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(plain), inner, max_size=5),
    max_leaves=20,
)


def refusal(body: bytes, **limits: int) -> tuple[str, str]:
    with pytest.raises(Unreadable) as caught:
        loads(body, **limits)
    return caught.value.code, caught.value.at


@pytest.mark.parametrize(
    ("body", "code", "at"),
    [
        (b"", "bad-json", ""),
        (b"{", "bad-json", ""),
        (b"[1] 2", "bad-json", ""),
        (b"\x00", "bad-json", ""),
        (b'["\n"]', "bad-json", ""),
        (b"\xef\xbb\xbf{}", "not-utf8", ""),
        ('["é"]'.encode("latin-1"), "not-utf8", ""),
        ('{"a": 1}'.encode("utf-16"), "not-utf8", ""),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "duplicate-key", "/a/b"),
        (rb'{"a": 1, "\u0061": 2}', "duplicate-key", "/a"),
        (b'{"x": [0, NaN]}', "not-a-number", "/x/1"),
        (b"-Infinity", "not-a-number", ""),
        (b"[1e400]", "not-a-number", "/0"),
        (b"[9007199254740992]", "number-out-of-range", "/0"),
        (b"[-9007199254740992]", "number-out-of-range", "/0"),
        (b"[" + b"9" * 10_000 + b"]", "number-out-of-range", "/0"),
        (b"[0." + b"1" * 2_000_000 + b"]", "number-out-of-range", "/0"),
        (rb'{"a": "\u0000"}', "control-character", "/a"),
        ('{"a/~b": "\x85"}'.encode(), "control-character", "/a~1~0b"),
        (rb'{"a": {"\u0007": 1}}', "control-character", "/a"),
        (rb'["\ud800"]', "lone-surrogate", "/0"),
        (rb'{"\udc00": 1}', "lone-surrogate", ""),
    ],
)
def test_what_is_refused_is_named_and_located(body, code, at):
    assert refusal(body) == (code, at)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'"\t\r\n"', "\t\r\n"),
        (b"9007199254740991", 2**53 - 1),
        (b"-9007199254740991", -(2**53) + 1),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (b'"[[[[{{{{"', "[[[[{{{{"),
        (rb'"\"[[\\"', '"[[\\'),
        (b" 1.5e3 ", 1500.0),
    ],
)
def test_what_is_allowed_comes_through(body, value):
    assert loads(body, max_depth=2) == value


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("count", [33, 10_000, 1_000_000])
def test_depth_is_refused_before_anything_recurses(opening, count):
    assert refusal(opening * count) == ("too-deep", "")


def test_a_limit_far_above_what_the_parser_bears_is_still_an_answer():
    assert refusal(b"[" * 200_000, max_depth=10**6)[0] == "too-deep"


def test_each_limit_is_reached_and_not_passed():
    wide = json.dumps({"in": {str(n): n for n in range(4)}}).encode()
    assert loads(b"[[]]", max_depth=2) == [[]]
    assert refusal(b"[[]]", max_depth=1) == ("too-deep", "")
    assert loads(b"[1,2]", max_items=2) == [1, 2]
    assert refusal(b'{"a":[1,2]}', max_items=1) == ("too-many-items", "/a")
    assert loads(wide, max_members=4)["in"]["3"] == 3
    assert refusal(wide, max_members=3) == ("too-many-members", "/in")


def test_a_syntax_fault_is_told_before_a_content_fault():
    assert refusal(rb'["\u0000", NaN]') == ("not-a-number", "/1")


def test_a_pointer_never_carries_what_cannot_be_shown():
    assert refusal(b'{"a": {"%s": [NaN]}}' % (b"k" * 100_000)) == ("not-a-number", "/a")
    assert refusal(rb'{"a": {"\u0001": [NaN]}}') == ("not-a-number", "/a")


@needs_corpus
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_parsing_suite_is_answered(path):
    """y_ loads unless one of our own limits says otherwise, n_ is refused, i_ is either."""
    try:
        loads(path.read_bytes())
        code = None
    except Unreadable as refused:
        code = refused.code
    assert not (path.name.startswith("y_") and code not in {None, *OURS})
    assert not (path.name.startswith("n_") and code not in SYNTAX)


@needs_corpus
def test_naughty_strings_come_through_whole_or_are_refused_for_their_content():
    for naughty in json.loads((CORPUS / "naughty-strings-even.json").read_text(encoding="utf-8")):
        for body in (json.dumps([naughty]).encode(), json.dumps([naughty], ensure_ascii=False).encode()):
            try:
                assert loads(body) == [naughty]
            except Unreadable as refused:
                assert refused.code in CONTENT


@given(values)
def test_what_was_written_is_read(value):
    assert loads(json.dumps(value).encode()) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary() | st.text('[]{}",:\\u0d8nNaI1e+-. \t').map(str.encode))
def test_no_bytes_raise_anything_else(body):
    try:
        loads(body)
    except Unreadable as refused:
        assert refused.code in SYNTAX | CONTENT
