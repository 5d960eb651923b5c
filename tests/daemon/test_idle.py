"""A daemon with nothing to do does nothing: no thread spins on a descriptor that is always ready."""

import time
from pathlib import Path

import pytest

from tests.daemon.conftest import Place
from tests.netns.namespace import run
from tests.netns.wait import until

SECONDS = 2.0
TICKS = 100
"""A second of CPU time in /proc (proc(5), USER_HZ)."""
CPU_SECONDS = 0.1


def cpu_seconds(pid: int) -> float:
    """Of all its threads, in user space and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@pytest.mark.parametrize("state", ["never up", "up", "down again", "peer that refuses"])
def test_an_idle_daemon_uses_no_cpu(place: Place, tmp_path: Path, state: str) -> None:
    with place.foreground(tmp_path / "log") as process:
        if state != "never up":
            place.namespace.ip("link", "set", place.interface, "up")
            until(lambda: "port" in run("wg", "show", place.interface).stdout, "it listens", seconds=15)
        if state == "down again":
            place.namespace.ip("link", "set", place.interface, "down")
        if state == "peer that refuses":
            # An ICMP error waits in the error queue of the socket and makes it readable.
            key = run("wg", "genkey").stdout
            public = run("wg", "pubkey", text=run("wg", "genkey").stdout).stdout.strip()
            run(
                *("wg", "set", place.interface, "private-key", "/dev/stdin", "peer", public),
                *("endpoint", "127.0.0.1:9", "persistent-keepalive", "1"),
                text=key,
            )
        time.sleep(0.5)
        before = cpu_seconds(process.pid)
        time.sleep(SECONDS)
        assert cpu_seconds(process.pid) - before <= CPU_SECONDS
        assert process.poll() is None
