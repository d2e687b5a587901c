"""STIX patterns: what our reader takes is what the grammar takes, as stix2-patterns reads it, and nothing is costly."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stix2patterns.exceptions import ParseException
from stix2patterns.v20.pattern import Pattern as Pattern20
from stix2patterns.v21.pattern import Pattern as Pattern21
from stix2patterns.validator import run_validator

from exchange.stix.observables import pattern
from exchange.stix.valid_pattern import DEEPEST, LONGEST, MOST_COMPARISONS, pattern_fault
from tests.stix_examples import MD5, SHA256
from tests.test_stix import HOSTILE, findings, make_finding

UNREADABLE = "is not in the grammar of STIX patterns"
APART = "joins two types of objects by AND, and no object is of both"

SPACES = st.sampled_from(["", " ", " ", " ", "  ", "\t", "\n", "/* [ */", "// '\n", "\u3000"])
TYPES = ["file", "url", "ipv4-addr", "x-a-b", "t"]
PATHS = [
    *("file:name", "file:size", "url:value", "file:abc[*].MD5", "file:extensions.'windows-pebinary-ext'.sections[0].x"),
    *("x-a-b:abc[-1]", "x-a-b:'abc'.\"d\"", "file:hashes.'SHA-256'", "file:hashes.MD5", "file:ab-c", "file:true.b"),
    *("AND:abc", "ANDx:abc", "file:abc.NOT", "x-a:abc.h", "file : abc . d [ 1 ]", "ab:abc", "File:abc", "app:id"),
]
CONSTANTS = [
    *("'a'", "''", "'it\\'s'", "'\\\\'", "'\\n'", "'[a:b = 1] AND'", "'/*'", "'", f"'{MD5}'", f"'{SHA256}'"),
    *("5", "-5", "+5", "05", "- 5", "1.5", "-.5", "5.", "1.5.5", "true", "false", "True", "trueX", "null"),
    *("h'ab'", "h''", "h'abc'", "b'ABI='", "b''", "b'AB'", "t'2020-01-01T00:00:00Z'", "t'2020-13-01T00:00:00Z'"),
]
SETS = ["('a', 'b')", "()", "( 5,6 )", "('a',)", "('a' 'b')", f"('{MD5}')", "(('a'))"]
OPERATORS = [
    "=",
    "==",
    "!=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "= =",
    "IN",
    "LIKE",
    "MATCHES",
    "ISSUBSET",
    "ISSUPERSET",
    "like",
]
QUALIFIERS = [
    *(" WITHIN 5 SECONDS", " WITHIN 0.5 SECONDS", " WITHIN -5 SECONDS", " REPEATS 5 TIMES", " REPEATS 1.5 TIMES"),
    *("WITHIN 5SECONDS", " WITHIN5 SECONDS", " START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'"),
    *(" START '2020' STOP '2021'", " REPEATS 5 TIMES WITHIN 5 SECONDS", " WITHIN 5 SECONDS WITHIN 6 SECONDS"),
]


def pick(*of):
    return st.sampled_from([one for several in of for one in several])


def glued(*parts):
    """Parts of a pattern, with anything that may stand between words between them."""
    between = [part for one in parts for part in (SPACES, one)]
    return st.tuples(*between, SPACES).map("".join)


COMPARISONS = st.one_of(
    glued(pick(PATHS), pick(["", "", " NOT"]), pick([f" {one} " for one in OPERATORS]), pick(CONSTANTS, SETS)),
    glued(pick(PATHS[:3]), pick(["="]), pick(CONSTANTS[:3])),
    glued(pick(PATHS[:3]), pick(["="]), pick(CONSTANTS[:3])),
    glued(st.just("EXISTS "), pick(PATHS)),
)
JOINTS = pick([" AND ", " AND ", " OR ", " OR ", "AND", " FOLLOWEDBY ", " AND OR ", " "])
EXPRESSIONS = st.recursive(
    COMPARISONS,
    lambda inner: glued(st.just("("), inner, st.just(")")) | st.tuples(inner, JOINTS, inner).map("".join),
    max_leaves=4,
)
OBSERVATIONS = glued(st.just("["), EXPRESSIONS, st.just("]")) | glued(st.just("["), COMPARISONS, st.just("]"))
PATTERNS = st.recursive(
    OBSERVATIONS | st.tuples(OBSERVATIONS, pick(QUALIFIERS)).map("".join),
    lambda inner: st.one_of(
        glued(st.just("("), inner, st.just(")")),
        st.tuples(inner, JOINTS | st.just(" FOLLOWEDBY "), inner).map("".join),
        st.tuples(inner, pick(QUALIFIERS)).map("".join),
    ),
    max_leaves=3,
)


@st.composite
def mutated(draw):
    """A pattern with a few letters cut out, put in or repeated."""
    text = draw(PATTERNS)
    for _ in range(draw(st.integers(0, 2))):
        start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        put = draw(st.sampled_from(["", "", "[", "]", "(", ")", "'", "=", ".", "\\", "a", "\u3042", " AND "]))
        text = text[:start] + put + text[min(end, start + 2) :]
    return text


def in_grammar(text, read=Pattern21):
    try:
        read(text)
    except ParseException:
        return False
    return True


@settings(max_examples=500, deadline=None)
@given(mutated())
@example("[file:name = 'a']")
@example("[file:name='a'AND file:size=5AND file:size=6]")
@example("[file:name = 'a'] /* open")
@example("[file:size = 05.5]")
def test_we_read_what_the_grammar_reads(text):
    """Where we have another objection, the grammar may have one of its own further on, or none."""
    why = pattern_fault(text)
    if why is None or why == UNREADABLE:
        assert in_grammar(text) == (why is None)


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_what_stix2_patterns_objects_to_beyond_the_grammar_we_do_too(text):
    """But it takes a set or a likeness for one hash, a comment for no bracket, and fails over a negative index."""
    likeness = any(word in text for word in ("IN", "LIKE", "MATCHES", "ISS", "[-", "*", "/"))
    if pattern_fault(text) is None and not likeness:
        assert run_validator(text, "2.1") == []


@settings(max_examples=200, deadline=None)
@given(findings())
def test_our_own_patterns_are_read(finding):
    assert pattern_fault(pattern(finding)) is None


@settings(max_examples=200, deadline=None)
@given(HOSTILE)
def test_a_value_cannot_break_out_of_our_own_pattern(value):
    assert pattern_fault(pattern(make_finding("url", value))) is None


def test_the_patterns_of_the_specification_are_read(testdata):
    lines = testdata("patterns/spec_examples.txt").read_text().splitlines()
    assert len(lines) > 20
    assert [line for line in lines if line and pattern_fault(line)] == []


@pytest.mark.parametrize(
    "text",
    [
        "[file:name = 'a']",
        "[file:name MATCHES '(a+)+$']",
        "[file:name NOT LIKE '%a_']",
        f"[file:hashes.'SHA-256' = '{SHA256}' OR file:hashes.MD5 = '{MD5}']",
        f"[file:hashes.MD5 IN ('{MD5}', '{MD5}')]",
        "[file:hashes.MD5 LIKE 'abc%']",
        "[file:hashes.unknown = 'x']",
        "[file:hashes[*] = 'x']",
        "[file:id = 'x']",
        "[file:magic_number_hex IN (h'FFd8', h'', b'QQ==', b'QUI=', b'QUJD', t'2020-01-01T00:00:00.5Z', true, -1.5)]",
        "[(file:name = 'a' OR url:value = 'b') AND url:value = 'b']",
        "[file:name = 'a' AND file:size = 5 OR url:value = 'b']",
        "([file:name = 'a'] FOLLOWEDBY [url:value = 'b'] REPEATS 2 TIMES) WITHIN 5 SECONDS",
        "([file:name = 'a']) WITHIN 5 SECONDS WITHIN 6 SECONDS",
    ],
)
def test_these_are_patterns(text):
    assert pattern_fault(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", UNREADABLE),
        ("file:name = 'a'", UNREADABLE),
        ("[file:name = 'a'", UNREADABLE),
        ("[file:name = 'a']]", UNREADABLE),
        ("[file:name = a]", UNREADABLE),
        ("[file:hashes.SHA-256 = 'a']", UNREADABLE),
        ("[]", UNREADABLE),
        ("[file:name = 'a'] WITHIN 5 MINUTES", UNREADABLE),
        ("[file:name = 'a' WITHIN 5 SECONDS]", UNREADABLE),
        ("[file:name = 'a' FOLLOWEDBY file:name = 'b']", UNREADABLE),
        ("[file:name = 'a'] [file:name = 'b']", UNREADABLE),
        ("[[file:name = 'a']]", UNREADABLE),
        ("[(file:name = 'a'])", UNREADABLE),
        ("[file:name = 'a'] START '2020' STOP '2021'", UNREADABLE),
        ("[file:name = 'a'] WITHIN 5 SECONDS REPEATS 2 TIMES WITHIN 6 SECONDS", "has the same qualifier twice"),
        ("[app:id = 'x']", "has a type or property that cannot be the name of one"),
        ("[File:name = 'x']", "has a type or property that cannot be the name of one"),
        ("[x--a:name = 'x']", "has a type or property that cannot be the name of one"),
        ("[file:'a b' = 'x']", "has a type or property that cannot be the name of one"),
        ("[file:hashes.MD5 = 'abc']", "compares a hash to what is none of that name"),
        ("[file:hashes.'SHA-1' != 5]", "compares a hash to what is none of that name"),
        (f"[file:hashes.MD5 IN ('{MD5}', 'abc')]", "compares a hash to what is none of that name"),
        (f"[x-a:content_ref.'hashes'.'SHA-256' = '{MD5}']", "compares a hash to what is none of that name"),
        ("[file:hashes[0] = 'x']", "compares a hash to what is none of that name"),
        ("[file:name = 'a' AND url:value = 'b']", APART),
        ("[file:name = 'a' OR file:name = 'c' AND url:value = 'b']", APART),
        ("[(file:name = 'a' OR url:value = 'b') AND mutex:name = 'c']", APART),
        ("[file:name = 'gpj\u202eexe.scr']", "has a character that cannot be seen, or that turns the writing round"),
        (
            "[url:value = 'http://a\u200b.example']",
            "has a character that cannot be seen, or that turns the writing round",
        ),
    ],
)
def test_these_are_none(text, why):
    assert pattern_fault(text) == why


@pytest.mark.parametrize("text", ["[file:name NOT = 'a'] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'"])
def test_a_pattern_of_stix_20_is_one_of_21(text):
    assert in_grammar(text, Pattern20) and pattern_fault(text) is None


def many(number, of="file:size = 1", by=" OR "):
    return f"[{by.join([of] * number)}]"


def deep(levels):
    return "(" * levels + "[file:size = 1]" + ")" * levels


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (many(MOST_COMPARISONS), many(MOST_COMPARISONS + 1)),
        (deep(DEEPEST), deep(DEEPEST + 1)),
        ("[file:name = '" + "a" * (LONGEST - 16) + "']", "[file:name = '" + "a" * (LONGEST - 15) + "']"),
        (
            f"[{'(' * DEEPEST}file:size = 1{')' * DEEPEST}]",
            f"[{'(' * (DEEPEST + 1)}file:size = 1{')' * (DEEPEST + 1)}]",
        ),
    ],
    ids=["comparisons", "depth", "length", "depth inside"],
)
def test_the_limits_are_where_the_threat_model_has_them(inside, outside):
    assert pattern_fault(inside) is None
    assert (pattern_fault(outside) or "").startswith(("has more than", "is longer than"))


ENDLESS = [
    *("[" * LONGEST, "(" * LONGEST, "'" * LONGEST, "/*" * 5_000, "あ" * LONGEST, "a" * LONGEST, "[file:abc[0" * 900),
    *("[file:abc" + ".x" * 4_990, "[file:abc IN (" + "1," * 4_990, "[file:a" + "\\" * 9_900, "([" * 5_000),
    *((deep(19) + " AND ") * 260, "[file:abc = 1]" + " WITHIN 5 SECONDS" * 500, "[file:abc = 1 AND " * 500),
]
LONG = [
    *(
        "[file:abc" + ".x" * 4_900 + " = 1]",
        "[file:abc IN (" + "1," * 4_900 + "1)]",
        (deep(19) + " AND ") * 150 + deep(1),
    ),
    *(
        "[file:hashes." + "a" * 9_900 + ".x = 1]",
        "[file:abc = 1] /*" + "*" * 9_900 + "/",
        "[file:abc = '" + "\\\\" * 4_900 + "']",
    ),
]


@pytest.mark.parametrize(("text", "is_pattern"), [(one, False) for one in ENDLESS] + [(one, True) for one in LONG])
def test_long_texts_are_read_without_going_deep(text, is_pattern):
    """The library takes 400 ms for one of these, and does not come back from others."""
    assert (pattern_fault(text[:LONGEST]) is None) == is_pattern
