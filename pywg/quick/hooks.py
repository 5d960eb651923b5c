"""The user's own commands: PreUp, PostUp, PreDown, PostDown.

In: commands as they were written. Out: nothing; a QuickError for the first that fails. Rules kept, as in
wg-quick(8): ``%i`` is the interface; each is echoed; each runs by itself in bash, under ``set -e`` and
``pipefail``, in the locale C, on our standard streams, and finds $INTERFACE and $CONFIG_FILE. Where there is
no bash they run in sh.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pywg.config.model import QuickConfig
from pywg.quick.errors import QuickError
from pywg.quick.host import Host
from pywg.quick.interruption import Interrupted, Interruption

ENDING_SECONDS: Final = 5.0
"""Longest wait for a command that was told to end."""
NOT_FOUND: Final = 127
"""Status of a command that cannot be run, as a shell tells it."""


def run_hooks(setting: str, hooks: Sequence[str], config: QuickConfig, device: str, host: Host) -> None:
    """Run them in order. `setting`: for example ``PostUp``. `device`: the interface's real name.

    Raises QuickError with the status of the first that fails, Interrupted.
    """
    for hook in hooks:
        command = hook.replace("%i", device)
        if sys.platform == "darwin":
            command = command.replace("%I", config.name)
        host.say(command)
        status = run_command([*_shell(), command], host.interruption, _environment(config, device))
        if status:
            # Not with the command: it was echoed just now, and may hold a key.
            raise QuickError(f"{config.path}: {setting} failed with status {status} (see above)", status)


def run_command(
    words: Sequence[str], interruption: Interruption, environment: Mapping[str, str] | None = None
) -> int:
    """Run a program on our standard streams and return its status as a shell tells it (128 + signal).

    When we are told to end, it is told the same and waited for, but not for ever. Raises Interrupted.
    """
    interruption.check()
    try:
        child = subprocess.Popen(words, env=environment)
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
    if shutil.which("bash") is None:
        return ["sh", "-e", "-c"]
    return ["bash", "-e", "-o", "pipefail", "-O", "extglob", "-c"]


def _environment(config: QuickConfig, device: str) -> dict[str, str]:
    # Last on the path: a hook finds `pywg` also where it is installed in a place of its own.
    program = Path(sys.argv[0])
    ours = str(program.resolve().parent) if program.name == "pywg" else ""
    path = os.pathsep.join(filter(None, (os.environ.get("PATH", os.defpath), ours)))
    return {**os.environ, "PATH": path, "LC_ALL": "C", "INTERFACE": device, "CONFIG_FILE": str(config.path)}


def _end(child: subprocess.Popen[bytes], number: int) -> None:
    child.send_signal(signal.Signals(number))
    try:
        child.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
