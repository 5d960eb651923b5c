"""The selection by platform offers the same names and interfaces everywhere."""

import subprocess
import sys

from pywg import platform
from pywg.net.port import LinkMonitor
from pywg.tun.port import TunPort

# Checked by mypy: the classes keep their interfaces.
MONITOR: type[LinkMonitor] = platform.SystemLinkMonitor
TUN: type[TunPort] = platform.SystemTun


def test_this_platform() -> None:
    expected = "darwin" if sys.platform == "darwin" else "linux"
    for offered in (platform.SystemLinkMonitor, platform.SystemTun, platform.open_sockets, platform.open_tun):
        assert offered.__module__.endswith(expected)


def test_the_daemon_does_not_import_what_it_rarely_needs() -> None:
    program = "import sys, pywg.platform; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pyroute2", "ctypes", "asyncio", "pytun"} & set(loaded)
