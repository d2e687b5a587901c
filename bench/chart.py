"""The chart: objects per second, and the latency of a page against how deep in the collection it lies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from statistics import median

from bench.figures import Measured, Polls

_WIDTH, _LEFT, _RIGHT = 880, 250, 90
_BAR, _GAP, _PLOT_HEIGHT = 20, 9, 250
_STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1a1a1a; stroke: #ffffff; stroke-width: 4; paint-order: stroke }
.head { font-size: 17px; font-weight: 700 }
.small { font-size: 12px; fill: #595959 }
.ground { fill: #ffffff }
.grid { stroke: #d9d9d9 }
.line { fill: none; stroke-width: 2 }
.bar.ours { fill: #0017c1 } .line.ours { stroke: #0017c1 }
.bar.second { fill: #197a4b } .line.second { stroke: #197a4b }
.bar.peer { fill: #c74700 } .line.peer { stroke: #c74700 }
.bar.limit { fill: #8c8c8c }
@media (prefers-color-scheme: dark) {
  text { fill: #f2f2f2; stroke: #1a1a1a }
  .small { fill: #b3b3b3 }
  .ground { fill: #1a1a1a }
  .grid { stroke: #4d4d4d }
  .bar.ours { fill: #7096f8 } .line.ours { stroke: #7096f8 }
  .bar.second { fill: #51b883 } .line.second { stroke: #51b883 }
  .bar.peer { fill: #ff8d44 } .line.peer { stroke: #ff8d44 }
}
"""


def svg(measured: Measured) -> str:
    """Both panels in one picture, for light and dark."""
    bars = sorted(_rates(measured), key=lambda bar: bar[1])
    bars_height = 70 + len(bars) * (_BAR + _GAP) + 40
    height = bars_height + 90 + _PLOT_HEIGHT + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="t d">',
        '<title id="t">The feed against its peers and its limits</title>',
        f'<desc id="d">{escape(_words(bars))}</desc><style>{_STYLE}</style>',
        f'<rect class="ground" width="{_WIDTH}" height="{height}"/>',
        *_bars(bars, measured),
        *_lines(measured, bars_height),
        _text(20, height - 16, f"One run on one machine ({measured.machine}) that client and server share.", "small"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _words(bars: Sequence[tuple[str, float]]) -> str:
    return "Objects per second: " + "; ".join(f"{name} {rate:,.0f}" for name, rate in bars) + "."


def _rates(measured: Measured) -> Iterator[tuple[str, float]]:
    for polls in measured.polls.values():
        yield polls.name, polls.rate
    for count, rate in measured.small.items():
        yield f"medallion, {count:,} objects", rate
    for name, rates in measured.raw.items():
        yield f"plain SELECT, {name}", median(rates)


def _kind(name: str) -> str:
    """The class of style: ours, the peers, or a limit."""
    if name.startswith("Noroshi"):
        return "ours" if name.endswith("SQLite") else "second"
    return "peer" if name.startswith(("OpenTAXII", "medallion")) else "limit"


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


class _Log:
    """A logarithmic axis from the power of ten below the least value to the one above the greatest."""

    def __init__(self, values: Sequence[float], start: float, length: float) -> None:
        self.low, self.high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        self._start, self._length = start, length

    def at(self, value: float) -> float:
        """Where on the axis."""
        return self._start + (math.log10(value) - self.low) / (self.high - self.low) * self._length

    def ticks(self) -> list[float]:
        """The powers of ten."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def _bars(bars: Sequence[tuple[str, float]], measured: Measured) -> Iterator[str]:
    axis = _Log([rate for _, rate in bars], _LEFT, _WIDTH - _LEFT - _RIGHT)
    bottom = 60 + len(bars) * (_BAR + _GAP)
    yield _text(20, 30, f"Objects per second, one poller, {measured.objects:,} objects (log scale)", "head")
    for tick in axis.ticks():
        x = axis.at(tick)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="48" y2="{bottom}"/>'
        yield _text(x, bottom + 18, f"{tick:,.0f}", "small", "middle")
    for number, (name, rate) in enumerate(bars):
        y = 54 + number * (_BAR + _GAP)
        yield _text(_LEFT - 10, y + 15, name, anchor="end")
        width = axis.at(rate) - _LEFT
        yield f'<rect class="bar {_kind(name)}" x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}"/>'
        yield _text(_LEFT + width + 6, y + 15, f"{rate:,.0f}")


def _lines(measured: Measured, top: int) -> Iterator[str]:
    drawn = [polls for name, polls in measured.polls.items() if _kind(name) != "limit"]
    plots = {polls.name: _depths(polls) for polls in drawn}
    values = [ms for plot in plots.values() for _, ms in plot]
    bottom = top + 60 + _PLOT_HEIGHT
    axis = _Log(values, bottom, -_PLOT_HEIGHT)
    yield _text(20, top + 30, "Latency of a page of 1,000 in ms (log scale), by objects before it", "head")
    for tick in axis.ticks():
        y = axis.at(tick)
        yield f'<line class="grid" x1="70" x2="{_WIDTH - _RIGHT - 80}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(60, y + 5, f"{tick:,.10g}", "small", "end")
    yield from _depth_axis(measured.objects, bottom)
    placed = {
        name: [(_across(depth, measured.objects), axis.at(ms)) for depth, ms in plot] for name, plot in plots.items()
    }
    for name, at in placed.items():
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        yield f'<polyline class="line {_kind(name)}" points="{points}"/>'
    yield from _line_names({name: at[-1] for name, at in placed.items()})


def _across(depth: float, objects: int) -> float:
    return 70 + depth / objects * (_WIDTH - _RIGHT - 150)


def _depth_axis(objects: int, bottom: int) -> Iterator[str]:
    for quarter in range(5):
        depth = objects * quarter / 4
        yield _text(_across(depth, objects), bottom + 20, f"{depth:,.0f}", "small", "middle")


def _depths(polls: Polls) -> list[tuple[int, float]]:
    """(objects before the page, ms), for full pages."""
    return [(number * 1000, ms) for number, ms in enumerate(polls.page_ms[: max(1, polls.objects // 1000)])]


def _line_names(ends: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    """At the end of each line, and so far apart that they can be read."""
    above = -math.inf
    for name, (x, y) in sorted(ends.items(), key=lambda one: one[1][1]):
        above = max(y, above + 16)
        yield _text(x + 8, above + 5, name.removeprefix("Noroshi on "))
