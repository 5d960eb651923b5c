"""Notices that our socket file is gone: the sign by which `rm` of it ends the daemon.

In: the path and which file it named. Out: one call when it no longer names that file. Rule kept: wireguard-go
ends when its socket file is deleted; on macOS `wg-quick down` knows no other way to end it.

On Linux inotify wakes us at once and never in vain; the standard library has no inotify, so two functions
of the C library are called through ctypes (2 ms to import, here only). Elsewhere, and where inotify is
refused (no watches left), the file is looked at once a second.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pywg.uapi.path import FileIdentity, file_identity

POLL_INTERVAL: Final = 1.0
"""Seconds between two looks where nobody tells us."""

# <sys/inotify.h>. A bound socket keeps its inode alive, so the unlinking shows as IN_ATTRIB (the link count),
# not as IN_DELETE_SELF.
_IN_ATTRIB: Final = 0x4
_IN_DELETE_SELF: Final = 0x400
_IN_MOVE_SELF: Final = 0x800


class DeletionWatch:
    """Calls `on_deleted` once, on the running loop, when `path` no longer names the file `ours`."""

    def __init__(
        self,
        path: Path,
        ours: FileIdentity,
        on_deleted: Callable[[], None],
        *,
        poll_interval: float = POLL_INTERVAL,
        use_inotify: bool = sys.platform == "linux",
    ) -> None:
        self._path = path
        self._ours = ours
        self._on_deleted = on_deleted
        self._poll_interval = poll_interval
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._inotify = _watch_file(path) if use_inotify else None
        if self._inotify is not None:
            self._loop.add_reader(self._inotify, self._on_event)
        # Also after setting the watch: the file may have gone before it.
        self._timer = self._loop.call_later(0, self._on_timer)

    @property
    def polls(self) -> bool:
        """Whether this watch looks every `poll_interval` instead of being told."""
        return self._inotify is None

    def close(self) -> None:
        """Stop watching. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._inotify is not None:
            self._loop.remove_reader(self._inotify)
            os.close(self._inotify)
            self._inotify = None

    def _on_event(self) -> None:
        assert self._inotify is not None  # noqa: S101 (the reader is removed with it)
        os.read(self._inotify, 4096)
        self._look()

    def _on_timer(self) -> None:
        self._timer = None
        if self._look() and self.polls:
            self._timer = self._loop.call_later(self._poll_interval, self._on_timer)

    def _look(self) -> bool:
        """Whether the file is still ours; if not, tell and stop."""
        if file_identity(self._path) == self._ours:
            return True
        self.close()
        self._on_deleted()
        return False


def _watch_file(path: Path) -> int | None:
    """An inotify descriptor that watches `path`, or None where there is none to be had."""
    import ctypes  # noqa: PLC0415 (other systems and the client do without it)

    libc = ctypes.CDLL(None, use_errno=True)
    try:
        fd = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    except AttributeError:
        return None
    if fd < 0:
        return None
    watch = libc.inotify_add_watch(fd, os.fsencode(path), _IN_ATTRIB | _IN_DELETE_SELF | _IN_MOVE_SELF)
    if watch < 0:
        os.close(fd)
        return None
    return fd
