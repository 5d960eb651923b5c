"""Links, addresses and routes of macOS, by running ifconfig(8), route(8) and netstat(1).

In: names of utun devices, addresses, prefixes. Out: the state wg-quick leaves there. Rule kept: a utun lives
as long as its daemon, which ends when its UAPI socket is removed. Written from the manuals and from
wg-quick's darwin.bash; never run on a Mac.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_interface
from pathlib import Path
from typing import Final

from pywg.net import command
from pywg.net.command import Run
from pywg.net.routes_darwin import RoutingTable
from pywg.net.system import FAMILIES, Echo, IpAddress, IpInterface, NetworkError
from pywg.protocol.allowed_ips import Prefix
from pywg.uapi.path import DIRECTORY

MAIN_TABLE: Final = 254
"""What ``Table = main`` means on Linux."""

_MTU: Final = re.compile(r"\bmtu (\d+)")
_INET: Final = re.compile(r"inet (\S+) .*?netmask 0x([0-9a-f]{8})")
_INET6: Final = re.compile(r"inet6 ([^\s%]+)\S* .*?prefixlen (\d+)")


class DarwinNetwork:
    """A Network."""

    def __init__(self, echo: Echo, run: Run = command.run, sockets: Path = DIRECTORY) -> None:
        self._echo = echo
        self._run = run
        self._sockets = sockets
        self._table = RoutingTable(echo, run)

    def has_link(self, name: str) -> bool:
        """See Network."""
        return name in command.asked("ifconfig", "-l", run=self._run).split()

    def add_wireguard_link(self, name: str) -> None:
        """See Network."""
        raise NetworkError(f"cannot make {name}: macOS has no WireGuard of its own; leave out --kernel")

    def delete_link(self, name: str) -> None:
        """See Network. Its routes are deleted by name first, as wg-quick does."""
        for family in FAMILIES:
            for entry in self._table.entries(family):
                if name == entry.interface or (entry.interface.startswith("lo") and name == entry.gateway):
                    self._table.delete(family, entry.destination)
        path = self._sockets / f"{name}.sock"
        self._echo(f"rm -f {path}")
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise NetworkError(f"rm -f {path}: {error.strerror}") from None

    def set_up(self, name: str, mtu: int) -> None:
        """See Network."""
        self._change("ifconfig", name, "mtu", str(mtu))
        self._change("ifconfig", name, "up")

    def mtu(self, name: str) -> int:
        """See Network."""
        found = _MTU.search(self._run("ifconfig", name).stdout)
        if found is None:
            raise NetworkError(f"ifconfig {name}: it tells no MTU")
        return int(found[1])

    def add_address(self, name: str, address: IpInterface) -> None:
        """See Network."""
        if address.version == 6:
            self._change("ifconfig", name, "inet6", str(address), "alias")
        else:  # A utun is point to point: the other end gets our own address, as with wg-quick.
            self._change("ifconfig", name, "inet", str(address), str(address.ip), "alias")

    def addresses(self, name: str) -> list[IpInterface]:
        """See Network."""
        return sorted(
            _addresses(command.asked("ifconfig", name, run=self._run)), key=lambda address: address.version
        )

    def path_mtu(self, destination: IpAddress) -> int | None:
        """See Network."""
        return self._mtu_towards(destination.version, str(destination))

    def default_mtu(self) -> int | None:
        """See Network."""
        return self._mtu_towards(4, "default")

    def has_route(self, name: str, prefix: Prefix) -> bool:
        """See Network."""
        found = self._table.find(prefix.version, str(prefix))
        return found is not None and found.interface == name

    def add_route(self, name: str, prefix: Prefix, table: int | None = None) -> None:
        """See Network. `table`: none but the main one."""
        if table not in {None, MAIN_TABLE}:
            raise NetworkError(
                f"cannot route {prefix} in table {table}: macOS has one routing table; write Table = auto, "
                "main or off"
            )
        self._table.add(prefix.version, str(prefix), "-interface", name)

    def close(self) -> None:
        """See Network."""

    def _mtu_towards(self, family: int, destination: str) -> int | None:
        found = self._table.find(family, destination)
        if found is None or found.mtu is not None:
            return None if found is None else found.mtu
        of_link = _MTU.search(command.asked("ifconfig", found.interface, run=self._run))
        return None if of_link is None else int(of_link[1])

    def _change(self, *words: str) -> None:
        self._echo(" ".join(words))
        self._run(*words)


def _addresses(told: str) -> Iterator[IpInterface]:
    """Of what ``ifconfig IF`` prints."""
    for line in told.splitlines():
        if found := _INET.search(line):
            yield ip_interface(f"{found[1]}/{int(found[2], 16).bit_count()}")
        elif found := _INET6.search(line):
            yield ip_interface(f"{found[1]}/{found[2]}")
