"""Texts made to keep an extractor busy: whatever starts a value, over and over, and values nearly finished."""

from __future__ import annotations

UNITS = (
    "a", "1", "f", ".", ":", "/", "\\", "@", "-", "_", "%", "(", "[", "{", "<", "「", "]", "&", ",", ";", "=",
    "|", "\"", "'", "あ", "。", "ド", "ア", "T", "H", "M", "A", "C", "\n", " ", "\0", "\u200b", "\ufdfa", "１",
    "a.", "a@", "a:", "a/", "a\\", "a-", "a,", "a%", "1.", "1:", "f:", "あ.", "あ.a", "あ.a ", "ア ", "。a",
    "1。", " .a", " . a", " dot a", "a dot ", "[.]", "[.", ".]", "(dot)", "[at]", "a(", "a[", "\\.", "\\/",
    "&amp;", "=\n", "=3D", "=\n=3D", "1.1.1.1", "1.1.1.1 ", "1.1.1.1/", "1.1.1.1-", "1.1.1.1,",
    "version 1.1.1.1 ", "a.com", "a.com ", "a.com/", "a.com,", "a.com:1 ", "a.com@", "a@b.com", "a@b.com ",
    "www.", "xn--", "fe80::", "fe80::1 ", "2001:db8:", "a:1::", "://", "a://", "a://b", "http://", "http:\\\\",
    "http://(", "http://[", "http://a.com/", "http://a.com/( ", "http://a.com/,a.", "http://a.com/,a.a.a.a.",
    "http://a@", "http://あ", "http://a.comあ", "http://intranet/:", "hxxp[:]//a[.]com ", ",http://a.com/a,",
    "CVE-", "CVE-2021-", "CVE-2021-44228", "CVE-2021-\n", "d41d8cd98f00b204e9800998ecf8427e\n",
    "d41d8cd98f00b204e9800998\n", "d41d8cd98f00b204e9800998ecf8427e:", "sha256\n", "a\nd41d8cd98f00b204e980\n",
    "d41d8cd98f00-\n", "Mozilla/5.0 (", "Mozilla/5.0 (a) ", "\"a/1 ", "\"a/1 (a)", "User-Agent: a/1 (",
    "HKLM\\", "HKLM\\a", "HKLM\\A B", "HKLM\\A B C D", "HKEY_", "T1059.", "AS1", "00:11:", "00-11-22-33-44-",
    ".exe", "a.exe", "「a.exe", "a.exe」", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT ", "bc1qqqqqqqqqqqqqqqqqq ",
    "a" * 62 + ".", "a" * 62 + "-", "f" * 56 + " ", "CEF:0|a|b|", "|CEF:0|a|b|1.1.1.1",
)  # fmt: skip
"""What is repeated."""

FEW = (
    "a", "a.", "1.1.1.1 ", "a.com ", "a@", "fe80::1 ", "[.]", "http://", "http://a.com/( ", "あ.a",
    "f" * 56 + " ", "://a.",
)  # fmt: skip
"""Of different sorts, where each takes minutes of somebody else's time."""


def hostile(unit: str, size: int) -> str:
    """A text of that many characters, and a last one that ends what seemed to go on for ever."""
    return (unit * (size // len(unit) + 1))[: size - 1] + "!"
