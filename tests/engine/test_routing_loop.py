"""The route to a peer's endpoint leads into the tunnel: our own datagrams must not go round for ever."""

import pytest

from pywg.engine.contract import Drop
from tests.engine.packets import ipv4, ipv6
from tests.engine.rig import FarPeer, Rig

UDP = 17
TCP = 6
EVERYTHING = ("0.0.0.0/0", "::/0")


def ports(source: int, destination: int) -> bytes:
    return source.to_bytes(2, "big") + destination.to_bytes(2, "big") + bytes(8)


def to_endpoint(peer: FarPeer, payload: bytes, *, protocol: int = UDP, fragment: int = 0) -> bytes:
    if peer.endpoint.is_ipv6:
        return ipv6("::1", peer.endpoint.host, payload, protocol=protocol)
    return ipv4("127.0.0.1", peer.endpoint.host, payload, protocol=protocol, fragment=fragment)


@pytest.fixture(params=["127.0.0.1", "::1"])
def everywhere(rig: Rig, request: pytest.FixtureRequest) -> FarPeer:
    """A peer whose allowed IPs contain its own endpoint."""
    return rig.add(*EVERYTHING, host=request.param)


def test_our_own_datagram_is_not_sent_again(rig: Rig, everywhere: FarPeer) -> None:
    rig.connect(everywhere)
    rig.write(to_endpoint(everywhere, ports(rig.port, everywhere.endpoint.port)))
    rig.wait_for_drop(Drop.ROUTING_LOOP, everywhere)
    assert everywhere.hears_nothing()


def test_without_keys_it_is_not_staged_either(rig: Rig, everywhere: FarPeer) -> None:
    rig.write(to_endpoint(everywhere, ports(rig.port, everywhere.endpoint.port)))
    rig.wait_for_drop(Drop.ROUTING_LOOP, everywhere)
    assert not rig.traffic(everywhere).staged


@pytest.mark.parametrize("ours", [True, False])
def test_other_traffic_to_the_same_host_passes(rig: Rig, everywhere: FarPeer, ours: bool) -> None:
    session = rig.connect(everywhere)
    port = everywhere.endpoint.port
    pair = ports(rig.port, port ^ 1) if ours else ports(rig.port ^ 1, port)
    for packet in (
        to_endpoint(everywhere, pair),
        to_endpoint(everywhere, ports(rig.port, port), protocol=TCP),
        to_endpoint(everywhere, b"\0\1"),
    ):
        rig.write(packet)
        assert everywhere.open(session).payload.startswith(packet)
    assert rig.drops(everywhere) == {}


def test_a_later_fragment_has_no_ports(rig: Rig) -> None:
    peer = rig.add(*EVERYTHING)
    session = rig.connect(peer)
    packet = to_endpoint(peer, ports(rig.port, peer.endpoint.port), fragment=100)
    rig.write(packet)
    assert peer.open(session).payload.startswith(packet)
