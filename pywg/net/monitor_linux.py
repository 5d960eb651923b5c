"""What happens to our TUN device and to the machine's routes, noticed at once through rtnetlink.

Comes in: the TUN's descriptor. Goes out: calls for link and MTU changes, route changes and deletion. Rule
kept: an interface that was moved to another namespace keeps working. Netlink of the old one says DELLINK and
no more; as long as the descriptor tells a namespace, we watch there instead. UDP sockets stay where they were
opened, so routes are always watched in our own namespace.
"""

import errno
import select
import socket
from collections.abc import Iterator
from typing import Final

from pywg.endpoint import Endpoint
from pywg.net import namespace_linux as namespace
from pywg.net import netlink
from pywg.net.port import LinkState, MonitorCallbacks
from pywg.protocol.constants import DEFAULT_MTU
from pywg.tun.linux import interface

READ_SIZE: Final = 1 << 16
REPLY_TIMEOUT: Final = 2000
"""Milliseconds to wait for a reply of the kernel, which answers in microseconds."""
WATCH_ATTEMPTS: Final = 3
"""How often a device that moves while we look for it is looked for again."""
READS_PER_TURN: Final = 64
"""Bound on what one turn of the loop reads, should somebody load a million routes."""

_ROUTE_GROUPS: Final = (
    netlink.RTMGRP_LINK
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


class LinuxLinkMonitor:
    """A LinkMonitor. `state` is known when the constructor returns; nothing was called back by then.

    Raises OSError if netlink cannot be used or the device does not exist (ENODEV).
    """

    def __init__(self, tun_fd: int, callbacks: MonitorCallbacks) -> None:
        self.state = LinkState(up=False, mtu=DEFAULT_MTU)
        self._tun_fd = tun_fd
        self._callbacks = callbacks
        self._sequence = 0
        self._ifindex = 0
        self._gone = False
        self._closed = False
        self._link: socket.socket | None = None
        self._routes = namespace.open_netlink()
        self._questions = namespace.open_netlink()
        self._questions.bind((0, 0))
        self._epoll = select.epoll()
        try:
            self._routes.bind((0, _ROUTE_GROUPS))
            self._epoll.register(self._routes, select.EPOLLIN)
            state = self._watch_device()
        except OSError:
            self.close()
            raise
        if state is None:
            self.close()
            raise OSError(errno.ENODEV, "the TUN device was deleted")
        self.state = state

    def fileno(self) -> int:
        """An epoll descriptor over the netlink sockets, which come and go."""
        return self._epoll.fileno()

    def on_readable(self) -> None:
        """Read what netlink has to say, then call back: once per kind of change."""
        if self._closed:
            return
        route_changed = self._read_routes()
        state = self._read_link()
        if state is None:
            if not self._gone:
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
        sequence = self._next_sequence()
        question = netlink.get_route(endpoint.address, mark, endpoint.scope_id, sequence)
        reply = _ask(self._questions, question, sequence)
        return None if reply is None else netlink.parse_route_interface(reply.payload)

    def close(self) -> None:
        """May be called twice."""
        self._closed = True
        self._epoll.close()
        for sock in (self._routes, self._questions, self._link):
            if sock is not None:
                sock.close()

    def _read_routes(self) -> bool:
        """Whether a route may have changed."""
        changed = False
        for data in _read_all(self._routes):
            if data is None:
                changed = True  # what was lost may have been one
                continue
            for message in netlink.messages(data):
                if message.kind in _ROUTE_CHANGES and not (
                    message.kind in {netlink.RTM_NEWROUTE, netlink.RTM_DELROUTE}
                    and netlink.is_cloned_route(message.payload)
                ):
                    changed = True
        return changed

    def _read_link(self) -> LinkState | None:
        """The state after all that was read; None if the device is gone."""
        if self._link is None:
            return None if self._gone else self.state
        state = self.state
        for data in _read_all(self._link):
            if data is None:
                return self._watch_device()
            for message in netlink.messages(data):
                if message.kind not in {netlink.RTM_NEWLINK, netlink.RTM_DELLINK}:
                    continue
                link = netlink.parse_link(message.payload)
                if link is None or link.ifindex != self._ifindex:
                    continue
                if message.kind == netlink.RTM_DELLINK:
                    return self._watch_device()
                state = LinkState(link.up, link.mtu)
        return state

    def _watch_device(self) -> LinkState | None:
        """Subscribe in the namespace the device is in now, then ask for its state; None if it is gone."""
        for _ in range(WATCH_ATTEMPTS):
            if self._link is not None:
                self._link.close()
                self._link = None
            try:
                name, _ = interface(self._tun_fd)
                with namespace.of_device(self._tun_fd) as device_namespace:
                    moved = not device_namespace.is_ours
                    self._link = device_namespace.netlink_socket()
            except OSError as error:
                if error.errno in {errno.EBADFD, errno.EBADF}:
                    return None
                # It lives where we may not look. Its deletion will still end our reads of it.
                return LinkState(up=True, mtu=self.state.mtu)
            self._link.bind((0, netlink.RTMGRP_LINK))
            self._epoll.register(self._link, select.EPOLLIN)
            sequence = self._next_sequence()
            reply = _ask(self._link, netlink.get_link(name, sequence), sequence)
            link = None if reply is None else netlink.parse_link(reply.payload)
            if link is None:
                continue  # moved or renamed meanwhile
            self._ifindex = link.ifindex
            if moved:
                # The kernel gave it the new namespace's defaults.
                for request in netlink.set_quiet(link.ifindex, self._next_sequence()):
                    self._link.send(request)
            return LinkState(link.up, link.mtu)
        return None

    def _next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        return self._sequence


def _ask(sock: socket.socket, question: bytes, sequence: int) -> netlink.Message | None:
    """Send a question and wait for its answer; None if it is an error or does not come."""
    port = sock.getsockname()[0]
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    try:
        sock.send(question)
        while poll.poll(REPLY_TIMEOUT):
            for message in netlink.messages(sock.recv(READ_SIZE)):
                # Notices of what others asked for carry the port and sequence of their questions.
                if (message.sequence, message.port) == (sequence, port):
                    return None if message.kind == netlink.NLMSG_ERROR else message
    except OSError:
        pass
    return None


def _read_all(sock: socket.socket) -> Iterator[bytes | None]:
    """What waits on `sock`; None where messages were lost (ENOBUFS)."""
    for _ in range(READS_PER_TURN):
        try:
            yield sock.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                return
            yield None
