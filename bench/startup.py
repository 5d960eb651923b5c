"""How long from starting a daemon to a socket that answers a get.

In: a daemon. Out: seconds. The target for pywg is 0.4 s.
"""

import subprocess
import time

from bench.errors import BenchError
from bench.lab import laboratory
from bench.subjects import Daemon
from pywg.demo import children
from pywg.demo.inside import enter
from pywg.uapi.client import UapiClient

_PATIENCE = 30.0


def measure(subject: Daemon) -> float:
    """Seconds. The daemon starts in a fresh namespace, which is made before the clock starts."""
    with laboratory() as lab:
        end = lab.ends[0]
        environment = children.own_environment() | dict(subject.environment)
        begun = time.monotonic()
        done = subprocess.run(
            [*subject.command, end.device],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # One thread here, and the helper of the demo would add its own start-up time.
            preexec_fn=lambda: enter(str(end.path)),
            start_new_session=True,
            timeout=_PATIENCE,
            check=False,
        )
        if done.returncode:
            raise BenchError(f"{subject.name} ended with status {done.returncode}")
        UapiClient(end.device).get()
        return time.monotonic() - begun
