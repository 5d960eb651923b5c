"""Stands in for the daemon: writes down what it was given, says that it is ready, ends."""

import json
import os
import sys
from pathlib import Path


def _descriptors() -> dict[str, str]:
    found = {}
    for entry in list(Path("/proc/self/fd").iterdir()):
        try:
            found[entry.name] = str(entry.readlink())
        except FileNotFoundError:  # the one the directory was read through
            continue
    return found


directory, *arguments = sys.argv[1:]
Path(directory, "child").write_text(
    json.dumps(
        {
            "arguments": arguments,
            "environment": dict(os.environ),
            "directory": str(Path.cwd()),
            "pid": os.getpid(),
            "session": os.getsid(0),
            "descriptors": _descriptors(),
        }
    )
)
os.write(int(os.environ["PYWG_READY_FD"]), b"\x06")
