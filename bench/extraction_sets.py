"""Texts that others labelled with the indicators in them, in one form."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # It has no types, and only texts are read with it.

from exchange.extraction import KINDS

Value = tuple[str, str]
"""Type and value."""


@dataclass(frozen=True)
class Labelled:
    """A text; of each group of `wanted` one value must be found, and `optional` ones may be."""

    text: str
    wanted: tuple[frozenset[Value], ...]
    optional: frozenset[Value] = frozenset()


@dataclass(frozen=True)
class TextSet:
    """Labelled texts, and the types that their labels know: what else is found in them is not judged."""

    name: str
    texts: tuple[Labelled, ...]
    kinds: frozenset[str] = field(default=KINDS)


def labelled_sets(corpora: Path) -> list[TextSet]:
    """Every labelled set.

    Args:
        corpora: a folder with `testdata/text` and `domain/sample-reports.json`.
    """
    text = corpora / "testdata" / "text"
    return [
        TextSet("ten sample reports", tuple(_samples(corpora / "domain" / "sample-reports.json"))),
        TextSet("30 cases", tuple(_cases(text / "ioc-cases.json"))),
        TextSet("txt2stix", tuple(_examples(text / "txt2stix" / "test_cases.yaml"))),
        TextSet("Unit 42, six reports", tuple(_reports((text / "unit42").glob("*.txt")))),
        TextSet("Netskope, three pages", tuple(_pages((text / "netskope").glob("*.md")))),
        TextSet(
            "iocsearcher, registry keys",
            tuple(_registry_keys(text / "iocsearcher" / "registry_valid.ioc")),
            frozenset({"windows-registry-key"}),
        ),
        TextSet(
            "iocsearcher, onion names",
            tuple(_onions(text / "iocsearcher" / "onion_valid.ioc")),
            frozenset({"onion-address"}),
        ),
    ]


def _one(kind: str, value: str) -> frozenset[Value]:
    return frozenset({(kind, value)})


# --- the sample reports --------------------------------------------------------------------------------

_SPELLINGS = (("[.]", "."), ("(dot)", "."), ("[:]", ":"), ("[@]", "@"), ("hxxp", "http"))


def _samples(path: Path) -> Iterator[Labelled]:
    """True is what the report lists and the text says; what it says only inside a URL may be found."""
    for sample in json.loads(path.read_bytes())["samples"]:
        values = [(one["type"].rpartition(":")[2], one["value"]) for one in sample["iocs"]]
        values += [("vulnerability", one["cve"]) for one in sample["vulnerabilities"]]
        for text in (sample["free_text_ja"], sample["stages"]["sokuhou"].get("ioc_paste")):
            if text:
                yield _sample(text, values)


def _sample(text: str, values: Iterable[Value]) -> Labelled:
    said = unicodedata.normalize("NFKC", text)
    for written, meant in _SPELLINGS:
        said = said.replace(written, meant)
    listed = [one for one in values if one[1] in said and one[0] in KINDS]
    for kind, value in listed:
        said = said.replace(value, " ") if kind == "url" else said
    wanted = [one for one in listed if one[0] == "url" or one[1] in said]
    return Labelled(text, tuple(_one(*one) for one in wanted), frozenset(listed))


# --- cases ---------------------------------------------------------------------------------------------


def _cases(path: Path) -> Iterator[Labelled]:
    for case in json.loads(path.read_bytes())["cases"]:
        wanted = tuple(frozenset((kind, one) for one in values.split("|")) for kind, values in case["iocs"])
        optional = frozenset((kind, one) for kind, values in case["optional"] for one in values.split("|"))
        yield Labelled(case["text"], wanted, optional)


_EXAMPLE_KINDS = {
    "ipv4_address_only": "ipv4-addr",
    "ipv4_address_port": "ipv4-addr",
    "ipv6_address_only": "ipv6-addr",
    "ipv6_address_port": "ipv6-addr",
    "domain_name_only": "domain-name",
    "domain_name_subdomain": "domain-name",
    "url": "url",
    "url_file": "url",
    "url_path": "url",
    "file_hash_md5": "md5",
    "file_hash_sha_1": "sha1",
    "file_hash_sha_256": "sha256",
    "file_hash_sha_512": "sha512",
    "email_address": "email-addr",
    "cve_id": "vulnerability",
}


_WITHOUT_FORMS = ("file_hash", "email", "cve", "mac_address", "windows_registry", "user_agent", "autonomous_system")


def _examples(path: Path) -> Iterator[Labelled]:
    """Examples of each kind, and what is none; but not what is none because it is another form of the same type."""
    read: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, examples in read.items():
        bare = name.removeprefix("generic_")
        kind = _EXAMPLE_KINDS.get(bare)
        for text in map(str, examples.get("test_positive_examples") or ()):
            yield Labelled(text, (_one(kind, _example_value(kind, text)),) if kind else (), _alike(kind, text))
        for text in map(str, (examples.get("test_negative_examples") or ()) if bare.startswith(_WITHOUT_FORMS) else ()):
            yield Labelled(text, ())


def _example_value(kind: str, text: str) -> str:
    if kind == "ipv4-addr":
        return text.partition(":")[0]
    if kind == "ipv6-addr":
        text = text.removeprefix("[").partition("]")[0]
        return re.sub(r"(?<![0-9a-f])0+(?=[0-9a-f])", "", text.lower()).replace(":0:0:", "::")
    return text.lower() if kind in {"md5", "sha1", "sha256", "sha512"} else text


def _alike(kind: str | None, text: str) -> frozenset[Value]:
    """What is right as another type: hashes that identify transactions, addresses of a range, names of files."""
    if kind:
        return frozenset()
    host = re.sub(r"^\[|[/:]\d+$|\]:\d+$", "", text)
    return frozenset((one, value) for one in KINDS for value in (text, text.lower(), host))


# --- reports and pages ---------------------------------------------------------------------------------

_FIELD = re.compile(r"(?:DNS query for )?([^\s/\\]+\.[a-z]{2,}|[\d.]+)(?: port \d+)?")
_ADDRESS = re.compile(r"[\d.]+")
_HASH = re.compile(r"- (?:SHA256 hash: )?([0-9a-f]{64})\b")


def _reports(paths: Iterable[Path]) -> Iterator[Labelled]:
    """These reports list one hash a line, or names and addresses as fields between dashes."""
    for path in sorted(paths):
        text = path.read_text(encoding="utf-8")
        values = [value for line in text.splitlines() for value in _line(line)]
        yield Labelled(text, tuple(_one(*one) for one in dict.fromkeys(values)))


def _line(line: str) -> Iterator[Value]:
    hashed = _HASH.match(line)
    if hashed:
        yield "sha256", hashed[1]
        return
    for part in re.split("(?:^|(?<= ))- ", line.replace(".[.]", ".").replace("[.]", ".").replace("hxxp", "http")):
        found = _FIELD.fullmatch(part.strip())
        if part.startswith("http"):
            yield "url", part.strip()
        elif found:
            yield "ipv4-addr" if _ADDRESS.fullmatch(found[1]) else "domain-name", found[1]


_BLOCKS = re.compile(r"^(?P<title>[^\n`]*)\n```text\n(?P<lines>.*?)\n```", re.DOTALL | re.MULTILINE)


def _pages(paths: Iterable[Path]) -> Iterator[Labelled]:
    """These pages hold one value a line in blocks, each block with its title."""
    for path in sorted(paths):
        text = path.read_text(encoding="utf-8")
        blocks = [block for block in _BLOCKS.finditer(text) if "Mutex" not in block["title"]]
        values = [_block_value(line) for block in blocks for line in block["lines"].splitlines()]
        yield Labelled(text, tuple(_one(*one) for one in dict.fromkeys(values)))


def _block_value(line: str) -> Value:
    value = line.replace("[.]", ".").replace("hxxp", "http")
    if "://" in value:
        return "url", value
    if re.fullmatch("[0-9A-Fa-f]+", value):
        return {32: "md5", 40: "sha1", 64: "sha256"}[len(value)], value.lower()
    return "domain-name", value.partition(":")[0]


# --- values alone --------------------------------------------------------------------------------------

_HIVES = {"HKCU": "HKEY_CURRENT_USER", "HKLM": "HKEY_LOCAL_MACHINE"}


def _registry_keys(path: Path) -> Iterator[Labelled]:
    for line in path.read_text(encoding="utf-8").splitlines():
        key = line.partition("\t")[2]
        hive, _, rest = key.rstrip("\\").partition("\\")
        yield Labelled(key, (_one("windows-registry-key", f"{_HIVES.get(hive, hive)}\\{rest}"),))


def _onions(path: Path) -> Iterator[Labelled]:
    for name in path.read_text(encoding="utf-8").split():
        yield Labelled(name, (_one("onion-address", f"{name}.onion"),))
