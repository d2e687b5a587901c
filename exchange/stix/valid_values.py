"""Checks of values, by the words that `data/stix_objects.json` has for types; of lists, dictionaries, and the rest."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from exchange.stix import valid_forms as forms
from exchange.tables import table

Check = Callable[[Any, str, list[str]], None]
"""`check(value, at, faults)` adds a sentence to `faults` for what is wrong with the value of the property `at`."""

Rule = Callable[[Mapping[str, Any], str, list[str]], None]
"""What properties must be to each other. It is asked only about an object whose properties are right by themselves."""

MOST_FAULTS: Final = 5
_LONGEST_STRING: Final = 65_536  # octets of UTF-8
_DEEPEST: Final = 32
_LARGEST: Final = 2**53 - 1

_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x9f\ud800-\udfff]")
_KEY = re.compile(r"[a-zA-Z0-9_-]{0,250}")
_HASH_KEY = re.compile(r"[a-zA-Z0-9_-]{3,250}")
_CHARSETS: Final = frozenset(table("stix_objects")["charsets"])
_HASHES: Final = {
    **{name: re.compile(f"[0-9a-fA-F]{{{digits}}}") for name, digits in table("stix_objects")["hashes"].items()},
    "SSDEEP": re.compile(r"[a-zA-Z0-9/+:.]{1,148}"),
    "TLSH": re.compile(r"(?:T1)?[a-zA-Z0-9]{70}"),
}


def shown(text: str, most: int = 28) -> str:
    """What of the caller's text may stand in a sentence of ours: short, and nothing that cannot be printed."""
    seen = "".join(letter if letter.isprintable() else "?" for letter in text[: most + 1])
    return seen if len(seen) <= most else f"{seen[: most - 1]}…"


def said(value: object) -> str:
    """A value, as we say it in a sentence. Numbers are not repeated: Python refuses to print long ones."""
    if isinstance(value, str):
        return f'"{shown(value)}"'
    words = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", list: "a list"}
    return words.get(type(value), "an object")


def must_be(holds: Callable[[Any], object], what: str) -> Check:
    """A check that says `… must be <what>` when it does not hold."""

    def check(value: Any, at: str, faults: list[str]) -> None:
        if not holds(value):
            faults.append(f"{at} must be {what}, not {said(value)}.")

    return check


def text_where(holds: Callable[[str], object], what: str, longest: int = _LONGEST_STRING) -> Check:
    """The same for a string that is not too long."""

    def check(value: Any, at: str, faults: list[str]) -> None:
        if type(value) is not str or len(value) > longest or not holds(value):
            faults.append(f"{at} must be {what}, not {said(value)}.")

    return check


def refused_text(text: str) -> str | None:
    """Why no string may be like this, if so (STIX 2.1, section 2.15, and what a database can keep)."""
    if not text.isprintable() and _REFUSED.search(text):
        return "has a control character or half a character"
    if len(text) > _LONGEST_STRING // 4 and len(text.encode()) > _LONGEST_STRING:
        return "is longer than 64 kB"
    return None


def string(value: Any, at: str, faults: list[str]) -> None:
    """Any text that can be stored and shown."""
    if type(value) is not str:
        faults.append(f"{at} must be a string, not {said(value)}.")
    elif why := refused_text(value):
        faults.append(f"{at} {why}.")


def registry_key(value: Any, at: str, faults: list[str]) -> None:
    """A key whose hive is written in full (STIX 2.1, section 6.17)."""
    string(value, at, faults)
    if isinstance(value, str) and forms.SHORT_HIVE.match(value):
        faults.append(f"{at} must have its hive in full, as in HKEY_LOCAL_MACHINE.")


def integer(low: int = -_LARGEST, high: int = _LARGEST) -> Check:
    """A whole number, written without a fraction (STIX 2.1, section 2.10)."""
    bounds = "" if low == -_LARGEST else f" from {low}" + ("" if high == _LARGEST else f" to {high}")
    return must_be(lambda value: type(value) is int and low <= value <= high, f"an integer{bounds}")


def number(low: float = -math.inf, high: float = math.inf) -> Check:
    """A finite number (STIX 2.1, section 2.6)."""
    bounds = "" if low == -math.inf else f" from {low:g} to {high:g}"
    return must_be(lambda value: _is_number(value) and low <= value <= high, f"a number{bounds}")


def _is_number(value: object) -> bool:
    if type(value) is int:
        return -_LARGEST <= value <= _LARGEST
    return type(value) is float and math.isfinite(value)


def list_of(check: Check) -> Check:
    """A list of at least one, all of which pass (STIX 2.1, section 2.12)."""

    def each(value: Any, at: str, faults: list[str]) -> None:
        if type(value) is not list or not value:
            faults.append(f"{at} must be a list of at least one.")
            return
        for index, item in enumerate(value):
            check(item, f"{at}[{index}]", faults)
            if len(faults) >= MOST_FAULTS:
                return

    return each


def dictionary_of(check: Check) -> Check:
    """A dictionary of at least one key, whose values all pass (STIX 2.1, section 2.3)."""

    def each(value: Any, at: str, faults: list[str]) -> None:
        if type(value) is not dict or not value:
            faults.append(f"{at} must be a dictionary of at least one key.")
            return
        for key, item in value.items():
            if isinstance(key, str) and _KEY.fullmatch(key):
                check(item, f"{at}.{shown(key, 20)}", faults)
            else:
                faults.append(f"{at} has a key that is not made of a-z, A-Z, 0-9, hyphens and underscores.")
            if len(faults) >= MOST_FAULTS:
                return

    return each


def either(first: Check, second: Check) -> Check:
    """What passes one of two checks; the second one says what is wrong."""

    def check(value: Any, at: str, faults: list[str]) -> None:
        tried: list[str] = []
        first(value, at, tried)
        if tried:
            second(value, at, faults)

    return check


def hashes(value: Any, at: str, faults: list[str]) -> None:
    """Hashes by algorithm; those of known algorithms have their length (STIX 2.1, section 2.7)."""
    _hashes(value, at, faults, _HASH_KEY)


def known_hashes(value: Any, at: str, faults: list[str]) -> None:
    """Where only algorithms of the vocabulary may stand (STIX 2.1, section 2.5.1)."""
    _hashes(value, at, faults, re.compile("|".join(_HASHES)))


def _hashes(value: Any, at: str, faults: list[str], names: re.Pattern[str]) -> None:
    before = len(faults)
    _STRINGS(value, at, faults)
    if len(faults) > before:
        return
    for name, digest in value.items():
        form = _HASHES.get(name)
        if names.fullmatch(name) is None:
            faults.append(f"{at}.{shown(name, 20)} is not the name of a hash algorithm.")
        elif form is not None and form.fullmatch(digest) is None:
            faults.append(f"{at}.{name} is not a hash of that algorithm.")


def anything(value: Any, at: str, faults: list[str]) -> None:
    """What the standard does not know: not null, not empty, and sound all the way down."""
    if value is None or (type(value) in {list, dict} and not value):
        faults.append(f"{at} must not be null or empty: it can be left out.")
    elif why := _unsound(value, _DEEPEST):
        faults.append(f"{at} {why}.")


def plain_object(value: Any, at: str, faults: list[str]) -> None:
    """Any JSON object that is sound all the way down."""
    if type(value) is not dict:
        faults.append(f"{at} must be an object, not {said(value)}.")
    elif why := _unsound(value, _DEEPEST):
        faults.append(f"{at} {why}.")


def _unsound(value: Any, deep: int) -> str | None:
    """What is wrong with a value. Deeper inside of what nobody specified, null and empty may stand."""
    if isinstance(value, str):
        return refused_text(value)
    if value is None or isinstance(value, bool) or _is_number(value):
        return None
    if isinstance(value, (int, float)):
        return "has a number out of range"
    return _unsound_inside(value, deep - 1) if deep else "is nested too deep"


def _unsound_inside(value: Any, deep: int) -> str | None:
    if isinstance(value, dict):
        if not all(isinstance(key, str) and refused_text(key) is None for key in value):
            return "has a key that cannot be stored"
        value = value.values()
    elif not isinstance(value, list):
        return "is not JSON"
    return next((why for item in value if (why := _unsound(item, deep))), None)


_STRINGS = dictionary_of(string)

VALUES: Final[dict[str, Check]] = {
    "string": string,
    "boolean": must_be(lambda value: type(value) is bool, "true or false"),
    "timestamp": text_where(forms.TIMESTAMP.fullmatch, "a time from 1970 on, like 2026-11-21T03:00:00Z", 30),
    "timestamp to the millisecond": text_where(
        forms.TO_THE_MILLISECOND.fullmatch, "a time from 1970 on, like 2026-11-21T03:00:00.000Z", 30
    ),
    "timestamp to the second": text_where(
        forms.TO_THE_SECOND.fullmatch, "a time from 1970 on, like 2026-11-21T03:00:00Z", 30
    ),
    "hex": text_where(re.compile(r"(?:[0-9a-fA-F]{2})++").fullmatch, "pairs of hexadecimal digits"),
    "binary": text_where(forms.is_binary, "base64"),
    "language": text_where(forms.is_language, "a language tag of RFC 5646"),
    "charset": text_where(_CHARSETS.__contains__, "the name that IANA has for a character set"),
    "cpe": text_where(forms.CPE.fullmatch, "a CPE 2.3 name", forms.LONGEST_VALUE),
    "url": text_where(forms.URL.fullmatch, "a URL of at most 2048 characters", forms.LONGEST_VALUE),
    "domain-name": text_where(forms.is_domain, "a domain name"),
    "email-addr": text_where(forms.is_email, "an e-mail address", forms.LONGEST_VALUE),
    "ipv4-addr": text_where(forms.IPV4.fullmatch, "an IPv4 address or CIDR block"),
    "ipv6-addr": text_where(forms.is_ipv6, "an IPv6 address or CIDR block", 49),
    "mac-addr": text_where(forms.MAC.fullmatch, "a MAC address in lower case with colons"),
    "registry-key": registry_key,
    "relationship-type": text_where(re.compile(r"[a-z0-9-]{1,250}").fullmatch, "made of a-z, 0-9 and hyphens"),
    "selector": text_where(
        re.compile(r"[a-zA-Z0-9_-]+(?:\.(?:\[[0-9]{1,6}\]|[a-zA-Z0-9_-]+))*").fullmatch, "a selector"
    ),
    "header": either(string, list_of(string)),
    "integer or string": either(integer(), string),
    "hashes": hashes,
    "known-hashes": known_hashes,
    "object": plain_object,
    "dictionary": dictionary_of(anything),
}
