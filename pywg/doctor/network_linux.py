"""What rtnetlink tells of links, addresses and routes of the network namespace we are in.

In: names and addresses. Out: `LinkFacts`, `RouteFacts`. Rules kept: nothing is changed; each question is one
message, so that thousands of allowed IPs can be asked for; /sys is not looked at, for it shows the namespace
it was mounted in.
"""

import socket
from functools import partial
from ipaddress import ip_interface
from typing import Final

from pywg.doctor.facts import LinkFacts, RouteFacts
from pywg.net import netlink
from pywg.net.rtnetlink_questions import RtnetlinkQuestions

_SCOPE_LINK: Final = 253
"""An address of that scope (fe80::) carries nothing through a tunnel."""


class LinuxNetworkQuestions(RtnetlinkQuestions):
    """What doctor asks of links and routes. Raises OSError where there is no netlink."""

    def link(self, name: str) -> LinkFacts | None:
        """The interface of that name; None: there is none."""
        link = self._link(name)
        if link is None:
            return None
        found = [netlink.parse_address(payload) for payload in self.all(netlink.get_addresses)]
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
        answer = self.one(partial(netlink.get_route, address, mark, scope_id))
        route = None if answer is None else netlink.parse_route(answer)
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
        answer = self.one(partial(netlink.get_link, name, None))
        return None if answer is None else netlink.parse_link(answer)
