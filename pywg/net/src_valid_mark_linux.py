"""``net.ipv4.conf.all.src_valid_mark``: whether the source check of strict rp_filter heeds packet marks.

A full tunnel needs it. In: when one comes and when the last one goes. Out: where the setting is off it is
switched on, with a note of it, and off again when no full tunnel is left; wg-quick leaves it on. Rule kept: a
note holds for one network namespace, until the machine is started anew. Source:
Documentation/networking/ip-sysctl.rst.
"""

import errno
import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pywg.net.namespace_linux import our_inode
from pywg.net.notes import Notes
from pywg.net.system import Echo, NetworkError

SETTING: Final = Path("/proc/sys/net/ipv4/conf/all/src_valid_mark")
"""Of the network namespace of the thread that reads it."""
SO_NETNS_COOKIE: Final = 71


class SrcValidMark:
    """The setting in the network namespace of the calling thread."""

    def __init__(self, echo: Echo, notes: Notes) -> None:
        self._echo = echo
        self._notes = notes

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Within, no other command of ours changes a full tunnel's firewall, once `prepare` has run."""
        try:
            lock = os.open(self._notes.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def prepare(self) -> None:
        """Make the place for notes. Where that cannot be, the setting stays on, as with wg-quick."""
        with suppress(OSError):
            self._notes.make_directory()

    def require(self) -> None:
        """Switch it on. Raises NetworkError."""
        if _read() != "0":
            return
        with suppress(OSError):
            self._notes.write(_note())  # First, so that it is switched off again whatever happens next.
        self._write("1")

    def release(self) -> None:
        """Switch it off, if it was us who switched it on. Raises NetworkError."""
        if self._notes.read(_note()) is None:
            return
        if _read() != "0":
            self._write("0")
        self._notes.remove(_note())

    def _write(self, value: str) -> None:
        words = f"sysctl -q net.ipv4.conf.all.src_valid_mark={value}"
        self._echo(words)
        try:
            SETTING.write_text(value)
        except OSError as error:
            hint = ""
            if error.errno == errno.EROFS:
                hint = "; in a container it is set from outside (docker run --sysctl)"
            raise NetworkError(f"{words}: {error.strerror}{hint}") from None


def _note() -> str:
    return f"src_valid_mark-{_namespace()}"


def _read() -> str:
    try:
        return SETTING.read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    """What tells our network namespace from all others: its cookie, never given twice (since 5.14)."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            return str(int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), sys.byteorder))
        except OSError:
            return f"inode-{our_inode()}"
