"""Our daemon configured by Debian's `wg`: huge configurations, keys set and cleared, refused settings.

Comes in: one daemon in a namespace. Goes out: what `wg show` says afterwards. Rule: `wg` works against us
unchanged and a refused setting leaves what was there (kernel: netns.sh, second half).
"""

import json
from base64 import b64encode

import pytest

from tests.netns.daemon import PROJECT, Daemon, KeyPair, new_preshared_key, subject
from tests.netns.lab import Lab
from tests.netns.namespace import Namespace, run
from tests.netns.traffic import arrives, udp_socket
from tests.netns.wait import until


@pytest.fixture
def namespace(lab: Lab) -> Namespace:
    """A namespace with nothing but a loopback."""
    return lab.namespace()


@pytest.fixture
def daemon(lab: Lab, namespace: Namespace) -> Daemon:
    """A daemon without configuration, its interface down."""
    return lab.start(subject(), namespace)


def some_public_key(number: int) -> str:
    """A public key nobody has the private key of; `number` tells one from another."""
    return b64encode(number.to_bytes(4, "little") + b"\x05" * 28).decode()


def peer_section(number: int, *allowed_ips: str) -> str:
    """A [Peer] section."""
    lines = [f"AllowedIPs = {prefix}" for prefix in allowed_ips]
    return "\n".join(["[Peer]", f"PublicKey = {some_public_key(number)}", *lines, ""])


@pytest.mark.timeout(60)
def test_a_peer_with_130560_allowed_ips(daemon: Daemon) -> None:
    """One set and one get of several megabytes each."""
    prefixes = [f"{a}.{b}.0.0/16,{a}::{b}/128" for a in range(1, 256) for b in range(256)]
    daemon.configure(f"[Interface]\nPrivateKey = {KeyPair.generate().private}\n" + peer_section(1, *prefixes))
    shown = daemon.wg("show", "allowed-ips").split("\t")[1].split()
    assert len(shown) == len(set(shown)) == 255 * 256 * 2


def test_forty_peers_that_take_prefixes_from_each_other(daemon: Daemon) -> None:
    """40 peers with 52 prefixes each; given to the first peer again, they leave the others."""
    sections = [peer_section(a, *(f"{a}.{b}.0.0/16" for b in range(1, 53))) for a in range(1, 41)]
    daemon.configure("".join(sections))
    assert [len(peer.allowed_ips) for peer in daemon.dump().peers.values()] == [52] * 40
    everything = ",".join(f"{a}.{b}.0.0/16" for a in range(1, 41) for b in range(1, 53))
    daemon.set("peer", some_public_key(1), "allowed-ips", everything)
    peers = dict(daemon.dump().peers)
    assert len(peers.pop(some_public_key(1)).allowed_ips) == 40 * 52
    assert {peer.allowed_ips for peer in peers.values()} == {("(none)",)}


def test_thirty_peers_survive_showconf(daemon: Daemon) -> None:
    """What showconf prints sets the same state again."""
    daemon.configure(
        "".join(map(peer_section, range(29))) + peer_section(29, "255.2.3.4/32", "abcd::255/128")
    )
    before = daemon.dump()
    daemon.configure(daemon.wg("showconf"))
    assert daemon.dump() == before
    assert len(before.peers) == 30
    assert before.peers[some_public_key(29)].allowed_ips == ("255.2.3.4/32", "abcd::255/128")


def test_197_allowed_ips_beside_a_peer_without(daemon: Daemon) -> None:
    """The number at which the kernel's replies split."""
    daemon.set("peer", some_public_key(1))
    daemon.set("peer", some_public_key(2), "allowed-ips", ",".join(f"abcd::{i:x}" for i in range(1, 198)))
    peers = daemon.dump().peers
    assert peers[some_public_key(1)].allowed_ips == ("(none)",)
    assert len(peers[some_public_key(2)].allowed_ips) == 197


def test_an_unknown_interface_is_an_error() -> None:
    """`wg show` of a name nobody has."""
    assert run("wg", "show", "wt-nobody", check=False).returncode != 0


def test_keys_are_set_and_cleared(daemon: Daemon) -> None:
    """A private key and a preshared key, then neither."""
    key, peer, psk = KeyPair.generate(), some_public_key(1), new_preshared_key()
    daemon.configure(
        f"[Interface]\nPrivateKey = {key.private}\n[Peer]\nPublicKey = {peer}\nPresharedKey = {psk}\n"
    )
    state = daemon.dump()
    assert (state.private_key, state.public_key, state.peers[peer].preshared_key) == (
        key.private,
        key.public,
        psk,
    )
    daemon.set("private-key", "/dev/null", "peer", peer, "preshared-key", "/dev/null")
    state = daemon.dump()
    assert (state.private_key, state.peers[peer].preshared_key) == ("(none)", "(none)")


def test_our_own_public_key_is_never_a_peer(daemon: Daemon) -> None:
    """A peer whose key becomes ours goes, one with our key never comes; with another key of ours it may."""
    first, second = KeyPair.generate(), KeyPair.generate()
    daemon.set("peer", first.public)
    daemon.set("private-key", "/dev/stdin", text=first.private)
    assert daemon.wg("show", "public-key").strip() == first.public
    assert not daemon.dump().peers
    daemon.set("peer", first.public, "allowed-ips", "10.0.0.0/8")
    assert not daemon.dump().peers
    daemon.set("private-key", "/dev/stdin", text=second.private)
    daemon.set("peer", first.public)
    assert list(daemon.dump().peers) == [first.public]


def test_private_keys_are_clamped(daemon: Daemon) -> None:
    """The key comes back as X25519 uses it (RFC 7748): low 3 bits and top bit cleared, the next one set."""
    daemon.set("private-key", "/dev/stdin", text=b64encode(b"\xff" * 32).decode())
    assert daemon.dump().private_key == b64encode(b"\xf8" + b"\xff" * 30 + b"\x7f").decode()


@pytest.mark.parametrize(
    ("overlapping", "left"),
    [
        ("0.0.0.0/0,10.0.0.0/8,100.0.0.0/10,172.16.0.0/12,192.168.0.0/16", "0.0.0.0/0"),
        ("::/0,1700::/111,5000::/4,e000::/37,9000::/75", "::/0"),
    ],
    ids=["ipv4", "ipv6"],
)
def test_overlapping_allowed_ips(daemon: Daemon, overlapping: str, left: str) -> None:
    """Prefixes within prefixes are kept, and all of them replaced by the next list."""
    peer = some_public_key(1)
    daemon.set("peer", peer, "allowed-ips", overlapping)
    assert set(daemon.peer(peer).allowed_ips) == set(overlapping.split(","))
    daemon.set("peer", peer, "allowed-ips", left)
    assert daemon.peer(peer).allowed_ips == (left,)
    daemon.set("peer", peer, "remove")
    assert not daemon.dump().peers


def test_low_order_public_keys_send_nothing(namespace: Namespace, daemon: Daemon) -> None:
    """Peers whose shared secret would be all zeros can be set, but nothing is ever sent to them."""
    points = json.loads((PROJECT / "vectors" / "low_order_points.json").read_text())["points"]
    daemon.set("private-key", "/dev/stdin", text=KeyPair.generate().private)
    with udp_socket(namespace, "127.0.0.1", 1111) as listener:
        to_listener = ("persistent-keepalive", "1", "endpoint", "127.0.0.1:1111")
        for point in points:
            daemon.set("peer", b64encode(bytes.fromhex(point)).decode(), *to_listener)
        assert len(daemon.dump().peers) == 7
        namespace.ip("link", "set", daemon.interface, "up")
        assert arrives(listener, within=2.5) is None
        daemon.set("peer", KeyPair.generate().public, *to_listener)
        initiation = arrives(listener, within=10)
        assert initiation is not None, "an honest key is sent an initiation: this test can fail"
        assert len(initiation) == 148


def test_a_port_in_use_is_refused_and_the_old_one_stays(namespace: Namespace, daemon: Daemon) -> None:
    """`wg set listen-port` says so while the interface is up; peers still reach us at the old port."""
    daemon.set(
        "private-key",
        "/dev/stdin",
        text=KeyPair.generate().private,
    )
    daemon.set("listen-port", "7001")
    namespace.ip("link", "set", daemon.interface, "up")
    assert_soon_bound(namespace, 7001, 2)
    with udp_socket(namespace, "127.0.0.1", 7002):
        output = daemon.wg("set", "listen-port", "7002", check=False)
        assert "Address already in use" in output
        assert families_bound(namespace, 7001) == 2
    daemon.set("listen-port", "7002")
    assert daemon.dump().listen_port == 7002
    assert families_bound(namespace, 7002) == 2
    assert families_bound(namespace, 7001) == 0


def test_a_port_in_use_at_link_up_is_logged_and_tried_again(namespace: Namespace, daemon: Daemon) -> None:
    """The port is taken when the link comes up: one line names it, and the next link change takes it."""
    daemon.set("listen-port", "7003")
    with udp_socket(namespace, "127.0.0.1", 7003):
        namespace.ip("link", "set", daemon.interface, "up")
        until(lambda: "7003" in daemon.log(), "the log names the port", seconds=10)
        assert daemon.process.poll() is None
    namespace.ip("link", "set", daemon.interface, "down")
    namespace.ip("link", "set", daemon.interface, "up")
    assert_soon_bound(namespace, 7003, 2)


def families_bound(namespace: Namespace, port: int) -> int:
    """In how many families somebody has that UDP port; this looks, and does not bind in anybody's way."""
    tables = [namespace.run("cat", f"/proc/net/{name}").stdout for name in ("udp", "udp6")]
    return sum(
        any(line.split()[1].endswith(f":{port:04X}") for line in table.splitlines()[1:]) for table in tables
    )


def test_nothing_listens_while_the_link_is_down(namespace: Namespace, daemon: Daemon) -> None:
    """A listen port is only noted until the link comes up, and given back when it goes down."""
    daemon.set("listen-port", "7004")
    assert families_bound(namespace, 7004) == 0
    for state, families in (("up", 2), ("down", 0), ("up", 2)):
        namespace.ip("link", "set", daemon.interface, state)
        assert_soon_bound(namespace, 7004, families)


def assert_soon_bound(namespace: Namespace, port: int, families: int) -> None:
    """That many families have the port once the daemon has noticed what became of its link."""
    until(lambda: families_bound(namespace, port) == families, f"{port} is open in {families}", seconds=10)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fwmark", "0x1ffffffff"), "fwmark"),
        (("peer", "tooshort"), "Key is not the correct length or format"),
        (("peer", "@", "endpoint", "192.0.2.1"), "port"),
        (("peer", "@", "allowed-ips", "10.0.0.0/33"), "10.0.0.0/33"),
    ],
)
def test_refused_settings_leave_the_rest_alone(daemon: Daemon, arguments: tuple[str, ...], said: str) -> None:
    """`wg` itself refuses these; what was set before is still there."""
    peer = some_public_key(1)
    daemon.set("peer", peer, "allowed-ips", "10.0.0.0/8")
    before = daemon.dump()
    filled = [peer if word == "@" else word for word in arguments]
    assert said.lower() in daemon.wg("set", *filled, check=False).lower()
    assert daemon.dump() == before
