"""A machine of its own for commands of wg(8): its UAPI sockets and its network are seen by nobody else.

Comes in: command lines. Goes out: what they wrote and their exit status. `wg` runs as a process; `pywg` runs
in a fork of the test process, which has imported everything already: real descriptors and a real exit status
in a tenth of the time. Rule: what is started here ends here.
"""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NoReturn, Self

from pywg.cli.main import main
from pywg.uapi.client import UapiClient
from tests.netns.namespace import socket_answers
from tests.netns.wait import until

PROJECT = Path(__file__).resolve().parents[2]
PYWG = (sys.executable, "-P", "-m", "pywg")
WG = os.environ.get("PYWG_TEST_WG", "wg")
"""Another `wg` to compare with, for example one built from newer sources."""

_UAPI = Path("/var/run").resolve() / "wireguard"
_PREPARE = f"mkdir -p {_UAPI} && mount -t tmpfs -o mode=755 tmpfs {_UAPI} && echo ready && exec sleep 3600"
_CLONE_NEWNS = 0x0002_0000
_CLONE_NEWNET = 0x4000_0000
_SECONDS = 20
_LOST = 111
"""Exit status of a fork that came to grief; the reason stands on its standard error."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command wrote, and how it ended."""

    out: str
    error: str
    status: int


@dataclass(slots=True)
class Machine:
    """Namespaces for mounts and networks with an empty /var/run/wireguard; use as a context manager."""

    directory: Path
    """For logs."""
    _resources: ExitStack = field(default_factory=ExitStack)
    _pid: int = 0

    def __enter__(self) -> Self:
        holder = subprocess.Popen(
            ["unshare", "--mount", "--net", "sh", "-c", _PREPARE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self._resources.callback(_end, holder)
        assert holder.stdout is not None
        self._resources.callback(holder.stdout.close)
        assert holder.stdout.readline() == b"ready\n"
        self._pid = holder.pid
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    @property
    def sockets(self) -> Path:
        """Its /var/run/wireguard, as seen from outside, where a link would lead out of it."""
        return Path(f"/proc/{self._pid}/root{_UAPI}")

    def client(self, name: str) -> UapiClient:
        """To set and look at an interface without any command."""
        return UapiClient(name, directory=self.sockets)

    def command(self, *argv: str) -> list[str]:
        """The command line that runs `argv` here."""
        return ["nsenter", "--target", str(self._pid), "--mount", "--net", "--", *argv]

    def ip(self, *words: str) -> None:
        """``ip WORDS``."""
        subprocess.run(self.command("ip", *words), check=True, timeout=_SECONDS)

    def pywg_daemon(self, name: str) -> None:
        """A pywg for the interface `name`, on the Python engine: no packet goes through it."""
        self._daemon(name, *PYWG, "-f", PYWG_ENGINE="python")

    def go_daemon(self, name: str) -> None:
        """Debian's wireguard-go for the interface `name`."""
        self._daemon(name, "wireguard-go", "-f", WG_PROCESS_FOREGROUND="1", LOG_LEVEL="silent")

    def _daemon(self, name: str, *argv: str, **env: str) -> None:
        path = self.directory / f"{name}.log"
        log = self._resources.enter_context(path.open("wb"))
        process = subprocess.Popen(
            self.command(*argv, name),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": str(PROJECT)} | env,
        )
        self._resources.callback(_end, process)
        until(
            lambda: process.poll() is not None or socket_answers(self.sockets / f"{name}.sock"),
            f"{name} answers",
            seconds=10,
        )
        assert process.poll() is None, path.read_text()

    @contextmanager
    def device_that_answers(self, name: str, reply: bytes) -> Iterator[None]:
        """An interface that answers every request with `reply`, or hangs up if that is empty."""
        path = self.sockets / f"{name}.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            thread = threading.Thread(target=_answer, args=(listener, reply))
            thread.start()
            try:
                yield
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join()
                path.unlink(missing_ok=True)

    def wg(
        self, words: Sequence[str], *, text: bytes = b"", env: Mapping[str, str] | None = None, user: int = 0
    ) -> Done:
        """Debian's `wg` with these words, this standard input and nothing but `env`."""
        become = ["setpriv", f"--reuid={user}", "--clear-groups", "--"] if user else []
        done = subprocess.run(
            self.command(*become, WG, *words),
            input=text,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={"PATH": os.environ["PATH"], **(env or {})},
        )
        return Done(_text(done.stdout), _text(done.stderr), done.returncode)

    def pywg(
        self, words: Sequence[str], *, text: bytes = b"", env: Mapping[str, str] | None = None, user: int = 0
    ) -> Done:
        """The same of `pywg`."""
        reading, writing = os.pipe()
        assert len(text) <= select.PIPE_BUF
        os.write(writing, text)
        os.close(writing)
        with os.fdopen(reading) as stdin, TemporaryFile() as out, TemporaryFile() as error:
            pid = os.fork()
            if not pid:
                self._be_pywg(words, (stdin, out, error), env or {}, user)
            _, status = os.waitpid(pid, 0)
            out.seek(0)
            error.seek(0)
            return Done(_text(out.read()), _text(error.read()), os.waitstatus_to_exitcode(status))

    def _be_pywg(
        self, words: Sequence[str], streams: Sequence[IO[Any]], env: Mapping[str, str], user: int
    ) -> NoReturn:
        """What the fork does. Nothing may get out of here: there is a second test process above."""
        status = _LOST
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(_SECONDS)
            for number, stream in enumerate(streams):
                os.dup2(stream.fileno(), number)
            sys.stdin, sys.stdout, sys.stderr = (
                os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww")
            )
            self._enter()
            os.environ.clear()
            os.environ.update(env)
            if user:
                os.setgroups([])
                os.setuid(user)
            status = main(words)
            sys.stdout.flush()
        except BaseException:  # noqa: BLE001 (see above)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        for name, kind in (("mnt", _CLONE_NEWNS), ("net", _CLONE_NEWNET)):
            with Path(f"/proc/{self._pid}/ns/{name}").open("rb") as namespace:
                if libc.setns(namespace.fileno(), kind):
                    raise OSError(ctypes.get_errno(), f"cannot enter {namespace.name}")


def _text(output: bytes) -> str:
    return output.decode("utf-8", "surrogateescape")


def _answer(listener: socket.socket, reply: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            if connection.recv(64):
                connection.sendall(reply)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(10)
