"""Commands about indicators: read a text, say what is in it. They need no installation and no network."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import IO, Any

import click

from exchange.extraction import ALL_KINDS, Found, defang, extract
from exchange.extraction_internal import is_internal

_LONGEST_LINE = 16 * 1024 * 1024
_BLOCK = 1024 * 1024
_BOM, _OTHER_BOMS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


class _Unreadable(click.ClickException):
    """The input cannot be read further; what was written stands."""

    exit_code = 2


class _Refused(Exception):
    """A line without a question: what is wrong with it, and its id, if it tells one."""

    def __init__(self, why: str, name: str | int | None = None) -> None:
        super().__init__(why)
        self.name = name


@click.group()
def indicators_command() -> None:
    """Indicators."""


@indicators_command.command(name="extract")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--jsonl", is_flag=True, help="Read and write a JSON object a line.")
@click.option(
    "--type",
    "kinds",
    type=click.Choice(sorted(ALL_KINDS)),
    multiple=True,
    metavar="TYPE",
    help="Only this type; may be given several times. Default: all.",
)
def extract_indicators(file: IO[bytes], jsonl: bool, kinds: tuple[str, ...]) -> None:
    """Find the indicators in FILE, or in standard input: live or defanged, English or Japanese.

    Prints a line for each, with its type, defanged; addresses of private ranges are marked (internal).

    With --jsonl each line {"id", "text"} is answered at once by a line {"id", "iocs": [{"type", "value"}]},
    values live and normalised. Addresses of private ranges come apart, in "internal", if there are any. A line
    that cannot be read is answered with "iocs": [] and an "error"; the command goes on, and ends with status 2.

    \b
    Types that are exchanged:
      ipv4-addr ipv6-addr domain-name url email-addr md5 sha1 sha256 sha512 vulnerability
    Other types:
      attack-pattern autonomous-system cryptocurrency-wallet file-name ipv4-cidr ipv6-cidr mac-addr
      onion-address user-agent windows-registry-key x-mitre-tactic

    \b
    Examples:
      noroshi indicators extract mail.txt
      journalctl -u postfix | noroshi indicators extract --type url --type domain-name
      echo '{"id": 1, "text": "hxxp://bad[.]example/a"}' | noroshi indicators extract --jsonl
    """
    wanted = frozenset(kinds) or ALL_KINDS
    for line in _answers(file, wanted) if jsonl else _listed(file, wanted):
        click.echo(line)
        sys.stdout.flush()


def _answers(file: IO[bytes], kinds: Collection[str]) -> Iterator[str]:
    """Raises: _Unreadable at the end, if some of the lines were."""
    count = first = 0
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            name, text = _asked(line.removeprefix(_BOM) if number == 1 else line)
        except _Refused as error:
            count, first = count + 1, first or number
            yield _json({"id": error.name, "iocs": [], "error": f"line {number}: {error}"})
        else:
            yield _json({"id": name} | _told(extract(text, documentation_is_real=True, kinds=kinds)))
    if count:
        raise _Unreadable(f"lines that could not be read: {count}; the first is line {first}")


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Line by line; of one that is too long the beginning, still too long."""
    for line in iter(lambda: file.readline(_LONGEST_LINE + 1), b""):
        yield line
        while len(line) > _LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(_LONGEST_LINE + 1)


def _asked(line: bytes) -> tuple[str | int, str]:
    """The id and the text of a line. Raises: _Refused."""
    if len(line) > _LONGEST_LINE:
        raise _Refused(f"longer than {_LONGEST_LINE // 1024 // 1024} MiB")
    try:
        asked = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise _Refused("not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise _Refused(f"not JSON: {error}") from None
    said, text = (asked.get("id"), asked.get("text")) if isinstance(asked, dict) else (None, None)
    name = said if isinstance(said, str | int) and not isinstance(said, bool) else None
    if name is None or not isinstance(text, str):
        raise _Refused('expected an object with "id", a text or whole number, and "text", a text', name)
    return name, text


def _told(found: Iterable[Found]) -> dict[str, list[dict[str, str]]]:
    told: dict[str, list[dict[str, str]]] = {"iocs": [], "internal": []}
    for one in found:
        place = "internal" if is_internal(one.type, one.value) else "iocs"
        told[place].append({"type": one.type, "value": one.value})
    return told if told["internal"] else {"iocs": told["iocs"]}


def _json(answer: Any) -> str:
    """On one line; escaped throughout where somebody's id could not be written as UTF-8."""
    line = json.dumps(answer, ensure_ascii=False)
    return line if line.isprintable() else json.dumps(answer)


def _listed(file: IO[bytes], kinds: Collection[str]) -> Iterator[str]:
    """A line for each indicator, once."""
    told: set[tuple[str, str]] = set()
    for block in _blocks(file):
        for one in extract(_decoded(block), documentation_is_real=True, kinds=kinds):
            if (one.type, one.value) not in told:
                told.add((one.type, one.value))
                mark = "  (internal)" if is_internal(one.type, one.value) else ""
                yield f"{one.type:<21}  {defang(one.value, one.type)}{mark}"


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Whole lines, about a megabyte of them; a line without end is cut."""
    lines, size = [], 0
    for line in iter(lambda: file.readline(_LONGEST_LINE), b""):
        lines.append(line)
        size += len(line)
        if size >= _BLOCK:
            yield b"".join(lines)
            lines, size = [], 0
    yield b"".join(lines)


def _decoded(block: bytes) -> str:
    """As UTF-8, or as Japanese Windows writes; what is neither is replaced. Raises: _Unreadable for UTF-16."""
    if block.startswith(_OTHER_BOMS):
        raise _Unreadable("the text is UTF-16; convert it to UTF-8 first")
    try:
        return block.decode("utf-8")
    except UnicodeDecodeError:
        return block.decode("cp932", errors="replace")
