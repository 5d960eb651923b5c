"""What a terminal can draw, and the colours used: sparklines, glyphs, styles.

In: what the terminal is. Out: characters and rich's names of styles. Rules kept: only the terminal's own
sixteen colours, which people have chosen to fit their background, dark or light; no meaning in colour alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LABEL: Final = "dim"
NAME: Final = "bold"
RX: Final = "dim cyan"
TX: Final = "dim magenta"
GOOD: Final = "green"
WARN: Final = "yellow"
BAD: Final = "red"

SCALE_FLOOR: Final = 1024.0
"""Bytes per second: the least a full column of a sparkline stands for, so that keepalives stay small."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Characters, all of width 1."""

    bars: str
    """From the lowest to the highest, which leaves a gap to the line above."""
    rest: str
    """A span in which nothing moved."""
    ellipsis: str
    separator: str

    def sparkline(self, rates: Sequence[float | None]) -> str:
        """One character for each rate, the highest of them (or `SCALE_FLOOR`) at full height."""
        full = max((rate for rate in rates if rate), default=0.0)
        return "".join(self._bar(rate, max(full, SCALE_FLOOR)) for rate in rates)

    def _bar(self, rate: float | None, full: float) -> str:
        if rate is None:
            return " "
        if rate <= 0:
            return self.rest
        return self.bars[min(len(self.bars) - 1, int(rate / full * len(self.bars)))]


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is drawn on."""

    width: int
    """Characters of a line."""
    glyphs: Glyphs
    sparklines: bool = True
    """Whether to draw the last minute; it says nothing where only one moment is shown."""


UNICODE: Final = Glyphs("▁▂▃▄▅▆▇", "·", "…", " · ")
ASCII: Final = Glyphs("_.-=+*%#", " ", "~", ", ")


def glyphs(encoding: str, terminal: str) -> Glyphs:
    """What can be drawn. `terminal`: ``$TERM``; the font of the Linux console has no sparklines."""
    return UNICODE if encoding.lower().replace("-", "") == "utf8" and terminal != "linux" else ASCII
