"""TCP through a tunnel, measured by iperf3.

In: a tunnel, seconds, streams, direction. Out: what arrived, in what time, and the processor time it took.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from bench.cpu import CpuTime, cpu_time
from bench.errors import BenchError
from bench.lab import Tunnel, beside, inside, run

_PATIENCE = 20.0
_LISTENING = 5.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """One run."""

    mbit: float
    bytes: int
    """Payload that arrived."""
    cpu: CpuTime

    def cpu_per_gb(self) -> Mapping[str, float]:
        """Seconds per 10^9 bytes, by metric. None of the daemons', where there is no daemon."""
        told = {"cpu_machine": self.cpu.machine * 1e9 / self.bytes}
        if self.cpu.daemons:
            told["cpu_daemons"] = self.cpu.daemons * 1e9 / self.bytes
        return told


def transfer(tunnel: Tunnel, seconds: float, *, streams: int = 1, reverse: bool = False) -> Transfer:
    """From here to there, or back. Raises BenchError."""
    words = _client(tunnel, seconds) + ["--parallel", str(streams)] + ["--reverse"] * reverse
    with _server(tunnel):
        deadline = time.monotonic() + _LISTENING
        while True:
            before = cpu_time(tunnel.daemons)
            done = run(words, timeout=seconds + _PATIENCE)
            cpu = cpu_time(tunnel.daemons) - before
            try:
                told = json.loads(done.stdout)
            except ValueError:
                raise BenchError(f"iperf3 said: {done.stdout.strip() or done.stderr.strip()}") from None
            if "error" not in told:
                received = told["end"]["sum_received"]
                if not received["bytes"]:
                    raise BenchError("no byte came through TCP")
                return Transfer(received["bits_per_second"] / 1e6, received["bytes"], cpu)
            # The server may need a moment before it listens.
            if "refused" not in told["error"] or time.monotonic() > deadline:
                raise BenchError(f"iperf3 said: {told['error']}")
            time.sleep(0.05)


@contextmanager
def stream_beside(tunnel: Tunnel, seconds: float) -> Iterator[None]:
    """One stream that runs during the block, at most for so long."""
    with _server(tunnel):
        time.sleep(0.3)  # until it listens
        with beside(_client(tunnel, seconds)) as client:
            time.sleep(0.7)  # until it is at full speed
            if client.poll() is not None:
                raise BenchError("the TCP stream beside the pings ended at once")
            yield
            if client.poll() is not None:
                raise BenchError("the TCP stream ended before the pings did")


def _server(tunnel: Tunnel) -> AbstractContextManager[object]:
    return beside(inside(tunnel.there, "iperf3", "--server", "--one-off", "--bind", tunnel.address))


def _client(tunnel: Tunnel, seconds: float) -> list[str]:
    words = ("iperf3", "--json", "--client", tunnel.address, "--time", f"{seconds:g}")
    return inside(tunnel.here, *words)
