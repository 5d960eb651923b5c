"""What the service manager is told: sd_notify(3), the protocol, without its library.

In: the environment variable NOTIFY_SOCKET, if there is one. Out: datagrams to the socket it names, a line for
each assignment. Rules kept: the variable is taken from the environment, so that no child speaks for us;
nothing that goes wrong here may end a daemon or keep it waiting.
"""

import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final, Self

VARIABLE: Final = "NOTIFY_SOCKET"
_SECONDS: Final = 1.0
"""Longest wait for room in the manager's queue: a busy one must not miss that we are ready."""


class Notifier:
    """The service manager that waits for our word, or nobody."""

    def __init__(self, address: str | None) -> None:
        """`address`: a path, or ``@`` and the rest of an abstract one. Others (``vsock:``) are as if none."""
        self._address = address if address and address[0] in "/@" else None

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> Self:
        """Take the variable away, and speak to whom it names."""
        return cls(environment.pop(VARIABLE, None))

    def ready(self, status: str) -> None:
        """The interface answers. `status` is for people, in one line."""
        self._send("READY=1", f"STATUS={status}")

    def stopping(self, status: str) -> None:
        """The end has begun, and why."""
        self._send("STOPPING=1", f"STATUS={status}")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        address = f"\0{self._address[1:]}" if self._address[0] == "@" else self._address
        with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            speaker.settimeout(_SECONDS)
            speaker.sendto("\n".join(lines).encode(errors="surrogateescape"), address)
