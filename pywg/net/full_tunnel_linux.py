"""A full tunnel on Linux: marked datagrams, a table of the interface's own, rules, and a firewall.

In: an interface, and what its device sends by itself. Out: wg-quick's state. The device's datagrams carry a
mark; all that does not is sent to the table of the same number, and the default routes are there. Rule kept:
whatever is added was registered for undoing before. Source: wg-quick(8).
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from pywg.net.system import AddDefault, IpInterface, Links, OwnDatagrams, Register, Routes, Step
from pywg.protocol.allowed_ips import Prefix

FIRST_TABLE: Final = 51820
"""Where the search for a free routing table begins."""


class TableRoutes(Routes, Protocol):
    """Routes where there are many tables of them."""

    def table_is_empty(self, table: int) -> bool:
        """Whether no family has a route in that table."""


class Rules(Protocol):
    """Which table a packet is looked up in."""

    def add_default_rules(self, family: int, table: int) -> None:
        """Two rules: what is not marked `table` looks there; the main table, less its default routes, first.

        The mark and the table have the same number (wg-quick(8)). Raises NetworkError.
        """

    def remove_default_rules(self, table: int) -> None:
        """Take away what `add_default_rules` added for `table`, of both families, if anything."""


class Firewall(Protocol):
    """What keeps a full tunnel from being fooled: spoofed packets to its addresses, marks of its replies."""

    def add(self, name: str, family: int, addresses: Sequence[IpInterface], mark: int) -> None:
        """Rules of one family for the interface (wg-quick(8), add_default). Raises NetworkError."""

    def mark(self, name: str) -> int | None:
        """What the rules for the interface were made with, ours or wg-quick's; None if there are none."""

    def remove(self, name: str) -> None:
        """Take away all rules for the interface, ours or wg-quick's. Nothing if there are none."""


class LinuxFullTunnel:
    """A FullTunnel."""

    def __init__(self, links: Links, routes: TableRoutes, rules: Rules, firewall: Firewall) -> None:
        self._links = links
        self._routes = routes
        self._rules = rules
        self._firewall = firewall

    def begin(self, name: str, own: OwnDatagrams, register: Register) -> AddDefault:
        """See FullTunnel."""
        mark = own.mark
        if not mark:
            mark = self._free_table()
            own.set_mark(mark)  # Goes with the device.
        for step in (*self.undo_routing(name, mark), *self.undo_firewall(name)):
            register(step)
        return partial(self._add_default, name, mark)

    def mark(self, name: str) -> int | None:
        """See FullTunnel. The firewall knows."""
        return self._firewall.mark(name)

    def undo_routing(self, name: str, mark: int | None) -> list[Step]:
        """See FullTunnel."""
        del name
        if mark is None:
            return []
        return [Step(f"remove the rules for table {mark}", partial(self._rules.remove_default_rules, mark))]

    def undo_firewall(self, name: str) -> list[Step]:
        """See FullTunnel."""
        return [Step(f"remove the firewall of {name}", partial(self._firewall.remove, name))]

    def _free_table(self) -> int:
        table = FIRST_TABLE
        while not self._routes.table_is_empty(table):
            table += 1
        return table

    def _add_default(self, name: str, table: int, prefix: Prefix) -> None:
        self._rules.add_default_rules(prefix.version, table)
        self._routes.add_route(name, prefix, table)
        self._firewall.add(name, prefix.version, self._links.addresses(name), table)
