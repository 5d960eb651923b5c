"""How long from starting a daemon to a socket that answers a get.

In: a subject. Out: seconds. The target for pywg is 0.4 s.
"""

import subprocess
import time

from bench.lab import laboratory
from bench.subjects import Subject
from pywg.demo import children
from pywg.demo.inside import enter
from pywg.uapi.client import UapiClient

TARGET = 0.4


def measure(subject: Subject) -> float:
    """Seconds. The daemon starts in a fresh namespace, which is made before the clock starts."""
    with laboratory() as lab:
        end = lab.ends[0]
        environment = children.own_environment() | dict(subject.environment)
        begun = time.monotonic()
        subprocess.run(
            [*subject.command, end.device],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # One thread here, and the helper of the demo would add its own start-up time.
            preexec_fn=lambda: enter(str(end.path)),
            start_new_session=True,
            check=True,
        )
        UapiClient(end.device).get()
        return time.monotonic() - begun
