"""One extractor as a process: a text a line comes in as JSON, what it found and how long it took goes out.

It runs in the environment of that library, where nothing of ours is installed.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Value = tuple[str, str]


def _ours() -> Callable[[str], Iterable[Value]]:
    extraction = importlib.import_module("exchange.extraction")
    return lambda text: [
        (one.type, one.value)
        for one in extraction.extract(text, documentation_is_real=True, kinds=extraction.ALL_KINDS)
    ]


def _iocextract() -> Callable[[str], Iterable[Value]]:
    """It has no names and no vulnerabilities."""
    library = importlib.import_module("iocextract")
    readers = {
        "url": lambda text: library.extract_urls(text, refang=True),
        "ipv4-addr": lambda text: library.extract_ipv4s(text, refang=True),
        "ipv6-addr": library.extract_ipv6s,
        "email-addr": lambda text: library.extract_emails(text, refang=True),
        "md5": library.extract_md5_hashes,
        "sha1": library.extract_sha1_hashes,
        "sha256": library.extract_sha256_hashes,
        "sha512": library.extract_sha512_hashes,
    }
    return lambda text: [(kind, value) for kind, read in readers.items() for value in read(text)]


_IOC_FINDER = {
    "urls": "url",
    "domains": "domain-name",
    "ipv4s": "ipv4-addr",
    "ipv6s": "ipv6-addr",
    "email_addresses": "email-addr",
    "md5s": "md5",
    "sha1s": "sha1",
    "sha256s": "sha256",
    "sha512s": "sha512",
    "cves": "vulnerability",
    "registry_key_paths": "windows-registry-key",
}


def _ioc_finder() -> Callable[[str], Iterable[Value]]:
    """With the settings that suit the labels best: no parts of URLs and addresses."""
    library = importlib.import_module("ioc_finder")

    def read(text: str) -> Iterator[Value]:
        found = library.find_iocs(
            text,
            parse_domain_from_url=False,
            parse_from_url_path=False,
            parse_domain_from_email_address=False,
            parse_address_from_cidr=False,
            parse_domain_name_from_xmpp_address=False,
            parse_urls_without_scheme=False,
            parse_unicode_iocs=True,
            included_ioc_types=set(_IOC_FINDER),
        )
        for name, kind in _IOC_FINDER.items():
            yield from ((kind, value) for value in found.get(name, ()))

    return read


_IOCSEARCHER = {
    "url": "url",
    "fqdn": "domain-name",
    "ip4": "ipv4-addr",
    "ip6": "ipv6-addr",
    "email": "email-addr",
    "md5": "md5",
    "sha1": "sha1",
    "sha256": "sha256",
    "cve": "vulnerability",
    "registry": "windows-registry-key",
    "onionAddress": "onion-address",
}


def _iocsearcher() -> Callable[[str], Iterable[Value]]:
    searcher = importlib.import_module("iocsearcher.searcher").Searcher()

    def read(text: str) -> Iterator[Value]:
        for one in searcher.search_data(text, targets=set(_IOCSEARCHER), no_overlaps=True):
            value = f"{one.value}.onion" if one.name == "onionAddress" else one.value
            yield _IOCSEARCHER[one.name], value

    return read


_READERS = {"Noroshi": _ours, "iocextract": _iocextract, "ioc-finder": _ioc_finder, "iocsearcher": _iocsearcher}


def main(name: str) -> None:
    """Answer until the input ends."""
    read = _READERS[name]()
    list(read("198.51.100.3 example.com"))
    print("ready", flush=True)
    for line in sys.stdin:
        text = json.loads(line)
        start = time.process_time()
        found: list[Any] = sorted(set(read(text)))
        seconds = time.process_time() - start
        print(json.dumps({"found": found, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
