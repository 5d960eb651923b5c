"""Whether this network namespace passes packets on, and what came to it or left it that matters for that.

In: an interface's name. Out: numbers the kernel tells in /proc, of the namespace we are in; 0 where it does
not. Sources: ip-sysctl.rst and snmp_counter.rst of the kernel; RFC 4293 for the counters.
"""

from pathlib import Path
from typing import Final

_SYSCTL: Final = Path("/proc/sys/net")
_NET: Final = Path("/proc/self/net")


def forwards(name: str, version: int) -> bool | None:
    """Whether packets of IPv4 or IPv6 that come out of the interface are passed on; None: not known.

    IPv6 has one switch for all interfaces, and (since Linux 6.17) another for one of them.
    """
    if version == 4:
        return _switch(f"ipv4/conf/{name}/forwarding")
    for_all = _switch("ipv6/conf/all/forwarding")
    return for_all or _switch(f"ipv6/conf/{name}/force_forwarding") or for_all


def refused(name: str, version: int) -> int:
    """Packets dropped because they were for others: of IPv4 those of all interfaces."""
    if version == 6:
        return _interface_count(name, "Ip6InAddrErrors")
    # Two lines that begin with "Ip:", the names and the numbers.
    names, numbers = ([line.split() for line in _lines(_NET / "snmp") if line.startswith("Ip:")] + [[], []])[
        :2
    ]
    return int(dict(zip(names[1:], numbers[1:], strict=False)).get("InAddrErrors", "0"))


def multicasts(name: str) -> int:
    """IPv6 multicast packets sent into the interface: a machine joins groups without anybody's wish."""
    return _interface_count(name, "Ip6OutMcastPkts")


def _interface_count(name: str, what: str) -> int:
    for line in _lines(_NET / "dev_snmp6" / name):
        words = line.split()
        if words[:1] == [what]:
            return int(words[1])
    return 0


def _switch(path: str) -> bool | None:
    lines = _lines(_SYSCTL / path)
    return lines[0].strip() != "0" if lines else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
