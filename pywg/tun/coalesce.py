"""TCP segments of one flow put together again before they are written to the TUN.

Comes in: a batch of IP packets, chosen freely by an authenticated peer. Goes out: frames, each a
virtio_net_hdr and parts of packets, to be written with one writev; the kernel then takes up to 64 KiB in one
walk through its TCP. Rules kept: cutting a frame up again gives the packets it was made of, the order within
a flow stays as it was, and nothing is merged whose checksums were not verified, because the kernel does
not look at them again (linux/virtio_net.h, NEEDS_CSUM). Not kept, because it means nothing: the ID of
packets that must not be fragmented (RFC 6864), and a checksum of 0xFFFF, which becomes the 0 that it equals.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

from pywg.tun.checksum import MODULUS, Buffer, chunks, complement, words
from pywg.tun.virtio import NEEDS_CSUM, PLAIN, TCPV4, TCPV6, VIRTIO_NET_HDR

Frame = list[Buffer]
"""virtio_net_hdr (with what else is new), then one part for each packet of it."""

MOST_BYTES: Final = 65535
"""What the length field of IPv4 can say; IPv6 could say 40 more."""

LEAST_SEGMENT: Final = 128
"""Bytes of payload. Merging less gains nothing, and drivers need not see segments of a few bytes."""

_TCP: Final = 6
_ELSEWHERE: Final = frozenset({1, 17, 58})
"""ICMP, UDP and ICMPv6 belong to no TCP flow. Behind any other protocol one may hide."""

_ACK: Final = 0x10
_PSH: Final = 0x08
_CHECKSUM_IN_TCP: Final = 16

_V4: Final = 0x45
_V4_HEADER: Final = 20
_IDENT: Final = Struct("!4xH").unpack_from
_number = int.from_bytes


@dataclass(frozen=True, slots=True, eq=False)
class _Family:
    """What differs between TCP over IPv4 and over IPv6."""

    gso_type: int
    header: int
    """Size of the IP header."""
    pseudo: int
    """Where the addresses start. From there on everything counts in the TCP checksum."""
    length_at: int
    uncounted: int
    """Bytes of the header that the length field does not count."""
    fields: Callable[[Buffer], tuple[Any, ...]]
    """Length, protocol, flow (addresses and ports), sequence number, data offset, flags."""
    headers: dict[int, tuple[int, int]]
    """By the byte with the data offset: size of both headers, and a mask of what must be equal in a run."""


def _headers(ip: int, varying: Sequence[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Both headers for each length of TCP options, with a mask of everything but `varying` (start, end)."""
    known = {}
    for words_in_tcp in range(5, 16):
        size = ip + words_in_tcp * 4
        mask = bytearray(b"\xff" * size)
        for start, end in (*varying, (ip + 4, ip + 8), (ip + 16, ip + 18)):
            mask[start:end] = bytes(end - start)
        mask[ip + 13] = 0xFF & ~_PSH
        known[words_in_tcp << 4] = size, _number(mask, "big")
    return known


_IPV4: Final = _Family(
    gso_type=TCPV4,
    header=_V4_HEADER,
    pseudo=12,
    length_at=2,
    uncounted=0,
    fields=Struct("!2xH5xB2x12sI4xBB").unpack_from,
    headers=_headers(20, [(2, 4), (4, 6), (10, 12)]),
)
_IPV6: Final = _Family(
    gso_type=TCPV6,
    header=40,
    pseudo=8,
    length_at=4,
    uncounted=40,
    fields=Struct("!4xHBx36sI4xBB").unpack_from,
    headers=_headers(40, [(4, 6)]),
)
_FAMILIES: Final = {_V4: _IPV4} | dict.fromkeys(range(0x60, 0x70), _IPV6)
"""By the first byte: IPv4 without options, IPv6 of any traffic class."""


class _Run:
    """Segments that continue each other, as far as their headers say."""

    __slots__ = ("key", "packets", "room", "segment", "sequence")

    def __init__(self, key: int, packets: list[Buffer], sequence: int, segment: int, room: int) -> None:
        self.key = key
        self.packets = packets
        self.sequence = sequence
        """Of the next."""
        self.segment = segment
        self.room = room


def coalesce(packets: Sequence[Buffer]) -> list[Frame]:
    """Frames to write in this order. Each has one part more than it has packets; parts may be views."""
    frames: list[Frame] = []
    for group in _group(packets):
        if len(group) == 1:
            frames.append([PLAIN, group[0]])
            continue
        merged = _merge(group)
        if merged is not None:
            frames.append(merged)
        else:
            frames += [[PLAIN, packet] for packet in group]
    return frames


def _group(packets: Sequence[Buffer]) -> list[list[Buffer]]:
    """Put next to each other what may become one, by the headers alone."""
    groups: list[list[Buffer]] = []
    runs: dict[bytes, _Run] = {}
    for packet in packets:
        size = len(packet)
        family = _FAMILIES.get(packet[0]) if size else None
        if family is None or size < family.header + 20:
            groups.append([packet])
            runs.clear()
            continue
        length, protocol, flow, sequence, offset, flags = family.fields(packet)
        if protocol != _TCP:
            groups.append([packet])
            if protocol not in _ELSEWHERE:
                runs.clear()
            continue
        known = family.headers.get(offset)
        if known is None:
            groups.append([packet])
            runs.clear()
            continue
        header, mask = known
        key = _number(packet[:header], "big") & mask
        payload = size - header
        run = runs.get(flow)
        if (
            run is not None
            and run.key == key
            and run.sequence == sequence
            and 0 < payload <= run.segment
            and payload <= run.room
            and length + family.uncounted == size
        ):
            run.packets.append(packet)
            if payload < run.segment or flags & _PSH:
                del runs[flow]
            else:
                run.sequence = (sequence + payload) & 0xFFFFFFFF
                run.room -= payload
            continue
        group = [packet]
        groups.append(group)
        if family is _IPV4 and (packet[6] & 0xBF or packet[7]):
            # A fragment: the ports may be none.
            runs.clear()
        elif flags == _ACK and payload >= LEAST_SEGMENT and length + family.uncounted == size:
            following = (sequence + payload) & 0xFFFFFFFF
            runs[flow] = _Run(key, group, following, payload, MOST_BYTES - size)
        else:
            runs.pop(flow, None)
    return groups


def _merge(packets: list[Buffer]) -> Frame | None:
    """One frame of a group, or None if a checksum or an ID in it is not what it has to be."""
    first, last = packets[0], packets[-1]
    family = _FAMILIES[first[0]]
    header, _ = family.headers[first[family.header + 12]]
    if not _is_sound(packets, family):
        return None
    segment = len(first) - header
    size = len(first) + segment * (len(packets) - 2) + len(last) - header
    head = bytearray(first[:header])
    head[family.length_at : family.length_at + 2] = (size - family.uncounted).to_bytes(2, "big")
    if family is _IPV4:
        head[10:12] = b"\0\0"
        head[10:12] = complement(words(head, 0, _V4_HEADER)).to_bytes(2, "big")
    # The last one's flags: PSH is seen on the last segment when the frame is cut.
    head[family.header + 13] = last[family.header + 13]
    at = family.header + _CHECKSUM_IN_TCP
    pseudo = words(first, family.pseudo, family.header - family.pseudo) + _TCP + size - family.header
    head[at : at + 2] = (pseudo % MODULUS).to_bytes(2, "big")
    virtio = VIRTIO_NET_HDR.pack(
        NEEDS_CSUM, family.gso_type, header, segment, family.header, _CHECKSUM_IN_TCP
    )
    return [virtio + head, *[packet[header:] for packet in packets]]


def _is_sound(packets: list[Buffer], family: _Family) -> bool:
    """Whether the checksums are right, of TCP and IPv4, and the IDs such as cutting makes them."""
    if family is _IPV4:
        if any(_number(packet[:_V4_HEADER], "big") % MODULUS for packet in packets):
            return False
        first = packets[0]
        if not first[6] & 0x40:
            ident: int = _IDENT(first)[0]
            if any(_IDENT(packet)[0] != (ident + n) & 0xFFFF for n, packet in enumerate(packets)):
                return False
    # All but the last have one size. What the pseudo-header has besides the addresses is protocol and length.
    start = family.pseudo
    size = len(packets[0]) - start
    rest = _TCP + size + start - family.header
    if size & 1:
        # Half a word is missing: the number is the sum shifted right by 8 bits. Modulo 2^16 - 1 that is the
        # same as to the left, and so is what has to be added to it.
        rest <<= 8
    cut = chunks(size)
    if any((sum(map(_number, cut(packet, start))) + rest) % MODULUS for packet in packets[:-1]):
        return False
    size = len(packets[-1]) - start
    return not (words(packets[-1], start, size) + _TCP + size + start - family.header) % MODULUS
