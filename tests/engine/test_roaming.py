"""Where a peer is, from which of our addresses we answer, and what happens when the network refuses."""

import errno
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from pywg.endpoint import Endpoint, Source
from pywg.engine.contract import Drop, Notice, Slot
from tests.engine.packets import ipv4
from tests.engine.rig import FarPeer, Rig, Session
from tests.net.inside import give_up

OUT = ipv4("10.0.0.1", "10.0.0.2", bytes(12))
IN = ipv4("10.0.0.2", "10.0.0.1", bytes(12))
CAP_NET_ADMIN, CAP_NET_RAW = 12, 13
OURS = "127.0.0.3"
"""An address of this machine that it would not choose by itself."""


@pytest.fixture
def session(rig: Rig, peer: FarPeer) -> Session:
    return rig.connect(peer)


def endpoint(rig: Rig, peer: FarPeer) -> Endpoint | None:
    source = rig.source(peer)
    return None if source is None else source.endpoint


def test_authentic_packet_moves_the_endpoint(rig: Rig, peer: FarPeer, session: Session) -> None:
    peer.roam()
    peer.send(session.seal(IN))
    assert Notice.ENDPOINT_MOVED in rig.notices(peer)
    assert endpoint(rig, peer) == peer.endpoint
    rig.write(OUT)
    assert peer.open(session).payload == OUT
    peer.send(session.seal(IN))
    assert rig.notices(peer) == Notice(0), "it did not move again"


@pytest.mark.parametrize(
    "payload", [b"", IN, b"no ip", ipv4("10.9.9.9")], ids=["keepalive", "data", "bad", "foreign"]
)
def test_any_authentic_payload_moves_it(rig: Rig, peer: FarPeer, session: Session, payload: bytes) -> None:
    peer.roam()
    peer.send(session.seal(payload))
    assert Notice.ENDPOINT_MOVED in rig.notices(peer)
    assert endpoint(rig, peer) == peer.endpoint


def test_replay_and_forgery_do_not(rig: Rig, peer: FarPeer, session: Session) -> None:
    datagram = session.seal(IN)
    peer.send(datagram)
    assert rig.read() == IN
    before = endpoint(rig, peer)
    peer.roam()
    peer.send(datagram)
    peer.send(session.seal(IN)[:-1] + b"\0")
    assert rig.drops(peer) == {Drop.REPLAY: 1, Drop.AEAD_FAILURE: 1}
    assert endpoint(rig, peer) == before
    assert rig.notices(peer) == Notice(0)


def test_roaming_between_families(rig: Rig, peer: FarPeer, session: Session) -> None:
    peer.host = "::1"
    peer.roam()
    peer.send(session.seal(IN))
    assert rig.read() == IN
    assert endpoint(rig, peer) == peer.endpoint
    rig.write(OUT)
    assert peer.open(session).payload == OUT


def test_handshakes_move_it_by_a_call(rig: Rig, peer: FarPeer, session: Session) -> None:
    peer.roam()
    source = Source(peer.endpoint, socket.inet_aton("127.0.0.1"), 0)
    rig.engine.handshake_accepted(peer.id, source, 148)
    assert rig.source(peer) == source
    assert rig.counters(peer).rx_bytes == 148
    rig.write(OUT)
    assert peer.open(session).payload == OUT


def test_configuration_moves_it(rig: Rig, peer: FarPeer, session: Session) -> None:
    peer.roam()
    rig.engine.set_endpoint(peer.id, peer.endpoint)
    assert rig.source(peer) == Source(peer.endpoint)
    rig.write(OUT)
    assert peer.open(session).payload == OUT
    rig.engine.set_endpoint(peer.id, None)
    assert rig.source(peer) is None


# Sticky source.


def test_answers_come_from_the_address_that_was_spoken_to(rig: Rig, peer: FarPeer, session: Session) -> None:
    rig.write(OUT)
    assert peer.open(session).source == ("127.0.0.1", rig.port)
    peer.send(session.seal(IN), to=OURS)
    rig.read()
    rig.write(OUT)
    assert peer.open(session).source == (OURS, rig.port)
    assert rig.notices(peer) == Notice(0), "the same endpoint"
    rig.engine.send_handshake(peer.id, bytes(148))
    assert peer.receive()[2] == (OURS, rig.port)


@pytest.mark.parametrize("how", ["this peer", "all peers", "configuration", "fwmark", "new sockets"])
def test_the_cached_source_is_cleared(rig: Rig, peer: FarPeer, session: Session, how: str) -> None:
    peer.send(session.seal(IN), to=OURS)
    rig.read()
    source = rig.source(peer)
    assert source is not None
    assert source.local == socket.inet_aton(OURS)
    match how:
        case "this peer":
            rig.engine.clear_source(peer.id)
        case "all peers":
            rig.engine.clear_source(None)
        case "configuration":
            rig.engine.set_endpoint(peer.id, peer.endpoint)
        case "fwmark":
            rig.engine.set_fwmark(0)
        case "new sockets":
            rig.up()
    assert rig.source(peer) == Source(peer.endpoint)
    rig.write(OUT)
    assert peer.open(session).source == ("127.0.0.1", rig.port)


@pytest.mark.parametrize(
    ("host", "local", "ifindex"),
    [
        ("127.0.0.1", socket.inet_aton("192.0.2.99"), 0),
        ("127.0.0.1", b"", 9999),
        ("::1", socket.inet_pton(socket.AF_INET6, "2001:db8::99"), 0),
        ("::1", b"", 9999),
    ],
    ids=["removed address", "gone interface", "removed IPv6 address", "gone interface IPv6"],
)
def test_a_source_that_is_gone_is_forgotten_and_the_packet_sent(
    rig: Rig, host: str, local: bytes, ifindex: int
) -> None:
    peer = rig.add("10.0.0.2/32", host=host)
    session = rig.connect(peer)
    rig.engine.handshake_accepted(peer.id, Source(peer.endpoint, local, ifindex), 92)
    rig.write(OUT, OUT, OUT)
    assert [peer.open(session).counter for _ in range(3)] == [1, 2, 3]
    assert rig.source(peer) == Source(peer.endpoint)
    assert rig.drops(peer) == {}
    assert peer.hears_nothing(), "nothing was sent twice"


def test_a_mark_that_may_not_be_set(rig: Rig) -> None:
    """Raises what the system says, which the control plane tells the user."""

    def set_mark() -> None:
        for capability in (CAP_NET_ADMIN, CAP_NET_RAW):
            give_up(capability)
        rig.engine.set_fwmark(7)

    if os.geteuid() == 0:
        rig.engine.set_fwmark(7)
    with ThreadPoolExecutor(1) as weaker, pytest.raises(PermissionError):
        weaker.submit(set_mark).result()


# What the network refuses.


def test_nobody_listens_there(rig: Rig, peer: FarPeer, session: Session) -> None:
    """An ICMP error is counted, and does not take the place of a later packet to somebody else."""
    other = rig.add("10.0.0.3/32")
    theirs = rig.connect(other, 0x200)
    gone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    gone.bind(("127.0.0.1", 0))
    rig.engine.set_endpoint(peer.id, Endpoint("127.0.0.1", gone.getsockname()[1]))
    gone.close()
    rig.write(OUT)
    rig.wait(lambda: rig.engine.icmp_errors(peer.id))
    rig.write(OUT, ipv4("10.0.0.1", "10.0.0.3"))
    assert other.open(theirs).payload
    rig.settle()
    assert set(rig.engine.icmp_errors(peer.id)) == {errno.ECONNREFUSED}
    assert rig.engine.icmp_errors(other.id) == {}
    assert rig.drops(other) == {}


def test_an_error_that_waits_costs_no_packet(rig: Rig, peer: FarPeer, session: Session) -> None:
    """Many sends in one turn, to a port that refuses and to one that listens."""
    other = rig.add("10.0.0.3/32")
    theirs = rig.connect(other, 0x200)
    gone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    gone.bind(("127.0.0.1", 0))
    rig.engine.set_endpoint(peer.id, Endpoint("127.0.0.1", gone.getsockname()[1]))
    gone.close()
    for _ in range(20):
        rig.engine.send_keepalive(peer.id)
        rig.engine.send_keepalive(other.id)
    for _ in range(20):
        assert other.open(theirs).payload == b""
    assert rig.drops(other) == {}
    assert rig.drops(peer) == {}
    assert sum(rig.engine.icmp_errors(peer.id).values()) == 20


def test_what_cannot_be_sent_is_counted_and_no_more(rig: Rig, peer: FarPeer, session: Session) -> None:
    before = rig.counters(peer).tx_bytes
    rig.engine.set_endpoint(peer.id, Endpoint("255.255.255.255", 9))  # EACCES without SO_BROADCAST.
    rig.write(OUT)
    rig.wait_for_drop(Drop.SEND_ERROR, peer)
    rig.engine.send_handshake(peer.id, bytes(148))
    rig.wait_for_drop(Drop.SEND_ERROR, peer, 2)
    assert rig.counters(peer).tx_bytes == before
    assert rig.engine.take_failure() is None


def test_a_family_without_a_socket(rig: Rig, peer: FarPeer, session: Session) -> None:
    assert rig.sockets is not None
    rig.engine.set_endpoint(peer.id, Endpoint("::ffff:0:1", 9))  # Nowhere.
    rig.engine.send_keepalive(peer.id)
    rig.wait_for_drop(Drop.SEND_ERROR, peer)


# Other sockets, same sessions.


def test_new_sockets_keep_peers_and_keys(rig: Rig, peer: FarPeer, session: Session) -> None:
    old = rig.port
    rig.up()
    assert rig.port != old
    rig.write(OUT)
    opened = peer.open(session)
    assert (opened.payload, opened.source) == (OUT, ("127.0.0.1", rig.port))
    peer.send(session.seal(IN))
    assert rig.read() == IN


def test_the_sockets_before_are_closed(rig: Rig) -> None:
    old = rig.port
    rig.up()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("0.0.0.0", old))  # noqa: S104  # the address the engine had


def test_unconfirmed_keys_survive_new_sockets(rig: Rig, peer: FarPeer) -> None:
    session = Session(5, is_initiator=False)
    rig.engine.install(peer.id, session.keys, Slot.NEXT)
    rig.up()
    peer.send(session.seal(b""))
    assert Notice.NEXT_CONFIRMED in rig.notices(peer)
