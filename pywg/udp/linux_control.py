"""Control messages of Linux UDP sockets: packet info, TOS, segment size, and the error queue.

Comes in: a Source and a TOS byte, or what recvmsg returned. Goes out: what sendmsg takes, or what it meant.
Sources: ip(7), ipv6(7), udp(7), linux/in.h, in6.h, udp.h, errqueue.h. The numbers are written out because the
socket module of Python 3.11 lacks half of them.
"""

import struct
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from pywg.endpoint import Source
from pywg.udp.address import endpoint
from pywg.udp.port import IcmpError

SOL_IP: Final = 0
SOL_IPV6: Final = 41
SOL_UDP: Final = 17

IP_TOS: Final = 1
IP_PKTINFO: Final = 8
IP_MTU_DISCOVER: Final = 10
IP_RECVERR: Final = 11
IP_RECVTOS: Final = 13
IP_PMTUDISC_DONT: Final = 0

IPV6_MTU_DISCOVER: Final = 23
IPV6_RECVERR: Final = 25
IPV6_V6ONLY: Final = 26
IPV6_RECVPKTINFO: Final = 49
IPV6_PKTINFO: Final = 50
IPV6_RECVTCLASS: Final = 66
IPV6_TCLASS: Final = 67

UDP_SEGMENT: Final = 103
UDP_GRO: Final = 104

SO_SNDBUFFORCE: Final = 32
SO_RCVBUFFORCE: Final = 33
SO_MARK: Final = 36

CONTROL_SIZE: Final = 128
"""Room for in6_pktinfo (40 with its header), traffic class (24) and segment size (24)."""
ERROR_CONTROL_SIZE: Final = 256
"""Room for the above and sock_extended_err with a sockaddr_in6."""

ControlMessage = tuple[int, int, bytes]

_INT: Final = struct.Struct("=i")
_UINT16: Final = struct.Struct("=H")
_PKTINFO4: Final = struct.Struct("=i4s4s")  # ifindex, spec_dst, addr
_PKTINFO6: Final = struct.Struct("=16si")  # addr, ifindex
_EXTENDED_ERROR: Final = struct.Struct("=IBBBxII")  # errno, origin, type, code, info, data
_ORIGIN_ICMP: Final = 2
_ORIGIN_ICMP6: Final = 3


class Arrival(NamedTuple):
    """What a datagram's control messages and address meant."""

    source: Source
    ecn: int
    segment_size: int
    """Length of each datagram but the last, where the kernel merged several; else 0."""


def outgoing(source: Source, tos: int) -> list[ControlMessage]:
    """Control messages that send from `source.local` through `source.ifindex` with `tos`."""
    messages: list[ControlMessage] = []
    is_ipv6 = source.endpoint.is_ipv6
    if source.local or source.ifindex:
        if is_ipv6:
            info = _PKTINFO6.pack(source.local or bytes(16), source.ifindex)
            messages.append((SOL_IPV6, IPV6_PKTINFO, info))
        else:
            info = _PKTINFO4.pack(source.ifindex, source.local or bytes(4), bytes(4))
            messages.append((SOL_IP, IP_PKTINFO, info))
    if tos:
        level, kind = (SOL_IPV6, IPV6_TCLASS) if is_ipv6 else (SOL_IP, IP_TOS)
        messages.append((level, kind, _INT.pack(tos)))
    return messages


def segment_size(size: int) -> ControlMessage:
    """The message that has the kernel cut what is sent into datagrams of `size` bytes."""
    return (SOL_UDP, UDP_SEGMENT, _UINT16.pack(size))


def arrival(address: Sequence[object], messages: Iterable[ControlMessage]) -> Arrival:
    """Read the address and control messages of a received datagram."""
    local, ifindex, ecn, segment = b"", 0, 0, 0
    for level, kind, data in messages:
        if level == SOL_IP and kind == IP_PKTINFO:
            # spec_dst and not addr: for a broadcast it is our address on that interface.
            ifindex, local, _ = _PKTINFO4.unpack(data)
        elif level == SOL_IPV6 and kind == IPV6_PKTINFO:
            local, ifindex = _PKTINFO6.unpack(data)
        elif level == SOL_IP and kind == IP_TOS:
            ecn = data[0] & 3
        elif level == SOL_IPV6 and kind == IPV6_TCLASS:
            ecn = _INT.unpack(data)[0] & 3
        elif level == SOL_UDP and kind == UDP_GRO:
            segment = _INT.unpack(data)[0]
    return Arrival(Source(endpoint(address), local, ifindex), ecn, segment)


def icmp_error(address: Sequence[object], messages: Iterable[ControlMessage]) -> IcmpError | None:
    """Read an entry of the error queue. None if it was not the network that sent it.

    `address` is where our datagram was going; who refused it follows the sock_extended_err.
    """
    for level, kind, data in messages:
        if (level, kind) not in {(SOL_IP, IP_RECVERR), (SOL_IPV6, IPV6_RECVERR)}:
            continue
        code, origin, *_ = _EXTENDED_ERROR.unpack_from(data)
        if origin not in {_ORIGIN_ICMP, _ORIGIN_ICMP6}:
            continue
        return IcmpError(endpoint(address), code, _offender(data[_EXTENDED_ERROR.size :], level))
    return None


def _offender(sockaddr: bytes, level: int) -> str:
    if level == SOL_IP and len(sockaddr) >= 8:
        return str(IPv4Address(sockaddr[4:8]))
    if level == SOL_IPV6 and len(sockaddr) >= 24:
        return str(IPv6Address(sockaddr[8:24]))
    return ""
