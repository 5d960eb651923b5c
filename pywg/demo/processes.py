"""Processes the demo started: told apart from later users of the same pid, and ended.

In: pids. Out: nothing that runs. A process is named by its pid and its start time (proc(5), field 22 of
``/proc/PID/stat``), and signals go through a pidfd, so no other process is ever hit.
"""

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process for ever, unlike a pid."""

    pid: int
    started: int
    """Clock ticks since boot."""

    @property
    def alive(self) -> bool:
        """Runs still. A zombie does not."""
        return identify(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal if it is still this process; a process that is gone is no error."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive:
                signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)


def identify(pid: int) -> ProcessId | None:
    """The process that has this pid now, or None if there is none or it is a zombie."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the name in parentheses and may itself hold blanks and parentheses.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else ProcessId(pid, int(fields[19]))


def within(namespace: Path) -> list[ProcessId]:
    """Every process whose network namespace is the one bound at this path."""
    wanted = namespace.stat()
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            here = (entry / "ns" / "net").stat()
        except OSError:  # gone meanwhile, or of another user
            continue
        if (here.st_dev, here.st_ino) == (wanted.st_dev, wanted.st_ino):
            process = identify(int(entry.name))
            if process is not None:
                found.append(process)
    return found


def wait_until_gone(processes: Iterable[ProcessId], seconds: float) -> list[ProcessId]:
    """Wait at most so long; returns those that run still."""
    deadline = time.monotonic() + seconds
    left = [process for process in processes if process.alive]
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [process for process in left if process.alive]
    return left


def end(processes: Iterable[ProcessId], *, patience: float = 2.0) -> None:
    """Ask with SIGTERM, insist with SIGKILL after `patience` seconds."""
    left = list(processes)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in left:
            process.send(number)
        left = wait_until_gone(left, patience)
