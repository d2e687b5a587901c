"""`noroshi indicators extract`: lines in, lines out, and what it says of a line that it cannot read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from portal.cli.main import main

MD5 = "098f6bcd4621d373cade4e832627b4f6"


def told(given: str | bytes, *options: str) -> Result:
    return CliRunner().invoke(main, ["indicators", "extract", *options], input=given)


def lines(*asked: object) -> str:
    return "\n".join(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in asked) + "\n"


def answers(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_line_is_answered_with_its_id_and_live_values():
    result = told(
        lines({"id": "一", "text": "hxxp://bad[.]example/a と 203[.]0[.]113[.]45"}, {"id": 2, "text": ""}), "--jsonl"
    )
    assert result.exit_code == 0
    assert answers(result) == [
        {
            "id": "一",
            "iocs": [
                {"type": "url", "value": "http://bad.example/a"},
                {"type": "ipv4-addr", "value": "203.0.113.45"},
            ],
        },
        {"id": 2, "iocs": []},
    ]


def test_addresses_of_private_ranges_come_apart():
    text = "10.1.2.3 http://192.168.0.1/x ::ffff:10.0.0.1 203.0.113.5 172.16.0.0/12"
    (answer,) = answers(told(lines({"id": 1, "text": text}), "--jsonl"))
    assert answer["iocs"] == [{"type": "ipv4-addr", "value": "203.0.113.5"}]
    inside = ["10.1.2.3", "http://192.168.0.1/x", "::ffff:10.0.0.1", "172.16.0.0/12"]
    assert [one["value"] for one in answer["internal"]] == inside


def test_only_the_types_that_were_asked_for_are_told():
    asked = lines({"id": 1, "text": f"T1059 svchost.exe {MD5} evil.com"})
    (all_types,) = answers(told(asked, "--jsonl"))
    (two_types,) = answers(told(asked, "--jsonl", "--type", "md5", "--type", "domain-name"))
    assert [one["type"] for one in all_types["iocs"]] == ["attack-pattern", "file-name", "md5", "domain-name"]
    assert [one["type"] for one in two_types["iocs"]] == ["md5", "domain-name"]


@pytest.mark.parametrize(
    ("broken", "said", "name"),
    [
        ('{"id": 1, "text": ', "not JSON", None),
        ("[]", "expected an object", None),
        ('{"id": 2}', "expected an object", 2),
        ('{"text": "x"}', "expected an object", None),
        ('{"id": true, "text": "x"}', "expected an object", None),
        ('{"id": "二", "text": null}', "expected an object", "二"),
        ("[" * 100_000, "not JSON", None),
    ],
)
def test_a_broken_line_is_answered_with_an_error_and_the_next_ones_with_theirs(broken, said, name):
    result = told(lines({"id": 1, "text": "evil.com"}, "", broken, {"id": 4, "text": "evil.com"}), "--jsonl")
    first, wrong, last = answers(result)
    assert (first["id"], last["id"], wrong["id"], wrong["iocs"]) == (1, 4, name, [])
    assert first["iocs"] == last["iocs"] and "error" not in first and "error" not in last
    assert str(wrong["error"]).startswith("line 3: ") and said in str(wrong["error"])
    assert result.exit_code == 2
    assert result.stderr == "Error: lines that could not be read: 1; the first is line 3\n"


def test_a_line_that_is_no_utf8_is_named():
    result = told(b'{"id": 1, "text": "\x83\x7d"}\n', "--jsonl")
    assert result.exit_code == 2
    assert answers(result) == [{"id": None, "iocs": [], "error": "line 1: not UTF-8"}]


@pytest.mark.parametrize("size", [100, 120, 201, 202, 1000])
def test_a_line_that_is_too_long_is_refused_unread_and_the_next_one_answered(monkeypatch, size):
    monkeypatch.setattr("portal.cli.indicators._LONGEST_LINE", 100)
    result = told(lines("x" * size, {"id": 2, "text": "evil.com"}), "--jsonl")
    assert [answer["id"] for answer in answers(result)] == [None, 2]
    assert str(answers(result)[0]["error"]).startswith("line 1: longer than")
    assert result.exit_code == 2


def test_an_id_that_is_no_text_of_unicode_is_given_back():
    (answer,) = answers(told('{"id": "\\ud800", "text": "\\ud800 evil.com\\u0000"}\n', "--jsonl"))
    assert answer["id"] == "\ud800"
    assert len(answer["iocs"]) == 1


def test_a_text_is_listed_defanged_and_once():
    result = told("接続先 http://evil.com/a.b と evil.com、10.0.0.1、evil.com\n" * 3)
    assert result.stdout.splitlines() == [
        "url                    hxxp://evil[.]com/a.b",
        "domain-name            evil[.]com",
        "ipv4-addr              10[.]0[.]0[.]1  (internal)",
    ]


def test_a_long_text_is_read_in_blocks(monkeypatch, tmp_path):
    monkeypatch.setattr("portal.cli.indicators._BLOCK", 50)
    mail = tmp_path / "mail.txt"
    mail.write_text("".join(f"host-{number}.evil.com\n" for number in range(20)), encoding="utf-8")
    assert len(told("", str(mail)).stdout.splitlines()) == 20


def test_what_japanese_windows_wrote_is_read_and_utf16_is_named():
    assert "evil[.]com" in told("通信先はevil.com".encode("cp932")).stdout
    result = told("通信先はevil.com".encode("utf-16"))
    assert result.exit_code == 2
    assert "UTF-16" in result.stderr


def test_a_line_is_answered_before_the_next_one_is_sent():
    command = [sys.executable, "-c", "from portal.cli.main import main; main()", "indicators", "extract", "--jsonl"]
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdin is not None and process.stdout is not None
        for number in (1, 2):
            process.stdin.write(lines({"id": number, "text": "evil.com"}).encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait() == 0


def test_help_shows_how_it_is_used():
    result = told("", "--help")
    assert "Examples:" in result.stdout
    assert "noroshi indicators extract --jsonl" in result.stdout
