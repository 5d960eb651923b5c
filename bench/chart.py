"""The results as a picture: bars in SVG, readable on light and on dark.

In: results. Out: the text of an SVG file, which needs nothing but itself. A bar is the median, the line at
its end the range.
"""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from bench.figures import Figures, Results
from bench.metrics import METRICS, Metric

PANELS = ("tcp_mbit", "cpu_machine", "udp64_pps", "rtt_idle_p50")
_WIDTH = 760
_MARGIN = 24
_NAMES = 150
_VALUES = 150
_BAR, _ROW = 16, 24
_BARS_WIDTH = _WIDTH - 2 * _MARGIN - _NAMES - _VALUES

_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .back { fill: #ffffff } .title { font-size: 18px; font-weight: 600 } .panel { font-weight: 600 }
  .small { font-size: 11px; fill: #59636e } .other { fill: #8c959f } .ours { fill: #1a7f64 }
  .range { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .back { fill: #0d1117 } .small { fill: #9198a1 }
    .other { fill: #656c76 } .ours { fill: #2fa987 } .range { stroke: #e6edf3 }
  }
"""


def chart(results: Results, subjects: Sequence[str], machine: str, when: str) -> str:
    """`machine` and `when` stand below the title."""
    body: list[str] = []
    y = _MARGIN + 44
    for key in PANELS:
        bars = [(name, figures) for name in subjects if (figures := results.figures(key, name)) is not None]
        if bars:
            body += _panel(METRICS[key], bars, y)
            y += 30 + _ROW * len(bars) + 14
    height = y + _MARGIN // 2
    box = f"0 0 {_WIDTH} {height}"
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{_WIDTH}" height="{height}">',
        "<title>Userspace WireGuard, side by side</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="back" width="{_WIDTH}" height="{height}" rx="6"/>',
        _text(_MARGIN, _MARGIN + 14, "Userspace WireGuard, side by side", "title"),
        _text(_MARGIN, _MARGIN + 34, f"{machine}; {when}; medians and ranges of one run", "small"),
    ]
    return "\n".join([*head, *body, "</svg>", ""])


def _panel(metric: Metric, bars: Sequence[tuple[str, Figures]], top: int) -> Iterator[str]:
    direction = "more" if metric.more_is_better else "less"
    yield _text(_MARGIN, top + 18, f"{metric.title} ({metric.unit}; {direction} is better)", "panel")
    # The bare path may be ten times the rest, which would then be too short to compare.
    inner = [max(figures.values) for name, figures in bars if name != "bare"]
    longest = max(inner or [max(figures.values) for _, figures in bars]) or 1.0
    for number, (name, figures) in enumerate(bars):
        y = top + 30 + number * _ROW
        left = _MARGIN + _NAMES
        width = _length(figures.median, longest)
        yield _text(left - 8, y + 13, name, "", anchor="end")
        kind = "ours" if name.startswith("pywg") else "other"
        yield f'<rect class="{kind}" x="{left}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2"/>'
        low, high = (_length(value, longest) for value in (min(figures.values), max(figures.values)))
        middle = y + _BAR / 2
        yield (
            f'<line class="range" x1="{left + low:.1f}" x2="{left + high:.1f}" y1="{middle}" y2="{middle}"/>'
        )
        beyond = ", off the scale" if figures.median > longest else ""
        at = left + max(width, high) + 8
        yield _text(round(at), y + 13, f"{figures.median:,.{metric.digits}f}{beyond}", "")


def _length(value: float, longest: float) -> float:
    return _BARS_WIDTH * min(value / longest, 1.0)


def _text(x: int, y: int, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'
