"""Draws a snapshot for a terminal of a given size.

In: a `Snapshot`, columns and lines. Out: a rich renderable of at most so many lines, or of as many as it
takes. No I/O and no clock. Rule kept: every text of a device goes through `units.clean`, and all text becomes
rich `Text`, in which nothing is markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group
from rich.text import Text

from pywg.monitor.block import Block, Compact, Full, Single
from pywg.monitor.board import Snapshot
from pywg.monitor.ink import BAD, LABEL, Canvas
from pywg.monitor.line import Line
from pywg.monitor.units import clean

_KINDS: Final[tuple[tuple[type[Full | Compact | Single], int], ...]] = ((Full, 3), (Compact, 2), (Single, 0))
"""With the lines for peers that each interface must have at least, if it has so many peers."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How each interface is drawn, and how many lines its peers get."""

    blocks: Sequence[Block]
    peer_lines: Sequence[int]
    left_out: int = 0
    """Interfaces."""


def draw(snapshot: Snapshot, canvas: Canvas, height: int | None = None) -> Group:
    """`height`: lines not to exceed; None: everything, without a title, for paper and pipes."""
    lines = _title(snapshot, canvas) if height is not None else []
    if snapshot.problem:
        lines.append(Line(canvas.width).add(clean(snapshot.problem), BAD).text)
    elif not snapshot.interfaces:
        lines.append(Line(canvas.width).add("no WireGuard interface is up", LABEL).text)
    plan = _plan(snapshot, canvas, None if height is None else height - len(lines))
    for block, peer_lines in zip(plan.blocks, plan.peer_lines, strict=True):
        lines.extend(block.draw(peer_lines))
    if plan.left_out:
        lines.append(Line(canvas.width).add(f"and {plan.left_out:,} more interfaces", LABEL).text)
    return Group(*lines[:height])


def _title(snapshot: Snapshot, canvas: Canvas) -> list[Text]:
    hints = canvas.glyphs.separator.join((f"every {snapshot.interval:g} s", "q ends", snapshot.local_time))
    return [Line(canvas.width).add("pywg monitor", LABEL).at_end(hints, LABEL).text, Text()]


def _plan(snapshot: Snapshot, canvas: Canvas, room: int | None) -> _Plan:
    blocks: list[Block] = []
    for kind, least in _KINDS:
        blocks = [kind(interface, snapshot, canvas) for interface in snapshot.interfaces]
        needs = [block.peer_lines for block in blocks]
        if room is None:
            return _Plan(blocks, needs)
        # The last block's empty line may be beyond the edge.
        spare = room + 1 - sum(block.fixed_lines for block in blocks)
        if spare >= sum(min(need, least) for need in needs):
            return _Plan(blocks, _share(spare, needs))
    fitting = max(0, (room or 0) - 1)
    shown = blocks[:fitting]
    return _Plan(shown, [0] * len(shown), len(blocks) - len(shown))


def _share(spare: int, needs: Sequence[int]) -> list[int]:
    """What each gets of `spare`: what it needs, or, where that is too much for all, equal parts."""
    shares = [0] * len(needs)
    wanting = [place for place, need in enumerate(needs) if need]
    while wanting and spare >= len(wanting):
        part = spare // len(wanting)
        for place in wanting:
            given = min(part, needs[place] - shares[place])
            shares[place] += given
            spare -= given
        wanting = [place for place in wanting if shares[place] < needs[place]]
    for place in wanting[:spare]:
        shares[place] += 1
    return shares
