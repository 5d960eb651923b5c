"""UDP sockets of macOS: one datagram per system call, and the kernel's own choice of source address.

Comes in: sealed datagrams with their Source. Goes out: received datagrams with theirs. Rules kept: separate
IPv4 and v6-only sockets on one port; ECN both ways. There is no mark, no segmentation and no error queue
here; sources are not sticky, as in wireguard-go. Written from netinet/in.h and netinet6/in6.h, and tested
with recorded system calls; not run on a Mac here.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pywg.endpoint import Source
from pywg.engine.contract import UdpSockets
from pywg.udp.address import endpoint
from pywg.udp.pair import open_pair
from pywg.udp.port import DEAD, Datagram, IcmpError, SendError

BUFFER_SIZES: Final = (7 << 20, 4 << 20, 1 << 20)
"""Tried in this order: kern.ipc.maxsockbuf bounds them, and more is refused instead of cut."""

MAX_DATAGRAM: Final = 65535
BATCH_BYTES: Final = 512 * 1024
CONTROL_SIZE: Final = 64
CACHED_PATHS: Final = 4096

# netinet/in.h, netinet6/in6.h
IP_TOS: Final = 3
IP_RECVTOS: Final = 27
IPV6_V6ONLY: Final = 27
IPV6_RECVTCLASS: Final = 35
IPV6_TCLASS: Final = 36

Data = bytes | bytearray | memoryview


def open_sockets(port: int, mark: int) -> UdpSockets:
    """Bind one socket per family to `port`; see `open_pair`. macOS has no marks: `mark` means nothing."""
    del mark
    return open_pair(DarwinUdp, port)


class DarwinUdp:
    """A UdpPort over `sock`, which it sets up, binds to `port` on every address, and owns."""

    def __init__(self, sock: socket.socket, port: int) -> None:
        self._socket = sock
        self.is_ipv6 = sock.family == socket.AF_INET6
        sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            _set_buffer(sock, option)
        if self.is_ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
        sock.bind(("::" if self.is_ipv6 else "0.0.0.0", port))  # noqa: S104 (WireGuard answers on every address)
        self.port: int = sock.getsockname()[1]
        self._tos = 0
        self._buffer = memoryview(bytearray(BATCH_BYTES))
        self._sources: dict[Any, Source] = {}

    def fileno(self) -> int:
        """The descriptor, or -1 after `close`."""
        return self._socket.fileno()

    def receive(self, most: int) -> Sequence[Datagram]:
        """See UdpPort."""
        buffer = self._buffer
        datagrams: list[Datagram] = []
        start, last_start = 0, BATCH_BYTES - MAX_DATAGRAM
        try:
            while len(datagrams) < most and start <= last_start:
                size, messages, _, address = self._socket.recvmsg_into([buffer[start:]], CONTROL_SIZE)
                source = self._sources.get(address)
                if source is None:
                    source = self._remember(address)
                end = start + size
                datagrams.append(Datagram(buffer[start:end], source, _ecn(messages)))
                start = end
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno in DEAD:
                raise
        return datagrams

    def send(self, source: Source, datagrams: Sequence[Data], tos: int) -> None:
        """See UdpPort."""
        if tos != self._tos:
            level, option = (
                (socket.IPPROTO_IPV6, IPV6_TCLASS) if self.is_ipv6 else (socket.IPPROTO_IP, IP_TOS)
            )
            self._socket.setsockopt(level, option, tos)
            self._tos = tos
        address = source.endpoint.sockaddr
        sent = 0
        try:
            for datagram in datagrams:
                self._socket.sendto(datagram, address)
                sent += 1
        except OSError as error:
            if not sent:
                raise
            raise SendError.after(sent, error) from error

    def set_mark(self, mark: int) -> None:
        """There are no marks."""

    def take_errors(self) -> Sequence[IcmpError]:
        """There is no error queue."""
        return ()

    def route_changed(self) -> None:
        """Nothing is remembered of routes."""

    def status(self) -> Mapping[str, str]:
        """Offloads and buffers in use, for ``get_status``."""
        option = self._socket.getsockopt
        return {
            "udp_segment": "off",
            "udp_gro": "off",
            "receive_buffer": str(option(socket.SOL_SOCKET, socket.SO_RCVBUF)),
            "send_buffer": str(option(socket.SOL_SOCKET, socket.SO_SNDBUF)),
        }

    def close(self) -> None:
        """May be called twice."""
        self._socket.close()

    def _remember(self, address: Any) -> Source:
        if len(self._sources) >= CACHED_PATHS:
            self._sources.clear()
        source = self._sources[address] = Source(endpoint(address))
        return source


def _set_buffer(sock: socket.socket, option: int) -> None:
    for size in BUFFER_SIZES:
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, size)
        except OSError:
            continue
        return


def _ecn(messages: Sequence[tuple[int, int, bytes]]) -> int:
    for level, kind, data in messages:
        if (level, kind) in {(socket.IPPROTO_IP, IP_RECVTOS), (socket.IPPROTO_IPV6, IPV6_TCLASS)} and data:
            # One byte for IPv4, a little-endian int for IPv6.
            return data[0] & 3
    return 0
