"""How long `up` takes: 1,000 peers, from the command to an interface with all its routes.

In: a daemon. Out: seconds. pywg is brought up by `pywg up`, every other daemon by Debian's wg-quick, which
starts what WG_QUICK_USERSPACE_IMPLEMENTATION names. The target for pywg is 3 s.
"""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from bench.configuration import Keys, as_wg_file, many_peers
from bench.errors import BenchError
from bench.lab import inside, laboratory, output
from bench.subjects import Daemon
from pywg.demo import children, daemon
from pywg.demo.lab import End

PEERS = 1_000
_PATIENCE = 120.0


def measure(subject: Daemon, keys: Keys, peers: int = PEERS) -> float:
    """Seconds. Raises BenchError if it fails, or if a peer or a route is missing afterwards."""
    with laboratory() as lab, tempfile.TemporaryDirectory() as directory:
        end = lab.ends[0]
        file = Path(directory) / f"{end.device}.conf"
        file.touch(0o600)
        file.write_text(_text(keys, peers))
        environment = children.own_environment() | dict(subject.environment)
        command = inside(end, *_command(subject, file))
        if subject.command != daemon.PYWG:
            environment["WG_QUICK_USERSPACE_IMPLEMENTATION"] = subject.command[0]
        begun = time.monotonic()
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        seconds = time.monotonic() - begun
        if done.returncode:
            raise BenchError(f"up ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
        _check(subject, end, peers)
        return seconds


def _text(keys: Keys, peers: int) -> str:
    return as_wg_file(many_peers(keys.first, peers)).replace(
        "[Interface]\n", "[Interface]\nAddress = 10.0.0.1/24\n", 1
    )


def _command(subject: Daemon, file: Path) -> tuple[str, ...]:
    if subject.command == daemon.PYWG:
        return (*subject.command, "up", str(file))
    program = shutil.which("wg-quick")
    if program is None:
        raise BenchError("wg-quick is not installed (apt-get install wireguard-tools)")
    return (program, "up", str(file))


def _check(subject: Daemon, end: End, peers: int) -> None:
    subject.check(end)
    routes = output(inside(end, "ip", "-4", "route", "show", "dev", end.device), timeout=20).splitlines()
    # The network of the address is one more.
    if len(routes) != peers + 1:
        raise BenchError(f"{len(routes)} routes after up, expected {peers + 1}")
