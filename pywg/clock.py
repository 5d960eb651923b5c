"""Time as pywg knows it: what is asked of a clock and of an alarm, and the machine's clocks.

All deadlines are CLOCK_BOOTTIME, because the monotonic clock stops while a machine sleeps and stale
keys would live on (whitepaper 6.2 speaks of time since a key was made, not of time awake).
"""

import sys
import time
from typing import Protocol


class Clock(Protocol):
    """What the control plane and the engines ask the time of. All values are nanoseconds."""

    def boottime(self) -> int:
        """Time since boot, suspend included. Never goes back."""

    def monotonic(self) -> int:
        """Time since boot, suspend excluded: its distance to `boottime` tells of a suspend."""

    def wall(self) -> int:
        """Unix time; may jump either way."""


class Scheduler(Protocol):
    """A single alarm. Made with the callback it calls."""

    def wake_at(self, boottime_ns: int | None) -> None:
        """Call back once when CLOCK_BOOTTIME reaches this, soon if it is past; None: not at all.

        Replaces what was asked before. Never calls back from within.
        """


class SystemClock:
    """The machine's own clocks."""

    if sys.platform == "darwin":
        # macOS: CLOCK_MONOTONIC counts sleep, CLOCK_UPTIME_RAW does not.
        def boottime(self) -> int:
            return time.clock_gettime_ns(time.CLOCK_MONOTONIC)

        def monotonic(self) -> int:
            return time.clock_gettime_ns(time.CLOCK_UPTIME_RAW)
    else:

        def boottime(self) -> int:
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

        def monotonic(self) -> int:
            return time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    def wall(self) -> int:
        return time.time_ns()
