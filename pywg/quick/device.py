"""The WireGuard interface itself: made by pywg, by another program or by the kernel; and its end.

In: the name of the configuration. Out: the interface's real name, which on macOS is the next free utunN and
stands in /var/run/wireguard/NAME.name, as wg-quick has it there. Rule kept: when `delete_device` returns, the
daemon has let go of its socket, so that the next `up` finds the name free, or the
user was told that it has not.

The other program is that of WG_QUICK_USERSPACE_IMPLEMENTATION, which wg-quick starts where the kernel has no
WireGuard: run with the name as its one argument, it leaves interface and UAPI socket behind and exits 0.
macOS: never run on a Mac.
"""

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pywg.daemon.launch import launch
from pywg.daemon.opening import NAME_FILE_VARIABLE
from pywg.net.command import NOT_FOUND
from pywg.net.system import NetworkError, Step
from pywg.quick.errors import QuickError
from pywg.quick.hooks import run_command
from pywg.quick.host import Host
from pywg.quick.undo import Undo
from pywg.uapi.client import NoSuchInterfaceError
from pywg.uapi.path import UapiSocketError, file_identity, socket_path

PROGRAM_VARIABLE: Final = "WG_QUICK_USERSPACE_IMPLEMENTATION"
ENDING_SECONDS: Final = 5.0
"""Longest wait for a daemon whose interface was deleted."""
SOCKETS_SECONDS: Final = 5.0
"""Longest wait for a daemon to open its sockets once the link is up. It takes milliseconds."""
_LOOK_EVERY: Final = 0.005
_SAME_AGE: Final = 2.0
"""Seconds between socket and name file above which they are not of one start (wg-quick on macOS)."""


@dataclass(frozen=True, slots=True)
class Implementation:
    """Who is to be the device. By default pywg."""

    kernel: bool = False
    program: str | None = None
    """Another program; means nothing with `kernel`."""

    @classmethod
    def chosen(cls, environment: Mapping[str, str], *, kernel: bool) -> "Implementation":
        """What the environment says; ``pywg`` there is this pywg, not what the PATH may have."""
        program = environment.get(PROGRAM_VARIABLE)
        return cls(kernel=kernel, program=None if program in {None, "", "pywg"} else program)


def find_device(name: str, host: Host) -> str | None:
    """The real name of the interface that `name` is up as, whatever its kind; None if there is none."""
    if sys.platform != "darwin":
        return name if host.system.links.has_link(name) else None
    try:
        name_file = _name_file(name, host)
        real = name_file.read_text(encoding="ascii").strip()
        age = socket_path(real, host.sockets).stat().st_mtime - name_file.stat().st_mtime
    except (OSError, ValueError, UapiSocketError):
        return None
    return real if abs(age) < _SAME_AGE and host.system.links.has_link(real) else None


def find_wireguard(name: str, host: Host) -> str:
    """The real name of the WireGuard interface that `name` is up as.

    Raises QuickError if it is not up here, UapiError.
    """
    real = find_device(name, host)
    try:
        if real is not None:
            host.open_control(real)
            return real
    except NoSuchInterfaceError:
        pass
    raise QuickError(f"'{name}' is not a WireGuard interface that is up here; see 'pywg show interfaces'")


def add_device(name: str, implementation: Implementation, host: Host, undo: Undo) -> str:
    """Make the interface and return its real name.

    Raises StartError, NetworkError or QuickError if it cannot be made; Interrupted.
    """
    if implementation.kernel:
        host.system.links.add_wireguard_link(name)
        real = name
    elif implementation.program is not None:
        return _run_program(implementation.program, name, host, undo)
    else:
        host.echo(f"pywg {name}")
        real = launch(_asked_name(name), environment=_environment(name, host))
    # Each of them leaves nothing if it fails; and an interface that is not ours is not ours to delete.
    undo.register(Step(f"delete {real}", lambda: delete_device(name, real, host)))
    return real


def delete_device(name: str, real: str, host: Host) -> None:
    """Delete the interface and wait for its daemon.

    Raises NetworkError if it cannot be deleted; one that is gone already, with its daemon or by a hook, is.
    """
    try:
        host.system.links.delete_link(real)
    except NetworkError:
        if host.system.links.has_link(real):
            raise
    if sys.platform == "darwin":
        _name_file(name, host).unlink(missing_ok=True)
    path = socket_path(real, host.sockets)
    deadline = time.monotonic() + ENDING_SECONDS
    while file_identity(path) is not None:
        if time.monotonic() > deadline:
            host.tell(f"{real} is deleted, but its daemon has not ended within {ENDING_SECONDS:g} s")
            return
        time.sleep(_LOOK_EVERY)


def wait_for_sockets(name: str, host: Host) -> None:
    """Return when the daemon of an interface that is up has its UDP sockets.

    The kernel refuses to set a link up whose port is in use; a daemon only notices. Raises QuickError with
    its reason, UapiError. A daemon that does not tell is taken to have them.
    """
    control = host.open_control(name)
    deadline = time.monotonic() + SOCKETS_SECONDS
    while (status := control.status()) is not None:
        reason = status.sockets.get("error")
        if reason:
            raise QuickError(f"{name}: {reason}; end what uses it, or choose another ListenPort")
        if "open" in {status.sockets.get("v4"), status.sockets.get("v6")}:
            return
        if time.monotonic() > deadline:
            raise QuickError(
                f"{name}: its daemon has not opened its sockets after {SOCKETS_SECONDS:g} s; it may be stuck"
            )
        host.interruption.check()
        time.sleep(_LOOK_EVERY)


def _run_program(program: str, name: str, host: Host, undo: Undo) -> str:
    asked_name = _asked_name(name)
    host.echo(f"{program} {asked_name}")

    def delete() -> None:
        made = find_device(name, host)
        if made is not None:
            delete_device(name, made, host)

    undo.register(Step(f"delete {name}", delete))
    status = run_command([program, asked_name], host.interruption, _environment(name, host))
    real = find_device(name, host)
    if status or real is None:
        what = {
            0: f"has made no interface {name}",
            NOT_FOUND: "cannot be run; install it, or unset the variable",
        }.get(status, f"failed with status {status}")
        raise QuickError(f"{PROGRAM_VARIABLE}={program}: {what}", status or 1)
    return real


def _asked_name(name: str) -> str:
    """What a device is asked to be called: on macOS the kernel chooses the number."""
    return "utun" if sys.platform == "darwin" else name


def _environment(name: str, host: Host) -> Mapping[str, str]:
    """In which a device is started: on macOS it is to tell what it came to be called."""
    if sys.platform != "darwin":
        return os.environ
    return {**os.environ, NAME_FILE_VARIABLE: str(_name_file(name, host))}


def _name_file(name: str, host: Host) -> Path:
    return host.sockets / f"{name}.name"
