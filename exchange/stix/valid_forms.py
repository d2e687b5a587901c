"""The forms of single texts in STIX: times, identifiers, addresses, names. Pure questions, each with a yes or no."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import Final

import idna

from exchange.tables import table

LONGEST_VALUE: Final = 2_048
"""Characters of a URL and of whatever else a consumer looks up as one value."""

# RFC 3339 with Z (STIX 2.1, section 2.16), from 1970 on. A leap second is refused: no clock of ours can say it.
_LEAP_YEAR = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DAY = (
    r"(?=19[7-9]|[2-9])(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|" + _LEAP_YEAR + r"-02-29)"
)
_TO_THE_SECOND = _DAY + r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
TIMESTAMP: Final = re.compile(_TO_THE_SECOND + r"(?:\.[0-9]{1,9})?Z")
TO_THE_MILLISECOND: Final = re.compile(_TO_THE_SECOND + r"\.[0-9]{3,9}Z")
TO_THE_SECOND: Final = re.compile(_TO_THE_SECOND + "Z")

# STIX 2.1, sections 3.1 and 11.2.1: no hyphen follows a hyphen, and a letter comes first.
TYPE_NAME: Final = r"[a-z](?:-?[a-z0-9])+"
TYPE: Final = re.compile(rf"(?=.{{3,250}}\Z){TYPE_NAME}")
PROPERTY_NAME: Final = re.compile(r"[a-z][a-z0-9_]{2,249}")
_UUID = r"--[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"

# RFC 3986, appendix A, without the inside of an IP literal.
_PLAIN = r"A-Za-z0-9\-._~!$&'()*+,;="
_ENCODED = "%[0-9A-Fa-f]{2}"
URL: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]*+:"
    rf"(?://(?:(?>(?:[{_PLAIN}:]|{_ENCODED})*)@)?(?:\[[0-9A-Fa-fvV:.]++\]|(?:[{_PLAIN}]|{_ENCODED})*+)"
    r"(?::[0-9]*+)?(?=[/?#]|\Z))?"
    rf"(?:[{_PLAIN}:@/]|{_ENCODED})*+(?:\?(?:[{_PLAIN}:@/?]|{_ENCODED})*+)?(?:#(?:[{_PLAIN}:@/?]|{_ENCODED})*+)?"
)

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4: Final = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}(?:/(?:3[0-2]|[12]?[0-9]))?")
_IPV6_PREFIX = re.compile(r"12[0-8]|1[01][0-9]|[1-9]?[0-9]")
MAC: Final = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_LABELS = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.|\Z))+")
_LOCAL_PART = re.compile(r"[^\s@<>()\[\],;:\\\"]+|\"(?:[^\"\\]|\\.)*+\"")
SHORT_HIVE: Final = re.compile(r"hk(?:lm|cc|cr|cu|u)(?:\\|\Z)", re.IGNORECASE)

# CPE 2.3 (NISTIR 7695, section 6.2): a formatted string of a part and ten more attributes.
_CPE_TEXT = r"(?:[*-]|[?*]*+(?:[A-Za-z0-9\-._]|\\[\\*?!\"#$%&'()+,/:;<=>@\[\]^`{|}~])++[?*]*+)"
_CPE_LANGUAGE = r"(?:[a-zA-Z]{2,3}(?:-(?:[a-zA-Z]{2}|[0-9]{3}))?|[*-])"
CPE: Final = re.compile(rf"cpe:2\.3:[aho*-](?::{_CPE_TEXT}){{5}}:{_CPE_LANGUAGE}(?::{_CPE_TEXT}){{4}}")

# RFC 5646, section 2.1. No language is registered with more than three letters.
_LANGUAGE = re.compile(
    r"(?P<primary>[a-z]{2,3})(?:-[a-z]{3}){0,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+|i-[a-z]{3,8}"
)
_TWO_LETTERS: Final = frozenset(table("stix_objects")["languages"])


def instant(timestamp: str) -> str:
    """A valid timestamp in a form that sorts by time, whatever its precision."""
    return f"{timestamp[:19]}.{timestamp[20:-1]:0<9}"


def identifier_of(types: str) -> re.Pattern[str]:
    """The form of an identifier of these types, which are a regular expression themselves (STIX 2.1, section 2.9)."""
    return re.compile(rf"(?=.{{41,288}}\Z)(?:{types}){_UUID}")


def hidden(text: str) -> bool:
    """Whether it has a character that nobody sees, or that turns the direction of writing round."""
    return not text.isprintable() and any(unicodedata.category(one) in {"Cf", "Cn"} for one in text)


def is_language(tag: str) -> bool:
    """Whether it is well formed after RFC 5646, and its language exists if it has two letters."""
    return len(tag) <= 100 and _is_language(tag)


@lru_cache(maxsize=1024)
def _is_language(tag: str) -> bool:
    found = _LANGUAGE.fullmatch(tag.lower())
    if found is None:
        return False
    primary = found["primary"] or ""
    return len(primary) != 2 or primary in _TWO_LETTERS


def is_binary(text: str) -> bool:
    """Base64 of at least one octet (RFC 4648)."""
    return len(text) % 4 == 0 and re.fullmatch(r"[A-Za-z0-9+/]++={0,2}", text) is not None


def is_ipv6(text: str) -> bool:
    """An address or a CIDR block, without a zone: a zone means something on one machine only."""
    address, slash, prefix = text.partition("/")
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return "%" not in address and (not slash or _IPV6_PREFIX.fullmatch(prefix) is not None)


def is_domain(text: str) -> bool:
    """As the DNS has names: an underscore does not keep a name from existing (RFC 2181, section 11)."""
    if len(text) > 254:
        return False
    try:
        ascii_text = text if text.isascii() else idna.encode(text.lower()).decode()
    except UnicodeError:
        return False
    return len(ascii_text.rstrip(".")) <= 253 and _LABELS.fullmatch(ascii_text) is not None


def is_email(text: str) -> bool:
    """addr-spec (RFC 5322, section 3.4.1), but with the dots anywhere, as Japanese carriers once gave them out."""
    local, _, domain = text.rpartition("@")
    literal = domain.startswith("[") and domain.endswith("]")
    return text.isprintable() and _LOCAL_PART.fullmatch(local) is not None and (literal or is_domain(domain))
