"""Routes of Linux, as ``ip route`` adds and shows them.

In: prefixes, tables, destinations. Out: the state that command leaves (protocol boot; scope link for IPv4),
and answers of the kernel. Sources: ip-route(8), linux/rtnetlink.h.
"""

import asyncio
import errno
import socket
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, Final

from pyroute2 import AsyncIPRoute, NetlinkError

from pywg.net.links_linux import LinuxLinks, no_ipv6
from pywg.net.rtnetlink_linux import AF_OF, NO_SUCH_FAMILY, RT_TABLE_MAIN, Rtnetlink, asked_strictly, index_of
from pywg.net.system import FAMILIES, IpAddress, NetworkError
from pywg.protocol.allowed_ips import Prefix

RTPROT_BOOT: Final = 3
SCOPE_OF: Final = {4: 253, 6: 0}
"""RT_SCOPE_LINK and RT_SCOPE_UNIVERSE: what ip(8) sends for a route without a gateway."""


@dataclass(slots=True)
class _KnownRoutes:
    """Prefixes that the main table routes out of one interface: as it was once, and what we added since."""

    links_changed: int
    """Of Rtnetlink, at that moment."""
    leading_bits: dict[tuple[int, int], set[int]] = field(default_factory=dict)
    """Of those with one family and length."""

    def add(self, prefix: Prefix) -> None:
        key = prefix.version, prefix.prefixlen
        self.leading_bits.setdefault(key, set()).add(_leading_bits(prefix, prefix.prefixlen))

    def covers(self, prefix: Prefix) -> bool:
        return any(
            version == prefix.version
            and length <= prefix.prefixlen
            and _leading_bits(prefix, length) in leading_bits
            for (version, length), leading_bits in self.leading_bits.items()
        )


class LinuxRoutes:
    """A TableRoutes."""

    def __init__(self, kernel: Rtnetlink, links: LinuxLinks) -> None:
        self._kernel = kernel
        self._links = links
        self._known: dict[str, _KnownRoutes] = {}

    def path_mtu(self, destination: IpAddress) -> int | None:
        """See Routes."""
        address, _, scope = str(destination).partition("%")
        try:
            request = {"oif": socket.if_nametoindex(scope)} if scope else {}
            found = self._kernel.ipr.route("get", family=AF_OF[destination.version], dst=address, **request)
        except (NetlinkError, OSError):
            return None
        return self._mtu_of(found[0]) if found else None

    def default_mtu(self) -> int | None:
        """See Routes."""
        try:
            route = asyncio.run(_default_route())
        except (NetlinkError, OSError):
            return None
        return None if route is None else self._mtu_of(route)

    def has_route(self, name: str, prefix: Prefix) -> bool:
        """See Routes.

        The kernel is asked once, for the thousandth question would have it list a thousand routes; then again
        only after a change of links or addresses through us.
        """
        known = self._known.get(name)
        if known is None or known.links_changed != self._kernel.links_changed:
            known = self._known[name] = self._ask_for_routes(name)
        return known.covers(prefix)

    def add_route(self, name: str, prefix: Prefix, table: int | None = None) -> None:
        """See Routes."""
        words = f"ip -{prefix.version} route add {prefix} dev {name}"
        words += "" if table is None else f" table {table}"
        request = {
            "family": AF_OF[prefix.version],
            "dst": str(prefix),
            "oif": self._kernel.index(name, words),
            "table": table or RT_TABLE_MAIN,
            "proto": RTPROT_BOOT,
            "scope": SCOPE_OF[prefix.version],
        }
        shown_by = f"ip -{prefix.version} route show {prefix} table {table or 'main'}"
        refusals = {
            errno.EEXIST: f"there is such a route already; '{shown_by}' shows it",
            errno.ENETDOWN: f"{name} is down",
            errno.ENODEV: f"{name} has no IPv{prefix.version} (of IPv6: an MTU below 1280 switches it off)",
            **no_ipv6(name, "the prefix"),
        }
        self._kernel.change(words, lambda: self._kernel.ipr.route("add", **request), refusals)
        known = self._known.get(name)
        if known is not None and request["table"] == RT_TABLE_MAIN:
            known.add(prefix)

    def table_is_empty(self, table: int) -> bool:
        """See TableRoutes."""
        return not any(self._routes(family, table) for family in FAMILIES)

    def _ask_for_routes(self, name: str) -> _KnownRoutes:
        known = _KnownRoutes(self._kernel.links_changed)
        index = index_of(name)
        if index is None:
            return known
        for family in FAMILIES:
            for route in self._routes(family, RT_TABLE_MAIN, oif=index):
                known.add(ip_network(f"{route.get('dst') or _ANY[family]}/{route['dst_len']}"))
        return known

    def _routes(self, family: int, table: int, **more: int) -> list[Any]:
        """Routes of one table, sorted out by the kernel; and once more here, for one before 4.20."""
        wanted = {"table": table, **more}
        try:
            found = self._kernel.ipr.route("dump", dump_filter=None, family=AF_OF[family], **wanted)
        except NetlinkError as error:
            if error.code in NO_SUCH_FAMILY or error.code in {errno.ENOENT, errno.ENODEV}:
                return []
            raise NetworkError(f"ip -{family} route show table {table}: {error.args[1]}") from None
        return [
            route
            for route in found
            if route["family"] == AF_OF[family]
            and all(route.get(key) == value for key, value in wanted.items())
        ]

    def _mtu_of(self, route: Any) -> int | None:
        """Of the route itself if it has one, else of the link it leaves by; as wg-quick looks for it."""
        metrics = route.get("metrics")
        mtu = metrics.get("mtu") if metrics else None
        if mtu:
            return int(mtu)
        index = route.get("oif")
        try:
            return self._links.mtu_of(index) if index else None
        except NetworkError:
            return None


_ANY: Final = {4: "0.0.0.0", 6: "::"}  # noqa: S104 (a prefix, nothing is bound)


async def _default_route() -> Any:
    """The default route of IPv4's main table with the lowest metric, or None.

    On a socket of its own, for what follows is left unread: the kernel lists a table by address.
    """
    async with AsyncIPRoute(**asked_strictly()) as ipr:
        listed = await ipr.route("dump", dump_filter=None, family=socket.AF_INET, table=RT_TABLE_MAIN)
        async for route in listed:
            if route.get("table") != RT_TABLE_MAIN:
                continue
            if route["dst_len"] == 0:
                return route
            if route.get("dst") != _ANY[4]:
                return None
    return None


def _leading_bits(prefix: Prefix, length: int) -> int:
    return int(prefix.network_address) >> (prefix.max_prefixlen - length)
