"""The laboratory itself: it leaves nothing behind, whatever becomes of the test that uses it.

Comes in: tests that fail or are killed. Goes out: no namespace, no process, no socket. Rule: these run
wireguard-go, for they are about tests/netns and not about pywg.
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import need
from tests.netns.daemon import PROJECT, Program
from tests.netns.lab import Lab
from tests.netns.namespace import NAMESPACES, UAPI_SOCKETS, CommandError, sweep_leftovers

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.netns.daemon import Program
from tests.netns.lab import Lab
lab = Lab(Path(sys.argv[1]))
namespace = lab.namespace()
print(namespace.name, lab.start(Program.WIREGUARD_GO, namespace).interface, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def _needed() -> None:
    need("wireguard-go")


def test_a_failing_test_leaves_nothing(tmp_path: Path) -> None:
    """An exception in the middle: daemons, processes and namespaces go all the same."""
    with contextlib.suppress(ZeroDivisionError), Lab(tmp_path) as lab:
        namespace = lab.namespace()
        daemon = lab.start(Program.WIREGUARD_GO, namespace)
        process = namespace.popen("sleep", "60")
        raise ZeroDivisionError
    assert process.wait(15) == -signal.SIGKILL
    assert daemon.process.poll() is not None
    assert not daemon.socket.exists()
    assert not (NAMESPACES / namespace.name).exists()


def test_a_daemon_that_leaves_something_fails_its_test(tmp_path: Path) -> None:
    """A killed daemon leaves its socket: the laboratory says so, and wipes it."""
    lab = Lab(tmp_path)
    daemon = lab.start(Program.WIREGUARD_GO, lab.namespace())
    daemon.process.kill()
    daemon.process.wait()
    with pytest.raises(AssertionError, match="left behind"):
        lab.close()
    assert not daemon.socket.exists()


def test_a_daemon_that_does_not_start_is_reported_with_its_log(tmp_path: Path) -> None:
    """A program that fails at once is told from one that is slow."""
    with Lab(tmp_path) as lab, pytest.raises(CommandError, match="exit 1"):
        lab.start(Program.PYWG, lab.namespace(), WG_TUN_FD="not a number")


def test_a_killed_run_is_swept(tmp_path: Path) -> None:
    """A run dies by SIGKILL: the next one deletes its namespace, its daemon and its socket."""
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    namespace, interface = killed.stdout.split()
    socket_file = UAPI_SOCKETS / f"{interface}.sock"
    assert (NAMESPACES / namespace).exists()
    assert socket_file.exists()
    assert set(sweep_leftovers()) >= {namespace, str(socket_file)}
    assert not (NAMESPACES / namespace).exists()
    assert not socket_file.exists()
