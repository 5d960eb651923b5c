"""The whole of Linux for `pywg up` and `down`: see system.py.

This is the one module of the command line that brings in pyroute2, which takes 0.2 s to import.
"""

from pywg.net.dns_linux import LinuxDns
from pywg.net.firewall_linux import LinuxFirewall
from pywg.net.full_tunnel_linux import LinuxFullTunnel
from pywg.net.links_linux import LinuxLinks
from pywg.net.notes import Notes
from pywg.net.routes_linux import LinuxRoutes
from pywg.net.rtnetlink_linux import Rtnetlink
from pywg.net.rules_linux import LinuxRules
from pywg.net.src_valid_mark_linux import SrcValidMark
from pywg.net.system import Echo, System


def open_system(echo: Echo) -> System:
    """Of the network namespace the calling thread is in, which alone may use it. Raises NetworkError.

    No event loop may be running in the thread (pyroute2).
    """
    kernel = Rtnetlink(echo)
    links = LinuxLinks(kernel)
    routes = LinuxRoutes(kernel, links)
    firewall = LinuxFirewall(echo, SrcValidMark(echo, Notes()))
    full_tunnel = LinuxFullTunnel(links, routes, LinuxRules(kernel), firewall)
    return System(links, routes, full_tunnel, LinuxDns(echo, links.has_link), kernel.close)
