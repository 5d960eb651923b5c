"""What the timers need to know, and being told when it changes."""

import pytest

from pywg.endpoint import Endpoint, Source
from pywg.engine.contract import Notice, Slot
from pywg.protocol.constants import SECOND
from pywg.protocol.timers import Fact, Traffic
from tests.engine.packets import ipv4
from tests.engine.rig import START, FarPeer, Rig, Session

OUT = ipv4("10.0.0.1", "10.0.0.2", bytes(12))
IN = ipv4("10.0.0.2", "10.0.0.1", bytes(12))


@pytest.fixture
def session(rig: Rig, peer: FarPeer) -> Session:
    """A peer with keys whose first keepalive was a second ago."""
    session = rig.connect(peer)
    rig.advance(SECOND)
    return session


def send(rig: Rig, peer: FarPeer, session: Session, packet: bytes = OUT) -> None:
    rig.write(packet)
    assert peer.open(session).payload.startswith(packet)


def arrive(rig: Rig, peer: FarPeer, datagram: bytes) -> None:
    """And have been handled."""
    before = rig.counters(peer).rx_bytes
    peer.send(datagram)
    rig.wait(lambda: rig.engine.counters(peer.id).rx_bytes > before)
    rig.settle()


def test_nothing_at_first(rig: Rig, peer: FarPeer) -> None:
    assert rig.traffic(peer) == Traffic()


def test_keepalive_sent_is_not_data(rig: Rig, peer: FarPeer, session: Session) -> None:
    assert rig.traffic(peer) == Traffic(last_sent=START)
    rig.engine.send_keepalive(peer.id)
    assert rig.traffic(peer) == Traffic(last_sent=START + SECOND)


def test_first_data_sent_counts_until_anything_is_received(rig: Rig, peer: FarPeer, session: Session) -> None:
    send(rig, peer, session)
    first = rig.clock.now
    rig.advance(SECOND)
    send(rig, peer, session)
    assert rig.traffic(peer) == Traffic(last_sent=rig.clock.now, unanswered_sent=first)
    arrive(rig, peer, session.seal(b""))
    assert rig.traffic(peer) == Traffic(last_sent=rig.clock.now, last_received=rig.clock.now)


def test_first_data_received_counts_until_anything_is_sent(rig: Rig, peer: FarPeer, session: Session) -> None:
    arrive(rig, peer, session.seal(IN))
    first = rig.clock.now
    expected = Traffic(last_sent=START, last_received=first, unanswered_received=first)
    assert rig.traffic(peer) == expected
    rig.advance(SECOND)
    arrive(rig, peer, session.seal(b""))
    assert not rig.traffic(peer).more_received, "a keepalive is not data"
    arrive(rig, peer, session.seal(IN))
    traffic = rig.traffic(peer)
    assert (traffic.unanswered_received, traffic.more_received) == (first, True)
    rig.engine.send_keepalive(peer.id)
    assert rig.traffic(peer) == Traffic(last_sent=rig.clock.now, last_received=rig.clock.now)


def test_two_in_one_batch_are_more(rig: Rig, peer: FarPeer, session: Session) -> None:
    peer.send(session.seal(IN))
    peer.send(session.seal(IN))
    for _ in range(2):
        rig.read()
    assert rig.traffic(peer).more_received


def test_data_is_data_before_the_source_check(rig: Rig, peer: FarPeer, session: Session) -> None:
    arrive(rig, peer, session.seal(b"not even IP"))
    assert rig.traffic(peer).unanswered_received == rig.clock.now


def test_what_is_not_authentic_is_no_fact(rig: Rig, peer: FarPeer, session: Session) -> None:
    datagram = session.seal(IN)
    arrive(rig, peer, datagram)
    before = rig.traffic(peer)
    rig.advance(SECOND)
    peer.send(datagram)
    peer.send(datagram[:-1] + b"\0")
    rig.settle()
    assert rig.traffic(peer) == before


def test_handshakes_count_as_packets_but_not_as_data(rig: Rig, peer: FarPeer, session: Session) -> None:
    arrive(rig, peer, session.seal(IN))
    rig.engine.send_handshake(peer.id, bytes(148))
    assert rig.traffic(peer) == Traffic(last_sent=rig.clock.now, last_received=rig.clock.now)
    rig.write(OUT)
    rig.wait(lambda: rig.engine.traffic(peer.id).unanswered_sent)
    rig.advance(SECOND)
    rig.engine.handshake_accepted(peer.id, Source(peer.endpoint), 92)
    traffic = rig.traffic(peer)
    assert (traffic.last_received, traffic.unanswered_sent) == (rig.clock.now, None)
    assert traffic.unanswered_received is None


def test_an_attempt_to_send_is_enough(rig: Rig, peer: FarPeer, session: Session) -> None:
    """Or a persistent keepalive would spin on a host without network."""
    rig.engine.set_endpoint(peer.id, Endpoint("255.255.255.255", 9))  # Refused without SO_BROADCAST.
    rig.write(OUT)
    rig.wait(lambda: rig.engine.traffic(peer.id).unanswered_sent)
    assert rig.traffic(peer).last_sent == rig.clock.now
    rig.advance(SECOND)
    rig.engine.send_handshake(peer.id, bytes(148))
    assert rig.traffic(peer).last_sent == rig.clock.now


def test_clearing_compares(rig: Rig, peer: FarPeer, session: Session) -> None:
    send(rig, peer, session)
    seen = rig.clock.now
    rig.engine.clear_unanswered_sent(peer.id, seen - 1)
    assert rig.traffic(peer).unanswered_sent == seen
    rig.engine.clear_unanswered_sent(peer.id, seen)
    assert rig.traffic(peer).unanswered_sent is None
    rig.advance(SECOND)
    send(rig, peer, session)
    assert rig.traffic(peer).unanswered_sent == rig.clock.now


def test_confirmed_packets_are_sent_after_what_confirmed_them(rig: Rig, peer: FarPeer) -> None:
    """The packet that brought the keys is no answer to data it let go."""
    rig.write(OUT)
    rig.wait(lambda: rig.engine.traffic(peer.id).staged)
    session = Session(1, is_initiator=False)
    rig.engine.install(peer.id, session.keys, Slot.NEXT)
    arrive(rig, peer, session.seal(b""))
    peer.open(session)
    assert rig.traffic(peer).unanswered_sent == rig.clock.now


def test_what_another_peer_sends_in_the_same_batch_is_no_answer(rig: Rig, peer: FarPeer) -> None:
    other = rig.add("10.0.0.3/32")
    theirs = rig.connect(other, 0x200)
    rig.write(OUT)
    rig.wait(lambda: rig.engine.traffic(peer.id).staged)
    session = Session(1, is_initiator=False)
    rig.engine.install(peer.id, session.keys, Slot.NEXT)
    peer.send(session.seal(b""))
    other.send(theirs.seal(b""))
    peer.open(session)
    assert rig.traffic(peer).unanswered_sent == rig.clock.now


# Being told.


def test_stirred_by_data_sent(rig: Rig, peer: FarPeer, session: Session) -> None:
    rig.engine.arm_stirred(peer.id, Fact.UNANSWERED_SENT)
    rig.engine.send_keepalive(peer.id)
    arrive(rig, peer, session.seal(IN))
    assert rig.notices(peer) == Notice(0)
    rig.write(OUT)
    assert rig.notices(peer) == Notice.STIRRED


def test_stirred_by_data_received(rig: Rig, peer: FarPeer, session: Session) -> None:
    rig.engine.arm_stirred(peer.id, Fact.UNANSWERED_RECEIVED)
    rig.write(OUT)
    arrive(rig, peer, session.seal(b""))
    assert rig.notices(peer) == Notice(0)
    arrive(rig, peer, session.seal(IN))
    assert rig.notices(peer) == Notice.STIRRED


def test_stirred_once_an_arming(rig: Rig, peer: FarPeer, session: Session) -> None:
    both = Fact.UNANSWERED_SENT | Fact.UNANSWERED_RECEIVED
    rig.engine.arm_stirred(peer.id, both)
    arrive(rig, peer, session.seal(IN))
    assert rig.notices(peer) == Notice.STIRRED
    rig.write(OUT)
    assert rig.notices(peer) == Notice(0)


def test_stirred_at_once_if_set_already(rig: Rig, peer: FarPeer, session: Session) -> None:
    arrive(rig, peer, session.seal(IN))
    rig.engine.arm_stirred(peer.id, Fact.UNANSWERED_SENT)
    assert rig.notices(peer) == Notice(0)
    rig.engine.arm_stirred(peer.id, Fact.UNANSWERED_RECEIVED)
    assert rig.notices(peer) == Notice.STIRRED


def test_the_last_arming_counts(rig: Rig, peer: FarPeer, session: Session) -> None:
    rig.engine.arm_stirred(peer.id, Fact.UNANSWERED_SENT)
    rig.engine.arm_stirred(peer.id, Fact(0))
    rig.write(OUT)
    assert rig.notices(peer) == Notice(0)
    arrive(rig, peer, session.seal(IN))
    assert rig.notices(peer) == Notice(0)


def test_stirred_again_when_the_fact_is_set_anew(rig: Rig, peer: FarPeer, session: Session) -> None:
    for _ in range(3):
        rig.engine.arm_stirred(peer.id, Fact.UNANSWERED_SENT)
        rig.write(OUT)
        assert rig.notices(peer) == Notice.STIRRED
        arrive(rig, peer, session.seal(b""))
