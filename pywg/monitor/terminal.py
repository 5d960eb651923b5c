"""The terminal as a source of events: keys, signals, and time that has passed.

In: the standard input and signals. Out: `Event`. Rule kept: the terminal is left as it was found.
"""

import os
import select
import signal
import sys
import termios
import tty
from enum import Enum, auto
from types import FrameType
from typing import Any, Final, Self

_END_KEYS: Final = frozenset(b"qQ\x04")
"""q and Ctrl-D. Ctrl-C is a signal."""


class Event(Enum):
    """What ended a wait."""

    TIME = auto()
    """Nothing did."""
    RESIZED = auto()
    SUSPEND = auto()
    """Ctrl-Z."""
    END = auto()
    """q, Ctrl-C, Ctrl-\\, or the terminal is gone."""
    KILLED = auto()
    """SIGTERM."""


_EVENTS: Final[dict[int, Event]] = {
    signal.SIGINT: Event.END,
    signal.SIGQUIT: Event.END,
    signal.SIGHUP: Event.END,
    signal.SIGTERM: Event.KILLED,
    signal.SIGTSTP: Event.SUSPEND,
    signal.SIGWINCH: Event.RESIZED,
}


class Terminal:
    """While it is entered, keys come one by one, are not shown, and signals are events."""

    def __init__(self) -> None:
        self._keys = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
        self._mode: list[Any] = []
        self._handlers: dict[int, Any] = {}
        self._wakeup = -1
        self._waker = self._woken = -1

    def __enter__(self) -> Self:
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)
        self._wakeup = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for number in _EVENTS:
            self._handlers[number] = signal.signal(number, _leave_it_to_the_pipe)
        if self._keys is not None:
            self._mode = termios.tcgetattr(self._keys)
            _give_keys_one_by_one(self._keys)
        return self

    def __exit__(self, *_: object) -> None:
        if self._keys is not None:
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._mode)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._waker)
        os.close(self._woken)

    def wait(self, seconds: float) -> Event:
        """What happens within `seconds`; what does not concern us is slept through at most once."""
        sources = [self._woken] if self._keys is None else [self._woken, self._keys]
        ready, _, _ = select.select(sources, [], [], max(0.0, seconds))
        events = set()
        if self._woken in ready:
            events |= {_EVENTS[number] for number in os.read(self._woken, 512) if number in _EVENTS}
        if self._keys in ready:
            events.add(self._read_keys(self._keys))
        # The last named goes first, should several have happened.
        return max(events, key=lambda event: event.value, default=Event.TIME)

    def _read_keys(self, keys: int) -> Event:
        try:
            pressed = os.read(keys, 512)
        except OSError:
            return Event.END
        return Event.END if not pressed or _END_KEYS.intersection(pressed) else Event.TIME


def _give_keys_one_by_one(terminal: int) -> None:
    tty.setcbreak(terminal)
    mode = termios.tcgetattr(terminal)
    # Else Ctrl-C empties the input: a key that `select` has just announced is gone, and its read never ends.
    mode[tty.LFLAG] |= termios.NOFLSH
    termios.tcsetattr(terminal, termios.TCSANOW, mode)


def _leave_it_to_the_pipe(_number: int, _frame: FrameType | None) -> None:
    """Python writes the number of every signal that has a handler into the pipe."""
