"""One stream of TCP, measured by iperf3: through a tunnel, both ends alike, or the bare wire.

In: a subject, seconds. Out: Mbit/s that arrived. Tunnel MTU 1420 over a veth pair of MTU 1500.
"""

import json
import subprocess
import time

from bench.lab import laboratory
from bench.subjects import Subject
from pywg.demo import children, peers
from pywg.demo.lab import End
from pywg.uapi.client import UapiClient

_PATIENCE = 30.0


class IperfError(Exception):
    """iperf3 told of no result."""


def measure(subject: Subject | None, seconds: float) -> float:
    """Mbit/s. Without a subject: through the veth pair itself."""
    with laboratory() as lab:
        here, there = lab.ends
        if subject is None:
            return _iperf(here, there, str(there.wire.ip), seconds)
        for end, change in zip(lab.ends, peers.changes(lab.ends), strict=True):
            subject.start(end)
            UapiClient(end.device).set(change)
            lab.bring_up_tunnel(end)
        return _iperf(here, there, str(there.inner.ip), seconds)


def _iperf(here: End, there: End, address: str, seconds: float) -> float:
    """One stream from here to there. Raises IperfError."""
    environment = children.own_environment()
    with subprocess.Popen(
        children.inside(there.path, "exec", "iperf3", "--server", "--one-off", "--bind", address),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            return _client(
                children.inside(here.path, "exec", "iperf3", "--json", "--client", address), seconds
            )
        finally:
            server.terminate()


def _client(words: list[str], seconds: float) -> float:
    deadline = time.monotonic() + 5
    while True:
        done = subprocess.run(
            [*words, "--time", f"{seconds:g}"],
            env=children.own_environment(),
            capture_output=True,
            text=True,
            timeout=seconds + _PATIENCE,
            check=False,
        )
        try:
            told = json.loads(done.stdout)
        except ValueError:
            raise IperfError(f"iperf3 said: {done.stdout.strip() or done.stderr.strip()}") from None
        if "error" not in told:
            return float(told["end"]["sum_received"]["bits_per_second"] / 1e6)
        # The server may need a moment before it listens.
        if "refused" not in told["error"] or time.monotonic() > deadline:
            raise IperfError(f"iperf3 said: {told['error']}")
        time.sleep(0.1)
