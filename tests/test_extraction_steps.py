"""Reading a text costs steps in proportion to its length, whatever stands in it; steps are counted, not timed."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest

from bench.extraction_hostile import UNITS, hostile
from exchange.extraction import ALL_KINDS, extract
from tests.regex_steps import counted

READERS = ("exchange.extraction", "exchange.defanging", "exchange.indicator_values")
MODULES = [module for name, module in sorted(sys.modules.items()) if name.startswith(READERS)]
SIZE, GROWTH, MOST_FOR_A_CHARACTER = 200, 2.2, 1500


def steps_of(text: str) -> int:
    extract("198.51.100.3 a.com", kinds=ALL_KINDS)
    with counted(MODULES) as steps:
        extract(text, documentation_is_real=True, kinds=ALL_KINDS)
    return steps.count


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_a_text_twice_as_long_takes_twice_the_steps(unit):
    once, twice, four_times = (steps_of(hostile(unit, SIZE * times)) for times in (1, 2, 4))
    assert twice <= GROWTH * once
    assert four_times <= GROWTH * twice
    assert four_times <= MOST_FOR_A_CHARACTER * SIZE * 4


def test_the_counter_notices_a_text_that_is_read_over_and_over():
    """A harness that counts nothing would find everything linear."""
    module = ModuleType("slow")
    module.__file__ = "slow.py"
    module.PATTERN = re.compile("(?:a+)+b")
    counts = []
    for size in (6, 12):
        with counted([module]) as steps:
            assert module.PATTERN.match("a" * size) is None
        counts.append(steps.count)
    assert counts[1] > 8 * counts[0]
