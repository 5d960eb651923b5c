"""Routes of macOS, by running netstat(1) and route(8).

In: destinations and where they go. Out: the change, or what the table says. Rule kept: route(8) may exit 0
although the kernel refused, so what it says on stderr decides. Written from the manuals and from wg-quick's
darwin.bash; never run on a Mac.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pywg.net import command
from pywg.net.command import Run
from pywg.net.system import Echo, IpAddress, Links, NetworkError
from pywg.protocol.allowed_ips import Prefix

INET: Final = {4: "inet", 6: "inet6"}
MAIN_TABLE: Final = 254
"""What ``Table = main`` means on Linux."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the routing table, as netstat abbreviates it: ``default``, ``10.0/16``."""

    destination: str
    gateway: str
    interface: str


@dataclass(frozen=True, slots=True)
class Found:
    """How the kernel reaches a destination."""

    interface: str
    mtu: int | None
    """Of the route, if it has one of its own."""


class RoutingTable:
    """The one routing table there is."""

    def __init__(self, echo: Echo, run: Run = command.run) -> None:
        self._echo = echo
        self._run = run

    def entries(self, family: int) -> list[Entry]:
        """All of them; the columns have changed between releases, so that their titles are looked for."""
        listed = command.asked("netstat", "-nr", "-f", INET[family], run=self._run)
        found: list[Entry] = []
        column: int | None = None
        for words in map(str.split, listed.splitlines()):
            if "Netif" in words:
                column = words.index("Netif")
            elif column is not None and len(words) > column:
                found.append(Entry(words[0], words[1], words[column]))
        return found

    def find(self, family: int, destination: str) -> Found | None:
        """What ``route get`` finds; None if nothing."""
        told = command.asked("route", "-n", "get", f"-{INET[family]}", destination, run=self._run)
        interface: str | None = None
        mtu: int | None = None
        titles: Sequence[str] = ()
        for words in map(str.split, told.splitlines()):
            if words[:1] == ["interface:"] and len(words) == 2:
                interface = words[1]
            elif "mtu" in words:
                titles = words
            elif titles and len(words) == len(titles):
                value = words[titles.index("mtu")]
                mtu = int(value) if value.isdigit() and int(value) > 0 else None
        return None if interface is None else Found(interface, mtu)

    def add(self, family: int, destination: str, *where: str) -> None:
        """Raises NetworkError."""
        words = ["route", "-q", "-n", "add", f"-{INET[family]}", destination, *where]
        self._echo(" ".join(words))
        printed = self._run(*words)
        if printed.stderr.strip():
            raise NetworkError(f"{' '.join(words)}: {' '.join(printed.stderr.split())}")

    def delete(self, family: int, destination: str) -> None:
        """Nothing happens if there is no such route."""
        words = ["route", "-q", "-n", "delete", f"-{INET[family]}", destination]
        self._echo(" ".join(words))
        command.asked(*words, run=self._run)


class DarwinRoutes:
    """A Routes."""

    def __init__(self, table: RoutingTable, links: Links) -> None:
        self._table = table
        self._links = links

    def path_mtu(self, destination: IpAddress) -> int | None:
        """See Routes."""
        return self._mtu_towards(destination.version, str(destination))

    def default_mtu(self) -> int | None:
        """See Routes."""
        return self._mtu_towards(4, "default")

    def has_route(self, name: str, prefix: Prefix) -> bool:
        """See Routes."""
        found = self._table.find(prefix.version, str(prefix))
        return found is not None and found.interface == name

    def add_route(self, name: str, prefix: Prefix, table: int | None = None) -> None:
        """See Routes. `table`: none but the main one."""
        if table not in {None, MAIN_TABLE}:
            raise NetworkError(
                f"cannot route {prefix} in table {table}: macOS has one routing table; write Table = auto, "
                "main or off"
            )
        self._table.add(prefix.version, str(prefix), "-interface", name)

    def _mtu_towards(self, family: int, destination: str) -> int | None:
        found = self._table.find(family, destination)
        if found is None or found.mtu is not None:
            return None if found is None else found.mtu
        try:
            return self._links.mtu(found.interface)
        except NetworkError:
            return None
