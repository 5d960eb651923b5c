"""Which columns of the peers' table a terminal has room for, and how wide each is.

In: a width. Out: `Columns`. Rule kept: widths depend on the terminal alone, never on what is shown, so that
nothing moves between two refreshes.
"""

from dataclasses import dataclass, replace
from typing import Final

from pywg.monitor.units import KEY_LETTERS, SIZE_WIDTH

MARGIN: Final = 2
GAP: Final = 2
PEER: Final = KEY_LETTERS + 1
HANDSHAKE: Final = 9


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths; 0: no such column."""

    endpoint: int = 0
    allowed_ips: int = 0
    sparkline: int = 0
    """Of each direction. Divides the seconds of the window."""
    totals: int = 0
    """Of each direction."""
    troubles: int = 0

    @property
    def width(self) -> int:
        """Of the whole line."""
        always = MARGIN + PEER + GAP + HANDSHAKE + 2 * (GAP + SIZE_WIDTH)
        optional = sum(GAP + wide for wide in (self.endpoint, self.allowed_ips, self.troubles) if wide)
        return always + optional + 2 * sum(wide + gap for wide, gap in self._pairs if wide)

    @property
    def _pairs(self) -> tuple[tuple[int, int], ...]:
        return (self.sparkline, 1), (self.totals, GAP)


_WISHES: Final[tuple[tuple[str, int], ...]] = (
    ("endpoint", 16),
    ("endpoint", 21),
    ("sparkline", 6),
    ("allowed_ips", 16),
    ("totals", SIZE_WIDTH),
    ("sparkline", 10),
    ("allowed_ips", 19),
    ("troubles", 20),
    ("sparkline", 15),
    ("allowed_ips", 28),
    ("endpoint", 28),
    ("troubles", 34),
    ("sparkline", 20),
    ("endpoint", 47),
)
"""What to have next if there is room, the most useful first."""


def choose_columns(width: int, *, troubles: bool, sparklines: bool) -> Columns:
    """The columns for a terminal of `width`, with those of the kinds asked for."""
    unwanted = {
        name for name, is_wanted in (("troubles", troubles), ("sparkline", sparklines)) if not is_wanted
    }
    chosen = Columns()
    for name, wide in _WISHES:
        if name in unwanted:
            continue
        wished = replace(chosen, **{name: wide})
        if wished.width <= width:
            chosen = wished
    if chosen.troubles:
        chosen = replace(chosen, troubles=chosen.troubles + width - chosen.width)
    return chosen
