"""MTU and routes of a tunnel, by wg-quick's rules.

In: what the device tells of its peers. Out: an MTU; and routes in the main table or in the table that was
asked for. Under ``Table = auto`` a default route goes into a table of its own, which holds for every packet
that does not carry the device's mark: the tunnel takes all but its own datagrams.
"""

from ipaddress import ip_address
from typing import Final

from pywg.config.model import QuickConfig, Table
from pywg.net.system import Network
from pywg.protocol.allowed_ips import Prefix
from pywg.protocol.constants import OVERHEAD
from pywg.quick.host import Host
from pywg.quick.undo import Undo
from pywg.uapi.model import DeviceChange, DeviceState

USUAL_MTU: Final = 1500
FIRST_TABLE: Final = 51820
"""Where the search for a free routing table begins."""


def best_mtu(state: DeviceState, network: Network) -> int:
    """The least MTU on the way to any endpoint, else of the default route, else 1500; less 80 bytes."""
    # wg-quick leaves out endpoints with a scope.
    hosts = {peer.endpoint.host for peer in state.peers if peer.endpoint and not peer.endpoint.scope_id}
    on_the_way = (network.path_mtu(ip_address(host)) for host in sorted(hosts))
    least = min((mtu for mtu in on_the_way if mtu), default=None)
    return (least or network.default_mtu() or USUAL_MTU) - OVERHEAD[6]


def add_routes(config: QuickConfig, name: str, state: DeviceState, host: Host, undo: Undo) -> None:
    """Route every allowed IP out of the interface `name`. Raises NetworkError, UapiError, Interrupted.

    Routes go with their interface; what else is added is registered in `undo`.
    """
    if config.table is Table.OFF:
        return
    network = host.system.network
    table = config.table if isinstance(config.table, int) else None
    own_table: int | None = None
    for prefix in _longest_first(state):
        host.interruption.check()
        if table is None and prefix.prefixlen == 0:
            if own_table is None:
                own_table = _keep_ours_outside(name, state, host, undo)
            _add_default(name, prefix, own_table, host)
        elif table is not None or not network.has_route(name, prefix):
            network.add_route(name, prefix, table)


def default_table(config: QuickConfig, state: DeviceState) -> int | None:
    """The table in which the interface's default routes are, if it has any there."""
    if config.table is not Table.AUTO or not state.fwmark:
        return None
    return state.fwmark if any(prefix.prefixlen == 0 for prefix in _longest_first(state)) else None


def _longest_first(state: DeviceState) -> list[Prefix]:
    """Within a length in wg-quick's order, which is that of `sort`."""
    prefixes = (prefix for peer in state.peers for prefix in peer.allowed_ips)
    return sorted(prefixes, key=lambda prefix: (prefix.prefixlen, str(prefix)), reverse=True)


def _keep_ours_outside(name: str, state: DeviceState, host: Host, undo: Undo) -> int:
    """Before there is a default route: the device's own datagrams must not be sent into the tunnel.

    Returns the table for the default route.
    """
    system = host.system
    around = system.endpoint_routes
    if around is not None:
        families = {prefix.version for prefix in _longest_first(state) if prefix.prefixlen == 0}
        endpoints = [ip_address(peer.endpoint.host) for peer in state.peers if peer.endpoint]
        undo.register(f"remove the routes around {name}", lambda: around.remove(name))
        around.add(name, [endpoint for endpoint in endpoints if endpoint.version in families])
        return FIRST_TABLE  # Such a system has but one, and the number means nothing.
    table = state.fwmark or _mark(name, host)
    undo.register(f"remove the rules for table {table}", lambda: system.network.remove_default_rules(table))
    undo.register(f"remove the firewall of {name}", lambda: system.firewall.remove(name))
    return table


def _mark(name: str, host: Host) -> int:
    """Mark the device's datagrams with the number of a table that is free, and return it."""
    table = FIRST_TABLE
    while not host.system.network.table_is_empty(table):
        table += 1
    host.echo(f"pywg set {name} fwmark {table}")
    host.open_control(name).set(DeviceChange(fwmark=table))
    return table


def _add_default(name: str, prefix: Prefix, table: int, host: Host) -> None:
    network, family = host.system.network, prefix.version
    network.add_default_rules(family, table)
    network.add_route(name, prefix, table)
    addresses = [address for address in network.addresses(name) if address.version == family]
    host.system.firewall.add(name, family, addresses, table)
