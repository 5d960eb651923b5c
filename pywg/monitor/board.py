"""What there is to be shown: every interface with its history and what is wrong with it.

In: looks (`sampling.Sampler.look`) and the time. Out: a `Snapshot`. No I/O and no clock. Rule kept: an
interface that goes away stays to be seen for a minute, then it and its history are forgotten.
"""

from dataclasses import dataclass
from typing import Final

from pywg.monitor.history import WINDOW, History
from pywg.monitor.sample import Look, Reading, Sample

ANSWER_OVERDUE: Final = 2.0
"""Seconds without an answer after which a daemon is said not to answer."""
MOST_GONE: Final = 8
"""Interfaces that are remembered after they went, the newest: tests make and take away hundreds."""


@dataclass(frozen=True, slots=True)
class InterfaceSnapshot:
    """One interface."""

    name: str
    sample: Sample | None
    history: History
    problem: str = ""
    """Why `sample` is old or missing; empty while the interface answers. May hold anything: clean it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment."""

    interfaces: tuple[InterfaceSnapshot, ...]
    now: float
    """On the clock of the samples."""
    unix_ns: int
    """Nanoseconds of Unix time: what handshakes are told in."""
    local_time: str
    """``HH:MM:SS``."""
    interval: float
    """Seconds from look to look."""
    problem: str = ""
    """Why there may be more interfaces than these. May hold anything: clean it."""

    @property
    def tells_troubles(self) -> bool:
        """Whether any interface does. All tables have the same columns then."""
        samples = (interface.sample for interface in self.interfaces)
        return any(sample is not None and sample.status is not None for sample in samples)


class Board:
    """Remembers from look to look."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._histories: dict[str, History] = {}
        self._last: dict[str, Sample] = {}
        self._gone: dict[str, float] = {}

    def take(self, look: Look, *, now: float, unix_ns: int, local_time: str) -> Snapshot:
        """The state after `look`."""
        there = [self._present(reading) for reading in look.readings]
        names = {reading.name for reading in look.readings}
        for name in self._histories:
            if name not in names:
                self._gone.setdefault(name, now)
        self._forget(now)
        gone = [self._departed(name, now - since) for name, since in self._gone.items()]
        return Snapshot((*there, *gone), now, unix_ns, local_time, self._interval, look.problem)

    def _present(self, reading: Reading) -> InterfaceSnapshot:
        name, sample = reading.name, reading.sample
        self._gone.pop(name, None)
        history = self._histories.setdefault(name, History())
        if sample is not None and sample is not self._last.get(name):
            history.see(sample)
            self._last[name] = sample
        problem = reading.problem
        if not problem and reading.waiting >= ANSWER_OVERDUE:
            problem = f"no answer for {reading.waiting:.0f} s; its daemon may be stuck"
        return InterfaceSnapshot(name, sample, history, problem)

    def _departed(self, name: str, seconds: float) -> InterfaceSnapshot:
        # Without its sample: old counters are of no use to anybody.
        return InterfaceSnapshot(name, None, self._histories[name], f"gone for {seconds:.0f} s")

    def _forget(self, now: float) -> None:
        newest = sorted(self._gone, key=lambda name: -self._gone[name])
        for place, name in enumerate(newest):
            if place >= MOST_GONE or now - self._gone[name] >= WINDOW:
                del self._gone[name], self._histories[name]
                self._last.pop(name, None)
