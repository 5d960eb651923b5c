"""The demo's laboratory without its words, a tunnel in it, and programs that run in its two ends.

In: a subject. Out: the tunnel, up and proved by an answered ping. Rule kept: whatever runs in the two
namespaces is ended, and the namespaces are removed, when the `with` block is left, however it is left.
"""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self

from bench.errors import BenchError
from pywg.demo import children
from pywg.demo.clean import clean_up
from pywg.demo.lab import End, Lab
from pywg.demo.processes import ProcessId

_TUNNEL_PATIENCE = 20.0


@contextmanager
def laboratory() -> Iterator[Lab]:
    """Two namespaces and a veth pair (MTU 1500) for the time of the `with` block."""
    lab = Lab(lambda _: None, prefix="pywg-bench")
    try:
        lab.create()
        yield lab
    finally:
        clean_up(lab)


class Connects(Protocol):
    """A subject, as far as a tunnel needs it."""

    @property
    def name(self) -> str:
        """What the tables call it."""

    def set_up(self, lab: Lab) -> str:
        """Connect the two ends; returns the address of the second as the first reaches it."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """The two ends, connected by a subject."""

    here: End
    there: End
    address: str
    """Where `there` is reached from `here` through the subject."""
    daemons: Sequence[ProcessId]
    """The processes of both ends that move the packets; none for the bare path and the kernel."""


@contextmanager
def tunnel(subject: Connects) -> Iterator[Tunnel]:
    """Both ends the same implementation. Raises BenchError if no ping is answered."""
    with laboratory() as lab:
        address = subject.set_up(lab)
        here, there = lab.ends
        _await_ping(subject, here, address)
        yield Tunnel(here, there, address, lab.processes())


def _await_ping(subject: Connects, here: End, address: str) -> None:
    deadline = time.monotonic() + _TUNNEL_PATIENCE
    while time.monotonic() < deadline:
        if run(inside(here, "ping", "-n", "-q", "-c", "1", "-W", "1", address), timeout=10).returncode == 0:
            return
        time.sleep(0.1)
    raise BenchError(f"{subject.name}: no ping was answered through it in {_TUNNEL_PATIENCE:.0f} s")


def inside(end: End, *words: str) -> list[str]:
    """The command line that does `words` in the namespace of `end`; cheaper to start than the demo's."""
    return ["nsenter", f"--net={end.path}", "--", *words]


def python(module: str, *words: str) -> list[str]:
    """The command line of one of our own programs."""
    return [sys.executable, "-P", "-m", module, *words]


def run(words: Sequence[str], *, timeout: float) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end. Raises BenchError when `timeout` seconds are over."""
    try:
        return subprocess.run(
            words,
            env=children.own_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"not done after {timeout:.0f} s: {' '.join(words)}") from None
    except FileNotFoundError:
        raise BenchError(f"{words[0]} is not installed") from None


def output(words: Sequence[str], *, timeout: float) -> str:
    """What a command prints. Raises BenchError unless it ends with 0."""
    done = run(words, timeout=timeout)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["it gave no reason"]
        raise BenchError(f"{' '.join(words[:6])} ... ended with {done.returncode}: {said[-1]}")
    return done.stdout


class Helper:
    """A program of ours that runs beside the measurement and answers each line with one line."""

    def __init__(self, words: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            words, env=children.own_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def tell(self, line: str) -> None:
        """Send a line. Raises BenchError if the helper is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BenchError(f"a helper ended: {self._process.args!r}") from None

    def answer(self, *, timeout: float) -> str:
        """The next line it prints. Raises BenchError when it does not come in time."""
        assert self._process.stdout is not None
        descriptor, line = self._process.stdout.fileno(), b""
        deadline = time.monotonic() + timeout
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(descriptor, 4096) if readable else b""
            if not piece:
                raise BenchError(f"a helper gave no answer: {self._process.args!r}")
            line += piece
        return line.decode().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def beside(words: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that runs, without streams, for the time of the `with` block at most."""
    with subprocess.Popen(
        words,
        env=children.own_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
