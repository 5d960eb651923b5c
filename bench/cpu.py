"""Processor time: of the daemons, and of the whole machine.

In: processes. Out: seconds. The daemons' share is user + system of all threads and of children that have
ended (proc(5), /proc/PID/stat); what the kernel does for them elsewhere, in softirqs and kernel threads, is
only in the machine's: everything but idle, iowait and what the hypervisor took (/proc/stat).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pywg.demo.processes import ProcessId

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Seconds since the processes, and the machine, were started."""

    daemons: float
    machine: float

    def __sub__(self, before: "CpuTime") -> "CpuTime":
        return CpuTime(self.daemons - before.daemons, self.machine - before.machine)


def cpu_time(daemons: Sequence[ProcessId]) -> CpuTime:
    """What was used up to now. Raises OSError when a daemon is gone."""
    return CpuTime(sum(_of_process(process.pid) for process in daemons), _of_machine())


def _of_process(pid: int) -> float:
    # The second field is the name in parentheses and may itself hold blanks and parentheses.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    utime, stime, cutime, cstime = (int(field) for field in fields[11:15])
    return (utime + stime + cutime + cstime) / _TICKS


def _of_machine() -> float:
    first = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    user, nice, system, _idle, _iowait, irq, softirq = (int(field) for field in first[1:8])
    return (user + nice + system + irq + softirq) / _TICKS
