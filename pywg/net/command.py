"""Running a program of the system: nft, resolvconf, on macOS nearly everything.

In: its words and what it reads. Out: what it printed, or NetworkError. Rules kept: no shell; what is parsed
was printed in the C locale; nothing is waited for but the program itself, for a resolvconf may leave behind a
daemon that keeps our end of a pipe open; no program is waited for without end, nor prints without end; a full
disk is no reason to fail; and none is taken from a directory that PATH names relative to where we are.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final, Protocol

from pywg.net.system import NetworkError

TIMEOUT: Final = 60.0
"""Seconds. A resolvconf that restarts a name server takes a few."""
MOST_PRINTED: Final = 2**27
"""Bytes. A firewall of a million rules prints as much."""
SEARCHED_TOO = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where programs for root lie; ``su`` leaves these out of PATH."""


NOT_FOUND: Final = 127
"""Status of a program that cannot be run, as a shell tells it."""
_LOOK: Final = 0.2
"""Seconds from one look at how much was printed to the next."""
_LONGEST_SAID: Final = 1000
"""Characters of what a program says when it fails."""


@dataclass(frozen=True, slots=True)
class Printed:
    """What a program printed before it exited 0."""

    stdout: str
    stderr: str


class Run(Protocol):
    """As `run` of this module; tests have others."""

    def __call__(self, *words: str, text: str = "") -> Printed: ...


def find(program: str) -> str | None:
    """Path of an installed program, or None."""
    return shutil.which(program, path=_path())


def run(*words: str, text: str = "", timeout: float = TIMEOUT) -> Printed:
    """Run a program with `text` as its input. `timeout` in seconds.

    Raises NetworkError if it is not there, exits other than 0 or is not done in time; with what it said.
    """
    try:
        with (
            memory_file() as stdin,
            memory_file() as out,
            memory_file() as err,
        ):
            stdin.write(text.encode(errors="surrogateescape"))
            stdin.seek(0)
            status = _status(words, (stdin, out, err), timeout)
            printed = Printed(_read(out), _read(err))
    except FileNotFoundError as error:
        missing = f"{words[0]} is not installed" if error.filename == words[0] else error.strerror
        raise NetworkError(f"{_line(words)}: {missing}", NOT_FOUND) from None
    except OSError as error:
        raise NetworkError(f"{_line(words)}: {error.strerror}") from None
    if status != 0:
        said = " / ".join(_lines(printed.stderr) or _lines(printed.stdout)) or "it does not say why"
        if len(said) > _LONGEST_SAID:
            said = f"{said[:_LONGEST_SAID]} ..."
        ended = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
        raise NetworkError(f"{_line(words)}: {said} ({ended})", status if status > 0 else 128 - status)
    return printed


def _status(words: Sequence[str], streams: tuple[IO[bytes], IO[bytes], IO[bytes]], timeout: float) -> int:
    """Exit status, or the negative number of a signal. Raises OSError and NetworkError; nothing runs then."""
    stdin, *printed = streams
    environment = os.environ | {"LC_ALL": "C", "PATH": _path()}
    # A group of its own: Ctrl-C at the terminal is for us alone, and a script is stopped with what it runs.
    with subprocess.Popen(
        words, stdin=stdin, stdout=printed[0], stderr=printed[1], env=environment, process_group=0
    ) as process:
        try:
            return _wait(process, printed, timeout)
        except _StoppedError as stopped:
            raise NetworkError(f"{_line(words)}: {stopped}") from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


class _StoppedError(Exception):
    """We have waited for a program for long enough; the text says for what."""


def _wait(process: subprocess.Popen[bytes], printed: Sequence[IO[bytes]], timeout: float) -> int:
    """Raises _StoppedError."""
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(min(_LOOK, left))
        if any(os.fstat(file.fileno()).st_size > MOST_PRINTED for file in printed):
            raise _StoppedError(f"printed more than {MOST_PRINTED} bytes, and was stopped")
    raise _StoppedError(f"not done after {timeout:g} s, and stopped")


def memory_file() -> IO[bytes]:
    """A file without a name, in memory where the system has such; else on the disk. Raises OSError."""
    if sys.platform == "linux":
        with suppress(OSError):  # An old kernel, or vm.memfd_noexec.
            return os.fdopen(os.memfd_create("pywg"), "w+b")
    return tempfile.TemporaryFile()


def asked(*words: str, run: Run = run) -> str:
    """What a program answers to a question; empty if it fails: what cannot be told is not there."""
    try:
        return run(*words).stdout
    except NetworkError:
        return ""


def _path() -> str:
    asked_for = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join((*filter(os.path.isabs, asked_for), *SEARCHED_TOO))


def _line(words: Sequence[str]) -> str:
    return " ".join(words)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
