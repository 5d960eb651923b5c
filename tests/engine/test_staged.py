"""Packets that wait for keys, the notice that asks for keys, and keepalives."""

from collections.abc import Callable

import pytest

from pywg.engine.contract import Drop, Notice, Slot
from pywg.protocol.constants import Limits
from tests.engine.packets import ipv4
from tests.engine.rig import FarPeer, Rig, Session


def numbered(number: int) -> bytes:
    return ipv4("10.0.0.1", "10.0.0.2", number.to_bytes(12, "big"))


def test_packets_wait_for_keys_and_then_go_in_order(rig: Rig, peer: FarPeer) -> None:
    packets = [numbered(number) for number in range(40)]
    rig.write(*packets)
    assert rig.notices(peer) == Notice.KEYS_NEEDED
    assert rig.traffic(peer).staged
    assert peer.hears_nothing()
    session = Session(1, is_initiator=True)
    rig.engine.install(peer.id, session.keys, Slot.CURRENT)
    opened = [peer.open(session) for _ in packets]
    assert [one.payload for one in opened] == packets
    assert [one.counter for one in opened] == list(range(40))
    assert peer.hears_nothing(), "staged packets take the place of the keepalive"
    assert not rig.traffic(peer).staged


@pytest.mark.parametrize("extra", [0, 1, 100])
def test_overflow_drops_the_oldest(rig: Rig, peer: FarPeer, extra: int) -> None:
    most = rig.limits.staged_packets
    assert most == 128
    for number in range(most + extra):
        rig.write(numbered(number))
    expected = {Drop.STAGED_OVERFLOW: extra} if extra else {}
    assert rig.drops(peer) == expected
    session = Session(1, is_initiator=True)
    rig.engine.install(peer.id, session.keys, Slot.CURRENT)
    assert [peer.open(session).payload for _ in range(most)] == [
        numbered(number) for number in range(extra, most + extra)
    ]
    assert peer.hears_nothing()


def test_a_smaller_limit_holds(make_rig: Callable[[Limits | None], Rig]) -> None:
    rig = make_rig(Limits(staged_packets=2))
    peer = rig.add("10.0.0.2/32")
    rig.write(numbered(1), numbered(2), numbered(3))
    rig.wait_for_drop(Drop.STAGED_OVERFLOW, peer)


def test_keys_are_asked_for_once_an_arming(rig: Rig, peer: FarPeer) -> None:
    rig.write(numbered(1), numbered(2))
    assert rig.notices(peer) == Notice.KEYS_NEEDED
    rig.write(numbered(3))
    assert rig.notices(peer) == Notice(0)
    rig.engine.arm_keys_needed(peer.id)
    assert rig.notices(peer) == Notice(0), "the next packet staged tells, not those that wait"
    rig.write(numbered(4))
    assert rig.notices(peer) == Notice.KEYS_NEEDED


def test_keys_are_not_asked_for_while_there_are_some(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    rig.write(numbered(1))
    peer.open(session)
    assert rig.notices(peer) == Notice(0)


def test_staged_packets_can_be_dropped(rig: Rig, peer: FarPeer) -> None:
    rig.write(numbered(1), numbered(2))
    rig.wait(lambda: rig.engine.traffic(peer.id).staged)
    rig.settle()
    rig.engine.drop_staged(peer.id)
    assert rig.drops(peer) == {Drop.NO_KEY: 2}
    assert not rig.traffic(peer).staged
    rig.connect(peer)
    assert peer.hears_nothing()


def test_new_keys_are_confirmed_by_a_keepalive(rig: Rig, peer: FarPeer) -> None:
    session = Session(1, is_initiator=True)
    rig.engine.install(peer.id, session.keys, Slot.CURRENT)
    opened = peer.open(session)
    assert (opened.payload, opened.counter, opened.size, opened.tos) == (b"", 0, 32, 0)
    assert peer.hears_nothing()


def test_keepalive_with_keys(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    rig.engine.send_keepalive(peer.id)
    opened = peer.open(session)
    assert (opened.payload, opened.counter) == (b"", 1)
    assert rig.notices(peer) == Notice(0)


def test_keepalive_without_keys_is_staged_and_asks_for_them(rig: Rig, peer: FarPeer) -> None:
    rig.engine.send_keepalive(peer.id)
    rig.engine.send_keepalive(peer.id)
    assert rig.notices(peer) == Notice.KEYS_NEEDED
    assert rig.traffic(peer).staged
    session = rig.connect(peer)
    assert peer.hears_nothing(), "one empty packet is enough"
    rig.write(numbered(1))
    assert peer.open(session).payload == numbered(1)


def test_keepalive_with_packets_staged_adds_none(rig: Rig, peer: FarPeer) -> None:
    rig.write(numbered(1))
    rig.wait(lambda: rig.engine.traffic(peer.id).staged)
    rig.engine.send_keepalive(peer.id)
    session = Session(1, is_initiator=True)
    rig.engine.install(peer.id, session.keys, Slot.CURRENT)
    assert peer.open(session).payload == numbered(1)
    assert peer.hears_nothing()


def test_a_keepalive_asks_for_keys_whatever_is_staged(rig: Rig, peer: FarPeer) -> None:
    """As the kernel's wg_packet_send_keepalive; once an arming, like a packet."""
    rig.write(numbered(1))
    assert rig.notices(peer) == Notice.KEYS_NEEDED
    rig.engine.send_keepalive(peer.id)
    assert rig.notices(peer) == Notice(0)
    rig.engine.arm_keys_needed(peer.id)
    rig.engine.send_keepalive(peer.id)
    assert rig.notices(peer) == Notice.KEYS_NEEDED
