"""What reading costs, counted and not timed: every character that a pattern tries, and every operation of ours.

`Counting` stands in for a compiled pattern. It answers as the real one does, and walks the same way itself, one
character at a time, by the rules of a backtracking matcher; where the two disagree, it says so.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from re import _compiler, _parser  # type: ignore[attr-defined]
from re import _constants as sre
from types import FrameType, ModuleType
from typing import Any

import pytest

_Rest = Callable[[int], int | None]
_SINGLE = {sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY}
_REPEATS = {sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT}


@dataclass
class Steps:
    """How many were counted."""

    count: int = 0


@dataclass
class _Walk:
    """One pattern over one text."""

    steps: Steps
    text: str
    groups: dict[int, tuple[int, int]] = field(default_factory=dict)

    def walk(self, nodes: Any, index: int, at: int, ignorecase: bool, rest: _Rest) -> int | None:
        """Where a match of the nodes from `index` on, and of the rest, ends."""
        if index == len(nodes):
            return rest(at)
        op, what = nodes[index]
        self.steps.count += 1

        def then(end: int) -> int | None:
            return self.walk(nodes, index + 1, end, ignorecase, rest)

        if op in _SINGLE:
            fits = at < len(self.text) and _fits(op, _hashable(what), self.text[at], ignorecase)
            return then(at + 1) if fits else None
        if op in _REPEATS:
            return self._repeat(op, what, at, ignorecase, then)
        if op is sre.SUBPATTERN:
            return self._group(what, at, ignorecase, then)
        if op is sre.ATOMIC_GROUP:
            end = self.walk(what, 0, at, ignorecase, _here)
            return None if end is None else then(end)
        if op is sre.BRANCH:
            return _first(self.walk(branch, 0, at, ignorecase, then) for branch in what[1])
        if op in {sre.ASSERT, sre.ASSERT_NOT}:
            return then(at) if self._looks(what, at, ignorecase) is (op is sre.ASSERT) else None
        if op is sre.AT:
            return then(at) if self._is_at(what, at) else None
        if op is sre.GROUPREF:
            start, end = self.groups[what]
            return then(at + end - start) if self.text.startswith(self.text[start:end], at) else None
        raise NotImplementedError(op)

    def _group(self, what: Any, at: int, ignorecase: bool, then: _Rest) -> int | None:
        number, added, _, nodes = what

        def after(end: int) -> int | None:
            if number is not None:
                self.groups[number] = (at, end)
            return then(end)

        return self.walk(nodes, 0, at, ignorecase or bool(added & re.IGNORECASE), after)

    def _repeat(self, op: Any, what: Any, at: int, ignorecase: bool, then: _Rest) -> int | None:
        low, high, nodes = what
        if op is sre.POSSESSIVE_REPEAT or (len(nodes) == 1 and nodes[0][0] in _SINGLE):
            ends = self._run(nodes, at, int(high), ignorecase)
            if op is sre.POSSESSIVE_REPEAT:
                ends = ends[-1:] if len(ends) > low else []
            tried = ends[low:] if op is not sre.POSSESSIVE_REPEAT else ends
            return _first(then(end) for end in (tried if op is sre.MIN_REPEAT else reversed(tried)))
        return self._again(op, what, at, ignorecase, then, 0)

    def _run(self, nodes: Any, at: int, high: int, ignorecase: bool) -> list[int]:
        """Where each repetition ends, taking the first way through each."""
        ends = [at]
        op, what = nodes[0]
        if len(nodes) == 1 and op in _SINGLE:
            what = _hashable(what)
            while len(ends) <= high and at < len(self.text) and _fits(op, what, self.text[at], ignorecase):
                at += 1
                ends.append(at)
            self.steps.count += len(ends)
            return ends
        while len(ends) <= high:
            end = self.walk(nodes, 0, ends[-1], ignorecase, _here)
            if end is None or end == ends[-1]:
                break
            ends.append(end)
        return ends

    def _again(self, op: Any, what: Any, at: int, ignorecase: bool, then: _Rest, done: int) -> int | None:
        low, high, nodes = what

        def after(end: int) -> int | None:
            return None if end == at else self._again(op, what, end, ignorecase, then, done + 1)

        def more() -> int | None:
            return self.walk(nodes, 0, at, ignorecase, after) if done < high else None

        def enough() -> int | None:
            return then(at) if done >= low else None

        return _first(way() for way in ((enough, more) if op is sre.MIN_REPEAT else (more, enough)))

    def _looks(self, what: Any, at: int, ignorecase: bool) -> bool:
        direction, nodes = what
        start = at if direction > 0 else at - nodes.getwidth()[0]
        return start >= 0 and self.walk(nodes, 0, start, ignorecase, _here) is not None

    def _is_at(self, what: Any, at: int) -> bool:
        if what is sre.AT_BEGINNING:  # Of a line: those of ours that have it are of many lines.
            return at == 0 or self.text[at - 1] == "\n"
        if what is sre.AT_END:
            return at == len(self.text) or (at == len(self.text) - 1 and self.text[at] == "\n")
        if what is sre.AT_BOUNDARY:
            beside = [0 <= one < len(self.text) and _is_word(self.text[one]) for one in (at - 1, at)]
            return beside[0] != beside[1]
        raise NotImplementedError(what)


def _here(at: int) -> int | None:
    return at


def _first(ways: Iterator[int | None]) -> int | None:
    return next((end for end in ways if end is not None), None)


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _hashable(what: Any) -> Any:
    return tuple(what) if isinstance(what, list) else what


@lru_cache(maxsize=100_000)
def _fits(op: Any, what: Any, char: str, ignorecase: bool) -> bool:
    """Whether one character is of a class: asked of the engine itself, for a pattern of this class alone."""
    tree = _parser.SubPattern(_parser.State(), [(op, list(what) if isinstance(what, tuple) else what)])
    tree.state.str = ""
    compiled = _compiler.compile(tree, re.UNICODE | (re.IGNORECASE if ignorecase else 0))
    return char != "" and compiled.match(char) is not None


class Counting:
    """A compiled pattern that also counts."""

    def __init__(self, pattern: re.Pattern[str], steps: Steps) -> None:
        self._pattern, self._steps = pattern, steps
        self._tree = _parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
        self._ignorecase = bool(pattern.flags & re.IGNORECASE)
        op, what = self._tree[0]
        self._first = (op, _hashable(what)) if op in _SINGLE else None

    def match(self, text: str, pos: int = 0) -> re.Match[str] | None:
        found = self._pattern.match(text, pos)
        self._try(text, pos, found)
        return found

    def fullmatch(self, text: str) -> re.Match[str] | None:
        walk = _Walk(self._steps, text)
        walk.walk(self._tree, 0, 0, self._ignorecase, lambda end: end if end == len(text) else None)
        return self._pattern.fullmatch(text)

    def search(self, text: str, pos: int = 0) -> re.Match[str] | None:
        return next(self.finditer(text, pos), None)

    def finditer(self, text: str, pos: int = 0) -> Iterator[re.Match[str]]:
        for found in self._pattern.finditer(text, pos):
            self._pass(text, pos, found.start())
            self._try(text, found.start(), found)
            pos = max(found.end(), found.start() + 1)
            yield found
        self._pass(text, pos, len(text) + 1)

    def sub(self, new: Any, text: str) -> str:
        list(self.finditer(text))
        return self._pattern.sub(new, text)

    def split(self, text: str) -> list[str | Any]:
        list(self.finditer(text))
        return self._pattern.split(text)

    def _pass(self, text: str, start: int, end: int) -> None:
        for at in range(start, end):
            self._try(text, at, None)

    def _try(self, text: str, at: int, found: re.Match[str] | None) -> None:
        if self._first and found is None and not _fits(*self._first, text[at : at + 1], self._ignorecase):
            self._steps.count += 1
            return
        end = _Walk(self._steps, text).walk(self._tree, 0, at, self._ignorecase, _here)
        assert end == (found.end() if found else None), (self._pattern.pattern, text, at)


@contextmanager
def counted(modules: list[ModuleType]) -> Iterator[Steps]:
    """Inside, every pattern of these modules counts its steps, and so does every operation of their functions."""
    steps = Steps()
    files = {module.__file__ for module in modules}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        steps.count += event == "opcode"
        return trace

    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            for name, value in list(vars(module).items()):
                if isinstance(value, re.Pattern):
                    patch.setattr(module, name, Counting(value, steps))
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            yield steps
        finally:
            sys.settrace(before)
