"""Which process has a UDP port, or the TUN device of a name.

In: a port, a name. Out: ``sshd (pid 12)``, or nothing where it cannot be told. Source: proc(5):
/proc/net/udp, /proc/PID/fd, and /proc/PID/fdinfo, where the TUN driver writes ``iff:``. Rule kept: processes
come and go while we look, so that what cannot be read is passed over.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

UNKNOWN: Final = "a process that cannot be seen from here, or the kernel"

_PROC: Final = Path("/proc")
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")


def holder_of_port(port: int) -> str:
    """Who has a UDP socket on `port`, whatever its address; empty: nobody."""
    inodes = set(_sockets_on(port))
    if not inodes:
        return ""
    for descriptor in _descriptors():
        found = _SOCKET.fullmatch(_target(descriptor))
        if found and found[1] in inodes:
            return _name(descriptor.parts[2])
    return UNKNOWN


def holder_of_tun(name: str) -> str:
    """Who has the TUN device called `name` open; empty: not to be seen."""
    for descriptor in _descriptors():
        if not _target(descriptor).endswith("/net/tun"):
            continue
        fields = _read(Path(str(descriptor).replace("/fd/", "/fdinfo/"))).split()
        if "iff:" in fields and fields[fields.index("iff:") + 1 :][:1] == [name]:
            return _name(descriptor.parts[2])
    return ""


def _sockets_on(port: int) -> Iterator[str]:
    """Their inodes, of our network namespace."""
    for table in ("udp", "udp6"):
        for line in _read(_PROC / "self" / "net" / table).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[1].rpartition(":")[2] == f"{port:04X}":
                yield fields[9]


def _descriptors() -> Iterator[Path]:
    for process in _list(_PROC):
        if process.name.isdigit():
            yield from _list(process / "fd")


def _list(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []


def _target(link: Path) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 (the target is no path: "socket:[1]")
    except OSError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _name(pid: str) -> str:
    command = _read(_PROC / pid / "comm").strip()
    return f"{command or 'a process'} (pid {pid})"
