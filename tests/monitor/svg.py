"""A terminal's screen as an SVG picture.

In: lines of rich segments. Out: the text of an SVG file. Unlike rich's own export it needs no font from the
network, draws sparklines as shapes (fonts leave gaps between their blocks), and is a fifth of the size.
"""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from operator import itemgetter
from typing import Final

from rich.color import blend_rgb
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME, TerminalTheme

DARK: Final = SVG_EXPORT_THEME
LIGHT: Final = DEFAULT_TERMINAL_THEME

_WIDE: Final = 8.4
"""Of one character, at a font size of 14."""
_HIGH: Final = 18.0
_MARGIN: Final = 12.0
_BARS: Final = "▁▂▃▄▅▆▇█"


def svg(lines: Sequence[Sequence[Segment]], columns: int, title: str, theme: TerminalTheme = DARK) -> str:
    """`lines` as they come from `Console.render_lines`."""
    width, height = columns * _WIDE + 2 * _MARGIN, len(lines) * _HIGH + 2 * _MARGIN
    shapes = [shape for row, line in enumerate(lines) for shape in _line(line, row, theme)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img"'
    parts = [
        f'{head} aria-label="{escape(title)}">',
        "<style>text{font:14px Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}</style>",
        f'<rect width="100%" height="100%" rx="8" fill="{_hex(tuple(theme.background_color))}"/>',
        *shapes,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _line(line: Sequence[Segment], row: int, theme: TerminalTheme) -> Iterator[str]:
    at = 0
    letters_in_ink = (
        (letter, _ink(part.style or Style.null(), theme)) for part in line for letter in part.text
    )
    for (color, weight), run in groupby(letters_in_ink, key=itemgetter(1)):
        for kind, letters in groupby((letter for letter, _ in run), key=_kind):
            text = "".join(letters)
            if kind == "bar":
                yield f'<path fill="{color}" d="{_bars(text, at, row)}"/>'
            elif kind == "text":
                x, y = _MARGIN + at * _WIDE, _MARGIN + row * _HIGH + 13.5
                yield (
                    f'<text x="{x:.1f}" y="{y:g}" fill="{color}"{weight} '
                    f'textLength="{len(text) * _WIDE:.1f}">{escape(text)}</text>'
                )
            at += len(text)


def _kind(letter: str) -> str:
    return "bar" if letter in _BARS else "gap" if letter == " " else "text"


def _bars(text: str, at: int, row: int) -> str:
    """One outline: bars side by side would show their seams."""
    bottom = _MARGIN + (row + 1) * _HIGH
    tops = (bottom - (_BARS.index(letter) + 1) / len(_BARS) * _HIGH for letter in text)
    outline = "".join(f"V{top:g}h{_WIDE}" for top in tops)
    return f"M{_MARGIN + at * _WIDE:.1f} {bottom:g}{outline}V{bottom:g}z"


def _ink(style: Style, theme: TerminalTheme) -> tuple[str, str]:
    plain = theme.foreground_color
    color = style.color.get_truecolor(theme) if style.color and not style.color.is_default else plain
    if style.dim:
        color = blend_rgb(theme.background_color, color, 0.5)
    return _hex(tuple(color)), ' style="font-weight:bold"' if style.bold else ""


def _hex(color: tuple[int, ...]) -> str:
    return "#" + "".join(f"{part:02x}" for part in color)
