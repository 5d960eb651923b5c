"""The two descriptors a daemon lives on: its TUN device and its listening UAPI socket.

In: a name, and what was inherited. Out: both, opened or taken over, or a StartError that says in one line why
not. MTU 1420 is set by the process that makes the device; one that inherits it leaves it alone.
"""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from pywg.daemon.errors import StartError
from pywg.daemon.handover import Inherited
from pywg.interface_name import InterfaceNameError, check_interface_name
from pywg.protocol.constants import DEFAULT_MTU
from pywg.tun.port import TunError, TunPort
from pywg.uapi.path import (
    FileIdentity,
    UapiSocketError,
    bind_uapi_socket,
    file_identity,
    inherit_uapi_socket,
    unlink_if_ours,
)

# Not through pywg.platform, which brings sockets and netlink too: the process that starts does without.
if sys.platform == "darwin":
    from pywg.tun.darwin import DarwinTun as Tun
    from pywg.tun.darwin import open_tun
else:
    from pywg.tun.linux import LinuxTun as Tun
    from pywg.tun.linux import open_tun

NAME_FILE_VARIABLE: Final = "WG_TUN_NAME_FILE"


class NamedTun(TunPort, Protocol):
    """A TUN device that knows its interface's name."""

    name: str


class Opened(NamedTuple):
    """Both descriptors, owned by whoever holds this."""

    tun: NamedTun
    uapi: socket.socket
    path: Path
    """Of the UAPI socket."""
    file: FileIdentity | None
    """Which file the socket is: by its name another daemon's may be there later."""

    @property
    def name(self) -> str:
        """The interface's real name."""
        return self.tun.name

    def abandon(self) -> None:
        """Start-up failed: leave nothing behind. The device goes with its last descriptor."""
        self.uapi.close()
        self.tun.close()
        unlink_if_ours(self.path, self.file)


def open_descriptors(name: str, given: Inherited, environment: Mapping[str, str] = os.environ) -> Opened:
    """Open what was not inherited. Raises StartError, with nothing left open.

    It is one too if `name` cannot be an interface's. `environment`: may ask for a name file.
    """
    try:
        check_interface_name(name)
    except InterfaceNameError as error:
        raise StartError(str(error)) from None
    try:
        tun = open_tun(name, DEFAULT_MTU) if given.tun is None else Tun.from_fd(given.tun)
    except TunError as error:
        raise StartError(str(error)) from None
    try:
        uapi = bind_uapi_socket(tun.name) if given.uapi is None else inherit_uapi_socket(given.uapi)
    except UapiSocketError as error:
        tun.close()
        raise StartError(str(error)) from None
    socket_file = Path(uapi.getsockname())
    opened = Opened(tun, uapi, socket_file, file_identity(socket_file))
    path = name_file(name, environment) if given.tun is None else None
    if path is not None:
        try:
            write_name_file(path, tun.name)
        except OSError as error:
            opened.abandon()
            raise StartError(f"cannot write {NAME_FILE_VARIABLE}={path}: {error.strerror}") from None
    return opened


def name_file(name: str, environment: Mapping[str, str], system: str = sys.platform) -> str | None:
    """Where to tell the interface's real name: asked for on macOS only, with a name that leaves it open."""
    asked = system == "darwin" and name == "utun"
    return (environment.get(NAME_FILE_VARIABLE) or None) if asked else None


def write_name_file(path: str, name: str) -> None:
    """Tell wg-quick on macOS which number the kernel chose: the name and a newline, mode 0400."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o400)
    with open(descriptor, "w") as file:  # noqa: PTH123 (a descriptor)
        file.write(f"{name}\n")
