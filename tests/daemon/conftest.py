"""One daemon in a namespace of its own: started as a user starts it, always gone at the end."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.needs import need, need_root
from tests.netns.namespace import UAPI_SOCKETS, Namespace, new_interface_name, run
from tests.netns.wait import until

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace and a name for an interface that does not exist yet."""

    namespace: Namespace
    interface: str

    @property
    def socket(self) -> Path:
        return UAPI_SOCKETS / f"{self.interface}.sock"

    def command(self, *words: str) -> list[str]:
        """``pywg WORDS`` in the namespace; no words: the interface."""
        return self.namespace.command(sys.executable, "-P", "-m", "pywg", *(words or (self.interface,)))

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name != "LOG_LEVEL"}
        return inherited | {"PYTHONPATH": str(PROJECT)} | more

    def pywg(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end. Both streams are captured, so this returns only when no one holds them."""
        return subprocess.run(
            self.command(*words),
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    @contextlib.contextmanager
    def foreground(self, log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
        """``pywg -f``, once it answers, with both streams in `log`."""
        with log.open("wb") as file:
            process = subprocess.Popen(
                self.command("-f", self.interface),
                env=self.environment(**env),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        try:
            # Not only that something listens, which it does before the loop runs.
            until(lambda: self.answers() or process.poll() is not None, "the daemon answers", seconds=10)
            assert process.poll() is None, log.read_text()
            yield process
        finally:
            process.kill()
            process.wait()

    def answers(self) -> bool:
        """Whether `wg` gets an answer."""
        return run("wg", "show", self.interface, check=False).returncode == 0

    def daemon_pid(self) -> int:
        """The one process in the namespace."""
        (pid,) = self.namespace.pids()
        return pid

    def is_gone(self) -> bool:
        """No process, no interface, no socket file."""
        return (
            not self.namespace.pids()
            and not self.namespace.has_link(self.interface)
            and not self.socket.exists()
        )

    def assert_gone(self, seconds: float = 5) -> None:
        until(self.is_gone, f"{self.interface} is gone", seconds=seconds)


@pytest.fixture
def place() -> Iterator[Place]:
    need_root()
    need("ip", "nsenter", "wg", "setpriv", "unshare")
    namespace = Namespace.create()
    interface = new_interface_name()
    try:
        yield Place(namespace, interface)
    finally:
        for pid in namespace.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        namespace.delete()
        (UAPI_SOCKETS / f"{interface}.sock").unlink(missing_ok=True)
