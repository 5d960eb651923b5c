"""The whole of macOS for `pywg up` and `down`: see system.py. Never run on a Mac.

In: whom to tell. Out: a System, whose `name` is always the device's own (utun5), never the configuration's.
Rule kept: what wg-quick's darwin.bash changes is changed, and no more.
"""

from pywg.net.dns_darwin import DarwinDns
from pywg.net.full_tunnel_darwin import DarwinFullTunnel
from pywg.net.links_darwin import DarwinLinks
from pywg.net.notes import Notes
from pywg.net.routes_darwin import DarwinRoutes, RoutingTable
from pywg.net.system import Echo, System


def open_system(echo: Echo) -> System:
    """Of this Mac."""
    table, notes = RoutingTable(echo), Notes()
    links = DarwinLinks(table, echo)
    full_tunnel = DarwinFullTunnel(table, notes)
    return System(links, DarwinRoutes(table, links), full_tunnel, DarwinDns(echo, notes), close=lambda: None)
