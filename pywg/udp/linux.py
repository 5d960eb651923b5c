"""UDP sockets of Linux: sticky source, ECN, segmentation offload and the error queue.

Comes in: sealed datagrams with their Source. Goes out: received datagrams with theirs, and ICMP errors.
Rules kept: separate IPv4 and v6-only sockets on one port; outer packets without DF; a datagram the kernel
refuses in a segmented batch is sent alone before it counts as refused (ip(7), ipv6(7), udp(7), linux/udp.h).
"""

import errno
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pywg.endpoint import Endpoint, Source
from pywg.engine.contract import UdpSockets
from pywg.udp import linux_control as control
from pywg.udp.pair import open_pair
from pywg.udp.port import DEAD, Datagram, IcmpError, SendError

BUFFER_SIZE: Final = 7 << 20
"""Socket buffers each way, as wireguard-go has them."""

MAX_DATAGRAM: Final = 65535
BATCH_BYTES: Final = 512 * 1024
"""Room for one batch of datagrams. Receiving stops where the longest one may not fit any more."""

MAX_SEGMENTS: Final = 64  # UDP_MAX_SEGMENTS
MAX_PAYLOAD4: Final = 65507
MAX_PAYLOAD6: Final = 65527

CACHED_PATHS: Final = 4096
"""Most sources remembered per direction; at the limit all are forgotten."""
PENDING_ERRORS: Final = 256
"""ICMP errors kept until they are asked for; then the oldest go."""
SEGMENTING_REFUSED_FOR: Final = 60.0
"""Seconds for which an endpoint gets no segmented batches after its route refused one."""

_NOT_SEGMENTED: Final = frozenset({errno.EMSGSIZE, errno.EINVAL})
_FINAL: Final = DEAD | {errno.EINVAL, errno.EIO}
"""Never the echo of an earlier datagram: trying again gives the same."""
_SEND_ATTEMPTS: Final = 3

Data = bytes | bytearray | memoryview


def open_sockets(port: int, mark: int) -> UdpSockets:
    """Bind one socket per family to `port`; see `open_pair`. Raises OSError, EPERM for the mark too."""
    return open_pair(lambda sock, chosen: LinuxUdp(sock, chosen, mark), port)


class LinuxUdp:
    """A UdpPort over `sock`, which it sets up, binds to `port` on every address, and owns."""

    def __init__(self, sock: socket.socket, port: int, mark: int) -> None:
        self._socket = sock
        self.is_ipv6 = sock.family == socket.AF_INET6
        sock.setblocking(False)
        _set_options(sock)
        if mark:
            self.set_mark(mark)
        sock.bind(("::" if self.is_ipv6 else "0.0.0.0", port))  # noqa: S104 (WireGuard answers on every address)
        self.port: int = sock.getsockname()[1]
        self.receive_offload = _enable_receive_offload(sock)
        self.send_offload = _has_send_offload(sock)
        self.queue_drops = 0
        """Sends that a queueing discipline dropped. The kernel tells of them only because of IP_RECVERR."""
        self._max_payload = MAX_PAYLOAD6 if self.is_ipv6 else MAX_PAYLOAD4
        self._buffer = memoryview(bytearray(BATCH_BYTES))
        self._whole = [self._buffer]
        self._arrivals: dict[tuple[Any, ...], control.Arrival] = {}
        self._departures: dict[tuple[Source, int], tuple[list[control.ControlMessage], Any]] = {}
        self._unsegmented: dict[Endpoint, float] = {}
        self._errors: deque[IcmpError] = deque(maxlen=PENDING_ERRORS)

    def fileno(self) -> int:
        """The descriptor, or -1 after `close`."""
        return self._socket.fileno()

    def receive(self, most: int) -> Sequence[Datagram]:
        """See UdpPort. A merged batch is never cut, so up to 63 datagrams more than `most` may come.

        The error queue is emptied when nothing waits, because it too makes the descriptor readable.
        """
        buffer, room = self._buffer, self._whole
        recvmsg_into, arrivals = self._socket.recvmsg_into, self._arrivals
        new, datagram = tuple.__new__, Datagram
        datagrams: list[Datagram] = []
        start, last_start = 0, BATCH_BYTES - MAX_DATAGRAM
        refused = 0
        while len(datagrams) + refused < most and start <= last_start:
            try:
                size, messages, _, address = recvmsg_into(room, control.CONTROL_SIZE)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in DEAD:
                    raise
                # An ICMP error is reported once in place of a datagram; the datagrams are still there.
                refused += 1
                continue
            key = (address, *messages)
            arrival = arrivals.get(key)
            if arrival is None:
                arrival = self._remember(key)
            source, ecn, segment = arrival
            end = start + size
            if 0 < segment < size:
                # Merged by the kernel: all of `segment` bytes, but the last may be shorter.
                datagrams += [
                    new(datagram, (buffer[at : at + segment], source, ecn))
                    for at in range(start, end - segment + 1, segment)
                ]
                tail = size % segment
                if tail:
                    datagrams.append(new(datagram, (buffer[end - tail : end], source, ecn)))
            else:
                datagrams.append(new(datagram, (buffer[start:end], source, ecn)))
            start = end
            room = [buffer[end:]]
        if refused or not datagrams:
            self._drain_errors()
        return datagrams

    def send(self, source: Source, datagrams: Sequence[Data], tos: int) -> None:
        """See UdpPort. Runs of equal size go to the kernel as one, which cuts them again on their way out."""
        departure = self._departures.get((source, tos))
        if departure is None:
            departure = self._prepare(source, tos)
        messages, address = departure
        count = len(datagrams)
        if count == 1:
            self._transmit(datagrams, messages, address)
            return
        segmenting = self._may_segment(source.endpoint)
        refused = False
        sent = 0
        try:
            while sent < count:
                end = self._run_end(datagrams, sent) if segmenting else sent + 1
                if end - sent > 1:
                    size = control.segment_size(len(datagrams[sent]))
                    try:
                        self._transmit(datagrams[sent:end], [*messages, size], address)
                    except OSError as error:
                        if error.errno == errno.EIO:
                            self.send_offload = False
                        elif error.errno in _NOT_SEGMENTED:
                            refused = True
                        else:
                            raise
                        segmenting = False
                        continue
                else:
                    self._transmit(datagrams[sent:end], messages, address)
                    if refused:
                        # Alone it passed, so it was the segmentation and not the source that was refused.
                        self._remember_refusal(source.endpoint)
                        refused = False
                sent = end
        except OSError as error:
            if not sent:
                raise
            raise SendError.after(sent, error) from error

    def set_mark(self, mark: int) -> None:
        """SO_MARK; 0 is none. Raises OSError (EPERM without CAP_NET_ADMIN)."""
        # As bytes: an int is signed to setsockopt(), and marks have all 32 bits.
        self._socket.setsockopt(socket.SOL_SOCKET, control.SO_MARK, mark.to_bytes(4, sys.byteorder))

    def take_errors(self) -> Sequence[IcmpError]:
        """What ICMP told since the last call, oldest first; at most PENDING_ERRORS."""
        self._drain_errors()
        taken = list(self._errors)
        self._errors.clear()
        return taken

    def route_changed(self) -> None:
        """A route or an MTU changed: segmented batches may pass again where they did not."""
        self._unsegmented.clear()

    def status(self) -> Mapping[str, str]:
        """Offloads and buffers in use, for ``get_status``."""
        option = self._socket.getsockopt
        return {
            "udp_segment": "on" if self.send_offload else "off",
            "udp_gro": "on" if self.receive_offload else "off",
            "unsegmented_endpoints": str(len(self._unsegmented)),
            "receive_buffer": str(option(socket.SOL_SOCKET, socket.SO_RCVBUF)),
            "send_buffer": str(option(socket.SOL_SOCKET, socket.SO_SNDBUF)),
            "queue_drops": str(self.queue_drops),
        }

    def close(self) -> None:
        """May be called twice."""
        self._socket.close()

    def _remember(self, key: tuple[Any, ...]) -> control.Arrival:
        """Read address and control messages, which are the key: equal ones mean the same source."""
        if len(self._arrivals) >= CACHED_PATHS:
            self._arrivals.clear()
        address, *messages = key
        arrival = self._arrivals[key] = control.arrival(address, messages)
        return arrival

    def _prepare(self, source: Source, tos: int) -> tuple[list[control.ControlMessage], Any]:
        if len(self._departures) >= CACHED_PATHS:
            self._departures.clear()
        departure = self._departures[source, tos] = (control.outgoing(source, tos), source.endpoint.sockaddr)
        return departure

    def _run_end(self, datagrams: Sequence[Data], start: int) -> int:
        """End of the longest run from `start` that one segmented send can carry."""
        size = len(datagrams[start])
        if not size:
            return start + 1
        limit = min(len(datagrams), start + MAX_SEGMENTS, start + self._max_payload // size)
        end = start + 1
        while end < limit:
            length = len(datagrams[end])
            if length != size:
                # A shorter one ends the run, and belongs to it.
                return end + 1 if 0 < length < size else end
            end += 1
        return end

    def _transmit(
        self, datagrams: Sequence[Data], messages: Sequence[control.ControlMessage], address: Any
    ) -> None:
        """One sendmsg. Repeated where it failed for what ICMP said of an earlier datagram.

        The kernel reports such an error once, in place of the next send, and cannot be told apart from one of
        this send except by trying again.
        """
        for attempt in range(1, _SEND_ATTEMPTS + 1):
            try:
                self._socket.sendmsg(datagrams, messages, 0, address)
            except BlockingIOError:
                raise
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    # Without IP_RECVERR the kernel calls this a success, and so does wireguard-go.
                    self.queue_drops += 1
                    return
                if error.errno in _FINAL or attempt == _SEND_ATTEMPTS:
                    raise
            else:
                return

    def _may_segment(self, endpoint: Endpoint) -> bool:
        if not self._unsegmented or not self.send_offload:
            return self.send_offload
        until = self._unsegmented.get(endpoint)
        if until is None:
            return True
        if time.monotonic() < until:
            return False
        del self._unsegmented[endpoint]
        return True

    def _remember_refusal(self, endpoint: Endpoint) -> None:
        if len(self._unsegmented) >= CACHED_PATHS:
            self._unsegmented.clear()
        self._unsegmented[endpoint] = time.monotonic() + SEGMENTING_REFUSED_FOR

    def _drain_errors(self) -> None:
        for _ in range(PENDING_ERRORS):
            try:
                _, messages, _, address = self._socket.recvmsg(
                    0, control.ERROR_CONTROL_SIZE, socket.MSG_ERRQUEUE
                )
            except OSError:
                # EAGAIN: empty. EBADF: closed. What died is told by receive, never by a diagnosis.
                return
            error = control.icmp_error(address, messages)
            if error is not None:
                self._errors.append(error)


def _set_options(sock: socket.socket) -> None:
    for force, plain in (
        (control.SO_RCVBUFFORCE, socket.SO_RCVBUF),
        (control.SO_SNDBUFFORCE, socket.SO_SNDBUF),
    ):
        try:
            sock.setsockopt(socket.SOL_SOCKET, force, BUFFER_SIZE)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, plain, BUFFER_SIZE)
    if sock.family == socket.AF_INET:
        level = control.SOL_IP
        options = {
            control.IP_PKTINFO: 1,
            control.IP_RECVTOS: 1,
            control.IP_RECVERR: 1,
            control.IP_MTU_DISCOVER: control.IP_PMTUDISC_DONT,
        }
    else:
        level = control.SOL_IPV6
        options = {
            control.IPV6_V6ONLY: 1,
            control.IPV6_RECVPKTINFO: 1,
            control.IPV6_RECVTCLASS: 1,
            control.IPV6_RECVERR: 1,
            control.IPV6_MTU_DISCOVER: control.IP_PMTUDISC_DONT,
        }
    for option, value in options.items():
        sock.setsockopt(level, option, value)


def _enable_receive_offload(sock: socket.socket) -> bool:
    release = os.uname().release.split(".")
    if [int(part) for part in release[:2] if part.isdigit()] < [5, 12]:
        return False
    try:
        sock.setsockopt(control.SOL_UDP, control.UDP_GRO, 1)
    except OSError:
        return False
    return True


def _has_send_offload(sock: socket.socket) -> bool:
    try:
        sock.getsockopt(control.SOL_UDP, control.UDP_SEGMENT)
    except OSError:
        return False
    return True
