"""What a hostile reader found before the first release; each test failed on the code as it was."""

import errno
from ipaddress import ip_network

import pytest

from pywg.engine.contract import Drop, UdpSockets
from pywg.protocol.constants import MILLISECOND
from pywg.protocol.handshake import Identity
from pywg.uapi.codec import format_state, parse_state
from pywg.uapi.model import UNSET_KEY, ApplyError, DeviceChange, PeerChange, PrefixChange
from tests.engine.packets import ipv4
from tests.engine.rig import FarPeer, Rig
from tests.security.attacker import ELSEWHERE, arrive_at_once, causes, rubbish
from tests.simulation.world import Machine, World, pair

KEY = bytes(range(32))
OTHER = bytes(31) + b"\x09"


def test_a_session_of_the_old_key_does_not_end_the_handshake_of_the_new_one() -> None:
    """The initiator confirms what we answered with our old key while our new initiation is under way."""
    world, a, b = pair()
    world.weather.delay = 10 * MILLISECOND
    a.send(b)
    world.run(0.015)
    b.send(a)
    world.run(0.001)
    b.device.apply(DeviceChange(private_key=KEY))
    b.pump()
    b.public_key = Identity(KEY).public_key
    a.knows(b)
    world.run(1)
    assert any(packet.endswith(b"hello") for packet in a.delivered)


def test_a_listen_port_in_use_is_refused_also_while_there_are_no_sockets() -> None:
    machine = Machine(World(), "192.0.2.1", "10.0.0.1")

    def in_use(_port: int, _mark: int) -> UdpSockets:
        raise OSError(errno.EADDRINUSE, "Address already in use")

    machine.device._open_sockets = in_use
    machine.up()
    with pytest.raises(ApplyError) as refused:
        machine.device.apply(DeviceChange(listen_port=7777))
    assert refused.value.errno == errno.EADDRINUSE


def test_a_prefix_given_to_a_peer_that_the_same_set_removes_is_nobodys() -> None:
    _, a, b = pair()
    a.configure(
        PeerChange(public_key=OTHER, allowed_ips=(PrefixChange(ip_network(b.inner)),)),
        PeerChange(public_key=OTHER, remove=True),
    )
    (peer,) = a.device.get_state().peers
    assert peer.allowed_ips == ()


def test_a_passive_keepalive_that_cannot_be_sent_is_not_tried_for_ever() -> None:
    world, a, b = pair()
    a.send(b)
    world.run(1)
    a.device.apply(DeviceChange(private_key=UNSET_KEY))
    for _ in range(3):
        b.send(a)
        world.run(1)
    world.run(600)
    assert a.device._timers.earliest() is None
    assert a.device.get_status().peers[0].handshake_failures["no_private_key"] < 5


def test_a_new_key_is_not_shown_to_a_peer_that_the_same_set_removes() -> None:
    world, a, b = pair()
    b.device.link_down()
    a.send(b)
    world.run(6)
    world.sent.clear()
    a.device.apply(DeviceChange(private_key=KEY, replace_peers=True, peers=(PeerChange(public_key=OTHER),)))
    world.run(1)
    assert world.sent == []


def test_a_datagram_that_is_refused_does_not_take_the_rest_of_the_batch_along(
    rig: Rig, peer: FarPeer
) -> None:
    session = rig.connect(peer)
    small = ipv4("10.0.0.1", "10.0.0.2", bytes(12))
    rig.write(small, ipv4("10.0.0.1", "10.0.0.2", bytes(65_515)), *[small] * 5)
    for _ in range(6):
        assert peer.open(session).payload == small
    assert rig.drops(peer) == {Drop.SEND_ERROR: 1}


def test_a_packet_staged_while_a_handshake_is_under_way_costs_no_turn_of_the_control_plane() -> None:
    world, a, b = pair()
    world.offline = True
    turns = 0
    serve = a.device.on_engine_ready

    def counted() -> None:
        nonlocal turns
        turns += 1
        serve()

    a.device.on_engine_ready = counted  # type: ignore[method-assign]
    for _ in range(1_000):
        a.send(b)
        world.run(0.001)
    assert turns < 10


def test_a_handshake_before_1970_leaves_the_state_readable() -> None:
    world, a, b = pair()
    for machine in (a, b):
        machine.clock.wall_offset = -machine.clock.wall() - 3_600 * 10**9
    a.send(b)
    world.run(1)
    assert len(b.delivered) == 1
    state = a.device.get_state()
    assert parse_state(format_state(state)) == state


def test_a_full_handshake_queue_is_among_the_handshake_failures() -> None:
    """design.md lists "queue full" with the causes that get_status tells."""
    world, _a, b = pair()
    arrive_at_once(b, *[(rubbish(b, world.random), ELSEWHERE)] * 3_000)
    assert causes(b)["queue_full"] > 0
