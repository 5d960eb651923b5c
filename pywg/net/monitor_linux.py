"""What happens to our TUN device and to the machine's routes, noticed at once through rtnetlink.

Comes in: the TUN's descriptor. Goes out: calls for link and MTU changes, route changes and deletion. Rules
kept: an interface that was moved to another namespace keeps working, and is watched there from ours
(NETLINK_LISTEN_ALL_NSID), for a socket over there would keep that namespace and the interface alive after
their deletion. UDP sockets stay where they were opened, so only routes of our own namespace count. A notice
about our device is never believed but a reason to look, so that lost and late ones do no harm.
"""

import contextlib
import errno
import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from pywg.endpoint import Endpoint
from pywg.net import namespace_linux as namespace
from pywg.net import netlink
from pywg.net.port import LinkState, MonitorCallbacks
from pywg.protocol.constants import DEFAULT_MTU
from pywg.tun.linux import interface

READ_SIZE: Final = 1 << 16
ANCILLARY_SIZE: Final = socket.CMSG_SPACE(4)
REPLY_TIMEOUT: Final = 2000
"""Milliseconds to wait for a reply of the kernel, which answers in microseconds."""
LOOK_ATTEMPTS: Final = 3
"""How often a device that moves while we look for it is looked for again at once."""
READS_PER_TURN: Final = 64
"""Bound on what one turn of the loop reads, should somebody load a million routes."""

_GROUPS: Final = (
    netlink.RTMGRP_NSID
    | netlink.RTMGRP_LINK
    | netlink.RTMGRP_IPV4_IFADDR
    | netlink.RTMGRP_IPV4_ROUTE
    | netlink.RTMGRP_IPV4_RULE
    | netlink.RTMGRP_IPV6_IFADDR
    | netlink.RTMGRP_IPV6_ROUTE
    | netlink.RTMGRP_IPV6_RULE
)
_ROUTE_CHANGES: Final = frozenset(
    {
        # Of links too: IPv4 routes vanish without a word when their interface goes down.
        netlink.RTM_NEWLINK,
        netlink.RTM_DELLINK,
        netlink.RTM_NEWADDR,
        netlink.RTM_DELADDR,
        netlink.RTM_NEWROUTE,
        netlink.RTM_DELROUTE,
        netlink.RTM_NEWRULE,
        netlink.RTM_DELRULE,
    }
)
_LINK_CHANGES: Final = frozenset({netlink.RTM_NEWLINK, netlink.RTM_DELLINK})
_NSID_CHANGES: Final = frozenset({netlink.RTM_NEWNSID, netlink.RTM_DELNSID})
_DELETED: Final = frozenset({errno.EBADFD, errno.EBADF})


class _Notice(NamedTuple):
    """A message of the kernel, and the nsid of the namespace it is from; None: ours."""

    message: netlink.Message
    nsid: int | None


class LinuxLinkMonitor:
    """A LinkMonitor. `state` is known when the constructor returns; nothing was called back by then.

    Raises OSError if netlink cannot be used or the device does not exist (ENODEV).
    """

    def __init__(self, tun_fd: int, callbacks: MonitorCallbacks) -> None:
        self.state = LinkState(up=False, mtu=DEFAULT_MTU)
        self._tun_fd = tun_fd
        self._callbacks = callbacks
        self._sequence = 0
        self._nsid: int | None = None  # where the device is; None: in our namespace
        self._ifindex: int | None = None  # there; None: we have lost sight of it
        self._our_nsid: int | None = None  # a namespace may have a number for itself: see sender_nsid
        self._listens_everywhere = False
        self._quiet_in: int | None = namespace.our_inode()  # its maker saw to that
        self._gone = False
        self._notices = namespace.open_netlink()
        self._questions = namespace.open_netlink()
        try:
            self._questions.bind((0, 0))
            self._notices.bind((0, _GROUPS))
            state = self._look()
        except OSError:
            self.close()
            raise
        if state is None:
            self.close()
            raise OSError(errno.ENODEV, "the TUN device was deleted")
        self.state = state

    def fileno(self) -> int:
        """The netlink socket, or -1 after `close`."""
        return self._notices.fileno()

    def on_readable(self) -> None:
        """Read what netlink has to say, then call back: once per kind of change."""
        look_again = route_changed = False
        for notice in self._read_all():
            if notice is None or self._is_about_us(notice):
                look_again = True
                if notice is not None and notice.message.kind == netlink.RTM_DELLINK:
                    self._quiet_in = None  # It left, and may be back by now.
            route_changed = route_changed or notice is None or self._is_about_routes(notice)
        if self._gone:
            return
        state = self._look() if look_again else self.state
        if state is None:
            self._gone = True
            self._callbacks.on_gone()
            return
        if state != self.state:
            self.state = state
            self._callbacks.on_change(state)
        if route_changed:
            self._callbacks.on_route_change()

    def route_interface(self, endpoint: Endpoint, mark: int) -> int | None:
        """See LinkMonitor (RTM_GETROUTE)."""
        payload = self._ask(
            lambda sequence: netlink.get_route(endpoint.address, mark, endpoint.scope_id, sequence)
        )
        return None if payload is None else netlink.parse_route_interface(payload)

    def close(self) -> None:
        """May be called twice."""
        self._notices.close()
        self._questions.close()

    def _is_about_us(self, notice: _Notice) -> bool:
        """Whether it may tell of our device. The end of its namespace shows only as the end of its nsid."""
        message, nsid = notice
        if message.kind in _NSID_CHANGES:
            return self._nsid is not None
        if message.kind not in _LINK_CHANGES:
            return False
        link = netlink.parse_link(message.payload)
        return self._ifindex is None or (
            link is not None and (nsid, link.ifindex) == (self._nsid, self._ifindex)
        )

    @staticmethod
    def _is_about_routes(notice: _Notice) -> bool:
        message, nsid = notice
        return (
            nsid is None
            and message.kind in _ROUTE_CHANGES
            and not (
                message.kind in {netlink.RTM_NEWROUTE, netlink.RTM_DELROUTE}
                and netlink.is_cloned_route(message.payload)
            )
        )

    def _look(self) -> LinkState | None:
        """Where the device is now and what state it is in; None if it is gone. From then on listens there."""
        for _ in range(LOOK_ATTEMPTS):
            try:
                with namespace.of_device(self._tun_fd) as place:
                    if place.fd is None and self._nsid is not None:
                        return None  # The kernel did tell before: the namespace is being taken down.
                    state = self._look_in(place)
            except OSError as error:
                if error.errno in _DELETED:
                    return None
                break
            if state is not None:
                return state
        # It lives where we may not look or listen. Its deletion will still end our reads of it, and a
        # tunnel that works beats one that is exact.
        self._ifindex = None
        return LinkState(up=True, mtu=self.state.mtu)

    def _look_in(self, place: namespace.Namespace) -> LinkState | None:
        """The state of the device there; None if it was moved or renamed meanwhile. Raises OSError."""
        name, _ = interface(self._tun_fd)
        if place.fd is None or place.is_ours:
            self._nsid = None
            self._listen(everywhere=False)
        else:
            self._nsid = self._assign_nsid(place.fd)
            self._listen(everywhere=True)
        payload = self._ask(lambda sequence: netlink.get_link(name, self._nsid, sequence))
        link = None if payload is None else netlink.parse_link(payload)
        # What was found could also be another device that took over its name.
        if link is None or not self._is_still_in(place, name):
            return None
        self._ifindex = link.ifindex
        if place.inode != self._quiet_in:
            self._make_quiet(place, link.ifindex)
        return LinkState(link.up, link.mtu)

    def _is_still_in(self, place: namespace.Namespace, name: str) -> bool:
        with namespace.of_device(self._tun_fd) as now:
            return now.inode == place.inode and interface(self._tun_fd)[0] == name

    def _assign_nsid(self, namespace_fd: int) -> int:
        """The number our namespace has for another, which gets one if need be. Raises OSError."""
        self._ask(lambda sequence: netlink.new_nsid(namespace_fd, sequence))  # refused if there is one
        payload = self._ask(lambda sequence: netlink.get_nsid(namespace_fd, sequence))
        nsid = None if payload is None else netlink.parse_nsid(payload)
        if nsid is None:
            raise OSError(errno.EPERM, "the namespace of the TUN device was given no nsid")
        return nsid

    def _listen(self, *, everywhere: bool) -> None:
        """Others may be many and busy, so only while the device is away. Raises OSError.

        EPERM: it takes CAP_NET_BROADCAST, even to listen to our namespace alone again.
        """
        if everywhere != self._listens_everywhere:
            self._notices.setsockopt(netlink.SOL_NETLINK, netlink.NETLINK_LISTEN_ALL_NSID, everywhere)
            self._listens_everywhere = everywhere
        if everywhere:
            thread = threading.get_native_id()
            payload = self._ask(lambda sequence: netlink.get_nsid_of_process(thread, sequence))
            self._our_nsid = None if payload is None else netlink.parse_nsid(payload)

    def _make_quiet(self, place: namespace.Namespace, ifindex: int) -> None:
        """Again, for a move gives the device its new namespace's defaults. Best effort, see tun/linux.

        Netlink can read a device in another namespace from outside but not change it.
        """
        self._quiet_in = place.inode
        with contextlib.suppress(OSError):
            namespace.send_inside(place, netlink.set_quiet(ifindex, self._next_sequence()))

    def _ask(self, question: Callable[[int], bytes]) -> bytes | None:
        """Send a question, made with the given sequence, and wait for the payload of the answer.

        None if it is an error or an acknowledgement, or does not come.
        """
        sequence = self._next_sequence()
        try:
            self._questions.send(question(sequence))
            poll = select.poll()
            poll.register(self._questions, select.POLLIN)
            while poll.poll(REPLY_TIMEOUT):
                for message in netlink.messages(self._questions.recv(READ_SIZE)):
                    if message.sequence == sequence:
                        return None if message.kind == netlink.NLMSG_ERROR else message.payload
        except OSError:
            pass
        return None

    def _next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        return self._sequence

    def _read_all(self) -> Iterator[_Notice | None]:
        """What the kernel has told us; None where something was lost (ENOBUFS)."""
        for _ in range(READS_PER_TURN):
            try:
                data, ancillary, _, _ = self._notices.recvmsg(READ_SIZE, ANCILLARY_SIZE)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    return  # EAGAIN: that was all
                yield None
                continue
            nsid = netlink.sender_nsid(ancillary)
            if nsid == self._our_nsid:
                nsid = None
            for message in netlink.messages(data):
                yield _Notice(message, nsid)
