"""A descriptor that is readable while something waits: an eventfd on Linux, a pipe elsewhere.

Comes in: `set` and `clear`. Goes out: one level, however often it was set, at one system call a change.
"""

import os
import sys


class Wakeup:
    """Made clear. Not for use by several threads."""

    def __init__(self) -> None:
        """Raises OSError if no descriptor is to be had."""
        if sys.platform == "linux":
            self._reader = self._writer = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        else:
            self._reader, self._writer = os.pipe()
            os.set_blocking(self._reader, False)
        self._is_set = False

    def fileno(self) -> int:
        """The descriptor to watch for reading, or -1 after `close`."""
        return self._reader

    def set(self) -> None:
        if not self._is_set and self._writer >= 0:
            # An eventfd takes eight bytes as a number to add; to a pipe they are just bytes.
            os.write(self._writer, (1).to_bytes(8, sys.byteorder))
            self._is_set = True

    def clear(self) -> None:
        if self._is_set:
            os.read(self._reader, 8)
            self._is_set = False

    def close(self) -> None:
        """May be called twice."""
        for descriptor in {self._reader, self._writer} - {-1}:
            os.close(descriptor)
        self._reader = self._writer = -1
        self._is_set = False
