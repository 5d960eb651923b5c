"""What `pywg up` and `down` ask of the system: links, addresses, routes, full tunnels, name servers.

In: typed wishes. Out: the change made, each told in one line before it is made (`Echo`), in the words of the
platform's own tools, as wg-quick(8) echoes them. Rule kept: what is here changes the system and knows nothing
of WireGuard's protocol; what it cannot do raises NetworkError.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Final, Protocol

from pywg.protocol.allowed_ips import Prefix

Echo = Callable[[str], None]
"""Takes a line without its ``[#] ``, such as ``ip link set mtu 1420 up dev wg0``."""
IpAddress = IPv4Address | IPv6Address
IpInterface = IPv4Interface | IPv6Interface

FAMILIES: Final = (4, 6)


class NetworkError(Exception):
    """The system refused. One line: what was to be done, why it was not and, if known, what to do."""

    def __init__(self, text: str, status: int = 2) -> None:
        """`status`: exit status of the command; ip(8)'s for what the kernel refuses, else a program's own."""
        super().__init__(text)
        self.status = status


class Links(Protocol):
    """Network interfaces and their addresses."""

    def has_link(self, name: str) -> bool:
        """Whether there is an interface of that name."""

    def add_wireguard_link(self, name: str) -> None:
        """Make an interface of the kernel's own WireGuard. Raises NetworkError where it has none."""

    def delete_link(self, name: str) -> None:
        """Remove the interface; its addresses and routes go with it. Raises NetworkError."""

    def set_up(self, name: str, mtu: int) -> None:
        """Set the MTU and set the link up. Raises NetworkError."""

    def mtu(self, name: str) -> int:
        """In bytes. Raises NetworkError."""

    def add_address(self, name: str, address: IpInterface) -> None:
        """Give the interface an address with its prefix length. Raises NetworkError."""

    def addresses(self, name: str) -> list[IpInterface]:
        """Those of the interface, IPv4 first."""


class Routes(Protocol):
    """Where packets go."""

    def path_mtu(self, destination: IpAddress) -> int | None:
        """MTU of the route to an address or of the link it leaves by; None if it cannot be reached."""

    def default_mtu(self) -> int | None:
        """The same of the default route (IPv4's), None if there is none."""

    def has_route(self, name: str, prefix: Prefix) -> bool:
        """Whether the main table has a route out of `name` that covers all of `prefix`.

        What ``ip route show dev NAME match PREFIX`` asks.
        """

    def add_route(self, name: str, prefix: Prefix, table: int | None = None) -> None:
        """Route `prefix` out of the interface, in the main table or in `table`. Raises NetworkError."""


@dataclass(frozen=True, slots=True)
class Step:
    """A change that is made later, or only if need be. `what` completes the sentence "could not ..."."""

    what: str
    do: Callable[[], object]


Register = Callable[[Step], object]
"""Takes a step that undoes something, before that is done."""
AddDefault = Callable[[Prefix], object]
"""Routes everything of one family, ``0.0.0.0/0`` or ``::/0``, through an interface. Raises NetworkError."""


@dataclass(frozen=True, slots=True)
class OwnDatagrams:
    """What the device of a full tunnel sends by itself, which must not go into that tunnel."""

    endpoints: Sequence[IpAddress]
    """Where to; only in the families that are to have a default route through it."""
    mark: int
    """The one they carry; 0: none."""
    set_mark: Callable[[int], object]
    """Has them carry one."""


class FullTunnel(Protocol):
    """Default routes through an interface, and all it takes that its device's own datagrams stay outside.

    Linux has marks and rules for that, macOS routes around the tunnel.
    """

    def begin(self, name: str, own: OwnDatagrams, register: Register) -> AddDefault:
        """Let the device's own datagrams go on as they go now. Returns what then adds the default routes.

        Raises NetworkError, and what `own.set_mark` raises.
        """

    def mark(self, name: str) -> int | None:
        """With which a full tunnel of that name was made, by us or by wg-quick; None if it cannot be told."""

    def undo_routing(self, name: str, mark: int | None) -> list[Step]:
        """What takes away the ways into the tunnel and around it; to be done before the interface goes."""

    def undo_firewall(self, name: str) -> list[Step]:
        """What takes away the rest; to be done after the interface has gone."""


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """Servers and search domains of one interface."""

    servers: tuple[str, ...]
    search: tuple[str, ...] = ()


class Dns(Protocol):
    """The name servers that hold while an interface is up."""

    def set(self, name: str, settings: DnsSettings) -> None:
        """Raises NetworkError, among others where no program that could is installed."""

    def unset(self, name: str) -> None:
        """Take back what `set` did. Raises NetworkError."""

    def servers(self, name: str) -> list[str]:
        """Servers now set for the interface, for ``save``; empty if it cannot be told."""


@dataclass(frozen=True, slots=True)
class System:
    """All of it, as one platform has it; on Linux, of one network namespace."""

    links: Links
    routes: Routes
    full_tunnel: FullTunnel
    dns: Dns
    close: Callable[[], object]
    """After use; may be called twice."""
