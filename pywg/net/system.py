"""What `pywg up` and `down` ask of the system: links, addresses, routes, rules, firewall, name servers.

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


class Network(Protocol):
    """Links, addresses, routes and rules of the network namespace we are in. Close it after use."""

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

    def table_is_empty(self, table: int) -> bool:
        """Whether no family has a route in that table."""

    def add_default_rules(self, family: int, table: int) -> None:
        """Two rules: what is not marked `table` looks there; the main table, less its default routes, first.

        The mark and the table have the same number (wg-quick(8)). Raises NetworkError.
        """

    def remove_default_rules(self, table: int) -> None:
        """Take away what `add_default_rules` added for `table`, of both families, if anything."""

    def close(self) -> None:
        """May be called twice."""


class Firewall(Protocol):
    """What keeps a full tunnel from being fooled: spoofed packets to its addresses, marks of its replies."""

    def add(self, name: str, family: int, addresses: Sequence[IpInterface], mark: int) -> None:
        """Rules of one family for the interface (wg-quick(8), add_default). Raises NetworkError."""

    def mark(self, name: str) -> int | None:
        """What the rules for the interface were made with, ours or wg-quick's; None if there are none."""

    def remove(self, name: str) -> None:
        """Take away all rules for the interface, ours or wg-quick's. Nothing if there are none."""


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


class EndpointRoutes(Protocol):
    """What a default route through the tunnel needs where packets have no marks (macOS): routes around it."""

    def add(self, name: str, endpoints: Sequence[IpAddress]) -> None:
        """Route each endpoint as it is reached now; call it before there is a default route through `name`.

        Raises NetworkError.
        """

    def remove(self, name: str) -> None:
        """Take back what `add` did for that interface, if anything."""


@dataclass(frozen=True, slots=True)
class System:
    """All of it, as one platform has it."""

    network: Network
    firewall: Firewall
    dns: Dns
    endpoint_routes: EndpointRoutes | None = None
    """None where they are not needed, for rules send what is marked around the tunnel (Linux)."""
