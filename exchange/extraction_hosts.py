"""Addresses, names and mailboxes in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, pairwise

from exchange.extraction_context import Versions, is_called_a_name, is_cut, is_file_or_code, may_have_line
from exchange.extraction_page import LONGEST, Hit, Page
from exchange.extraction_text import ALNUM, CJK, LETTERS, WORDS, ends_in
from exchange.indicator_values import Kind, OtherKind, ipv4, ipv6, public_name

_TOKEN = re.compile(
    rf"(?<![{LETTERS}0-9._@:/%+\\~-])[{LETTERS}0-9_%+~-]*+[.:@/\\]++(?:(?=[{LETTERS}0-9_])|(?<=::))[{LETTERS}0-9._@:/%+\\~-]*+"
)
_COLON = re.compile("[0-9A-Za-z]:(?!:)")
_PARTS, _PIECES = re.compile("[^:]++"), re.compile("[^/]++")
_PORT = re.compile(r":(?P<number>\d{1,5}+)(?![\d.])")
_NO_MAILBOX = re.compile("[^A-Za-z0-9._%+-]")
_DOMAIN = re.compile(rf"[{LETTERS}0-9.-]{{1,253}}+")
_LOCAL = ALNUM + "._%+=-"
_NATIVE = re.compile(
    rf"(?<![\w.@-])(?:[a-z0-9-]{{1,63}}+\.){{0,3}}(?P<label>[{CJK}]{{1,20}}+)(?:\.[a-z0-9-]{{1,63}}+){{0,2}}"
    r"\.(?P<tld>[a-z]{2,24}+)(?![A-Za-z0-9-])"
)
_NATIVE_DOT = re.compile(rf"\.(?<=[{CJK}]\.)")
_PARTICLES = tuple("のはがをにへとでもや")
_FILES = frozenset(WORDS["named_extensions"])
_MESSAGE_IDS = tuple(WORDS["message_id_words"])
_LONGER = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,5}){4,9}")
_ENDS = ".-+%~@"
_LARGEST_PORT, _LONGEST_LOCAL = 65535, 64


def native_names(page: Page) -> Iterator[Hit]:
    """A name with a wholly Japanese label that stands alone; one that ends in a particle is a sentence."""
    if _NATIVE_DOT.search(page.text) is None:
        return
    for match in _NATIVE.finditer(page.text):
        name = public_name(match[0], page.real)
        if name and not match["label"].endswith(_PARTICLES) and match["tld"] not in _FILES:
            yield Hit(*match.span(), "domain-name", name)


def hosts(page: Page) -> list[Hit]:
    """Addresses, names and mailboxes, and ranges of addresses, each as it was meant."""
    return _Tokens(page).read()


class _Tokens:
    """Reads one text, token by token: a run of what names, addresses and paths are made of."""

    def __init__(self, page: Page) -> None:
        self.live, self.text, self.real = page.live, page.text, page.real
        self.versions = Versions()
        self.hits: list[Hit] = []

    def read(self) -> list[Hit]:
        for match in _TOKEN.finditer(self.text):
            start, end = match.span()
            if end - start <= LONGEST:
                self._token(start, match[0])
        return self.hits

    def _hit(self, start: int, end: int, kind: Kind | OtherKind | None, value: str) -> None:
        self.hits.append(Hit(start, end, kind, value))

    def _token(self, at: int, token: str) -> None:
        if "@" in token and "@" in token.lstrip("@"):
            self._mailboxes(at, token)
        elif "\\" in token:
            self._share(at, token)
        elif "/" in token and "/" in token.strip("/"):
            self._slashed(at, token)
        elif not token.startswith(("/", "~/")):
            self._colons(at, token.rstrip("/"), is_path=token.endswith("/"))

    def _mailboxes(self, at: int, token: str) -> None:
        if ends_in(self.text[max(0, at - 24) : at], _MESSAGE_IDS, (), " \t\r\n:<\"'="):
            return self._hit(at, at + len(token), None, "")
        for before, after in pairwise(token.split("@")):
            at += len(before) + 1
            domain = _DOMAIN.match(after)
            if domain:
                self._mailbox(at, _NO_MAILBOX.split(before)[-1], domain[0].rstrip(".-"), after)
        return None

    def _mailbox(self, at: int, local: str, domain: str, after: str) -> None:
        """What stands on both sides of an @ that ends before `at`; of a repository or a login, the host alone."""
        local, end = local.lstrip(".-+%"), at + len(domain)
        name = public_name(domain, self.real)
        if name and local == "git" and after[len(domain) :].startswith(":"):
            self._hit(at, end, "domain-name", name)
        elif name and 0 < len(local) <= _LONGEST_LOCAL:
            local = self._whole_local(at - 1 - len(local), local)
            self._hit(at - 1 - len(local), end, "email-addr", f"{local}@{name}")
        elif address := ipv4(domain):
            self._hit(at, end, "ipv4-addr", address)

    def _whole_local(self, start: int, local: str) -> str:
        """With an address inside, as mailing lists return their mail to; after any other = it begins anew."""
        if self.text[start - 1 : start] != "=" or public_name(local, self.real) is None:
            return local
        before = self.text[max(0, start - _LONGEST_LOCAL) : start]
        return before[len(before.rstrip(_LOCAL)) :].lstrip("=") + local

    def _share(self, at: int, token: str) -> None:
        """Of a Windows path only the machine, if it has a public address or name."""
        host = token[2:].partition("\\")[0]
        if token.startswith("\\\\") and host:
            self._plain(at + 2, host, evident=True)

    def _slashed(self, at: int, token: str) -> None:
        """An address with its prefix length or port, a list of addresses, or a name and a path."""
        head, _, tail = token.partition("/")
        address = ipv4(head) or ipv6(head)
        if address and tail.isdigit() and tail.isascii() and len(tail) <= 5:
            self._prefixed(at, head, address, int(tail))
        elif tail.startswith("/") and (head == "" or head.endswith(":")):
            at += len(head) + 2
            self._colons(at, tail[1:].partition("/")[0], is_path=True)
        elif head.strip(".~"):
            self._colons(at, head, is_path=True)
            self._addresses_below(at, head, token)

    def _prefixed(self, at: int, head: str, address: str, number: int) -> None:
        """A range of addresses; where the number is too large for that, an address and a port."""
        kinds: tuple[Kind, OtherKind] = ("ipv6-addr", "ipv6-cidr") if ":" in head else ("ipv4-addr", "ipv4-cidr")
        whole, end = 128 if ":" in head else 32, at + len(head)
        if number >= whole:
            self._hit(at, end, kinds[0] if number <= _LARGEST_PORT else None, address)
        else:
            self._hit(at, end + 1 + len(str(number)), kinds[1], f"{address}/{number}")

    def _addresses_below(self, at: int, head: str, token: str) -> None:
        """The further addresses of a list, or those behind the name of an interface."""
        if ipv4(head) or head.isalnum() or (head.isupper() and head.isascii()):
            for part in islice(_PIECES.finditer(token), 1, None):
                if ipv4(part[0]):
                    self._plain(at + part.start(), part[0], evident=False)

    def _colons(self, at: int, token: str, *, is_path: bool) -> None:
        """An IPv6 address, perhaps after a label; or parts such as label, host and port."""
        colons = token.count(":")
        if colons == 0:
            return self._plain(at, token, evident=is_path)
        if colons > 1 and self._ipv6(at, token):
            return None
        for part in _PARTS.finditer(token):
            port = _PORT.match(token, part.end())
            evident = is_path or (port is not None and not may_have_line(part[0], int(port["number"])))
            self._plain(at + part.start(), part[0], evident=evident)
        return None

    def _ipv6(self, at: int, token: str) -> bool:
        """Whether the token is an address, or labels and an address; what is only a network is understood."""
        for start in (0, *(colon.end() for colon in islice(_COLON.finditer(token), 3))):
            written = token[start:] if token.endswith("::") else token[start:].rstrip(":.-+")
            if address := ipv6(written):
                start, end = at + start, at + start + len(written)
                is_network = written.endswith("::") and not self.live.was_edited(start, end)
                self._hit(start, end, None if is_network else "ipv6-addr", address)
                return True
        return False

    def _plain(self, at: int, token: str, *, evident: bool) -> None:
        """An IPv4 address or two ends of a range, or a name; `evident` if a port or path followed."""
        if "." not in token:
            return
        bare = token.strip(_ENDS + "_" if token.endswith("_") else _ENDS)
        at += token.index(bare)
        end = at + len(bare)
        if not (bare[:1].isdigit() and bare[-1:].isdigit()):
            self._name(at, end, bare, evident)
        elif ipv4(bare):
            is_of_a_tree = token[0] == "." and token[1].isdigit()
            is_other = is_of_a_tree or (not self._is_evident(at, end, evident) and self._is_version(at, end))
            self._hit(at, end, None if is_other else "ipv4-addr", bare)
        elif _LONGER.fullmatch(bare):
            self._is_version(at, end)
        else:
            self._range(at, bare)

    def _is_evident(self, start: int, end: int, evident: bool) -> bool:
        return evident or self.live.was_edited(start, end)

    def _is_version(self, start: int, end: int) -> bool:
        return self.versions.is_version(self.text, start, end)

    def _name(self, at: int, end: int, token: str, evident: bool) -> None:
        name = public_name(token, self.real)
        if name is None or is_cut(self.live.text, at):
            return
        is_host = self._is_evident(at, end, evident) or is_called_a_name(self.text, at)
        if is_host or not is_file_or_code(self.text, at, end):
            self._hit(at, end, "domain-name", name)

    def _range(self, at: int, token: str) -> None:
        low, dash, high = token.replace("~", "-").partition("-")
        if dash and ipv4(low) and (ipv4(high) or high.isdigit()):
            self._hit(at, at + len(low), "ipv4-addr", low)
            if ipv4(high):
                self._hit(at + len(token) - len(high), at + len(token), "ipv4-addr", high)
