"""Where the UAPI socket of an interface lives, and how it is made, inherited and taken away.

In: an interface name. Out: a listening AF_UNIX socket. Rules kept: the directory is 0755, the socket is
made under umask 077, a live socket is never unlinked, and on close a path is only unlinked while it is
still the socket we made. Source: wireguard-go ipc/uapi_unix.go, `wg`'s ipc-uapi-unix.h.
"""

import errno
import os
import socket
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pywg.interface_name import LEGAL_CHARACTERS, LONGEST_NAME, is_interface_name, shown_name

DIRECTORY: Final = Path("/var/run/wireguard")

_DIAL_TIMEOUT: Final = 1.0
_STARTING: Final = 0.01
"""Seconds. From bind to listen it takes a thousandth of that."""
_BACKLOG: Final = 128


class UapiSocketError(Exception):
    """The socket cannot be had; the text is one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Which file a path names, whatever is later put in its place."""

    device: int
    inode: int


def file_identity(path: Path) -> FileIdentity | None:
    """None if there is no such file (any more)."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return FileIdentity(found.st_dev, found.st_ino)


def socket_path(name: str, directory: Path = DIRECTORY) -> Path:
    """The path of an interface's socket. Raises UapiSocketError for what cannot be an interface's name."""
    if not is_interface_name(name):
        raise UapiSocketError(
            f"{shown_name(name)} is no interface name; expected 1 to {LONGEST_NAME} of {LEGAL_CHARACTERS}"
        )
    return directory / f"{name}.sock"


def bind_uapi_socket(name: str, directory: Path = DIRECTORY) -> socket.socket:
    """A listening, non-blocking socket at the path of `name`, in place of a stale one.

    Raises UapiSocketError: the name is not one, another process listens there, or the system refused.
    """
    path = socket_path(name, directory)
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        _remove_stale(path)
        return _listen(path)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _in_use(path) from None
        reason = error.strerror or str(error)
        raise UapiSocketError(
            f"cannot make the UAPI socket {path}: {reason}; its directory must be writable (are you root?)"
        ) from None


def inherit_uapi_socket(fd: int) -> socket.socket:
    """The listening socket that the starting process left in descriptor `fd` (``WG_UAPI_FD``).

    Raises UapiSocketError if it is no listening AF_UNIX stream socket.
    """
    try:
        inherited = socket.socket(fileno=fd)
    except (OSError, ValueError):
        raise UapiSocketError(f"descriptor {fd} is not a socket; expected a listening UAPI socket") from None
    if (
        inherited.family != socket.AF_UNIX
        or inherited.type != socket.SOCK_STREAM
        or not _is_listening(inherited)
    ):
        inherited.detach()
        raise UapiSocketError(f"descriptor {fd} is not a listening UAPI socket")
    inherited.setblocking(False)
    inherited.set_inheritable(False)
    return inherited


def unlink_if_ours(path: Path, ours: FileIdentity | None) -> None:
    """Take the socket file away unless somebody has put another in its place."""
    if ours is not None and file_identity(path) == ours:
        path.unlink(missing_ok=True)


def interface_names(directory: Path = DIRECTORY) -> list[str]:
    """Interfaces with a live socket, sorted, and those whose socket we may not use: they exist, as `wg` says.

    A socket that refuses is stale and unlinked, as by `wg`. Raises UapiSocketError if the directory cannot
    be read.
    """
    try:
        files = sorted(os.listdir(directory))  # noqa: PTH208 (Path.glob hides that it may not look)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError:
        raise UapiSocketError(f"cannot read {directory}: permission denied; try again as root") from None
    names = (file.removesuffix(".sock") for file in files if file.endswith(".sock"))
    return [name for name in names if is_interface_name(name) and has_live_socket(name, directory)]


def has_live_socket(name: str, directory: Path = DIRECTORY) -> bool:
    """Whether somebody listens on an interface's socket, or we may not know; a stale one is unlinked.

    Raises UapiSocketError for what cannot be an interface's name.
    """
    path = socket_path(name, directory)
    if not _is_socket(path, follow=True):
        return False
    try:
        stale = _dial(path) is False
    except OSError:  # It may be a socket of another kind. Who uses it is told.
        return True
    if stale:
        with suppress(OSError):
            path.unlink()
    return not stale


def _remove_stale(path: Path) -> None:
    """Make way for a new socket. Raises UapiSocketError if the path is taken."""
    if file_identity(path) is None:
        return
    if not _is_socket(path):
        raise UapiSocketError(f"{path} exists and is not a socket; remove it")
    alive = _dial(path)
    if alive:
        raise _in_use(path)
    if alive is None:
        raise UapiSocketError(f"cannot tell whether {path} is in use: permission denied; try again as root")
    path.unlink(missing_ok=True)


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    former = os.umask(0o077)
    try:
        listener.bind(str(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(former)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def _dial(path: Path) -> bool | None:
    """Whether somebody listens there; None: not for us to know. Raises OSError: nobody can tell.

    A full backlog (a time-out or EAGAIN) has somebody behind it. Who refuses is asked once more, for a daemon
    that just starts does so between bind and listen, and ends if its socket is taken away.
    """
    answer = _dial_once(path)
    if answer is False:
        time.sleep(_STARTING)
        answer = _dial_once(path)
    return answer


def _dial_once(path: Path) -> bool | None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_DIAL_TIMEOUT)
        try:
            probe.connect(str(path))
        except PermissionError:
            return None
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except (TimeoutError, BlockingIOError):
            return True
    return True


def _in_use(path: Path) -> UapiSocketError:
    return UapiSocketError(
        f"unix socket in use: another process listens on {path}; stop it or take another name"
    )


def _is_socket(path: Path, *, follow: bool = False) -> bool:
    """`follow`: or a link to one."""
    try:
        return stat.S_ISSOCK(path.stat(follow_symlinks=follow).st_mode)
    except OSError:
        return False


def _is_listening(candidate: socket.socket) -> bool:
    try:
        return bool(candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        # Not every system (macOS) tells this: having a path is then as good as we can know.
        return bool(candidate.getsockname())
