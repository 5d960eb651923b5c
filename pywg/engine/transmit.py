"""The last step out: datagrams to a peer's endpoint, and what to do when the kernel refuses them.

Comes in: sealed datagrams. Goes out: the same, through the socket of the endpoint's family. Rules kept: no
error escapes; a cached source the kernel no longer takes is forgotten and the rest sent once more; an ICMP
error that waited on the socket is counted at the peer it is about, and the rest sent once more.
"""

import errno
from collections.abc import Sequence
from typing import Final

from pywg.endpoint import Endpoint, Source
from pywg.engine.contract import Drop
from pywg.engine.peer_state import PeerState
from pywg.engine.plane import Plane
from pywg.udp.port import DEAD, SendError, UdpPort

Datagrams = Sequence[bytes | bytearray | memoryview]

SOURCE_GONE: Final = frozenset({errno.EINVAL, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENODEV})
"""With a cached source: its address or interface may be gone."""

REPORTED_BY_ICMP: Final = frozenset(
    {
        errno.ECONNREFUSED,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.ENOPROTOOPT,
        errno.EACCES,
        errno.EPROTO,
        errno.EMSGSIZE,
        errno.EOPNOTSUPP,
        getattr(errno, "ENONET", errno.EHOSTUNREACH),
    }
)
"""May be about an earlier datagram, perhaps to somebody else (ip(7), IP_RECVERR): not a reason to fail."""

ABOUT_ONE: Final = frozenset({errno.EMSGSIZE, errno.EPERM})
"""Refused for what it is (too long, or by a filter): the others of its batch may pass."""


class Transmitter:
    """Sends for the whole engine."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def to_peer(self, peer: PeerState, datagrams: Datagrams, tos: int) -> None:
        """Send, in order. What could not be sent is counted as dropped, the rest in tx_bytes."""
        source = peer.source
        if source is None:
            self._plane.drop(Drop.NO_ENDPOINT, peer, len(datagrams))
            return
        unsent, used = self._send(source, datagrams, tos)
        if used is not source:
            peer.source = used
        if unsent:
            self._plane.drop(Drop.SEND_ERROR, peer, len(unsent))
        peer.tx_bytes += sum(map(len, datagrams)) - sum(map(len, unsent))

    def reply(self, source: Source, datagram: bytes) -> None:
        """Send to whoever sent to us, touching no peer."""
        unsent, _ = self._send(source, [datagram], 0)
        if unsent:
            self._plane.drop(Drop.SEND_ERROR)

    def drain_errors(self, port: UdpPort) -> None:
        """Count what the network told of earlier datagrams; a waiting one makes the socket look readable."""
        for error in port.take_errors():
            peer = self._plane.peer_at(error.endpoint)
            if peer is not None:
                peer.icmp_errors[error.errno] += 1

    def _send(self, source: Source, datagrams: Datagrams, tos: int) -> tuple[Datagrams, Source]:
        """Returns what could not be sent, and the source that is still good."""
        port = self._port(source.endpoint)
        if port is None:
            return datagrams, source
        drained = False
        refused: list[bytes | bytearray | memoryview] = []
        while True:
            try:
                port.send(source, datagrams, tos)
            except OSError as error:
                if isinstance(error, SendError) and error.sent:
                    datagrams = datagrams[error.sent :]
                    drained = False
                if error.errno in REPORTED_BY_ICMP and not drained:
                    drained = True
                    self.drain_errors(port)
                elif error.errno in SOURCE_GONE and (source.local or source.ifindex):
                    source = Source(source.endpoint)
                elif error.errno in ABOUT_ONE and len(datagrams) > 1:
                    refused.append(datagrams[0])
                    datagrams = datagrams[1:]
                    drained = False
                else:
                    if error.errno in DEAD:
                        self._plane.mailbox.fail("udp6" if source.endpoint.is_ipv6 else "udp4", error.errno)
                    return [*refused, *datagrams], source
            else:
                return refused, source

    def _port(self, endpoint: Endpoint) -> UdpPort | None:
        sockets = self._plane.sockets
        if sockets is None:
            return None
        return sockets.v6 if endpoint.is_ipv6 else sockets.v4
