"""The IP header of the packets inside the tunnel: whom they are from and for, how long they are, their ECN.

Comes in: packets from the TUN, and opened payloads, which a peer chose freely. Goes out: packed addresses,
packets without padding, the ECN bits to send outside, packets with the congestion mark they met outside.
Rules kept: the length checks of the kernel's receive.c, ECN as the kernel's inet_ecn.h (RFC 6040).
"""

from struct import Struct
from typing import Final

Packet = bytes | bytearray | memoryview

IPV4_HEADER: Final = 20
IPV6_HEADER: Final = 40

# Faster than a slice of a memoryview made into bytes.
_DESTINATION_V4: Final = Struct("16x4s").unpack_from
_DESTINATION_V6: Final = Struct("24x16s").unpack_from

UDP: Final = 17

NOT_ECT: Final = 0
ECT_1: Final = 1
ECT_0: Final = 2
CE: Final = 3


def destination(packet: Packet) -> bytes | None:
    """Packed address the packet is for, or None if it is no IP packet."""
    size = len(packet)
    if size < IPV4_HEADER:
        return None
    version = packet[0] >> 4
    if version == 4:
        address: bytes = _DESTINATION_V4(packet)[0]
    elif version == 6 and size >= IPV6_HEADER:
        address = _DESTINATION_V6(packet)[0]
    else:
        return None
    return address


def source(packet: Packet) -> bytes:
    """Packed address the packet is from. It must have passed `destination` or `without_padding`."""
    return bytes(packet[12:16] if packet[0] >> 4 == 4 else packet[8:24])


def udp_ports(packet: Packet) -> tuple[int, int] | None:
    """Source and destination port of a packet that starts a UDP datagram, None of any other.

    It must have passed `destination`. IPv6 extension headers are not followed.
    """
    if packet[0] >> 4 == 6:
        is_udp, start = packet[6] == UDP, IPV6_HEADER
    else:
        is_first = not (packet[6] & 0x1F or packet[7])
        is_udp, start = packet[9] == UDP and is_first, (packet[0] & 15) * 4
    if not is_udp or len(packet) < start + 4:
        return None
    ports = packet[start : start + 4]
    return ports[0] << 8 | ports[1], ports[2] << 8 | ports[3]


def without_padding(payload: bytes) -> bytes | None:
    """The IP packet in an opened payload, or None if its header and length do not allow one."""
    size = len(payload)
    if size < IPV4_HEADER:
        return None
    version = payload[0] >> 4
    if version == 4:
        length = payload[2] << 8 | payload[3]
        if length < IPV4_HEADER:
            return None
    elif version == 6 and size >= IPV6_HEADER:
        length = (payload[4] << 8 | payload[5]) + IPV6_HEADER
    else:
        return None
    if length == size:
        return payload
    return payload[:length] if length < size else None


def ecn(packet: Packet) -> int:
    """The two ECN bits of an IP packet; of an empty one (a keepalive) none."""
    if not packet:
        return NOT_ECT
    return packet[1] & 3 if packet[0] >> 4 == 4 else packet[1] >> 4 & 3


def outer_ecn(packet: Packet) -> int:
    """ECN bits of the datagram that carries `packet`: the same, but a mark stays inside (RFC 6040, 4.1)."""
    inner = ecn(packet)
    return ECT_0 if inner == CE else inner


def with_outer_ecn(packet: bytes, outer: int) -> bytes:
    """The packet with the mark its datagram met on the way (RFC 6040, 4.2).

    A packet that cannot carry marks is left as it is: the kernel does not drop it either.
    """
    inner = ecn(packet)
    if outer == CE and inner in {ECT_0, ECT_1}:
        return _with_ecn(packet, CE)
    if outer == ECT_1 and inner == ECT_0:
        return _with_ecn(packet, ECT_1)
    return packet


def _with_ecn(packet: bytes, bits: int) -> bytes:
    changed = bytearray(packet)
    if packet[0] >> 4 == 6:
        changed[1] = packet[1] & ~0x30 | bits << 4
        return bytes(changed)
    changed[1] = packet[1] & ~3 | bits
    # RFC 1624: the checksum follows from the one word that changed.
    total = ~(packet[10] << 8 | packet[11]) & 0xFFFF
    total += (~(packet[0] << 8 | packet[1]) & 0xFFFF) + (changed[0] << 8 | changed[1])
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    changed[10:12] = (~total & 0xFFFF).to_bytes(2, "big")
    return bytes(changed)
