"""Running a program of the system: nft, resolvconf, on macOS nearly everything.

In: its words and what it reads. Out: what it printed, or NetworkError. Rules kept: no shell; what is parsed
was printed in the C locale; nothing is waited for but the program itself, for a resolvconf may leave behind a
daemon that keeps our end of a pipe open; and no program is waited for without end.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final, Protocol

from pywg.net.system import NetworkError

TIMEOUT: Final = 60.0
"""Seconds. A resolvconf that restarts a name server takes a few."""
SEARCHED_TOO = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where programs for root lie; ``su`` leaves these out of PATH."""


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
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        stdin.write(text.encode())
        stdin.seek(0)
        environment = os.environ | {"LC_ALL": "C", "PATH": _path()}
        try:
            status = subprocess.run(
                words, stdin=stdin, stdout=out, stderr=err, env=environment, timeout=timeout, check=False
            ).returncode
        except FileNotFoundError:
            raise NetworkError(f"{_line(words)}: {words[0]} is not installed") from None
        except OSError as error:
            raise NetworkError(f"{_line(words)}: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise NetworkError(f"{_line(words)}: not done after {timeout:g} s, and stopped") from None
        printed = Printed(_read(out), _read(err))
    if status != 0:
        said = " / ".join(_lines(printed.stderr) or _lines(printed.stdout)) or "it does not say why"
        ended = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
        raise NetworkError(f"{_line(words)}: {said} ({ended})")
    return printed


def asked(*words: str, run: Run = run) -> str:
    """What a program answers to a question; empty if it fails: what cannot be told is not there."""
    try:
        return run(*words).stdout
    except NetworkError:
        return ""


def _path() -> str:
    return os.pathsep.join((os.environ.get("PATH", os.defpath), *SEARCHED_TOO))


def _line(words: Sequence[str]) -> str:
    return " ".join(words)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
