"""What the control plane can still do with a native engine that has met a fault: everything.

Comes in: a fault in either thread, then each call that takes a lock or waits for a thread. Goes out: what it
promises. Rule: no lock stays held and no key is lost. That packets pass on is in test_native_faults.py.
"""

from typing import cast

import pytest

from pywg.engine.contract import Counters, Drop, Failure, Notice, Slot
from tests.engine.packets import ipv4
from tests.engine.rig import Fallible, FarPeer, Rig, Session
from tests.needs import need_engine

OUT = ipv4("10.0.0.1", "10.0.0.2", bytes(12))
IN = ipv4("10.0.0.2", "10.0.0.1", bytes(12))

# By thread: a call that waits for a lock in Rust lets no signal handler run, and would hang for ever.
pytestmark = pytest.mark.timeout(60, method="thread")


@pytest.fixture
def engine_name() -> str:
    need_engine("native")
    return "native"


@pytest.fixture(params=["first", "helper", "call"])
def where(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def meet_fault(rig: Rig, where: str) -> None:
    """It is over, and told, when this returns."""
    fallible = cast(Fallible, rig.engine)
    if where == "call":
        with pytest.raises(RuntimeError):
            fallible.fault_here()
        return
    fallible.fault(of_first=where == "first")
    rig.settle()
    assert rig.engine.take_failure() == Failure("engine", 0)


def assert_both_ways(rig: Rig, peer: FarPeer, session: Session) -> None:
    rig.write(OUT)
    assert peer.open(session).payload == OUT
    peer.send(session.seal(IN))
    assert rig.read() == IN


def test_keys_can_be_renewed_as_initiator(rig: Rig, peer: FarPeer, where: str) -> None:
    assert_both_ways(rig, peer, rig.connect(peer, 1))
    meet_fault(rig, where)
    assert_both_ways(rig, peer, rig.connect(peer, 2))
    rig.engine.arm_keys_needed(peer.id)
    assert sorted(rig.engine.drop_keypairs(peer.id)) == [1, 2]
    rig.write(OUT)
    assert Notice.KEYS_NEEDED in rig.notices(peer)


def test_keys_can_be_renewed_as_responder(rig: Rig, peer: FarPeer, where: str) -> None:
    """What was staged before the fault goes out under the keypair that is confirmed after it."""
    rig.engine.arm_keys_needed(peer.id)
    rig.write(OUT)
    assert Notice.KEYS_NEEDED in rig.notices(peer)
    meet_fault(rig, where)
    session = Session(7, is_initiator=False, born=rig.clock.now)
    rig.engine.install(peer.id, session.keys, Slot.NEXT)
    meet_fault(rig, where)
    peer.send(session.seal(b""))
    assert peer.open(session).payload == OUT
    assert Notice.NEXT_CONFIRMED in rig.notices(peer)
    assert_both_ways(rig, peer, session)


def test_every_question_is_answered(rig: Rig, peer: FarPeer, where: str) -> None:
    session = rig.connect(peer)
    assert_both_ways(rig, peer, session)
    meet_fault(rig, where)
    sent, received = rig.counters(peer).tx_bytes, rig.counters(peer).rx_bytes
    assert (sent, received) == (32 + 32 + 32, 32 + 32)
    assert rig.engine.counters(peer.id) == Counters(sent, received)
    assert rig.engine.status()["keypairs"] == "1"
    assert len(rig.engine.allowed_ips(peer.id)) == 2
    assert rig.traffic(peer).last_received is not None
    assert rig.source(peer) is not None
    peer.send(bytes(5))
    rig.wait_for_drop(Drop.BAD_SIZE)
    assert rig.engine.icmp_errors(peer.id) == {}


def test_sockets_and_peers_can_be_changed(rig: Rig, peer: FarPeer, where: str) -> None:
    session = rig.connect(peer)
    meet_fault(rig, where)
    rig.engine.swap_sockets(None)
    rig.up()
    rig.engine.route_changed()
    rig.engine.set_mtu(1_280)
    rig.engine.clear_source(None)
    assert_both_ways(rig, peer, session)
    rig.engine.send_keepalive(peer.id)
    assert peer.open(session).payload == b""
    assert rig.engine.remove_peer(peer.id) == (session.ours,)
    other = rig.add("10.0.0.2/32")
    assert_both_ways(rig, other, rig.connect(other, 9))
