"""Memory of a daemon with many peers, and the time to configure them.

In: a daemon and numbers of peers. Out: VmRSS in MB (10^6 bytes) and seconds, by metric. Each number gets a
fresh daemon. As wg-quick does it: one set transaction first, from its first byte to errno=0, then the
interface goes up; memory is looked at two seconds later, when the daemon had time to give back what it only
needed to read.
"""

import re
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.configuration import Keys, many_peers
from bench.errors import BenchError
from bench.lab import laboratory
from bench.subjects import Daemon
from pywg.demo.processes import ProcessId
from pywg.uapi.codec import change_lines
from pywg.uapi.model import DeviceChange
from pywg.uapi.path import socket_path

COUNTS = (1, 1_000, 10_000)
_SETTLE = 2.0
_PATIENCE = 60.0
_RSS = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)


def measure(subject: Daemon, keys: Keys, counts: Sequence[int] = COUNTS) -> Mapping[str, float]:
    """Raises BenchError. `counts` begins with 1, and its last is what the share of a peer is made of."""
    told: dict[str, float] = {}
    for count in counts:
        with laboratory() as lab:
            end = lab.ends[0]
            subject.start(end)
            daemon = lab.processes()
            seconds = _configure(end.device, many_peers(keys.first, count))
            lab.bring_up_tunnel(end)
            time.sleep(_SETTLE)
            told[f"rss_{count}"] = _rss(daemon) / 1e6
            if count > 1:
                told[f"configure_{count}"] = seconds
    told["rss_per_peer"] = (told[f"rss_{counts[-1]}"] - told["rss_1"]) * 1e6 / (counts[-1] - 1)
    return told


def _configure(device: str, change: DeviceChange) -> float:
    """Seconds of one set operation. The text is made before the clock starts. Raises BenchError."""
    text = "".join(f"{line}\n" for line in ("set=1", *change_lines(change), "")).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        connection.connect(str(socket_path(device)))
        reply = b""
        begun = time.monotonic()
        connection.sendall(text)
        while not reply.endswith(b"\n\n"):
            piece = connection.recv(4096)
            if not piece:
                break
            reply += piece
        seconds = time.monotonic() - begun
    if reply.strip() != b"errno=0":
        raise BenchError(f"{len(change.peers)} peers were refused: {reply.decode(errors='replace').strip()}")
    return seconds


def _rss(daemon: Sequence[ProcessId]) -> int:
    """Bytes, of all processes of the daemon."""
    total = 0
    for process in daemon:
        found = _RSS.search(Path(f"/proc/{process.pid}/status").read_text())
        total += int(found[1]) * 1024 if found else 0
    return total
