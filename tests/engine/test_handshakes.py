"""What reaches the control plane of messages 1, 2 and 3, and what it sends."""

import hashlib
import socket
from collections.abc import Callable

import pytest

from pywg.endpoint import Source
from pywg.engine.contract import HANDSHAKE_TOS, Drop
from pywg.protocol.constants import Limits
from tests.engine.rig import FarPeer, Rig

KEY = b"k" * 32
OTHER_KEY = b"o" * 32


def macs(message: bytes, key: bytes = KEY) -> bytes:
    """The message with MAC1 made by hand, and an empty MAC2."""
    return message + hashlib.blake2s(message, key=key, digest_size=16).digest() + bytes(16)


def initiation(number: int = 0, key: bytes = KEY) -> bytes:
    return macs(b"\1\0\0\0" + number.to_bytes(4, "little") + bytes(108), key)


def response(receiver: int, key: bytes = KEY) -> bytes:
    return macs(b"\2\0\0\0" + bytes(4) + receiver.to_bytes(4, "little") + bytes(48), key)


def cookie_reply(receiver: int) -> bytes:
    return b"\3\0\0\0" + receiver.to_bytes(4, "little") + bytes(56)


@pytest.fixture
def keyed(rig: Rig) -> Rig:
    rig.engine.set_mac1_key(KEY)
    return rig


def test_initiation_comes_with_its_source(keyed: Rig, peer: FarPeer) -> None:
    assert not keyed.is_ready
    peer.send(initiation(7), to="127.0.0.3")
    keyed.wait(lambda: keyed.is_ready)
    (one,) = keyed.engine.take_handshakes(16)
    assert one.data == initiation(7)
    assert isinstance(one.data, bytes)
    assert one.source.endpoint == peer.endpoint
    assert one.source.local == socket.inet_aton("127.0.0.3")
    assert one.source.ifindex == socket.if_nametoindex("lo")
    assert one.depth == 0
    assert not keyed.is_ready
    assert peer.hears_nothing(), "the engine answers nothing by itself"


def test_depth_and_order(keyed: Rig, peer: FarPeer) -> None:
    for number in range(5):
        peer.send(initiation(number))
    keyed.settle()
    first = keyed.engine.take_handshakes(2)
    assert keyed.is_ready
    rest = keyed.engine.take_handshakes(100)
    assert [(one.data, one.depth) for one in first + rest] == [
        (initiation(number), number) for number in range(5)
    ]
    assert keyed.engine.take_handshakes(100) == []


def test_full_queue_drops_the_newest(make_rig: Callable[[Limits | None], Rig]) -> None:
    rig = make_rig(Limits(handshake_queue=4))
    rig.engine.set_mac1_key(KEY)
    peer = rig.add()
    for number in range(7):
        peer.send(initiation(number))
    rig.wait_for_drop(Drop.HANDSHAKE_QUEUE_FULL, count=3)
    assert [one.data for one in rig.engine.take_handshakes(100)] == [
        initiation(number) for number in range(4)
    ]


def test_the_queue_holds_1024(keyed: Rig, peer: FarPeer) -> None:
    for number in range(1030):
        peer.send(initiation(number))
        if number % 50 == 0:
            keyed.settle()
    keyed.wait_for_drop(Drop.HANDSHAKE_QUEUE_FULL, count=6)
    assert len(keyed.engine.take_handshakes(5000)) == 1024


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4, 50, 115, 116, 131])
def test_any_flipped_bit_before_mac2_drops_an_initiation(keyed: Rig, peer: FarPeer, at: int) -> None:
    datagram = bytearray(initiation())
    datagram[at] ^= 0x20
    peer.send(bytes(datagram))
    keyed.wait_for_drop(Drop.BAD_SIZE if at < 4 else Drop.BAD_MAC1)
    assert not keyed.is_ready
    assert peer.hears_nothing()


def test_mac2_is_not_the_engines_business(keyed: Rig, peer: FarPeer) -> None:
    datagram = initiation()[:-16] + b"\xff" * 16
    peer.send(datagram)
    keyed.wait(lambda: keyed.is_ready)
    assert keyed.engine.take_handshakes(1)[0].data == datagram


@pytest.mark.parametrize("make", [response, cookie_reply])
def test_answers_only_for_a_pending_index(keyed: Rig, peer: FarPeer, make: Callable[[int], bytes]) -> None:
    peer.send(make(0xA1B2C3D4))
    keyed.wait_for_drop(Drop.UNKNOWN_INDEX)
    keyed.engine.set_pending(0xA1B2C3D4, pending=True)
    peer.send(make(0xA1B2C3D4))
    keyed.wait(lambda: keyed.is_ready)
    assert keyed.engine.take_handshakes(1)[0].data == make(0xA1B2C3D4)
    keyed.engine.set_pending(0xA1B2C3D4, pending=False)
    keyed.engine.set_pending(0xA1B2C3D4, pending=False)
    peer.send(make(0xA1B2C3D4))
    keyed.wait_for_drop(Drop.UNKNOWN_INDEX, count=2)


def test_a_response_needs_a_right_mac1_too(keyed: Rig, peer: FarPeer) -> None:
    keyed.engine.set_pending(1, pending=True)
    peer.send(response(1, OTHER_KEY))
    keyed.wait_for_drop(Drop.BAD_MAC1)


@pytest.mark.parametrize(
    "datagram",
    [initiation()[:-1], initiation() + b"\0", response(1)[:-1], response(1) + b"\0", cookie_reply(1)[:-1],
     cookie_reply(1) + b"\0", b"\0" * 148, b"\5" + bytes(147)],
    ids=lambda datagram: f"{datagram[0]}-{len(datagram)}",
)  # fmt: skip
def test_sizes_and_types(keyed: Rig, peer: FarPeer, datagram: bytes) -> None:
    keyed.engine.set_pending(1, pending=True)
    peer.send(datagram)
    keyed.wait_for_drop(Drop.BAD_SIZE)


def test_without_a_key_all_are_dropped(rig: Rig, peer: FarPeer) -> None:
    rig.engine.set_pending(1, pending=True)
    for datagram in (initiation(), response(1), cookie_reply(1)):
        peer.send(datagram)
    rig.wait_for_drop(Drop.BAD_MAC1, count=3)
    rig.engine.set_mac1_key(KEY)
    rig.engine.set_mac1_key(None)
    peer.send(initiation())
    rig.wait_for_drop(Drop.BAD_MAC1, count=4)


def test_what_waited_under_another_key_is_dropped(keyed: Rig, peer: FarPeer) -> None:
    peer.send(initiation(1))
    keyed.wait(lambda: keyed.is_ready)
    keyed.engine.set_mac1_key(KEY)
    assert keyed.is_ready, "the same key changes nothing"
    keyed.engine.set_mac1_key(OTHER_KEY)
    assert keyed.engine.take_handshakes(16) == []
    assert not keyed.is_ready
    peer.send(initiation(2))
    keyed.wait_for_drop(Drop.BAD_MAC1, count=2)
    peer.send(initiation(3, OTHER_KEY))
    keyed.wait(lambda: keyed.is_ready)
    assert keyed.engine.take_handshakes(16)[0].depth == 0


# Sending.


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_handshakes_are_sent_marked_and_counted(rig: Rig, host: str) -> None:
    peer = rig.add("10.0.0.2/32", host=host)
    for size in (148, 92):
        rig.engine.send_handshake(peer.id, bytes(size))
        data, tos, _ = peer.receive()
        assert (data, tos) == (bytes(size), HANDSHAKE_TOS)
    assert rig.counters(peer).tx_bytes == 148 + 92


def test_a_handshake_without_an_endpoint_is_counted(rig: Rig) -> None:
    peer = rig.add("10.0.0.2/32", endpoint=False)
    rig.engine.send_handshake(peer.id, bytes(148))
    rig.wait_for_drop(Drop.NO_ENDPOINT, peer)
    assert rig.counters(peer).tx_bytes == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_reply_touches_no_peer(rig: Rig, host: str) -> None:
    peer = rig.add("10.0.0.2/32", host=host)
    before = (rig.traffic(peer), rig.counters(peer), rig.source(peer))
    local = socket.inet_aton("127.0.0.3") if host == "127.0.0.1" else b""
    rig.engine.send_reply(Source(peer.endpoint, local, 0), bytes(64))
    data, tos, source = peer.receive()
    assert (data, tos) == (bytes(64), 0)
    assert source == ("127.0.0.3" if local else "::1", rig.port)
    assert before == (rig.traffic(peer), rig.counters(peer), rig.source(peer))


def test_a_reply_that_cannot_be_sent_is_counted(rig: Rig, peer: FarPeer) -> None:
    rig.engine.send_reply(Source(peer.endpoint._replace(host="255.255.255.255")), bytes(64))
    rig.wait_for_drop(Drop.SEND_ERROR)
