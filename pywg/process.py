"""The process as a place for secrets: no core dumps, no debugger, no stray descriptors or terminals.

Private keys and preshared keys live in the daemon's memory, so nothing may read or save that memory:
``PR_SET_DUMPABLE`` 0 shuts out ptrace and /proc/PID/mem of other processes without CAP_SYS_PTRACE and
stops core dumps (prctl(2)), ``RLIMIT_CORE`` 0 stops them a second time. execve sets the first back, so the
process that keeps keys must call `harden` itself.
"""

import ctypes
import os
import resource
import sys
from typing import Final

PR_SET_DUMPABLE: Final = 4
PT_DENY_ATTACH: Final = 31


def harden() -> None:
    """Shut the process's memory to others and make new files private. Raises OSError if refused."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        refused = libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    elif sys.platform == "darwin":
        refused = libc.ptrace(PT_DENY_ATTACH, 0, None, 0)
    else:
        refused = 0
    if refused:
        raise OSError(ctypes.get_errno(), "the system refused to protect the memory of this process")
