"""pywg against the WireGuard of the Linux kernel, in both roles.

Comes in: a guest with Debian's kernel, booted once for this module. Goes out: pings, TCP with a hash at both
ends, roaming of either side. Rule: the kernel is the reference; what it does not accept is wrong.
"""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.interop.guest import Guest, find_kernel
from tests.needs import need
from tests.netns.daemon import new_preshared_key, subject
from tests.netns.lab import PORT, End, Lab, Party, endpoint, side
from tests.netns.namespace import Namespace
from tests.netns.traffic import Receiver, Sender, assert_pings, ping
from tests.netns.wait import until

BIG = 20_000_000
SMALL = 1_000_000
TRANSFER_SECONDS = 40.0
US, KERNEL = "we-initiate", "kernel-initiates"


@dataclass(slots=True)
class KernelHost:
    """The guest and the namespace its network card is in."""

    guest: Guest
    namespace: Namespace


@pytest.fixture(scope="module")
def kernel_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelHost]:
    """A booted guest with an outside address in each family, joined to a namespace with the others."""
    need("qemu-system-x86_64", "busybox", "modprobe", "ldd")
    if find_kernel() is None:
        need("/boot/vmlinuz-*-cloud-amd64 (package linux-image-cloud-amd64)")
    directory = tmp_path_factory.mktemp("guest")
    with Lab(directory) as lab:
        namespace = lab.namespace()
        namespace.ip("tuntap", "add", "mode", "tap", "name", "tap0")
        namespace.ip("link", "set", "tap0", "up")
        started = time.monotonic()
        with Guest.boot(namespace, directory, "tap0") as guest:
            print(f"guest booted in {time.monotonic() - started:.1f} s: {guest.run('uname -rv')}")
            for scope in ("eth0", "default"):
                guest.run(f"echo 0 > /proc/sys/net/ipv6/conf/{scope}/accept_dad")
            guest.run("echo 1 > /proc/sys/net/ipv4/conf/all/promote_secondaries")
            for ours, theirs, bits in (
                (side(1).outer4, side(2).outer4, 24),
                (side(1).outer6, side(2).outer6, 64),
            ):
                namespace.ip("address", "add", f"{ours}/{bits}", "dev", "tap0")
                guest.run(f"ip address add {theirs}/{bits} dev eth0")
            guest.run("ip link set eth0 up")
            yield KernelHost(guest, namespace)


@dataclass(slots=True, kw_only=True)
class KernelEnd(Party):
    """The guest's end of a tunnel: interface wg0."""

    guest: Guest

    def configure(self, config: str) -> None:
        """Make wg0 anew with the text of a configuration file, and set it up."""
        encoded = base64.b64encode(config.encode()).decode()
        self.guest.run("ip link delete wg0", check=False)
        self.guest.run("ip link add wg0 type wireguard")
        self.guest.run(f"echo {encoded} | base64 -d > /tmp/wg0.conf; wg setconf wg0 /tmp/wg0.conf")
        for address in (f"{self.addresses.inner4}/24", f"{self.addresses.inner6}/64"):
            self.guest.run(f"ip address add {address} dev wg0")
        self.guest.run("ip link set wg0 up")

    def show(self, field: str) -> str:
        """The only peer's value in ``wg show wg0 FIELD``."""
        return self.guest.run(f"wg show wg0 {field}").split("\t")[1].strip()


@dataclass(slots=True)
class KernelTunnel:
    """Our end and the kernel's."""

    ours: End
    theirs: KernelEnd

    def transfer_to_kernel(self, size: int, inner: int) -> None:
        """Send `size` bytes over TCP into the guest; both hashes are equal."""
        guest, address = self.theirs.guest, self.theirs.addresses.inner(inner)
        guest.run("nc -l -p 5001 | sha256sum > /tmp/received & true")
        guest.run("until netstat -ltn | grep -q :5001; do sleep 0.1; done")
        with Sender(self.ours.namespace, address, 5001, size) as sender:
            sent = sender.end(TRANSFER_SECONDS)
        assert guest.run("wait; cat /tmp/received", timeout=TRANSFER_SECONDS).split()[0] == sent.sha256
        print(f"{size} bytes to the kernel: {size * 8 / sent.seconds / 1e6:.0f} Mbit/s")

    def transfer_from_kernel(self, size: int, inner: int) -> None:
        """Send `size` bytes over TCP out of the guest; both hashes are equal."""
        guest, address = self.theirs.guest, self.ours.addresses.inner(inner)
        guest.run(f"head -c {size} /dev/urandom > /tmp/noise")
        with Receiver(self.ours.namespace, address, 5002) as receiver:
            guest.run(f"nc {address} 5002 < /tmp/noise", timeout=TRANSFER_SECONDS)
            received = receiver.end(TRANSFER_SECONDS)
        assert received.size == size
        assert guest.run("sha256sum /tmp/noise").split()[0] == received.sha256
        print(f"{size} bytes from the kernel: {size * 8 / received.seconds / 1e6:.0f} Mbit/s")


def build(
    lab: Lab, host: KernelHost, who_initiates: str, outer: int, preshared_key: str | None
) -> KernelTunnel:
    """A tunnel of which only the initiator knows where the other end is."""
    ours = lab.end(subject(), host.namespace, 1)
    theirs = KernelEnd(guest=host.guest, addresses=side(2))
    we_initiate = who_initiates == US
    ours.daemon.configure(
        ours.interface_section()
        + theirs.peer_section(
            endpoint=theirs.endpoint(outer) if we_initiate else None, preshared_key=preshared_key
        )
    )
    theirs.configure(
        theirs.interface_section()
        + ours.peer_section(
            endpoint=None if we_initiate else ours.endpoint(outer), preshared_key=preshared_key
        )
    )
    ours.up()
    return KernelTunnel(ours, theirs)


def guest_pings(tunnel: KernelTunnel, inner: int, count: int = 4) -> None:
    """The guest pings us without loss."""
    address = tunnel.ours.addresses.inner(inner)
    output = tunnel.theirs.guest.run(f"ping -c {count} -i 0.1 -W 2 {address}", check=False)
    assert f"{count} packets received" in output, output


@dataclass(frozen=True, slots=True)
class Case:
    """One way to build the tunnel, and how much goes through it each way."""

    who_initiates: str
    outer: int
    has_psk: bool
    size: int

    def __str__(self) -> str:
        psk = "psk" if self.has_psk else "no-psk"
        return f"{self.who_initiates}-outer{self.outer}-{psk}-{self.size // 1_000_000}MB"


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "case",
    [
        Case(US, 4, has_psk=True, size=BIG),
        Case(KERNEL, 6, has_psk=False, size=BIG),
        Case(US, 6, has_psk=False, size=SMALL),
        Case(KERNEL, 4, has_psk=True, size=SMALL),
    ],
    ids=str,
)
def test_ping_and_tcp(lab: Lab, kernel_host: KernelHost, case: Case) -> None:
    """Pings in both families, TCP each way, one handshake that both ends know of."""
    outer, psk = case.outer, new_preshared_key() if case.has_psk else None
    tunnel = build(lab, kernel_host, case.who_initiates, outer, psk)
    ours, theirs = tunnel.ours, tunnel.theirs
    if case.who_initiates == US:
        assert_pings(ours.namespace, theirs.addresses.inner4, count=4)
    else:
        guest_pings(tunnel, 4)
    guest_pings(tunnel, 6)
    assert_pings(ours.namespace, theirs.addresses.inner6, count=4)
    tunnel.transfer_to_kernel(case.size, inner=outer)
    tunnel.transfer_from_kernel(case.size, inner=10 - outer)
    peer = ours.daemon.peer(theirs.keys.public)
    assert peer.endpoint == endpoint(theirs.addresses.outer(outer), PORT)
    assert theirs.show("endpoints") == ours.endpoint(outer)
    assert peer.latest_handshake > 0
    assert abs(int(theirs.show("latest-handshakes")) - peer.latest_handshake) <= 2


@pytest.mark.timeout(60)
def test_another_preshared_key_is_refused(lab: Lab, kernel_host: KernelHost) -> None:
    """With a preshared key on our side alone there is no session."""
    tunnel = build(lab, kernel_host, US, 4, None)
    peer = tunnel.theirs.keys.public
    tunnel.ours.daemon.set("peer", peer, "preshared-key", "/dev/stdin", text=new_preshared_key())
    assert ping(tunnel.ours.namespace, tunnel.theirs.addresses.inner4, count=2, wait=1).received == 0
    assert tunnel.ours.daemon.peer(peer).latest_handshake == 0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("outer", [4, 6], ids=["outer4", "outer6"])
def test_roaming(lab: Lab, kernel_host: KernelHost, outer: int) -> None:
    """First the guest moves, then we do; each time the end that stays follows the first packet."""
    tunnel = build(lab, kernel_host, US, outer, None)
    ours, theirs, guest = tunnel.ours, tunnel.theirs, kernel_host.guest
    assert_pings(ours.namespace, theirs.addresses.inner4, count=1)
    moved, bits = (("192.0.2.%d", 24), ("2001:db8::%x", 64))[outer == 6]
    old_theirs, new_theirs = theirs.addresses.outer(outer), moved % 22
    old_ours, new_ours = ours.addresses.outer(outer), moved % 21

    guest.run(f"ip address add {new_theirs}/{bits} dev eth0; ip address delete {old_theirs}/{bits} dev eth0")
    try:
        guest_pings(tunnel, 4, count=1)
        assert ours.daemon.peer(theirs.keys.public).endpoint == endpoint(new_theirs, PORT)
        ours.namespace.ip("address", "add", f"{new_ours}/{bits}", "dev", "tap0")
        ours.namespace.ip("address", "delete", f"{old_ours}/{bits}", "dev", "tap0")
        assert_pings(ours.namespace, theirs.addresses.inner6, count=1)
        until(lambda: theirs.show("endpoints") == endpoint(new_ours, PORT), "the kernel follows", seconds=10)
    finally:
        guest.run(
            f"ip address add {old_theirs}/{bits} dev eth0; ip address delete {new_theirs}/{bits} dev eth0"
        )
        ours.namespace.ip("address", "replace", f"{old_ours}/{bits}", "dev", "tap0")
        ours.namespace.ip("address", "delete", f"{new_ours}/{bits}", "dev", "tap0", check=False)
