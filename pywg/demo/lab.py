"""Two network namespaces joined by a veth pair, through pyroute2.

In: names and addresses. Out: links, addresses and their removal, each said before it is done. pyroute2's
synchronous classes refuse to work inside a running event loop, so nothing here is called from one.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from pyroute2 import IPRoute, NetlinkError, netns

from pywg.demo import processes
from pywg.demo.children import held_back
from pywg.demo.processes import ProcessId
from pywg.demo.say import DemoError
from pywg.protocol.constants import DEFAULT_MTU

NAMESPACES = Path("/var/run/netns")
LISTEN_PORT = 51820


@dataclass(frozen=True, slots=True)
class End:
    """One of the two ends."""

    namespace: str
    wire: IPv4Interface
    """Address on the veth pair, the physical path (RFC 5737, TEST-NET-1)."""
    device: str
    """WireGuard interface. The two differ, for UAPI sockets of all namespaces lie in one directory."""
    inner: IPv4Interface
    """Address inside the tunnel."""

    @property
    def path(self) -> Path:
        return NAMESPACES / self.namespace


class Lab:
    """The two ends. `create` makes them, `remove` takes away whatever of them exists."""

    WIRE = "veth0"

    def __init__(
        self, say: Callable[[str], None], *, prefix: str = "pywg-demo", tag: str | None = None
    ) -> None:
        """`tag`: that of a laboratory which exists already; without it a new one is drawn."""
        self.say = say
        self.tag = tag or secrets.token_hex(2)
        self.ends = (self._end(prefix, 1), self._end(prefix, 2))

    def _end(self, prefix: str, number: int) -> End:
        return End(
            namespace=f"{prefix}-{self.tag}-{number}",
            wire=IPv4Interface(f"192.0.2.{number}/24"),
            device=f"wg{number}-{self.tag}",
            inner=IPv4Interface(f"10.0.0.{number}/24"),
        )

    def create(self) -> None:
        """Namespaces, veth pair and the outer addresses. Raises DemoError."""
        first, second = self.ends
        for end in self.ends:
            self.say(f"ip netns add {end.namespace}")
            with held_back():
                _create_namespace(end)
        self.say(
            f"ip -n {first.namespace} link add {self.WIRE} type veth "
            f"peer name {self.WIRE} netns {second.namespace}"
        )
        with self._netlink(first) as link:
            peer = {"ifname": self.WIRE, "net_ns_fd": second.namespace}
            link.link("add", ifname=self.WIRE, kind="veth", peer=peer)
        for end in self.ends:
            self._bring_up(end, "lo", None, None)
            self._bring_up(end, self.WIRE, end.wire, None)

    def bring_up_tunnel(self, end: End) -> None:
        """Give the WireGuard interface its address and set it up, as wg-quick does."""
        self._bring_up(end, end.device, end.inner, DEFAULT_MTU)

    def delete_device(self, end: End) -> None:
        """What ends a daemon: its interface goes away."""
        if not end.path.exists():
            return
        with self._netlink(end) as link:
            for index in link.link_lookup(ifname=end.device):
                self.say(f"ip -n {end.namespace} link delete {end.device}")
                with suppress(NetlinkError):  # its daemon may be quicker
                    link.link("del", index=index)

    def processes(self) -> list[ProcessId]:
        """Whatever runs in either namespace: all of it was started here."""
        return [process for end in self.ends if end.path.exists() for process in processes.within(end.path)]

    def remove(self) -> None:
        """Take the namespaces away, and the veth pair with them."""
        for end in self.ends:
            if end.path.exists():
                self.say(f"ip netns delete {end.namespace}")
                with held_back():
                    netns.remove(end.namespace)

    def _bring_up(self, end: End, name: str, address: IPv4Interface | None, mtu: int | None) -> None:
        with self._netlink(end) as link:
            found = link.link_lookup(ifname=name)
            if not found:
                raise DemoError(f"there is no interface {name} in namespace {end.namespace}")
            if address is not None:
                self.say(f"ip -n {end.namespace} address add {address} dev {name}")
                link.addr("add", index=found[0], address=str(address.ip), prefixlen=address.network.prefixlen)
            mtu_words = f"mtu {mtu} " if mtu else ""
            self.say(f"ip -n {end.namespace} link set {mtu_words}up dev {name}")
            link.link("set", index=found[0], state="up", **({"mtu": mtu} if mtu else {}))

    @contextmanager
    def _netlink(self, end: End) -> Iterator[IPRoute]:
        try:
            with held_back(), IPRoute(netns=end.namespace) as link:
                yield link
        except NetlinkError as error:
            raise DemoError(f"the kernel refused a change in namespace {end.namespace}: {error}") from error


def _create_namespace(end: End) -> None:
    try:
        netns.create(end.namespace)
    except OSError as error:
        raise DemoError(f"cannot make network namespace {end.namespace}: {error.strerror}") from error
    if not end.path.exists():
        raise DemoError(f"cannot make network namespace {end.namespace}; run as root")
