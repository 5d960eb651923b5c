"""Links and addresses of macOS, by running ifconfig(8).

In: names of utun devices, addresses. Out: the state wg-quick leaves there. Rule kept: a utun lives as long as
its daemon, which ends when its UAPI socket is removed. Written from the manuals and from wg-quick's
darwin.bash; never run on a Mac.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_interface
from pathlib import Path
from typing import Final

from pywg.net import command
from pywg.net.command import Run
from pywg.net.routes_darwin import RoutingTable
from pywg.net.system import FAMILIES, Echo, IpInterface, NetworkError
from pywg.uapi.path import DIRECTORY

_MTU: Final = re.compile(r"\bmtu (\d+)")
_INET: Final = re.compile(r"inet (\S+) .*?netmask 0x([0-9a-f]{8})")
_INET6: Final = re.compile(r"inet6 ([^\s%]+)\S* .*?prefixlen (\d+)")


class DarwinLinks:
    """A Links."""

    def __init__(
        self, table: RoutingTable, echo: Echo, run: Run = command.run, sockets: Path = DIRECTORY
    ) -> None:
        self._table = table
        self._echo = echo
        self._run = run
        self._sockets = sockets

    def has_link(self, name: str) -> bool:
        """See Links."""
        return name in command.asked("ifconfig", "-l", run=self._run).split()

    def add_wireguard_link(self, name: str) -> None:
        """See Links."""
        raise NetworkError(f"cannot make {name}: macOS has no WireGuard of its own; leave out --kernel")

    def delete_link(self, name: str) -> None:
        """See Links. Its routes are deleted by name first, as wg-quick does."""
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
        """See Links."""
        self._change("ifconfig", name, "mtu", str(mtu))
        self._change("ifconfig", name, "up")

    def mtu(self, name: str) -> int:
        """See Links."""
        found = _MTU.search(self._run("ifconfig", name).stdout)
        if found is None:
            raise NetworkError(f"ifconfig {name}: it tells no MTU")
        return int(found[1])

    def add_address(self, name: str, address: IpInterface) -> None:
        """See Links."""
        if address.version == 6:
            self._change("ifconfig", name, "inet6", str(address), "alias")
        else:  # A utun is point to point: the other end gets our own address, as with wg-quick.
            self._change("ifconfig", name, "inet", str(address), str(address.ip), "alias")

    def addresses(self, name: str) -> list[IpInterface]:
        """See Links."""
        return sorted(
            _addresses(command.asked("ifconfig", name, run=self._run)), key=lambda address: address.version
        )

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
