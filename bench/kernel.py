"""The kernel's own WireGuard, where the machine has it.

In: the laboratory. Out: an interface in each end, configured by wg(8). It has no daemon: its processor time
is in the machine's alone, and start-up and memory are not compared.
"""

import subprocess
import tempfile
from dataclasses import dataclass

from bench.configuration import Keys, as_wg_file, changes
from bench.lab import inside, output, run
from bench.subjects import WIREGUARD_WORKLOADS
from pywg.demo.lab import End, Lab
from pywg.uapi.model import DeviceChange

_PATIENCE = 20.0
_PROBE = "pywgprobe"


@dataclass(frozen=True, slots=True)
class KernelModule:
    """``ip link add type wireguard``."""

    keys: Keys
    version: str
    name: str = "kernel"
    workloads: frozenset[str] = WIREGUARD_WORKLOADS

    def configure(self, end: End, change: DeviceChange) -> None:
        """Raises BenchError."""
        configure_with_wg(end, change)

    def set_up(self, lab: Lab) -> str:
        """An interface in each end; tunnel MTU 1420."""
        for end, change in zip(lab.ends, changes(self.keys, lab.ends), strict=True):
            output(inside(end, "ip", "link", "add", end.device, "type", "wireguard"), timeout=_PATIENCE)
            self.configure(end, change)
            lab.bring_up_tunnel(end)
        return str(lab.ends[1].inner.ip)


def configure_with_wg(end: End, change: DeviceChange) -> None:
    """By wg(8), which takes its file from a path only. Raises BenchError."""
    command = "setconf" if change.replace_peers else "addconf"
    with tempfile.NamedTemporaryFile("w") as file:  # mode 0600
        file.write(as_wg_file(change))
        file.flush()
        output(inside(end, "wg", command, end.device, file.name), timeout=_PATIENCE)


def kernel_module(keys: Keys) -> KernelModule | str:
    """Or why it cannot be had."""
    done = run(["ip", "link", "add", _PROBE, "type", "wireguard"], timeout=_PATIENCE)
    if done.returncode:
        return f"ip link add type wireguard: {done.stderr.strip() or 'refused'}"
    subprocess.run(["ip", "link", "delete", _PROBE], check=False)
    return KernelModule(keys, output(["uname", "-r"], timeout=_PATIENCE).strip())
