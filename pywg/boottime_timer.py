"""One timer for the control plane's next deadline, on CLOCK_BOOTTIME.

In: the time at which the control plane wants to be woken. Out: one call of its callback, not before. asyncio
counts in monotonic time, which stands still while the machine sleeps, so a key made before a suspend would
be dropped hours late. On Linux a timerfd on CLOCK_BOOTTIME fires at once after resume; elsewhere a look at
the clock every second does.
"""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from typing import Final, Protocol

from pywg.clock import Clock, Scheduler
from pywg.protocol.constants import SECOND

CLOCK_BOOTTIME: Final = 7
TFD_TIMER_ABSTIME: Final = 1
LONGEST_WAIT: Final = 1.0
"""Seconds between two looks at the clock where it cannot wake us."""


class ClosableScheduler(Scheduler, Protocol):
    """What the owner of a scheduler has."""

    def close(self) -> None:
        """Never call back again. May be called twice."""


class TimerfdScheduler:
    """Linux: the kernel's own alarm, which sees suspend."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        """Raises OSError if the kernel gives no timer."""
        self._loop = loop
        self._callback = callback
        self._deadline: int | None = None
        self._timerfd = _timerfd_create()
        loop.add_reader(self._timerfd, self._fired)

    def wake_at(self, boottime_ns: int | None) -> None:
        if boottime_ns == self._deadline or self._timerfd < 0:
            return
        self._deadline = boottime_ns
        # Zero would disarm; a time in the past fires at once.
        _timerfd_settime(self._timerfd, 0 if boottime_ns is None else max(boottime_ns, 1))

    def close(self) -> None:
        if self._timerfd >= 0:
            self._loop.remove_reader(self._timerfd)
            os.close(self._timerfd)
            self._timerfd = -1

    def _fired(self) -> None:
        try:
            os.read(self._timerfd, 8)
        except BlockingIOError:
            return  # Set anew between the kernel's word and ours.
        self._deadline = None
        self._callback()


class PollingScheduler:
    """Everywhere: asks the clock, at the latest a second after a resume."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None], clock: Clock) -> None:
        self._loop = loop
        self._callback = callback
        self._clock = clock
        self._deadline: int | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._closed = False

    def wake_at(self, boottime_ns: int | None) -> None:
        if boottime_ns == self._deadline or self._closed:
            return
        self._deadline = boottime_ns
        self._wait()

    def close(self) -> None:
        self.wake_at(None)
        self._closed = True

    def _wait(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._deadline is not None:
            left = (self._deadline - self._clock.boottime()) / SECOND
            self._handle = self._loop.call_later(min(max(left, 0.0), LONGEST_WAIT), self._look)

    def _look(self) -> None:
        self._handle = None
        if self._deadline is not None and self._clock.boottime() < self._deadline:
            self._wait()
            return
        self._deadline = None
        self._callback()


def create_scheduler(
    loop: asyncio.AbstractEventLoop, callback: Callable[[], None], clock: Clock
) -> ClosableScheduler:
    """The best this system has."""
    if sys.platform == "linux":
        return TimerfdScheduler(loop, callback)
    return PollingScheduler(loop, callback, clock)


_libc = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("it_interval", _Timespec), ("it_value", _Timespec))


def _timerfd_create() -> int:
    flags = os.O_NONBLOCK | os.O_CLOEXEC  # TFD_NONBLOCK and TFD_CLOEXEC are these (timerfd_create(2))
    if sys.version_info >= (3, 13):
        return os.timerfd_create(CLOCK_BOOTTIME, flags=flags)
    descriptor: int = _libc.timerfd_create(CLOCK_BOOTTIME, flags)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    return descriptor


def _timerfd_settime(descriptor: int, boottime_ns: int) -> None:
    if sys.version_info >= (3, 13):
        os.timerfd_settime_ns(descriptor, flags=TFD_TIMER_ABSTIME, initial=boottime_ns)
        return
    value = _Timespec(*divmod(boottime_ns, SECOND))
    new = _Itimerspec(_Timespec(0, 0), value)
    if _libc.timerfd_settime(descriptor, TFD_TIMER_ABSTIME, ctypes.byref(new), None) < 0:
        raise OSError(ctypes.get_errno(), "timerfd_settime")
