"""A program under a terminal of its own (a pty), as seen by whoever sits before it.

In: a command line and the terminal's size. Out: what was written, and whether the terminal was left as it was
found.
"""

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from codecs import getincrementaldecoder
from collections.abc import Mapping, Sequence
from typing import Any, Self

PATIENCE = 15.0
ENTER, LEAVE, SHOW_CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"
_MARK = b"\x00mark\x00"
"""Nothing that a program under test writes."""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Screen:
    """Use as a context manager."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 100,
        lines: int = 30,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._ours, self._theirs = os.openpty()
        self.resize(columns, lines)
        self._before = self._mode()
        self.written = ""
        # A read may end in the middle of a character.
        self._decode = getincrementaldecoder("utf-8")().decode
        self.process = subprocess.Popen(
            # In a session of its own whose terminal this is; setsid becomes the program, so the id is its.
            ["setsid", "--ctty", *argv],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env=dict(os.environ if env is None else env, TERM="xterm-256color"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    @property
    def is_restored(self) -> bool:
        """The mode is that of the beginning, the cursor is shown, and the former screen is back."""
        cursor = self.written.rfind(SHOW_CURSOR) > self.written.rfind("\x1b[?25l")
        screen = self.written.rfind(LEAVE) > self.written.rfind(ENTER)
        return cursor and screen and self._mode() == self._before

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size; the system tells the program."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._ours, keys)

    def expect(self, pattern: str) -> str:
        """What is written from now on, up to the end of a frame in which `pattern` is found."""
        start, end = len(self.written), time.monotonic() + PATIENCE
        while re.search(pattern, text := _CONTROL.sub("", self.written[start:])) is None:
            assert time.monotonic() < end, f"{pattern!r} did not come in {text[-4000:]!r}"
            assert self._read() or self.process.poll() is None, f"ended without {pattern!r}: {text[-4000:]!r}"
        return text

    def end(self) -> int:
        """Wait for the exit; its status."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, "it does not end"
            self._read()
        self.drain()
        return self.process.returncode

    def drain(self) -> None:
        """Read all that was written by now: up to a mark, for the kernel hands it over a little later."""
        start = len(self.written)
        os.write(self._theirs, _MARK)
        end = time.monotonic() + PATIENCE
        while (at := self.written.find(_MARK.decode(), start)) < 0:
            assert time.monotonic() < end, "the mark does not come"
            self._read()
        self.written = self.written[:at]

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], 0.05)
        if ready:
            self.written += self._decode(os.read(self._ours, 65536))
        return bool(ready)

    def _mode(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)
