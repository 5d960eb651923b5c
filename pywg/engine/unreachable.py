"""The answer to a packet that no peer can take: host unreachable, into the TUN.

Comes in: a packet whose destination no peer has, or whose peer has no endpoint. Goes out: an ICMP (RFC 792,
3/1) or ICMPv6 (RFC 4443, 1/3) error for its sender, or nothing. Rules kept: no error about an error, about
multicast, broadcast, a later fragment or an unspecified source (RFC 1122, 3.2.2; RFC 4443, 2.4e), and no
more of them than the token bucket has. The error comes from the packet's destination, because the kernel
drops what seems to come from the interface's own address.
"""

import struct
from typing import Final

from pywg.engine import inner
from pywg.engine.contract import UNREACHABLE_BURST, UNREACHABLE_PER_SECOND
from pywg.protocol.constants import SECOND
from pywg.tun.checksum import complement, words

_PROTOCOL_ICMP: Final = 1
_PROTOCOL_ICMPV6: Final = 58
_HOST_UNREACHABLE: Final = (3, 1)
_ADDRESS_UNREACHABLE: Final = (1, 3)

ICMP_ERROR_TYPES: Final = frozenset({3, 4, 5, 11, 12})
"""Unreachable, source quench, redirect, time exceeded, parameter problem."""

ICMPV6_REDIRECT: Final = 137

MOST_BYTES_V4: Final = 576
"""RFC 1812, 4.3.2.3: as much of the packet as fits in a datagram of this size."""
MOST_BYTES_V6: Final = 1280
"""RFC 4443, 3.1: the least MTU."""

_HOP_LIMIT: Final = 64
_TOS_INTERNETWORK_CONTROL: Final = 0xC0
_ICMP_HEADER: Final = 8

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION_OPTIONS = 0, 43, 44, 60
_MOST_EXTENSION_HEADERS: Final = 8


class TokenBucket:
    """At most `burst` at once and `per_second` in the long run."""

    def __init__(self, per_second: int, burst: int) -> None:
        self._cost = SECOND // per_second
        self._most = self._cost * burst
        self._credit = self._most
        self._filled_at = 0

    def take(self, now: int) -> bool:
        """Whether one more may pass; if so, it is taken. `now`: CLOCK_BOOTTIME nanoseconds."""
        self._credit = min(self._most, self._credit + max(0, now - self._filled_at))
        self._filled_at = now
        if self._credit < self._cost:
            return False
        self._credit -= self._cost
        return True


class Unreachable:
    """Makes the errors of one device."""

    def __init__(self) -> None:
        self._bucket = TokenBucket(UNREACHABLE_PER_SECOND, UNREACHABLE_BURST)

    def answer(self, packet: inner.Packet, now: int) -> bytes | None:
        """The error for a packet that passed `inner.destination`, or None if it may have none."""
        packet = bytes(packet)
        if packet[0] >> 4 == 4:
            return _error_v4(packet) if _may_answer_v4(packet) and self._bucket.take(now) else None
        return _error_v6(packet) if _may_answer_v6(packet) and self._bucket.take(now) else None


def _may_answer_v4(packet: bytes) -> bool:
    header = (packet[0] & 15) * 4
    source, destination = packet[12:16], packet[16:20]
    if header < inner.IPV4_HEADER or len(packet) < header:
        return False
    # 0.0.0.0/8, loopback, and multicast with everything above it, broadcast included.
    if source[0] in {0, 127} or source[0] >= 224 or destination[0] >= 224:
        return False
    if (packet[6] << 8 | packet[7]) & 0x1FFF:
        return False
    if packet[9] == _PROTOCOL_ICMP:
        return len(packet) > header and packet[header] not in ICMP_ERROR_TYPES
    return True


def _may_answer_v6(packet: bytes) -> bool:
    source, destination = packet[8:24], packet[24:40]
    if source == bytes(16) or source[0] == 0xFF or destination[0] == 0xFF:
        return False
    following, offset = packet[6], inner.IPV6_HEADER
    for _ in range(_MOST_EXTENSION_HEADERS):
        if following not in {_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION_OPTIONS}:
            break
        if len(packet) < offset + 8:
            return False
        if following == _FRAGMENT and (packet[offset + 2] << 8 | packet[offset + 3]) & 0xFFF8:
            return False
        length = 8 if following == _FRAGMENT else (packet[offset + 1] + 1) * 8
        following, offset = packet[offset], offset + length
    else:
        return False
    if following == _PROTOCOL_ICMPV6:
        # Types below 128 are errors.
        return len(packet) > offset and packet[offset] >= 128 and packet[offset] != ICMPV6_REDIRECT
    return True


def _error_v4(packet: bytes) -> bytes:
    quoted = packet[: MOST_BYTES_V4 - inner.IPV4_HEADER - _ICMP_HEADER]
    source, destination = packet[16:20], packet[12:16]
    body = struct.pack("!BBHI", *_HOST_UNREACHABLE, 0, 0) + quoted
    body = body[:2] + _checksum(body) + body[4:]
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        _TOS_INTERNETWORK_CONTROL,
        inner.IPV4_HEADER + len(body),
        0,
        0,
        _HOP_LIMIT,
        _PROTOCOL_ICMP,
        0,
        source,
        destination,
    )
    return header[:10] + _checksum(header) + header[12:] + body


def _error_v6(packet: bytes) -> bytes:
    quoted = packet[: MOST_BYTES_V6 - inner.IPV6_HEADER - _ICMP_HEADER]
    source, destination = packet[24:40], packet[8:24]
    body = struct.pack("!BBHI", *_ADDRESS_UNREACHABLE, 0, 0) + quoted
    # RFC 4443, 2.3: the checksum covers a pseudo-header.
    pseudo = struct.pack("!16s16sI3xB", source, destination, len(body), _PROTOCOL_ICMPV6)
    body = body[:2] + _checksum(pseudo + body) + body[4:]
    header = struct.pack("!IHBB16s16s", 6 << 28, len(body), _PROTOCOL_ICMPV6, _HOP_LIMIT, source, destination)
    return header + body


def _checksum(data: bytes) -> bytes:
    return complement(words(data, 0, len(data))).to_bytes(2, "big")
