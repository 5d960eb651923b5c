"""The whole of Linux for `pywg up` and `down`: see system.py.

This is the one module of the command line that brings in pyroute2, which takes 0.2 s to import.
"""

from pywg.net.dns_linux import LinuxDns
from pywg.net.firewall_linux import LinuxFirewall
from pywg.net.full_tunnel_linux import LinuxFullTunnel
from pywg.net.rules_linux import Rules
from pywg.net.system import Echo, System


class LinuxNetwork(Rules):
    """A Network: Rules upon Routes upon Links upon one socket (Rtnetlink)."""


def open_system(echo: Echo) -> System:
    """Of the network namespace the calling thread is in, which alone may use it. Raises NetworkError.

    No event loop may be running in the thread (pyroute2). Close `network` after use.
    """
    network = LinuxNetwork(echo)
    return System(network, LinuxFullTunnel(network, network, LinuxFirewall(echo)), LinuxDns(echo))
