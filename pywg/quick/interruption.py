"""Ctrl-C and its kin, taken where nothing is half done.

In: the signals that end a command. Out: `Interrupted`, raised between two steps or while we wait for
something that may take long. Rules kept: a change of the system is never cut in two; nor is undoing, which
neither looks for signals nor waits in here; a signal that whoever started us ignores (nohup) stays ignored.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from pywg.daemon.signals import END_SIGNALS


class Interrupted(BaseException):
    """A signal told the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interruption:
    """Use as a context manager around the command; in the main thread only."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._waiting = False
        self._former = {number: signal.getsignal(number) for number in END_SIGNALS}

    def __enter__(self) -> Self:
        for number, handler in self._former.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def check(self) -> None:
        """Between two steps. Raises Interrupted if a signal has come."""
        if self._number is not None:
            raise Interrupted(self._number)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """What is done in here may be interrupted anywhere. Raises Interrupted."""
        self._waiting = True
        try:
            self.check()  # Not before: a signal could come in between, and we would wait all the same.
            yield
        finally:
            self._waiting = False

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._number = number
        if self._waiting:
            self._waiting = False  # Once is enough: whoever waits has to tidy up after it.
            self.check()
