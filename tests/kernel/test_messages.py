"""Messages of the kernel's WireGuard: read as a kernel wrote them, written as an independent library reads.

Comes in: a recorded listing, any change, any state. Rules shown: what is divided over messages comes together
again; no bytes make the reader fail otherwise than by its own error.
"""

import random
import socket
import struct
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pyroute2.netlink.generic.wireguard import wgmsg

from pywg.endpoint import Endpoint
from pywg.kernel.messages import MAX_BODY, MalformedStateError, change_bodies, get_body, read_state
from pywg.show.conf import showconf
from pywg.show.fields import field_text
from pywg.uapi.model import DeviceChange, DeviceState, PeerChange, PeerState, PrefixChange
from tests.uapi.strategies import device_changes, device_states
from tests.vectors import load

RECORDED = load("kernel_device")
BODIES = [bytes.fromhex(body) for body in RECORDED["bodies"]]
KEY, SECRET = b"\1" * 32, b"\xa7" * 32


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


# --- what the kernel tells


def test_a_recorded_listing() -> None:
    """As `wg` read it on the machine where it was recorded; one peer goes on in a second message."""
    assert len(BODIES) > 1
    state = read_state(BODIES)
    assert len({peer.public_key for peer in state.peers}) == len(state.peers) == 4
    assert field_text("dump", state) == RECORDED["dump"]
    assert showconf(state) == RECORDED["showconf"]
    assert [bool(peer.last_handshake_ns) for peer in state.peers] == [False, False, False, True]


def told_prefix(prefix: IPv4Network | IPv6Network) -> bytes:
    family = socket.AF_INET if prefix.version == 4 else socket.AF_INET6
    return attribute(
        0x8000,
        attribute(1, struct.pack("=H", family))
        + attribute(3, struct.pack("=B", prefix.prefixlen))
        + attribute(2, prefix.network_address.packed),
    )


def told_endpoint(endpoint: Endpoint) -> bytes:
    address = socket.inet_pton(socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET, endpoint.host)
    if not endpoint.is_ipv6:
        return struct.pack("=H", socket.AF_INET) + struct.pack(">H", endpoint.port) + address + bytes(8)
    start = struct.pack("=H", socket.AF_INET6) + struct.pack(">HI", endpoint.port, 7)
    return start + address + struct.pack("=I", endpoint.scope_id)


def told_peer(peer: PeerState) -> bytes:
    """A peer's attributes but its allowed IPs."""
    content = attribute(1, peer.public_key) + attribute(2, peer.preshared_key)
    content += attribute(6, struct.pack("=qq", *divmod(peer.last_handshake_ns, 10**9)))
    content += attribute(5, struct.pack("=H", peer.persistent_keepalive_interval))
    content += attribute(0, b"")  # padding, as some machines have before numbers of 64 bits
    content += attribute(8, struct.pack("=Q", peer.tx_bytes)) + attribute(7, struct.pack("=Q", peer.rx_bytes))
    content += attribute(10, struct.pack("=I", 1))  # the protocol's version
    if peer.endpoint is not None:
        content += attribute(4, told_endpoint(peer.endpoint))
    return content


def listing(state: DeviceState, choice: random.Random) -> Iterator[bytes]:
    """What a kernel could answer: divided wherever the dice say."""
    start = attribute(1, struct.pack("=I", 5)) + attribute(2, b"wg0\0")
    device = attribute(3, state.private_key) + attribute(4, bytes(32))
    device += attribute(6, struct.pack("=H", state.listen_port)) + attribute(
        7, struct.pack("=I", state.fwmark)
    )
    peers = b""
    for peer in state.peers:
        content, prefixes = told_peer(peer), b""
        for prefix in peer.allowed_ips:
            if choice.random() < 0.3:
                yield (
                    start
                    + device
                    + attribute(0x8008, peers + attribute(0x8000, content + attribute(0x8009, prefixes)))
                )
                device, peers, content, prefixes = b"", b"", attribute(1, peer.public_key), b""
            prefixes += told_prefix(prefix)
        peers += attribute(0x8000, content + attribute(0x8009, prefixes))
        if choice.random() < 0.3:
            yield start + device + attribute(0x8008, peers)
            device, peers = b"", b""
    yield start + device + (attribute(0x8008, peers) if peers else b"")


@given(device_states, st.randoms(use_true_random=False))
def test_any_state_divided_anywhere(state: DeviceState, choice: random.Random) -> None:
    assume(len({peer.public_key for peer in state.peers}) == len(state.peers))
    assert read_state(listing(state, choice)) == state


def test_a_device_without_anything() -> None:
    assert read_state([attribute(2, b"wg0\0")]) == DeviceState()


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_any_bytes_are_read_or_refused(bodies: list[bytes]) -> None:
    try_to_read(bodies)


@given(st.data())
def test_a_listing_with_changed_bytes_is_read_or_refused(data: st.DataObject) -> None:
    body = bytearray(BODIES[0])
    for offset in data.draw(st.lists(st.integers(0, 400), max_size=4)):
        body[offset] = data.draw(st.integers(0, 255))
    try_to_read([bytes(body), BODIES[1]])


def try_to_read(bodies: list[bytes]) -> None:
    with suppress(MalformedStateError):
        assert isinstance(read_state(bodies), DeviceState)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "a key of 0 bytes"),
        (attribute(1, KEY[:31]), "a key of 31 bytes"),
        (attribute(1, KEY) + attribute(4, bytes(16)), "an endpoint of 16 bytes and address family 0"),
        (attribute(1, KEY) + attribute(4, b"\2"), "an endpoint of 1 bytes and address family None"),
        (attribute(1, KEY) + attribute(6, bytes(8)), "a time of 8 bytes"),
        (attribute(1, KEY) + attribute(7, bytes(4)), "a number of 4 bytes; expected 8"),
        (
            attribute(1, KEY) + attribute(9, attribute(0, attribute(1, b"\2\0"))),
            "family 2, 0 bytes, prefix length 0",
        ),
        (
            attribute(1, KEY)
            + attribute(9, attribute(0, attribute(1, b"\2\0") + attribute(2, bytes(4)) + attribute(3, b"!"))),
            "family 2, 4 bytes, prefix length 33",
        ),
    ],
)
def test_what_is_malformed_is_named(content: bytes, problem: str) -> None:
    with pytest.raises(MalformedStateError, match=problem):
        read_state([attribute(8, attribute(0, content))])


# --- what we ask of it


def as_read_by_pyroute2(body: bytes) -> dict[str, Any]:
    """Device attributes without WGDEVICE_A_."""
    data = struct.pack("=IHHIIBBxx", 20 + len(body), 30, 5, 1, 0, 1, 1) + body
    message = wgmsg(data)
    message.decode()
    return {name.removeprefix("WGDEVICE_A_"): value for name, value in message["attrs"]}


def peer_as_read_by_pyroute2(read: Any) -> dict[str, Any]:
    return {name.removeprefix("WGPEER_A_"): value for name, value in read["attrs"]}


def all_peers(bodies: list[bytes]) -> list[dict[str, Any]]:
    return [
        peer_as_read_by_pyroute2(peer)
        for body in bodies
        for peer in as_read_by_pyroute2(body).get("PEERS", [])
    ]


def check_peer(read: dict[str, Any], peer: PeerChange) -> None:
    """A peer as pyroute2 reads it says what the change says; it has fewer allowed IPs than a fragment."""
    assert b64decode(read.pop("PUBLIC_KEY")) == peer.public_key
    flags = read.pop("FLAGS", 0)
    if peer.remove:
        assert (flags, read) == (1, {})
        return
    assert flags == 2 * peer.replace_allowed_ips + 4 * peer.update_only
    psk = read.pop("PRESHARED_KEY", None)
    assert (psk and b64decode(psk)) == peer.preshared_key
    assert read.pop("PERSISTENT_KEEPALIVE_INTERVAL", None) == peer.persistent_keepalive_interval
    endpoint = read.pop("ENDPOINT", None)
    if peer.endpoint is None:
        assert endpoint is None
    else:
        assert (ip_address(endpoint["addr"]).packed, endpoint["port"]) == (
            peer.endpoint.address,
            peer.endpoint.port,
        )
        # pyroute2 takes the scope for big-endian; in struct sockaddr_in6 it is not.
        assert socket.ntohl(endpoint.get("scope_id", 0)) == peer.endpoint.scope_id
    check_prefixes(read.pop("ALLOWEDIPS", []), peer.allowed_ips)
    assert not read


def check_prefixes(read: list[Any], expected: tuple[PrefixChange, ...]) -> None:
    assert [ip_network(each["addr"]) for each in read] == [step.prefix for step in expected]
    # The flags are newer than pyroute2: it keeps their attribute, but not what is in it.
    assert [len(each["attrs"]) for each in read] == [3 + step.remove for step in expected]


@given(device_changes, st.sampled_from([1, 200, 500, MAX_BODY]))
def test_any_change_is_read_by_pyroute2_as_it_was_meant(change: DeviceChange, limit: int) -> None:
    bodies = list(change_bodies("wg0", change, limit=limit))
    first, *others = map(as_read_by_pyroute2, bodies)
    expected = {
        "IFNAME": "wg0",
        "PRIVATE_KEY": change.private_key,
        "LISTEN_PORT": change.listen_port,
        "FWMARK": change.fwmark,
        "FLAGS": 1 if change.replace_peers else None,
    }
    told = {
        name: b64decode(value) if name == "PRIVATE_KEY" else value
        for name, value in first.items()
        if name != "PEERS"
    }
    assert told == {name: value for name, value in expected.items() if value is not None}
    assert all(set(other) == {"IFNAME", "PEERS"} for other in others)
    peers = all_peers(bodies)
    assert len(peers) == len(change.peers)
    for read, peer in zip(peers, change.peers, strict=True):
        check_peer(read, peer)
    if limit == 1:
        assert len(bodies) == max(1, len(change.peers))


def test_a_peer_with_many_allowed_ips_is_continued() -> None:
    """All else is told once, but update_only with each part: without, the second would add the peer."""
    prefixes = [PrefixChange(IPv4Network((n << 8, 24))) for n in range(3000)]
    peer = PeerChange(
        KEY,
        update_only=True,
        replace_allowed_ips=True,
        preshared_key=SECRET,
        persistent_keepalive_interval=5,
        allowed_ips=tuple(prefixes),
    )
    bodies = list(change_bodies("wg0", DeviceChange(replace_peers=True, listen_port=1, peers=(peer,))))
    assert len(bodies) > 1
    assert max(map(len, bodies)) <= MAX_BODY
    first, *others = all_peers(bodies)
    assert first["FLAGS"] == 6
    assert all(
        set(other) == {"PUBLIC_KEY", "FLAGS", "ALLOWEDIPS"} and other["FLAGS"] == 4 for other in others
    )
    read = [prefix["addr"] for part in (first, *others) for prefix in part["ALLOWEDIPS"]]
    assert read == [str(step.prefix) for step in prefixes]
    assert "FLAGS" not in as_read_by_pyroute2(bodies[1])


def test_thousands_of_peers_take_many_messages_of_bounded_size() -> None:
    peers = tuple(PeerChange(n.to_bytes(32), preshared_key=SECRET) for n in range(5000))
    bodies = list(change_bodies("wg0", DeviceChange(peers=peers)))
    assert max(map(len, bodies)) <= MAX_BODY
    assert [b64decode(peer["PUBLIC_KEY"]) for peer in all_peers(bodies)] == [
        peer.public_key for peer in peers
    ]


def test_removal_of_an_allowed_ip() -> None:
    """WGALLOWEDIP_A_FLAGS = 4 with WGALLOWEDIP_F_REMOVE_ME = 1: linux/wireguard.h since 6.16."""
    step = PrefixChange(IPv4Network("10.0.0.0/8"), remove=True)
    (body,) = change_bodies("wg0", DeviceChange(peers=(PeerChange(KEY, allowed_ips=(step,)),)))
    assert body.endswith(attribute(3, b"\x08") + attribute(4, struct.pack("=I", 1)))


def test_the_question() -> None:
    assert get_body("wg0") == attribute(2, b"wg0\0")
