"""TUN to UDP: routing, sealing, padding, order, ECN."""

import pytest

from pywg.engine.contract import AllowedIpChange, Drop, Slot
from tests.engine.packets import ipv4, ipv6, of_size
from tests.engine.rig import MTU, FarPeer, Rig, Session


def test_packet_is_sealed_for_the_peer_that_has_the_destination(rig: Rig) -> None:
    first, second = rig.add("10.0.0.0/8"), rig.add("10.0.0.2/32", "fd00::2/128")
    one, two = rig.connect(first, 0x100), rig.connect(second, 0x200)
    for packet, owner, session in (
        (ipv4("10.0.0.1", "10.0.0.3"), first, one),
        (ipv4("10.0.0.1", "10.0.0.2"), second, two),
        (ipv6("fd00::1", "fd00::2"), second, two),
    ):
        rig.write(packet)
        opened = owner.open(session)
        assert opened.payload.startswith(packet)
        assert opened.receiver == session.theirs
    assert first.hears_nothing()
    assert second.hears_nothing()


def test_counters_follow_one_another_and_order_is_kept(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer, counter=1000)
    packets = [of_size(20 + 16 * number) for number in range(50)]
    rig.write(*packets)
    opened = [peer.open(session) for _ in packets]
    assert [one.counter for one in opened] == list(range(1001, 1051))
    assert [one.payload[: len(packet)] for one, packet in zip(opened, packets, strict=True)] == packets


def test_interleaved_peers_each_get_theirs_in_order(rig: Rig) -> None:
    peers = [rig.add(f"10.0.0.{number}/32") for number in (2, 3, 4)]
    sessions = [rig.connect(peer, 0x100 * number) for number, peer in enumerate(peers, 1)]
    sent = [ipv4("10.0.0.1", f"10.0.0.{2 + number % 3}", number.to_bytes(12, "big")) for number in range(60)]
    rig.write(*sent)
    for place, (peer, session) in enumerate(zip(peers, sessions, strict=True)):
        assert [peer.open(session).payload for _ in range(20)] == sent[place::3]


@pytest.mark.parametrize("mtu", [MTU, 1299, 1280])
@pytest.mark.parametrize("below", [0, 1, 3, 4, 15, 16, 17, 700])
def test_padding_to_16_never_past_the_mtu(rig: Rig, peer: FarPeer, mtu: int, below: int) -> None:
    session = rig.connect(peer)
    rig.engine.set_mtu(mtu)
    size = mtu - below
    rig.write(of_size(size))
    opened = peer.open(session)
    assert len(opened.payload) == min(mtu, (size + 15) // 16 * 16)
    assert not any(opened.payload[size:])


@pytest.mark.parametrize(
    ("size", "padded"),
    [(MTU + 1, MTU + 16), (MTU + 16, MTU + 16), (2 * MTU, 2 * MTU), (2 * MTU - 1, 2 * MTU)],
)
def test_packet_above_the_mtu_is_padded_as_its_last_part(
    rig: Rig, peer: FarPeer, size: int, padded: int
) -> None:
    session = rig.connect(peer)
    rig.write(of_size(size))
    assert len(peer.open(session).payload) == padded


def test_without_an_mtu_only_16_counts(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    rig.engine.set_mtu(0)
    rig.write(of_size(1419))
    assert len(peer.open(session).payload) == 1424


@pytest.mark.parametrize(("inner", "outer"), [(0, 0), (1, 1), (2, 2), (3, 2)])
def test_ecn_is_copied_out_but_not_a_mark_nor_the_dscp(
    rig: Rig, peer: FarPeer, inner: int, outer: int
) -> None:
    session = rig.connect(peer)
    rig.write(ipv4("10.0.0.1", "10.0.0.2", tos=0xB8 | inner))
    assert peer.open(session).tos == outer
    rig.write(ipv6("fd00::1", "fd00::2", traffic_class=0xB8 | inner))
    assert peer.open(session).tos == outer


def test_mixed_ecn_keeps_order_and_marks(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    marks = [0, 2, 2, 0, 1, 3, 0]
    rig.write(
        *(ipv4("10.0.0.1", "10.0.0.2", bytes([number] * 12), tos=ecn) for number, ecn in enumerate(marks))
    )
    opened = [peer.open(session) for _ in marks]
    assert [one.payload[20] for one in opened] == list(range(len(marks)))
    assert [one.tos for one in opened] == [0, 2, 2, 0, 1, 2, 0]


def test_ecn_over_an_ipv6_path(rig: Rig) -> None:
    peer = rig.add("10.0.0.2/32", host="::1")
    session = rig.connect(peer)
    rig.write(ipv4("10.0.0.1", "10.0.0.2", tos=1))
    assert peer.open(session).tos == 1


def test_tx_bytes_are_udp_payload(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    assert rig.counters(peer).tx_bytes == 32
    rig.write(of_size(1420), of_size(20))
    sizes = [peer.open(session).size for _ in range(2)]
    assert sizes == [1452, 64]
    assert rig.counters(peer).tx_bytes == 32 + 1452 + 64


@pytest.mark.parametrize(
    "packet",
    [
        b"\x45",
        ipv4("10.0.0.1", "10.0.0.2")[:19],
        ipv6("fd00::1", "fd00::2")[:39],
        *(
            bytes([version << 4 | 5]) + ipv4("10.0.0.1", "10.0.0.2", bytes(40))[1:]
            for version in range(16)
            if version not in {4, 6}
        ),
    ],
    ids=lambda packet: packet[:1].hex() + f"-{len(packet)}",
)
def test_what_is_no_ip_packet_is_dropped_in_silence(rig: Rig, peer: FarPeer, packet: bytes) -> None:
    rig.connect(peer)
    rig.write(packet)
    rig.wait_for_drop(Drop.MALFORMED_INNER)
    assert peer.hears_nothing()
    assert rig.delivers_nothing()


def test_allowed_ips_change_as_told(rig: Rig) -> None:
    first, second = rig.add("10.1.0.0/16"), rig.add("10.2.0.0/16")
    one, two = rig.connect(first, 0x100), rig.connect(second, 0x200)
    prefixes = rig.engine.allowed_ips(first.id)
    rig.engine.change_allowed_ips(
        [AllowedIpChange(second.id, prefixes[0]), AllowedIpChange(second.id, None, remove=True)]
    )
    assert list(rig.engine.allowed_ips(first.id)) == []
    assert list(rig.engine.allowed_ips(second.id)) == []
    rig.engine.change_allowed_ips(
        [AllowedIpChange(first.id, prefixes[0]), AllowedIpChange(second.id, prefixes[0], remove=True)]
    )
    rig.write(ipv4("10.0.0.1", "10.1.2.3"))
    assert first.open(one).payload
    rig.engine.change_allowed_ips([AllowedIpChange(second.id, prefixes[0])])
    rig.write(ipv4("10.0.0.1", "10.1.2.3"))
    assert second.open(two).payload


def test_a_datagram_has_the_form_of_the_whitepaper(rig: Rig, peer: FarPeer) -> None:
    session = Session(0x01020304, is_initiator=True, counter=0x1122334455667788 >> 8)
    rig.engine.install(peer.id, session.keys, Slot.CURRENT)
    data, tos, source = peer.receive()
    assert data[:16] == b"\4\0\0\0" + session.theirs.to_bytes(4, "little") + bytes.fromhex("7766554433221100")
    assert len(data) == 32
    assert tos == 0
    assert source == ("127.0.0.1", rig.port)
