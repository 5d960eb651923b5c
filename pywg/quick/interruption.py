"""Ctrl-C and its kin, taken where nothing is half done.

In: the signals that end a command. Out: `Interrupted`, raised between two steps or while we wait for
something that may take long. Rules kept: a change of the system is never cut in two; nor is undoing, which
neither looks for signals nor waits in here; a signal that whoever started us ignores (nohup) stays ignored;
what is done and told with our exit status is not told otherwise by a signal that comes while Python ends.
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

    def __init__(self, *, until_exit: bool = False) -> None:
        """`until_exit`: when the command has ended, so will the process, and signals do nothing more."""
        self._number: int | None = None
        self._until_exit = until_exit
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
            after = signal.SIG_IGN if self._until_exit else handler
            signal.signal(number, signal.SIG_DFL if after is None else after)

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
