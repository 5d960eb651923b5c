"""The whole of macOS for `pywg up` and `down`: see system.py. Never run on a Mac.

In: whom to tell. Out: a System, whose `name` is always the device's own (utun5), never the configuration's.
Rule kept: what wg-quick's darwin.bash changes is changed, and no more; so no firewall is.
"""

from collections.abc import Sequence

from pywg.net.dns_darwin import DarwinDns
from pywg.net.network_darwin import DarwinNetwork
from pywg.net.routes_darwin import DarwinEndpointRoutes
from pywg.net.system import Echo, IpInterface, System


class NoFirewall:
    """A Firewall that does nothing, as in wg-quick's darwin.bash."""

    def add(self, name: str, family: int, addresses: Sequence[IpInterface], mark: int) -> None:
        """See Firewall."""

    def mark(self, name: str) -> int | None:
        """See Firewall."""

    def remove(self, name: str) -> None:
        """See Firewall."""


def open_system(echo: Echo) -> System:
    """Of this Mac."""
    return System(DarwinNetwork(echo), NoFirewall(), DarwinDns(echo), DarwinEndpointRoutes(echo))
