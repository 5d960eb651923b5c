"""Child processes of the demo, none of which may outlive an interrupted parent.

In: command lines. Out: their output, or the running child. Rule kept: between the birth of a child and the
moment somebody is there to end it no signal gets through; subprocess alone leaves that gap.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pywg
from pywg.demo.say import DemoError, say

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def held_back() -> Iterator[None]:
    """Signals that would end us wait until the block is over. Children do not inherit this."""
    caught: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: caught.append(number)) for number in END_SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        signal.raise_signal(caught[0])


def own_environment() -> dict[str, str]:
    """This process's environment, with the pywg that runs here importable for children that use ``-P``."""
    environment = dict(os.environ)
    root = Path(pywg.__file__).resolve().parents[1]
    if root.name not in {"site-packages", "dist-packages"}:  # not installed: a checkout
        before = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{root}{os.pathsep}{before}" if before else str(root)
    return environment


def inside(namespace: Path, *words: str) -> list[str]:
    """The command line that does `words` within the namespace (see inside.py)."""
    return [sys.executable, "-P", "-m", "pywg.demo.inside", str(namespace), *words]


def run(
    words: Sequence[str],
    *,
    timeout: float,
    output: int | IO[str] | None = None,
    errors: int | IO[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Wait for a child of our own session; it is killed if we are interrupted or it takes too long.

    `timeout`: seconds. Raises DemoError when they are over.
    """
    child: subprocess.Popen[str] | None = None
    try:
        with held_back():
            child = _popen(words, output, errors, environment)
        text, _ = child.communicate(timeout=timeout)
    except BaseException as error:
        if child is not None:
            child.kill()
            child.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise DemoError(f"not done after {timeout:.0f} s: {' '.join(words)}") from None
        raise
    return subprocess.CompletedProcess(words, child.returncode, text)


class Helpers:
    """Children that run beside the demo until they are ended."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []

    def start(self, words: Sequence[str]) -> "subprocess.Popen[str]":
        """A child whose standard output is read through a pipe."""
        with held_back():
            child = _popen(words, subprocess.PIPE, subprocess.DEVNULL, None)
            self._running.append(child)
        return child

    def end(self) -> None:
        """End those that run still, and wait for all."""
        for child in self._running:
            if child.poll() is None:
                say(f"kill {child.pid}")
                child.kill()
            child.communicate()


def _popen(
    words: Sequence[str],
    output: int | IO[str] | None,
    errors: int | IO[str] | None,
    environment: Mapping[str, str] | None,
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        words,
        env=own_environment() | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        text=True,
        start_new_session=True,  # Ctrl-C is ours alone to handle
    )
