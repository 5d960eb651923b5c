"""Our socket for questions and changes in rtnetlink (pyroute2), and what the kernel's refusals mean.

In: a change and the ip(8) command that would make it. Out: the command, said before the change is made; the
change, or NetworkError with a sentence. Rules kept: what is asked is filtered by the kernel (strict checking,
since 4.20), so that a machine with a million routes is not read through; the kernel's own words go with each
refusal that they explain (NETLINK_EXT_ACK). Sources: rtnetlink(7), linux/netlink.h.
"""

import errno
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

from pyroute2 import IPRoute, NetlinkError

from pywg.net.netlink import SOL_NETLINK
from pywg.net.system import Echo, NetworkError

AF_OF: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
NETLINK_GET_STRICT_CHK: Final = 12
RT_TABLE_MAIN: Final = 254
NOT_PERMITTED: Final = "not permitted; run as root (it takes CAP_NET_ADMIN in this network namespace)"
NO_SUCH_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EOPNOTSUPP})
"""What a kernel without IPv6 answers."""

Refusals = Mapping[int, str]
"""What an errno means for the change at hand."""


class Rtnetlink:
    """One netlink socket in the network namespace of the calling thread, which alone may use it.

    pyroute2's synchronous classes run an event loop of their own, so none may be running here.
    """

    def __init__(self, echo: Echo) -> None:
        self.echo = echo
        self.links_changed = 0
        """Counts what may have added routes or taken some away."""
        self._closed = False
        try:
            self.ipr: Any = IPRoute(**asked_strictly())
        except OSError as error:
            raise NetworkError(f"cannot open a netlink socket: {error.strerror}") from None

    def close(self) -> None:
        """May be called twice."""
        if not self._closed:
            self._closed = True
            self.ipr.close()

    def change(self, words: str, call: Callable[[], object], refusals: Refusals) -> None:
        """Say it and do it. Raises NetworkError."""
        self.echo(words)
        try:
            call()
        except NetlinkError as error:
            raise NetworkError(f"{words}: {sentence(error.code, _said_by(error), refusals)}") from None
        except OSError as error:
            raise NetworkError(f"{words}: {error.strerror}") from None

    def index(self, name: str, words: str) -> int:
        """The number of an interface. Raises NetworkError, which starts with `words`."""
        index = index_of(name)
        if index is None:
            raise NetworkError(f"{words}: there is no interface {name}")
        return index


def index_of(name: str) -> int | None:
    """The number of an interface; None if there is none of that name."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


def sentence(code: int, said: str, refusals: Refusals) -> str:
    """What a refusal means, in words; `said`: by the kernel, empty if it said nothing."""
    if code == errno.EPERM:
        return NOT_PERMITTED
    meaning = refusals.get(code)
    if meaning is None:
        return said or os.strerror(code)
    return f"{meaning} (the kernel: {said})" if said else meaning


def _said_by(error: NetlinkError) -> str:
    """The kernel's own explanation; pyroute2 puts strerror in its place where there is none."""
    said = str(error.args[1]) if len(error.args) > 1 else ""
    return "" if said == os.strerror(error.code) else said


def asked_strictly() -> dict[str, bool]:
    """How to open a socket of pyroute2; a kernel before 4.20 lists all and leaves the sorting to us."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as probe:
        try:
            probe.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        except OSError:
            return {}
    return {"strict_check": True, "ext_ack": True}
