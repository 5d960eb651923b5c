"""Only the demo's own processes are ended, and a pid is never taken for the process it once was."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from pywg.demo import processes
from pywg.demo.processes import ProcessId


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


def test_another_process_of_the_same_pid_is_left_alone(sleeper: "subprocess.Popen[bytes]") -> None:
    now = processes.identify(sleeper.pid)
    assert now is not None
    earlier = ProcessId(now.pid, now.started - 1)
    assert not earlier.alive
    processes.end([earlier], patience=0.1)
    assert sleeper.poll() is None
    assert now.alive


def test_a_process_that_heeds_no_sigterm_is_killed() -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        process = processes.identify(child.pid)
        assert process is not None
        begun = time.monotonic()
        processes.end([process], patience=0.2)
        assert child.wait() == -signal.SIGKILL
        assert time.monotonic() - begun < 5


def test_a_zombie_and_an_unused_pid_are_not_alive() -> None:
    with subprocess.Popen(["true"]) as child:
        deadline = time.monotonic() + 5
        while processes.identify(child.pid) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    gone = ProcessId(child.pid, 1)
    assert not gone.alive
    gone.send(signal.SIGKILL)
