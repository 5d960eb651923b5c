"""A full tunnel on macOS: routes around it to the endpoints, and two halves of each default route.

In: an interface, and where its device sends to. Out: the halves win over the old default route, which stays
in place; the endpoints are reached as before. Not followed while the tunnel is up: when the default gateway
changes that takes ``pywg down`` and ``pywg up`` (wg-quick has a process that watches). Rule kept: as in
wg-quick's darwin.bash no firewall is changed. Written from that and the manuals; never run on a Mac.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from pywg.net.notes import Notes
from pywg.net.routes_darwin import INET, RoutingTable
from pywg.net.system import AddDefault, IpAddress, NetworkError, OwnDatagrams, Register, Step
from pywg.protocol.allowed_ips import Prefix

HALVES: Final = {4: ("0.0.0.0/1", "128.0.0.0/1"), 6: ("::/1", "8000::/1")}
LOOPBACK: Final = {4: "127.0.0.1", 6: "::1"}


class DarwinFullTunnel:
    """A FullTunnel. Datagrams have no marks here."""

    def __init__(self, table: RoutingTable, notes: Notes) -> None:
        self._table = table
        self._notes = notes

    def begin(self, name: str, own: OwnDatagrams, register: Register) -> AddDefault:
        """See FullTunnel."""
        for step in self.undo_routing(name, None):
            register(step)
        self._write(name, own.endpoints)
        gateways = {family: self._gateway(family) for family in INET}
        for endpoint in own.endpoints:
            family = endpoint.version
            gateway = gateways[family]
            # Without a way out, an endpoint must not be looked for in the tunnel it is the end of.
            where = ("-gateway", gateway) if gateway else (LOOPBACK[family], "-blackhole")
            self._table.add(family, str(endpoint), *where)
        return partial(self._add_halves, name)

    def mark(self, name: str) -> int | None:
        """See FullTunnel."""
        del name
        return None

    def undo_routing(self, name: str, mark: int | None) -> list[Step]:
        """See FullTunnel. The halves go with the interface."""
        del mark
        return [Step(f"remove the routes around {name}", partial(self._remove_routes_around, name))]

    def undo_firewall(self, name: str) -> list[Step]:
        """See FullTunnel."""
        del name
        return []

    def _add_halves(self, name: str, prefix: Prefix) -> None:
        for half in HALVES[prefix.version]:
            self._table.add(prefix.version, half, "-interface", name)

    def _remove_routes_around(self, name: str) -> None:
        for endpoint in (self._notes.read(_note(name)) or "").split():
            self._table.delete(6 if ":" in endpoint else 4, endpoint)
        self._notes.remove(_note(name))

    def _gateway(self, family: int) -> str | None:
        for entry in self._table.entries(family):
            if entry.destination == "default" and not entry.gateway.startswith("link#"):
                return entry.gateway
        return None

    def _write(self, name: str, endpoints: Sequence[IpAddress]) -> None:
        try:
            self._notes.write(_note(name), "".join(f"{endpoint}\n" for endpoint in endpoints))
        except OSError as error:
            raise NetworkError(
                f"cannot write down the routes to the endpoints of {name}: {error.strerror}"
            ) from None


def _note(name: str) -> str:
    return f"endpoints-{name}"
