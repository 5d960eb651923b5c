"""Keypairs as the control plane sees them: slots, confirmation, age, counters, and asking for new ones."""

import select
import threading
from collections.abc import Callable

import pytest

from pywg.engine.contract import Drop, Notice, Slot
from pywg.protocol.constants import SECOND, Limits
from tests.engine.packets import ipv4
from tests.engine.rig import START, FarPeer, Rig, Session

OUT = ipv4("10.0.0.1", "10.0.0.2", bytes(12))
IN = ipv4("10.0.0.2", "10.0.0.1", bytes(12))


def is_received(rig: Rig, peer: FarPeer, session: Session) -> bool:
    """Whether the engine opens what is sealed under the session."""
    before = rig.counters(peer).rx_bytes
    peer.send(session.seal(b""))
    rig.settle()
    return rig.counters(peer).rx_bytes > before


# Slots.


def test_initiator_keeps_the_old_current_as_previous(rig: Rig, peer: FarPeer) -> None:
    one, two, three = (Session(index, is_initiator=True) for index in (1, 2, 3))
    assert rig.engine.install(peer.id, one.keys, Slot.CURRENT) == ()
    assert rig.engine.install(peer.id, two.keys, Slot.CURRENT) == ()
    assert is_received(rig, peer, one)
    assert rig.engine.install(peer.id, three.keys, Slot.CURRENT) == (1,)
    assert not is_received(rig, peer, one)
    assert rig.drops() == {Drop.UNKNOWN_INDEX: 1}
    assert is_received(rig, peer, two)
    assert is_received(rig, peer, three)
    for session in (one, two, three):
        assert peer.open(session).payload == b""
    rig.write(OUT)
    assert peer.open(three).payload == OUT


def test_initiator_with_a_next_keeps_that_instead(rig: Rig, peer: FarPeer) -> None:
    one, two, three = (Session(index, is_initiator=index != 2) for index in (1, 2, 3))
    rig.engine.install(peer.id, one.keys, Slot.CURRENT)
    assert rig.engine.install(peer.id, two.keys, Slot.NEXT) == ()
    assert rig.engine.install(peer.id, three.keys, Slot.CURRENT) == (1,)
    assert is_received(rig, peer, two)
    assert rig.notices(peer) == Notice(0), "what was next is previous and confirms nothing"
    assert not is_received(rig, peer, one)


def test_responder_drops_previous_and_an_unconfirmed_next(rig: Rig, peer: FarPeer) -> None:
    one, two, three, four = (Session(index, is_initiator=index < 3) for index in (1, 2, 3, 4))
    rig.engine.install(peer.id, one.keys, Slot.CURRENT)
    rig.engine.install(peer.id, two.keys, Slot.CURRENT)
    assert rig.engine.install(peer.id, three.keys, Slot.NEXT) == (1,)
    assert rig.engine.install(peer.id, four.keys, Slot.NEXT) == (3,)
    assert not is_received(rig, peer, three)
    assert is_received(rig, peer, two)
    assert is_received(rig, peer, four)


def test_responder_is_silent_until_confirmed(rig: Rig, peer: FarPeer) -> None:
    session = Session(1, is_initiator=False)
    rig.engine.install(peer.id, session.keys, Slot.NEXT)
    rig.write(OUT)
    rig.wait(lambda: rig.engine.traffic(peer.id).staged)
    rig.engine.send_keepalive(peer.id)
    assert peer.hears_nothing()
    forged = bytearray(session.seal(b"", 7))
    forged[-1] ^= 1
    peer.send(bytes(forged))
    assert peer.hears_nothing()
    assert rig.notices(peer) == Notice.KEYS_NEEDED
    peer.send(session.seal(IN))
    assert peer.open(session).payload == OUT
    assert rig.read() == IN
    (notice,) = rig.take_notices(peer)
    assert Notice.NEXT_CONFIRMED in notice.notice
    assert (notice.freed, notice.confirmed_index) == ((), 1)
    assert peer.hears_nothing()


def test_confirmation_makes_next_current_and_current_previous(rig: Rig, peer: FarPeer) -> None:
    one, two, three = (Session(index, is_initiator=index < 3) for index in (1, 2, 3))
    rig.engine.install(peer.id, one.keys, Slot.CURRENT)
    rig.engine.install(peer.id, three.keys, Slot.NEXT)
    rig.write(OUT)
    assert peer.open(one).payload == b""
    assert peer.open(one).payload == OUT, "until the confirmation the old session serves"
    assert is_received(rig, peer, three)
    (notice,) = rig.take_notices(peer)
    assert (notice.notice, notice.freed, notice.confirmed_index) == (Notice.NEXT_CONFIRMED, (), 3)
    assert is_received(rig, peer, one)
    rig.write(OUT)
    assert peer.open(three).payload == OUT
    assert rig.engine.install(peer.id, two.keys, Slot.CURRENT) == (1,)


def test_the_answer_to_what_confirms_goes_out_under_the_new_keys(rig: Rig, peer: FarPeer) -> None:
    """The initiator may have begun anew and know no other: an answer under the old keys would be lost.

    The machine answers within the very system call that delivers, so that is too late for the confirmation.
    """
    old = rig.connect(peer, 1)
    over = threading.Event()

    def answer() -> None:
        poll = select.poll()
        poll.register(rig.application, select.POLLIN)
        while not over.is_set():
            if poll.poll(10) and rig.try_read() is not None:
                rig.application.send(OUT)

    machine = threading.Thread(target=answer)
    machine.start()
    try:
        for index in range(2, 500):
            new = Session(index, is_initiator=False)
            rig.engine.install(peer.id, new.keys, Slot.NEXT)
            peer.send(new.seal(IN))
            data, _, _ = peer.receive()
            assert data[4:8] == new.theirs.to_bytes(4, "little"), f"under {old.ours}, not {new.ours}"
            old = new
    finally:
        over.set()
        machine.join()


def test_confirmation_frees_previous(rig: Rig, peer: FarPeer) -> None:
    """A second confirmation before the first was told of: no index may be lost."""
    one, two, three = (Session(index, is_initiator=False) for index in (1, 2, 3))
    for session in (one, two):
        rig.engine.install(peer.id, session.keys, Slot.NEXT)
        peer.send(session.seal(b""))
        rig.settle()
    assert rig.engine.install(peer.id, three.keys, Slot.NEXT) == (1,)
    peer.send(three.seal(b""))
    (notice,) = rig.take_notices(peer)
    assert (notice.freed, notice.confirmed_index) == ((), 3)
    assert rig.engine.drop_keypairs(peer.id) == (2, 3)


def test_each_confirmation_is_told_once(rig: Rig, peer: FarPeer) -> None:
    session = Session(1, is_initiator=False)
    rig.engine.install(peer.id, session.keys, Slot.NEXT)
    peer.send(session.seal(b""))
    peer.send(session.seal(b""))
    assert rig.notices(peer) == Notice.NEXT_CONFIRMED
    peer.send(session.seal(b""))
    assert rig.notices(peer) == Notice(0)


def test_drop_keypairs(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer, 1)
    unconfirmed = Session(2, is_initiator=False)
    rig.engine.install(peer.id, unconfirmed.keys, Slot.NEXT)
    assert sorted(rig.engine.drop_keypairs(peer.id)) == [1, 2]
    assert rig.engine.drop_keypairs(peer.id) == ()
    assert not is_received(rig, peer, session)
    assert not is_received(rig, peer, unconfirmed)
    rig.write(OUT)
    assert rig.notices(peer) == Notice.KEYS_NEEDED
    assert peer.hears_nothing()


def test_key_change_stops_sending_but_not_receiving(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer, 1)
    unconfirmed = Session(2, is_initiator=False)
    rig.engine.install(peer.id, unconfirmed.keys, Slot.NEXT)
    rig.engine.expire_sending(peer.id)
    assert is_received(rig, peer, session)
    assert is_received(rig, peer, unconfirmed)
    rig.write(OUT)
    assert Notice.KEYS_NEEDED in rig.notices(peer)
    assert peer.hears_nothing()
    fresh = Session(3, is_initiator=True)
    rig.engine.install(peer.id, fresh.keys, Slot.CURRENT)
    assert peer.open(fresh).payload == OUT


# Age.


@pytest.mark.parametrize("jump", [0, 3600 * SECOND], ids=["180 s", "after a suspend"])
def test_nothing_goes_out_under_an_old_key(rig: Rig, peer: FarPeer, jump: int) -> None:
    session = rig.connect(peer)
    rig.advance(rig.limits.reject_after_time - 1)
    rig.write(OUT)
    assert peer.open(session).payload == OUT
    rig.advance(1 + jump)
    rig.write(OUT)
    rig.wait(lambda: rig.engine.traffic(peer.id).staged)
    rig.engine.send_keepalive(peer.id)
    assert Notice.KEYS_NEEDED in rig.notices(peer)
    assert peer.hears_nothing()
    fresh = Session(2, is_initiator=True, born=rig.clock.now)
    rig.engine.install(peer.id, fresh.keys, Slot.CURRENT)
    assert peer.open(fresh).payload == OUT


def test_nothing_comes_in_under_an_old_key(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    rig.advance(rig.limits.reject_after_time - 1)
    peer.send(session.seal(IN))
    assert rig.read() == IN
    rig.advance(1)
    peer.roam()
    peer.send(session.seal(IN))
    rig.wait_for_drop(Drop.STALE_KEY, peer)
    assert rig.delivers_nothing()
    source = rig.source(peer)
    assert source is not None
    assert source.endpoint != peer.endpoint


def test_old_next_confirms_nothing(rig: Rig, peer: FarPeer) -> None:
    session = Session(1, is_initiator=False)
    rig.engine.install(peer.id, session.keys, Slot.NEXT)
    rig.advance(rig.limits.reject_after_time)
    peer.send(session.seal(b""))
    rig.wait_for_drop(Drop.STALE_KEY, peer)
    assert rig.notices(peer) == Notice(0)


# Counters.


def test_counters_end_before_reject_after_messages(rig: Rig, peer: FarPeer) -> None:
    limit = rig.limits.reject_after_messages
    session = rig.connect(peer, counter=limit - 4)
    rig.write(OUT, OUT, OUT, OUT, OUT)
    assert [peer.open(session).counter for _ in range(3)] == [limit - 3, limit - 2, limit - 1]
    assert peer.hears_nothing()
    assert Notice.KEYS_NEEDED in rig.notices(peer)
    fresh = Session(2, is_initiator=True)
    rig.engine.install(peer.id, fresh.keys, Slot.CURRENT)
    assert [peer.open(fresh).counter for _ in range(2)] == [0, 1]
    assert peer.hears_nothing()


def test_counters_from_reject_after_messages_on_are_refused(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    limit = rig.limits.reject_after_messages
    peer.send(session.seal(IN, limit))
    rig.wait_for_drop(Drop.STALE_KEY, peer)
    peer.send(session.seal(IN, 2**64 - 1))
    rig.wait_for_drop(Drop.STALE_KEY, peer, 2)
    peer.send(session.seal(IN, limit - 1))
    assert rig.read() == IN


# Asking for a new handshake: once a keypair.


def test_rekey_after_messages(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer, counter=rig.limits.rekey_after_messages - 1, is_initiator=False)
    assert rig.notices(peer) == Notice(0)
    rig.write(OUT)
    peer.open(session)
    assert rig.notices(peer) == Notice.REKEY_DUE
    rig.write(OUT)
    peer.open(session)
    assert rig.notices(peer) == Notice(0)


@pytest.mark.parametrize("is_initiator", [True, False])
def test_rekey_after_time_on_send(rig: Rig, peer: FarPeer, is_initiator: bool) -> None:
    session = rig.connect(peer, is_initiator=is_initiator)
    rig.advance(rig.limits.rekey_after_time - 1)
    rig.write(OUT)
    peer.open(session)
    assert rig.notices(peer) == Notice(0)
    rig.advance(1)
    rig.engine.send_keepalive(peer.id)
    peer.open(session)
    assert rig.notices(peer) == (Notice.REKEY_DUE if is_initiator else Notice(0))
    rig.write(OUT)
    peer.open(session)
    assert rig.notices(peer) == Notice(0)


@pytest.mark.parametrize("is_initiator", [True, False])
def test_rekey_after_time_on_receive(rig: Rig, peer: FarPeer, is_initiator: bool) -> None:
    session = rig.connect(peer, is_initiator=is_initiator)
    rig.advance(165 * SECOND - 1)
    peer.send(session.seal(IN))
    assert rig.notices(peer) == Notice(0)
    rig.advance(1)
    peer.send(session.seal(b""))
    assert rig.notices(peer) == (Notice.REKEY_DUE if is_initiator else Notice(0))
    peer.send(session.seal(IN))
    assert rig.notices(peer) == Notice(0)


def test_a_new_keypair_asks_anew(rig: Rig, peer: FarPeer) -> None:
    for index in (1, 2):
        session = rig.connect(peer, index)
        rig.advance(rig.limits.rekey_after_time)
        rig.engine.send_keepalive(peer.id)
        peer.open(session)
        assert rig.notices(peer) == Notice.REKEY_DUE


def test_limits_are_those_given(make_rig: Callable[[Limits | None], Rig]) -> None:
    limits = Limits(reject_after_time=2 * SECOND, reject_after_messages=5, rekey_after_messages=2)
    rig = make_rig(limits)
    peer = rig.add("10.0.0.2/32")
    session = rig.connect(peer)
    rig.write(*[OUT] * 10)
    assert [peer.open(session).counter for _ in range(4)] == [1, 2, 3, 4]
    assert rig.notices(peer) == Notice.REKEY_DUE | Notice.KEYS_NEEDED
    assert peer.hears_nothing()
    assert rig.clock.now == START


def test_secrets_are_not_in_any_repr(rig: Rig, peer: FarPeer) -> None:
    session = rig.connect(peer)
    text = repr(session.keys) + repr(rig.engine) + repr(rig.traffic(peer)) + repr(rig.engine.status())
    for key in (session.keys.send_key, session.keys.receive_key):
        assert key.hex() not in text
        assert repr(key)[2:-1] not in text
