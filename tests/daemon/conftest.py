"""One daemon in a namespace of its own: started as a user starts it, always gone at the end.

Every test with a place runs once with each engine, and a daemon that was started runs the one it was told to.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.needs import ENGINES, need, need_engine, need_root
from tests.netns.daemon import assert_engine
from tests.netns.namespace import UAPI_SOCKETS, Namespace, new_interface_name, run
from tests.netns.wait import until

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace and a name for an interface that does not exist yet."""

    namespace: Namespace
    interface: str
    engine: str

    @property
    def socket(self) -> Path:
        return UAPI_SOCKETS / f"{self.interface}.sock"

    def command(self, *words: str, module: str = "pywg") -> list[str]:
        """``pywg WORDS`` in the namespace; no words: the interface. `module` stands in for pywg."""
        return self.namespace.command(sys.executable, "-P", "-m", module, *(words or (self.interface,)))

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name != "LOG_LEVEL"}
        return inherited | {"PYTHONPATH": str(PROJECT), "PYWG_ENGINE": self.engine} | more

    def pywg(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end. Both streams are captured, so this returns only when no one holds them."""
        done = subprocess.run(
            self.command(*words),
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if done.returncode == 0 and not words:
            self.assert_engine()
        return done

    def assert_engine(self) -> None:
        """The daemon runs the engine it should."""
        assert_engine(self.interface, self.environment())

    @contextlib.contextmanager
    def foreground(self, log: Path, module: str = "pywg", **env: str) -> Iterator[subprocess.Popen[bytes]]:
        """``pywg -f``, once it answers, with both streams in `log`."""
        with log.open("wb") as file:
            process = subprocess.Popen(
                self.command("-f", self.interface, module=module),
                env=self.environment(**env),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        try:
            # Not only that something listens, which it does before the loop runs.
            until(lambda: self.answers() or process.poll() is not None, "the daemon answers", seconds=10)
            assert process.poll() is None, log.read_text()
            self.assert_engine()
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

    def assert_gone(self, seconds: float = 15) -> None:
        until(self.is_gone, f"{self.interface} is gone", seconds=seconds)


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    need_engine(request.param)
    need_root()
    need("ip", "nsenter", "wg", "setpriv", "unshare")
    namespace = Namespace.create()
    interface = new_interface_name()
    try:
        yield Place(namespace, interface, request.param)
    finally:
        for pid in namespace.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        namespace.delete()
        (UAPI_SOCKETS / f"{interface}.sock").unlink(missing_ok=True)
