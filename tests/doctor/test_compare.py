"""What a file has otherwise than its interface, and what its hooks are there for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pywg.base64_key import key_from_base64, key_to_base64
from pywg.config.change import setconf_change
from pywg.config.model import Hooks, HostPort, WgConfig
from pywg.config.parse import parse_quick
from pywg.doctor.compare import first_difference
from pywg.doctor.hooks import configure_the_interface, forwarded_versions
from pywg.endpoint import Endpoint
from pywg.protocol.static_key import clamp, public_key
from pywg.uapi.model import DeviceState, PeerState
from tests.config.corpus import OTHER, PEER, PRIVATE, PSK

INTERFACE = f"[Interface]\nPrivateKey = {PRIVATE}\n"
FULL = (
    f"{INTERFACE}ListenPort = 51820\nFwMark = 0x10\nAddress = 10.0.0.1/24\n"
    f"[Peer]\nPublicKey = {PEER}\nAllowedIPs = 10.0.0.2/32, fd00::2/128\nEndpoint = [2001:DB8::2]:5\n"
    f"[Peer]\nPublicKey = {OTHER}\nAllowedIPs = 10.0.0.3/32\nEndpoint = vpn.example:5\n"
    f"PresharedKey = {PSK}\nPersistentKeepalive = 25\n"
)
FIRST, SECOND = "peer(xTIB...p8Dg)", "peer(TrMv...WXX0)"
KEY_OF_ONE = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
ELSEWHERE = Endpoint("203.0.113.9", 9)


def read(text: str) -> WgConfig:
    return parse_quick(text, Path("/etc/wireguard/wg0.conf"), "wg0").wg


def made_of(text: str) -> DeviceState:
    """What `up` makes of a file: names resolve to `ELSEWHERE`, and of each prefix its last peer has it."""

    def resolve(written: HostPort) -> Endpoint:
        return ELSEWHERE if written.host == "vpn.example" else Endpoint.parse(str(written))

    change = setconf_change(read(text), resolve)
    peers = [
        PeerState(
            peer.public_key,
            peer.preshared_key or bytes(32),
            peer.endpoint,
            persistent_keepalive_interval=peer.persistent_keepalive_interval or 0,
            allowed_ips=tuple(one.prefix for one in peer.allowed_ips),
        )
        for peer in change.peers
    ]
    return DeviceState(
        clamp(change.private_key or b""), change.listen_port or 40000, change.fwmark or 0, tuple(peers)
    )


STATE = made_of(FULL)


def with_peer(number: int, **more: Any) -> DeviceState:
    peers = list(STATE.peers)
    peers[number] = replace(peers[number], **more)
    return replace(STATE, peers=tuple(peers))


def test_an_interface_as_its_file_made_it() -> None:
    assert first_difference(read(FULL), STATE) == ""
    bare = f"{INTERFACE}[Peer]\nPublicKey = {PEER}\n"
    assert first_difference(read(bare), replace(made_of(bare), fwmark=51820)) == "", (
        "what up adds is no difference"
    )


def test_a_peer_that_roamed_is_where_it_was_heard() -> None:
    roamed = with_peer(0, endpoint=ELSEWHERE, last_handshake_ns=1, rx_bytes=92)
    assert first_difference(read(FULL), roamed) == ""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("ListenPort = 51820", "ListenPort = 51821", "the file has ListenPort 51821, the interface 51820"),
        ("FwMark = 0x10", "FwMark = 0", "the file has FwMark 0x0, the interface 0x10"),
        (
            "10.0.0.2/32",
            "10.0.0.2/32, 10.0.0.9/32",
            f"the file gives {FIRST} the allowed IPs 10.0.0.9/32, the interface does not",
        ),
        (
            "10.0.0.2/32, ",
            "",
            f"the interface gives {FIRST} the allowed IPs 10.0.0.2/32, the file does not",
        ),
        (
            "DB8::2]:5",
            "DB8::2]:6",
            f"the file has Endpoint [2001:db8::2]:6 for {FIRST}, the interface [2001:db8::2]:5",
        ),
        (
            "PersistentKeepalive = 25\n",
            "",
            f"the file has PersistentKeepalive 0 for {SECOND}, the interface 25",
        ),
        (
            f"PresharedKey = {PSK}\n",
            "",
            f"the interface has a PresharedKey for {SECOND}, the file has none",
        ),
        (
            "Endpoint = [2001:DB8::2]:5\n",
            f"PresharedKey = {PSK}\n",
            f"the file has a PresharedKey for {FIRST}, the interface has none",
        ),
        (PRIVATE, PSK, "the file has another PrivateKey"),
        (PEER, KEY_OF_ONE, "the file has peer(AAAA...AAAE) in line 6, the interface has not"),
    ],
)
def test_the_first_difference_is_named(old: str, new: str, says: str) -> None:
    assert FULL.count(old) == 1
    assert first_difference(read(FULL.replace(old, new)), STATE) == says


def test_a_peer_the_file_has_no_more() -> None:
    without = FULL[: FULL.index(f"[Peer]\nPublicKey = {OTHER}")]
    assert first_difference(read(without), STATE) == f"the interface has {SECOND}, the file has not"


def test_our_own_key_as_peer_is_missed_by_nobody() -> None:
    own = key_to_base64(public_key(key_from_base64(PRIVATE)))
    assert first_difference(read(f"{FULL}[Peer]\nPublicKey = {own}\n"), STATE) == ""


def test_a_prefix_at_two_peers_is_the_last_ones() -> None:
    twice = FULL + "AllowedIPs = 10.0.0.2/32\n"
    first, second = STATE.peers
    here = replace(
        STATE,
        peers=(
            replace(first, allowed_ips=first.allowed_ips[1:]),
            replace(second, allowed_ips=second.allowed_ips + first.allowed_ips[:1]),
        ),
    )
    assert first_difference(read(twice), here) == ""


@pytest.mark.parametrize(
    ("hook", "versions"),
    [
        ("iptables -A FORWARD -i %i -j ACCEPT; iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE", {4}),
        ("ip6tables -t nat -A POSTROUTING -o eth0 -j MASQUERADE", {6}),
        ("iptables -A FORWARD -i %i -j ACCEPT && ip6tables -A FORWARD -i %i -j ACCEPT", {4, 6}),
        ("nft add rule ip nat postrouting oifname eth0 masquerade", {4}),
        ("sysctl -w net.ipv4.ip_forward=1", {4}),
        ("sysctl -w net.ipv6.conf.all.forwarding=1", {6}),
        ("iptables -I OUTPUT ! -o %i -m mark ! --mark 51820 -j REJECT", set()),
        ("iptables -I FORWARD -o eth0 -j DROP", set()),
        ("resolvectl domain %i ~.", set()),
    ],
)
def test_hooks_that_forward(hook: str, versions: set[int]) -> None:
    assert forwarded_versions(Hooks(post_up=(hook,))) == versions
    assert not configure_the_interface(Hooks(post_up=(hook,)))


@pytest.mark.parametrize("hook", ["wg set %i private-key /etc/key", "true; pywg addconf %i <(cat more)"])
def test_hooks_that_configure(hook: str) -> None:
    assert configure_the_interface(Hooks(post_up=(hook,)))
