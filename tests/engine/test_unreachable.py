"""ICMP errors into the TUN for what no peer can take."""

import struct

import pytest

from pywg.engine.contract import UNREACHABLE_BURST, UNREACHABLE_PER_SECOND, Drop
from pywg.protocol.constants import SECOND
from tests.engine.packets import checksum, ipv4, ipv6
from tests.engine.rig import Rig

UDP, ICMP, ICMPV6, FRAGMENT, HOP_BY_HOP = 17, 1, 58, 44, 0


def answered_v4(packet: bytes, answer: bytes) -> None:
    assert answer[0] == 0x45
    assert struct.unpack("!H", answer[2:4])[0] == len(answer) <= 576
    assert answer[9] == ICMP
    assert (answer[12:16], answer[16:20]) == (packet[16:20], packet[12:16])
    assert checksum(answer[:20]) == 0
    assert answer[20:22] == b"\3\1"
    body = answer[20:] + bytes(len(answer) % 2)
    assert checksum(body) == 0
    assert answer[28:] == packet[: 576 - 28]


def answered_v6(packet: bytes, answer: bytes) -> None:
    assert answer[0] == 0x60
    size = struct.unpack("!H", answer[4:6])[0]
    assert size == len(answer) - 40
    assert len(answer) <= 1280
    assert answer[6] == ICMPV6
    assert (answer[8:24], answer[24:40]) == (packet[24:40], packet[8:24])
    assert answer[40:42] == b"\1\3"
    pseudo = answer[8:40] + struct.pack("!I3xB", size, ICMPV6)
    assert checksum(pseudo + answer[40:] + bytes(size % 2)) == 0
    assert answer[48:] == packet[: 1280 - 48]


@pytest.mark.parametrize("size", [0, 1, 8, 527, 528, 529, 1400])
def test_no_route_v4(rig: Rig, size: int) -> None:
    packet = ipv4("10.0.0.1", "203.0.113.9", bytes(size))
    rig.write(packet)
    answered_v4(packet, rig.read())
    assert rig.drops() == {Drop.NO_ROUTE: 1}


@pytest.mark.parametrize("size", [0, 1, 8, 1191, 1192, 1193, 1380])
def test_no_route_v6(rig: Rig, size: int) -> None:
    packet = ipv6("fd00::1", "2001:db8::9", bytes(size))
    rig.write(packet)
    answered_v6(packet, rig.read())
    assert rig.drops() == {Drop.NO_ROUTE: 1}


def test_no_endpoint(rig: Rig) -> None:
    peer = rig.add("10.0.0.2/32", "fd00::2/128", endpoint=False)
    for packet, check in (
        (ipv4("10.0.0.1", "10.0.0.2", b"data"), answered_v4),
        (ipv6("fd00::1", "fd00::2", b"data"), answered_v6),
    ):
        rig.write(packet)
        check(packet, rig.read())
    assert rig.drops(peer) == {Drop.NO_ENDPOINT: 2}
    assert rig.drops() == {}
    assert not rig.traffic(peer).staged


def is_answered(rig: Rig, packet: bytes) -> bool:
    """Whether there is an error about a packet before the one about a packet written after it."""
    after = ipv4("10.0.0.1", "203.0.113.10", b"after")
    rig.write(packet, after)
    first = rig.read()
    if after in first:
        return False
    assert after in rig.read()
    return True


@pytest.mark.parametrize("kind", range(256))
def test_icmp(rig: Rig, kind: int) -> None:
    """No error about an error."""
    packet = ipv4("10.0.0.1", "203.0.113.9", bytes([kind]) + bytes(7), protocol=ICMP)
    assert is_answered(rig, packet) is (kind not in {3, 4, 5, 11, 12})


@pytest.mark.parametrize("kind", range(256))
def test_icmpv6(rig: Rig, kind: int) -> None:
    packet = ipv6("fd00::1", "2001:db8::9", bytes([kind]) + bytes(7), protocol=ICMPV6)
    assert is_answered(rig, packet) is (kind >= 128 and kind != 137)


SILENT = {
    "IPv4 to multicast": ipv4("10.0.0.1", "224.0.0.1"),
    "IPv4 to broadcast": ipv4("10.0.0.1", "255.255.255.255"),
    "IPv4 from nowhere": ipv4("0.0.0.0", "203.0.113.9"),  # noqa: S104  # nothing is bound
    "IPv4 from multicast": ipv4("239.1.2.3", "203.0.113.9"),
    "IPv4 from broadcast": ipv4("255.255.255.255", "203.0.113.9"),
    "IPv4 from loopback": ipv4("127.0.0.1", "203.0.113.9"),
    "IPv4 later fragment": ipv4("10.0.0.1", "203.0.113.9", bytes(8), fragment=1),
    "IPv4 last fragment": ipv4("10.0.0.1", "203.0.113.9", bytes(8), fragment=0x1FFF),
    "IPv4 ICMP without a type": ipv4("10.0.0.1", "203.0.113.9", protocol=ICMP),
    "IPv4 header cut": b"\x4f" + ipv4("10.0.0.1", "203.0.113.9")[1:],
    "IPv6 to multicast": ipv6("fd00::1", "ff02::2"),
    "IPv6 from nowhere": ipv6("::", "2001:db8::9"),
    "IPv6 from multicast": ipv6("ff02::1", "2001:db8::9"),
    "IPv6 later fragment": ipv6(
        "fd00::1", "2001:db8::9", struct.pack("!BBHI", UDP, 0, 8, 1), protocol=FRAGMENT
    ),
    "IPv6 ICMPv6 without a type": ipv6("fd00::1", "2001:db8::9", protocol=ICMPV6),
    "IPv6 error behind an extension": ipv6(
        "fd00::1", "2001:db8::9", bytes([ICMPV6, 0, *bytes(6), 1, *bytes(7)]), protocol=HOP_BY_HOP
    ),
    "IPv6 extension cut": ipv6("fd00::1", "2001:db8::9", b"\x3a", protocol=HOP_BY_HOP),
    "IPv6 endless extensions": ipv6("fd00::1", "2001:db8::9", bytes(8) * 100, protocol=HOP_BY_HOP),
}


@pytest.mark.parametrize("name", SILENT)
def test_never_answered(rig: Rig, name: str) -> None:
    rig.write(SILENT[name])
    rig.wait_for_drop(Drop.NO_ROUTE)
    assert rig.delivers_nothing()


@pytest.mark.parametrize(
    "packet",
    [
        ipv4("10.0.0.1", "203.0.113.9", bytes(8), fragment=0x2000),
        ipv4("10.0.0.1", "203.0.113.9", bytes(8), fragment=0x4000),
        ipv6("fd00::1", "2001:db8::9", struct.pack("!BBHI", UDP, 0, 1, 1) + bytes(8), protocol=FRAGMENT),
        ipv6("fd00::1", "2001:db8::9", bytes([UDP, 0, *bytes(14)]), protocol=HOP_BY_HOP),
    ],
    ids=["first fragment", "do not fragment", "first fragment IPv6", "extension header"],
)
def test_answered_all_the_same(rig: Rig, packet: bytes) -> None:
    rig.write(packet)
    check = answered_v4 if packet[0] >> 4 == 4 else answered_v6
    check(packet, rig.read())


def test_token_bucket(rig: Rig) -> None:
    packet = ipv4("10.0.0.1", "203.0.113.9", protocol=UDP)

    def answers(sent: int) -> int:
        for _ in range(sent):
            rig.write(packet)
        rig.settle()
        count = 0
        while rig.try_read() is not None:
            count += 1
        return count

    assert answers(UNREACHABLE_BURST + 30) == UNREACHABLE_BURST
    assert answers(5) == 0
    rig.advance(3 * SECOND // UNREACHABLE_PER_SECOND)
    assert answers(5) == 3
    rig.advance(3600 * SECOND)
    assert answers(UNREACHABLE_BURST + 30) == UNREACHABLE_BURST
    assert rig.drops() == {Drop.NO_ROUTE: 2 * (UNREACHABLE_BURST + 30) + 10}
