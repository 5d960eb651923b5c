"""MTU and routes of a tunnel, by wg-quick's rules.

In: what the device tells of its peers. Out: an MTU; and routes in the main table or in the table that was
asked for. Under ``Table = auto`` a default route makes a full tunnel, which takes all but its own datagrams;
how these stay outside is a matter of the system (FullTunnel).
"""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from pywg.config.model import QuickConfig, Table
from pywg.net.system import AddDefault, OwnDatagrams, Routes
from pywg.protocol.allowed_ips import Prefix
from pywg.protocol.constants import OVERHEAD
from pywg.quick.host import Host
from pywg.quick.undo import Undo
from pywg.uapi.model import DeviceChange, DeviceState

USUAL_MTU: Final = 1500


def best_mtu(state: DeviceState, routes: Routes) -> int:
    """The least MTU on the way to any endpoint, else of the default route, else 1500; less 80 bytes."""
    # wg-quick leaves out endpoints with a scope.
    hosts = {peer.endpoint.host for peer in state.peers if peer.endpoint and not peer.endpoint.scope_id}
    on_the_way = (routes.path_mtu(ip_address(host)) for host in sorted(hosts))
    least = min((mtu for mtu in on_the_way if mtu), default=None)
    return (least or routes.default_mtu() or USUAL_MTU) - OVERHEAD[6]


def add_routes(config: QuickConfig, name: str, state: DeviceState, host: Host, undo: Undo) -> None:
    """Route every allowed IP out of the interface `name`. Raises NetworkError, UapiError, Interrupted.

    Routes go with their interface; what else is added is registered in `undo`.
    """
    if config.table is Table.OFF:
        return
    routes = host.system.routes
    table = config.table if isinstance(config.table, int) else None
    add_default: AddDefault | None = None
    for prefix in _longest_first(state):
        host.interruption.check()
        if table is None and prefix.prefixlen == 0:
            add_default = add_default or _begin_full_tunnel(name, state, host, undo)
            add_default(prefix)
        elif table is not None or not routes.has_route(name, prefix):
            routes.add_route(name, prefix, table)


def default_mark(config: QuickConfig, state: DeviceState) -> int | None:
    """The mark that keeps the device's own datagrams out of its default routes, if it has such and a mark."""
    if config.table is not Table.AUTO or not state.fwmark:
        return None
    return state.fwmark if _families(state) else None


def _begin_full_tunnel(name: str, state: DeviceState, host: Host, undo: Undo) -> AddDefault:
    def set_mark(mark: int) -> None:
        host.echo(f"pywg set {name} fwmark {mark}")
        host.open_control(name).set(DeviceChange(fwmark=mark))

    families = _families(state)
    endpoints = [ip_address(peer.endpoint.host) for peer in state.peers if peer.endpoint]
    own = OwnDatagrams([each for each in endpoints if each.version in families], state.fwmark, set_mark)
    return host.system.full_tunnel.begin(name, own, undo.register)


def _families(state: DeviceState) -> set[int]:
    """Those that have a default route."""
    return {prefix.version for prefix in _prefixes(state) if prefix.prefixlen == 0}


def _longest_first(state: DeviceState) -> list[Prefix]:
    """Within a length in wg-quick's order, which is that of `sort`."""
    return sorted(_prefixes(state), key=lambda prefix: (prefix.prefixlen, str(prefix)), reverse=True)


def _prefixes(state: DeviceState) -> Iterator[Prefix]:
    return (prefix for peer in state.peers for prefix in peer.allowed_ips)
