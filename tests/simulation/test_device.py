"""What configuration does to a device, with a second device to show it."""

import base64
import errno
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from pywg.endpoint import Endpoint
from pywg.engine.contract import UdpSockets
from pywg.protocol.constants import Limits
from pywg.protocol.handshake import Identity
from pywg.uapi.model import UNSET_KEY, ApplyError, DeviceChange, PeerChange, PrefixChange
from tests.simulation.wire import kinds, sent_by
from tests.simulation.world import Machine, World, pair
from tests.vectors import load

KEY = bytes(range(1, 33))
LOW_ORDER = [bytes.fromhex(point) for point in load("low_order_points")["points"]]


def peers(machine: Machine) -> list[bytes]:
    return [peer.public_key for peer in machine.device.get_state().peers]


def prefixes(machine: Machine, key: bytes) -> set[str]:
    (peer,) = [peer for peer in machine.device.get_state().peers if peer.public_key == key]
    return {str(prefix) for prefix in peer.allowed_ips}


def test_our_own_key_is_no_peer() -> None:
    _, a, b = pair()
    a.configure(PeerChange(public_key=a.public_key, allowed_ips=(PrefixChange(ip_network("10.9.0.0/24")),)))
    assert peers(a) == [b.public_key]


def test_a_peer_whose_key_becomes_ours_is_removed() -> None:
    _, a, _ = pair()
    a.configure(PeerChange(public_key=Identity(KEY).public_key))
    assert len(peers(a)) == 2
    a.device.apply(DeviceChange(private_key=KEY))
    assert len(peers(a)) == 1
    assert a.device.get_state().private_key == Identity(KEY).private_bytes()


def test_the_private_key_is_told_clamped_and_can_be_cleared() -> None:
    world, a, b = pair()
    a.device.apply(DeviceChange(private_key=b"\xff" * 32))
    told = a.device.get_state().private_key
    assert (told[0], told[31]) == (0xF8, 0x7F)
    a.device.apply(DeviceChange(private_key=UNSET_KEY))
    assert a.device.get_state().private_key == UNSET_KEY
    a.send(b)
    world.run(20)
    assert world.sent == []
    assert a.device.get_status().peers[0].handshake_failures["no_private_key"] >= 1


def test_peers_are_removed_updated_and_replaced() -> None:
    _, a, b = pair()
    other = bytes(31) + b"\x09"
    a.configure(PeerChange(public_key=other, update_only=True))
    assert peers(a) == [b.public_key]
    a.configure(PeerChange(public_key=other), PeerChange(public_key=b.public_key, remove=True))
    assert peers(a) == [other]
    a.configure(PeerChange(public_key=other, remove=True), PeerChange(public_key=other, remove=True))
    assert peers(a) == []
    a.device.apply(DeviceChange(replace_peers=True, peers=(PeerChange(public_key=b.public_key),)))
    assert peers(a) == [b.public_key]


def test_a_prefix_belongs_to_the_last_peer_that_claimed_it() -> None:
    _, a, b = pair()
    other = bytes(31) + b"\x09"
    claim = (PrefixChange(ip_network(b.inner)), PrefixChange(ip_network("fd00::/64")))
    a.configure(PeerChange(public_key=other, allowed_ips=claim))
    assert prefixes(a, b.public_key) == set()
    assert prefixes(a, other) == {"10.0.0.2/32", "fd00::/64"}
    a.configure(
        PeerChange(public_key=b.public_key, allowed_ips=(PrefixChange(ip_network("fd00::/64"), remove=True),))
    )
    assert prefixes(a, other) == {"10.0.0.2/32", "fd00::/64"}, "only the owner can give a prefix away"
    a.configure(PeerChange(public_key=other, replace_allowed_ips=True))
    assert prefixes(a, other) == set()


def test_a_set_that_fails_half_way_keeps_its_first_half() -> None:
    world = World()
    machine = Machine(world, "192.0.2.1", "10.0.0.1", limits=Limits(max_peers=2))
    blocks = tuple(
        PeerChange(
            public_key=bytes(31) + bytes([n]), allowed_ips=(PrefixChange(ip_network(f"10.1.{n}.0/24")),)
        )
        for n in (2, 3, 4)
    )
    with pytest.raises(ApplyError) as refused:
        machine.device.apply(DeviceChange(peers=blocks))
    assert refused.value.errno == errno.ENOMEM
    assert len(peers(machine)) == 2
    assert prefixes(machine, blocks[1].public_key) == {"10.1.3.0/24"}


@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:8])
def test_a_public_key_of_low_order_is_never_sent_to(point: bytes) -> None:
    world = World()
    machine = Machine(world, "192.0.2.1", "10.0.0.1")
    machine.configure(
        PeerChange(
            public_key=point,
            endpoint=Endpoint("192.0.2.9", 51820),
            persistent_keepalive_interval=1,
            allowed_ips=(PrefixChange(ip_network("0.0.0.0/0")),),
        )
    )
    machine.up()
    machine.send(machine)
    world.run(30)
    assert world.sent == []
    assert machine.device.get_status().peers[0].handshake_failures["zero_shared_secret"] >= 1


# The listen port.


def refuse(machine: Machine, port: int) -> Callable[[int, int], UdpSockets]:
    """Sockets that find one port in use."""
    opened = machine._open_sockets

    def open_sockets(wanted: int, mark: int) -> UdpSockets:
        if wanted == port:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return opened(wanted, mark)

    return open_sockets


def test_a_port_in_use_is_refused_and_the_old_one_stays() -> None:
    world, a, b = pair()
    a.device._open_sockets = refuse(a, 7777)
    with pytest.raises(ApplyError, match="7777") as refused:
        a.device.apply(DeviceChange(listen_port=7777))
    assert refused.value.errno == errno.EADDRINUSE
    assert a.device.get_state().listen_port == 51820
    a.send(b)
    world.run(1)
    assert len(b.delivered) == 1


def test_a_port_in_use_at_link_up_is_told_and_tried_again() -> None:
    world = World()
    machine = Machine(world, "192.0.2.1", "10.0.0.1")
    machine.device._open_sockets = refuse(machine, 51820)
    machine.up()
    (line,) = machine.log.error_lines
    assert "51820" in line
    assert "in use" in line
    told = dict(machine.device.get_status().sockets)
    assert "51820" in told.pop("error")
    assert told == {"link": "up", "v4": "closed", "v6": "closed"}
    machine.device.apply(DeviceChange(listen_port=51821))
    assert machine.device.get_status().sockets == {"link": "up", "v4": "open", "v6": "unavailable"}


def test_a_refused_port_is_not_shown_as_ours() -> None:
    world = World()
    machine = Machine(world, "192.0.2.1", "10.0.0.1")
    machine.device._open_sockets = refuse(machine, 51820)
    machine.up()
    machine.device._open_sockets = refuse(machine, 7777)
    with pytest.raises(ApplyError, match="7777"):
        machine.device.apply(DeviceChange(listen_port=7777))
    assert machine.device.get_state().listen_port == 51820


def test_a_new_port_keeps_peers_and_sessions() -> None:
    world, a, b = pair()
    a.send(b)
    world.run(1)
    world.sent.clear()
    assert a.udp is not None
    world.detach(a.udp.local)
    a.device.apply(DeviceChange(listen_port=4000))
    a.send(b)
    world.run(1)
    b.send(a)
    world.run(1)
    assert kinds(world.sent) == ["data", "data"]
    assert len(a.delivered) == 1


# Handshakes as the responder sees them.


def recorded_initiation(world: World, a: Machine, b: Machine) -> bytes:
    """An initiation of a's that b has not seen."""
    world.offline = True
    a.send(b)
    world.run(0.1)
    world.offline = False
    (sent,) = sent_by(a, "initiation")
    world.sent.clear()
    return sent.data


def present(b: Machine, a: Machine, data: bytes) -> None:
    assert b.udp is not None
    b.udp.arrive(Endpoint(a.address, a.port), data)
    b.world.run(0.001)


def failures(machine: Machine) -> dict[str, int]:
    return dict(machine.device.get_status().peers[0].handshake_failures)


def test_an_initiation_is_accepted_once() -> None:
    world, a, b = pair()
    initiation = recorded_initiation(world, a, b)
    present(b, a, initiation)
    assert kinds(sent_by(b)) == ["response"]
    world.run(30)
    world.sent.clear()
    present(b, a, initiation)
    assert sent_by(b) == []
    assert failures(b)["stale_timestamp"] == 1


def test_an_old_initiation_is_refused_even_after_all_sessions_ended() -> None:
    world, a, b = pair()
    initiation = recorded_initiation(world, a, b)
    present(b, a, initiation)
    world.run(1_000)
    world.sent.clear()
    present(b, a, initiation)
    assert sent_by(b) == []


def test_a_forged_initiation_spends_nothing_of_the_peers() -> None:
    world, a, b = pair()
    initiation = recorded_initiation(world, a, b)
    forged = bytearray(initiation)
    forged[100] ^= 1  # In the encrypted timestamp.
    body = bytes(forged[:-32])
    from pywg.protocol.macs import mac, mac1_key  # noqa: PLC0415

    present(b, a, body + mac(mac1_key(b.public_key), body) + bytes(16))
    assert sent_by(b) == []
    assert failures(b) == {"aead_failure": 1}
    present(b, a, initiation)
    assert kinds(sent_by(b)) == ["response"]


@pytest.mark.parametrize(("milliseconds", "accepted"), [(19, 1), (20, 2), (21, 2)])
def test_initiations_of_a_peer_are_at_least_20_ms_apart(milliseconds: int, accepted: int) -> None:
    world, a, b = pair()
    world.offline = True
    a.send(b)
    world.run(6)
    first, second = (sent.data for sent in sent_by(a, "initiation"))
    assert b.udp is not None
    b.udp.arrive(Endpoint(a.address, a.port), first)
    world.run(milliseconds / 1000)
    b.udp.arrive(Endpoint(a.address, a.port), second)
    world.run(0.001)
    assert len(sent_by(b, "response")) == accepted
    if accepted == 1:
        assert failures(b) == {"flood_gate": 1}


def test_an_initiator_whose_clock_went_back_is_diagnosed_not_served() -> None:
    world, a, b = pair()
    a.send(b)
    world.run(200)
    a.clock.wall_offset -= 3_600 * 10**9
    a.send(b)
    world.run(20)
    assert len(b.delivered) == 1
    assert failures(b)["stale_timestamp"] >= 2
    a.clock.wall_offset += 3_600 * 10**9
    a.send(b)
    world.run(6)
    assert len(b.delivered) > 1


def test_two_initiations_in_one_slot_of_the_whitened_time() -> None:
    world, a, b = pair()
    a.send(b)
    world.run(1)
    # The wall clock stands still between two handshakes: the second is refused, a later retry is not.
    a.clock.wall_offset -= 10_000_000_000
    world.run(9)
    a.device.apply(DeviceChange(private_key=a.private_key))
    a.device.link_down()
    a.up()
    a.send(b)
    world.run(0.5)
    assert len(b.delivered) == 1
    world.run(6)
    assert len(b.delivered) == 2


def test_nothing_is_accepted_while_down() -> None:
    world, a, b = pair()
    initiation = recorded_initiation(world, a, b)
    b.device.link_down()
    present(b, a, initiation)
    b.up()
    present(b, a, initiation)
    assert kinds(sent_by(b)) == ["response"], "it was not consumed while down"


def test_under_load_a_peer_gets_a_cookie_and_comes_back_with_it() -> None:
    limits = Limits(handshake_queue=8)
    world, a, b = pair(limits=limits)
    stranger = Endpoint("203.0.113.1", 1)
    assert b.udp is not None
    # Two rubbish messages in one burst put the queue at 1/8 of its size.
    from pywg.protocol.macs import mac, mac1_key  # noqa: PLC0415

    body = b"\1\0\0\0" + bytes(112)
    rubbish = body + mac(mac1_key(b.public_key), body) + bytes(16)

    def flood() -> None:
        assert b.udp is not None
        for _ in range(4):
            b.udp.arrive(stranger, rubbish)
        world.after(500_000_000, flood)

    flood()
    world.run(0.1)
    world.sent.clear()
    a.send(b)
    world.run(0.2)
    assert kinds(one for one in sent_by(b) if one.destination.host == a.address) == ["cookie"]
    assert b.delivered == []
    world.run(6)
    assert len(b.delivered) == 1, "the retransmission carries the cookie"


def test_a_removed_peer_is_forgotten_in_the_middle_of_a_handshake() -> None:
    world, a, b = pair()
    a.send(b)
    world.run_until(world.now + 1)
    a.configure(PeerChange(public_key=b.public_key, remove=True))
    world.run(10)
    assert a.device._handshakes.indices_in_use == 0
    assert a.device.get_state().peers == ()


def test_state_and_status_tell_no_secret_in_their_repr() -> None:
    _, a, b = pair(psk=KEY)
    for told in (a.device.get_state(), a.device.get_status(), a.device._peers, a.device._handshakes):
        text = repr(told)
        for secret in (KEY, a.device.get_state().private_key, a.private_key):
            assert secret.hex() not in text
            assert base64.b64encode(secret).decode() not in text
            assert repr(secret) not in text
    assert replace(a.device.get_state().peers[0]).preshared_key == KEY
    assert b.public_key in peers(a)
