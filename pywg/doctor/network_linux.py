"""What rtnetlink tells of links, addresses and routes of the network namespace we are in.

In: names and addresses. Out: `LinkFacts`, `RouteFacts`. Rules kept: nothing is changed; each question is one
message, so that thousands of allowed IPs can be asked for; /sys is not looked at, for it shows the namespace
it was mounted in. Without pyroute2: it takes longer to import than all this takes to ask.
"""

import socket
from collections.abc import Iterator
from ipaddress import ip_interface
from types import TracebackType
from typing import Final, Self

from pywg.doctor.facts import LinkFacts, RouteFacts
from pywg.net import netlink

_READ_SIZE: Final = 1 << 16
_TIMEOUT: Final = 5.0
_SCOPE_LINK: Final = 253
"""An address of that scope (fe80::) carries nothing through a tunnel."""


class LinuxNetworkQuestions:
    """A netlink socket for questions. Raises OSError where there is none."""

    def __init__(self) -> None:
        self._sequence = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.settimeout(_TIMEOUT)
        self._socket.bind((0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._socket.close()

    def link(self, name: str) -> LinkFacts | None:
        """The interface of that name; None: there is none."""
        link = self._link(name)
        if link is None:
            return None
        self._send(netlink.get_addresses(self._sequence))
        found = [netlink.parse_address(answer.payload) for answer in self._answers(many=True)]
        addresses = (
            ip_interface((address.local, address.prefixlen))
            for address in found
            if address is not None
            and address.ifindex == link.ifindex
            and address.scope != _SCOPE_LINK
            and len(address.local) in {4, 16}
        )
        return LinkFacts(is_up=link.up, mtu=link.mtu, kind=link.kind, addresses=tuple(addresses))

    def route(self, address: bytes, mark: int = 0, scope_id: int = 0) -> RouteFacts:
        """The way of a packet to `address` (4 or 16 bytes) under a mark."""
        self._send(netlink.get_route(address, mark, scope_id, self._sequence))
        found = [netlink.parse_route(answer.payload) for answer in self._answers(many=False)]
        route = found[0] if found else None
        if route is None or not route.ifindex:
            return RouteFacts()
        try:
            name = socket.if_indextoname(route.ifindex)
        except OSError:
            return RouteFacts()
        return RouteFacts(name, route.mtu or self._mtu(name), route.is_local)

    def _mtu(self, name: str) -> int | None:
        link = self._link(name)
        return None if link is None else link.mtu

    def _link(self, name: str) -> netlink.Link | None:
        self._send(netlink.get_link(name, None, self._sequence))
        found = [netlink.parse_link(answer.payload) for answer in self._answers(many=False)]
        return found[0] if found else None

    def _send(self, question: bytes) -> None:
        self._socket.send(question)

    def _answers(self, *, many: bool) -> Iterator[netlink.Message]:
        """Answers to the question just sent, up to the end of a dump; none where the kernel refuses."""
        sequence, self._sequence = self._sequence, self._sequence + 1
        while True:
            for message in netlink.messages(self._socket.recv(_READ_SIZE)):
                if message.sequence != sequence:
                    continue
                if message.kind in {netlink.NLMSG_DONE, netlink.NLMSG_ERROR}:
                    return
                yield message
                if not many:
                    return
