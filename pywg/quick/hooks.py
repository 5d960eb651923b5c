"""The user's own commands: PreUp, PostUp, PreDown, PostDown.

In: commands as they were written. Out: nothing; a QuickError for the first that fails. Rules kept, as in
wg-quick(8): ``%i`` is the interface; each is echoed; each runs by itself in bash, under ``set -e`` and
``pipefail``, as the body of a function (``local``, ``return``), in the locale C, on our standard streams, and
finds $INTERFACE and $CONFIG_FILE. Where there is no bash they run in sh. A hook may hold a key and never
stands among the words of a process, which everybody may read.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pywg.config.model import QuickConfig
from pywg.net.command import NOT_FOUND, memory_file
from pywg.quick.errors import QuickError
from pywg.quick.host import Host
from pywg.quick.interruption import Interrupted, Interruption

ENDING_SECONDS: Final = 5.0
"""Longest wait for a command that was told to end."""
_DESCRIPTORS: Final = "/dev/fd" if sys.platform == "darwin" else "/proc/self/fd"
"""Where a program finds what it has inherited."""


def run_hooks(setting: str, hooks: Sequence[str], config: QuickConfig, device: str, host: Host) -> None:
    """Run them in order. `setting`: for example ``PostUp``. `device`: the interface's real name.

    Raises QuickError with the status of the first that fails, Interrupted.
    """
    for hook in hooks:
        command = hook.replace("%i", device)
        if sys.platform == "darwin":
            command = command.replace("%I", config.name)
        host.echo(command)
        status = _run_script(command, host.interruption, _environment(config, device))
        if status:
            # Not with the command: it was echoed just now, and may hold a key.
            raise QuickError(f"{config.path}: {setting} failed with status {status} (see above)", status)


def _run_script(text: str, interruption: Interruption, environment: Mapping[str, str]) -> int:
    with memory_file() as script:
        script.write(text.encode("utf-8", "surrogateescape"))
        script.seek(0)
        words = [*_shell(), f"{_DESCRIPTORS}/{script.fileno()}"]
        return run_command(words, interruption, environment, keep=(script.fileno(),))


def run_command(
    words: Sequence[str],
    interruption: Interruption,
    environment: Mapping[str, str] | None = None,
    *,
    keep: Sequence[int] = (),
) -> int:
    """Run a program on our standard streams and return its status as a shell tells it (128 + signal).

    `keep`: descriptors it inherits. When we are told to end, it and its children are told the same and it is
    waited for, but not for ever. Raises Interrupted.
    """
    interruption.check()
    try:
        child = subprocess.Popen(words, env=environment, pass_fds=keep)
    except OSError:
        return NOT_FOUND
    try:
        with interruption.waiting():
            status = child.wait()
    except Interrupted as interrupted:
        _end(child, interrupted.number)
        raise
    return status if status >= 0 else 128 - status


def _shell() -> list[str]:
    """The words before the name of the file with the hook, which is the body of a function: see above."""
    if shutil.which("bash") is None:
        return ["sh", "-e", "-c", 'hook() { (. "$0"); }; hook']
    return ["bash", "-e", "-o", "pipefail", "-O", "extglob", "-c", 'hook() { (eval -- "$(< "$0")"); }; hook']


def _environment(config: QuickConfig, device: str) -> dict[str, str]:
    # Last on the path: a hook finds `pywg` also where it is installed in a place of its own.
    program = Path(sys.argv[0])
    ours = str(program.resolve().parent) if program.name == "pywg" else ""
    path = os.pathsep.join(filter(None, (os.environ.get("PATH", os.defpath), ours)))
    return {**os.environ, "PATH": path, "LC_ALL": "C", "INTERFACE": device, "CONFIG_FILE": str(config.path)}


def _end(child: subprocess.Popen[bytes], number: int) -> None:
    _send(child.pid, number)
    try:
        child.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        _send(child.pid, signal.SIGKILL)
        child.wait()


def _send(process: int, number: int) -> None:
    """To a child of ours and to those below it: a shell that dies of a signal leaves those alone."""
    family = list(_stop(process))
    for signal_number in (number, signal.SIGCONT):
        for each in reversed(family):
            _kill(each, signal_number)


def _stop(process: int) -> Iterator[int]:
    """Each before its children are looked up, or it might start another one meanwhile."""
    _kill(process, signal.SIGSTOP)
    yield process
    for child in _children(process):
        yield from _stop(child)


def _kill(process: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _children(process: int) -> list[int]:
    """Empty where the system does not tell (proc(5))."""
    try:
        return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []
