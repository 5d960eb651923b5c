"""A laboratory: the namespaces, links, daemons and processes of one test, all gone at its end.

Comes in: wishes of a test. Goes out: namespaces joined by veth pairs, daemons, two-ended tunnels. Rule: what
is made is registered for clean-up before it is used, clean-up runs to its end even if parts of it fail, and
a daemon under test that leaves anything behind fails the test it served.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.netns.daemon import Daemon, KeyPair, Program
from tests.netns.namespace import Namespace, new_interface_name

PORT = 51820


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of one side, without prefix length: outside on the veth, inside in the tunnel."""

    outer4: str
    outer6: str
    inner4: str
    inner6: str

    def outer(self, family: int) -> str:
        """The outside address of family 4 or 6."""
        return self.outer4 if family == 4 else self.outer6

    def inner(self, family: int) -> str:
        """The inside address of family 4 or 6."""
        return self.inner4 if family == 4 else self.inner6


def side(number: int) -> Addresses:
    """The addresses of side `number` (1-254); all sides share one outer and one inner network."""
    return Addresses(f"192.0.2.{number}", f"2001:db8::{number:x}", f"10.77.0.{number}", f"fd77::{number:x}")


def endpoint(address: str, port: int) -> str:
    """``address:port`` as `wg` reads and prints it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@dataclass(slots=True, kw_only=True)
class Party:
    """Who takes part in a tunnel: keys, addresses, port, and how that is written in configuration files."""

    addresses: Addresses
    keys: KeyPair = field(default_factory=KeyPair.generate)
    port: int = PORT

    def endpoint(self, family: int) -> str:
        """Where the other end sends to."""
        return endpoint(self.addresses.outer(family), self.port)

    def interface_section(self) -> str:
        """The [Interface] section of our configuration."""
        return f"[Interface]\nPrivateKey = {self.keys.private}\nListenPort = {self.port}\n"

    def peer_section(self, *, endpoint: str | None = None, preshared_key: str | None = None) -> str:
        """The [Peer] section under which others know us."""
        lines = [
            "[Peer]",
            f"PublicKey = {self.keys.public}",
            f"AllowedIPs = {self.addresses.inner4}/32, {self.addresses.inner6}/128",
        ]
        if endpoint is not None:
            lines.append(f"Endpoint = {endpoint}")
        if preshared_key is not None:
            lines.append(f"PresharedKey = {preshared_key}")
        return "\n".join(lines) + "\n"


@dataclass(slots=True, kw_only=True)
class End(Party):
    """One end of a tunnel: a party with a daemon, and the namespace its interface is in."""

    namespace: Namespace
    daemon: Daemon

    def up(self, *, mtu: int = 1420) -> None:
        """Give the interface its inner addresses and set it up; when this returns its daemon listens."""
        self.set_up(mtu=mtu)
        self.daemon.until_link_is("up")

    def set_up(self, *, mtu: int = 1420) -> None:
        """The same without waiting for the daemon, which may have no port."""
        interface = self.daemon.interface
        for address, bits in ((self.addresses.inner4, 24), (self.addresses.inner6, 64)):
            self.namespace.ip("address", "add", f"{address}/{bits}", "dev", interface)
        self.namespace.ip("link", "set", interface, "mtu", str(mtu), "up")


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Two ends; only the initiator knows where the other one is."""

    initiator: End
    responder: End
    outer_family: int


@dataclass(frozen=True, slots=True)
class MovedTunnel:
    """Two ends whose sockets are in a third namespace: see `Lab.moved_tunnel`."""

    birthplace: Namespace
    one: End
    two: End

    def point(self, family: int) -> None:
        """Tell each end where the other one is, over IPv4 or IPv6."""
        for end, other in ((self.one, self.two), (self.two, self.one)):
            end.daemon.set("peer", other.keys.public, "endpoint", other.endpoint(family))


@dataclass(slots=True)
class Lab:
    """See above; use as a context manager."""

    directory: Path
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Clean up; raises what a daemon that left something behind is blamed for."""
        self._stack.close()

    def at_end(self, call: Callable[[], object]) -> None:
        """Have `call` called at the end, before everything that exists now is removed."""
        self._stack.callback(call)

    def namespace(self, label: str = "") -> Namespace:
        """A new namespace."""
        namespace = Namespace.create(label)
        self._stack.callback(namespace.delete)
        return namespace

    def join(self, one: Namespace, other: Namespace, name: str = "eth0") -> None:
        """Join two namespaces by a veth pair, an end called `name` in each, both up, without addresses."""
        one.ip("link", "add", name, "type", "veth", "peer", "name", name, "netns", other.name)
        for namespace in (one, other):
            namespace.ip("link", "set", name, "up")

    def start(self, program: Program, namespace: Namespace, **env: str) -> Daemon:
        """Start a daemon for a new interface."""
        interface = new_interface_name()
        daemon = Daemon.start(program, namespace, interface, self.directory / f"{interface}.log", env)
        self._stack.callback(daemon.close)
        return daemon

    def end(self, program: Program, namespace: Namespace, number: int, **env: str) -> End:
        """A daemon with keys and the addresses of side `number`, not yet configured."""
        daemon = self.start(program, namespace, **env)
        return End(namespace=namespace, daemon=daemon, addresses=side(number))

    def tunnel(
        self,
        initiator: Program,
        responder: Program,
        *,
        outer_family: int = 4,
        preshared_key: str | None = None,
        engines: tuple[str, str] | None = None,
    ) -> Tunnel:
        """Two joined namespaces, a daemon in each, configured and up; nothing was sent yet.

        `engines` of initiator and responder, where they are pywg; else the environment chooses.
        """
        one, other = self.namespace("a"), self.namespace("b")
        self.join(one, other)
        asked = [{}, {}] if engines is None else [{"PYWG_ENGINE": engine} for engine in engines]
        first, second = self.end(initiator, one, 1, **asked[0]), self.end(responder, other, 2, **asked[1])
        for each in (first, second):
            for address, bits in ((each.addresses.outer4, 24), (each.addresses.outer6, 64)):
                each.namespace.ip("address", "add", f"{address}/{bits}", "dev", "eth0")
        towards = second.endpoint(outer_family)
        first.daemon.configure(
            first.interface_section() + second.peer_section(endpoint=towards, preshared_key=preshared_key)
        )
        second.daemon.configure(second.interface_section() + first.peer_section(preshared_key=preshared_key))
        second.up()
        first.up()
        return Tunnel(first, second, outer_family)

    def moved_tunnel(self, program: Program, *, preshared_key: str | None = None) -> MovedTunnel:
        """The topology of the kernel's netns.sh: daemons and sockets in one namespace, interfaces elsewhere.

        Both interfaces are made in `birthplace`, whose loopback carries the datagrams, then each is moved to
        a namespace of its own and set up there. Endpoints are unset.
        """
        birthplace = self.namespace("0")
        ends = []
        for number in (1, 2):
            inside, daemon = self.namespace(str(number)), self.start(program, birthplace)
            birthplace.ip("link", "set", daemon.interface, "netns", inside.name)
            addresses = Addresses("127.0.0.1", "::1", side(number).inner4, side(number).inner6)
            ends.append(End(namespace=inside, daemon=daemon, addresses=addresses, port=PORT + number))
        for end, other in (ends, reversed(ends)):
            end.daemon.configure(end.interface_section() + other.peer_section(preshared_key=preshared_key))
            end.up()
        return MovedTunnel(birthplace, ends[0], ends[1])
