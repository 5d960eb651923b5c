"""The whole of macOS for `pywg up` and `down`: see system.py. Never run on a Mac.

In: whom to tell. Out: a System, whose `name` is always the device's own (utun5), never the configuration's.
Rule kept: what wg-quick's darwin.bash changes is changed, and no more.
"""

from pywg.net.dns_darwin import DarwinDns
from pywg.net.full_tunnel_darwin import DarwinFullTunnel
from pywg.net.links_darwin import DarwinLinks
from pywg.net.routes_darwin import DarwinRoutes, RoutingTable
from pywg.net.system import Echo, System


def open_system(echo: Echo) -> System:
    """Of this Mac."""
    table = RoutingTable(echo)
    links = DarwinLinks(table, echo)
    return System(
        links, DarwinRoutes(table, links), DarwinFullTunnel(table), DarwinDns(echo), close=lambda: None
    )
