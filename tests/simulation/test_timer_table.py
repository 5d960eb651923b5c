"""Each row of the timer table at work: two devices on a virtual clock, seen from the wire."""

from itertools import pairwise

import pytest

from pywg.endpoint import Endpoint
from pywg.protocol.constants import SECOND
from pywg.uapi.model import DeviceChange, PeerChange
from tests.simulation.wire import kinds, seconds, sent_by
from tests.simulation.world import Machine, World, pair


def connected(**options: object) -> tuple[World, Machine, Machine]:
    """A pair that has a session, initiated by the first, with the wire's record emptied."""
    world, a, b = pair(**options)  # type: ignore[arg-type]
    a.send(b)
    world.run(0.1)
    assert len(b.delivered) == 1
    world.sent.clear()
    return world, a, b


def test_the_first_packet_starts_a_handshake_and_follows_it() -> None:
    world, a, b = pair()
    packet = a.send(b)
    world.run(1)
    assert kinds(world.sent) == ["initiation", "response", "data"]
    assert b.delivered == [packet]


def test_both_ends_show_the_handshake_and_equal_counters() -> None:
    _world, a, b = connected()
    (of_a,), (of_b,) = a.device.get_state().peers, b.device.get_state().peers
    assert of_a.last_handshake_ns > 0
    assert of_b.last_handshake_ns > 0
    assert (of_a.tx_bytes, of_a.rx_bytes) == (of_b.rx_bytes, of_b.tx_bytes) == (148 + 32 + 32, 92)


def test_an_initiation_without_answer_is_sent_twenty_times_in_all() -> None:
    world, a, b = pair()
    b.device.link_down()
    start = world.now
    a.send(b)
    world.run(600)
    sent = sent_by(a)
    assert kinds(sent) == ["initiation"] * 20
    assert all(5.0 <= later - sooner <= 5.334 for sooner, later in pairwise(seconds(sent, start)))
    assert any("gave up: no answer to 20 initiations" in line for line in a.log.verbose_lines)
    assert "no_key" in a.device.get_status().peers[0].drops


def test_after_giving_up_the_next_packet_begins_anew() -> None:
    world, a, b = pair()
    b.device.link_down()
    a.send(b)
    world.run(300)
    b.up()
    world.sent.clear()
    a.send(b)
    world.run(1)
    assert kinds(sent_by(a)) == ["initiation", "data"]


def test_packets_while_trying_reset_the_count() -> None:
    world, a, b = pair()
    b.device.link_down()
    for _ in range(60):
        a.send(b)
        world.run(5)
    assert len(sent_by(a)) >= 55, "a peer that is asked for is tried as long as it is asked for"


def test_data_received_and_not_answered_draws_one_keepalive_after_ten_seconds() -> None:
    world, _a, b = connected()
    world.run(9.8)
    assert sent_by(b) == []
    world.run(0.3)
    assert kinds(world.sent) == ["keepalive"]
    world.run(60)
    assert kinds(world.sent) == ["keepalive"], "a keepalive never answers a keepalive"


def test_more_data_before_the_keepalive_draws_another() -> None:
    world, a, b = connected()
    start = world.now
    world.run(5)
    a.send(b)
    world.run(60)
    assert [round(s) for s in seconds(sent_by(b, "keepalive"), start)] == [10, 20]


def test_an_answer_in_time_needs_no_keepalive() -> None:
    world, a, b = connected()
    b.send(a)
    world.run(9)
    a.send(b)
    world.run(0.5)
    assert "keepalive" not in kinds(world.sent)


def test_sent_data_without_an_answer_begins_a_handshake_after_fifteen_seconds() -> None:
    world, a, b = connected()
    world.run(30)
    b.device.link_down()
    world.sent.clear()
    start = world.now
    a.send(b)
    world.run(16)
    (data, initiation) = sent_by(a)
    assert kinds([data, initiation]) == ["data", "initiation"]
    assert 15.0 <= seconds([initiation], start)[0] <= 15.334


def test_one_unanswered_packet_does_not_initiate_for_ever() -> None:
    world, a, b = connected()
    b.device.link_down()
    a.send(b)
    world.run(3600)
    assert len(sent_by(a, "initiation")) == 20


@pytest.mark.parametrize(("age", "left"), [(539, True), (541, False)])
def test_keys_are_forgotten_540_s_after_the_last_session(age: int, left: bool) -> None:
    world, a, b = connected()
    world.run(age - 0.1)
    for machine in (a, b):
        assert bool(machine.device._handshakes.indices_in_use) is left


@pytest.mark.parametrize("busy", [False, True])
def test_persistent_keepalive_fills_the_silence(busy: bool) -> None:
    world, a, b = pair(keepalive=25)
    world.run(1)
    assert kinds(world.sent) == ["initiation", "response", "keepalive"], "up is enough to start it"
    world.sent.clear()
    start = world.now
    for _ in range(10):
        if busy:
            b.send(a)
        world.run(10)
    keepalives = seconds(sent_by(a, "keepalive"), start)
    if busy:
        assert all(at % 10 > 9.9 or at % 10 < 0.1 for at in keepalives), "only passive ones"
    else:
        assert [round(at) for at in keepalives] == [24, 49, 74, 99]


def test_persistent_keepalive_switched_on_sends_one_at_once() -> None:
    world, a, b = pair()
    a.knows(b, keepalive=20)
    world.run(1)
    assert kinds(sent_by(a)) == ["initiation", "keepalive"]


def test_persistent_keepalive_of_an_offline_machine_does_not_spin() -> None:
    world, a, _b = pair(keepalive=1)
    world.offline = True
    world.run(600)
    assert 100 <= len(sent_by(a)) <= 130, "one initiation every 5 s and no more"


def test_the_initiator_renews_the_session_when_it_sends_after_120_s() -> None:
    world, a, b = connected()
    for _ in range(13):
        world.run(9.5)
        a.send(b)
    world.run(0.1)
    assert len(sent_by(a, "initiation")) == 1
    assert kinds(sent_by(b, "response")) == ["response"]
    assert len(b.delivered) == 14


def test_the_responder_does_not_renew_after_120_s() -> None:
    world, a, b = connected()
    for _ in range(15):
        world.run(10)
        b.send(a)
    assert sent_by(b, "initiation") == []


def test_an_initiator_that_only_receives_renews_after_165_s() -> None:
    world, a, b = connected()
    start = world.now
    while world.now < start + 164 * SECOND:
        b.send(a)
        world.run(4)
    # Its keepalives are packets sent, and they renew at 120 s already.
    (initiation,) = sent_by(a, "initiation")
    assert 120 <= seconds([initiation], start)[0] <= 135


def test_nothing_is_sent_under_a_key_of_180_s() -> None:
    world, a, b = connected()
    world.run(180)
    world.sent.clear()
    a.send(b)
    world.run(1)
    assert kinds(sent_by(a)) == ["initiation", "data"]


def test_the_second_initiation_within_five_seconds_waits_for_the_gate() -> None:
    world, a, b = pair()
    b.device.link_down()
    start = world.now
    a.send(b)
    world.run(1)
    a.send(b)
    b.up()
    world.run(5)
    assert [round(s, 2) for s in seconds(sent_by(a, "initiation"), start)] == [0, 5]
    assert len(b.delivered) == 2


def test_link_down_forgets_sessions_and_link_up_starts_again() -> None:
    world, a, _b = pair(keepalive=25)
    world.run(1)
    a.device.link_down()
    assert a.device._handshakes.indices_in_use == 0
    world.sent.clear()
    world.run(100)
    assert sent_by(a) == []
    a.up()
    world.run(1)
    assert kinds(sent_by(a)) == ["initiation", "keepalive"]


def test_a_peer_without_endpoint_is_not_sent_to_and_does_not_spin() -> None:
    world, a, b = pair()
    a.configure(PeerChange(public_key=b.public_key, remove=True))
    a.knows(b, endpoint=False, keepalive=25)
    a.send(b)
    world.run(300)
    assert sent_by(a) == []
    a.configure(PeerChange(public_key=b.public_key, endpoint=Endpoint(b.address, b.port)))
    world.run(30)
    assert "initiation" in kinds(sent_by(a))


def test_roaming_moves_the_endpoint_with_authentic_packets_only() -> None:
    world, a, b = connected()
    a.roam("192.0.2.77")
    a.send(b)
    world.run(0.1)
    b.send(a)
    world.run(0.1)
    assert len(a.delivered) == 1
    (peer,) = b.device.get_state().peers
    assert peer.endpoint == Endpoint("192.0.2.77", a.port)


def test_a_new_private_key_is_used_at_once() -> None:
    world, a, b = connected()
    key = bytes(range(32))
    a.device.apply(DeviceChange(private_key=key))
    public = a.device._handshakes.identity
    assert public is not None
    a.public_key = public.public_key
    b.knows(a)
    a.send(b)
    world.run(0.5)
    assert kinds(sent_by(a)) == ["initiation", "data"]


def test_a_preshared_key_applies_at_the_next_handshake_and_the_session_lives_on() -> None:
    world, a, b = connected()
    psk = bytes(range(32))
    a.knows(b, psk=psk)
    a.send(b)
    world.run(0.1)
    assert kinds(sent_by(a)) == ["data"]
    world.run(181)
    a.send(b)
    world.run(1)
    assert len(b.delivered) == 2
    assert a.device.get_status().peers[0].handshake_failures == {"aead_failure": 1}
    b.knows(a, psk=psk)
    world.run(6)
    assert len(b.delivered) == 3
