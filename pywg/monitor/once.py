"""The state of all interfaces as text, once: for pipes, files and terminals that cannot be drawn on.

In: a sampler and how to write. Out: the text. A rate takes two looks, so this takes one interval. Rule kept:
nothing is left out, and without a terminal there are no control codes.
"""

import time
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from pywg.monitor.board import Board, InterfaceSnapshot
from pywg.monitor.ink import Canvas, glyphs
from pywg.monitor.sampling import Sampler, take_snapshot
from pywg.monitor.units import clean
from pywg.monitor.view import draw

PATIENCE: Final = 3.0
"""Seconds to wait for answers before going on without them."""


@dataclass(frozen=True, slots=True)
class Once:
    """What to print."""

    text: str
    problems: tuple[str, ...]
    """Why something is missing: a sentence for each interface that did not answer."""


def show_once(sampler: Sampler, console: Console, interval: float) -> Once:
    """Raises NothingToSeeError."""
    board = Board(interval)
    take_snapshot(sampler, board, PATIENCE)
    sampler.check()
    time.sleep(interval)
    snapshot = take_snapshot(sampler, board, PATIENCE)
    canvas = Canvas(console.width, glyphs(console.encoding, ""), sparklines=False)
    with console.capture() as captured:
        console.print(draw(snapshot, canvas))
    # Columns reach to the end of the line; in a file that would be spaces.
    text = "\n".join(line.rstrip() for line in captured.get().rstrip().split("\n")) + "\n"
    of_interfaces = (_named(interface) for interface in snapshot.interfaces if interface.problem)
    return Once(text, tuple(clean(each) for each in (snapshot.problem, *of_interfaces) if each))


def _named(interface: InterfaceSnapshot) -> str:
    return f"{interface.name}: {interface.problem.removeprefix(f'{interface.name}: ')}"
