"""Which interfaces of this network namespace are the kernel's own WireGuard.

In: nothing. Out: names. Rule kept: as wg(8), it asks rtnetlink, which answers for the namespace we are in,
where /sys answers for the one it was mounted in. Without pyroute2, because nearly always the answer is
"none", and the commands that ask are to be quick.
"""

import socket
import sys
from collections.abc import Iterator
from typing import Final

from pywg.net.netlink import NLMSG_DONE, NLMSG_ERROR, RTM_NEWLINK, get_links, messages, parse_link

KIND: Final = "wireguard"
_BUFFER: Final = 1 << 16
_TIMEOUT: Final = 5.0
_SEQUENCE: Final = 1


def wireguard_links() -> list[str]:
    """Names, in the kernel's order. Empty where the system has no netlink, and so no such interface."""
    if not sys.platform.startswith("linux"):
        return []
    try:
        return list(_names())
    except OSError:
        return []


def _names() -> Iterator[str]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.settimeout(_TIMEOUT)
        netlink.bind((0, 0))
        netlink.send(get_links(KIND, _SEQUENCE))
        while True:
            for message in messages(netlink.recv(_BUFFER)):
                if message.kind in {NLMSG_DONE, NLMSG_ERROR}:
                    return
                link = parse_link(message.payload) if message.kind == RTM_NEWLINK else None
                if link is not None and link.kind == KIND:
                    yield link.name
