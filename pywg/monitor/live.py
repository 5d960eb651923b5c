"""The live view: a screen of its own that is drawn anew every interval, until q or Ctrl-C.

In: a sampler and a terminal. Out: an exit status. Rules kept: the terminal is restored however this ends;
a daemon that does not answer delays neither the keys nor the others.
"""

import os
import signal
import time
from typing import Final

from rich.console import Console
from rich.live import Live

from pywg.monitor.board import Board, Snapshot
from pywg.monitor.ink import Canvas, glyphs
from pywg.monitor.sampling import Sampler, take_snapshot
from pywg.monitor.terminal import Event, Terminal
from pywg.monitor.view import draw

PATIENCE: Final = 0.25
"""Seconds to wait for answers before going on without them."""


def show_live(sampler: Sampler, console: Console, interval: float) -> int:
    """Until the user ends it: 0; ended by SIGTERM: its status as a shell counts it.

    Raises NothingToSeeError.
    """
    screen = _Screen(sampler, console, interval)
    sampler.check()
    while (ended := screen.show()) is Event.SUSPEND:
        # The terminal is restored; stop as Ctrl-Z does, and go on here after `fg`.
        os.kill(os.getpid(), signal.SIGSTOP)
    return 128 + signal.SIGTERM if ended is Event.KILLED else 0


class _Screen:
    def __init__(self, sampler: Sampler, console: Console, interval: float) -> None:
        self._sampler = sampler
        self._console = console
        self._interval = interval
        self._board = Board(interval)
        self._snapshot = self._look()

    def show(self) -> Event:
        """Take over the terminal until something ends that."""
        live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        try:
            with Terminal() as terminal, live:
                while (event := self._hold(live, terminal)) is Event.TIME:
                    self._snapshot = self._look()
        except OSError:
            # The terminal went away while it was written to: nobody is there to be told.
            return Event.END
        return event

    def _look(self) -> Snapshot:
        return take_snapshot(self._sampler, self._board, min(PATIENCE, self._interval / 2))

    def _hold(self, live: Live, terminal: Terminal) -> Event:
        """Show one snapshot, again for each new size of the terminal. TIME: it is time for the next."""
        until = self._snapshot.now + self._interval
        while True:
            self._draw(live)
            while (event := terminal.wait(until - time.monotonic())) is Event.TIME:
                if time.monotonic() >= until:
                    return event
            if event is not Event.RESIZED:
                return event

    def _draw(self, live: Live) -> None:
        columns, lines = os.get_terminal_size(self._console.file.fileno())
        # Else rich prefers COLUMNS and LINES, which may be those of the terminal's first size.
        self._console.size = (columns, lines)
        canvas = Canvas(columns, glyphs(self._console.encoding, os.environ.get("TERM", "")))
        live.update(draw(self._snapshot, canvas, lines), refresh=True)
