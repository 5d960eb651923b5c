"""TCP segments for tests, and a cutter of frames that knows nothing of the code under test.

It does what the kernel's tcp_gso_segment does, in the plainest way.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pywg.tun.coalesce import Frame
from pywg.tun.virtio import PLAIN

ACK, PSH, FIN = 0x10, 0x08, 0x01


def ones_sum(data: bytes) -> int:
    """RFC 1071, word by word."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum(data: bytes) -> bytes:
    return (~ones_sum(data) & 0xFFFF).to_bytes(2, "big")


@dataclass(frozen=True)
class Segment:
    """One segment; `bytes()` of it has right checksums."""

    payload: bytes = b"x" * 1000
    sequence: int = 0
    v6: bool = False
    port: int = 5201
    source_port: int = 40000
    ack: int = 77
    flags: int = ACK
    window: int = 500
    urgent: int = 0
    options: bytes = b""
    ident: int = 0
    fragment: int = 0x4000
    ttl: int = 64
    tos: int = 0
    flow_label: int = 0

    def __bytes__(self) -> bytes:
        offset = (20 + len(self.options)) // 4 << 4
        ports = (self.source_port, self.port)
        numbers = (self.sequence % 2**32, self.ack)
        rest = (offset, self.flags, self.window, 0, self.urgent)
        tcp = struct.pack("!HHIIBBHHH", *ports, *numbers, *rest) + self.options + self.payload
        if self.v6:
            first = 6 << 28 | self.tos << 20 | self.flow_label
            addresses = bytes([0xFD, *bytes(14), 1, 0xFD, *bytes(14), 2])
            header = struct.pack("!IHBB", first, len(tcp), 6, self.ttl) + addresses
        else:
            sizes = (20 + len(tcp), self.ident % 2**16, self.fragment)
            header = struct.pack("!BBHHHBBH", 0x45, self.tos, *sizes, self.ttl, 6, 0)
            header += bytes([10, 0, 0, 1, 10, 0, 0, 2])
        return with_checksums(header + tcp)


def run(count: int, first: Segment | None = None, tail: int | None = None) -> list[bytes]:
    """Segments that continue each other, of the size of the first; the last may have another."""
    one = first or Segment()
    size = len(one.payload)
    return [
        bytes(
            replace(
                one,
                sequence=one.sequence + n * size,
                ident=one.ident + n,
                payload=bytes([n % 251]) * (size if tail is None or n < count - 1 else tail),
            )
        )
        for n in range(count)
    ]


def with_checksums(packet: bytes) -> bytes:
    """The packet with IPv4 and TCP checksums made right, as far as it has the room for them."""
    changed = bytearray(packet)
    v4 = packet[0] >> 4 == 4
    start = (packet[0] & 15) * 4 if v4 else 40
    if v4:
        changed[10:12] = b"\0\0"
        changed[10:12] = checksum(bytes(changed[:start]))
    if len(packet) >= start + 20:
        changed[start + 16 : start + 18] = b"\0\0"
        addresses = bytes(changed[12:20] if v4 else changed[8:40])
        pseudo = addresses + struct.pack("!IHBB", len(packet) - start, 0, 0, 6)
        changed[start + 16 : start + 18] = checksum(pseudo + bytes(changed[start:]))
    return bytes(changed)


def cut(frame: Frame) -> list[bytes]:
    """The packets the kernel would make of a frame. Fails if the frame contradicts itself."""
    written = b"".join(frame)
    flags, kind, header, size, start, offset = struct.unpack("=BBHHHH", written[:10])
    packet = written[10:]
    if kind == 0:
        assert written[:10] == PLAIN
        assert len(frame) == 2
        return [packet]
    v4 = packet[0] >> 4 == 4
    assert (flags, kind, offset) == (1, 1 if v4 else 4, 16)
    assert start == (20 if v4 else 40)
    assert header == start + (packet[start + 12] >> 4) * 4
    assert len(packet) - header > size > 0
    assert len(packet) <= 65535
    assert int.from_bytes(packet[2:4] if v4 else packet[4:6], "big") == len(packet) - (0 if v4 else 40)
    addresses = packet[12:20] if v4 else packet[8:40]
    pseudo = ones_sum(addresses + struct.pack("!IHBB", len(packet) - start, 0, 0, 6))
    assert int.from_bytes(packet[start + 16 : start + 18], "big") % 0xFFFF == pseudo % 0xFFFF
    if v4:
        assert ones_sum(packet[:20]) == 0xFFFF
    return list(_pieces(packet, v4, start, header, size))


def _pieces(packet: bytes, v4: bool, start: int, header: int, size: int) -> Iterable[bytes]:
    for n, at in enumerate(range(header, len(packet), size)):
        payload = packet[at : at + size]
        head = bytearray(packet[:header])
        head[2 if v4 else 4 : 4 if v4 else 6] = (header + len(payload) - (0 if v4 else 40)).to_bytes(2, "big")
        if v4:
            head[4:6] = ((int.from_bytes(head[4:6], "big") + n) % 2**16).to_bytes(2, "big")
        sequence = int.from_bytes(head[start + 4 : start + 8], "big") + at - header
        head[start + 4 : start + 8] = (sequence % 2**32).to_bytes(4, "big")
        if at + size < len(packet):
            head[start + 13] &= ~(FIN | PSH) & 0xFF
        yield with_checksums(bytes(head) + payload)
