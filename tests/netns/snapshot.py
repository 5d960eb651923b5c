"""All that `up` could leave behind in a namespace, as text that can be compared before and after.

Comes in: a namespace. Goes out: links, addresses, routes of all tables, rules, firewall, UAPI sockets,
resolv.conf and processes, each as the system's own tool prints it. Rule: what moves by itself (counters, the
index of a link) is left out.
"""

import os
import re
from pathlib import Path

from tests.netns.namespace import UAPI_SOCKETS, Namespace

_COUNTERS = re.compile(r" counter packets \d+ bytes \d+")
_COMMANDS = {
    "links": "ip -brief link show",
    "addresses": "ip -brief address show",
    "routes": "ip route show table all",
    "routes of IPv6": "ip -6 route show table all",
    "rules": "ip rule show",
    "rules of IPv6": "ip -6 rule show",
    "firewall": "nft list ruleset",
}


def snapshot(namespace: Namespace) -> dict[str, str]:
    """By what it is about. pytest shows which of them differ."""
    told = {
        what: _COUNTERS.sub("", namespace.run(*command.split()).stdout) for what, command in _COMMANDS.items()
    }
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in namespace.pids()]
    return told | {
        "sockets": " ".join(sorted(path.name for path in UAPI_SOCKETS.glob("*") if _is_ours(path))),
        "resolv.conf": Path("/etc/resolv.conf").read_text(),
        "processes": "\n".join(command.replace(b"\0", b" ").decode() for command in sorted(commands)),
    }


def _is_ours(path: Path) -> bool:
    """Other tests may run on this machine: see new_interface_name."""
    return path.name.startswith(f"wt{os.getpid():x}-")
