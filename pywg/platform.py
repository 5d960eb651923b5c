"""The machine's own devices, by platform: TUN, UDP sockets, link monitor. All else is the same everywhere.

Names: `open_tun(name, mtu)`, `SystemTun.from_fd(fd)`, `open_sockets(port, mark)`, and
`SystemLinkMonitor(tun_fd, callbacks)`; the interfaces are in tun/port, udp/port and net/port.
"""

import sys

from pywg.tun.port import TunError

if sys.platform == "darwin":
    from pywg.net.monitor_darwin import DarwinLinkMonitor as SystemLinkMonitor
    from pywg.tun.darwin import DarwinTun as SystemTun
    from pywg.tun.darwin import open_tun
    from pywg.udp.darwin import open_sockets
else:
    from pywg.net.monitor_linux import LinuxLinkMonitor as SystemLinkMonitor
    from pywg.tun.linux import LinuxTun as SystemTun
    from pywg.tun.linux import open_tun
    from pywg.udp.linux import open_sockets

__all__ = ["SystemLinkMonitor", "SystemTun", "TunError", "open_sockets", "open_tun"]
