"""Two sockets on one port: IPv4, and IPv6 only.

Comes in: a port, and how one socket is made a UdpPort. Goes out: UdpSockets. Rule kept: a machine that lacks
a family still has the other, and its listen port.
"""

import errno
import socket
from collections.abc import Callable
from typing import Final, Protocol

from pywg.engine.contract import UdpSockets
from pywg.udp.port import UdpPort

PORT_ATTEMPTS: Final = 100
"""How often a port that is free in both families is looked for."""

_NO_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL})


class BoundUdp(UdpPort, Protocol):
    """A UdpPort that knows where it is bound."""

    port: int
    is_ipv6: bool


MakeUdp = Callable[[socket.socket, int], BoundUdp]
"""Sets a socket up and binds it to a port (0: any). Raises OSError, and the socket is closed for it."""


def open_pair(make: MakeUdp, port: int) -> UdpSockets:
    """Bind one socket per family to `port`; 0 picks one that is free in both.

    A family the machine lacks is None. Raises OSError: EADDRINUSE, EAFNOSUPPORT if there is no family at all,
    and what `make` raises.
    """
    for attempt in range(1, PORT_ATTEMPTS + 1):
        opened: list[BoundUdp] = []
        try:
            for family in (socket.AF_INET, socket.AF_INET6):
                udp = _open_family(make, family, opened[0].port if opened else port)
                if udp is not None:
                    opened.append(udp)
        except OSError as error:
            for udp in opened:
                udp.close()
            # The port IPv4 was given is taken in IPv6: let the kernel pick another.
            if error.errno == errno.EADDRINUSE and port == 0 and opened and attempt < PORT_ATTEMPTS:
                continue
            raise
        if not opened:
            raise OSError(errno.EAFNOSUPPORT, "this machine has neither IPv4 nor IPv6")
        by_family: dict[bool, UdpPort] = {udp.is_ipv6: udp for udp in opened}
        return UdpSockets(by_family.get(False), by_family.get(True), opened[0].port)
    raise AssertionError("the last attempt returns or raises")


def _open_family(make: MakeUdp, family: socket.AddressFamily, port: int) -> BoundUdp | None:
    sock: socket.socket | None = None
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        return make(sock, port)
    except OSError as error:
        if sock is not None:
            sock.close()
        if error.errno in _NO_FAMILY:
            return None
        raise
